//! One HTTP/1.1 exchange on a kept connection, with as little work as a client can do: the load generator must not be
//! what is measured.

use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const HEAD_LIMIT: usize = 16 << 10;
const BODY_LIMIT: usize = 64 << 20;

/// A request, rendered once.
#[derive(Debug, Clone)]
pub struct Question(Vec<u8>);

impl Question {
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self(
            format!("GET {path} HTTP/1.1\r\nhost: bench\r\naccept: application/json\r\n\r\n")
                .into_bytes(),
        )
    }

    #[must_use]
    pub fn graphql(query: &str) -> Self {
        let body = serde_json::json!({ "query": query }).to_string();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: bench\r\naccept: application/json\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Self((head + &body).into_bytes())
    }
}

/// A kept connection and the buffer that replies are read into.
pub struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 64 << 10] })
    }

    /// Sends the question and returns the reply's body. Errors: a status other than 200, a reply without a length.
    pub async fn ask(&mut self, question: &Question) -> Result<&[u8]> {
        self.stream.write_all(&question.0).await?;
        let mut filled = 0;
        let (start, length) = loop {
            filled += self.more(filled).await?;
            if let Some(head) = head_end(&self.buffer[..filled]) {
                break (head, body_length(&self.buffer[..head])?);
            }
            if filled > HEAD_LIMIT {
                bail!("the reply's head is larger than {HEAD_LIMIT} bytes");
            }
        };
        let end = start + length;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        while filled < end {
            filled += self.more(filled).await?;
        }
        if filled > end {
            bail!("{} bytes behind the reply", filled - end);
        }
        Ok(&self.buffer[start..end])
    }

    async fn more(&mut self, filled: usize) -> Result<usize> {
        match self.stream.read(&mut self.buffer[filled..]).await? {
            0 => bail!("the server closed the connection in the middle of a reply"),
            n => Ok(n),
        }
    }
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4)
}

fn body_length(head: &[u8]) -> Result<usize> {
    let head = std::str::from_utf8(head)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        bail!("the server answered `{status}`");
    }
    let length: usize = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("the reply has no content-length")?
        .1
        .trim()
        .parse()?;
    if length > BODY_LIMIT {
        bail!("a reply of {length} bytes");
    }
    Ok(length)
}
