//! Something that is made anew after a while: a pool of connections, so that a name's new addresses are seen.
//!
//! Whoever holds the old one goes on with it until they are done.

use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Aging<T> {
    current: ArcSwapOption<Dated<T>>,
    max_age: Duration,
}

#[derive(Debug)]
struct Dated<T> {
    thing: T,
    until: Instant,
}

impl<T: Clone> Aging<T> {
    /// Nothing is made yet.
    #[must_use]
    pub fn new(max_age: Duration) -> Self {
        Self { current: ArcSwapOption::empty(), max_age }
    }

    /// The current one. Each lives a tenth longer or shorter than the others, so that they are not all made anew at once.
    pub fn get(&self, now: Instant, make: impl FnOnce() -> T) -> T {
        if let Some(current) = &*self.current.load()
            && now < current.until
        {
            return current.thing.clone();
        }
        let thing = make();
        let until = now + self.max_age.mul_f64(0.9 + 0.2 * fastrand::f64());
        self.current.store(Some(Arc::new(Dated { thing: thing.clone(), until })));
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
}
