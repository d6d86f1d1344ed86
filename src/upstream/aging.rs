//! Replaces a value after a maximum age. Used for pools of connections, so that new addresses of a name are seen.
//!
//! Calls that hold the old value keep it until they end. One call makes the next value. Calls that come meanwhile get
//! the old one.

use arc_swap::ArcSwapOption;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Aging<T> {
    current: ArcSwapOption<Dated<T>>,
    /// Held while a new value is made.
    making: Mutex<()>,
    max_age: Duration,
}

#[derive(Debug)]
struct Dated<T> {
    thing: T,
    until: Instant,
}

impl<T: Clone> Aging<T> {
    /// Nothing is made until the first call of `get`.
    #[must_use]
    pub fn new(max_age: Duration) -> Self {
        Self { current: ArcSwapOption::empty(), making: Mutex::new(()), max_age }
    }

    /// Returns the current value. The maximum age varies by up to a tenth, so that not all values are replaced at once.
    pub fn get(&self, now: Instant, make: impl FnOnce() -> T) -> T {
        let is_young = |current: &&Arc<Dated<T>>| now < current.until;
        let current = self.current.load();
        if let Some(current) = current.as_ref().filter(is_young) {
            return current.thing.clone();
        }
        let making = match (self.making.try_lock(), current.as_ref()) {
            (Ok(making), _) => making,
            (Err(TryLockError::Poisoned(poisoned)), _) => poisoned.into_inner(),
            (Err(TryLockError::WouldBlock), Some(old)) => return old.thing.clone(),
            (Err(TryLockError::WouldBlock), None) => {
                self.making.lock().unwrap_or_else(PoisonError::into_inner)
            }
        };
        if let Some(current) = self.current.load().as_ref().filter(is_young) {
            return current.thing.clone();
        }
        let thing = make();
        let until = now + self.max_age.mul_f64(0.9 + 0.2 * fastrand::f64());
        self.current.store(Some(Arc::new(Dated { thing: thing.clone(), until })));
        drop(making);
        thing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_thing_is_made_when_it_is_wanted_and_again_when_it_is_old() {
        let made = Cell::new(0);
        let aging = Aging::new(Duration::from_secs(100));
        let start = Instant::now();
        let get = |seconds| {
            aging.get(start + Duration::from_secs(seconds), || {
                made.set(made.get() + 1);
                made.get()
            })
        };
        assert_eq!(made.get(), 0);
        assert_eq!((get(0), get(89)), (1, 1));
        assert_eq!((get(111), get(199)), (2, 2));
    }

    #[test]
    fn one_call_makes_the_next_thing_and_others_go_on_with_the_old_one() {
        let aging = Aging::new(Duration::from_secs(100));
        let (start, late) = (Instant::now(), Instant::now() + Duration::from_secs(111));
        assert_eq!(aging.get(start, || 1), 1);
        let next = aging.get(late, || {
            let meanwhile = || aging.get(late, || panic!("two are made"));
            assert_eq!(std::thread::scope(|scope| scope.spawn(meanwhile).join().unwrap()), 1);
            2
        });
        assert_eq!((next, aging.get(late, || panic!("it is young"))), (2, 2));
    }
}
