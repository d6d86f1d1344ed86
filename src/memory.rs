//! Bytes that requests hold, counted for the whole process: replies of services from their first byte on, for as long as an
//! operation reads them, and answers until their last byte is handed to the system or their client is gone.
//!
//! Replies and answers together have one bound; answers alone have half of it, so that answers that clients do not
//! read never stop the calls of others. Beyond half of either, a client that holds its share gets no more, except for
//! small pieces: so a client with a flood of its own still gets small answers. Bytes that are held already stay.
//!
//! Counting is a few relaxed additions; the only lock is taken when a client's account is opened. Two requests at the same
//! moment may both fit where one would, so that a bound is exceeded by as much as is written at once, one answer a thread.

use bytes::Bytes;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Pieces of at most so many bytes may exceed the share.
const SMALL: usize = 64 << 10;

/// Locks over all accounts.
const SHARDS: usize = 16;

/// The message to clients.
pub const EXHAUSTED: &str = "the gateway holds as many bytes of replies and answers as it may (server.memory); try again later";

/// The bytes of a process. Cheap to clone.
#[derive(Clone)]
pub struct Memory(Arc<Pool>);

struct Pool {
    most: usize,
    /// In thousandths.
    share: u16,
    replies: AtomicUsize,
    answers: AtomicUsize,
    clients: [Mutex<HashMap<IpAddr, Weak<Client>>>; SHARDS],
}

/// A client's account. Cheap to clone. The default counts nothing.
#[derive(Clone, Default)]
pub struct Account(Option<Arc<Client>>);

struct Client {
    memory: Memory,
    /// `None`: many clients, to which no share applies.
    address: Option<IpAddr>,
    held: AtomicUsize,
}

/// Bytes of one reply, given back when the last clone is dropped. The default holds nothing.
#[derive(Debug, Clone, Default)]
pub struct Held(Option<Arc<Arriving>>);

/// Bytes of a reply that arrives.
#[derive(Debug)]
pub struct Arriving {
    memory: Memory,
    bytes: usize,
}

/// The bytes that one operation's replies take of its client's account.
#[derive(Debug)]
pub struct Charge {
    account: Account,
    bytes: usize,
    held: Vec<Held>,
}

/// There is no room for the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

impl Memory {
    /// `share`: the part that one client may hold once more than half is taken, in thousandths.
    #[must_use]
    pub fn new(most: usize, share: u16) -> Self {
        Self(Arc::new(Pool {
            most,
            share,
            replies: AtomicUsize::new(0),
            answers: AtomicUsize::new(0),
            clients: std::array::from_fn(|_| Mutex::default()),
        }))
    }

    /// Returns the account of an address.
    #[must_use]
    pub fn account(&self, address: IpAddr) -> Account {
        let mut clients = self.0.clients(address);
        if let Some(client) = clients.get(&address).and_then(Weak::upgrade) {
            return Account(Some(client));
        }
        let client = Arc::new(Client::new(self, Some(address)));
        clients.insert(address, Arc::downgrade(&client));
        Account(Some(client))
    }

    /// Returns an account of many clients, to which only the bound of the whole applies.
    #[must_use]
    pub fn account_of_many(&self) -> Account {
        Account(Some(Arc::new(Client::new(self, None))))
    }

    /// Begins a reply. Nothing of it has arrived.
    #[must_use]
    pub fn begin(&self) -> Arriving {
        Arriving { memory: self.clone(), bytes: 0 }
    }

    /// Bytes that are held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.replies.load(Relaxed) + self.0.answers.load(Relaxed)
    }
}

impl Default for Memory {
    /// A memory without a bound.
    fn default() -> Self {
        Self::new(usize::MAX / 4, 1_000)
    }
}

impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        (self.0.most, self.0.share) == (other.0.most, other.0.share)
    }
}

impl Eq for Memory {}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} of {})", self.held(), self.0.most)
    }
}

