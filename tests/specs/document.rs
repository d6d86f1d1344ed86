//! Reads a spec file: a title, prose, and fenced blocks; `## case` starts a case.

use crate::support::exchange::Exchange;
use serde_json::Value;

/// One request with everything it needs.
#[derive(Debug, Clone)]
pub struct Case {
    pub title: String,
    pub schema: String,
    pub config: Option<String>,
    pub proto: Option<String>,
    pub exchanges: Vec<Exchange>,
    pub request: String,
    pub variables: Value,
    pub headers: Vec<(String, String)>,
    /// Of the caller's token; null: there is none. Left out: the gateway believes nobody.
    pub claims: Option<Value>,
    pub answer: Value,
    /// Of the first answer.
    pub answer_headers: Vec<(String, String)>,
    /// The same request again, one after the other.
    pub next: Vec<Next>,
    /// The calls of each round, as lines.
    pub rounds: Vec<Vec<String>>,
}

/// A further request: who sends it, and the answer where it differs from the first one.
#[derive(Debug, Clone)]
pub struct Next {
    pub headers: Vec<(String, String)>,
    /// Where they differ from the first request's.
    pub claims: Option<Value>,
    pub answer: Option<Value>,
}

/// The blocks of a file's head or of one case.
#[derive(Debug, Clone, Default)]
struct Blocks {
    title: String,
    schema: Option<String>,
    config: Option<String>,
    proto: Option<String>,
    exchanges: Vec<Exchange>,
    request: Option<String>,
    variables: Option<Value>,
    headers: Option<Vec<(String, String)>>,
    claims: Option<Value>,
    answer: Option<Value>,
    answer_headers: Option<Vec<(String, String)>>,
    next: Vec<Next>,
    rounds: Option<Vec<Vec<String>>>,
}

/// All cases of a file.
///
/// # Errors
/// What is missing or cannot be read, in words.
pub fn parse(text: &str) -> Result<Vec<Case>, String> {
    let mut lines = text.lines().enumerate();
    let mut sections = vec![Blocks::default()];
    let mut prose = false;
    while let Some((number, line)) = lines.next() {
        let section = sections.last_mut().expect("never empty");
        if let Some(label) = line.strip_prefix("```") {
            let mut block = String::new();
            let closed = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            for line in closed {
                block.push_str(line);
                block.push('\n');
            }
            let place = |problem| format!("block `{label}` at line {}: {problem}", number + 1);
            section.add(label, block).map_err(place)?;
        } else if let Some(title) = line.strip_prefix("## ") {
            sections.push(Blocks { title: title.to_owned(), ..Blocks::default() });
        } else if let Some(title) = line.strip_prefix("# ") {
            title.clone_into(&mut section.title);
        } else {
            prose |= !line.trim().is_empty();
        }
    }
    let head = sections.remove(0);
    if head.title.is_empty() || !prose {
        return Err("a spec begins with `# title` and a sentence of prose".into());
    }
    if sections.is_empty() {
        return Ok(vec![head.clone().complete(&Blocks::default())?]);
    }
    sections.into_iter().map(|section| section.complete(&head)).collect()
}

impl Blocks {
    fn add(&mut self, label: &str, text: String) -> Result<(), String> {
        let wrong = |error: serde_json::Error| error.to_string();
        match label {
            "graphql schema" => set(&mut self.schema, text),
            "yaml config" => set(&mut self.config, text),
            "proto" => set(&mut self.proto, text),
            "graphql request" => set(&mut self.request, text),
            "json exchanges" => {
                self.exchanges.extend::<Vec<Exchange>>(serde_json::from_str(&text).map_err(wrong)?);
                Ok(())
            }
            "json variables" => {
                set(&mut self.variables, serde_json::from_str(&text).map_err(wrong)?)
            }
            "json answer" => set(&mut self.answer, serde_json::from_str(&text).map_err(wrong)?),
            "json claims" => set(&mut self.claims, serde_json::from_str(&text).map_err(wrong)?),
            "headers" => set(&mut self.headers, headers(&text)?),
            "headers answer" => set(&mut self.answer_headers, headers(&text)?),
            "headers next" => {
                self.next.push(Next { headers: headers(&text)?, claims: None, answer: None });
                Ok(())
            }
            "json claims next" => {
                let next = self.next.last_mut().ok_or("a block `headers next` comes first")?;
                set(&mut next.claims, serde_json::from_str(&text).map_err(wrong)?)
            }
            "json answer next" => {
                let next = self.next.last_mut().ok_or("a block `headers next` comes first")?;
                set(&mut next.answer, serde_json::from_str(&text).map_err(wrong)?)
            }
            "calls" => set(&mut self.rounds, rounds(&text)?),
            _ => Err("unknown kind of block".into()),
        }
    }

