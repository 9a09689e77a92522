//! Typing a setting in its place. A key is typed hidden: it is in no message that is printed, and wiped when it is saved or given up.

use super::super::message::Effect;
use super::super::model::{Model, Mood, View};
use super::super::settings::{Done, Hidden, Input, Purpose, Saving, SettingEditor};
use super::super::widget::field;
use super::settings;
use crate::config::Address;
use crate::domain::text;
use crate::protocol::settings::{Setting, SettingKind};
use crate::protocol::{Receipt, Refusal};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

fn line(text: &str) -> Input {
    Input::Shown(Box::new(field::of(text)))
}

fn open(model: &mut Model, purpose: Purpose, input: Input, words: Vec<String>) {
    model.settings.editor = Some(Box::new(SettingEditor { purpose, input, words, word: None, saving: None }));
    model.settings.focus = super::super::settings::SettingsFocus::List;
}

/// Begins to type the setting under the cursor.
pub(super) fn start(model: &mut Model) {
    let Some(setting) = model.settings.current() else { return };
    if let Some(why) = &setting.fixed {
        let why = format!("{} can't be changed here: {why}", setting.label);
        return model.say(Mood::Plain, why);
    }
    let (name, words) = (setting.name.clone(), setting.words.clone());
    match setting.kind {
        SettingKind::Key => open(model, Purpose::Key(name), Input::Hidden(Hidden::new()), Vec::new()),
        SettingKind::Repository | SettingKind::OfRepository | SettingKind::Value | SettingKind::List => {
            let begun = text::line(&setting.value);
            let at = words.iter().position(|word| *word == begun);
            open(model, Purpose::Setting(name), line(&begun), words);
            if let Some(editor) = &mut model.settings.editor {
                editor.word = at;
            }
        }
        SettingKind::Place => {}
    }
}

/// Begins a new repository: first the server's name, with those offered that have none.
pub(super) fn add(model: &mut Model, out: &mut Vec<Effect>) {
    open(model, Purpose::NewServer, line(""), servers_without(model));
    out.push(Effect::ReadFacets);
}

/// Servers that reported and have no repository of their own.
fn servers_without(model: &Model) -> Vec<String> {
    let taken =
        |name: &str| model.settings.list().iter().any(|s| is_repository(s) && s.label.eq_ignore_ascii_case(name));
    let names = model.facets.server.iter().map(|count| text::line(&count.value));
    names.chain(std::iter::once("*".to_owned())).filter(|name| !taken(name)).collect()
}

fn is_repository(setting: &Setting) -> bool {
    setting.kind == SettingKind::Repository
}

/// The names of servers are here.
pub(super) fn offer_servers(model: &mut Model) {
    let words = servers_without(model);
    if let Some(editor) = model.settings.editor.as_mut().filter(|e| e.purpose == Purpose::NewServer && e.word.is_none())
    {
        editor.words = words;
    }
}

fn editor(model: &mut Model) -> Option<&mut SettingEditor> {
    model.settings.editor.as_deref_mut().filter(|editor| editor.saving.is_none())
}

pub(super) fn typed(model: &mut Model, key: KeyEvent) {
    let Some(editor) = editor(model) else { return };
    match &mut editor.input {
        Input::Shown(area) => _ = field::typed(area, key),
        Input::Hidden(hidden) => match key.code {
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => hidden.clear(),
            KeyCode::Char(c) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => hidden.push(c),
            KeyCode::Backspace => hidden.pop(),
            _ => {}
        },
    }
    model.settings.version += 1;
}

pub(super) fn pasted(model: &mut Model, pasted: &str) {
    let Some(editor) = editor(model) else { return };
    match &mut editor.input {
        Input::Shown(area) => drop(area.insert_str(text::line(pasted.trim()))),
        // As it comes, so that a key which is no key is told of when it is saved.
        Input::Hidden(hidden) => pasted.trim().chars().for_each(|c| hidden.push(c)),
    }
}

/// The next of the words into the line.
pub(super) fn next_word(model: &mut Model) {
    let Some(editor) = editor(model) else { return };
    if editor.words.is_empty() {
        return;
    }
    let next = editor.word.map_or(0, |at| (at + 1) % editor.words.len());
    let Some(word) = editor.words.get(next) else { return };
    editor.input = line(word);
    editor.word = Some(next);
}

pub(super) fn leave(model: &mut Model) {
    let saving = model.settings.editor.take().is_some_and(|editor| editor.saving.is_some());
    let said = if saving { "It is being saved" } else { "Nothing was changed" };
    model.say(Mood::Plain, said);
}

pub(super) fn save(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(editor) = editor(model) else { return };
    let purpose = editor.purpose.clone();
    let typed = match &mut editor.input {
        Input::Shown(area) => area.lines().join(" ").trim().to_owned(),
        Input::Hidden(hidden) => {
            let Purpose::Key(name) = purpose else { return };
            if hidden.count() == 0 {
                return model.say(Mood::Plain, "Type the key, or leave with esc");
            }
            let value = std::mem::take(hidden);
            editor.saving = Some(Saving::Key);
            return save_key(name, value, out);
        }
    };
    match purpose {
        Purpose::Setting(name) => save_setting(model, name, typed, out),
        Purpose::NewServer if typed.is_empty() => {
            model.say(Mood::Plain, "Type the server_name of the reports, or * for all that no other one answers for");
        }
        Purpose::NewServer => {
            open(model, Purpose::NewPlace { server: typed }, line(""), Vec::new());
        }
        Purpose::NewPlace { server } => match place(&typed) {
            Ok((key, place)) => {
                let name = Address::Repository { server, key: None }.to_string();
                settings::submit(model, format!("{name}.{key}"), Some(place), out);
                model.settings.selected = Some(name);
            }
            Err(why) => model.say(Mood::Bad, why),
        },
        Purpose::Key(_) => {}
    }
}

