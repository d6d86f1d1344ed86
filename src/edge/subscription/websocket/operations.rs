//! The operations of one socket, by id, each with its stream of answers.
//!
//! The next answer is requested when the last one was sent, whichever operation it belonged to. So a client that does
//! not read slows its own operations down, and nothing is queued.

use crate::edge::graphql::{guarded, panicked};
use crate::edge::intake::{EXHAUSTED, Taken};
use crate::edge::subscription::full;
use crate::edge::subscription::places::{Here, Place, Places};
use crate::engine::{Answers, Engine, Request, Response};
use crate::graphql::{Error, ErrorCode};
use crate::memory;
use futures_util::FutureExt as _;
use futures_util::stream::{
    self, AbortHandle, BoxStream, SelectAll, Stream, StreamExt as _, abortable,
};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// An event of an operation.
pub(super) enum Event {
    Next(Response),
    /// The operation was refused before it ran, and is over.
    Refused(Response),
    Complete,
}

type Events = BoxStream<'static, (Arc<str>, Event)>;

/// A running operation. Its stream ends when this is dropped.
struct Running {
    handle: AbortHandle,
    _held: Option<(Place, Taken)>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// All operations of one socket.
pub(super) struct OpenOperations {
    engine: Engine,
    places: Places,
    here: Here,
    running: HashMap<Arc<str>, Running>,
    events: SelectAll<Events>,
    /// Maximum number of operations that run at once.
    most: usize,
}

/// The id already belongs to a running operation.
#[derive(Debug)]
pub(super) struct Duplicate;

impl OpenOperations {
    pub(super) fn new(engine: Engine, places: Places, here: Here, most: usize) -> Self {
        Self { engine, places, here, running: HashMap::new(), events: SelectAll::new(), most }
    }

    /// Returns `true` if a refused operation waits to be reported. Then no further frame is read before the client gets
    /// it.
    pub(super) fn is_crowded(&self) -> bool {
        self.running.len() > self.most
    }

    /// Starts an operation of any kind, requested in a message of that many bytes. If there is no place or no memory
    /// for it, it is refused.
    pub(super) fn start(
        &mut self,
        id: &str,
        request: Request,
        bytes: usize,
    ) -> Result<(), Duplicate> {
        let mut taken = self.here.intake().begin();
        if taken.add_running(bytes).is_err() {
            let error = Error::new(ErrorCode::Overloaded, EXHAUSTED);
            return self.add(id, refused(Response::refuse(&[error])), None);
        }
        if !request.caller.account.admits() {
            let error = Error::new(ErrorCode::Overloaded, memory::EXHAUSTED);
            return self.add(id, refused(Response::refuse(&[error])), None);
        }
        match self.places.take(&self.here, &request.caller) {
            Some(place) => self.add(id, run(self.engine.clone(), request), Some((place, taken))),
            None => self.add(id, refused(full()), None),
        }
    }

    /// Refuses an operation under its own id.
    pub(super) fn refuse(&mut self, id: &str, refusal: Response) -> Result<(), Duplicate> {
        self.add(id, refused(refusal), None)
    }

    fn add(
        &mut self,
        id: &str,
        events: BoxStream<'static, Event>,
        held: Option<(Place, Taken)>,
    ) -> Result<(), Duplicate> {
        if self.running.contains_key(id) {
            return Err(Duplicate);
        }
        let id: Arc<str> = id.into();
        let named = Arc::clone(&id);
        let (events, handle) = abortable(events.map(move |event| (Arc::clone(&named), event)));
        self.events.push(events.boxed());
        self.running.insert(id, Running { handle, _held: held });
        Ok(())
    }

    /// Ends the operation of this id. Returns `false` if there is none. Nothing more is sent for it.
    pub(super) fn complete(&mut self, id: &str) -> bool {
        self.running.remove(id).is_some()
    }

    /// Returns the next event of any operation; pending if there are none. Cancel safe.
    pub(super) async fn next(&mut self) -> (Arc<str>, Event) {
        let Some((id, event)) = self.events.next().await else {
            return std::future::pending().await;
        };
        if matches!(event, Event::Refused(_) | Event::Complete) {
            self.running.remove(&id);
        }
        (id, event)
    }
}

fn run(engine: Engine, request: Request) -> BoxStream<'static, Event> {
    let trace = request.caller.trace.clone();
    let opened = async move {
        let opened = AssertUnwindSafe(engine.subscribe(request)).catch_unwind().await;
        match opened {
            Ok(Ok(Answers::Many(answers))) => results(guarded(answers, trace)),
            Ok(Ok(Answers::One(answer))) => results(stream::iter([answer])),
            Ok(Err(refusal)) => refused(refusal),
            Err(panic) => refused(panicked(&*panic, &trace)),
        }
    };
    stream::once(opened).flatten().boxed()
}

fn results(answers: impl Stream<Item = Response> + Send + 'static) -> BoxStream<'static, Event> {
    answers.map(Event::Next).chain(stream::iter([Event::Complete])).boxed()
}

fn refused(refusal: Response) -> BoxStream<'static, Event> {
    stream::iter([Event::Refused(refusal)]).boxed()
}
