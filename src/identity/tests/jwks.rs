//! A provider on a real socket, healthy or not.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Behavior of the provider.
#[derive(Clone, Default)]
pub enum Mood {
    /// Sends these bytes after the head.
    Says(&'static str, Arc<str>),
    /// Never answers.
    #[default]
    Hangs,
    /// Closes the connection.
    Closes,
    /// Sends a body that has no end.
    Endless,
}

/// Stops when dropped.
pub struct Provider {
    pub address: SocketAddr,
    mood: watch::Sender<Mood>,
    asked: watch::Receiver<usize>,
    server: JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Provider {
    pub async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mood, moods) = watch::channel(mood);
        let (count, asked) = watch::channel(0);
        let server = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(socket, moods.clone(), count.clone()));
            }
        });
        Self { address, mood, asked, server }
    }

    pub fn turn(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    pub fn asked(&self) -> usize {
        *self.asked.borrow()
    }
}

pub fn keys(keys: &[Value]) -> Mood {
    Mood::Says("200 OK", json!({ "keys": keys }).to_string().into())
}

async fn answer(
    mut socket: TcpStream,
    mut moods: watch::Receiver<Mood>,
    count: watch::Sender<usize>,
) {
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match socket.read(&mut piece).await {
            Ok(read) if read > 0 => head.extend_from_slice(&piece[..read]),
            _ => return,
        }
    }
    let mood = moods.borrow_and_update().clone();
    count.send_modify(|count| *count += 1);
    match mood {
        Mood::Says(status, body) => {
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}");
            let _ = socket.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await;
        }
        Mood::Hangs => std::future::pending().await,
        Mood::Closes => {}
        Mood::Endless => {
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"keys\":[";
            let mut sent = socket.write_all(head.as_bytes()).await;
            while sent.is_ok() {
                sent = socket.write_all(&[b' '; 4096]).await;
            }
        }
    }
}
