//! What goes on for a source beside its calls: its instances are followed, and while its breaker is open because nobody
//! could be reached, it is seen when they come back.
//!
//! An open breaker waits longer each time, which is right for a service that answers badly, and long for one that was
//! restarted. Whether somebody accepts connections can be seen without calling: when nobody did and then somebody does,
//! the breaker lets its next call through at once.

use super::discovery::{Discovery, Found};
use super::status::Status;
use super::{Instances, Position, Upstream, now};
use futures_util::future::{BoxFuture, FutureExt, join, join_all};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Between two looks at whether somebody accepts connections.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Instances that are looked at at a time.
const MOST_LOOKS: usize = 8;

/// An upstream without its protocol.
pub trait Watched: Send + Sync {
    fn status(&self, now: Instant) -> Status;

    /// Follows who there is, and watches for their return. Never done; dropping it ends both.
    fn follow(self: Arc<Self>) -> BoxFuture<'static, ()>;

    /// Done when it has been said for the first time who there is.
    fn is_found(self: Arc<Self>) -> BoxFuture<'static, ()>;
}

impl<C: Send + Sync + 'static> Watched for Upstream<C> {
    fn status(&self, now: Instant) -> Status {
        Self::status(self, now)
    }

    fn follow(self: Arc<Self>) -> BoxFuture<'static, ()> {
        async move {
            join(self.discover(), self.look_for_return()).await;
        }
        .boxed()
    }

    fn is_found(self: Arc<Self>) -> BoxFuture<'static, ()> {
        async move {
            let mut found = self.found.subscribe();
            // It is never closed while this holds the upstream.
            let _ = found.wait_for(|found| *found).await;
        }
        .boxed()
    }
}

impl<C> Upstream<C> {
    async fn discover(&self) {
        let Instances::Found(sought) = &self.site.instances else { return };
        match Discovery::new(sought.clone()) {
            Ok(mut discovery) => loop {
                self.update(discovery.next().await);
            },
            Err(reason) => self.update(Found { addresses: Vec::new(), error: Some(reason) }),
        }
    }

    async fn look_for_return(&self) {
        loop {
            self.opened.notified().await;
            let mut was_away = false;
            while self.state().breaker.position() == Position::Open {
                let is_there = self.accepts_connections().await;
                if is_there && was_away {
                    self.state().breaker.hint(now());
                    break;
                }
                was_away |= !is_there;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    /// Whether any of a few instances does.
    async fn accepts_connections(&self) -> bool {
        let set = self.members.set();
        let offset = fastrand::usize(..set.all.len().max(1));
        let some = set.all.iter().cycle().skip(offset).take(set.all.len().min(MOST_LOOKS));
        let looks = some.map(|member| {
            let address = (member.address.host.as_str(), member.address.port);
            tokio::time::timeout(self.settings.connect_timeout, TcpStream::connect(address))
        });
        join_all(looks).await.into_iter().any(|look| matches!(look, Ok(Ok(_))))
    }
}
