//! How a server of this package starts: on a free loopback port that it prints as its first line, so that nobody waits
//! for a port that another program holds.

use anyhow::Result;
use std::io::Write;
use tokio::net::TcpListener;

/// Listens on `LISTEN` (an address; a free loopback port by default) and prints `listening on ADDRESS`.
pub async fn listen() -> Result<TcpListener> {
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:0".into());
    let listener = TcpListener::bind(address).await?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", listener.local_addr()?)?;
    out.flush()?;
    Ok(listener)
}

/// Serves an axum application the way every competitor does.
pub async fn serve(app: axum::Router) -> Result<()> {
    use axum::serve::ListenerExt;
    let listener = listen().await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}
