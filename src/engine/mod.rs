//! Runs one operation from start to finish, without a socket: bytes → prepared operation (cached) → run the plan →
//! bytes.
//!
//! Work that can be done once per operation is not repeated per request, and work that can be done at load is not
//! repeated per operation. The engine knows no protocol: all calls go through [`crate::source`].

mod disclosure;
mod execute;
mod explain;
mod guard;
mod mapping_notes;
mod operation;
mod plan;
mod replies;
mod response;
mod settings;
#[doc(hidden)]
pub mod stages;
mod subscribe;
#[cfg(test)]
mod testing;

pub use execute::Share;
pub use explain::Explanation;
pub use guard::access::GuardMode;
pub use guard::bucket::{Throttle, ThrottleStatus};
pub use guard::cost::{CostReport, FLOOR, UpstreamCalls};
pub use guard::limits::{Exceeded, LimitName};
pub use operation::{ApqSettings, Document, PersistedSettings, Trust};
pub use replies::{CacheSettings, SourceCache};
pub use settings::{
    Allowance, CostLimit, Fail, Limit, Limits, Mode, Rate, Refill, Settings, Store, Tier,
};
pub use subscribe::Answers;

use crate::graph::Graph;
use crate::graphql::{Error, ErrorCode};
use crate::memory::Account;
use crate::problem::{Problem, SourceFile};
use crate::source::Caller;
pub use crate::source::ReturnedHeaders;
use bytes::Bytes;
use disclosure::Disclosure;
use execute::{Event, Loaders, Pool, Snapshot};
use guard::Refusal;
use guard::access::Access;
use guard::bucket::{Buckets, Debit};
use guard::cost::Estimate;
use guard::limits::{Told, Verdict};
use mapping_notes::{MappingNote, MappingNotes};
use operation::{Found, Operation, Operations, Persisted};
use response::{MissingKeys, Size, Writing, Written};
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Instant;

/// Prepares and runs operations against one graph. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    graph: Arc<Graph>,
    settings: Arc<Settings>,
    operations: Arc<Operations>,
    /// Calls in flight, and the reply cache.
    pool: Arc<Pool>,
    persisted: Arc<Persisted>,
    loaders: Arc<Loaders>,
    told: Arc<Told>,
    buckets: Option<Arc<Buckets>>,
    disclosure: Arc<Disclosure>,
    notes: Arc<MappingNotes>,
}

/// One GraphQL request, independent of its transport.
#[derive(Debug)]
pub struct Request {
    pub document: Document,
    pub operation_name: Option<String>,
    /// Values as the client sent them; the engine coerces them.
    pub variables: Map<String, Value>,
    pub caller: Arc<Caller>,
    /// Set for `GET`: a mutation is refused with [`ErrorCode::MethodNotAllowed`].
    pub queries_only: bool,
    pub deadline: Instant,
}

/// A request that is ready to run.
struct Asked {
    operation: Arc<Operation>,
    /// Name of the operation in the client's request.
    name: Option<String>,
    /// Coerced values.
    variables: Map<String, Value>,
    /// Values of the conditions, by number; they include access rules.
    conditions: Vec<bool>,
    estimate: Estimate,
    caller: Arc<Caller>,
}

/// Response to the client.
#[derive(Debug)]
pub struct Response {
    /// A whole GraphQL response object: `{"data":…}`, and `"errors"` if there are any.
    pub body: Bytes,
    /// Code of the refusal: the operation never ran, and the body has no `data`.
    pub refusal: Option<ErrorCode>,
    /// Number of errors in the body.
    pub errors: usize,
    /// Number of calls to sources, including shared ones.
    pub upstream_calls: usize,
    /// Cost of the operation; `None` if it was refused before the cost was known.
    pub cost: Option<CostReport>,
    /// Limits on caching by the client and by caches on the way.
    pub cache: Share,
    /// State of the caller's bucket, if it was debited.
    pub throttle: Option<Box<Throttle>>,
    /// Headers of the services that the client receives.
    pub returned: ReturnedHeaders,
}

/// Members of `extensions` in a response.
#[derive(Serialize)]
struct Extensions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<&'a CostReport>,
    /// Empty in production.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mapping: Vec<MappingNote>,
}

