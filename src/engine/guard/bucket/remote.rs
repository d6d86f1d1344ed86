//! Redis store of buckets, for several gateways: one script takes and gives back, so a check is one round trip without
//! a lock.
//!
//! The script is [`super::level`] in Lua, with Redis's own clock, so that the gateways' clocks need not agree. A bucket
//! is one string, `tokens since`, that expires when it would be full. If Redis loses its data, all buckets are full. A
//! reservation that was not settled, because the gateway crashed or Redis was unreachable, stays spent and is refilled
//! over time.

use super::key::Key;
use super::level::Flow;
use crate::shared::{Failure, Redis, Script, Value};

/// Needs Redis 5 or newer: the script writes after it read the time.
const LUA: &str = r"
local capacity, refill = tonumber(ARGV[1]), tonumber(ARGV[2])
local cost, more = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local tokens, since = capacity, now
local kept = redis.call('GET', KEYS[1])
if kept then
  local t, s = string.match(kept, '^(%S+) (%S+)$')
  tokens, since = tonumber(t) or capacity, tonumber(s) or now
end
tokens = math.min(capacity, tokens + math.max(0, now - since) * refill)
local enough = 1
if tokens + 0.000001 < cost then
  enough = 0
else
  tokens = math.max(-capacity, math.min(capacity, tokens - cost + more))
  local empty = capacity - tokens
  if empty > 0 then
    local expiry = math.min(math.ceil(empty / refill * 1000) + 1000, 31536000000)
    local value = string.format('%.6f %.6f', tokens, math.max(now, since))
    redis.call('SET', KEYS[1], value, 'PX', string.format('%.0f', expiry))
  elseif kept then
    redis.call('DEL', KEYS[1])
  end
end
return {enough, string.format('%.6f', tokens)}
";

#[derive(Clone)]
pub struct Remote {
    redis: Redis,
    script: Script,
}

impl Remote {
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        Self { redis, script: Script::new(LUA) }
    }

    /// Like [`super::memory::Memory::take`]; the inner result is the bucket's.
    ///
    /// # Errors
    /// If Redis does not answer. The tokens may have been taken all the same.
    pub async fn take(
        &self,
        key: &Key,
        flow: Flow,
        cost: f64,
    ) -> Result<Result<f64, f64>, Failure> {
        self.run(key, flow, cost, 0.0).await
    }

    /// Like [`super::level::Level::give_back`].
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn give_back(&self, key: &Key, flow: Flow, more: f64) -> Result<(), Failure> {
        // A call with no cost always passes, unless the bucket is in debt.
        self.run(key, flow, -flow.capacity, more - flow.capacity).await.map(drop)
    }

    async fn run(
        &self,
        key: &Key,
        flow: Flow,
        cost: f64,
        more: f64,
    ) -> Result<Result<f64, f64>, Failure> {
        let figures = [flow.capacity, flow.refill, cost, more].map(|figure| figure.to_string());
        let arguments = figures.each_ref().map(String::as_bytes);
        let name = key.name();
        read(&self.redis.run(&self.script, &[name.as_bytes()], &arguments).await?)
    }
}

fn read(reply: &Value) -> Result<Result<f64, f64>, Failure> {
    let Value::List(items) = reply else { return Err(Failure::Reply) };
    let [Value::Number(enough), Value::Bytes(tokens)] = items.as_slice() else {
        return Err(Failure::Reply);
    };
    let tokens = std::str::from_utf8(tokens).ok().and_then(|text| text.parse().ok());
    let tokens: f64 = tokens.ok_or(Failure::Reply)?;
    Ok(if *enough == 1 { Ok(tokens) } else { Err(tokens) })
}
