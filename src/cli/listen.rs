//! Taking an address, or saying why not and what to do; and serving on it until told to stop.

use super::{Exit, Terminal};
use crate::gateway::{self, Gateway, shutdown};
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Listens on `address`; `None` when that was not possible and was said. `remedy` is how to choose another one.
pub(super) async fn listen(
    address: SocketAddr,
    remedy: &str,
    terminal: &mut Terminal,
) -> Option<(TcpListener, SocketAddr)> {
    let bound = TcpListener::bind(address).await;
    match bound.and_then(|listener| listener.local_addr().map(|address| (listener, address))) {
        Ok(listener) => Some(listener),
        Err(error) => {
            let reason = reason(&error);
            terminal.err(&format!("error: cannot listen on {address}: {reason}\n  {remedy}\n"));
            None
        }
    }
}

/// Serves until the first signal, then drains; a second signal ends it at once.
pub(super) async fn serve(
    gateway: Gateway,
    listener: TcpListener,
    metrics: Option<TcpListener>,
    terminal: &mut Terminal,
) -> Exit {
    let (drain, end) = match shutdown::signals() {
        Ok(signals) => signals,
        Err(error) => {
            terminal.err(&format!("error: the system gives no signals: {error}\n"));
            return Exit::Problems;
        }
    };
    let serving = async {
        match metrics {
            None => gateway::serve(gateway, listener, drain).await,
            Some(metrics) => gateway::serve_with_metrics(gateway, listener, metrics, drain).await,
        }
    };
    tokio::select! {
        () = serving => Exit::Done,
        () = end => Exit::Interrupted,
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program has this port".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "this port needs rights that the process does not have".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have this address".to_owned(),
        _ => error.to_string(),
    }
}

/// The address a person on this machine would open.
pub(super) fn url(scheme: &str, address: SocketAddr) -> String {
    let mut address = address;
    if address.ip().is_unspecified() {
        let loopback: std::net::IpAddr = match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(loopback);
    }
    format!("{scheme}://{address}")
}
