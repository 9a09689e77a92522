//! What to look for: the report, the notes and the last draft as weighted search terms, tool names and paths.

use super::sieve::Sieve;
use super::words;
use crate::domain::change::RepoPath;
use crate::domain::feedback::GapType;
use crate::drafting::job::Previous;
use crate::protocol::read::Detail;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The server of reports that name none.
const UNNAMED: &str = "unknown";
/// Most of one field that is looked at; nobody describes a gap in more, and a hostile report may be long.
const MAX_SECTION_BYTES: usize = 64 * 1024;
/// Most terms searched for; the weakest are dropped.
const MAX_TERMS: usize = 384;
/// Most tool names searched for.
const MAX_TOOLS: usize = 512;
/// Most paths taken from the text.
const MAX_PATHS: usize = 64;
/// How much more a name from code (`search_costs`) says than a word.
const CODE_NAME: f64 = 2.0;
/// How much two words that stand side by side say when a name has them side by side as well, beside what each says alone.
const PAIR: f64 = 0.7;

/// A stem, two stems side by side (then it has a blank), or a whole compound identifier in snake case (then it has a `_`).
#[derive(Debug, Clone)]
pub(super) struct Term {
    pub(super) text: String,
    /// As it was first written, for people.
    pub(super) shown: String,
    pub(super) weight: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Tool {
    pub(super) name: String,
    /// The text talks about it; otherwise it is only in the list of tools the agent saw.
    pub(super) mentioned: bool,
}

/// Terms and tools that one identifier of a file stands for, by their place in the [`Query`].
#[derive(Debug, Clone, Default)]
pub(super) struct Hit {
    pub(super) terms: Vec<u16>,
    pub(super) tool: Option<u16>,
}

#[derive(Debug)]
pub(super) struct Query {
    pub(super) terms: Vec<Term>,
    pub(super) tools: Vec<Tool>,
    /// The gap is a tool that is not there: it belongs where the others are.
    pub(super) wants_tool: bool,
    /// Path-like words of the text, such as `src/server.py` or `server.py`.
    pub(super) paths: BTreeSet<String>,
    /// Paths that the previous draft changed.
    pub(super) previous: BTreeSet<String>,
    by_term: HashMap<String, u16>,
    by_tool: HashMap<String, u16>,
    sieve: Sieve,
}

impl Query {
    pub(super) fn new(report: &Detail, previous: Option<&Previous>) -> Self {
        let mut builder = Builder::default();
        for note in &report.notes {
            builder.section(&note.content, 3.0);
        }
        let r = &report.feedback.report;
        builder.section(&r.what_i_needed, 3.0);
        builder.section(&r.suggestion, 2.0);
        builder.section(&r.what_i_tried, 1.5);
        builder.section(&r.user_goal, 1.0);
        // What a report without a name gets says nothing.
        if r.server_name != UNNAMED {
            builder.section(&r.server_name, 0.5);
        }
        let tools = builder.tools(&r.tools_available);
        let previous = previous.map(|p| changed_paths(&p.diff)).unwrap_or_default();
        builder.finish(tools, r.gap_type == GapType::MissingTool, previous)
    }

    /// False for an identifier that means nothing to this query; quicker than [`Self::look_up`].
    pub(super) fn may_know(&self, identifier: &str) -> bool {
        self.sieve.lets_through(identifier)
    }

    /// What an identifier found in a file means for this query.
    pub(super) fn look_up(&self, identifier: &str) -> Hit {
        if self.may_know(identifier) { self.examine(identifier) } else { Hit::default() }
    }

    fn examine(&self, identifier: &str) -> Hit {
        let mut hit = Hit::default();
        let name = words::snake(identifier);
        hit.tool = self.by_tool.get(&name).copied();
        if name.contains('_') {
            hit.terms.extend(self.by_term.get(&name).copied());
        }
        let mut before = String::new();
        for term in words::terms(identifier) {
            hit.terms.extend(self.by_term.get(&term));
            if !before.is_empty() {
                hit.terms.extend(self.by_term.get(&format!("{before} {term}")));
            }
            before = term;
        }
        hit
    }

    /// Tool names that are no identifiers (`search-costs`) and so can only be found as text.
    pub(super) fn odd_tools(&self) -> impl Iterator<Item = (u16, &str)> {
        let odd = |name: &str| name.bytes().any(|b| !words::is_word_byte(b));
        self.tools.iter().enumerate().filter(move |(_, t)| odd(&t.name)).map(|(i, t)| (i as u16, t.name.as_str()))
    }
}

#[derive(Default)]
struct Builder {
    /// Term to (as written, strongest weight, occurrences).
    found: HashMap<String, (String, f64, u32)>,
    /// Every word as a tool could be called, in snake case.
    names: HashSet<String>,
    paths: BTreeSet<String>,
}

impl Builder {
    fn section(&mut self, text: &str, weight: f64) {
        let text = &text[..text.floor_char_boundary(MAX_SECTION_BYTES)];
        let mut before: Option<(String, &str, usize)> = None;
        for (at, identifier) in words::identifiers(text) {
            let parts = words::parts(identifier);
            if parts.len() > 1 {
                self.add(parts.join("_"), identifier, weight * CODE_NAME);
            }
            for (term, part) in parts.iter().flat_map(|p| words::terms(p).map(move |t| (t, p))) {
                self.add(term, part, weight);
            }
            before = self.pair(before, at, identifier, text, weight);
        }
        for word in text.split(|c: char| c.is_whitespace() || "`'\"()[]{}<>,;=".contains(c)) {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
            if word.is_empty() || word.len() > 256 {
                continue;
            }
            self.names.insert(words::snake(word));
            if self.paths.len() < MAX_PATHS && looks_like_path(word) {
                self.paths.insert(without_line(word).to_owned());
            }
        }
    }

