//! Reads every text file once and keeps only what the ranking needs: how often each term of the query occurs, which of them it
//! defines, where tools are named, and what it imports.
//!
//! A file's text is dropped before the next is read, so memory grows with the number of matches, not with the size of the
//! repository. Files are spread over a few threads; what an identifier means is looked up once per thread and remembered.

use super::classify::{self, Kind};
use super::imports::Names;
use super::query::{Hit, Query};
use super::{symbols, words};
use crate::domain::change::{Existing, RepoPath};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Shows a file as it is in the worktree.
pub(crate) type Read<'a> = &'a (dyn Fn(&RepoPath) -> Existing + Sync);

/// Most identifiers remembered per thread; then it starts afresh.
const MAX_REMEMBERED: usize = 100_000;
const MAX_THREADS: usize = 8;
/// How much is looked at of a file that nobody writes by hand: its beginning says what it is about, and the rest is more of the same.
const BEGINNING: usize = 128 * 1024;
/// Bytes of text that are read, together. What is written by hand is read first.
pub(crate) const MAX_TEXT: usize = 256 * 1024 * 1024;

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
    /// Terms that occur, in the order of the query's.
    pub(super) hits: Vec<TermHit>,
    pub(super) tools: Vec<(u16, ToolUse)>,
    /// Lines that register a tool, whatever it is called.
    pub(super) registrations: u32,
    /// Places in the list of paths, sorted.
    pub(super) imports: Vec<u32>,
    /// Of the whole text: the same number is the same text.
    pub(super) digest: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct TermHit {
    pub(super) term: u16,
    pub(super) count: u32,
    /// How often in the name of something that is defined here.
    pub(super) defined: u32,
}

/// What the pass found at a path.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Text(Stats),
    /// It can't be shown, or must not be; with the reason.
    Closed(&'static str),
    /// There is more text before it than is looked at.
    Unread,
    /// Nobody would miss it: pictures, lock files.
    Noise,
}

impl Found {
    pub(super) fn text(&self) -> Option<&Stats> {
        match self {
            Self::Text(stats) => Some(stats),
            Self::Closed(_) | Self::Unread | Self::Noise => None,
        }
    }
}

/// What is at each path, in the order given; at most `max_text` bytes are read for it, and what is over is a matter of the files alone, not
/// of who is faster.
pub(super) fn index(paths: &[RepoPath], read: Read<'_>, query: &Query, max_text: usize) -> Vec<Found> {
    let names = Names::new(paths);
    let order = by_worth(paths);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let (next, total) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let all = Mutex::new(vec![(Found::Unread, 0); paths.len()]);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut scanner = Scanner::new(query, &names);
                let mut mine = Vec::new();
                // Whatever is finished was begun earlier, so who comes when it is too much already would be over in any case.
                while total.load(Ordering::Relaxed) < max_text
                    && let Some(at) = order.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let (found, bytes) = scanner.file(*at, &paths[*at], read);
                    total.fetch_add(bytes, Ordering::Relaxed);
                    mine.push((*at, found, bytes));
                }
                // A thread that panicked left nothing half-written: its own results are simply missing.
                let mut all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                for (at, found, bytes) in mine {
                    all[at] = (found, bytes);
                }
            });
        }
    });
    let mut all = all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut before = 0;
    for at in order {
        let (found, bytes) = &mut all[at];
        if before >= max_text {
            *found = Found::Unread;
        }
        before += *bytes;
    }
    all.into_iter().map(|(found, _)| found).collect()
}

/// Places in the list of paths: sources first, copies of other people's code last.
fn by_worth(paths: &[RepoPath]) -> Vec<usize> {
    let mut order: Vec<(f64, usize)> =
        paths.iter().enumerate().map(|(at, path)| (classify::by_path(path).factor(), at)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    order.into_iter().map(|(_, at)| at).collect()
}

struct Scanner<'a> {
    query: &'a Query,
    names: &'a Names<'a>,
    /// What each identifier means for the query: places in `hits`; `None` for the many that mean nothing. Looked up for every word of
    /// the repository, so with a hash that is quick for short ones.
    remembered: HashMap<String, Option<u32>, foldhash::fast::RandomState>,
    hits: Vec<Hit>,
    /// Occurrences and definitions of each term in the file at hand.
    counts: Vec<(u32, u32)>,
}

impl<'a> Scanner<'a> {
    fn new(query: &'a Query, names: &'a Names<'a>) -> Self {
        Self { query, names, remembered: HashMap::default(), hits: Vec::new(), counts: vec![(0, 0); query.terms.len()] }
    }

    /// What is at a path, and how many bytes were read for it.
    fn file(&mut self, at: usize, path: &RepoPath, read: Read<'_>) -> (Found, usize) {
        let kind = classify::by_path(path);
        match kind {
            Kind::Skipped => return (Found::Noise, 0),
            Kind::Secret => return (Found::Closed("it may hold secrets"), 0),
            Kind::Source | Kind::Test | Kind::Doc | Kind::Manifest | Kind::Data | Kind::Generated | Kind::Vendored => {}
        }
        match read(path) {
            Existing::Text(text) => {
                let kind = classify::by_content(kind, &text);
                (Found::Text(self.text(at, kind, &text)), text.len())
            }
            Existing::Opaque(why) => (Found::Closed(why), 0),
            Existing::Missing => (Found::Closed("it is gone"), 0),
        }
    }