    /// The case, with the head's blocks where it has none of its own; the case's exchanges come first.
    fn complete(self, head: &Self) -> Result<Case, String> {
        let title = if self.title.is_empty() { head.title.clone() } else { self.title };
        let missing = |block: &str| format!("case `{title}` has no block `{block}`");
        Ok(Case {
            schema: self.schema.or(head.schema.clone()).ok_or(missing("graphql schema"))?,
            config: self.config.or(head.config.clone()),
            proto: self.proto.or(head.proto.clone()),
            exchanges: self.exchanges.into_iter().chain(head.exchanges.clone()).collect(),
            request: self.request.or(head.request.clone()).ok_or(missing("graphql request"))?,
            variables: self.variables.or(head.variables.clone()).unwrap_or_default(),
            headers: self.headers.or(head.headers.clone()).unwrap_or_default(),
            claims: self.claims.or(head.claims.clone()),
            answer: self.answer.or(head.answer.clone()).ok_or(missing("json answer"))?,
            answer_headers: self.answer_headers.or(head.answer_headers.clone()).unwrap_or_default(),
            next: if self.next.is_empty() { head.next.clone() } else { self.next },
            rounds: self.rounds.or(head.rounds.clone()).ok_or(missing("calls"))?,
            title,
        })
    }
}

fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err("a second block of this kind in one case".into()),
    }
}

fn headers(text: &str) -> Result<Vec<(String, String)>, String> {
    let split = |line: &str| {
        let (name, value) = line.split_once(": ").ok_or("a header is `name: value`")?;
        Ok((name.to_owned(), value.to_owned()))
    };
    text.lines().map(split).collect()
}

/// Calls by line, rounds by blank line. A JSON body is written anew, so that its spacing does not count.
fn rounds(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut rounds = vec![Vec::new()];
    for line in text.lines() {
        if line.is_empty() {
            rounds.push(Vec::new());
        } else {
            rounds.last_mut().expect("never empty").push(call(line)?);
        }
    }
    rounds.retain(|round| !round.is_empty());
    Ok(rounds)
}

fn call(line: &str) -> Result<String, String> {
    let mut parts = line.splitn(3, ' ');
    let (Some(verb), Some(target)) = (parts.next(), parts.next()) else {
        return Err(format!("a call is `METHOD target [JSON body]`: {line}"));
    };
    let Some(body) = parts.next() else { return Ok(format!("{verb} {target}")) };
    let body: Value = serde_json::from_str(body).map_err(|error| format!("{line}: {error}"))?;
    Ok(format!("{verb} {target} {body}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "# T\nProse.\n```graphql schema\ntype Query { a: Int }\n```\n\
        ## one\n```graphql request\n{ a }\n```\n```json answer\n{}\n```\n\
        ```calls\nGET /a\nGET /b\n\nPOST /c { \"x\": 1 }\n```\n";

    #[test]
    fn a_case_takes_what_it_lacks_from_the_head() {
        let cases = parse(SPEC).unwrap();
        assert_eq!(cases.len(), 1);
        assert_eq!(cases[0].title, "one");
        assert_eq!(cases[0].schema, "type Query { a: Int }\n");
        assert_eq!(cases[0].rounds, [vec!["GET /a", "GET /b"], vec!["POST /c {\"x\":1}"]]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |block: &str| {
            let text = SPEC.replace(block, "text");
            parse(&text).unwrap_err()
        };
        assert!(missing("```calls").contains("unknown kind of block"), "unknown label");
        assert!(parse(&SPEC.replace("Prose.", "")).unwrap_err().contains("prose"));
        assert!(parse("# T\nProse.\n").unwrap_err().contains("graphql schema"));
    }
}
