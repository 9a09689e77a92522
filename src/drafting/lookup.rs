//! What a model asks to see before it answers: lines of files, directories, and where a text occurs.
//!
//! [`Repository`] is pure over the list of paths and a `read` function. What a model asks for was thought up by somebody who has read a stranger's
//! report, so it is judged like a path to be written: parsed, tracked by the repository, and no file that may hold secrets.
//! The results have a budget of tokens that is shared out among the requests, and every cut says what was left out.

use super::brief::fenced;
use super::context::{MAX_TEXT, Numbered, Read, TOO_MUCH, estimate_tokens, numbered_range, searchable};
use super::error::DraftError;
use super::protect::may_hold_secrets;
use super::template::fill;
use crate::domain::change::{Existing, RepoPath};
use crate::domain::text;
use crate::providers::Worktree;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

const LOOKUP: &str = include_str!("../../assets/prompts/lookup.md");

/// Most requests answered in one round; the others are named.
const MAX_REQUESTS: usize = 12;
/// Most lines of matches for one text, in all and of one file.
const MAX_MATCHES: usize = 80;
const MAX_PER_FILE: usize = 12;
/// Shortest and longest text that is searched for, in bytes.
const SEARCHED: std::ops::RangeInclusive<usize> = 2..=200;
/// Bytes shown of a line that matches, around the match.
const LINE: usize = 200;
/// Most entries of a directory that are named.
const MAX_ENTRIES: usize = 200;
/// Most other files offered when one is not there.
const MAX_OFFERED: usize = 5;

/// One thing that a model wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// Lines of a file, counted from 1; a directory's entries.
    Read { path: String, from: Option<u64>, to: Option<u64> },
    /// Lines that contain a text.
    Search { text: String },
}

impl Request {
    /// For people: one safe line.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Read { path, from: None, to: None } => text::clipped(path, 120),
            Self::Read { path, from, to } => {
                let number = |n: &Option<u64>, open: &str| n.map_or(open.to_owned(), |n| n.to_string());
                format!("{} (lines {} to {})", text::clipped(path, 120), number(from, "1"), number(to, "the end"))
            }
            Self::Search { text } => format!("where `{}` occurs", text::clipped(text, 80)),
        }
    }
}

/// Looks a round's requests up in a worktree, on a blocking thread: a search reads every file.
pub(super) async fn serve(
    requests: Vec<Request>,
    worktree: &Arc<Worktree>,
    budget: usize,
) -> Result<String, DraftError> {
    let paths: Vec<RepoPath> = worktree.files().iter().map(|file| file.path.clone()).collect();
    let worktree = Arc::clone(worktree);
    let work = move || {
        Repository { paths: &paths, read: &|path| worktree.read(path), max_text: MAX_TEXT }.serve(&requests, budget)
    };
    let served = tokio::task::spawn_blocking(work).await;
    served.map_err(|e| DraftError::Local(format!("looking something up failed: {e}; this is a bug worth reporting")))
}

/// What the repository has.
pub(super) struct Repository<'a> {
    /// Everything that is tracked, in git's order.
    pub(super) paths: &'a [RepoPath],
    pub(super) read: Read<'a>,
    /// Bytes of text that a search reads.
    pub(super) max_text: usize,
}

