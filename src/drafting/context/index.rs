//! Reads every text file once and keeps only what the ranking needs: how often each term of the query occurs, and where
//! tools are named.
//!
//! A file's text is dropped before the next is read, so memory grows with the number of matches, not with the size of the
//! repository. Files are spread over a few threads; what an identifier means is looked up once per thread and remembered.

use super::classify::{self, Kind};
use super::query::{Hit, Query};
use super::words;
use crate::domain::change::{Existing, RepoPath};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Shows a file as it is in the worktree.
pub(crate) type Read<'a> = &'a (dyn Fn(&RepoPath) -> Existing + Sync);

/// Most identifiers remembered per thread; then it starts afresh.
const MAX_REMEMBERED: usize = 100_000;
const MAX_THREADS: usize = 8;

/// How a file speaks of a tool; later is stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ToolUse {
    Mentions,
    Defines,
    Registers,
}

/// What is remembered of one file.
#[derive(Debug, Clone)]
pub(super) struct Stats {
    pub(super) kind: Kind,
    pub(super) words: u32,
    /// Term and count, in the order of the query's terms.
    pub(super) hits: Vec<(u16, u32)>,
    pub(super) tools: Vec<(u16, ToolUse)>,
}

/// The statistics of each path, in the order given; `None` for files that are not text or never shown.
pub(super) fn index(paths: &[RepoPath], read: Read<'_>, query: &Query) -> Vec<Option<Stats>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let next = AtomicUsize::new(0);
    let all = Mutex::new(vec![None; paths.len()]);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut scanner = Scanner::new(query);
                let mut mine = Vec::new();
                while let Some((at, path)) = take(paths, &next) {
                    mine.push((at, scanner.file(path, read)));
                }
                // A thread that panicked left nothing half-written: its own results are simply missing.
                let mut all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                for (at, stats) in mine {
                    all[at] = stats;
                }
            });
        }
    });
    all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn take<'a>(paths: &'a [RepoPath], next: &AtomicUsize) -> Option<(usize, &'a RepoPath)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    paths.get(at).map(|path| (at, path))
}

struct Scanner<'a> {
    query: &'a Query,
    remembered: HashMap<String, Option<Hit>>,
    counts: Vec<u32>,
}

impl<'a> Scanner<'a> {
    fn new(query: &'a Query) -> Self {
        Self { query, remembered: HashMap::new(), counts: vec![0; query.terms.len()] }
    }

    fn file(&mut self, path: &RepoPath, read: Read<'_>) -> Option<Stats> {
        let kind = classify::by_path(path);
        if kind == Kind::Skipped {
            return None;
        }
        match read(path) {
            Existing::Text(text) => Some(self.text(classify::by_content(kind, &text), &text)),
            Existing::Missing | Existing::Opaque(_) => None,
        }
    }

    fn text(&mut self, kind: Kind, text: &str) -> Stats {
        self.counts.fill(0);
        let mut words = 0;
        let mut tools: Vec<(u16, ToolUse)> = Vec::new();
        for (at, identifier) in words::identifiers(text) {
            words += 1;
            let Some(hit) = self.hit(identifier) else { continue };
            let tool = hit.tool;
            for term in hit.terms.clone() {
                self.counts[usize::from(term)] += 1;
            }
            if let Some(tool) = tool {
                note_tool(&mut tools, tool, tool_use(kind, text, at, identifier.len()));
            }
        }
        for (tool, name) in self.query.odd_tools() {
            if let Some(at) = text.find(name) {
                note_tool(&mut tools, tool, tool_use(kind, text, at, name.len()));
            }
        }
        let hits = self.counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(t, n)| (t as u16, *n)).collect();
        Stats { kind, words, hits, tools }
    }

    fn hit(&mut self, identifier: &str) -> Option<&Hit> {
        if !self.remembered.contains_key(identifier) {
            if self.remembered.len() >= MAX_REMEMBERED {
                self.remembered.clear();
            }
            let hit = self.query.look_up(identifier);
            let useful = (!hit.terms.is_empty() || hit.tool.is_some()).then_some(hit);
            self.remembered.insert(identifier.to_owned(), useful);
        }
        self.remembered.get(identifier).and_then(Option::as_ref)
    }
}

fn note_tool(tools: &mut Vec<(u16, ToolUse)>, tool: u16, how: ToolUse) {
    match tools.iter_mut().find(|(t, _)| *t == tool) {
        Some((_, strongest)) => *strongest = how.max(*strongest),
        None => tools.push((tool, how)),
    }
}

/// Judges a tool's name by what stands around it: a declaration under a `tool` decorator or a quoted name handed to something
/// that speaks of tools registers it.
fn tool_use(kind: Kind, text: &str, at: usize, len: usize) -> ToolUse {
    match kind {
        Kind::Source | Kind::Generated | Kind::Vendored | Kind::Data | Kind::Manifest => {}
        Kind::Test | Kind::Doc | Kind::Skipped => return ToolUse::Mentions,
    }
    let before = &text[text.ceil_char_boundary(at.saturating_sub(200))..at];
    let after = &text[at + len..];
    let quoted = before.ends_with(['"', '\'', '`']) && after.starts_with(['"', '\'', '`']);
    let defined = is_definition(before, after);
    if !quoted && !defined {
        return ToolUse::Mentions;
    }
    let near = before.to_ascii_lowercase();
    let calls = ["call_tool", "calltool", "tools/call"].iter().any(|c| near.ends_with_word(c));
    let speaks_of_tools = ["tool", "name", "register", "handler", "case", "=="].iter().any(|w| near.contains(w));
    match (quoted, defined) {
        (true, _) if speaks_of_tools && !calls => ToolUse::Registers,
        (_, true) if near.contains("tool") => ToolUse::Registers,
        (_, true) => ToolUse::Defines,
        (_, false) => ToolUse::Mentions,
    }
}

/// `def x(`, `async fn x(`, `func x(`, `const x = …`.
fn is_definition(before: &str, after: &str) -> bool {
    let keyword = before.trim_end_matches([' ', '\t']).rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
    let declares =
        ["def", "fn", "func", "function", "fun", "sub", "proc", "struct", "class", "const"].contains(&keyword);
    declares && before.ends_with([' ', '\t']) && after.trim_start().starts_with(['(', '<', '=', ':', '{'])
}

/// The last call in a piece of code.
trait EndsWithWord {
    fn ends_with_word(&self, call: &str) -> bool;
}

impl EndsWithWord for String {
    /// True when `call` stands at the end, with nothing but an opening bracket, a quote or blanks behind it.
    fn ends_with_word(&self, call: &str) -> bool {
        self.trim_end_matches(|c: char| c.is_whitespace() || "(\"'`,".contains(c)).ends_with(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registering_is_told_from_calling_and_naming() {
        for (text, expected) in [
            ("@mcp.tool()\nasync def search_costs(q):", ToolUse::Registers),
            ("Tool(name=\"search_costs\", description=\"x\")", ToolUse::Registers),
            ("server.registerTool('search_costs', {", ToolUse::Registers),
            ("match name { \"search_costs\" => run(),", ToolUse::Registers),
            ("def search_costs(q):", ToolUse::Defines),
            ("client.call_tool(\"search_costs\", {})", ToolUse::Mentions),
            ("# see search_costs for more", ToolUse::Mentions),
        ] {
            let at = text.find("search_costs").unwrap();
            assert_eq!(tool_use(Kind::Source, text, at, 12), expected, "{text}");
        }
        let test = "@mcp.tool()\ndef search_costs():";
        assert_eq!(tool_use(Kind::Test, test, 16, 12), ToolUse::Mentions);
    }
}
