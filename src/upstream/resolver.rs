//! Resolves where a connection goes: to the addresses of the URL's host, as the system resolves it, or to an address
//! that discovery found.

use super::discovery::Address;
use futures_util::future::{BoxFuture, FutureExt};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use tower::Service;

#[derive(Debug, Clone)]
pub struct Resolver {
    system: GaiResolver,
    instead: Option<Address>,
}

impl Resolver {
    pub fn new(instead: Option<Address>) -> Self {
        Self { system: GaiResolver::new(), instead }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Port 0 means the URL's port.
    fn call(&mut self, name: Name) -> Self::Future {
        let name = match &self.instead {
            Some(Address { host, .. }) => match host.parse() {
                Ok(address) => {
                    let only = vec![SocketAddr::new(address, 0)].into_iter();
                    return futures_util::future::ready(Ok(only)).boxed();
                }
                Err(_) => host.parse().map_err(io::Error::other),
            },
            None => Ok(name),
        };
        let mut system = self.system.clone();
        async move { Ok(system.call(name?).await?.collect::<Vec<_>>().into_iter()) }.boxed()
    }
}
