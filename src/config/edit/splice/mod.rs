//! Changes one value in the text of a TOML file and leaves every other byte as it is.
//!
//! The file is not written anew from a parsed document: the parser says where each value stands, and the text is cut there. So comments,
//! order, blank lines, line ends and whatever we don't understand stay because nobody touches them. Nothing here knows what a
//! setting means; `edit` does, and checks the result.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Why a text can't be changed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is no TOML, or not the kind of TOML that this place needs.
    NotToml,
    /// It is written in a way that can't be cut safely.
    Unusual,
    /// There is nothing at that place.
    Missing,
}

/// A table that holds a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// `[a]`
    Table(&'a str),
    /// `[a.b]`
    Inner(&'a str, &'a str),
    /// The nth `[[a]]`, counted from 0.
    Entry(&'a str, usize),
}

type Span = Range<usize>;
type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;
type Value<'a> = Spanned<DeValue<'a>>;

/// Sets a key to a value written as TOML. `key` is written as it is, quotes and all.
pub(super) fn set(text: &str, place: Place<'_>, key: &str, value: &str) -> Result<String, Unfit> {
    let document = Document::parse(text)?;
    if let Some((_, old)) = document.find(place, key) {
        return Ok(document.replace(old, value));
    }
    document.insert(place, key, value)
}

/// Takes a key out. Comments stay, also the one behind the value.
pub(super) fn unset(text: &str, place: Place<'_>, key: &str) -> Result<String, Unfit> {
    let document = Document::parse(text)?;
    let (key, value) = document.find(place, key).ok_or(Unfit::Missing)?;
    document.remove(key.span().start..value.span().end)
}

/// Adds a `[[name]]` with these pairs behind everything else.
pub(super) fn add_entry(text: &str, name: &str, pairs: &[(&str, &str)]) -> Result<String, Unfit> {
    let document = Document::parse(text)?;
    let Some(list) = document.root.get(name).filter(|list| document.at(list.span().start) != "[[") else {
        let lines: Vec<_> = pairs.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        return Ok(document.append(&format!("[[{name}]]"), &lines));
    };
    // `name = [{ … }]`, all in one value.
    let items = list.get_ref().as_array().ok_or(Unfit::NotToml)?;
    let fields: Vec<_> = pairs.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let entry = format!("{{ {} }}", fields.join(", "));
    match items.iter().last() {
        Some(item) => Ok(document.cut(item.span().end..item.span().end, &format!(", {entry}"))),
        None => Ok(document.cut(list.span().start + 1..list.span().start + 1, &entry)),
    }
}

/// Takes the nth `[[name]]` out, with the comments between its lines. Those above and below it stay.
pub(super) fn remove_entry(text: &str, name: &str, nth: usize) -> Result<String, Unfit> {
    let document = Document::parse(text)?;
    let items = document.root.get(name).and_then(|list| list.get_ref().as_array()).ok_or(Unfit::Missing)?;
    let entry = items.get(nth).ok_or(Unfit::Missing)?;
    let table = entry.get_ref().as_table().ok_or(Unfit::NotToml)?;
    if document.at(entry.span().start) != "[[" {
        return document.remove_item(entry.span());
    }
    let end = document.line_end(document.end_of_section(&entry.span(), table));
    let start = document.line_start(entry.span().start);
    let (before, after) = (&text[..start], &text[document.next_line(end)..]);
    // Of the blank lines around it, one side's are enough.
    let blank_before = before.is_empty() || before.ends_with("\n\n") || before.ends_with("\n\r\n");
    if blank_before && after.is_empty() {
        let kept = before.strip_suffix('\n').unwrap_or(before);
        return Ok(kept.strip_suffix('\r').unwrap_or(kept).to_owned());
    }
    let after = if blank_before { after.trim_start_matches(['\r', '\n']) } else { after };
    Ok(format!("{before}{after}"))
}

/// What each `[[name]]` says for a key, in order.
pub(super) fn entries(text: &str, name: &str, key: &str) -> Result<Vec<Option<String>>, Unfit> {
    let document = Document::parse(text)?;
    let Some(list) = document.root.get(name) else { return Ok(Vec::new()) };
    let items = list.get_ref().as_array().ok_or(Unfit::NotToml)?;
    let said = |item: &Value<'_>| item.get_ref().as_table()?.get(key)?.get_ref().as_str().map(str::to_owned);
    Ok(items.iter().map(said).collect())
}

/// A text and where its parts stand.
struct Document<'t> {
    text: &'t str,
    root: DeTable<'t>,
    /// `[a]` and `[[a]]`, in order.
    headers: Vec<Span>,
}