impl Pool {
    fn clients(&self, address: IpAddr) -> MutexGuard<'_, HashMap<IpAddr, Weak<Client>>> {
        let last = match address {
            IpAddr::V4(address) => usize::from(address.octets()[3]),
            // The second half may be a client's own.
            IpAddr::V6(address) => usize::from(address.octets()[7]),
        };
        self.clients[last % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of_answers(&self) -> usize {
        self.most / 2
    }

    /// Returns one client's share of a bound.
    fn share(&self, most: usize) -> usize {
        most / 1_000 * usize::from(self.share) + most % 1_000 * usize::from(self.share) / 1_000
    }

    /// The largest piece that a client that holds `held` may take where `taken` of `most` are taken.
    fn room(&self, most: usize, taken: usize, held: usize, has_share: bool) -> usize {
        let free = most.saturating_sub(taken);
        if !has_share {
            return free;
        }
        let share = self.share(most);
        let of_anybody = (most / 2).saturating_sub(taken);
        let of_share = share.saturating_sub(held);
        let small = (most / 2 + share).saturating_sub(held).min(SMALL);
        of_anybody.max(of_share).max(small).min(free)
    }
}

impl Client {
    fn new(memory: &Memory, address: Option<IpAddr>) -> Self {
        Self { memory: memory.clone(), address, held: AtomicUsize::new(0) }
    }

    /// The largest answer that may be added.
    fn room_for_answer(&self) -> usize {
        let pool = &*self.memory.0;
        let (answers, held) = (pool.answers.load(Relaxed), self.held.load(Relaxed));
        pool.room(pool.of_answers(), answers, held, self.address.is_some())
    }

    /// The largest reply that may be added, where `counted` bytes of it count already.
    fn room_for_reply(&self, counted: usize) -> usize {
        let pool = &*self.memory.0;
        let taken = self.memory.held().saturating_sub(counted);
        pool.room(pool.most, taken, self.held.load(Relaxed), self.address.is_some())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut clients = self.memory.0.clients(address);
        // It may have been opened again meanwhile.
        if clients.get(&address).is_some_and(|client| client.strong_count() == 0) {
            clients.remove(&address);
        }
    }
}

impl Account {
    /// Returns whether an operation may begin, because there is room for an answer.
    #[must_use]
    pub fn admits(&self) -> bool {
        let Some(client) = &self.0 else { return true };
        client.memory.held() < client.memory.0.most && client.room_for_answer() > 0
    }

    /// Returns the size of the largest answer that fits now.
    #[must_use]
    pub fn room(&self) -> usize {
        self.0.as_ref().map_or(usize::MAX, |client| client.room_for_answer())
    }

    /// Counts an answer until its last piece is dropped.
    #[must_use]
    pub fn answer(&self, bytes: Bytes) -> Bytes {
        let Some(client) = self.0.as_ref().filter(|_| !bytes.is_empty()) else { return bytes };
        client.held.fetch_add(bytes.len(), Relaxed);
        client.memory.0.answers.fetch_add(bytes.len(), Relaxed);
        Bytes::from_owner(Answer { bytes, client: Arc::clone(client) })
    }

    /// The replies of an operation that has none yet.
    #[must_use]
    pub fn charge(&self) -> Charge {
        Charge { account: self.clone(), bytes: 0, held: Vec::new() }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Account").field(&self.0.as_ref().map(|client| &client.held)).finish()
    }
}

/// An answer on its way to the client.
struct Answer {
    bytes: Bytes,
    client: Arc<Client>,
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.client.held.fetch_sub(self.bytes.len(), Relaxed);
        self.client.memory.0.answers.fetch_sub(self.bytes.len(), Relaxed);
    }
}