impl Repository<'_> {
    /// The results of a round in about `budget` estimated tokens, for the model.
    pub(super) fn serve(&self, requests: &[Request], budget: usize) -> String {
        let served = &requests[..requests.len().min(MAX_REQUESTS)];
        let searches: Vec<Search<'_>> = served.iter().filter_map(Search::of).collect();
        let mut matches = self.search(searches).into_iter();
        let mut results = String::new();
        let mut left = budget;
        for (at, request) in served.iter().enumerate() {
            // What one leaves over is there for the next.
            let share = left / (served.len() - at);
            let (attributes, body) = match request {
                Request::Read { path, from, to } => self.read(path, *from, *to, share),
                Request::Search { text } => {
                    let found = matches.next().map_or_else(String::new, |search| search.told(share));
                    (format!("search=\"{}\"", attribute(text)), found)
                }
            };
            let block = fenced("looked_up", &attributes, body.trim_end_matches('\n'));
            left = left.saturating_sub(estimate_tokens(&block));
            results.push_str(&block);
        }
        let refused = requests.len() - served.len();
        if refused > 0 {
            // Writing to a String can't fail.
            let _ = writeln!(
                results,
                "[{refused} more requests were left out: at most {MAX_REQUESTS} are answered at a time]"
            );
        }
        results
    }

    /// The attributes and the text of what is at a path, or why it can't be had.
    fn read(&self, raw: &str, from: Option<u64>, to: Option<u64>, room: usize) -> (String, String) {
        let name = format!("path=\"{}\"", attribute(raw));
        let directory = raw.trim_start_matches("./").trim_end_matches('/');
        if directory.is_empty() || directory == "." {
            return (name, self.entries(""));
        }
        let path = match RepoPath::parse(directory) {
            Ok(path) => path,
            Err(wrong) => return (name, refused(&wrong.to_string())),
        };
        if may_hold_secrets(path.file_name()) {
            return (name, refused("it may hold secrets and is never shown"));
        }
        match (self.read)(&path) {
            Existing::Text(text) if self.is_tracked(&path) => lines(&name, &text, from, to, room),
            Existing::Text(_) => (name, refused("it is not a file of the repository")),
            Existing::Missing => (name, refused(&format!("there is no such file{}", self.offers(&path)))),
            Existing::Opaque(_) if self.is_directory(&path) => (name, self.entries(&format!("{path}/"))),
            Existing::Opaque(why) => (name, refused(why)),
        }
    }

    fn is_tracked(&self, path: &RepoPath) -> bool {
        self.paths.contains(path)
    }

    fn is_directory(&self, path: &RepoPath) -> bool {
        let below = format!("{path}/");
        self.paths.iter().any(|p| p.as_str().starts_with(&below))
    }

    /// What is directly below a directory; `above` ends with a slash or is empty.
    fn entries(&self, above: &str) -> String {
        let below = self.paths.iter().filter_map(|path| path.as_str().strip_prefix(above));
        let entries: BTreeSet<&str> = below.map(|rest| rest.find('/').map_or(rest, |slash| &rest[..=slash])).collect();
        let mut told: Vec<&str> = entries.iter().copied().take(MAX_ENTRIES).collect();
        let more = format!("[{} more entries]", entries.len().saturating_sub(MAX_ENTRIES));
        if entries.len() > MAX_ENTRIES {
            told.push(&more);
        }
        told.join("\n")
    }

    /// Files of the same name elsewhere.
    fn offers(&self, path: &RepoPath) -> String {
        let name = path.file_name();
        let same = self.paths.iter().filter(|p| p.file_name().eq_ignore_ascii_case(name));
        let same: Vec<&str> = same.take(MAX_OFFERED).map(RepoPath::as_str).collect();
        if same.is_empty() { String::new() } else { format!("; of that name there is {}", same.join(", ")) }
    }

    /// Looks through all files once, however many texts are searched for. Sources come before what only speaks of them.
    fn search<'r>(&self, mut searches: Vec<Search<'r>>) -> Vec<Search<'r>> {
        if searches.iter().all(|search| search.refused.is_some()) {
            return searches;
        }
        let mut read = 0;
        for path in searchable(self.paths) {
            if read >= self.max_text {
                for search in &mut searches {
                    search.unread += 1;
                }
                continue;
            }
            let Existing::Text(text) = (self.read)(path) else { continue };
            read += text.len();
            let lower = searches.iter().any(|search| search.any_case).then(|| text.to_ascii_lowercase());
            for search in searches.iter_mut().filter(|search| search.refused.is_none()) {
                search.look(path, &text, lower.as_deref().filter(|_| search.any_case).unwrap_or(&text));
            }
        }
        searches
    }
}

/// The turn for the model: the results, and how often it may ask again.
pub(super) fn turn(results: &str, rounds_left: usize) -> String {
    let rounds = match rounds_left {
        0 => LAST.to_owned(),
        1 => "You may ask once more; after that, answer with what you have.".to_owned(),
        more => format!("You may ask {more} more times; answer as soon as you have seen enough."),
    };
    fill(LOOKUP, &[("results", results), ("rounds", &rounds)])
}

/// What is said to a model that asks when it may not.
pub(super) const LAST: &str = "You can't look up anything more. Answer now with what you have: `look_up` is empty, `files` has the change, and what you could not \
     check stands in `summary`.";

