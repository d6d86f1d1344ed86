//! Relative links of Markdown texts: the file exists, and so does the heading.

use std::collections::{BTreeMap, BTreeSet};

/// Links that lead to no file or to no heading. `read` returns the text of a linked file, which is empty for one that is not
/// Markdown; `None` if there is no such file.
pub fn complaints(path: &str, text: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for (start, _) in line.match_indices("](") {
            let link: String = line[start + 2..].chars().take_while(|c| *c != ')').collect();
            let link = link.split(' ').next().unwrap_or_default();
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { Some(text.to_owned()) } else { read(file) };
            match target {
                None => found.push(format!("{path}:{number}: no such file: {file}")),
                Some(target) if !heading.is_empty() && !anchors(&target).contains(heading) => {
                    found.push(format!("{path}:{number}: no such heading: {link}"));
                }
                Some(_) => {}
            }
        }
    }
    found
}

/// The lines outside of code blocks, with their numbers from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

/// The anchors that GitHub makes of the headings: lower case, without punctuation, hyphens for spaces; a repeated one is numbered.
/// Also those of `<a id="…">`.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let ids = line.split("<a id=\"").skip(1).filter_map(|rest| rest.split_once('"'));
        anchors.extend(ids.map(|(id, _)| id.to_owned()));
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
        let anchor: String = visible(title.trim()).to_lowercase().chars().filter(kept).collect();
        let anchor = anchor.replace(' ', "-");
        let count = counts.entry(anchor.clone()).or_default();
        anchors.insert(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
        *count += 1;
    }
    anchors
}

/// A title without the targets of its links.
fn visible(title: &str) -> String {
    let mut parts = title.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + part.split_once(')').map_or("", |(_, rest)| rest))
}

#[test]
fn dead_links_are_found() {
    let page = "# The `page`: *all* of it\n## Part\n## Part\n```\n# code\n```\n## [Link](x.md) (here)\n<a id=\"old\"></a>\n";
    let dead = |text: &str| {
        let read = |file: &str| match file {
            "page.md" => Some(page.to_owned()),
            "folder" => Some(String::new()),
            _ => None,
        };
        complaints("a.md", text, read).len()
    };
    assert_eq!(dead("[a](page.md) [b](https://x.org#y) [c](#d) [e](folder)\n## d"), 0);
    assert_eq!(
        dead(
            "[a](page.md#the-page-all-of-it) [b](page.md#part-1) [c](page.md#link-here) [d](page.md#old)"
        ),
        0
    );
    assert_eq!(dead("```\n[a](gone.md)\n```"), 0);
    assert_eq!(
        dead("[a](gone.md) [b](page.md#gone) [c](#gone) [d](page.md#code) [e](page.md#part-2)"),
        5
    );
}
