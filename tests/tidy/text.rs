//! Rules that one file's text keeps or breaks by itself.

const LONGEST: usize = 600;

pub fn too_long(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines <= LONGEST {
        return Vec::new();
    }
    vec![format!("{path}: {lines} lines; at most {LONGEST}: which two things is it?")]
}

pub fn headless(path: &str, text: &str) -> Vec<String> {
    if text.starts_with("//!") {
        return Vec::new();
    }
    vec![format!("{path}: begins without `//!`: what is it for?")]
}

pub fn left_out(path: &str, text: &str) -> Vec<String> {
    lines_with(path, &code_only(text), &["#[ignore"], "a test that does not run proves nothing")
}

pub fn sleeps(path: &str, text: &str) -> Vec<String> {
    let sleeps = ["time::sleep(", "thread::sleep(", "sleep_until("];
    // On a clock that stands still nobody waits.
    if text.contains("start_paused = true") && !text.contains("#[tokio::test]") {
        return Vec::new();
    }
    lines_with(path, &code_only(text), &sleeps, "a test waits for an event, not for time")
}

pub fn machine_paths(path: &str, text: &str) -> Vec<String> {
    // Written in two parts, so that this file keeps its own rule.
    let roots = [["/ro", "ot/"], ["/wo", "rk/"], ["/home", "/"], ["/tmp", "/"], ["/Use", "rs/"]];
    let starts = |line: &str, root: &str| {
        line.match_indices(root).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            before.is_none_or(|c| c.is_whitespace() || "\"'`(=".contains(c))
        })
    };
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for root in roots.map(|parts| parts.concat()) {
            if starts(line, &root) {
                found.push(format!("{path}:{}: a path of one machine: {line}", number + 1));
            }
        }
    }
    found
}

fn lines_with(path: &str, code: &str, needles: &[&str], why: &str) -> Vec<String> {
    let hit = |line: &str| needles.iter().any(|needle| line.contains(needle));
    let lines = code.lines().enumerate().filter(|(_, line)| hit(line));
    lines.map(|(number, line)| format!("{path}:{}: {why}: {}", number + 1, line.trim())).collect()
}

/// Rust text with comments and the contents of string literals blanked out; lines stay where they are.
pub fn code_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if c == '"' {
            string_end(rest)
        } else if let Some(end) = raw_string_end(rest, out.chars().next_back()) {
            end
        } else if c == '\'' {
            char_end(rest)
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
        out.push(' ');
        rest = &rest[skipped..];
    }
    out
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string_end(text: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let after = text.strip_prefix('r').or_else(|| text.strip_prefix("br"))?;
    let hashes = after.chars().take_while(|c| *c == '#').count();
    after[hashes..].strip_prefix('"')?;
    let closing = format!("\"{}", "#".repeat(hashes));
    let start = text.len() - after.len() + hashes + 1;
    Some(text[start..].find(&closing).map_or(text.len(), |end| start + end + closing.len()))
}

/// A character literal, or the quote of a lifetime.
fn char_end(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => text[2..].find('\'').map_or(1, |end| {
            // `'\''` holds a quote of its own.
            if end == 0 { 4.min(text.len()) } else { end + 3 }
        }),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_headless_files_are_found() {
        assert_eq!(too_long("a.rs", &"x\n".repeat(LONGEST)).len(), 0);
        assert_eq!(too_long("a.rs", &"x\n".repeat(LONGEST + 1)).len(), 1);
        assert_eq!(headless("a.rs", "use x;").len(), 1);
        assert_eq!(headless("a.rs", "//! For y.").len(), 0);
    }

    #[test]
    fn tests_that_do_not_run_or_that_sleep_are_found() {
        assert_eq!(left_out("a.rs", "#[test]\n#[ignore = \"later\"]\nfn a() {}").len(), 1);
        assert_eq!(left_out("a.rs", "// #[ignore]\nlet a = \"#[ignore]\";").len(), 0);
        assert_eq!(sleeps("a.rs", "tokio::time::sleep(second).await;").len(), 1);
        assert_eq!(sleeps("a.rs", "let a = r#\"thread::sleep(\"#;").len(), 0);
    }

    #[test]
    fn machine_paths_are_found() {
        let path = ["see /ro", "ot/x"].concat();
        assert_eq!(machine_paths("a", &path).len(), 1);
        assert_eq!(machine_paths("a", "the request root/x and http://a/work").len(), 0);
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        assert_eq!(
            code_only("a \"b // c\" d // e\nf").split_whitespace().collect::<Vec<_>>(),
            ["a", "d", "f"]
        );
        assert!(code_only("'\"' real").contains("real"));
        assert!(code_only("'\\'' real").contains("real"));
        assert!(code_only("fn a<'a>(x: &'a str) { real }").contains("real"));
        assert!(!code_only("r#\"a \" gone\"#").contains("gone"));
    }
}