    /// Adds a plain word together with the one before it; returns it for the next.
    fn pair<'t>(
        &mut self,
        before: Option<(String, &'t str, usize)>,
        at: usize,
        word: &'t str,
        text: &str,
        weight: f64,
    ) -> Option<(String, &'t str, usize)> {
        let mut terms = words::terms(word);
        let (Some(term), None) = (terms.next(), terms.next()) else { return None };
        if let Some((first, shown, end)) = before
            && matches!(&text[end..at], " " | "-" | "\n")
        {
            self.add(format!("{first} {term}"), &format!("{shown} {word}"), weight * PAIR);
        }
        Some((term, word, at + word.len()))
    }

    fn add(&mut self, term: String, shown: &str, weight: f64) {
        let entry = self.found.entry(term).or_insert_with(|| (shown.to_owned(), weight, 0));
        entry.1 = entry.1.max(weight);
        entry.2 += 1;
    }

    fn tools(&self, available: &[String]) -> Vec<Tool> {
        let mut tools: Vec<Tool> = available
            .iter()
            .filter(|name| name.len() >= 3 && name.len() <= 128)
            .map(|name| Tool { name: name.clone(), mentioned: self.names.contains(&words::snake(name)) })
            .collect();
        // The mentioned ones first, so that the cap takes away the others.
        tools.sort_by_key(|t| !t.mentioned);
        tools.dedup_by(|a, b| a.name == b.name);
        tools.truncate(MAX_TOOLS);
        tools
    }

    fn finish(self, tools: Vec<Tool>, wants_tool: bool, previous: BTreeSet<String>) -> Query {
        let mut terms: Vec<Term> = self
            .found
            .into_iter()
            .map(|(text, (shown, weight, count))| Term { text, shown, weight: weight * (1.0 + f64::from(count).ln()) })
            .collect();
        // The text breaks ties, so that the same report always makes the same query.
        terms.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.text.cmp(&b.text)));
        terms.truncate(MAX_TERMS);
        let by_term: HashMap<_, _> = terms.iter().enumerate().map(|(i, t)| (t.text.clone(), i as u16)).collect();
        let by_tool: HashMap<_, _> =
            tools.iter().enumerate().rev().map(|(i, t)| (words::snake(&t.name), i as u16)).collect();
        let sieve = Sieve::new(by_term.keys().chain(by_tool.keys()).map(String::as_str));
        Query { terms, tools, wants_tool, paths: self.paths, previous, by_term, by_tool, sieve }
    }
}

/// `src/a.py`, `a.py`, `a.py:12`, but not `e.g`, `1.5` or a URL.
fn looks_like_path(word: &str) -> bool {
    let word = without_line(word);
    if word.contains("://") || word.starts_with("www.") || RepoPath::parse(word).is_err() {
        return false;
    }
    let name = word.rsplit('/').next().unwrap_or(word);
    name.rsplit_once('.').is_some_and(|(stem, extension)| {
        let letters =
            extension.bytes().all(|b| b.is_ascii_alphanumeric()) && extension.bytes().any(|b| b.is_ascii_alphabetic());
        stem.len() >= 2 && (1..=5).contains(&extension.len()) && letters
    })
}

/// `a.py:12:3` without the place in the file.
fn without_line(word: &str) -> &str {
    word.split(':').next().unwrap_or(word)
}

/// The paths that a unified diff touches.
fn changed_paths(diff: &str) -> BTreeSet<String> {
    let marked = |line: &str| {
        let path = line.strip_prefix("+++ b/").or_else(|| line.strip_prefix("--- a/"))?;
        Some(path.trim_end().to_owned())
    };
    diff.lines().filter_map(marked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_not_examined_means_nothing(identifier in "[a-eA-E1-2_é]{0,9}", text in "[a-e1-2_é ]{0,60}", tool in "[a-eA-E1-2_-]{3,9}") {
            let mut builder = Builder::default();
            builder.section(&text, 1.0);
            let tools = builder.tools(&[tool]);
            let query = builder.finish(tools, false, BTreeSet::new());
            if !query.may_know(&identifier) {
                let hit = query.examine(&identifier);
                prop_assert!(hit.terms.is_empty() && (hit.tool.is_none() || words::snake(&identifier).is_empty()), "{hit:?}");
            }
        }
    }

    #[test]
    fn paths_are_told_from_prose() {
        for (word, expected) in [
            ("src/server.py", true),
            ("server.py:12", true),
            ("lib.rs", true),
            ("e.g", false),
            ("1.50", false),
            ("https://x.y/z.html", false),
            ("../../etc/passwd.txt", false),
        ] {
            assert_eq!(looks_like_path(word), expected, "{word}");
        }
    }

    #[test]
    fn a_diff_names_its_files() {
        let diff = "--- a/old.py\n+++ /dev/null\n--- /dev/null\n+++ b/src/new.py\n+++ bogus\n";
        assert_eq!(changed_paths(diff), BTreeSet::from(["old.py".to_owned(), "src/new.py".to_owned()]));
    }
}