impl Engine {
    #[must_use]
    pub fn new(graph: Arc<Graph>, settings: Settings) -> Self {
        let pool = Pool::new(&graph, &settings);
        Self {
            operations: Arc::new(Operations::new(&settings)),
            persisted: Arc::new(Persisted::nothing(settings.persisted.mode)),
            told: Arc::new(Told::new(Instant::now())),
            loaders: Arc::new(Loaders::new(&graph, &pool)),
            pool: Arc::new(pool),
            buckets: settings.rate.as_ref().and_then(Buckets::new).map(Arc::new),
            notes: Arc::default(),
            disclosure: Arc::new(Disclosure::new(&graph, &settings)),
            settings: Arc::new(settings),
            graph,
        }
    }

    /// Adds documents that can be requested by name: those of these manifests, and those that clients register if the
    /// settings allow it. Makes no calls.
    ///
    /// # Errors
    /// If a manifest cannot be read, or this engine would refuse one of its documents. Returns all problems.
    pub fn with_documents(self, manifests: &[Arc<SourceFile>]) -> Result<Self, Vec<Problem>> {
        let persisted = Persisted::new(&self.settings.persisted)
            .map_err(|message| vec![Problem::error("apq-store", message)])?;
        let persisted = persisted.trust(manifests, &self.graph, &self.settings)?;
        Ok(Self { persisted: Arc::new(persisted), ..self })
    }

    #[must_use]
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Runs one request. Dropping the future cancels all its calls. Never panics, whatever a client sends.
    pub async fn execute(&self, request: Request) -> Response {
        let caller = Arc::clone(&request.caller);
        let mut debit = Debit::new(self.buckets.as_deref(), &caller);
        let response = match self.run(request, &mut debit).await {
            Ok(response) => response,
            Err(refusal) => self.refuse(refusal, &mut debit).await,
        };
        response.counted(&caller.account)
    }

    /// Returns `true` if a JSON body holds far more values than the variables of `requests` requests may. The body is
    /// not parsed for that, so values outside of the variables count as well.
    #[must_use]
    pub fn exceeds_values(&self, body: &[u8], requests: usize) -> bool {
        let of_one = self.settings.limits.variables.bound(LimitName::Variables);
        let most = of_one.saturating_mul(2).saturating_mul(requests as u64);
        let exceeds = guard::values::exceed(body, most);
        if exceeds {
            guard::limits::count(LimitName::Variables, Mode::Enforce);
        }
        exceeds
    }

    /// Reports a value that exceeds a limit: in the metrics, and in the log if it is only measured.
    pub fn exceeded(&self, name: LimitName, limit: Limit, found: u64, operation: Option<&str>) {
        match limit.mode {
            _ if found > limit.bound(name) => guard::limits::count(name, Mode::Enforce),
            Mode::Measure => {
                let exceeded = Exceeded { limit: name, found, max: limit.max };
                self.told.tell(exceeded, operation, Instant::now());
            }
            Mode::Enforce | Mode::Off => {}
        }
    }

    async fn run(&self, request: Request, debit: &mut Debit<'_>) -> Result<Response, Refusal> {
        let deadline = request.deadline;
        let asked = self.ask(request).await?;
        if asked.operation.is_subscription {
            let message = "a subscription has many answers; ask for `text/event-stream` or \
                           `multipart/mixed; subscriptionSpec=1.0`, or use a WebSocket";
            return Err(vec![Error::new(ErrorCode::NotAcceptable, message)].into());
        }
        self.answer_once(&asked, deadline, debit).await
    }

    /// Does everything that comes before the first call to a source.
    async fn ask(&self, request: Request) -> Result<Asked, Refusal> {
        let Request { document, operation_name, variables, caller, queries_only, .. } = request;
        let found = self.persisted.find(&document).await?;
        let asked = self.prepare(&found, operation_name, variables, caller, queries_only).await;
        asked.map_err(|mut refusal| {
            self.disclosure.of_refusal(&mut refusal.errors, found.text());
            refusal
        })
    }

