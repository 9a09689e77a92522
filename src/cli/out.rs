//! Standard output: buffered, safe to show, coloured only for a terminal that wants it.

use crate::domain::text;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use unicode_width::UnicodeWidthChar;

/// Columns of a terminal that does not say how wide it is.
const USUAL_WIDTH: usize = 100;

/// Columns of a field's name.
const FIELD: usize = 13;

/// The few colours the command line uses, as SGR parameters of the terminal's own palette.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ink {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Blue,
}

impl Ink {
    fn sgr(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Blue => "34",
        }
    }
}

/// Standard output for the length of a command. Nothing reaches it without going through `domain::text`.
#[derive(Debug)]
pub(super) struct Out {
    to: BufWriter<StdoutLock<'static>>,
    colours: bool,
    /// `None` when nobody looks: then nothing is cut.
    width: Option<usize>,
}

impl Out {
    pub(super) fn open() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let width = is_terminal.then(|| {
            let size = rustix::termios::tcgetwinsize(&stdout).map_or(0, |size| usize::from(size.ws_col));
            if size == 0 { USUAL_WIDTH } else { size }
        });
        Self { to: BufWriter::new(stdout.lock()), colours: is_terminal && colours_wanted(), width }
    }

    pub(super) fn width(&self) -> Option<usize> {
        self.width
    }

    /// One line; what is hostile in it is replaced.
    pub(super) fn line(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.to, "{}", text::line(&line.to_string()))
    }

    /// One line of parts, some of them coloured.
    pub(super) fn parts(&mut self, parts: &[(Option<Ink>, String)]) -> io::Result<()> {
        let mut line = String::new();
        for (ink, part) in parts {
            line.push_str(&self.painted(*ink, part));
        }
        writeln!(self.to, "{}", line.trim_end())
    }

    fn painted(&self, ink: Option<Ink>, part: &str) -> String {
        let safe = text::line(part);
        match ink {
            Some(ink) if self.colours && !safe.trim().is_empty() => format!("\u{1b}[{}m{safe}\u{1b}[0m", ink.sgr()),
            _ => safe,
        }
    }

    /// Several lines, each behind `indent`.
    pub(super) fn block(&mut self, indent: &str, block: &str) -> io::Result<()> {
        for line in text::block(block).trim_end().lines() {
            writeln!(self.to, "{}", format!("{indent}{line}").trim_end())?;
        }
        Ok(())
    }

    /// Several lines behind `indent`, on a terminal broken between words.
    pub(super) fn prose(&mut self, indent: &str, prose: &str) -> io::Result<()> {
        let room = self.width.map(|width| width.saturating_sub(columns(indent)).max(20));
        for line in text::block(prose).trim_end().lines() {
            for piece in wrapped(line, room.unwrap_or(usize::MAX)) {
                writeln!(self.to, "{}", format!("{indent}{piece}").trim_end())?;
            }
        }
        Ok(())
    }

    /// A line of a name and a value, nothing when there is no value; a long one goes on below its beginning.
    pub(super) fn field(&mut self, name: &str, value: &str) -> io::Result<()> {
        if value.is_empty() {
            return Ok(());
        }
        let room = self.width.map_or(usize::MAX, |width| width.saturating_sub(FIELD).max(20));
        for (n, piece) in wrapped(&text::line(value), room).into_iter().enumerate() {
            let name = if n == 0 { name } else { "" };
            self.parts(&[(Some(Ink::Dim), format!("{name:<FIELD$}")), (None, piece)])?;
        }
        Ok(())
    }

    /// Text of our own that is a file by itself, such as the example configuration.
    pub(super) fn verbatim(&mut self, ours: &str) -> io::Result<()> {
        self.to.write_all(ours.as_bytes())
    }

    /// A JSON document, indented; control characters are escaped by JSON itself.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        writeln!(self.to, "{}", json_safe(&json))
    }

    /// A JSON document on one line, as an element of a list printed piece by piece.
    pub(super) fn json_element(&mut self, first: bool, value: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string(value).map_err(io::Error::other)?;
        let before = if first { "[\n" } else { ",\n" };
        write!(self.to, "{before}{}", json_safe(&json))
    }

    /// Ends what [`Self::json_element`] began.
    pub(super) fn json_end(&mut self, empty: bool) -> io::Result<()> {
        self.to.write_all(if empty { b"[]\n" } else { b"\n]\n" })
    }

    /// Must be the last thing a command does: only now is everything written, or found to be unwritable.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// JSON escapes C0 by itself; DEL, C1, and what reorders or hides text are escaped here, so that the document means the same.
fn json_safe(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || c.is_ascii_graphic() || c == ' ' || text::line(c.encode_utf8(&mut [0; 4])).starts_with(c) {
            out.push(c);
        } else {
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

/// `NO_COLOR`, set to anything but nothing, and `TERM=dumb` mean no.
pub(super) fn colours_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

/// `text` as one safe line of at most `columns`, with `…` where something was cut.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let safe = text::clipped(text, columns.max(1));
    let mut used = 0;
    let mut out = String::new();
    for c in safe.chars() {
        let width = c.width().unwrap_or(0);
        if used + width > columns {
            // Make room for the mark: the last character may be two columns wide.
            while used >= columns
                && let Some(last) = out.pop()
            {
                used -= last.width().unwrap_or(0);
            }
            out.push('…');
            return out;
        }
        used += width;
        out.push(c);
    }
    out
}

/// A safe line in pieces of at most `room` columns, broken at blanks; each begins as far in as the line does.
fn wrapped(line: &str, room: usize) -> Vec<String> {
    let inset: String = line.chars().take_while(|c| *c == ' ').take(room / 2).collect();
    let mut pieces = Vec::new();
    let mut piece = inset.clone();
    for word in line.trim_start_matches(' ').split_inclusive(' ') {
        let fits = columns(&piece) + columns(word.trim_end()) <= room;
        // A word that is longer than a line stays whole: it is a path or an address, and somebody will copy it.
        if !fits && piece.len() > inset.len() {
            pieces.push(std::mem::replace(&mut piece, inset.clone()));
        }
        piece.push_str(word);
    }
    pieces.push(piece);
    pieces
}

/// Columns that a safe line takes.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_wider_than_asked() {
        for text in ["plain", "a much longer line", "日本語のテキスト", "e\u{301}e\u{301}e\u{301}", ""] {
            for max in 1..12 {
                assert!(columns(&fit(text, max)) <= max, "{text} in {max}");
            }
        }
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
    }

    #[test]
    fn prose_is_broken_between_words_and_nothing_is_lost() {
        assert_eq!(wrapped("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrapped("  - one two", 8), ["  - one ", "  two"]);
        assert_eq!(wrapped("https://example.org/long x", 8), ["https://example.org/long ", "x"]);
        assert_eq!(wrapped("", 8), [""]);
        assert_eq!(wrapped("日本語 日本語", 8), ["日本語 ", "日本語"]);
    }

    #[test]
    fn json_stays_the_same_document_and_shows_nothing_hostile() {
        let hostile = "a\u{9b}31m\u{202e}b\u{7f}\u{e0041}ü日\u{1b}\"\\";
        let json = json_safe(&serde_json::to_string(hostile).unwrap());
        assert_eq!(text::line(&json), json);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hostile);
    }
}
