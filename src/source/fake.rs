//! A connector without IO: `@fake(source, target, select, batch)` answers from a closure and records its requests. The
//! engine's tests run against it without a socket.

use super::{Argument, BindingSpec, Body, Call, Connector, Error, Inputs, Placed, Reply, Request};
use crate::graphql::Name;
use crate::mapping::{Failure, Mapping, ParseError, Scope, Template};
use crate::memory::Held;
pub use crate::problem::{Problem, render};
use futures_util::future::{BoxFuture, FutureExt};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

type Answer = dyn Fn(&Request) -> Result<Reply, Error> + Send + Sync;

/// Clones share the script and the record.
#[derive(Clone)]
pub struct FakeConnector {
    answer: Arc<Answer>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl FakeConnector {
    /// Creates a connector. `answer` gets each request as it is sent; its `target` is the rendered URL template.
    pub fn new(answer: impl Fn(&Request) -> Result<Reply, Error> + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(answer), requests: Arc::default() }
    }

    /// Returns the requests since the start or the last call, in order.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the same as `source target` lines.
    pub fn take_targets(&self) -> Vec<String> {
        let line = |request: Request| format!("{} {}", request.source, request.target);
        self.take_requests().into_iter().map(line).collect()
    }
}

impl Reply {
    /// Creates a reply with status 200 and this JSON.
    pub fn json(value: &Value) -> Self {
        let (body, held) = (Body::Json(value.to_string().into()), Held::default());
        Self { body, status: 200, headers: Arc::default(), held }
    }
}

struct FakeCall {
    connector: FakeConnector,
    source: Name,
    target: Template,
    select: Option<Mapping>,
    references: Vec<Placed>,
}

impl Connector for FakeConnector {
    fn directive(&self) -> &'static str {
        "fake"
    }

    fn definition(&self) -> &'static str {
        "directive @fake(source: String!, target: String!, select: String, batch: BatchRule) \
         on FIELD_DEFINITION"
    }

    fn compile(&self, spec: &BindingSpec) -> Result<Arc<dyn Call>, Vec<Problem>> {
        let problems = |argument: &Argument, errors: Vec<ParseError>| -> Vec<Problem> {
            errors.into_iter().map(|error| argument.problem("fake", error)).collect()
        };
        let argument = spec.argument("target").expect("the definition requires it");
        let target = Template::parse_url(argument.text().expect("the definition has a string"))
            .map_err(|errors| problems(argument, errors))?;
        let select = match spec.argument("select").and_then(|select| Some((select, select.text()?)))
        {
            Some((select, text)) => {
                Some(Mapping::parse(text).map_err(|errors| problems(select, errors))?)
            }
            None => None,
        };
        let placed = |reference: crate::mapping::Reference| Placed {
            place: argument.place_of(&reference.span),
            reference,
        };
        let references = target.references().into_iter().map(placed).collect();
        let (connector, source) = (self.clone(), spec.source.clone());
        Ok(Arc::new(FakeCall { connector, source, target, select, references }))
    }
}

impl Call for FakeCall {
    fn source(&self) -> &Name {
        &self.source
    }

    fn references(&self) -> &[Placed] {
        &self.references
    }

    fn select(&self) -> Option<&Mapping> {
        self.select.as_ref()
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn render(&self, inputs: &Inputs<'_>) -> Result<Request, Failure> {
        Ok(Request {
            source: self.source.clone(),
            verb: "fake",
            target: self.target.render_url(&Scope { current: &Value::Null, variables: inputs })?,
            headers: Vec::new(),
            body: bytes::Bytes::new(),
            reading: 0,
            trace: inputs.caller.trace.clone(),
        })
    }

    fn send(
        &self,
        request: Arc<Request>,
        _deadline: Instant,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        let connector = self.connector.clone();
        async move {
            let mut requests = connector.requests.lock().unwrap_or_else(PoisonError::into_inner);
            requests.push(Request::clone(&request));
            drop(requests);
            (connector.answer)(&request)
        }
        .boxed()
    }

    fn describe(&self, request: &Request) -> String {
        format!("fake {} {}", request.source, request.target)
    }
}

#[test]
fn it_answers_from_its_script_and_keeps_what_it_was_asked() {
    use crate::problem::{Place, SourceFile};
    use crate::source::{ArgumentValue, Caller, Operation};
    use serde_json::json;

    let file = Arc::new(SourceFile { name: "test.graphql".into(), text: String::new() });
    let place = Place::new(&file, 0..0);
    let string = |name: &str, text: &str| Argument {
        name: name.into(),
        value: ArgumentValue::String { text: text.into(), content: None },
        place: place.clone(),
    };
    let spec = BindingSpec {
        coordinate: "Query.user".into(),
        source: "users".into(),
        source_place: place.clone(),
        place: place.clone(),
        operation: Operation::Query,
        leaf: None,
        nullable: true,
        arguments: vec![string("target", "/users/{$args.id}"), string("select", "id")],
    };
    let fake = FakeConnector::new(|request| Ok(Reply::json(&json!([request.target]))));
    let call = fake.compile(&spec).expect("it compiles");
    let (args, null) = (json!({ "id": 7 }), Value::Null);
    let inputs = Inputs {
        args: &args,
        this: &null,
        batch: &null,
        caller: &Caller::default(),
        env: &null,
        config: &null,
    };
    let request = Arc::new(call.render(&inputs).expect("it renders"));
    let reply = call.send(request, Instant::now()).now_or_never().expect("no waiting");
    assert!(matches!(reply.expect("a reply").body, Body::Json(text) if text == r#"["/users/7"]"#));
    assert_eq!(fake.take_targets(), ["users /users/7"]);
    assert!(fake.take_requests().is_empty());
}
