//! Floors: a room imports only rooms below it. ARCHITECTURE.md has the reasons.

use super::text::code_only;

/// A room, the rooms it may import, and the crates it must not.
struct Wall {
    room: &'static str,
    rooms: &'static [&'static str],
    no_crates: &'static [&'static str],
}

const SOCKETS: &[&str] =
    &["axum", "reqwest", "tonic", "hyper", "hyper_util", "tower_http", "redis"];

/// Rooms that stand above all walls: no rule of the product lives there.
const TOP: &[&str] = &["main", "lib", "cli", "gateway", "demo", "fuzzing"];

const WALLS: &[Wall] = &[
    Wall {
        room: "config",
        rooms: &[
            "edge",
            "engine",
            "identity",
            "connector",
            "upstream",
            "mapping",
            "shared",
            "memory",
            "graphql",
            "problem",
        ],
        no_crates: SOCKETS,
    },
    Wall {
        room: "edge",
        rooms: &[
            "engine", "identity", "mapping", "graphql", "source", "shared", "memory", "overhead",
        ],
        no_crates: &["reqwest", "tonic", "redis"],
    },
    Wall {
        room: "engine",
        rooms: &["graph", "mapping", "source", "graphql", "problem", "shared", "memory"],
        no_crates: SOCKETS,
    },
    Wall {
        room: "connector",
        rooms: &["source", "mapping", "upstream", "memory", "graphql", "problem"],
        no_crates: &["axum"],
    },
    Wall {
        room: "identity",
        rooms: &["upstream", "graphql"],
        no_crates: &["axum", "reqwest", "tonic"],
    },
    Wall { room: "graph", rooms: &["mapping", "source", "graphql", "problem"], no_crates: SOCKETS },
    Wall {
        room: "source",
        rooms: &["mapping", "memory", "graphql", "problem"],
        no_crates: SOCKETS,
    },
    Wall { room: "mapping", rooms: &[], no_crates: SOCKETS },
    Wall { room: "upstream", rooms: &["memory", "overhead"], no_crates: &["axum"] },
    Wall { room: "memory", rooms: &[], no_crates: SOCKETS },
    Wall { room: "overhead", rooms: &[], no_crates: SOCKETS },
    Wall {
        room: "shared",
        rooms: &[],
        no_crates: &["axum", "reqwest", "tonic", "hyper", "hyper_util", "tower_http"],
    },
    Wall { room: "graphql", rooms: &[], no_crates: SOCKETS },
    Wall { room: "problem", rooms: &[], no_crates: SOCKETS },
];

/// What of a file below `src/` reaches through a wall.
pub fn complaints(path: &str, text: &str) -> Vec<String> {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let room = inside.split(['/', '.']).next().unwrap_or_default();
    if TOP.contains(&room) {
        return Vec::new();
    }
    let Some(wall) = WALLS.iter().find(|wall| wall.room == room) else {
        return vec![format!(
            "{path}: the room `{room}` has no floor; add it to tests/tidy/walls.rs"
        )];
    };
    let code = code_only(text);
    let mut found = Vec::new();
    for imported in rooms_named(&code) {
        if imported != room && !wall.rooms.contains(&imported.as_str()) {
            found.push(format!("{path}: `{room}` imports `{imported}`, which is not below it"));
        }
    }
    for banned in wall.no_crates {
        if names_crate(&code, banned) {
            found.push(format!("{path}: `{room}` uses the crate `{banned}`"));
        }
    }
    if let Some((connector, other)) = other_connector(inside, &code) {
        found.push(format!("{path}: the connector `{connector}` imports the connector `{other}`"));
    }
    found
}

/// The rooms after every `crate::`, groups included.
fn rooms_named(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (start, _) in code.match_indices("crate::") {
        if code[..start].ends_with(word) {
            continue;
        }
        let rest = &code[start + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => rooms.extend(group_heads(group)),
            None => rooms.push(rest.chars().take_while(|c| word(*c)).collect()),
        }
    }
    // Macros and items of the crate's root are not rooms.
    rooms.retain(|room| TOP.contains(&room.as_str()) || WALLS.iter().any(|w| w.room == room));
    rooms
}

/// The first names of a use group, whose opening brace is already read.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut head, mut done) = (0_usize, Vec::new(), String::new(), false);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(std::mem::take(&mut head));
                done = false;
            }
            c if depth == 0 && !done && word(c) => head.push(c),
            ':' if depth == 0 => done = true,
            _ => {}
        }
    }
    heads.push(head);
    heads
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn names_crate(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    let used = code.match_indices(&path).any(|(start, _)| {
        let before = &code[..start];
        let item = before.strip_suffix("::").is_some_and(|path| path.ends_with(word));
        !item && !before.ends_with(word)
    });
    used || code.contains(&format!("use {name};"))
}

/// A connector that names its neighbour: `src/connector/rest/…` and `grpc`.
fn other_connector<'a>(inside: &'a str, code: &str) -> Option<(&'a str, &'static str)> {
    const CONNECTORS: &[&str] = &["rest", "grpc", "amqp", "graphql"];
    let own = inside.strip_prefix("connector/")?.split(['/', '.']).next()?;
    if !CONNECTORS.contains(&own) {
        return None;
    }
    let others = CONNECTORS.iter().copied().filter(|other| *other != own);
    let reaches = |other: &&str| {
        code.contains(&format!("connector::{other}"))
            || code.contains(&format!("super::super::{other}"))
    };
    others.into_iter().find(reaches).map(|other| (own, other))
}

#[test]
fn a_wall_stops_what_it_should() {
    let broken = |path: &str, text: &str| !complaints(path, text).is_empty();
    assert!(broken("src/engine/plan/mod.rs", "use crate::connector::rest;"));
    assert!(broken("src/engine/mod.rs", "use crate::{graph::Graph, edge};"));
    assert!(broken("src/engine/mod.rs", "use crate::{graph::{A, B}, upstream::C};"));
    assert!(broken("src/engine/mod.rs", "fn a(x: crate::edge::X) {}"));
    assert!(broken("src/engine/mod.rs", "use hyper_util::rt::TokioIo;"));
    assert!(broken("src/engine/mod.rs", "fn a() { reqwest::get(1); }"));
    assert!(broken("src/engine/mod.rs", "use redis::Client;"));
    assert!(broken("src/shared/mod.rs", "use crate::engine::Settings;"));
    assert!(broken("src/mapping/parse.rs", "use crate::graphql::Name;"));
    assert!(broken("src/upstream/mod.rs", "use crate::source::Error;"));
    assert!(broken("src/edge/graphql.rs", "use crate::graph::Graph;"));
    assert!(broken("src/connector/rest/mod.rs", "use crate::connector::grpc::X;"));
    assert!(broken("src/identity/mod.rs", "use crate::source::Caller;"));
    assert!(broken("src/cellar/mod.rs", ""), "a room without a floor");
}

#[test]
fn a_wall_lets_through_what_it_should() {
    let holds = |path: &str, text: &str| complaints(path, text) == Vec::<String>::new();
    assert!(holds("src/engine/mod.rs", "use crate::{graph::{A, edge}, source::C};"));
    assert!(holds("src/engine/mod.rs", "// crate::edge\nuse crate::engine::plan;"));
    assert!(holds("src/engine/mod.rs", "let s = \"crate::edge and reqwest::get\";"));
    assert!(holds("src/engine/mod.rs", "use my_hyper::x; let x = self::hyper::y;"));
    assert!(holds("src/gateway/mod.rs", "use crate::edge; use reqwest::Client;"));
    assert!(holds("src/connector/rest.rs", "use crate::upstream::Upstream;"));
}
