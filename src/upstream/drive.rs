//! Drives one call from the breaker to the last attempt. No other place drives attempts.
//!
//! A call passes the breaker, enters the bulkhead and is attempted at an instance, perhaps with a hedge beside it. If
//! nothing of a failed attempt was sent, the call *moves* on to another instance: at once, and without budget, since it
//! added no load. Any other failed attempt may be *retried*: after a wait, and out of the budget. Each decision is made
//! elsewhere, without IO. No attempt is spawned: dropping the call drops its attempts and releases everything it held.
//! A connection that is being opened for it is completed, for the next call (`connection::pool`).

use super::attempt::{Attempt, Trial};
use super::breaker::Pass;
use super::bulkhead::Place;
use super::failure::{Failure, Fault, Repeat, Verdict};
use super::members::TriedMembers;
use super::{Position, Terms, Upstream, now, retry};
use futures_util::future::{Either, select};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Maximum number of moves of a call after attempts of which nothing was sent.
const MOST_MOVES: u32 = 5;

/// Retries and moves of a call so far.
#[derive(Default)]
struct Progress {
    retries: u32,
    moves: u32,
    /// Moves to an instance that had been tried already.
    returns: u32,
}

/// Next step of a call after a failed attempt.
enum Next {
    /// Another instance takes it at once.
    Move,
    /// The call is sent to the same instance at once, over another connection.
    Return,
    Retry(Duration),
    /// It would be retried, but the budget is empty.
    Starved,
    End,
}

/// Outcome of a call after all its attempts.
struct CallEnd<T> {
    reply: Result<T, Failure>,
    /// It would have been retried if the budget had allowed it.
    starved: bool,
}

