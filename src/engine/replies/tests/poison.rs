//! Callers never get replies that were fetched for another one, in any combination of schema, upstream and callers.

use super::{Who, ask, numbered};
use crate::engine::{Engine, Settings, SourceCache};
use crate::graph::Graph;
use std::sync::Arc;
use std::time::Duration;

const SCOPES: [Option<&str>; 3] = [None, Some("PUBLIC"), Some("PRIVATE")];

const SAID: [&[(&str, &str)]; 8] = [
    &[],
    &[("cache-control", "private")],
    &[("cache-control", "private, max-age=60")],
    &[("cache-control", "no-store")],
    &[("cache-control", "public, max-age=60")],
    &[("vary", "authorization")],
    &[("vary", "*")],
    &[("set-cookie", "a=b")],
];

const CALLERS: [Who; 3] = [Who::Anonymous, Who::User(1), Who::User(2)];

struct Case {
    scope: Option<&'static str>,
    said: &'static [(&'static str, &'static str)],
    forwards: bool,
    first: Who,
    second: Who,
}

impl Case {
    /// Returns `true` if any caller's reply may be cached.
    fn may_be_kept(&self) -> bool {
        let sends = self.forwards && self.first != Who::Anonymous;
        match self.said {
            [("cache-control", "no-store") | ("set-cookie", _) | ("vary", "*")] => false,
            [("vary", "authorization")] => sends,
            _ => true,
        }
    }

    /// Returns `true` if the reply belongs to the caller that it was fetched for.
    fn is_personal(&self) -> bool {
        let sends = self.forwards && self.first != Who::Anonymous;
        let says = self.said.iter().any(|(_, value)| value.starts_with("private"));
        self.scope == Some("PRIVATE") || says || sends
    }

    fn may_be_reused(&self) -> bool {
        if !self.may_be_kept() {
            return false;
        }
        if self.is_personal() {
            return self.first == self.second && self.first != Who::Anonymous;
        }
        // With forwarded credentials, the two send different requests.
        !self.forwards || self.first == self.second
    }

    fn sdl(&self) -> String {
        let scope = self.scope.map_or(String::new(), |scope| format!(", scope: {scope}"));
        let forward = if self.forwards { r#", forward: "authorization""# } else { "" };
        let directive = match self.scope {
            None => String::new(),
            Some(_) => format!("@cacheControl(maxAge: 60{scope})"),
        };
        format!(
            r#"type Query {{ a: A {directive} @call(source: "s", target: "/a"{forward}) }}
            type A {{ n: Int }}"#
        )
    }

    async fn holds(&self, graph: &Arc<Graph>) {
        let engine = Engine::new(Arc::clone(graph), settings());
        let first = ask(&engine, self.first).await;
        let second = ask(&engine, self.second).await;
        let told = format!(
            "{:?}, {:?}, forwarded: {}, {:?} then {:?}",
            self.scope, self.said, self.forwards, self.first, self.second
        );
        assert_eq!(first == second, self.may_be_reused(), "{told}");
        // The first caller does not get the other's reply, either.
        let again = ask(&engine, self.first).await;
        assert!(again != second || second == first, "{told}, and again");
    }
}

#[tokio::test]
async fn nobody_sees_what_was_fetched_for_somebody_else() {
    let mut cases = 0;
    for (scope, forwards) in SCOPES.into_iter().flat_map(|scope| [(scope, false), (scope, true)]) {
        for said in SAID {
            let case = |first, second| Case { scope, said, forwards, first, second };
            let graph = numbered(said).graph(&case(CALLERS[0], CALLERS[0]).sdl());
            for (first, second) in CALLERS.into_iter().flat_map(|a| CALLERS.map(|b| (a, b))) {
                case(first, second).holds(&graph).await;
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 432);
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    let minute = SourceCache { max_age: Some(Duration::from_mins(1)), ..SourceCache::default() };
    settings.cache.sources.insert("s".into(), minute);
    settings
}