    fn text(&mut self, at: usize, kind: Kind, whole: &str) -> Stats {
        let text = if kind.is_written() { whole } else { &whole[..whole.floor_char_boundary(BEGINNING)] };
        self.counts.fill((0, 0));
        let mut words = 0;
        let mut tools: Vec<(u16, ToolUse)> = Vec::new();
        for (place, identifier) in words::identifiers(text) {
            words += 1;
            let Some(hit) = self.hit(identifier) else { continue };
            for term in &self.hits[hit].terms {
                self.counts[usize::from(*term)].0 += 1;
            }
            if let Some(tool) = self.hits[hit].tool {
                note_tool(&mut tools, tool, tool_use(kind, text, place, identifier.len()));
            }
        }
        for (tool, name) in self.query.odd_tools() {
            if let Some(place) = text.find(name) {
                note_tool(&mut tools, tool, tool_use(kind, text, place, name.len()));
            }
        }
        let (registrations, imports) = if kind.is_code() { self.lines(at, text) } else { (0, Vec::new()) };
        let counts = self.counts.iter().enumerate().filter(|(_, (count, _))| *count > 0);
        let hits =
            counts.map(|(term, (count, defined))| TermHit { term: term as u16, count: *count, defined: *defined });
        let mut digest = DefaultHasher::new();
        whole.hash(&mut digest);
        Stats { kind, words, hits: hits.collect(), tools, registrations, imports, digest: digest.finish() }
    }

    /// Counts what is defined, and returns how many tools are registered and what is imported.
    fn lines(&mut self, at: usize, text: &str) -> (u32, Vec<u32>) {
        let mut registrations = 0;
        let mut imports = Vec::new();
        for line in text.lines() {
            if let Some(name) = symbols::defined(line) {
                let hit = self.hit(name);
                for term in hit.into_iter().flat_map(|at| &self.hits[at].terms) {
                    self.counts[usize::from(*term)].1 += 1;
                }
            }
            registrations += u32::from(symbols::registers_tool(line));
            self.names.imported(at, line, &mut imports);
        }
        imports.sort_unstable();
        imports.dedup();
        (registrations, imports)
    }

    /// The place in `hits` of what an identifier means.
    fn hit(&mut self, identifier: &str) -> Option<usize> {
        if !self.query.may_know(identifier) {
            return None;
        }
        if let Some(known) = self.remembered.get(identifier) {
            return known.map(|at| at as usize);
        }
        if self.remembered.len() >= MAX_REMEMBERED {
            self.remembered.clear();
            self.hits.clear();
        }
        let hit = self.query.look_up(identifier);
        let useful = !hit.terms.is_empty() || hit.tool.is_some();
        let at = useful.then(|| {
            self.hits.push(hit);
            self.hits.len() - 1
        });
        self.remembered.insert(identifier.to_owned(), at.map(|at| at as u32));
        at
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
        Kind::Test | Kind::Doc | Kind::Secret | Kind::Skipped => return ToolUse::Mentions,
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

    fn query() -> Query {
        let report = super::super::tests::gap();
        Query::new(&report, None)
    }

    fn path(text: &str) -> RepoPath {
        RepoPath::parse(text).unwrap()
    }

    #[test]
    fn of_data_the_beginning_counts_and_of_sources_everything() {
        let text = format!("{}\nsearch_costs\n", "0 1\n".repeat(BEGINNING / 4));
        let read = |_: &RepoPath| Existing::Text(text.clone());
        let paths = ["costs.json", "dist/costs.py", "vendor/x/costs.py", "src/costs.py", "docs/costs.md"].map(path);
        let found = index(&paths, &read, &query(), MAX_TEXT);
        let sees = |found: &Found| !found.text().unwrap().hits.is_empty();
        assert_eq!(found.iter().map(sees).collect::<Vec<_>>(), [false, false, false, true, true]);
    }

    #[test]
    fn what_people_write_is_looked_at_first_and_the_limit_is_the_same_each_time() {
        let paths: Vec<RepoPath> =
            (0..40).flat_map(|n| [path(&format!("a/{n:02}.json")), path(&format!("z/{n:02}.py"))]).collect();
        let read = |_: &RepoPath| Existing::Text("x".repeat(100));
        for (limit, sources, data) in [(100_000, 40, 40), (4_950, 40, 10), (4_000, 40, 0), (1_001, 11, 0), (0, 0, 0)] {
            for _ in 0..20 {
                let found = index(&paths, &read, &query(), limit);
                let looked_at = |ending: &str| {
                    let those = paths.iter().zip(&found).filter(|(path, _)| path.as_str().ends_with(ending));
                    those.map(|(_, found)| found.text().is_some()).collect::<Vec<_>>()
                };
                for (ending, expected) in [("py", sources), ("json", data)] {
                    let looked_at = looked_at(ending);
                    assert!(looked_at.iter().take(expected).all(|yes| *yes), "{limit} {ending}: {looked_at:?}");
                    assert!(looked_at.iter().skip(expected).all(|yes| !yes), "{limit} {ending}: {looked_at:?}");
                }
            }
        }
    }
}
