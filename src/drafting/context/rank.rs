//! Scores files with BM25 over contents and paths, tool names on top, and says why.
//!
//! BM25 asks three things of each term: how rare is it, how often does this file have it, how long is the file. A term in the name
//! of something that the file defines counts more than one in passing. A file that registers a tool which the report talks
//! about is lifted above everything that words alone can reach.

use super::index::{Found, Stats, ToolUse};
use super::query::Query;
use super::words;
use crate::domain::change::RepoPath;
use std::collections::{BTreeMap, HashMap, HashSet};

/// BM25's saturation of repeated words and its penalty for long files: a little more than usual, because what is long in a repository
/// is more often data or a heap of everything than the place to change.
const K1: f64 = 1.2;
const B: f64 = 0.85;
/// Occurrences that one in the name of a definition counts for, and how many such names count.
const DEFINED: f64 = 5.0;
const MAX_DEFINED: u32 = 4;
/// Worth of registering tools at all, beside the best score: for a report that misses a tool, and for any other.
const REGISTERS_NEW: f64 = 0.3;
const REGISTERS: f64 = 0.05;
/// What is left of the score of a file whose text another, better placed one has as well.
const COPY: f64 = 0.2;
/// Worth of a term in a file's name and in its directories, beside one in the text.
const IN_NAME: f64 = 1.5;
const IN_DIRECTORY: f64 = 0.4;
/// Most reasons given per file.
const MAX_REASONS: usize = 6;

/// A file with its score and the parts that made it.
#[derive(Debug, Clone)]
pub(super) struct Scored {
    /// Place in the list of paths.
    pub(super) at: usize,
    pub(super) score: f64,
    reasons: Vec<(f64, String)>,
}

impl Scored {
    /// A file that has its score from one reason.
    pub(super) fn only(at: usize, points: f64, reason: String) -> Self {
        Self { at, score: points, reasons: vec![(points, reason)] }
    }

    fn scale(&mut self, factor: f64) {
        self.score *= factor;
        self.reasons.iter_mut().for_each(|r| r.0 *= factor);
    }

    pub(super) fn add(&mut self, points: f64, reason: impl FnOnce() -> String) {
        self.score += points;
        self.reasons.push((points, reason()));
    }

    /// Strongest first.
    pub(super) fn reasons(&self) -> Vec<String> {
        let mut sorted = self.reasons.clone();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        sorted.into_iter().take(MAX_REASONS).map(|(_, r)| r).collect()
    }
}

/// A file that can't be shown although its path matches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closed {
    pub(super) at: usize,
    pub(super) score: f64,
    pub(super) why: &'static str,
}

/// What the words and tools say of each file.
pub(super) struct Scores {
    /// Every file with a score above zero, in the order of the paths.
    pub(super) scored: Vec<Scored>,
    pub(super) closed: Vec<Closed>,
    /// How much each term says in this repository.
    pub(super) weights: Vec<f64>,
}

pub(super) fn score(paths: &[RepoPath], found: &[Found], query: &Query) -> Scores {
    let corpus = Corpus::new(found, query);
    let (mut scored, mut closed): (Vec<Scored>, Vec<Closed>) = (Vec::new(), Vec::new());
    for (at, found) in found.iter().enumerate() {
        let mut one = Scored { at, score: 0.0, reasons: Vec::new() };
        match found {
            Found::Text(stats) => {
                corpus.contents(stats, query, &mut one);
                corpus.path(&paths[at], query, &mut one);
                one.scale(stats.kind.factor());
                scored.push(one);
            }
            Found::Closed(why) => {
                corpus.path(&paths[at], query, &mut one);
                closed.extend((one.score > 0.0).then_some(Closed { at, score: one.score, why }));
            }
            Found::Unread => {
                corpus.path(&paths[at], query, &mut one);
                closed.extend((one.score > 0.0).then_some(Closed { at, score: one.score, why: super::TOO_MUCH }));
            }
            Found::Noise => {}
        }
    }
    let top = scored.iter().map(|s| s.score).fold(1.0, f64::max);
    let most = found.iter().filter_map(Found::text).map(|s| s.registrations).max().unwrap_or(0);
    for one in &mut scored {
        if let Some(stats) = found[one.at].text() {
            tools(stats, query, top, one);
            registrations(stats, most, query, top, one);
        }
        named(&paths[one.at], query, top, one);
    }
    scored.retain(|s| s.score > 0.0);
    Scores { scored, closed, weights: corpus.weights }
}

/// Of files with the same text only the first keeps its points. `scored` must be sorted, and is not any more afterwards.
pub(super) fn demote_copies(scored: &mut [Scored], found: &[Found], paths: &[RepoPath]) {
    let mut first: HashMap<u64, usize> = HashMap::new();
    for one in scored {
        let Some(stats) = found[one.at].text() else { continue };
        let original = *first.entry(stats.digest).or_insert(one.at);
        if original != one.at {
            one.scale(COPY);
            // Explains more than the words that both have.
            one.reasons.push((f64::INFINITY, format!("the same text as {}", paths[original])));
        }
    }
}

