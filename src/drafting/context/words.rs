//! From text and code to search terms.
//!
//! Code says `searchCosts`, `search_costs` or `SearchCosts`, people say "searching costs". All of them end in the same terms here:
//! identifiers are split at underscores and case changes, words are folded to lower case and cut to a rough stem. The stem
//! needs not be a word; it only has to be the same for both sides.

use crate::domain::text;

/// Shorter words carry no meaning in code (`i`, `x`), longer ones are data (hashes, base64).
const WORD_CHARS: std::ops::RangeInclusive<usize> = 2..=64;

/// Words that every report and every repository has; they would only add noise.
const COMMON: &[&str] = &[
    "able",
    "about",
    "after",
    "all",
    "also",
    "an",
    "and",
    "any",
    "are",
    "as",
    "at",
    "available",
    "be",
    "because",
    "been",
    "before",
    "but",
    "by",
    "can",
    "cannot",
    "could",
    "did",
    "do",
    "does",
    "doing",
    "each",
    "either",
    "etc",
    "even",
    "every",
    "for",
    "from",
    "get",
    "give",
    "given",
    "got",
    "had",
    "has",
    "have",
    "help",
    "how",
    "however",
    "if",
    "in",
    "instead",
    "into",
    "is",
    "it",
    "its",
    "just",
    "like",
    "make",
    "may",
    "me",
    "more",
    "most",
    "much",
    "must",
    "my",
    "need",
    "needed",
    "no",
    "not",
    "of",
    "on",
    "one",
    "only",
    "or",
    "other",
    "our",
    "out",
    "over",
    "please",
    "same",
    "should",
    "so",
    "some",
    "such",
    "than",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "to",
    "too",
    "tried",
    "try",
    "up",
    "us",
    "use",
    "used",
    "using",
    "very",
    "via",
    "want",
    "wanted",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "while",
    "who",
    "why",
    "will",
    "with",
    "would",
    "you",
    "your",
];

/// True for words that are in [`COMMON`].
pub(super) fn is_common(word: &str) -> bool {
    COMMON.binary_search(&word).is_ok()
}

/// Identifiers and words with the byte offset where each begins. Bytes above ASCII count as letters, so any script works.
pub(super) fn identifiers(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() && !is_word_byte(bytes[at]) {
            at += 1;
        }
        let start = at;
        while at < bytes.len() && is_word_byte(bytes[at]) {
            at += 1;
        }
        (start < at).then(|| (start, &text[start..at]))
    })
}

pub(super) fn is_word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}

/// The parts of an identifier, lower-cased: `HTTPServer_v2` is `http`, `server`, `v`, `2`.
pub(super) fn parts(identifier: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut current = String::new();
    let chars: Vec<char> = identifier.chars().collect();
    for (i, &c) in chars.iter().enumerate() {
        let previous = i.checked_sub(1).map(|p| chars[p]);
        let next = chars.get(i + 1);
        if starts_part(previous, c, next.copied()) && !current.is_empty() {
            out.push(std::mem::take(&mut current));
        }
        if c.is_alphanumeric() {
            current.extend(c.to_lowercase());
        }
    }
    if !current.is_empty() {
        out.push(current);
    }
    out
}

fn starts_part(previous: Option<char>, c: char, next: Option<char>) -> bool {
    let Some(previous) = previous else { return false };
    if !c.is_alphanumeric() || !previous.is_alphanumeric() || c.is_numeric() != previous.is_numeric() {
        return true;
    }
    let after_lower = previous.is_lowercase() && c.is_uppercase();
    let end_of_capitals = previous.is_uppercase() && c.is_uppercase() && next.is_some_and(char::is_lowercase);
    after_lower || end_of_capitals
}

/// Whether a part of an ASCII identifier begins at this byte, as [`parts`] divides it.
pub(super) fn part_starts_at(identifier: &[u8], at: usize) -> bool {
    let char_at = |at: usize| identifier.get(at).map(|b| char::from(*b));
    let Some(c) = char_at(at).filter(char::is_ascii_alphanumeric) else { return false };
    let previous = at.checked_sub(1).and_then(char_at);
    previous.is_none() || starts_part(previous, c, char_at(at + 1))
}

/// One spelling for every way to write the same name: `searchCosts`, `search-costs` and `SearchCosts` are `search_costs`.
pub(super) fn snake(name: &str) -> String {
    parts(name).join("_")
}

/// The search terms of one identifier: the stem of each of its parts.
pub(super) fn terms(identifier: &str) -> impl Iterator<Item = String> {
    parts(identifier)
        .into_iter()
        .filter(|w| WORD_CHARS.contains(&w.chars().count()) && !w.bytes().all(|b| b.is_ascii_digit()))
        .filter(|w| !is_common(w))
        .map(|w| stem(&w))
        .filter(|w| !w.is_empty())
}

/// A rough stem: endings that English puts on verbs and nouns are cut while enough is left.
pub(super) fn stem(word: &str) -> String {
    if !word.is_ascii() {
        return text::words(word).collect();
    }
    let mut w = word;
    if let Some(y) = w.strip_suffix("ies").filter(|s| s.len() >= 3) {
        return format!("{y}i");
    }
    if !w.ends_with("ss") && !w.ends_with("us") && !w.ends_with("is") {
        w = w.strip_suffix('s').filter(|s| s.len() >= 3).unwrap_or(w);
    }
    for ending in ["ation", "ing", "ion", "ed"] {
        if let Some(rest) = w.strip_suffix(ending).filter(|s| s.len() >= 4) {
            w = rest;
            break;
        }
    }
    w = w.strip_suffix('e').filter(|s| s.len() >= 3).unwrap_or(w);
    w = w.strip_suffix("at").filter(|s| s.len() >= 5).unwrap_or(w);
    match w.strip_suffix('y').filter(|s| s.len() >= 3) {
        Some(rest) => format!("{rest}i"),
        None => w.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_words_are_sorted_for_the_search() {
        assert!(COMMON.is_sorted());
    }

    #[test]
    fn identifiers_are_split_where_people_split_them() {
        for (name, expected) in [
            ("search_costs", "search costs"),
            ("searchCosts", "search costs"),
            ("HTTPServer_v2", "http server v 2"),
            ("XMLHttpRequest", "xml http request"),
            ("__init__", "init"),
            ("größeÄndern", "größe ändern"),
        ] {
            assert_eq!(parts(name).join(" "), expected);
        }
        assert_eq!(snake("SearchCosts"), snake("search-costs"));
    }

    #[test]
    fn forms_of_one_word_share_a_stem() {
        for family in [
            ["filter", "filters", "filtering", "filtered"],
            ["paginate", "pagination", "paginated", "paginating"],
            ["query", "queries", "query", "queries"],
            ["cost", "costs", "costing", "cost"],
            ["page", "pages", "page", "pages"],
        ] {
            let stems: Vec<String> = family.iter().map(|w| stem(w)).collect();
            assert!(stems.iter().all(|s| *s == stems[0]), "{family:?}: {stems:?}");
        }
        assert_ne!(stem("status"), stem("state"));
        assert_ne!(stem("class"), stem("clas"));
    }

    #[test]
    fn offsets_point_at_the_identifier() {
        let text = "fn größe_x(a: u8)";
        for (at, word) in identifiers(text) {
            assert!(text[at..].starts_with(word));
        }
        let words: Vec<_> = identifiers(text).map(|(_, w)| w).collect();
        assert_eq!(words, ["fn", "größe_x", "a", "u8"]);
    }
}
