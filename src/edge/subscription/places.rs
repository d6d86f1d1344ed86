//! How many subscriptions are open: in all, and on one connection. A place is given back when it is dropped.

use std::any::Any;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of the whole gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::edge) struct Places(Arc<Semaphore>);

/// The places of one connection; the server puts them on each of its requests.
#[derive(Clone)]
pub(in crate::edge) struct Here {
    places: Arc<Semaphore>,
    /// What is counted for as long as the connection is open, be it as a WebSocket.
    _connection: Arc<dyn Any + Send + Sync>,
}

/// One open subscription.
pub(in crate::edge) struct Place {
    _in_all: OwnedSemaphorePermit,
    _here: OwnedSemaphorePermit,
}

impl Places {
    pub(in crate::edge) fn new(max: usize) -> Self {
        Self(Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))))
    }

    /// `None`: there is no room for one more.
    pub(in crate::edge) fn take(&self, here: &Here) -> Option<Place> {
        let one = Arc::clone(&here.places).try_acquire_owned().ok()?;
        let in_all = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Place { _in_all: in_all, _here: one })
    }
}

impl Here {
    pub(in crate::edge) fn new(max: usize, connection: Arc<dyn Any + Send + Sync>) -> Self {
        let places = Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
        Self { places, _connection: connection }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_on_a_connection() {
        let (one, other) = (Here::new(2, Arc::new(())), Here::new(2, Arc::new(())));
        let places = Places::new(3);
        let first = places.take(&one);
        let second = places.take(&one);
        assert!(first.is_some() && second.is_some());
        assert!(places.take(&one).is_none(), "the connection is full");
        let third = places.take(&other);
        assert!(third.is_some());
        assert!(places.take(&other).is_none(), "the gateway is full");
        drop(first);
        assert!(places.take(&other).is_some());
        drop((second, third));
    }
}
