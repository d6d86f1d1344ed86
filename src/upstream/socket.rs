//! The stream below a connection: TCP, or a Unix socket of this machine. Opens Unix sockets, and explains why one
//! cannot be opened.

use hyper_util::client::legacy::connect::{Connected, Connection};
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
#[cfg(unix)]
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// Wait between two attempts at a socket whose queue is full. For TCP, the system waits by itself.
#[cfg(unix)]
const FULL_QUEUE: Duration = Duration::from_millis(10);

/// The stream to an instance.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Reasons why there is no connection to a Unix socket.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(unix), expect(dead_code, reason = "there are no Unix sockets"))]
pub(super) enum NoSocket {
    #[error("there is no socket `{0}`: start the service, or correct the path in `url`")]
    Missing(String),
    #[error(
        "the gateway's user may not connect to the socket `{0}`: it needs write permission for the socket and search \
         permission for the folders above it"
    )]
    Forbidden(String),
    #[error("nothing listens on the socket `{0}`: a service that ended may have left it behind")]
    Stale(String),
    #[error("no connection to the socket `{0}`")]
    Other(String, #[source] io::Error),
}

/// Connects to a Unix socket. Waits while the socket's queue is full; the caller limits the time.
///
/// # Errors
/// There is no socket at the path, or no process accepts connections.
#[cfg(unix)]
pub(super) async fn connect(path: &Path) -> Result<Socket, NoSocket> {
    loop {
        let shown = || path.display().to_string();
        let error = match UnixStream::connect(path).await {
            Ok(stream) => return Ok(Socket::Unix(stream)),
            Err(error) => error,
        };
        return Err(match error.kind() {
            io::ErrorKind::WouldBlock => {
                tokio::time::sleep(FULL_QUEUE).await;
                continue;
            }
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => NoSocket::Missing(shown()),
            io::ErrorKind::PermissionDenied => NoSocket::Forbidden(shown()),
            io::ErrorKind::ConnectionRefused => NoSocket::Stale(shown()),
            _ => NoSocket::Other(shown(), error),
        });
    }
}

#[cfg(not(unix))]
pub(super) async fn connect(path: &Path) -> Result<Socket, NoSocket> {
    Err(NoSocket::Other(path.display().to_string(), io::ErrorKind::Unsupported.into()))
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

impl Socket {
    fn stream(self: Pin<&mut Self>) -> Pin<&mut dyn Duplex> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
