//! The proof that an edit did what was asked for and nothing else: the file before and after it, read as the program reads it.

use super::Address;
use crate::config::file::{Entry, Layer, bare_or_quoted};
use crate::config::repository;

/// What a file says, without where it says it.
type Facts = Vec<(String, String)>;

fn facts(entries: Vec<Entry>) -> Facts {
    entries.into_iter().map(|e| (format!("{}.{}", e.table, e.key), e.value)).collect()
}

/// Whether the two say the same but for one setting, which says `toml`.
pub(super) fn only_this_changed(address: &Address, before: &Layer, after: &Layer, toml: Option<&str>) -> bool {
    let (mut old, mut new) = (facts(before.entries()), facts(after.entries()));
    let repositories = |layer: &Layer| layer.repositories.iter().map(|r| facts(r.says())).collect::<Vec<_>>();
    let (was, is) = (repositories(before), repositories(after));
    let repositories_fit = match address {
        Address::Key(spec) => is_what_was_asked(&mut old, &mut new, &format!("{spec:?}"), toml) && was == is,
        Address::Binding(action) => {
            is_what_was_asked(&mut old, &mut new, &format!("ui.keys.{}", bare_or_quoted(action)), toml) && was == is
        }
        Address::Repository { server, key } => {
            let nth = before.repositories.iter().position(|r| r.server().eq_ignore_ascii_case(server));
            only_one_changed(was, is, nth, key.map(|spec| spec.key), toml)
        }
    };
    repositories_fit && old == new && before.prices == after.prices
}

/// Whether the new facts say it; takes it out of both.
fn is_what_was_asked(old: &mut Facts, new: &mut Facts, name: &str, toml: Option<&str>) -> bool {
    let said = new.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    let is_so = said == toml;
    old.retain(|(found, _)| found != name);
    new.retain(|(found, _)| found != name);
    is_so
}

/// The same for the entry that is meant: `nth`, or a new one at the end.
fn only_one_changed(
    mut was: Vec<Facts>,
    mut is: Vec<Facts>,
    nth: Option<usize>,
    key: Option<&str>,
    toml: Option<&str>,
) -> bool {
    let Some(nth) = nth else {
        let added = is.pop();
        return added.is_some() && was == is;
    };
    let mut old = was.remove(nth);
    let Some(key) = key else { return was == is };
    if nth >= is.len() {
        return false;
    }
    let mut new = is.remove(nth);
    if let Some(other) = repository::instead_of(key) {
        old.retain(|(found, _)| *found != format!("repository.{other}"));
    }
    is_what_was_asked(&mut old, &mut new, &format!("repository.{key}"), toml) && old == new && was == is
}
