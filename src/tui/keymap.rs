//! From key to [`Action`]: one table, `assets/keymap.toml`, under what the settings say.
//!
//! The same table makes the footer's hints, the help and the README's list of keys.

use super::action::{Action, Context};
use crokey::KeyCombination;
use crossterm::event::KeyEvent;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

const TABLE: &str = include_str!("../../assets/keymap.toml");

/// The settings, or the table, name keys that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[ui.keys] {0}")]
pub struct KeymapError(String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    groups: Vec<String>,
    bind: Vec<Entry>,
}

/// One `[[bind]]` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    action: String,
    keys: Vec<String>,
    #[serde(rename = "in")]
    places: Vec<String>,
    help: String,
    hint: Option<String>,
    opposite: Option<String>,
    group: String,
}

/// An action with its keys and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub action: Action,
    /// As written: `ctrl-s`.
    pub keys: Vec<String>,
    pub contexts: Vec<Context>,
    pub help: String,
    pub hint: Option<String>,
    /// The hint while the key would do the opposite.
    pub opposite: Option<String>,
    pub group: String,
}

/// All bindings, in the order of the table.
#[derive(Debug, Clone)]
pub struct Keymap {
    groups: Vec<String>,
    bindings: Vec<Binding>,
    index: HashMap<(Context, KeyCombination), Action>,
}

impl Keymap {
    /// The table, with the keys of some actions replaced.
    ///
    /// # Errors
    /// An action that does not exist, a key that can't be read, or one key with two meanings in one place.
    pub fn new(overrides: &BTreeMap<String, Vec<String>>) -> Result<Self, KeymapError> {
        let file: File = toml::from_str(TABLE).map_err(|e| KeymapError(format!("assets/keymap.toml: {e}")))?;
        let mut bindings = file.bind.into_iter().map(binding).collect::<Result<Vec<_>, _>>()?;
        for (name, keys) in overrides {
            let action = Action::from_word(name).ok_or_else(|| unknown(name))?;
            for binding in bindings.iter_mut().filter(|b| b.action == action) {
                binding.keys.clone_from(keys);
            }
        }
        let mut keymap = Self { groups: file.groups, bindings, index: HashMap::new() };
        keymap.make_index()?;
        Ok(keymap)
    }