/// A setting as typed; nothing typed means that the file says nothing.
fn save_setting(model: &mut Model, name: String, typed: String, out: &mut Vec<Effect>) {
    let Some(setting) = model.settings.list().iter().find(|setting| setting.name == name) else {
        model.settings.editor = None;
        return model.say(Mood::Bad, format!("{name} is gone: somebody has changed config.toml"));
    };
    if typed == text::line(&setting.value) {
        model.settings.editor = None;
        return model.say(Mood::Plain, "It is what it was");
    }
    if setting.kind == SettingKind::Repository {
        return match place(&typed) {
            Ok((key, place)) => settings::submit(model, format!("{name}.{key}"), Some(place), out),
            Err(why) => model.say(Mood::Bad, why),
        };
    }
    let is_server = setting.kind == SettingKind::OfRepository && setting.label == "server";
    if is_server && typed.is_empty() {
        return model
            .say(Mood::Plain, "Type the server_name of the reports, or * for all that no other one answers for");
    }
    settings::submit(model, name, (!typed.is_empty()).then_some(typed), out);
}

/// Which key says where code is: `owner/name`, also as its address in a browser, is on GitHub; everything else is a directory.
fn place(typed: &str) -> Result<(&'static str, String), &'static str> {
    const WRONG: &str = "Write owner/name for GitHub, or a directory such as ~/src/billing or /srv/billing";
    let bare = typed.strip_prefix("https://github.com/").unwrap_or(typed);
    let bare = if bare.len() < typed.len() { bare.trim_end_matches('/').trim_end_matches(".git") } else { bare };
    match bare.split_once('/') {
        _ if bare.is_empty() || bare.contains("://") => Err(WRONG),
        _ if bare.starts_with(['/', '~', '.']) => Ok(("path", bare.to_owned())),
        Some((owner, name)) if !owner.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(("github", bare.to_owned()))
        }
        Some(_) | None => Err(WRONG),
    }
}

pub(super) fn save_key(name: String, value: Hidden, out: &mut Vec<Effect>) {
    out.push(Effect::SaveKey { name, value });
}

/// The engine's answer to a setting that was sent.
pub(super) fn setting_answered(
    model: &mut Model,
    id: &crate::domain::id::CommandId,
    (name, done): (&str, Done),
    result: Result<Receipt, Refusal>,
    out: &mut Vec<Effect>,
) {
    let ours = model.settings.editor.as_ref().is_some_and(|e| e.saving == Some(Saving::Command(id.clone())));
    answered(model, ours, (name, done), result.map(drop), out);
}

/// The engine's answer to a key that was sent.
pub(super) fn key_answered(
    model: &mut Model,
    (name, done): (&str, Done),
    result: Result<(), Refusal>,
    out: &mut Vec<Effect>,
) {
    let ours = model.settings.editor.as_ref().is_some_and(|e| e.saving == Some(Saving::Key));
    answered(model, ours, (name, done), result, out);
}

fn answered(
    model: &mut Model,
    ours: bool,
    (name, done): (&str, Done),
    result: Result<(), Refusal>,
    out: &mut Vec<Effect>,
) {
    match result {
        Ok(()) => {
            if ours {
                model.settings.editor = None;
            }
            settings::forget_trials(model, name);
            let later = model.settings.list().iter().any(|setting| setting.name == name && setting.next_start);
            let next = if later { "start" } else { "draft" };
            let said = match done {
                Done::Saved => format!("{name} is saved; it holds from the next {next}"),
                Done::Removed => format!("{name} is removed; that holds from the next {next}"),
            };
            model.say(Mood::Good, said);
            if model.view == View::Settings {
                settings::read(model, out);
            }
        }
        Err(refusal) => {
            if let Some(editor) = model.settings.editor.as_mut().filter(|_| ours) {
                editor.saving = None;
            }
            let not = match done {
                Done::Saved => "Not saved",
                Done::Removed => "Not removed",
            };
            model.say(Mood::Bad, format!("{not}: {refusal}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_code_is_may_be_written_in_several_ways() {
        for (typed, key, value) in [
            ("octo/billing", "github", "octo/billing"),
            ("https://github.com/octo/billing.git", "github", "octo/billing"),
            ("https://github.com/octo/billing/", "github", "octo/billing"),
            ("~/src/billing", "path", "~/src/billing"),
            ("../billing", "path", "../billing"),
            ("/srv/billing", "path", "/srv/billing"),
        ] {
            assert_eq!(place(typed), Ok((key, value.to_owned())), "{typed}");
        }
        for typed in ["", "billing", "https://gitlab.com/octo/billing", "a/b/c", "https://github.com/octo"] {
            assert!(place(typed).is_err(), "{typed}");
        }
    }
}