impl<C> Upstream<C> {
    /// Calls an instance, with as many attempts and as much time as settings, budget and terms allow. Dropping the
    /// future drops the attempt.
    ///
    /// # Errors
    /// The failure of the last attempt, or the reason why there was none.
    pub async fn call<T, A, F>(&self, terms: Terms, attempt: A) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        self.open(terms, attempt, |_| true).await
    }

    /// Like [`Upstream::call`], for replies that may begin late. If a reply has not begun, its time does not count as
    /// a latency.
    ///
    /// # Errors
    /// The same as those of [`Upstream::call`].
    pub async fn open<T, A, F>(
        &self,
        terms: Terms,
        attempt: A,
        has_begun: fn(&T) -> bool,
    ) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let counted = self.metrics.begin();
        let reply = self.admitted(terms, attempt, has_begun).await;
        counted.end(reply.as_ref().err());
        reply
    }

    /// Runs a call that the breaker and the bulkhead let through. Otherwise returns the reason for the refusal.
    async fn admitted<T, A, F>(
        &self,
        terms: Terms,
        attempt: A,
        has_begun: fn(&T) -> bool,
    ) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let came = now();
        self.passes(terms, came)?;
        let timeout = self.settings.timeout;
        let mut place = Some(self.bulkhead.enter(terms.deadline, timeout, came).await?);
        let admission = self.admit(terms, now())?;
        let attempts = AtomicU32::new(0);
        let attempt = |it| {
            attempts.fetch_add(1, Ordering::Relaxed);
            attempt(it)
        };
        let attempt = MakeAttempt { attempt, has_begun };
        let outcome = self.tries(terms, admission.is_probe(), &attempt, &mut place).await;
        admission.settle(&outcome, has_begun);
        let is_answer = is_answer(&outcome.reply, has_begun);
        if let Some(place) = place.as_mut().filter(|_| is_answer)
            && attempts.load(Ordering::Relaxed) == 1
        {
            place.answered(now());
        }
        outcome.reply
    }

    async fn tries<'a, T, A, F>(
        &'a self,
        terms: Terms,
        probes: bool,
        attempt: &MakeAttempt<A, T>,
        place: &mut Option<Place<'a>>,
    ) -> CallEnd<T>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let mut tried = TriedMembers::new();
        let mut progress = Progress::default();
        loop {
            let began = now();
            // A retry has its whole timeout.
            let first = place.as_ref().filter(|_| progress.retries == 0);
            let until = self.until(terms, first.map_or(began, Place::counts_from));
            let reply = match self.hedge_after(terms, probes) {
                None => match self.try_one(until, probes, &mut tried, attempt) {
                    Ok(attempt) => attempt.await,
                    Err(none) => Err(none),
                },
                Some(wait) => {
                    Box::pin(self.try_two(terms, (wait, until), &mut tried, attempt)).await
                }
            };
            let Err(failure) = &reply else { return CallEnd { reply, starved: false } };
            match self.next(failure, &tried, &progress, terms, began) {
                next @ (Next::Move | Next::Return) => {
                    progress.moves += 1;
                    progress.returns += u32::from(matches!(next, Next::Return));
                    self.metrics.moves();
                }
                Next::Retry(wait) => {
                    progress.retries += 1;
                    if failure.retry_after().is_none() {
                        tokio::time::sleep(wait).await;
                    } else if !self.stand_aside(wait, terms, place).await {
                        return CallEnd { reply, starved: false };
                    }
                }
                Next::Starved => return CallEnd { reply, starved: true },
                Next::End => return CallEnd { reply, starved: false },
            }
        }
    }

    /// Waits for `Retry-After`, and gives the call's place to other calls meanwhile. Returns whether the call has a
    /// place afterwards.
    async fn stand_aside<'a>(
        &'a self,
        wait: Duration,
        terms: Terms,
        place: &mut Option<Place<'a>>,
    ) -> bool {
        *place = None;
        tokio::time::sleep(wait).await;
        *place = self.bulkhead.enter(terms.deadline, self.settings.timeout, now()).await.ok();
        place.is_some()
    }

    /// Returns the time at which an attempt is cut off whose timeout counts from `from`.
    fn until(&self, terms: Terms, from: Instant) -> Instant {
        terms.deadline.min(from + self.settings.timeout)
    }

    /// Makes an attempt at the next instance.
    fn try_one<'a, T, A, F>(
        &'a self,
        until: Instant,
        probes: bool,
        tried: &mut TriedMembers<C>,
        make: &MakeAttempt<A, T>,
    ) -> Result<impl Future<Output = Result<T, Failure>> + use<'a, T, A, F, C>, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let now = now();
        let picked = if probes {
            self.members.pick_for_probe(tried, now)
        } else {
            self.members.pick(tried, now)
        };
        let member = picked.map_err(Failure::NoInstance)?;
        tried.push(Arc::clone(&member));
        let instance = Arc::clone(&member.instance);
        let attempt = (make.attempt)(Attempt { instance, until, fresh: probes });
        Ok(Trial::begin(self, member, tried.len(), now).run(attempt, until, make.has_begun))
    }

    /// Makes an attempt, which is cut off at `until`, and a second one if the first has not returned after `wait`. The
    /// first answer wins.
    async fn try_two<T, A, F>(
        &self,
        terms: Terms,
        (wait, until): (Duration, Instant),
        tried: &mut TriedMembers<C>,
        attempt: &MakeAttempt<A, T>,
    ) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let first = pin!(self.try_one(until, false, tried, attempt)?);
        let first = match select(first, pin!(tokio::time::sleep(wait))).await {
            Either::Left((outcome, _)) => return outcome,
            Either::Right(((), first)) => first,
        };
        if !self.state().budget.spend(now()) {
            return first.await;
        }
        let until = self.until(terms, now());
        let Ok(second) = self.try_one(until, false, tried, attempt) else { return first.await };
        self.metrics.hedges.increment(1);
        let second = pin!(second);
        match select(first, second).await {
            Either::Left((Ok(reply), _)) | Either::Right((Ok(reply), _)) => Ok(reply),
            Either::Left((Err(_), second)) => second.await,
            Either::Right((Err(_), first)) => first.await,
        }
    }

    /// Returns the time after which a hedge is sent; `None`: never.
    fn hedge_after(&self, terms: Terms, once: bool) -> Option<Duration> {
        let may = self.settings.hedge && !once && terms.repeat == Repeat::Always;
        may.then(|| self.state().latency.p95(now())).flatten()
    }

    /// Decides the next step of a call after an attempt that began at `began` and failed.
    fn next(
        &self,
        failure: &Failure,
        tried: &TriedMembers<C>,
        progress: &Progress,
        terms: Terms,
        began: Instant,
    ) -> Next {
        let now = now();
        if failure.is_unsent() {
            let has_other = self.members.has_untried(tried, now);
            let is_away = matches!(failure, Failure::Unreached(_));
            let may_move = progress.moves < MOST_MOVES && now < terms.deadline;
            if may_move && has_other {
                return Next::Move;
            }
            // One closing connection does not mean that the next one to the same instance is closing too. Two of them
            // do.
            if may_move && !is_away && progress.returns == 0 {
                return Next::Return;
            }
            if is_away && !has_other && self.members.are_several() {
                return Next::End;
            }
        }
        if matches!(failure, Failure::Timeout(_)) && !self.members.has_answered_since(tried, began)
        {
            return Next::End;
        }
        let left = terms.deadline.saturating_duration_since(now);
        let mut state = self.state();
        let p50 = state.latency.at(0.5, now);
        let number = progress.retries + 1;
        let failed = retry::Tried { failure, number, repeat: terms.repeat, left, p50 };
        let Some(wait) = retry::wait(&self.settings.retry, &failed, fastrand::f64()) else {
            return Next::End;
        };
        let is_paid = state.budget.spend(now);
        let counter = if is_paid { &self.metrics.retries } else { &self.metrics.unpaid };
        counter.increment(1);
        if is_paid { Next::Retry(wait) } else { Next::Starved }
    }

    /// Checks the breaker without passing it.
    ///
    /// # Errors
    /// The breaker would refuse the call.
    fn passes(&self, terms: Terms, now: Instant) -> Result<(), Failure> {
        let refused = self.state().breaker.refuses(may_probe(terms), now);
        refused.map_or(Ok(()), |wait| Err(Failure::CircuitOpen(wait)))
    }

    fn admit(&self, terms: Terms, now: Instant) -> Result<Admission<'_, C>, Failure> {
        let mut state = self.state();
        let before = state.breaker.position();
        let pass = state.breaker.admit(may_probe(terms), now).map_err(Failure::CircuitOpen)?;
        if pass.is_probe && before == Position::Open {
            self.metrics.turned(Position::HalfOpen);
        }
        state.budget.count(now);
        drop(state);
        Ok(Admission { upstream: self, pass: Some(pass) })
    }
}