fn lines(name: &str, text: &str, from: Option<u64>, to: Option<u64>, room: usize) -> (String, String) {
    let all = text.lines().count();
    let place = |n: Option<u64>, open: usize| n.map_or(open, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let (from, to) = (place(from, 1).max(1), place(to, all).min(all));
    let attributes = format!("{name} lines=\"{all}\"");
    if all == 0 {
        return (attributes, "[the file is empty]".to_owned());
    }
    if from > to {
        return (attributes, refused(&format!("the file has {all} lines, and none from {from} to {to}")));
    }
    let Numbered { mut body, ranges } = numbered_range(text, from, to, room);
    let end = ranges.last().map_or(0, |(_, end)| *end);
    if end < to {
        // Writing to a String can't fail.
        let _ = writeln!(body, "[there was no room for lines {} to {to}: ask for them with `from` and `to`]", end + 1);
    }
    (attributes, body)
}

fn refused(why: &str) -> String {
    format!("[not shown: {why}]")
}

/// Text for between two quotes: one safe line without quotes of its own.
fn attribute(raw: &str) -> String {
    text::clipped(raw, SEARCHED.end() + 100).replace('"', "'")
}

/// A text, and what was found of it.
struct Search<'r> {
    /// As it is compared: in lower case when any case fits.
    wanted: String,
    any_case: bool,
    refused: Option<&'r str>,
    files: usize,
    matches: usize,
    /// Files that were not searched.
    unread: usize,
    /// `path:line: text`
    lines: Vec<String>,
}

impl<'r> Search<'r> {
    fn of(request: &'r Request) -> Option<Self> {
        let Request::Search { text } = request else { return None };
        let wanted = text.trim();
        let refused = if !SEARCHED.contains(&wanted.len()) {
            Some("a text to search for has 2 to 200 bytes")
        } else if wanted.contains(['\n', '\r']) {
            Some("a text to search for stands on one line")
        } else {
            None
        };
        // As people know it from their editors: a capital makes the case count.
        let any_case = !wanted.bytes().any(|b| b.is_ascii_uppercase());
        Some(Self { wanted: wanted.to_owned(), any_case, refused, files: 0, matches: 0, unread: 0, lines: Vec::new() })
    }

    /// Notes the matches of a file; `compared` is its text, in lower case where that is how it is compared.
    fn look(&mut self, path: &RepoPath, text: &str, compared: &str) {
        let mut here = 0;
        // Both have the same lines: only ASCII letters differ.
        for (number, (line, compared)) in text.lines().zip(compared.lines()).enumerate() {
            let Some(at) = compared.find(&self.wanted) else { continue };
            here += 1;
            if here <= MAX_PER_FILE && self.lines.len() < MAX_MATCHES {
                self.lines.push(format!("{path}:{}: {}\n", number + 1, around(line, at, self.wanted.len())));
            }
        }
        self.files += usize::from(here > 0);
        self.matches += here;
    }

    /// What was found, in at most `room` estimated tokens.
    fn told(&self, room: usize) -> String {
        if let Some(why) = self.refused {
            return refused(why);
        }
        let mut out = String::new();
        if self.unread > 0 {
            // Writing to a String can't fail.
            let _ = writeln!(out, "[{} files were not searched: {TOO_MUCH}]", self.unread);
        }
        if self.matches == 0 {
            return out + "[no line of a text file has it]";
        }
        let mut shown = 0;
        for line in &self.lines {
            if estimate_tokens(&out) + estimate_tokens(line) > room && shown > 0 {
                break;
            }
            out.push_str(line);
            shown += 1;
        }
        if shown < self.matches {
            // Writing to a String can't fail.
            let _ = writeln!(
                out,
                "[{shown} of {} lines in {} files are shown: search for more of the text]",
                self.matches, self.files
            );
        }
        out
    }
}

/// A line that matches, or the part around the match when it is long.
fn around(line: &str, at: usize, len: usize) -> String {
    if line.len() <= LINE {
        return line.trim_end().to_owned();
    }
    let from = line.floor_char_boundary(at.saturating_sub(LINE / 4));
    let to = line.ceil_char_boundary((from + LINE).max(at + len).min(line.len()));
    let mark = |cut: bool| if cut { "…" } else { "" };
    format!("{}{}{}", mark(from > 0), &line[from..to], mark(to < line.len()))
}

#[cfg(test)]
mod tests;
