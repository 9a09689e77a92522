//! What is done with reports: review marks, selection, copying, opening.

use super::super::message::Effect;
use super::super::model::{Model, Mood, Pending, Undo, View};
use super::list;
use crate::domain::draft::DraftState;
use crate::domain::id::{CommandId, FeedbackId};
use crate::protocol::Command;
use crate::protocol::read::Detail;
use std::collections::BTreeSet;

/// Marks that can be taken back, at most.
const UNDOS: usize = 100;

/// The reports the next action is for: the selected ones, else the one under the cursor.
pub(super) fn targets(model: &Model) -> Vec<FeedbackId> {
    if model.inbox.marked.is_empty() {
        return model.row().map(|row| row.id.clone()).into_iter().collect();
    }
    model.inbox.marked.iter().cloned().collect()
}

pub(super) fn review(model: &mut Model, out: &mut Vec<Effect>) {
    let reviewed = would_review(model);
    let changing: Vec<FeedbackId> =
        targets(model).into_iter().filter(|id| is_reviewed(model, id) != reviewed).collect();
    set_reviewed(model, changing, reviewed, false, out);
}

fn is_reviewed(model: &Model, id: &FeedbackId) -> bool {
    model.mirror.rows().iter().any(|row| row.id == *id && row.reviewed)
}

/// Whether the review key marks what is meant as reviewed; else all of it is, and the key takes that back.
pub(super) fn would_review(model: &Model) -> bool {
    !targets(model).iter().all(|id| is_reviewed(model, id))
}

fn set_reviewed(model: &mut Model, reports: Vec<FeedbackId>, reviewed: bool, undoing: bool, out: &mut Vec<Effect>) {
    if reports.is_empty() {
        return;
    }
    let id = model.command_id();
    // The selection has served; what is selected from now on is for the next action.
    let marked = if undoing { BTreeSet::new() } else { std::mem::take(&mut model.inbox.marked) };
    if !undoing {
        // At once and not with the answer: commands are carried out in order, so an undo may be pressed right behind.
        remember(model, Undo { command: id.clone(), reports: reports.clone(), reviewed: !reviewed });
    }
    model.pending.insert(id.clone(), Pending::Review { reports: reports.clone(), reviewed, undoing, marked });
    out.push(Effect::Submit { id, command: Command::SetReviewed { feedback: reports, reviewed } });
}

/// The engine has it.
pub(super) fn reviewed(model: &mut Model, reports: &[FeedbackId], reviewed: bool, undoing: bool) {
    let word = if reviewed { "reviewed" } else { "not reviewed" };
    let what = if reports.len() == 1 { String::new() } else { format!("{} reports: ", reports.len()) };
    if undoing {
        model.say(Mood::Good, format!("Undone: {what}{word} again"));
        return;
    }
    let undo = model.keymap.key(super::super::action::Action::Undo).to_owned();
    model.say(
        Mood::Good,
        format!(
            "Marked as {word}{}; {undo} undoes",
            if reports.len() == 1 { String::new() } else { format!(": {} reports", reports.len()) }
        ),
    );
}

fn remember(model: &mut Model, undo: Undo) {
    model.undo.push(undo);
    let excess = model.undo.len().saturating_sub(UNDOS);
    model.undo.drain(..excess);
}

/// Nothing has changed: the same key can be pressed again.
pub(super) fn refused(
    model: &mut Model,
    command: &CommandId,
    reports: Vec<FeedbackId>,
    reviewed: bool,
    undoing: bool,
    marked: BTreeSet<FeedbackId>,
) {
    model.inbox.marked.extend(marked);
    if undoing {
        remember(model, Undo { command: command.clone(), reports, reviewed });
    } else {
        model.undo.retain(|undo| undo.command != *command);
    }
}

pub(super) fn undo(model: &mut Model, out: &mut Vec<Effect>) {
    match model.undo.pop() {
        Some(Undo { reports, reviewed, .. }) => set_reviewed(model, reports, reviewed, true, out),
        None => model.say(Mood::Plain, "Nothing to undo: only review marks of this session can be undone"),
    }
}

pub(super) fn select(model: &mut Model) {
    let Some(id) = model.row().map(|row| row.id.clone()) else { return };
    if !model.inbox.marked.remove(&id) {
        model.inbox.marked.insert(id);
    }
    list::step(model, 1);
}

pub(super) fn open_link(model: &mut Model, out: &mut Vec<Effect>) {
    match link(model) {
        Some(link) => out.push(Effect::OpenLink(link)),
        None => model.say(Mood::Plain, "There is no pull request to open here yet"),
    }
}

/// The pull request of what is under the cursor. Only web addresses: what is opened came over the network.
pub(super) fn link(model: &Model) -> Option<String> {
    let link = match model.view {
        View::Inbox => model.row().map(|row| row.pr_url.clone()),
        View::Drafts => model.selected_draft().and_then(|d| published(&d.state)).map(|p| p.pr_url.clone()),
        View::Servers | View::Settings => None,
    };
    link.filter(|link| link.starts_with("https://") || link.starts_with("http://"))
}

fn published(state: &DraftState) -> Option<&crate::domain::draft::Published> {
    match state {
        DraftState::Published { published } => Some(published),
        DraftState::Queued
        | DraftState::Running { .. }
        | DraftState::Waiting { .. }
        | DraftState::Failed { .. }
        | DraftState::Cancelled { .. } => None,
    }
}

pub(super) fn copy(model: &mut Model, out: &mut Vec<Effect>) {
    let Some((what, text)) = copied(model) else {
        model.say(Mood::Plain, "There is nothing to copy here");
        return;
    };
    model.say(Mood::Good, format!("Copied {what}"));
    out.push(Effect::Copy(text));
}

/// What `y` takes, best first: the link, the branch, the text.
pub(super) fn copied(model: &Model) -> Option<(&'static str, String)> {
    if let Some(Ok(comparison)) = model.compared().filter(|_| model.compares()) {
        return Some(("the difference", comparison.told.diff.clone()));
    }
    if let Some(link) = link(model) {
        return Some(("the link", link));
    }
    let draft = match model.view {
        View::Inbox => model.row().and_then(|row| model.mirror.draft_of(&row.id)),
        View::Drafts => model.selected_draft(),
        View::Servers | View::Settings => None,
    };
    if let Some(published) = draft.and_then(|d| published(&d.state)) {
        return Some(("the branch's name", published.branch.clone()));
    }
    match model.view {
        View::Inbox => model.detail().map(|detail| ("the report", as_text(detail))),
        View::Drafts => {
            // The run that was read last may be the one before.
            let run = model.run().filter(|run| !run.detail.diff.is_empty());
            run.map(|run| ("the diff", run.detail.diff.clone()))
        }
        View::Servers => model.selected_server().map(|server| ("the server's name", server.name.clone())),
        View::Settings => super::settings::copied(model),
    }
}

/// The report as plain text; made safe, because it will be pasted into a shell or an editor.
fn as_text(detail: &Detail) -> String {
    let r = &detail.feedback.report;
    let parts = [
        ("Needed", &r.what_i_needed),
        ("Tried", &r.what_i_tried),
        ("Suggestion", &r.suggestion),
        ("Goal", &r.user_goal),
    ];
    let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
    let parts: Vec<String> =
        parts.map(|(title, text)| format!("{title}: {}", crate::domain::text::block(text))).collect();
    parts.join("\n\n")
}
