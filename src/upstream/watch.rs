//! Background work for a source: follows its instances, and checks those that are down.
//!
//! An instance that accepts no connections gets no calls, so calls do not show when it is available again. A check
//! does: a connection is opened and closed again. Only instances that are down are checked, at most every half second
//! each, and a bounded number at a time. When the breaker is open, an instance that is available again lets the breaker
//! pass the next call at once.

use super::discovery::{Address, Discovery, Found};
use super::members::Member;
use super::status::Status;
use super::{Instances, Upstream, now, socket};
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt, join};
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Maximum number of concurrent checks.
const MOST_CHECKS: usize = 32;

/// Returns whether an instance accepts connections. Ends within the given time.
pub(super) type Reach = Box<dyn Fn(Address, Duration) -> BoxFuture<'static, bool> + Send + Sync>;

/// Opens a TCP connection, or one to a Unix socket, and closes it.
pub(super) fn connects(address: Address, within: Duration) -> BoxFuture<'static, bool> {
    let connect = async move {
        match &address.socket {
            Some(path) => socket::connect(path).await.is_ok(),
            None => TcpStream::connect((address.host.as_str(), address.port)).await.is_ok(),
        }
    };
    async move { tokio::time::timeout(within, connect).await == Ok(true) }.boxed()
}

/// An upstream without its protocol.
pub trait Watched: Send + Sync {
    fn status(&self, now: Instant) -> Status;

    /// Follows the instances, and checks those that are down. Runs until dropped.
    fn follow(self: Arc<Self>) -> BoxFuture<'static, ()>;

    /// Completes when the instances are known for the first time.
    fn is_found(self: Arc<Self>) -> BoxFuture<'static, ()>;
}

impl<C: Send + Sync + 'static> Watched for Upstream<C> {
    fn status(&self, now: Instant) -> Status {
        Self::status(self, now)
    }

    fn follow(self: Arc<Self>) -> BoxFuture<'static, ()> {
        async move {
            join(self.discover(), self.check_those_down()).await;
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

    async fn check_those_down(&self) {
        let mut checks = FuturesUnordered::new();
        loop {
            let now = now();
            let mut next: Option<Instant> = None;
            for member in &self.members.set().all {
                let Some(due) = member.health().check_due() else { continue };
                if due <= now && checks.len() < MOST_CHECKS {
                    checks.push(self.check(Arc::clone(member)));
                } else {
                    next = Some(next.map_or(due, |next| next.min(due)));
                }
            }
            // If it is due already, it waits for a check to end: the maximum number runs.
            let next = next.filter(|next| *next > now);
            let wait = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.went_down.notified() => {}
                Some(()) = checks.next() => {}
                () = wait => {}
            }
        }
    }

    /// Starts the check now, not when it is first polled.
    fn check(&self, member: Arc<Member<C>>) -> impl Future<Output = ()> {
        let (began, within) = (now(), self.settings.connect_timeout);
        member.health().begin_check(within, began);
        let reached = (self.reach)(member.address.clone(), within);
        async move {
            let accepts = reached.await;
            let now = now();
            if !accepts {
                return member.health().stay_down(began, now);
            }
            if member.health().accepts(now) {
                let (source, instance) = (&*self.source, member.address.shown());
                tracing::info!(source, instance, "up: it accepts connections again");
                self.state().breaker.hint(now);
            }
        }
    }
}