    async fn prepare(
        &self,
        found: &Found<'_>,
        named: Option<String>,
        variables: Map<String, Value>,
        caller: Arc<Caller>,
        queries_only: bool,
    ) -> Result<Asked, Refusal> {
        let name = named.as_deref();
        let operation =
            self.operations.get(&self.graph, &self.settings, found.text(), name).await?;
        self.persisted.prepared(found, name).await;
        if operation.is_mutation && queries_only {
            let message = "a mutation cannot be sent with GET; use POST";
            return Err(vec![Error::new(ErrorCode::MethodNotAllowed, message)].into());
        }
        self.count_values(&variables, name)?;
        let variables = operation.coerce(&self.graph, variables)?;
        let access = Access::new(&self.graph, &caller);
        let conditions = operation.plan.conditions(&variables, access);
        self.reject_unseen(&operation, &conditions)?;
        let estimate = self.admit(&operation, name, &conditions, &variables)?;
        Ok(Asked { operation, name: named, variables, conditions, estimate, caller })
    }

    async fn answer_once(
        &self,
        asked: &Asked,
        deadline: Instant,
        debit: &mut Debit<'_>,
    ) -> Result<Response, Refusal> {
        let introspection = asked.operation.introspect(&self.graph, &asked.variables)?;
        asked.reserve(&self.settings.limits, debit).await?;
        Ok(self.answer(asked, deadline, &introspection, None, debit).await)
    }

    /// Runs the plan and writes the response.
    async fn answer(
        &self,
        asked: &Asked,
        deadline: Instant,
        introspection: &[String],
        event: Option<Event>,
        debit: &mut Debit<'_>,
    ) -> Response {
        let Asked { operation, name, variables, conditions, estimate, caller } = asked;
        let snapshot = Snapshot {
            graph: &self.graph,
            plan: &operation.plan,
            variables,
            conditions,
            caller,
            deadline,
            pool: &self.pool,
            loaders: &self.loaders,
            is_query: !operation.is_mutation && !operation.is_subscription,
            expose_upstream_errors: self.settings.expose_upstream_errors,
        };
        let is_event = event.is_some();
        let outcome = execute::execute(snapshot, event).await;
        let writing = Writing {
            conditions,
            introspection,
            given: &estimate.given,
            size: self.size(outcome.bytes, &caller.account),
            list_size: self.settings.limits.list_size,
            trace: &caller.trace,
            missing: outcome.missing.as_deref(),
        };
        let view = &operation.plan.view;
        let mut written = response::write(&outcome.store, outcome.root, view, writing);
        self.disclosure.of_fields(&mut written.errors);
        self.tell_written(&written, name.as_deref());
        let CostLimit { call_weight, expose, .. } = self.settings.limits.cost;
        let mut cost = estimate.report(written.cost, outcome.calls, call_weight);
        debit.pay(cost.actual_query_cost, is_event);
        let throttle = debit.throttle().cloned().map(Box::new);
        cost.throttle_status = throttle.as_deref().map(Throttle::status);
        let errors = written.errors.len();
        let notes = |missing: &MissingKeys| self.notes.take(missing, &caller.trace);
        let mapping = outcome.missing.as_deref().map(notes).unwrap_or_default();
        let extensions = Extensions { cost: expose.then_some(&cost), mapping };
        let has_some = extensions.cost.is_some() || !extensions.mapping.is_empty();
        let body = written.finish(has_some.then_some(&extensions));
        Response {
            body,
            refusal: None,
            errors,
            upstream_calls: outcome.calls.made,
            cost: Some(cost),
            cache: match errors {
                // Only the caller itself may see the rest of its bucket.
                0 => outcome.share.for_one(operation.plan.is_guarded() || throttle.is_some()),
                _ => Share::none(),
            },
            throttle,
            returned: outcome.returned,
        }
    }

    /// Returns the size of a response whose replies have `expected` bytes.
    fn size(&self, expected: usize, account: &Account) -> Size {
        let limit = self.settings.limits.response.bound(LimitName::Response);
        let (limit, room) = (usize::try_from(limit).unwrap_or(usize::MAX), account.room());
        Size { expected, most: limit.min(room), lacks_room: room < limit }
    }

