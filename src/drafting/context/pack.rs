//! Spends the token budget: small files whole, large ones as numbered windows around what matched.
//!
//! Nothing is cut in silence. A window says which lines are missing around it, a line that is too long says by how
//! much, and a file that found no room is named with the reason.

use super::index::Read;
use super::query::Query;
use super::rank::Scored;
use super::windows::{self, Numbered, Weights};
use super::{Excerpt, LeftOut, estimate_tokens};
use crate::domain::change::{Existing, RepoPath};
use std::collections::{HashMap, HashSet};

/// Tokens of a file's own frame in the brief, besides its path.
const FRAME: usize = 24;
/// Below this an excerpt is not worth its frame.
const MIN_EXCERPT: usize = 150;
const NO_ROOM: &str = "no room was left";
/// Most files shown; more of them would be read by nobody.
const MAX_FILES: usize = 40;
/// A file whose score is below this part of the best one's is not shown.
const WEAK: f64 = 0.03;

/// The largest part of the budget that one file may take: first when it is shown whole, then when it is cut to windows. The best
/// files get more; none gets everything.
const SHARES: [(usize, (usize, usize)); 3] = [(3, (4, 6)), (10, (8, 12)), (usize::MAX, (12, 24))];

/// The part of the budget, in quarters, that may go to files because the draft before was shown them.
const KEPT_QUARTERS: usize = 3;

/// What was chosen, in rank order, and what was not.
pub(super) struct Packed {
    pub(super) excerpts: Vec<Excerpt>,
    pub(super) left_out: Vec<LeftOut>,
}

/// What the excerpts are made with.
pub(super) struct Packer<'a> {
    pub(super) paths: &'a [RepoPath],
    pub(super) read: Read<'a>,
    pub(super) query: &'a Query,
    pub(super) weights: Weights<'a>,
    pub(super) budget: usize,
    /// Shown whole to the draft before. They stay where there is room: what was sent before is cheap to send again, and the new
    /// draft is about the same files.
    pub(super) kept: HashSet<&'a str>,
}

impl Packer<'_> {
    /// Fills the budget from the best file down.
    pub(super) fn pack(&self, scored: &[Scored]) -> Packed {
        let mut packed = Packed { excerpts: Vec::new(), left_out: Vec::new() };
        let best = scored.first().map_or(0.0, |s| s.score);
        let mut kept = self.kept(scored);
        let mut left = self.budget - kept.values().map(|e| e.tokens).sum::<usize>();
        for one in scored {
            let path = &self.paths[one.at];
            if let Some(excerpt) = kept.remove(&one.at) {
                packed.excerpts.push(excerpt);
                continue;
            }
            let refused = if one.score < best * WEAK {
                Err("its match is weak")
            } else if packed.excerpts.len() + kept.len() >= MAX_FILES {
                Err("enough files are shown")
            } else {
                self.excerpt(path, packed.excerpts.len(), left)
            };
            match refused {
                Ok(excerpt) => {
                    left -= excerpt.tokens.min(left);
                    packed.excerpts.push(excerpt);
                }
                Err(why) => packed.left_out.push(LeftOut { path: path.clone(), why }),
            }
        }
        packed
    }

    /// What stays of the files that the draft before was shown, by their places.
    fn kept(&self, scored: &[Scored]) -> HashMap<usize, Excerpt> {
        let mut left = self.budget / 4 * KEPT_QUARTERS;
        let mut kept = HashMap::new();
        for one in scored.iter().filter(|one| self.kept.contains(self.paths[one.at].as_str())) {
            let path = &self.paths[one.at];
            let Existing::Text(text) = (self.read)(path) else { continue };
            let tokens = estimate_tokens(&text) + FRAME + estimate_tokens(path.as_str());
            if tokens <= left && kept.len() < MAX_FILES {
                left -= tokens;
                let lines = text.lines().count();
                let path = path.clone();
                kept.insert(
                    one.at,
                    Excerpt { path, body: text, ranges: Vec::new(), whole: true, kept: true, lines, tokens },
                );
            }
        }
        kept
    }

    fn excerpt(&self, path: &RepoPath, place: usize, left: usize) -> Result<Excerpt, &'static str> {
        let frame = FRAME + estimate_tokens(path.as_str());
        if left < frame + MIN_EXCERPT {
            // Not even read: thousands of files may come here.
            return Err(NO_ROOM);
        }
        let text = match (self.read)(path) {
            Existing::Text(text) => text,
            Existing::Opaque(why) => return Err(why),
            Existing::Missing => return Err("it is gone"),
        };
        let (whole_part, part) =
            SHARES.iter().find(|(places, _)| place < *places).map_or((12, 24), |(_, parts)| *parts);
        let lines = text.lines().count();
        let whole = estimate_tokens(&text) + frame;
        if whole <= left.min(self.budget / whole_part) {
            return Ok(Excerpt {
                path: path.clone(),
                body: text,
                ranges: Vec::new(),
                whole: true,
                kept: false,
                lines,
                tokens: whole,
            });
        }
        let room = left.min(self.budget / part).saturating_sub(frame);
        if room < MIN_EXCERPT {
            return Err(NO_ROOM);
        }
        let Numbered { body, ranges } = windows::around_matches(&text, self.query, self.weights, room);
        let tokens = estimate_tokens(&body) + frame;
        Ok(Excerpt { path: path.clone(), body, ranges, whole: false, kept: false, lines, tokens })
    }
}