    fn make_index(&mut self) -> Result<(), KeymapError> {
        for binding in &self.bindings {
            for key in &binding.keys {
                let combination = parse(key).ok_or_else(|| {
                    KeymapError(format!(
                        "{}: `{key}` is not a key; write a, G, ctrl-d, alt-x, f5, enter, space, esc …",
                        binding.action
                    ))
                })?;
                for context in &binding.contexts {
                    let before = self.index.insert((*context, combination), binding.action);
                    if let Some(other) = before.filter(|other| *other != binding.action) {
                        return Err(KeymapError(format!(
                            "`{key}` would mean both `{other}` and `{}`: give one of them another key",
                            binding.action
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    /// What a key means in a place; `None` where it means nothing, or is text.
    pub fn action(&self, context: Context, key: KeyEvent) -> Option<Action> {
        self.index.get(&(context, KeyCombination::from(key).normalized())).copied()
    }

    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// What has a hint for the footer and a key, most important first.
    pub fn hints(&self, context: Context) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |b| b.contexts.contains(&context) && b.hint.is_some() && !b.keys.is_empty())
    }

    /// The first key of an action, for sentences; empty when the settings took all its keys.
    pub fn key(&self, action: Action) -> &str {
        self.bindings.iter().find(|b| b.action == action).and_then(|b| b.keys.first()).map_or("", String::as_str)
    }

    /// Groups in the order of the table, each with its bindings.
    pub fn groups(&self) -> impl Iterator<Item = (&str, Vec<&Binding>)> {
        self.groups.iter().map(|group| (group.as_str(), self.bindings.iter().filter(|b| b.group == *group).collect()))
    }

    /// The table of keys in README.md.
    pub fn markdown(&self) -> String {
        use std::fmt::Write;
        let mut out = String::from("| keys | action | does |\n|---|---|---|\n");
        for (_, members) in self.groups() {
            for b in members {
                let keys: Vec<String> = b.keys.iter().map(|k| format!("`{k}`")).collect();
                // Writing to a string can't fail.
                let _ = writeln!(out, "| {} | `{}` | {} |", keys.join(" "), b.action, b.help);
            }
        }
        out
    }
}

/// Everywhere but while typing and under the help or a question.
const BROWSE: [Context; 8] = [
    Context::List,
    Context::Detail,
    Context::Drafts,
    Context::Run,
    Context::Servers,
    Context::Server,
    Context::Settings,
    Context::Setting,
];

/// `G` is written for shift and `g`, as everybody does; the library wants it spelled out.
fn parse(key: &str) -> Option<KeyCombination> {
    let (modifiers, last) =
        key.rsplit_once('-').filter(|(m, _)| !m.is_empty()).map_or(("", key), |(m, last)| (m, last));
    let joined = match last.chars().next().filter(|c| c.is_uppercase() && last.chars().count() == 1) {
        Some(_) => format!("{modifiers}{}shift-{}", if modifiers.is_empty() { "" } else { "-" }, last.to_lowercase()),
        None => key.to_owned(),
    };
    crokey::parse(&joined).ok().map(KeyCombination::normalized)
}

fn binding(entry: Entry) -> Result<Binding, KeymapError> {
    let action = Action::from_word(&entry.action).ok_or_else(|| unknown(&entry.action))?;
    let mut contexts = Vec::new();
    for place in &entry.places {
        match place.as_str() {
            "any" => contexts.extend_from_slice(Context::ALL),
            "browse" => contexts.extend(BROWSE),
            word => contexts
                .push(Context::from_word(word).ok_or_else(|| KeymapError(format!("there is no place `{word}`")))?),
        }
    }
    let Entry { keys, help, hint, opposite, group, .. } = entry;
    Ok(Binding { action, keys, contexts, help, hint, opposite, group })
}

fn unknown(name: &str) -> KeymapError {
    let near = Action::ALL
        .iter()
        .map(|a| (strsim::jaro_winkler(name, a.as_str()), a.as_str()))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let near = near.map_or("help", |(_, word)| word);
    KeymapError(format!("there is no action `{name}`; did you mean `{near}`? The help (`?`) names them all"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};

    fn with(action: &str, keys: &[&str]) -> Result<Keymap, KeymapError> {
        Keymap::new(&[(action.to_owned(), keys.iter().map(|k| (*k).to_owned()).collect())].into())
    }

    #[test]
    fn the_table_is_whole() {
        let keymap = Keymap::new(&BTreeMap::new()).unwrap();
        for action in Action::ALL {
            assert!(!keymap.key(*action).is_empty(), "{action} has no key");
        }
        let shown: usize = keymap.groups().map(|(_, members)| members.len()).sum();
        assert_eq!(shown, keymap.bindings().len(), "a binding is in a group that the help does not show");
        for context in Context::ALL {
            assert!(keymap.hints(*context).count() > 0, "{context} has no hint");
        }
    }

    #[test]
    fn shifted_letters_are_found_however_the_terminal_sends_them() {
        let keymap = Keymap::new(&BTreeMap::new()).unwrap();
        for (code, modifiers) in [('G', KeyModifiers::SHIFT), ('G', KeyModifiers::NONE), ('g', KeyModifiers::SHIFT)] {
            assert_eq!(
                keymap.action(Context::List, KeyEvent::new(KeyCode::Char(code), modifiers)),
                Some(Action::Bottom)
            );
        }
        let question = KeyEvent::new(KeyCode::Char('?'), KeyModifiers::NONE);
        assert_eq!(keymap.action(Context::List, question), Some(Action::Help));
        assert_eq!(keymap.action(Context::Note, question), None, "in a note it is text");
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(Context::ALL.iter().all(|c| keymap.action(*c, interrupt) == Some(Action::Interrupt)));
    }

    #[test]
    fn settings_replace_keys_and_mistakes_name_themselves() {
        let keymap = with("quit", &["Q"]).unwrap();
        assert_eq!(keymap.key(Action::Quit), "Q");
        assert!(with("quti", &["Q"]).unwrap_err().to_string().contains("`quit`"));
        assert!(with("quit", &["ctrl-"]).unwrap_err().to_string().contains("not a key"));
        let clash = with("quit", &["j"]).unwrap_err().to_string();
        assert!(clash.contains("`quit`") && clash.contains("`down`"), "{clash}");
    }
}
