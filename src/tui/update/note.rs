//! Writing a note under a report. What is typed is kept on disk at every key until the note is saved.

use super::super::action::Action;
use super::super::message::{Effect, Subject};
use super::super::model::{Focus, Model, Mood, NoteBatch, NoteEditor, Pending};
use super::triage;
use crate::domain::id::{CommandId, FeedbackId};
use crate::domain::note::NoteText;
use crate::domain::text;
use crate::protocol::{Command, Receipt, Refusal};
use crossterm::event::KeyEvent;
use tui_textarea::{CursorMove, TextArea, WrapMode};

pub(super) fn start(model: &mut Model) {
    let reports = meant(model);
    let Some(report) = reports.first().cloned() else { return };
    let text = model.unsaved.get(&report).cloned().unwrap_or_default();
    open(model, report, reports, &text);
}

/// The reports that a note is for, first the one that it is written beside: the one under the cursor if that is meant.
fn meant(model: &Model) -> Vec<FeedbackId> {
    let mut reports = triage::targets(model);
    let here = model.row().map(|row| &row.id).filter(|id| reports.contains(id));
    let first = here.or_else(|| model.mirror.rows().iter().map(|row| &row.id).find(|id| reports.contains(id)));
    if let Some(at) = first.and_then(|first| reports.iter().position(|id| id == first)) {
        reports[..=at].rotate_right(1);
    }
    reports
}

fn open(model: &mut Model, report: FeedbackId, reports: Vec<FeedbackId>, text: &str) {
    let mut area = TextArea::new(text.split('\n').map(str::to_owned).collect());
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.set_placeholder_text("What should a developer know? The drafter reads notes first.");
    area.move_cursor(CursorMove::Bottom);
    area.move_cursor(CursorMove::End);
    let from_detail = matches!(model.inbox.focus, Focus::Detail);
    let editor = NoteEditor { report, reports, area, saving: None, public: false, from_detail };
    model.inbox.focus = Focus::Note(Box::new(editor));
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
    let (report, back, public) = (editor.report.clone(), editor.from_detail, editor.public);
    model.inbox.focus = if back { Focus::Detail } else { Focus::List };
    if model.unsaved.contains_key(&report) {
        let key = |action| model.keymap.key(action);
        let (note, turns) = (key(Action::Note), key(Action::PublicNote));
        // What agents will read is said anew each time.
        let as_what = if public {
            format!(", as a note for developers until {turns} makes it public again")
        } else {
            String::new()
        };
        model.say(Mood::Plain, format!("The note is kept, not saved: {note} goes on with it{as_what}"));
    }
}

pub(super) fn save(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(editor) = editor(model).filter(|e| e.saving.is_none()) else { return };
    let (kept_with, reports, public) = (editor.report.clone(), editor.reports.clone(), editor.public);
    let content = match NoteText::parse(editor.area.lines().join("\n")) {
        Ok(content) => content,
        Err(e) => return model.say(Mood::Bad, format!("Not saved: {e}")),
    };
    let id = submit(model, &kept_with, reports, &content, public, out);
    if let Some(editor) = self::editor(model) {
        editor.saving = id;
    }
}

/// Sends the note to each of the reports; the first of the commands.
fn submit(
    model: &mut Model,
    kept_with: &FeedbackId,
    reports: Vec<FeedbackId>,
    content: &NoteText,
    public: bool,
    out: &mut Vec<Effect>,
) -> Option<CommandId> {
    let size = reports.len();
    let mut first = None;
    for report in reports {
        let id = model.command_id();
        let batch = first.get_or_insert_with(|| id.clone()).clone();
        let batch = NoteBatch { id: batch, kept_with: kept_with.clone(), size, refused: false };
        model.pending.insert(id.clone(), Pending::Note { report: report.clone(), batch });
        let command = Command::AddNote { feedback: report, content: content.clone(), public };
        out.push(Effect::Submit { id, command });
    }
    first
}

/// The engine's answer to a note that was sent. The text is kept until every report has it; the editor stays for those that don't.
pub(super) fn answered(
    model: &mut Model,
    report: &FeedbackId,
    batch: &NoteBatch,
    result: Result<Receipt, Refusal>,
    out: &mut Vec<Effect>,
) {
    let taken = result.is_ok();
    if let Err(refusal) = result {
        let which = if batch.size == 1 { String::new() } else { " under each of the reports".to_owned() };
        model.say(Mood::Bad, format!("The note is not saved{which}, its text is kept: {refusal}"));
    }
    let mut left = 0;
    for pending in model.pending.values_mut() {
        if let Pending::Note { batch: other, .. } = pending
            && other.id == batch.id
        {
            left += 1;
            other.refused |= batch.refused || !taken;
        }
    }
    let ours = editor(model).filter(|e| e.saving.as_ref() == Some(&batch.id)).map(|e| {
        e.reports.retain(|missing| !taken || missing != report);
        e.saving.take_if(|_| left == 0);
        e.from_detail
    });
    if left > 0 || batch.refused || !taken {
        return;
    }
    remember(model, batch.kept_with.clone(), String::new(), out);
    if let Some(from_detail) = ours {
        model.inbox.focus = if from_detail { Focus::Detail } else { Focus::List };
    }
    model.say(Mood::Good, if batch.size == 1 { "Note saved".to_owned() } else { saved_under(batch.size) });
}

/// Why they are reviewed is often the note: the selection stays for that.
fn saved_under(reports: usize) -> String {
    format!("Note saved under {reports} reports, which stay selected")
}

pub(super) fn edit_outside(model: &mut Model, out: &mut Vec<Effect>) {
    let reports = meant(model);
    let Some(first) = reports.first() else { return };
    let headline = model.mirror.rows().iter().find(|row| row.id == *first).map(|row| row.headline.clone());
    let title = if reports.len() == 1 { headline.unwrap_or_default() } else { format!("{} reports", reports.len()) };
    let text = model.unsaved.get(first).cloned().unwrap_or_default();
    out.push(Effect::Edit { subject: Subject::Note(reports), title, text });
}

pub(super) fn edited(
    model: &mut Model,
    reports: Vec<FeedbackId>,
    result: Result<String, String>,
    out: &mut Vec<Effect>,
) {
    let Some(kept_with) = reports.first().cloned() else { return };
    let text = match result {
        Ok(text) => text,
        Err(why) => return model.say(Mood::Bad, why),
    };
    match NoteText::parse(text.clone()) {
        Ok(content) => {
            remember(model, kept_with.clone(), text, out);
            submit(model, &kept_with, reports, &content, false, out);
        }
        Err(e) if text.trim().is_empty() => model.say(Mood::Plain, format!("No note: {e}")),
        Err(e) => {
            remember(model, kept_with, text, out);
            model.say(Mood::Bad, format!("The note is not saved, its text is kept: {e}"));
        }
    }
}
