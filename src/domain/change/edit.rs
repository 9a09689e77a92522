//! Edits: search and replace, where `search` stands exactly once.
//!
//! A model copies what it was shown, and what it was shown has line breaks as `\n` and a last one. So the text is looked at as if
//! it had them: in a file whose lines all end in `\r\n` an edit's line breaks mean that, and a last line without a break is found with one.
//! What the file had before it has afterwards: its kind of line ends, no line break at its end, a byte-order mark.

use super::elision;
use super::{MAX_FILE_BYTES, RepoPath};
use serde::{Deserialize, Serialize};

const BOM: char = '\u{feff}';

/// A piece of a file and what replaces it. `search` must occur exactly once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    pub search: String,
    pub replace: String,
}

/// How the lines of a text end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Lf,
    CrLf,
    Mixed,
}

impl Ends {
    fn of(text: &str) -> Self {
        let (all, crlf) = (text.matches('\n').count(), text.matches("\r\n").count());
        match crlf {
            0 => Self::Lf,
            _ if crlf == all => Self::CrLf,
            _ => Self::Mixed,
        }
    }

    /// A piece of an edit with the text's own kind of line breaks.
    fn in_style(self, piece: &str) -> String {
        match self {
            Self::CrLf => piece.replace("\r\n", "\n").replace('\n', "\r\n"),
            Self::Lf | Self::Mixed => piece.to_owned(),
        }
    }

    fn line_break(self) -> &'static str {
        match self {
            Self::CrLf => "\r\n",
            Self::Lf | Self::Mixed => "\n",
        }
    }
}

/// The text with all edits, one after the other; `path` says what kind of file it is.
pub(super) fn apply(path: &RepoPath, text: &str, edits: &[Edit]) -> Result<String, String> {
    if edits.is_empty() {
        return Err("it has no edits".into());
    }
    let ends = Ends::of(text);
    let mut now = text.to_owned();
    for (at, edit) in edits.iter().enumerate() {
        now = apply_one(&now, edit, ends).map_err(|reason| format!("edit {}: {reason}", at + 1))?;
        if elision::count(path, &edit.replace) > elision::count(path, &edit.search) {
            return Err(format!(
                "edit {}: `replace` leaves code out with a placeholder comment; write it in full",
                at + 1
            ));
        }
    }
    if text.starts_with(BOM) && !now.starts_with(BOM) {
        now.insert(0, BOM);
    }
    if now == text {
        return Err("its edits change nothing".into());
    }
    check_size(&now)?;
    if now.contains('\0') {
        return Err("it would have NUL characters; only text files can be written".into());
    }
    Ok(now)
}

fn apply_one(text: &str, edit: &Edit, ends: Ends) -> Result<String, String> {
    if edit.search.is_empty() {
        return Err("`search` is empty".into());
    }
    let (search, replace) = (ends.in_style(&edit.search), ends.in_style(&edit.replace));
    match text.matches(&search).count() {
        1 => return Ok(text.replacen(&search, &replace, 1)),
        0 => {}
        many => {
            return Err(format!("`search` occurs {many} times; take in more lines around it so that it occurs once"));
        }
    }
    if let Some(done) = at_the_end(text, &search, &replace, ends) {
        return Ok(done);
    }
    let flat = |text: &str| text.replace("\r\n", "\n");
    if ends == Ends::Mixed && flat(text).contains(&flat(&search)) {
        return Err("the file mixes CRLF and LF line ends, so `search` and `replace` must stay within one line".into());
    }
    Err("`search` does not occur in the file; copy the lines exactly, with their indentation".into())
}

/// The last line of a text that does not end in a line break, searched for with one.
fn at_the_end(text: &str, search: &str, replace: &str, ends: Ends) -> Option<String> {
    let line_break = ends.line_break();
    let head = text.strip_suffix(search.strip_suffix(line_break)?)?;
    // It would have been found before, had it been there with its line break; so this is the only place.
    let mut now = format!("{head}{replace}");
    if let Some(kept) = now.strip_suffix(line_break) {
        now.truncate(kept.len());
    }
    Some(now)
}