    fn tell_written(&self, written: &Written, name: Option<&str>) {
        let Limits { response, list_size, .. } = self.settings.limits;
        if written.size() > response.max {
            self.exceeded(LimitName::Response, response, written.size(), name);
        }
        if written.longest > list_size.max {
            self.exceeded(LimitName::ListSize, list_size, written.longest, name);
        }
    }

    fn count_values(
        &self,
        variables: &Map<String, Value>,
        name: Option<&str>,
    ) -> Result<(), Refusal> {
        let limit = self.settings.limits.variables;
        let found = guard::values::count(variables, limit.bound(LimitName::Variables));
        let mut verdict = Verdict::default();
        verdict.hold(LimitName::Variables, limit, found, || {
            format!("the variables hold more than {} values (limits.variables)", limit.max)
        });
        for exceeded in verdict.finish()? {
            self.told.tell(exceeded, name, Instant::now());
        }
        Ok(())
    }

    /// With `guards.mode: reject`, refuses an operation that selects anything that the caller may not see.
    fn reject_unseen(&self, operation: &Operation, conditions: &[bool]) -> Result<(), Refusal> {
        if self.settings.guards == GuardMode::Withhold || !operation.plan.is_guarded() {
            return Ok(());
        }
        let errors = guard::access::refused(&operation.plan.view, conditions);
        if errors.is_empty() { Ok(()) } else { Err(errors.into()) }
    }

    /// Returns the response of a refusal. It costs the minimum, unless its bucket refused it.
    async fn refuse(&self, mut refusal: Refusal, debit: &mut Debit<'_>) -> Response {
        refusal.errors = debit.charge_refusal(refusal.errors).await;
        if let Some(cost) = &mut refusal.cost {
            cost.throttle_status = debit.throttle().map(Throttle::status);
        }
        let mut response = Response::refused(refusal, self.settings.limits.cost.expose);
        response.throttle = debit.throttle().cloned().map(Box::new);
        response
    }

    /// Checks an operation against its limits, before any call.
    fn admit(
        &self,
        operation: &Operation,
        name: Option<&str>,
        conditions: &[bool],
        variables: &Map<String, Value>,
    ) -> Result<Estimate, Refusal> {
        let limits = &self.settings.limits;
        let admitted =
            guard::cost::admit(&self.graph, &operation.plan, limits, conditions, variables);
        let (estimate, measured) = admitted?;
        for exceeded in operation.measured.iter().chain(&measured) {
            self.told.tell(*exceeded, name, Instant::now());
        }
        Ok(estimate)
    }
}

impl Asked {
    /// Takes the estimated cost from the caller's bucket.
    async fn reserve(&self, limits: &Limits, debit: &mut Debit<'_>) -> Result<(), Refusal> {
        let Self { operation, estimate, .. } = self;
        let formula = || guard::cost::formula_of(&operation.plan, limits, estimate.calls);
        let reserved = debit.admit(estimate.cost, formula).await;
        reserved.map_err(|error| self.estimate.refuse(error))
    }
}

impl Response {
    /// Returns a response that refuses the operation. The first error's code decides the status.
    #[must_use]
    pub fn refuse(errors: &[Error]) -> Self {
        let body = serde_json::json!({ "errors": errors }).to_string();
        let code = errors.first().map_or(ErrorCode::Internal, |error| error.code);
        let body = Bytes::from(body);
        let (errors, cache) = (errors.len(), Share::none());
        let refusal = Some(code);
        let returned = ReturnedHeaders::default();
        Self {
            body,
            refusal,
            errors,
            upstream_calls: 0,
            cost: None,
            cache,
            throttle: None,
            returned,
        }
    }

    /// Counts its bytes in `account` until they are sent.
    fn counted(mut self, account: &Account) -> Self {
        self.body = account.answer(self.body);
        self
    }

    fn refused(refusal: Refusal, expose: bool) -> Self {
        let mut response = Self::refuse(&refusal.errors);
        if let Some(cost) = refusal.cost.as_ref().filter(|_| expose) {
            let extensions = Extensions { cost: Some(cost), mapping: Vec::new() };
            let body = serde_json::json!({ "errors": refusal.errors, "extensions": extensions });
            response.body = Bytes::from(body.to_string());
        }
        response.cost = refusal.cost;
        response
    }
}
