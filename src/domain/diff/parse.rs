//! Reading git's format. Hunks are read by the counts in their headers, so no line of a file can pass for a header.

use super::{Diff, FileDiff, Hunk, LineKind, Span, What};
use crate::domain::change::RepoPath;
use std::iter::Peekable;
use std::str::Split;

/// The text is no diff that this program made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the diff can't be read at its line {line} ({why}); draft again")]
pub struct Malformed {
    /// Counted from 1.
    pub line: usize,
    why: &'static str,
}

pub(super) fn diff(text: &str) -> Result<Diff, Malformed> {
    let mut reader = Reader { lines: text.split('\n').peekable(), at: 0 };
    let mut files = Vec::new();
    while let Some(line) = reader.next() {
        if line.is_empty() && reader.lines.peek().is_none() {
            // What stands behind the last line break.
            break;
        }
        let twice = line.strip_prefix("diff --git ").ok_or_else(|| reader.malformed("a file was expected"))?;
        files.push(reader.file(twice)?);
    }
    Ok(Diff { files })
}

/// The kind of a line in a hunk, and its text.
pub(super) fn line(raw: &str) -> Option<(LineKind, &str)> {
    match raw.as_bytes().first() {
        // Some settings of git's leave the blank away where a line is empty.
        None => Some((LineKind::Context, raw)),
        Some(b' ') => Some((LineKind::Context, &raw[1..])),
        Some(b'-') => Some((LineKind::Removed, &raw[1..])),
        Some(b'+') => Some((LineKind::Added, &raw[1..])),
        Some(_) => None,
    }
}

struct Reader<'a> {
    lines: Peekable<Split<'a, char>>,
    /// Lines read.
    at: usize,
}

/// What stands between a file's first line and its hunks.
#[derive(Default)]
struct Header {
    old_mode: Option<u32>,
    new_mode: Option<u32>,
    created: Option<u32>,
    deleted: bool,
    from: Option<RepoPath>,
    to: Option<RepoPath>,
    blobs: Option<(String, String)>,
    binary: bool,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a str> {
        self.at += 1;
        self.lines.next()
    }

