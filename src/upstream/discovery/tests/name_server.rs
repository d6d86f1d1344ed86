//! A name server on loopback, over UDP and TCP, that gives the answers a test sets.

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, SOA, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Default)]
pub enum Says {
    Records(Vec<Record>),
    /// Over TCP; too long for UDP.
    Long(Vec<Record>),
    #[default]
    NoSuchName,
    /// The name exists; the answer has this TTL.
    NoSuchRecords(u32),
    Fails,
    Silence,
}

type Zone = HashMap<(Name, RecordType), Says>;

/// Its records, and the queries it received.
#[derive(Debug)]
struct Shelf {
    zone: Mutex<Zone>,
    asked: watch::Sender<Vec<String>>,
}

/// Stops when dropped.
pub struct NameServer {
    pub address: SocketAddr,
    shelf: Arc<Shelf>,
    servers: [JoinHandle<()>; 2],
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

pub fn name(text: &str) -> Name {
    let mut name = Name::from_utf8(text).unwrap();
    name.set_fqdn(true);
    name
}

pub fn a(owner: &str, ip: &str, ttl: u32) -> Record {
    Record::from_rdata(name(owner), ttl, RData::A(A(ip.parse().unwrap())))
}

pub fn aaaa(owner: &str, ip: &str, ttl: u32) -> Record {
    Record::from_rdata(name(owner), ttl, RData::AAAA(AAAA(ip.parse().unwrap())))
}

pub fn cname(owner: &str, target: &str, ttl: u32) -> Record {
    Record::from_rdata(name(owner), ttl, RData::CNAME(CNAME(name(target))))
}

/// Creates a record with priority, weight and port.
pub fn srv(owner: &str, [priority, weight, port]: [u16; 3], target: &str, ttl: u32) -> Record {
    let data = SRV::new(priority, weight, port, name(target));
    Record::from_rdata(name(owner), ttl, RData::SRV(data))
}

impl NameServer {
    pub async fn start() -> Self {
        // A port that is free for both.
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (tcp, udp);
            }
        };
        let address = tcp.local_addr().unwrap();
        let shelf =
            Arc::new(Shelf { zone: Mutex::default(), asked: watch::Sender::new(Vec::new()) });
        let servers = [
            tokio::spawn(serve_udp(udp, Arc::clone(&shelf))),
            tokio::spawn(serve_tcp(tcp, Arc::clone(&shelf))),
        ];
        Self { address, shelf, servers }
    }

    pub fn set(&self, owner: &str, wanted: RecordType, says: Says) {
        self.shelf.zone.lock().unwrap().insert((name(owner), wanted), says);
    }

    /// Returns `NAME TYPE` of each query.
    pub fn asked(&self) -> Vec<String> {
        self.shelf.asked.borrow().clone()
    }

    /// Waits until this many queries have arrived.
    pub async fn until_asked(&self, times: usize) {
        let mut asked = self.shelf.asked.subscribe();
        super::within(asked.wait_for(|asked| asked.len() >= times)).await.unwrap();
    }
}

async fn serve_udp(socket: UdpSocket, shelf: Arc<Shelf>) {
    let mut buffer = [0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        if let Some(reply) = shelf.answer(&buffer[..length], false) {
            socket.send_to(&reply, peer).await.unwrap();
        }
    }
}

async fn serve_tcp(listener: TcpListener, shelf: Arc<Shelf>) {
    while let Ok((socket, _)) = listener.accept().await {
        let _ = serve_connection(socket, &shelf).await;
    }
}

async fn serve_connection(mut socket: TcpStream, shelf: &Shelf) -> std::io::Result<()> {
    loop {
        let length = socket.read_u16().await?;
        let mut buffer = vec![0; length.into()];
        socket.read_exact(&mut buffer).await?;
        if let Some(reply) = shelf.answer(&buffer, true) {
            socket.write_u16(u16::try_from(reply.len()).unwrap()).await?;
            socket.write_all(&reply).await?;
        }
    }
}

impl Shelf {
    fn answer(&self, question: &[u8], tcp: bool) -> Option<Vec<u8>> {
        let question = Message::from_vec(question).unwrap();
        let query = question.queries[0].clone();
        let key = (query.name().clone(), query.query_type());
        self.asked.send_modify(|asked| asked.push(format!("{} {}", key.0, key.1)));
        let mut reply = Message::response(question.metadata.id, OpCode::Query);
        reply.metadata.recursion_available = true;
        reply.add_query(query);
        match self.zone.lock().unwrap().get(&key).cloned().unwrap_or_default() {
            Says::Records(records) => drop(reply.add_answers(records)),
            Says::Long(records) if tcp => drop(reply.add_answers(records)),
            Says::Long(_) => reply.metadata.truncation = true,
            Says::NoSuchName => reply.metadata.response_code = ResponseCode::NXDomain,
            Says::NoSuchRecords(ttl) => {
                let soa = SOA::new(name("ns"), name("admin"), 1, 600, 60, 6000, ttl);
                reply.add_authority(Record::from_rdata(name("test"), ttl, RData::SOA(soa)));
            }
            Says::Fails => reply.metadata.response_code = ResponseCode::ServFail,
            Says::Silence => return None,
        }
        Some(reply.to_vec().unwrap())
    }
}
