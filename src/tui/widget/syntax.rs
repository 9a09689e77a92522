//! Light colouring of code: words, strings and comments of a line, by a table of languages (`assets/languages.toml`).
//!
//! A line is read by itself, from its beginning, once: what a comment or a string over several lines is, a diff doesn't show anyway. It
//! is a help for the eye and decides nothing.

use serde::Deserialize;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

/// Longer lines are no code that somebody wrote, and stay plain.
const LONGEST: usize = 4_096;

static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    // The file is part of the program and a test reads it; a change without colours is the worst that could come of it.
    toml::from_str::<File>(include_str!("../../../assets/languages.toml"))
        .map_or_else(|_| Vec::new(), |file| file.language.into_iter().map(Language::of).collect())
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    language: Vec<Entry>,
}

/// A language as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    files: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    line: Vec<String>,
    block: Option<(String, String)>,
    quotes: Vec<char>,
    words: String,
}

/// What is known of a language.
#[derive(Debug)]
pub struct Language {
    files: Vec<String>,
    names: Vec<String>,
    line: Vec<String>,
    block: Option<(String, String)>,
    quotes: Vec<char>,
    words: HashSet<String>,
}

/// What a piece of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    Plain,
    Word,
    Text,
    Comment,
}

impl Language {
    fn of(entry: Entry) -> Self {
        let words = entry.words.split_whitespace().map(str::to_owned).collect();
        let Entry { files, names, line, block, quotes, .. } = entry;
        Self { files, names, line, block, quotes, words }
    }

    /// The language of a file, by its name without directories.
    pub fn of_file(name: &str) -> Option<&'static Self> {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        let known = |language: &&Self| {
            language.names.iter().any(|n| n == name) || ending.as_ref().is_some_and(|e| language.files.contains(e))
        };
        LANGUAGES.iter().find(known)
    }

    /// The pieces of a line, in order and without gaps.
    pub fn tokens(&self, line: &str) -> Vec<(Token, Range<usize>)> {
        let mut tokens: Vec<(Token, Range<usize>)> = Vec::new();
        let mut at = 0;
        while at < line.len() {
            let (token, length) = if line.len() > LONGEST { (Token::Plain, line.len()) } else { self.next(line, at) };
            let end = (at + length.max(1)).min(line.len());
            match tokens.last_mut() {
                Some((last, range)) if *last == token => range.end = end,
                _ => tokens.push((token, at..end)),
            }
            at = end;
        }
        tokens
    }

    /// What stands at `at`, and how many bytes it takes.
    fn next(&self, line: &str, at: usize) -> (Token, usize) {
        let rest = &line[at..];
        let Some(first) = rest.chars().next() else { return (Token::Plain, 0) };
        // `#` within a word is none: `a#b` in a shell, `id#` in SQL.
        let glued = line[..at].chars().next_back().is_some_and(|before| !before.is_whitespace());
        if self.line.iter().any(|start| rest.starts_with(start.as_str()) && !(start == "#" && glued)) {
            return (Token::Comment, rest.len());
        }
        if let Some((open, close)) = self.block.as_ref().filter(|(open, _)| rest.starts_with(open.as_str())) {
            let inside = rest.get(open.len()..).unwrap_or_default();
            let length = inside.find(close.as_str()).map_or(rest.len(), |end| open.len() + end + close.len());
            return (Token::Comment, length);
        }
        if self.quotes.contains(&first) {
            return (Token::Text, string(rest, first));
        }
        if first.is_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let known = self.words.contains(&rest[..length]);
            return (if known { Token::Word } else { Token::Plain }, length);
        }
        // The digits behind a word belong to it, those behind anything else begin none.
        let length = if first.is_numeric() {
            rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        (Token::Plain, length)
    }
}

/// Bytes of a string that begins with its quote; to the end of the line when it is not closed there.
fn string(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(file: &str, line: &str) -> Vec<(Token, String)> {
        let language = Language::of_file(file).unwrap();
        language.tokens(line).into_iter().map(|(token, range)| (token, line[range].to_owned())).collect()
    }

    fn only(token: Token, file: &str, line: &str) -> Vec<String> {
        told(file, line).into_iter().filter(|(t, _)| *t == token).map(|(_, text)| text).collect()
    }

    #[test]
    fn the_table_is_whole() {
        let file: File = toml::from_str(include_str!("../../../assets/languages.toml")).unwrap();
        let mut seen = HashSet::new();
        for language in &file.language {
            assert!(language.files.iter().all(|file| seen.insert(file.clone())), "{:?} stands twice", language.files);
        }
        assert_eq!(LANGUAGES.len(), file.language.len());
    }

    #[test]
    fn words_strings_and_comments_are_told_apart() {
        let python = "def search(q: str = \"a # \\\" b\"):  # the query";
        assert_eq!(only(Token::Word, "b.py", python), ["def"]);
        assert_eq!(only(Token::Text, "b.py", python), ["\"a # \\\" b\""]);
        assert_eq!(only(Token::Comment, "b.py", python), ["# the query"]);
        let rust = "let url = \"https://x\"; /* why */ return self.define('a)";
        assert_eq!(only(Token::Word, "x.RS", rust), ["let", "return", "self"]);
        assert_eq!(only(Token::Comment, "x.RS", rust), ["/* why */"]);
        assert_eq!(only(Token::Comment, "Makefile", "echo a#b # c"), ["# c"]);
        assert_eq!(only(Token::Text, "x.go", "s := `open"), ["`open"]);
        assert!(Language::of_file("notes.md").is_none() && Language::of_file("py").is_none());
    }

    #[test]
    fn a_very_long_line_is_plain() {
        let line = "def ".repeat(2_000);
        assert_eq!(told("x.py", &line), [(Token::Plain, line.clone())]);
    }

    proptest::proptest! {
        #[test]
        fn every_byte_is_in_one_piece(line in "[a-z0-9_ #/*\"'`\\\\日é<!->\u{301}\u{1b}]{0,60}") {
            for file in ["x.py", "x.ts", "x.rs", "x.html", "x.sql", "x.json"] {
                let whole: String = told(file, &line).into_iter().map(|(_, text)| text).collect();
                proptest::prop_assert_eq!(&whole, &line);
            }
        }
    }
}