    fn next_if(&mut self, wanted: impl Fn(&str) -> bool) -> Option<&'a str> {
        let line = self.lines.next_if(|line| wanted(line));
        self.at += usize::from(line.is_some());
        line
    }

    fn malformed(&self, why: &'static str) -> Malformed {
        Malformed { line: self.at, why }
    }

    fn file(&mut self, twice: &str) -> Result<FileDiff, Malformed> {
        let named = self.at;
        let mut header = Header::default();
        while let Some(line) = self.next_if(|line| !line.is_empty() && !begins(line)) {
            self.read_header(&mut header, line)?;
        }
        let mut hunks = Vec::new();
        while let Some(line) = self.next_if(|line| line.starts_with("@@ ")) {
            hunks.push(self.hunk(line)?);
        }
        let path = match &header.to {
            Some(to) => to.clone(),
            None => both(twice).ok_or(Malformed { line: named, why: "the file's name is not one" })?,
        };
        let what = match (header.created, header.deleted, header.from) {
            (Some(mode), false, None) => What::Created { mode },
            (None, true, None) => What::Deleted,
            (None, false, None) => What::Edited,
            (None, false, Some(from)) => What::Renamed { from },
            _ => return Err(self.malformed("its header contradicts itself")),
        };
        let modes = header.old_mode.zip(header.new_mode);
        Ok(FileDiff { path, what, modes, blobs: header.blobs, binary: header.binary, hunks })
    }

    fn read_header(&self, header: &mut Header, line: &str) -> Result<(), Malformed> {
        let mode = |text: &str| {
            u32::from_str_radix(text, 8).map(Some).map_err(|_| self.malformed("a file's mode was expected"))
        };
        let path = |text: &str| Ok(Some(name(text, "").ok_or_else(|| self.malformed("a file's name was expected"))?));
        if let Some(rest) = line.strip_prefix("old mode ") {
            header.old_mode = mode(rest)?;
        } else if let Some(rest) = line.strip_prefix("new mode ") {
            header.new_mode = mode(rest)?;
        } else if let Some(rest) = line.strip_prefix("new file mode ") {
            header.created = mode(rest)?;
        } else if line.starts_with("deleted file mode ") {
            header.deleted = true;
        } else if let Some(rest) = line.strip_prefix("rename from ") {
            header.from = path(rest)?;
        } else if let Some(rest) = line.strip_prefix("rename to ") {
            header.to = path(rest)?;
        } else if line.starts_with("Binary files ") {
            header.binary = true;
        } else if let Some(rest) = line.strip_prefix("index ") {
            let blobs = rest.split(' ').next().unwrap_or(rest);
            header.blobs = blobs.split_once("..").map(|(before, after)| (before.to_owned(), after.to_owned()));
        } else if !["similarity index ", "dissimilarity index ", "--- ", "+++ "]
            .iter()
            .any(|known| line.starts_with(known))
        {
            return Err(self.malformed("this kind of header is not known"));
        }
        Ok(())
    }

    fn hunk(&mut self, header: &str) -> Result<Hunk, Malformed> {
        let (before, after, section) =
            spans(header).ok_or_else(|| self.malformed("the place of a hunk was expected"))?;
        let mut body = String::new();
        let (mut old, mut new) = (before.lines, after.lines);
        while old > 0 || new > 0 {
            let raw = self.next().ok_or_else(|| self.malformed("a hunk is cut off"))?;
            let (kind, _) = line(raw).ok_or_else(|| self.malformed("a line of a hunk was expected"))?;
            let (in_old, in_new) = match kind {
                LineKind::Context => (1, 1),
                LineKind::Removed => (1, 0),
                LineKind::Added => (0, 1),
            };
            let too_long = || self.malformed("a hunk is longer than it says");
            old = old.checked_sub(in_old).ok_or_else(too_long)?;
            new = new.checked_sub(in_new).ok_or_else(too_long)?;
            body.extend([raw, "\n"]);
            if let Some(no_newline) = self.next_if(|line| line.starts_with('\\')) {
                body.extend([no_newline, "\n"]);
            }
        }
        Ok(Hunk { before, after, section, body })
    }
}

/// Whether a line ends a file's header.
fn begins(line: &str) -> bool {
    line.starts_with("@@ ") || line.starts_with("diff --git ")
}

/// `@@ -1,4 +1,5 @@ section`
fn spans(header: &str) -> Option<(Span, Span, String)> {
    let (places, section) = header.strip_prefix("@@ -")?.split_once(" @@")?;
    let (before, after) = places.split_once(" +")?;
    Some((span(before)?, span(after)?, section.strip_prefix(' ').unwrap_or(section).to_owned()))
}

fn span(text: &str) -> Option<Span> {
    let (start, lines) = text.split_once(',').unwrap_or((text, "1"));
    Some(Span { start: start.parse().ok()?, lines: lines.parse().ok()? })
}

/// The name that stands twice in `a/NAME b/NAME`, quoted or not. A name may hold blanks, even ` b/`, so the length decides.
fn both(twice: &str) -> Option<RepoPath> {
    let half = twice.len().checked_sub(1)? / 2;
    let (old, new) = (twice.get(..half)?, twice.get(half + 1..)?);
    let (old, new) = (name(old, "a/")?, name(new, "b/")?);
    (old == new).then_some(new)
}

fn name(text: &str, prefix: &str) -> Option<RepoPath> {
    let plain = match text.strip_prefix('"') {
        Some(quoted) => unquoted(quoted.strip_suffix('"')?)?,
        None => text.to_owned(),
    };
    RepoPath::parse(plain.strip_prefix(prefix)?).ok()
}

/// git quotes names as C quotes strings.
fn unquoted(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            plain @ (b'"' | b'\\') => plain,
            first @ b'0'..=b'3' => {
                let mut digit = || rest.next().filter(|d| matches!(d, b'0'..=b'7')).map(|d| d - b'0');
                (first - b'0') * 64 + digit()? * 8 + digit()?
            }
            _ => return None,
        });
    }
    String::from_utf8(bytes).ok()
}
