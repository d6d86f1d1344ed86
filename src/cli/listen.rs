//! Listens on an address, or explains why that failed and what to do. Serves on it until a signal stops it.

use super::{Exit, Terminal};
use crate::edge;
use crate::gateway::admin::PATH;
use crate::gateway::shutdown::{self, Hangups};
use crate::gateway::{self, Gateway, Listeners};
use crate::problem::Problem;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Listens on `address`. Returns `None` if that failed, which was reported. `remedy` says how to choose another
/// address.
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
            let message = format!("cannot listen on {address}: {reason}");
            terminal.log_problems(&[Problem::error("cannot-listen", message).help(remedy)]);
            None
        }
    }
}

/// Listens on the admin address, and prints it. If the default address is in use, there is no admin page. A configured
/// address must be free.
///
/// # Errors
/// The address is not free, which was reported.
pub(super) async fn admin(
    settings: edge::Admin,
    terminal: &mut Terminal,
) -> Result<Option<TcpListener>, Exit> {
    if !settings.enabled {
        return Ok(None);
    }
    if settings.listen == edge::Admin::USUAL {
        return Ok(usual_admin(settings.tls, terminal).await);
    }
    let remedy = "choose another one with `server.admin.listen` in the configuration";
    let Some((listener, address)) = listen(settings.listen, remedy, terminal).await else {
        return Err(Exit::CannotListen);
    };
    if !address.ip().is_loopback() {
        tracing::warn!("the admin page has no login: whoever reaches {address} reads it");
    }
    tell_admin(settings.tls, address, terminal);
    Ok(Some(listener))
}

async fn usual_admin(tls: bool, terminal: &mut Terminal) -> Option<TcpListener> {
    let usual = edge::Admin::USUAL;
    let bound = TcpListener::bind(usual).await.ok();
    if bound.is_some() {
        tell_admin(tls, usual, terminal);
    } else {
        tracing::warn!(
            "there is no admin page: {usual} is taken; `server.admin.listen` chooses another \
             address, and `server.admin.enabled: false` ends this warning"
        );
    }
    bound
}

fn tell_admin(tls: bool, address: SocketAddr, terminal: &mut Terminal) {
    terminal.out(&format!("admin {}{PATH}\n", url(edge::scheme(tls), address)));
}

/// Serves until the first signal, then drains; a second signal ends it at once.
pub(super) async fn serve(
    gateway: Gateway,
    listeners: Listeners,
    hangups: Hangups,
    terminal: &mut Terminal,
) -> Exit {
    let (drain, end) = match shutdown::signals() {
        Ok(signals) => signals,
        Err(error) => {
            let message = format!("the system gives no signals: {error}");
            terminal.log_problems(&[Problem::error("no-signals", message)]);
            return Exit::Problems;
        }
    };
    let has_tls = gateway.edge.settings().tls.is_some();
    tokio::select! {
        () = hangups.log(), if !has_tls => Exit::Done,
        () = Box::pin(gateway::serve_all(gateway, listeners, drain)) => Exit::Done,
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

/// Returns the URL that a person on this machine would open.
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