/// Best first; the path breaks ties, so that one repository always ranks the same.
pub(super) fn sort(scored: &mut [Scored], paths: &[RepoPath]) {
    scored.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| paths[a.at].cmp(&paths[b.at])));
}

/// What all files together say about each term.
struct Corpus {
    /// How rare a term is, times what it weighs in the query.
    weights: Vec<f64>,
    average_words: f64,
}

impl Corpus {
    fn new(found: &[Found], query: &Query) -> Self {
        let mut having = vec![0_u32; query.terms.len()];
        let (mut files, mut words) = (0_u32, 0_u64);
        for stats in found.iter().filter_map(Found::text) {
            files += 1;
            words += u64::from(stats.words);
            for hit in &stats.hits {
                having[usize::from(hit.term)] += 1;
            }
        }
        let n = f64::from(files);
        let idf = |df: f64| (1.0 + (n - df + 0.5) / (df + 0.5)).ln();
        let weights = having.iter().zip(&query.terms).map(|(df, term)| idf(f64::from(*df)) * term.weight);
        Self { weights: weights.collect(), average_words: (words as f64 / n.max(1.0)).max(1.0) }
    }

    fn contents(&self, stats: &Stats, query: &Query, one: &mut Scored) {
        let length = 1.0 - B + B * f64::from(stats.words) / self.average_words;
        for hit in &stats.hits {
            let at = usize::from(hit.term);
            let tf = f64::from(hit.count) + DEFINED * f64::from(hit.defined.min(MAX_DEFINED));
            let points = self.weights[at] * tf * (K1 + 1.0) / (tf + K1 * length);
            let defines = if hit.defined > 0 { ", defined" } else { "" };
            one.add(points, || format!("`{}` {}{defines}", query.terms[at].shown, times(hit.count)));
        }
    }

    fn path(&self, path: &RepoPath, query: &Query, one: &mut Scored) {
        let (directories, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let mut seen = HashSet::new();
        for (text, worth, place) in [(stem, IN_NAME, "its name"), (directories, IN_DIRECTORY, "its directory")] {
            let found = words::identifiers(text).flat_map(|(_, word)| query.look_up(word).terms);
            for term in found.filter(|t| seen.insert(*t)) {
                let term = usize::from(term);
                let points = self.weights[term] * worth;
                one.add(points, || format!("{place} has `{}`", query.terms[term].shown));
            }
        }
    }
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// Points for tools, in units of the best score that words reached.
fn tools(stats: &Stats, query: &Query, top: f64, one: &mut Scored) {
    let mut mentioned: BTreeMap<u8, Vec<&str>> = BTreeMap::new();
    let mut listed = 0_usize;
    for (tool, how) in &stats.tools {
        let tool = &query.tools[usize::from(*tool)];
        let rank = match how {
            ToolUse::Registers => 0,
            ToolUse::Defines => 1,
            ToolUse::Mentions => 2,
        };
        if tool.mentioned {
            mentioned.entry(rank).or_default().push(&tool.name);
        } else if *how == ToolUse::Registers {
            listed += 1;
        }
    }
    for (rank, names) in mentioned {
        let (worth, verb) = match rank {
            0 => (1.5, "registers"),
            1 => (0.6, "defines"),
            _ => (0.1, "mentions"),
        };
        // The second tool of the same text says little more than the first.
        let points = top * worth * stats.kind.factor() * (1.0 + 0.1 * (names.len().min(5) - 1) as f64);
        one.add(points, || format!("{verb} {}", list(&names)));
    }
    let all = query.tools.iter().filter(|t| !t.mentioned).count();
    if listed > 0 {
        let points = top * 0.7 * stats.kind.factor() * listed as f64 / all.max(1) as f64;
        one.add(points, || format!("registers {listed} of the {all} other tools the agent saw"));
    }
}

/// Points for the files in which tools are registered: a new one goes there, and an old one may be changed there.
fn registrations(stats: &Stats, most: u32, query: &Query, top: f64, one: &mut Scored) {
    if stats.registrations == 0 {
        return;
    }
    let worth = if query.wants_tool { REGISTERS_NEW } else { REGISTERS };
    let share = f64::from(stats.registrations).ln_1p() / f64::from(most).ln_1p();
    one.add(top * worth * stats.kind.factor() * share, || format!("registers tools, {}", times(stats.registrations)));
}

fn list(names: &[&str]) -> String {
    let mut shown: Vec<String> = names.iter().take(3).map(|n| format!("`{n}`")).collect();
    if names.len() > 3 {
        shown.push(format!("and {} more", names.len() - 3));
    }
    shown.join(", ")
}

/// Points for files that the text or the previous draft name.
fn named(path: &RepoPath, query: &Query, top: f64, one: &mut Scored) {
    let whole = path.as_str();
    let by_text = query.paths.iter().any(|p| whole == p || whole.ends_with(&format!("/{p}")));
    if by_text {
        one.add(top * 1.5, || "the text names it".to_owned());
    }
    if query.previous.contains(whole) {
        one.add(top, || "the previous draft changed it".to_owned());
    }
}