impl Arriving {
    /// Counts bytes that have arrived.
    ///
    /// # Errors
    /// There is no room for them; they do not count.
    pub fn add(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let pool = &*self.memory.0;
        let replies = pool.replies.fetch_add(bytes, Relaxed) + bytes;
        if replies + pool.answers.load(Relaxed) > pool.most {
            pool.replies.fetch_sub(bytes, Relaxed);
            return Err(Exhausted);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Ends a reply that has arrived completely.
    #[must_use]
    pub fn finish(self) -> Held {
        if self.bytes == 0 { Held::default() } else { Held(Some(Arc::new(self))) }
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.memory.0.replies.fetch_sub(self.bytes, Relaxed);
    }
}

impl Charge {
    /// Charges a reply that has arrived, and holds it.
    ///
    /// # Errors
    /// The client holds its share.
    pub fn add(&mut self, held: &Held) -> Result<(), Exhausted> {
        let (Some(client), Some(reply)) = (&self.account.0, &held.0) else { return Ok(()) };
        if client.room_for_reply(reply.bytes) < reply.bytes {
            return Err(Exhausted);
        }
        client.held.fetch_add(reply.bytes, Relaxed);
        self.bytes += reply.bytes;
        self.keep(held.clone());
        Ok(())
    }

    /// Holds a reply without charging it, because this operation reads only a part of it.
    pub fn keep(&mut self, held: Held) {
        let is_kept = self.held.last().is_some_and(|last| last.is_same(&held));
        if held.0.is_some() && !is_kept {
            self.held.push(held);
        }
    }
}

impl Held {
    fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some(client) = &self.account.0 {
            client.held.fetch_sub(self.bytes, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn bytes(length: usize) -> Bytes {
        Bytes::from(vec![b'x'; length])
    }

    fn arrived(memory: &Memory, length: usize) -> Result<Held, Exhausted> {
        let mut arriving = memory.begin();
        arriving.add(length).map(|()| arriving.finish())
    }

    #[test]
    fn an_answer_counts_until_its_last_piece_is_gone() {
        let memory = Memory::new(10 * MIB, 100);
        let account = memory.account(ip(1));
        let mut answer = account.answer(bytes(1_000));
        let last = answer.split_off(999);
        drop(answer);
        assert_eq!(memory.held(), 1_000);
        drop(last);
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn answers_have_half_and_one_client_half_of_that_and_then_its_share() {
        let memory = Memory::new(40 * MIB, 100);
        let (greedy, other) = (memory.account(ip(1)), memory.account(ip(2)));
        assert_eq!(greedy.room(), 10 * MIB);
        let _held = greedy.answer(bytes(10 * MIB));
        assert_eq!(greedy.room(), SMALL);
        assert_eq!(other.room(), 2 * MIB);
        let _small: Vec<_> = (0..32).map(|_| greedy.answer(bytes(SMALL))).collect();
        assert_eq!(greedy.room(), 0);
        assert!(!greedy.admits() && other.admits());
        let rest: Vec<_> = (3..7).map(|n| memory.account(ip(n)).answer(bytes(2 * MIB))).collect();
        assert_eq!(other.room(), 0, "all of it is taken");
        assert!(!other.admits());
        drop(rest);
        assert!(other.admits());
    }

    #[test]
    fn a_reply_counts_once_however_many_hold_it() {
        let memory = Memory::new(10 * MIB, 100);
        let held = arrived(&memory, MIB).unwrap();
        let mut charges = [memory.account(ip(1)).charge(), memory.account(ip(2)).charge()];
        for charge in &mut charges {
            charge.add(&held).unwrap();
        }
        drop(held);
        assert_eq!(memory.held(), MIB);
        drop(charges);
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn a_reply_that_does_not_fit_does_not_count() {
        let memory = Memory::new(10 * MIB, 100);
        let first = arrived(&memory, 9 * MIB).unwrap();
        let mut second = memory.begin();
        assert_eq!(second.add(MIB), Ok(()));
        assert_eq!(second.add(1), Err(Exhausted));
        assert!(!memory.account(ip(1)).admits());
        drop(second);
        assert_eq!(memory.held(), 9 * MIB);
        let mut charge = memory.account(ip(1)).charge();
        assert_eq!(charge.add(&first), Err(Exhausted), "past half, and more than its share");
    }

    #[test]
    fn many_behind_one_address_have_no_share_and_nothing_is_remembered() {
        let memory = Memory::new(40 * MIB, 100);
        let many = memory.account_of_many();
        let held = many.answer(bytes(15 * MIB));
        assert_eq!(many.room(), 5 * MIB);
        let account = memory.account(ip(1));
        let again = memory.account(ip(1));
        let of_one = account.answer(bytes(MIB));
        assert_eq!(again.room(), MIB);
        drop((held, of_one, account, again));
        let clients = memory.0.clients.iter().map(|shard| shard.lock().unwrap().len());
        assert_eq!((memory.held(), clients.sum::<usize>()), (0, 0));
    }

    #[test]
    fn the_default_has_no_bound() {
        let account = Memory::default().account(ip(1));
        let _held = account.answer(bytes(MIB));
        assert!(account.admits() && account.room() > usize::MAX / 16);
        assert_eq!(Account::default().room(), usize::MAX);
    }
}
