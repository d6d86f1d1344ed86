//! A name server with one name, whose address can change.
//!
//! It answers every query over UDP (RFC 1035): `A` with the address, any other type without records.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Stops when dropped.
pub struct NameServer {
    pub address: SocketAddr,
    answer: Arc<watch::Sender<Ipv4Addr>>,
    task: JoinHandle<()>,
}

impl NameServer {
    pub async fn start(answer: Ipv4Addr, ttl: Duration) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let answer = Arc::new(watch::Sender::new(answer));
        let task = tokio::spawn(serve(socket, Arc::clone(&answer), ttl));
        Ok(Self { address, answer, task })
    }

    /// Sets the address from the next query on.
    pub fn say(&self, address: Ipv4Addr) {
        self.answer.send_replace(address);
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, answer: Arc<watch::Sender<Ipv4Addr>>, ttl: Duration) {
    let mut buffer = [0; 1500];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let address = *answer.borrow();
        if let Some(reply) = reply(&buffer[..length], address, ttl) {
            // If a reply is lost, the client asks again.
            let _ = socket.send_to(&reply, from).await;
        }
    }
}

const HEADER: usize = 12;
const TYPE_A: [u8; 2] = [0, 1];

/// Returns the reply; `None` if the packet is not a query.
fn reply(question: &[u8], address: Ipv4Addr, ttl: Duration) -> Option<Vec<u8>> {
    let name = question.get(HEADER..)?.iter().position(|byte| *byte == 0)?;
    let end = HEADER + name + 1;
    let kind = question.get(end..end + 4)?;
    let is_a = kind[..2] == TYPE_A;
    let mut reply = question[..2].to_vec();
    // An authoritative answer, as recursion was wanted; one question, one answer or none.
    reply.extend([0x85, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    reply.extend(&question[HEADER..end + 4]);
    if is_a {
        let seconds = u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX);
        // The name is the question's, at offset 12; class IN.
        reply.extend([0xc0, 12, 0, 1, 0, 1]);
        reply.extend(seconds.to_be_bytes());
        reply.extend([0, 4]);
        reply.extend(address.octets());
    }
    Some(reply)
}