/// Returns whether the call may be a probe. A probe may fail without harm if its call may be repeated.
fn may_probe(terms: Terms) -> bool {
    terms.repeat != Repeat::IfNotSent
}

/// Returns whether the service processed the request, so that the duration shows how busy it is.
fn is_answer<T>(outcome: &Result<T, Failure>, has_begun: fn(&T) -> bool) -> bool {
    let failure = match outcome {
        Ok(reply) => return has_begun(reply),
        Err(failure) => failure,
    };
    matches!(
        failure,
        Failure::Status { fault: Fault::Call, .. } | Failure::TooLarge(_) | Failure::Invalid(_)
    )
}

/// Makes attempts, and classifies their replies.
struct MakeAttempt<A, T> {
    /// Makes one attempt.
    attempt: A,
    /// Returns whether a reply has begun.
    has_begun: fn(&T) -> bool,
}

/// A call that the breaker let through. If it is dropped before it is settled, it does not count.
struct Admission<'a, C> {
    upstream: &'a Upstream<C>,
    pass: Option<Pass>,
}

impl<C> Admission<'_, C> {
    fn is_probe(&self) -> bool {
        self.pass.is_some_and(|pass| pass.is_probe)
    }

    fn settle<T>(mut self, outcome: &CallEnd<T>, has_begun: fn(&T) -> bool) {
        let (upstream, now) = (self.upstream, now());
        let verdict = upstream.verdict(&outcome.reply, has_begun);
        // Another instance could have answered, but the budget was empty.
        let excused = outcome.starved && upstream.members.has_healthy(now);
        if matches!(verdict, Verdict::Nothing | Verdict::Unheard) || excused {
            return;
        }
        let Some(pass) = self.pass.take() else { return };
        // If no instance sends a readable reply, the schema may be wrong, so the breaker does not count a failure.
        let success = matches!(verdict, Verdict::Success | Verdict::Unreadable);
        let mut state = upstream.state();
        let may_open = || !upstream.members.has_healthy(now);
        let turned = state.breaker.settle(pass, success, may_open, now);
        // Under the lock, so that the breaker does not change meanwhile.
        turned.inspect(|position| upstream.metrics.turned(*position));
        drop(state);
        match turned {
            // It stays open, which was logged when it opened.
            Some(Position::Open) if pass.is_probe => {}
            Some(position) => upstream.tell(position),
            None => {}
        }
    }
}

impl<C> Drop for Admission<'_, C> {
    fn drop(&mut self) {
        let Some(pass) = self.pass else { return };
        let mut state = self.upstream.state();
        let turned = state.breaker.forget(pass, now());
        // Under the lock, so that the breaker does not change meanwhile.
        if let Some(position) = turned {
            self.upstream.metrics.turned(position);
        }
    }
}
