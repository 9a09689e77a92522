//! Reads a parsed TOML document key by key and notes every mistake with its line, its place and what is allowed there.

use super::load::Mistake;
use super::value::{ConfigValue, Origin, Written, a_type, list, nearest};
use std::collections::BTreeMap;
use toml::de::DeTable;

/// Takes values out of a document and notes what is wrong with them.
pub(super) struct Reader<'a> {
    text: &'a str,
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, mistakes: Vec::new() }
    }

    /// In the order of the lines.
    pub(super) fn into_mistakes(mut self) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|m| m.line);
        self.mistakes
    }

    /// The line of a byte, counted from 1.
    fn line(&self, byte: usize) -> usize {
        self.text.bytes().take(byte).filter(|b| *b == b'\n').count() + 1
    }

    pub(super) fn fail(&mut self, byte: usize, message: String) {
        let line = self.line(byte);
        self.mistakes.push(Mistake { line: Some(line), message });
    }

    pub(super) fn refuse_unknown(&mut self, place: &str, table: &DeTable<'_>, known: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let shown = crate::domain::text::clipped(name, 40);
            let what = if place.is_empty() { "table" } else { "key" };
            let help = match nearest(name, known.iter().copied()) {
                _ if looks_secret(name) => "keys and tokens belong in the environment or in secrets.env".to_owned(),
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("there are {}", list(known)),
            };
            self.fail(key.span().start, format!("{place}there is no {what} `{shown}`: {help}"));
        }
    }

    pub(super) fn table<'t, 'i>(&mut self, root: &'t DeTable<'i>, name: &str) -> Option<&'t DeTable<'i>> {
        let value = root.get(name)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            let found = a_type(value.get_ref());
            self.fail(value.span().start, format!("`{name}` must be a table, written [{name}], not {found}"));
        }
        table
    }

    pub(super) fn value<T: ConfigValue>(&mut self, place: &str, table: &DeTable<'_>, key: &str) -> Option<Written<T>> {
        let value = table.get(key)?;
        match T::read(value.get_ref()) {
            Ok(read) => Some(Written::new(read, Origin::File(self.line(value.span().start)))),
            Err(allowed) => {
                self.fail(value.span().start, format!("[{place}] `{key}` {allowed}"));
                None
            }
        }
    }

    /// `[ui.keys]`: an action and its key, or its list of keys.
    pub(super) fn key_bindings(&mut self, root: &DeTable<'_>) -> BTreeMap<String, Written<Vec<String>>> {
        let mut bindings = BTreeMap::new();
        let Some(ui) = root.get("ui").and_then(|ui| ui.get_ref().as_table()) else { return bindings };
        let Some(keys) = self.table(ui, "keys") else { return bindings };
        for (action, value) in keys {
            let at = value.span().start;
            let read = match value.get_ref().as_str() {
                Some(one) => Ok(vec![one.to_owned()]),
                None => Vec::<String>::read(value.get_ref()),
            };
            match read {
                Ok(list) => {
                    let written = Written::new(list, Origin::File(self.line(at)));
                    bindings.insert(action.get_ref().to_string(), written);
                }
                Err(_) => {
                    self.fail(at, "[ui.keys] takes a key such as \"r\" or a list such as [\"r\", \"R\"]".to_owned());
                }
            }
        }
        bindings
    }

    /// The entries of `[[name]]`. `read` notes what is wrong with one and leaves it out.
    pub(super) fn tables<T>(
        &mut self,
        root: &DeTable<'_>,
        name: &str,
        read: impl Fn(&mut Self, usize, &DeTable<'_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(value) = root.get(name) else { return Vec::new() };
        let tables: Option<Vec<_>> = value.get_ref().as_array().map(|items| {
            items.iter().filter_map(|item| item.get_ref().as_table().map(|t| (item.span().start, t))).collect()
        });
        let Some(tables) = tables else {
            self.fail(value.span().start, format!("`{name}` is written [[{name}]], with two brackets"));
            return Vec::new();
        };
        tables.into_iter().filter_map(|(at, table)| read(self, at, table)).collect()
    }
}

pub(super) fn looks_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["token", "secret", "api_key", "apikey", "password", "_pat"].iter().any(|w| name.contains(w))
        && !name.contains("tokens")
}
