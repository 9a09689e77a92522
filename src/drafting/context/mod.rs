//! The context stage: which files of the repository a drafter gets to see, and why.
//!
//! ```text
//! report + notes ─▶ query ─▶ index (one pass over all files) ─▶ rank (BM25, symbols, tools) ─▶ neighbours ─▶ pack ─▶ Context
//! ```
//!
//! Pure but for the `read` it is handed, so that a ranking can be tested on a map of made-up files. Nothing here is async:
//! the caller runs it on a blocking thread.

mod classify;
mod imports;
mod index;
mod neighbours;
mod pack;
mod query;
mod rank;
mod sieve;
mod symbols;
#[cfg(test)]
mod tests;
mod tree;
mod windows;
mod words;

pub(super) use index::{MAX_TEXT, Read};
pub(super) use windows::{Numbered, range as numbered_range};

use self::index::Found;
use self::pack::{Packed, Packer};
use self::rank::{Scored, Scores};
use super::job::Previous;
use crate::domain::change::{Existing, RepoPath};
use crate::protocol::read::{Detail, RankedFile};
use std::collections::HashMap;

/// Why a file was not looked at.
pub(super) const TOO_MUCH: &str = "there is more text in the repository than is looked at";

/// Most files named in a ranking; the tail of a large repository interests nobody.
const MAX_RANKED: usize = 60;
/// Most files named that are never shown; the tree has them all.
const MAX_CLOSED: usize = 20;
/// Lines of the drawn tree.
const MAX_TREE_LINES: usize = 160;
/// The part of the budget that the tree may take.
const TREE_SHARE: usize = 8;

/// A file's text as the brief shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) path: RepoPath,
    /// The file itself, or numbered windows of it.
    pub(super) body: String,
    /// First and last line of each window, from 1; empty when the file is shown whole.
    pub(super) ranges: Vec<(usize, usize)>,
    pub(super) whole: bool,
    /// The draft before was shown it whole, too: a provider may have it in its cache.
    pub(super) kept: bool,
    /// Lines of the whole file.
    pub(super) lines: usize,
    /// Estimated, its frame included.
    pub(super) tokens: usize,
}

/// A file that matched and is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) path: RepoPath,
    pub(super) why: &'static str,
}

/// What the drafter is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Context {
    /// Best first; the shown ones have tokens.
    pub(super) ranked: Vec<RankedFile>,
    pub(super) excerpts: Vec<Excerpt>,
    /// Best first.
    pub(super) left_out: Vec<LeftOut>,
    /// Files whose names match and that are never shown, best first.
    pub(super) closed: Vec<LeftOut>,
    /// Files that match and are not even named in the ranking.
    pub(super) weaker: usize,
    /// Files that were not looked at, because there is too much before them.
    pub(super) unread: usize,
    pub(super) tree: String,
    /// Files in the repository.
    pub(super) total_files: usize,
}

impl Context {
    /// Estimated tokens of everything that is shown of the repository.
    pub(super) fn tokens(&self) -> usize {
        estimate_tokens(&self.tree) + self.excerpts.iter().map(|e| e.tokens).sum::<usize>()
    }
}

/// Tokens of a text: about 3.5 bytes each in code. A guess that errs on the high side for prose.
pub(super) fn estimate_tokens(text: &str) -> usize {
    tokens_of(text.len())
}

fn tokens_of(bytes: usize) -> usize {
    (bytes * 2).div_ceil(7)
}

/// The ranking alone, best first, with what each file takes of the budget: for measuring how well files are found.
pub fn choose_files(
    paths: &[RepoPath],
    read: &(dyn Fn(&RepoPath) -> Existing + Sync),
    report: &Detail,
    budget: usize,
) -> Vec<RankedFile> {
    choose(paths, read, report, None, budget).ranked
}

/// Chooses and packs files for a report into `budget` estimated tokens.
pub(super) fn choose(
    paths: &[RepoPath],
    read: Read<'_>,
    report: &Detail,
    previous: Option<&Previous>,
    budget: usize,
) -> Context {
    let query = query::Query::new(report, previous);
    let found = index::index(paths, read, &query, MAX_TEXT);
    let unread = found.iter().filter(|found| matches!(found, Found::Unread)).count();
    let Scores { mut scored, mut closed, weights } = rank::score(paths, &found, &query);
    rank::sort(&mut scored, paths);
    rank::demote_copies(&mut scored, &found, paths);
    rank::sort(&mut scored, paths);
    neighbours::lift(&mut scored, paths, &found);
    rank::sort(&mut scored, paths);
    let best: Vec<&RepoPath> = scored.iter().take(MAX_RANKED).map(|s| &paths[s.at]).collect();
    let tree = tree_within(paths, &best, budget / TREE_SHARE);
    let budget = budget.saturating_sub(estimate_tokens(&tree));
    let kept = previous.map(|p| p.whole.iter().map(String::as_str).collect()).unwrap_or_default();
    let packed = Packer { paths, read, query: &query, weights: &weights, budget, kept }.pack(&scored);
    closed.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| paths[a.at].cmp(&paths[b.at])));
    let closed = closed.iter().take(MAX_CLOSED).map(|c| LeftOut { path: paths[c.at].clone(), why: c.why }).collect();
    let ranked = ranking(&scored, paths, &packed);
    let weaker = scored.len() - ranked.len();
    let Packed { excerpts, left_out } = packed;
    Context { ranked, excerpts, left_out, closed, weaker, unread, tree, total_files: paths.len() }
}

/// The best files and all that are shown, with what is shown of them.
fn ranking(scored: &[Scored], paths: &[RepoPath], packed: &Packed) -> Vec<RankedFile> {
    let shown: HashMap<&RepoPath, &Excerpt> = packed.excerpts.iter().map(|e| (&e.path, e)).collect();
    let left_out: HashMap<&RepoPath, &str> = packed.left_out.iter().map(|l| (&l.path, l.why)).collect();
    let named = scored.iter().enumerate().filter(|(place, s)| *place < MAX_RANKED || shown.contains_key(&paths[s.at]));
    let ranked = named.map(|(_, s)| {
        let path = &paths[s.at];
        let excerpt = shown.get(path);
        RankedFile {
            path: path.as_str().to_owned(),
            score: (s.score * 100.0).round() / 100.0,
            reasons: s.reasons(),
            tokens: excerpt.map_or(0, |e| e.tokens),
            whole: excerpt.is_some_and(|e| e.whole),
            lines: excerpt.map(|e| e.ranges.clone()).unwrap_or_default(),
            left_out: left_out.get(path).copied().unwrap_or_default().to_owned(),
        }
    });
    ranked.collect()
}

/// The files that a text may be looked for in, sources before what only speaks of them.
pub(super) fn searchable(paths: &[RepoPath]) -> Vec<&RepoPath> {
    let mut kinds: Vec<(f64, &RepoPath)> = paths.iter().map(|path| (classify::by_path(path).factor(), path)).collect();
    kinds.retain(|(factor, _)| *factor > 0.0);
    kinds.sort_by(|a, b| b.0.total_cmp(&a.0));
    kinds.into_iter().map(|(_, path)| path).collect()
}

/// The largest drawing that fits: long names can make few lines expensive.
fn tree_within(paths: &[RepoPath], best: &[&RepoPath], budget: usize) -> String {
    let mut lines = MAX_TREE_LINES;
    loop {
        let drawn = tree::draw(paths, best, lines);
        if estimate_tokens(&drawn) <= budget {
            return drawn;
        }
        if lines == 0 {
            return format!("[the tree of {} files does not fit in the budget]\n", paths.len());
        }
        lines /= 2;
    }
}
