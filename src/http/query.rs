//! The query string of the list: the original's parameters, the filter language and the cursor, made one [`PageRequest`].

use super::error::{ApiError, Fault};
use crate::domain::feedback::{GapType, Resolution};
use crate::domain::filter::{Filter, IsFlag, Test};
use crate::protocol::read::{MAX_PAGE, PageRequest, Position};

const DEFAULT_LIMIT: usize = 50;

/// Reads decoded `name=value` pairs. Empty values and unknown names are ignored; of a repeated name the last one counts.
pub(super) fn page_request(pairs: &[(String, String)]) -> Result<PageRequest, ApiError> {
    let mut faults = Vec::new();
    let mut note = |read: Result<(), Fault>| faults.extend(read.err());
    let mut request = PageRequest::first(Filter::default(), DEFAULT_LIMIT);
    if let Some(q) = value(pairs, "q") {
        note(Filter::parse(q).map(|f| request.filter = f).map_err(|e| Fault::filter("q", e)));
    }
    for (name, text) in FILTERS.iter().filter_map(|name| Some((*name, value(pairs, name)?))) {
        note(test(name, text).map(|t| request.filter = request.filter.and(t)));
    }
    if let Some(text) = value(pairs, "limit") {
        note(limit(text).map(|n| request.limit = n));
    }
    if let Some(text) = value(pairs, "after") {
        let cursor =
            Position::try_from(text.to_owned()).map_err(|e| Fault::new("query", "after", "cursor", e.to_string()));
        note(cursor.map(|at| request.after = Some(at)));
    }
    if faults.is_empty() { Ok(request) } else { Err(ApiError::invalid(faults)) }
}

const FILTERS: [&str; 5] = ["server_name", "session_id", "gap_type", "resolution", "reviewed"];

pub(super) fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
}

fn test(name: &str, text: &str) -> Result<Test, Fault> {
    match name {
        "server_name" => Ok(Test::Server(vec![text.to_owned()])),
        "session_id" => Ok(Test::Session(vec![text.to_owned()])),
        "gap_type" => word(name, text, GapType::from_word, GapType::ALL).map(|gap| Test::Gap(vec![gap])),
        "resolution" => word(name, text, Resolution::from_word, Resolution::ALL).map(|r| Test::Resolution(vec![r])),
        _ => boolean(name, text).map(|yes| Test::Is(vec![if yes { IsFlag::Reviewed } else { IsFlag::Unreviewed }])),
    }
}

fn word<T: std::fmt::Display>(name: &str, text: &str, known: fn(&str) -> Option<T>, all: &[T]) -> Result<T, Fault> {
    known(text).ok_or_else(|| {
        let words: Vec<String> = all.iter().map(|w| format!("`{w}`")).collect();
        Fault::new("query", name, "enum", format!("must be one of {}", words.join(", ")))
    })
}

/// What the original's framework took for a boolean.
pub(super) fn boolean(name: &str, text: &str) -> Result<bool, Fault> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(Fault::new("query", name, "bool", "must be `true` or `false`")),
    }
}

fn limit(text: &str) -> Result<usize, Fault> {
    let n = text.parse().ok().filter(|n| (1..=MAX_PAGE).contains(n));
    n.ok_or_else(|| Fault::new("query", "limit", "range", format!("must be a number from 1 to {MAX_PAGE}")))
}

/// The address of the next page: this one's query with another `after`.
pub(super) fn next_page(path: &str, query: &str, cursor: &str) -> String {
    let kept = query.split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("after"));
    let pairs: Vec<&str> = kept.collect();
    let sep = if pairs.is_empty() { "" } else { "&" };
    format!("{path}?{}{sep}after={cursor}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_differs_in_its_cursor_only() {
        assert_eq!(next_page("/l", "", "1.2"), "/l?after=1.2");
        assert_eq!(next_page("/l", "after=9.9&q=a%20b&limit=2", "1.2"), "/l?q=a%20b&limit=2&after=1.2");
    }
}