impl<'t> Document<'t> {
    fn parse(text: &'t str) -> Result<Self, Unfit> {
        let root = DeTable::parse(text).map_err(|_| Unfit::NotToml)?.into_inner();
        let mut document = Self { text, root, headers: Vec::new() };
        let mut headers = Vec::new();
        document.headers_in(&document.root, &mut headers);
        headers.sort_by_key(|span| span.start);
        document.headers = headers;
        Ok(document)
    }

    fn headers_in(&self, table: &DeTable<'_>, out: &mut Vec<Span>) {
        let tables = table.iter().flat_map(|(_, value)| match value.get_ref() {
            DeValue::Array(items) => items.iter().collect::<Vec<_>>(),
            _ => vec![value],
        });
        for value in tables {
            let Some(table) = value.get_ref().as_table() else { continue };
            if self.at(value.span().start).starts_with('[') {
                out.push(value.span());
            }
            self.headers_in(table, out);
        }
    }

    /// The two characters there, which tell a header from an inline table from a key.
    fn at(&self, byte: usize) -> &'t str {
        let rest = self.text.get(byte..).unwrap_or_default();
        rest.get(..2).unwrap_or(rest)
    }

    fn table(&self, place: Place<'_>) -> Option<&Value<'t>> {
        match place {
            Place::Table(name) => self.root.get(name),
            Place::Inner(outer, name) => self.root.get(outer)?.get_ref().as_table()?.get(name),
            Place::Entry(name, nth) => self.root.get(name)?.get_ref().as_array()?.get(nth),
        }
    }

    fn find(&self, place: Place<'_>, key: &str) -> Option<(&Key<'t>, &Value<'t>)> {
        let table = self.table(place)?.get_ref().as_table()?;
        let name = unquoted(key);
        table.iter().find(|(found, _)| found.get_ref().as_ref() == name)
    }

    /// The text with a piece replaced.
    fn cut(&self, piece: Span, new: &str) -> String {
        let (before, after) = (self.text.get(..piece.start), self.text.get(piece.end..));
        [before.unwrap_or_default(), new, after.unwrap_or_default()].concat()
    }

    fn newline(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// Where the line of a byte ends, before its line end.
    fn line_end(&self, byte: usize) -> usize {
        let rest = self.text.get(byte..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        byte + line.trim_end_matches('\r').len()
    }

    fn line_start(&self, byte: usize) -> usize {
        self.text.get(..byte).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1)
    }

    /// The first byte behind the line end that stands at `byte`.
    fn next_line(&self, byte: usize) -> usize {
        let rest = self.text.get(byte..).unwrap_or_default();
        byte + rest.find('\n').map_or(rest.len(), |at| at + 1)
    }

    /// Puts a value in the place of another. Comments inside the old one move to the lines above.
    fn replace(&self, old: &Value<'_>, new: &str) -> String {
        let start = self.line_start(old.span().start);
        let indent: String = self.text[start..].chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
        let saved =
            self.comments_in(old).iter().flat_map(|comment| [&indent, *comment, self.newline()]).collect::<String>();
        let replaced = self.cut(old.span(), new);
        let (before, after) = replaced.split_at(start);
        [before, &saved, after].concat()
    }

    /// Between the items of a list there is nothing but space, commas and comments.
    fn comments_in(&self, value: &Value<'_>) -> Vec<&'t str> {
        let Some(items) = value.get_ref().as_array() else { return Vec::new() };
        let mut at = value.span().start;
        let mut gaps = Vec::new();
        for item in items {
            gaps.push(at..item.span().start);
            at = item.span().end;
        }
        gaps.push(at..value.span().end);
        let lines = gaps.into_iter().flat_map(|gap| self.text.get(gap).unwrap_or_default().lines());
        lines.filter_map(|line| line.find('#').map(|at| line[at..].trim_end())).collect()
    }

    fn insert(&self, place: Place<'_>, key: &str, value: &str) -> Result<String, Unfit> {
        let Some(found) = self.table(place).filter(|found| !self.is_implied(&found.span())) else {
            return self.insert_table(place, key, value);
        };
        let table = found.get_ref().as_table().ok_or(Unfit::NotToml)?;
        let pair = format!("{key} = {value}");
        match self.at(found.span().start).chars().next() {
            Some('[') => {
                let end = self.line_end(self.end_of_section(&found.span(), table));
                Ok(self.cut(end..end, &format!("{}{pair}", self.newline())))
            }
            Some('{') => Ok(match last_leaf(table) {
                Some((_, last)) => self.cut(last.end..last.end, &format!(", {pair}")),
                None => self.cut(found.span(), &format!("{{ {pair} }}")),
            }),
            // `a.b = …`: the new key gets the same beginning.
            _ => {
                let (sibling, last) = last_leaf(table).ok_or(Unfit::Unusual)?;
                let prefix = self.text.get(self.line_start(sibling)..sibling).unwrap_or_default();
                let is_path = prefix.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | ' '));
                if !is_path || !prefix.trim_end().ends_with('.') {
                    return Err(Unfit::Unusual);
                }
                let end = self.line_end(last.end);
                Ok(self.cut(end..end, &format!("{}{prefix}{pair}", self.newline())))
            }
        }
    }

    /// For a table that is not written yet, or only named in the header of another.
    fn insert_table(&self, place: Place<'_>, key: &str, value: &str) -> Result<String, Unfit> {
        let name = match place {
            Place::Table(name) => name.to_owned(),
            Place::Entry(..) => return Err(Unfit::Missing),
            Place::Inner(outer, name) => {
                let in_a_value = self.root.get(outer).is_some_and(|found| {
                    !self.at(found.span().start).starts_with('[') && !self.is_implied(&found.span())
                });
                if in_a_value {
                    return self.insert(Place::Table(outer), &format!("{name}.{key}"), value);
                }
                format!("{outer}.{name}")
            }
        };
        Ok(self.append(&format!("[{name}]"), &[format!("{key} = {value}")]))
    }

    /// Whether a table is only there because a header names it on the way to another.
    fn is_implied(&self, span: &Span) -> bool {
        self.headers.iter().any(|header| header.start < span.start && span.end < header.end)
    }

    /// A new section behind everything else.
    fn append(&self, header: &str, lines: &[String]) -> String {
        let newline = self.newline();
        let mut out = self.text.to_owned();
        if !out.is_empty() && !out.ends_with('\n') {
            out.push_str(newline);
        }
        if !out.trim().is_empty() {
            out.push_str(newline);
        }
        for line in std::iter::once(header).chain(lines.iter().map(String::as_str)) {
            out.push_str(line);
            out.push_str(newline);
        }
        out
    }

    /// Where the last value under a header ends; with nothing under it, where the header does.
    fn end_of_section(&self, header: &Span, table: &DeTable<'_>) -> usize {
        let next = self.headers.iter().map(|h| h.start).find(|start| *start > header.start);
        let next = next.unwrap_or(self.text.len());
        let mut ends = Vec::new();
        leaves(table, &mut ends);
        let ends = ends.into_iter().map(|(_, span)| span.end).filter(|end| *end > header.end && *end <= next);
        ends.max().unwrap_or(header.end)
    }

    /// Takes `key = value` out: its line, or its part of an inline table.
    fn remove(&self, pair: Span) -> Result<String, Unfit> {
        let start = self.line_start(pair.start);
        let before = self.text.get(start..pair.start).unwrap_or_default();
        let is_path = before.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | ' ' | '\t'));
        if !is_path {
            return self.remove_item(pair);
        }
        let end = self.line_end(pair.end);
        let behind = self.text.get(pair.end..end).unwrap_or_default().trim();
        if behind.is_empty() {
            return Ok(self.cut(start..self.next_line(end), ""));
        }
        if !behind.starts_with('#') {
            return Err(Unfit::Unusual);
        }
        let indent: String = before.chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
        Ok(self.cut(start..end, &format!("{indent}{behind}")))
    }

    /// Takes one of several out, with the comma on one of its sides.
    fn remove_item(&self, item: Span) -> Result<String, Unfit> {
        let before = self.text.get(..item.start).unwrap_or_default();
        let after = self.text.get(item.end..).unwrap_or_default();
        if !before.trim_end().ends_with(['{', '[', ',']) {
            return Err(Unfit::Unusual);
        }
        if let Some(rest) = after.trim_start().strip_prefix(',') {
            let rest = rest.trim_start_matches([' ', '\t']);
            return Ok(format!("{before}{rest}"));
        }
        if !after.trim_start().starts_with(['}', ']']) {
            return Err(Unfit::Unusual);
        }
        let before = before.trim_end();
        Ok(format!("{}{after}", before.strip_suffix(',').unwrap_or(before)))
    }
}

/// Every value that is not itself a table, with where its key begins.
fn leaves(table: &DeTable<'_>, out: &mut Vec<(usize, Span)>) {
    for (key, value) in table {
        match value.get_ref() {
            // An inline table ends with its brace, not with what is in it; others have no end of their own.
            DeValue::Table(inner) if value.span().end <= key.span().end || value.span().start <= key.span().start => {
                leaves(inner, out);
            }
            _ => out.push((key.span().start, value.span())),
        }
    }
}

fn last_leaf(table: &DeTable<'_>) -> Option<(usize, Span)> {
    let mut all = Vec::new();
    leaves(table, &mut all);
    all.into_iter().max_by_key(|(_, span)| span.end)
}

fn unquoted(key: &str) -> String {
    if !key.starts_with('"') {
        return key.to_owned();
    }
    DeValue::parse(key).ok().and_then(|value| value.get_ref().as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
