//! Making hostile text safe to show, and breaking text into search words.
//!
//! Reports are written by whoever can reach the port. They are stored as sent; this module is the one place that makes
//! them harmless: [`line()`] and [`block`] for the terminal, [`words`] for search. Pull request bodies have their own quoting
//! in `drafting::publish`.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Combining marks kept on one base character; more than any script needs, few enough not to smear over the screen.
const MAX_MARKS: usize = 4;

/// Shown in place of a character that would act on the terminal or deceive the reader.
const REPLACEMENT: char = '\u{fffd}';

/// True for characters that never reach a terminal: controls (C0, DEL, C1), bidirectional overrides and isolates,
/// zero-width and other invisible format characters, tags, and line separators.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Copies `text` with everything hostile replaced; `newline` and tabs become what the caller says.
fn sanitise(text: &str, newline: &str, tab: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if is_combining_mark(c) {
            marks += 1;
            if marks <= MAX_MARKS {
                out.push(c);
            }
            continue;
        }
        marks = 0;
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' => out.push_str(newline),
            '\t' => out.push_str(tab),
            c if is_hostile(c) => out.push(REPLACEMENT),
            c => out.push(c),
        }
    }
    out
}

/// One line that is safe to print: no escapes, no control characters, no line breaks.
pub fn line(text: &str) -> String {
    sanitise(text, " ", " ")
}

/// Several lines that are safe to print; `\n` is the only control character left.
pub fn block(text: &str) -> String {
    sanitise(text, "\n", "    ")
}

/// A piece of one line of code that is safe to print: a tab is four columns, and a carriage return is seen.
pub fn code(text: &str) -> String {
    sanitise(text, "␍", "    ")
}

/// At most `max` characters of one safe line, with `…` where something was cut.
pub fn clipped(text: &str, max: usize) -> String {
    // Hostile input can be megabytes: look only at as much as could ever be shown.
    let head: String = text.chars().take(max.saturating_mul(8).max(64)).collect();
    let safe = line(head.trim());
    if safe.chars().count() <= max && head.len() == text.len() {
        return safe;
    }
    let mut out: String = safe.chars().take(max.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// Search words: lower-cased runs of letters and digits, without diacritics.
///
/// The search index stores exactly these, so that a row found by SQL and a row matched in memory
/// ([`super::filter::Filter::matches`]) are the same rows.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c)).map(fold_word).filter(|w| !w.is_empty())
}

fn fold_word(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    word.nfkd()
        .filter(|c| c.is_alphanumeric() && !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .filter(|c| c.is_alphanumeric())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_bidi_never_get_through() {
        let evil = "a\u{1b}[31mred\u{7}\u{9b}2J\u{202e}gpj\u{200b}\0\u{e0041}";
        let shown = line(evil);
        assert!(shown.chars().all(|c| !is_hostile(c)));
        assert!(shown.starts_with("a\u{fffd}[31mred"));
    }

    #[test]
    fn zalgo_is_bounded() {
        let zalgo = format!("e{}", "\u{301}".repeat(50_000));
        assert_eq!(line(&zalgo).chars().count(), 1 + MAX_MARKS);
    }

    #[test]
    fn lines_survive_in_blocks_only() {
        assert_eq!(block("a\r\nb\tc\rd"), "a\nb    c\nd");
        assert_eq!(line("a\r\nb\tc"), "a b c");
        assert_eq!(code("a\tb\r"), "a    b␍");
    }

    #[test]
    fn clipping_says_so() {
        assert_eq!(clipped("short", 10), "short");
        assert_eq!(clipped("a longer text", 5), "a lo…");
        assert_eq!(clipped(&"x".repeat(1000), 3), "xx…");
    }

    #[test]
    fn words_fold_case_and_accents() {
        let got: Vec<_> = words("Große Café_search-costs(ID=42)").collect();
        assert_eq!(got, ["große", "cafe", "search", "costs", "id", "42"]);
    }
}
