//! Looking through the settings: reading them when they are shown, moving among them, trying and removing them.

use super::super::message::Effect;
use super::super::model::{Model, Mood, Overlay, Pending, Question, Read, View};
use super::super::screen::settings::{self as screen, Line};
use super::super::settings::{Done, SettingKey, SettingsFocus, Trial};
use super::super::widget::pane;
use super::settings_edit as edit;
use crate::domain::time::{MINUTE, Millis};
use crate::protocol::settings::{Check, Finding, Setting, SettingKind, SettingSource, Sheet};
use crate::protocol::{Command, Event, EventKind, Refusal};

/// Opens the view and reads what it shows.
pub(super) fn show(model: &mut Model, out: &mut Vec<Effect>) {
    model.view = View::Settings;
    read(model, out);
}

pub(super) fn read(model: &mut Model, out: &mut Vec<Effect>) {
    if model.settings.read == Read::Done {
        model.settings.read = Read::UnderWay;
        out.push(Effect::ReadSettings);
    } else {
        model.settings.read = Read::Outdated;
    }
}

/// Somebody saved settings, here or elsewhere.
pub(super) fn happened(model: &mut Model, event: &Event, out: &mut Vec<Effect>) {
    if event.kind == EventKind::SettingsSaved && model.view == View::Settings {
        read(model, out);
    }
}

pub(super) fn answered(model: &mut Model, result: Result<Sheet, Refusal>, out: &mut Vec<Effect>) {
    let again = std::mem::take(&mut model.settings.read) == Read::Outdated;
    model.settings.read_at = model.now;
    match result {
        Ok(sheet) => {
            let settings = &mut model.settings;
            if settings.sheet.as_ref() != Some(&sheet) {
                settings.at = settings.cursor();
                settings.sheet = Some(sheet);
                settings.version += 1;
            }
        }
        Err(refusal) => model.say(Mood::Bad, format!("The settings could not be read: {refusal}")),
    }
    if again {
        read(model, out);
    }
}

/// After every message: reads again when it is time, keeps the cursor in view, and lays out the text beside the list.
pub(super) fn settle(model: &mut Model, out: &mut Vec<Effect>) {
    if model.view != View::Settings {
        return;
    }
    // The files may be edited by hand meanwhile, which makes no event.
    if model.settings.read == Read::Done && model.now >= model.settings.read_at.plus(MINUTE) {
        read(model, out);
    }
    let rows = model.layout().rows;
    let lines = screen::plan(model, rows.width);
    let (first, last) = screen::span(&lines, model);
    let (height, settings) = (usize::from(rows.height).max(1), &mut model.settings);
    let lowest = (last + 1).saturating_sub(height);
    settings.offset = settings.offset.clamp(lowest.min(first), first).min(lines.len().saturating_sub(height));
    lay_out(model);
}

fn lay_out(model: &mut Model) {
    let text = model.layout().text;
    if text.is_empty() {
        return;
    }
    let Some(setting) = model.settings.current() else {
        model.setting_text.key = None;
        model.setting_text.lines.clear();
        return;
    };
    let (name, version) = (setting.name.clone(), model.settings.version);
    let key = SettingKey { name, version, width: text.width, theme: model.theme.shade };
    if model.setting_text.key.as_ref() != Some(&key) {
        let lines = screen::about(setting, model.settings.trial(setting), &model.theme, text.width);
        model.setting_text.lines = lines;
        model.setting_text.key = Some(key);
    }
    model.settings.scroll = model.settings.scroll.min(pane::most(model.setting_text.lines.len(), text.height));
}

pub(super) fn step(model: &mut Model, by: isize) {
    let last = model.settings.list().len().saturating_sub(1);
    select(model, model.settings.cursor().saturating_add_signed(by).min(last));
}

pub(super) fn edge(model: &mut Model, top: bool) {
    let last = model.settings.list().len().saturating_sub(1);
    select(model, if top { 0 } else { last });
    if top {
        // What stands above the first setting is seen again.
        model.settings.offset = 0;
    }
}

pub(super) fn select(model: &mut Model, at: usize) {
    let settings = &mut model.settings;
    if at != settings.cursor() {
        settings.scroll = 0;
    }
    settings.selected = settings.list().get(at).map(|setting| setting.name.clone());
    settings.at = at;
}

/// The setting that a line of the list belongs to.
pub(super) fn setting_at(model: &Model, line: usize) -> Option<usize> {
    match screen::plan(model, model.layout().rows.width).get(line)? {
        Line::Setting(at) | Line::Trial(at, _) => Some(*at),
        Line::Blank | Line::Heading(_) | Line::Hint(_) | Line::Mistake(_) | Line::New | Line::Words => None,
    }
}

pub(super) fn explain(model: &mut Model) {
    if model.settings.current().is_some() {
        model.settings.focus = SettingsFocus::About;
    }
}

pub(super) fn scroll(model: &mut Model, by: isize) {
    let most = pane::most(model.setting_text.lines.len(), model.layout().text.height);
    model.settings.scroll = model.settings.scroll.min(most).saturating_add_signed(by).min(most);
}