/// Whether a new file may be written.
pub(super) fn check(path: &RepoPath, content: &str) -> Result<(), String> {
    check_size(content)?;
    if content.contains('\0') {
        return Err("it has NUL characters; only text files can be written".into());
    }
    if elision::count(path, content) > 0 {
        return Err("it leaves code out with a placeholder comment; write the file in full".into());
    }
    Ok(())
}

fn check_size(content: &str) -> Result<(), String> {
    if content.len() <= MAX_FILE_BYTES {
        return Ok(());
    }
    Err(format!("it would have {} bytes, at most {MAX_FILE_BYTES} are allowed", content.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edit(text: &str, search: &str, replace: &str) -> Result<String, String> {
        let path = RepoPath::parse("a.py").unwrap();
        apply(&path, text, &[Edit { search: search.into(), replace: replace.into() }])
    }

    #[test]
    fn an_edit_applies_exactly_once_or_not_at_all() {
        let text = "one\ntwo\ntwo\n";
        assert_eq!(edit(text, "one", "1").unwrap(), "1\ntwo\ntwo\n");
        for (search, replace, word) in [
            ("two", "x", "2 times"),
            ("three", "x", "does not occur"),
            ("", "x", "is empty"),
            ("one", "one", "change nothing"),
            ("one", "a\0b", "NUL"),
            ("One", "x", "does not occur"),
            (" one", "x", "does not occur"),
        ] {
            let reason = edit(text, search, replace).unwrap_err();
            assert!(reason.contains(word), "{search}: {reason}");
        }
    }

    #[test]
    fn later_edits_see_what_earlier_ones_made() {
        let path = RepoPath::parse("a").unwrap();
        let edits = [("a", "b b"), ("b b", "c")].map(|(s, r)| Edit { search: s.into(), replace: r.into() });
        assert_eq!(apply(&path, "a\n", &edits).unwrap(), "c\n");
        let reason = apply(&path, "a\n", &[edits[0].clone(), edits[0].clone()]).unwrap_err();
        assert!(reason.starts_with("edit 2: "), "{reason}");
    }

    #[test]
    fn line_ends_the_last_line_and_the_mark_stay_as_they_were() {
        for (text, search, replace, expected) in [
            ("a\r\nb\r\nc\r\n", "a\nb\n", "a\nx\n", "a\r\nx\r\nc\r\n"),
            ("a\r\nb\r\nc\r\n", "a\r\nb\r\n", "a\r\nx\r\n", "a\r\nx\r\nc\r\n"),
            ("a\r\nb\r\n", "b", "b\nc", "a\r\nb\r\nc\r\n"),
            ("a\r\nb", "b\n", "c\n", "a\r\nc"),
            ("a\nb", "b\n", "c\n", "a\nc"),
            ("a\nb", "b", "c\n", "a\nc\n"),
            ("a\nb", "a\nb\n", "", ""),
            ("a", "a\n", "b", "b"),
            ("\u{feff}a\nb\n", "a\n", "c\n", "\u{feff}c\nb\n"),
            ("\u{feff}a\nb\n", "\u{feff}a\n", "c\n", "\u{feff}c\nb\n"),
            ("a\r\nb\nc\n", "b", "x", "a\r\nx\nc\n"),
        ] {
            assert_eq!(edit(text, search, replace).unwrap(), expected, "{text:?} {search:?}");
        }
        let reason = edit("a\r\nb\nc\n", "a\nb\n", "x\n").unwrap_err();
        assert!(reason.contains("mixes CRLF and LF"), "{reason}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_an_edit_does_not_name_stays(
            before in "[a-c\r\n\u{feff}]{0,12}", piece in "[a-c\n]{1,6}", after in "[a-c\r\n]{0,12}", new in "[x-z\n]{0,6}",
        ) {
            let text = format!("{before}{piece}{after}");
            let Ok(now) = edit(&text, &piece, &new) else { return Ok(()) };
            let flat = |text: &str| text.replace(['\r', '\n', BOM], "");
            let (kept, edited) = (flat(&text), flat(&now));
            prop_assert_eq!(edited.len() + flat(&piece).len(), kept.len() + flat(&new).len());
            if Ends::of(&text) == Ends::CrLf {
                prop_assert_ne!(Ends::of(&now), Ends::Mixed);
            }
        }
    }
}
