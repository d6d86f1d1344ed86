//! The REST service that everything here asks: 100 posts by 10 users. Every reply is rendered once at the start; what is
//! measured is whoever asks. Counts what it is asked.
//!
//! `GET /posts` · `GET /users` · `GET /users?id=1&id=2` or `?id=1,2` · `GET /users/{id}` · `GET /calls`

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::json;
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

const POSTS: usize = 100;
const USERS: usize = 10;

struct Service {
    posts: Bytes,
    users: Vec<Bytes>,
    calls: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let listener = portcullis_benches::serve::listen().await?;
    let service = Arc::new(Service::render()?);
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let reply = service.answer(&request);
                async { Ok::<_, Infallible>(reply) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

impl Service {
    fn render() -> Result<Self> {
        let posts: Vec<_> = (1..=POSTS).map(post).collect();
        let users: Result<Vec<Bytes>, _> =
            (1..=USERS).map(|id| serde_json::to_vec_pretty(&user(id)).map(Bytes::from)).collect();
        Ok(Self {
            posts: serde_json::to_vec_pretty(&posts)?.into(),
            users: users?,
            calls: AtomicU64::new(0),
        })
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if path == "/calls" {
            return reply(StatusCode::OK, self.calls.load(Relaxed).to_string().into());
        }
        self.calls.fetch_add(1, Relaxed);
        match path.strip_prefix("/users/") {
            _ if path == "/posts" => reply(StatusCode::OK, self.posts.clone()),
            _ if path == "/users" => reply(StatusCode::OK, self.some_users(request.uri().query())),
            Some(id) => match self.user(id) {
                Some(user) => reply(StatusCode::OK, user.clone()),
                None => reply(StatusCode::NOT_FOUND, Bytes::from_static(b"{}")),
            },
            None => reply(StatusCode::NOT_FOUND, Bytes::from_static(b"{}")),
        }
    }

    /// Those asked for, in the order asked; all without a query.
    fn some_users(&self, query: Option<&str>) -> Bytes {
        let mut out = Vec::with_capacity(8 << 10);
        out.push(b'[');
        let mut push = |user: &Bytes| {
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(user);
        };
        match query.filter(|query| !query.is_empty()) {
            None => self.users.iter().for_each(push),
            Some(query) => {
                for value in query.split('&').filter_map(|pair| pair.strip_prefix("id=")) {
                    let ids = percent_decode_str(value).decode_utf8_lossy();
                    ids.split(',').filter_map(|id| self.user(id)).for_each(&mut push);
                }
            }
        }
        out.push(b']');
        out.into()
    }

    fn user(&self, id: &str) -> Option<&Bytes> {
        let id: usize = id.parse().ok()?;
        self.users.get(id.checked_sub(1)?)
    }
}

fn reply(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, json);
    reply
}

fn post(id: usize) -> serde_json::Value {
    json!({
        "userId": (id - 1) * USERS / POSTS + 1,
        "id": id,
        "title": sentence(id, 3 + id % 5),
        "body": (0..4).map(|line| sentence(id * 10 + line, 6)).collect::<Vec<_>>().join("\n"),
    })
}

fn user(id: usize) -> serde_json::Value {
    json!({
        "id": id,
        "name": sentence(id + 1000, 2),
        "username": sentence(id + 2000, 1),
        "email": format!("user{id}@example.com"),
        "address": {
            "street": sentence(id + 3000, 2),
            "suite": format!("Suite {}", 100 + id * 7),
            "city": sentence(id + 4000, 1),
            "zipcode": format!("{:05}-{:04}", id * 9173 % 100_000, id * 37),
            "geo": { "lat": format!("{}.3159", id * 5), "lng": format!("-{}.1496", id * 11) },
        },
        "phone": format!("1-770-555-{:04}", id * 123),
        "website": format!("user{id}.example.org"),
        "company": {
            "name": sentence(id + 5000, 2),
            "catchPhrase": sentence(id + 6000, 5),
            "bs": sentence(id + 7000, 4),
        },
    })
}

/// Words that depend on `seed` alone, so that every run asks for the same bytes.
fn sentence(seed: usize, words: usize) -> String {
    const WORDS: [&str; 24] = [
        "river", "lantern", "orchard", "quiet", "copper", "harbour", "meadow", "thread", "winter",
        "ladder", "salt", "granite", "sparrow", "anchor", "velvet", "furnace", "island", "paper",
        "thunder", "cellar", "market", "compass", "hollow", "bridge",
    ];
    let mut state = seed as u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(state >> 40).unwrap_or(0);
        WORDS[at % WORDS.len()]
    };
    (0..words).map(|_| next()).collect::<Vec<_>>().join(" ")
}