/// Tries what is under the cursor. One goes on while others are begun, and while the user is elsewhere.
pub(super) fn test(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(setting) = model.settings.current() else { return };
    let Some(check) = setting.check.clone() else {
        return model.say(Mood::Plain, format!("There is nothing to test about {}", setting.label));
    };
    let name = setting.name.clone();
    let under_way = matches!(model.settings.tried.get(&check), Some((_, Trial::UnderWay)));
    // The answer that is on its way comes to the new place.
    model.settings.tried.insert(check.clone(), (name, Trial::UnderWay));
    model.settings.version += 1;
    if !under_way {
        out.push(Effect::Check(check));
    }
}

pub(super) fn checked(model: &mut Model, check: &Check, result: Result<Finding, Refusal>) {
    let finding = result.unwrap_or_else(|refusal| Finding::bad(refusal.detail, ""));
    if let Some((_, trial)) = model.settings.tried.get_mut(check) {
        *trial = Trial::Done(finding);
        model.settings.version += 1;
    }
}

/// Takes a setting out of the file: at once where that is one line, after a question where it is more.
pub(super) fn remove(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(setting) = model.settings.current() else { return };
    if let Some(why) = &setting.fixed {
        let why = format!("{} can't be changed here: {why}", setting.label);
        return model.say(Mood::Plain, why);
    }
    match (setting.kind, &setting.source) {
        (SettingKind::Repository, _) | (SettingKind::Key, SettingSource::Secrets) => {
            let question = Question::RemoveSetting { name: setting.name.clone(), label: shown(setting) };
            model.overlays.push(Overlay::Confirm(question));
        }
        (SettingKind::OfRepository, _) if setting.label == "server" => {
            model.say(Mood::Plain, "A repository answers for a server: remove it on its own line, or change the name");
        }
        (SettingKind::OfRepository | SettingKind::Value | SettingKind::List, SettingSource::Line(_)) => {
            let name = setting.name.clone();
            submit(model, name, None, out);
        }
        (SettingKind::Key, _) => model.say(Mood::Plain, "The key is not set: there is nothing to remove"),
        (SettingKind::Place | SettingKind::OfRepository | SettingKind::Value | SettingKind::List, _) => {
            model.say(Mood::Plain, "It is not in config.toml: there is nothing to remove");
        }
    }
}

fn shown(setting: &Setting) -> String {
    match setting.kind {
        SettingKind::Repository => format!("the repository of {}", setting.label),
        SettingKind::Key => setting.name.clone(),
        SettingKind::OfRepository | SettingKind::Value | SettingKind::List | SettingKind::Place => {
            setting.label.clone()
        }
    }
}

/// The question was answered with yes.
pub(super) fn remove_now(model: &mut Model, name: String, out: &mut Vec<Effect>) {
    let kind = model.settings.list().iter().find(|setting| setting.name == name).map(|setting| setting.kind);
    match kind {
        Some(SettingKind::Key) => edit::save_key(name, super::super::settings::Hidden::new(), out),
        Some(_) => submit(model, name, None, out),
        None => model.say(Mood::Plain, "It is gone already"),
    }
}

/// Asks for one line to be written or taken out.
pub(super) fn submit(model: &mut Model, setting: String, value: Option<String>, out: &mut Vec<Effect>) {
    let id = model.command_id();
    let done = if value.is_some() { Done::Saved } else { Done::Removed };
    model.pending.insert(id.clone(), Pending::Setting { name: setting.clone(), done });
    out.push(Effect::Submit { id: id.clone(), command: Command::ChangeSetting { setting, value } });
    if let Some(editor) = &mut model.settings.editor {
        editor.saving = Some(super::super::settings::Saving::Command(id));
    }
}

/// What a setting was that is saved now: results of trying it say nothing any more.
pub(super) fn forget_trials(model: &mut Model, name: &str) {
    let settings = &mut model.settings;
    let of = |setting: &&Setting| setting.name == name || name.starts_with(&format!("{}.", setting.name));
    let checks: Vec<Check> = settings.list().iter().filter(of).filter_map(|setting| setting.check.clone()).collect();
    for check in checks {
        settings.tried.remove(&check);
    }
    settings.version += 1;
}

/// When it is to be read again although nothing has happened.
pub(super) fn next_change(model: &Model) -> Option<Millis> {
    (model.settings.read == Read::Done).then(|| model.settings.read_at.plus(MINUTE))
}

/// What `y` takes; never a key.
pub(super) fn copied(model: &Model) -> Option<(&'static str, String)> {
    let setting = model.settings.current().filter(|s| s.kind != SettingKind::Key && !s.value.is_empty())?;
    Some(("the value", setting.value.clone()))
}

/// Whether the setting under the cursor can be typed.
pub(super) fn can_be_changed(model: &Model) -> bool {
    model.settings.current().is_some_and(|setting| setting.fixed.is_none())
}

pub(super) fn can_be_tested(model: &Model) -> bool {
    model.settings.current().is_some_and(|setting| setting.check.is_some())
}

pub(super) fn can_be_removed(model: &Model) -> bool {
    let removable = |setting: &Setting| match setting.kind {
        SettingKind::Repository => true,
        SettingKind::OfRepository => setting.label != "server" && is_written(setting),
        SettingKind::Value | SettingKind::List => is_written(setting),
        SettingKind::Key => setting.source == SettingSource::Secrets,
        SettingKind::Place => false,
    };
    model.settings.current().is_some_and(|setting| setting.fixed.is_none() && removable(setting))
}

fn is_written(setting: &Setting) -> bool {
    matches!(setting.source, SettingSource::Line(_))
}
