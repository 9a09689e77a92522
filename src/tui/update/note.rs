//! Writing a note under a report. What is typed is kept on disk at every key until the note is saved.

use super::super::message::{Effect, Subject};
use super::super::model::{Focus, Model, Mood, NoteEditor, Pending};
use crate::domain::id::{CommandId, FeedbackId};
use crate::domain::note::NoteText;
use crate::domain::text;
use crate::protocol::{Command, Receipt, Refusal};
use crossterm::event::KeyEvent;
use tui_textarea::{CursorMove, TextArea, WrapMode};

pub(super) fn start(model: &mut Model) {
    let Some(report) = model.row().map(|row| row.id.clone()) else { return };
    let text = model.unsaved.get(&report).cloned().unwrap_or_default();
    open(model, report, &text);
}

fn open(model: &mut Model, report: FeedbackId, text: &str) {
    let mut area = TextArea::new(text.split('\n').map(str::to_owned).collect());
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.set_placeholder_text("What should a developer know? The drafter reads notes first.");
    area.move_cursor(CursorMove::Bottom);
    area.move_cursor(CursorMove::End);
    let from_detail = matches!(model.inbox.focus, Focus::Detail);
    model.inbox.focus = Focus::Note(Box::new(NoteEditor { report, area, saving: None, public: false, from_detail }));
}

fn editor(model: &mut Model) -> Option<&mut NoteEditor> {
    match &mut model.inbox.focus {
        Focus::Note(editor) => Some(editor),
        Focus::List | Focus::Detail | Focus::Filter(_) => None,
    }
}

pub(super) fn typed(model: &mut Model, key: KeyEvent, out: &mut Vec<Effect>) {
    let Some(editor) = editor(model).filter(|e| e.saving.is_none()) else { return };
    if editor.area.input(key) {
        keep(model, out);
    }
}

pub(super) fn pasted(model: &mut Model, pasted: &str, out: &mut Vec<Effect>) {
    let Some(editor) = editor(model).filter(|e| e.saving.is_none()) else { return };
    // A terminal's paste may carry escapes; a note is text.
    editor.area.insert_str(text::block(pasted));
    keep(model, out);
}

/// Marks the note as an answer for agents, or not. Every note begins as one for developers.
pub(super) fn toggle_public(model: &mut Model) {
    let Some(editor) = editor(model).filter(|e| e.saving.is_none()) else { return };
    editor.public = !editor.public;
    let said = if editor.public {
        "A public answer: agents that report the same gap will read it"
    } else {
        "A note for developers: no agent will read it"
    };
    model.say(Mood::Plain, said);
}

fn keep(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(editor) = editor(model) else { return };
    let (feedback, text) = (editor.report.clone(), editor.area.lines().join("\n"));
    remember(model, feedback, text, out);
}

fn remember(model: &mut Model, feedback: FeedbackId, text: String, out: &mut Vec<Effect>) {
    if text.trim().is_empty() {
        model.unsaved.remove(&feedback);
    } else {
        model.unsaved.insert(feedback.clone(), text.clone());
    }
    out.push(Effect::KeepUnsaved { feedback, text });
}

pub(super) fn leave(model: &mut Model) {
    let Some(editor) = editor(model) else { return };
    let (report, back) = (editor.report.clone(), editor.from_detail);
    model.inbox.focus = if back { Focus::Detail } else { Focus::List };
    if model.unsaved.contains_key(&report) {
        let key = model.keymap.key(super::super::action::Action::Note).to_owned();
        model.say(Mood::Plain, format!("The note is kept, not saved: {key} goes on with it"));
    }
}

pub(super) fn save(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(editor) = editor(model).filter(|e| e.saving.is_none()) else { return };
    let (report, public) = (editor.report.clone(), editor.public);
    let content = match NoteText::parse(editor.area.lines().join("\n")) {
        Ok(content) => content,
        Err(e) => return model.say(Mood::Bad, format!("Not saved: {e}")),
    };
    let id = submit(model, report, content, public, out);
    if let Some(editor) = self::editor(model) {
        editor.saving = Some(id);
    }
}

fn submit(model: &mut Model, report: FeedbackId, content: NoteText, public: bool, out: &mut Vec<Effect>) -> CommandId {
    let id = model.command_id();
    model.pending.insert(id.clone(), Pending::Note { report: report.clone() });
    out.push(Effect::Submit { id: id.clone(), command: Command::AddNote { feedback: report, content, public } });
    id
}

/// The engine's answer to a note that was sent.
pub(super) fn answered(
    model: &mut Model,
    id: &CommandId,
    report: FeedbackId,
    result: Result<Receipt, Refusal>,
    out: &mut Vec<Effect>,
) {
    let ours = editor(model).filter(|e| e.saving.as_ref() == Some(id)).map(|e| {
        e.saving = None;
        e.from_detail
    });
    match result {
        Ok(_) => {
            remember(model, report, String::new(), out);
            if let Some(from_detail) = ours {
                model.inbox.focus = if from_detail { Focus::Detail } else { Focus::List };
            }
            model.say(Mood::Good, "Note saved");
        }
        Err(refusal) => model.say(Mood::Bad, format!("The note is not saved, its text is kept: {refusal}")),
    }
}

pub(super) fn edit_outside(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(row) = model.row() else { return };
    let (feedback, title) = (row.id.clone(), row.headline.clone());
    let text = model.unsaved.get(&feedback).cloned().unwrap_or_default();
    out.push(Effect::Edit { subject: Subject::Note(feedback), title, text });
}

pub(super) fn edited(model: &mut Model, feedback: FeedbackId, result: Result<String, String>, out: &mut Vec<Effect>) {
    let text = match result {
        Ok(text) => text,
        Err(why) => return model.say(Mood::Bad, why),
    };
    match NoteText::parse(text.clone()) {
        Ok(content) => {
            remember(model, feedback.clone(), text, out);
            submit(model, feedback, content, false, out);
        }
        Err(e) if text.trim().is_empty() => model.say(Mood::Plain, format!("No note: {e}")),
        Err(e) => {
            remember(model, feedback, text, out);
            model.say(Mood::Bad, format!("The note is not saved, its text is kept: {e}"));
        }
    }
}
