//! Starting, cancelling and looking through draft runs.

use super::super::message::Effect;
use super::super::model::{DraftsFocus, Model, Mood, Pending, View};
use super::triage;
use crate::domain::draft::Draft;
use crate::domain::id::FeedbackId;
use crate::protocol::Command;

/// Drafts the reports that are meant; `force`: although there is a draft already.
pub(super) fn start(model: &mut Model, force: bool, out: &mut Vec<Effect>) {
    let reports = match model.view {
        View::Inbox => triage::targets(model),
        View::Drafts => model.selected_draft().map(|d| d.feedback_id.clone()).into_iter().collect(),
        View::Servers | View::Settings => Vec::new(),
    };
    if reports.is_empty() {
        return model.say(Mood::Plain, "There is no report to draft for");
    }
    for report in reports {
        submit(model, report, force, out);
    }
}

fn submit(model: &mut Model, report: FeedbackId, force: bool, out: &mut Vec<Effect>) {
    let id = model.command_id();
    // Selected reports were selected for this; the next selection is another one.
    let marked = model.view == View::Inbox && model.inbox.marked.remove(&report);
    model.pending.insert(id.clone(), Pending::Draft { report: report.clone(), marked });
    out.push(Effect::Submit {
        id,
        command: Command::StartDraft { feedback: report, force, drafter: None, target: None, unattended: false },
    });
}

pub(super) fn started(model: &mut Model) {
    let drafts = model.keymap.key(super::super::action::Action::Drafts).to_owned();
    match model.view {
        View::Inbox | View::Servers | View::Settings => {
            model.say(Mood::Good, format!("Drafting; {drafts} shows the run"));
        }
        View::Drafts => {
            // The new run is the one to watch.
            (model.drafts.selected, model.drafts.tail) = (None, true);
            model.say(Mood::Good, "Drafting again, with the notes as they are now");
        }
    }
}

pub(super) fn cancel(model: &mut Model, out: &mut Vec<Effect>) {
    let draft = match model.view {
        View::Inbox => model.row().and_then(|row| model.mirror.draft_of(&row.id)),
        View::Drafts => model.selected_draft(),
        View::Servers | View::Settings => None,
    };
    let Some(draft) = draft.filter(|d| !d.state.is_over()).map(|d| d.id.clone()) else {
        return model.say(Mood::Plain, "There is no running draft here to cancel");
    };
    let id = model.command_id();
    model.pending.insert(id.clone(), Pending::Cancel { draft: draft.clone() });
    out.push(Effect::Submit { id, command: Command::CancelDraft { draft } });
}

pub(super) fn step(model: &mut Model, by: isize) {
    let last = model.mirror.drafts().len().saturating_sub(1);
    select(model, model.draft_cursor().saturating_add_signed(by).min(last));
}

pub(super) fn edge(model: &mut Model, top: bool) {
    let last = model.mirror.drafts().len().saturating_sub(1);
    select(model, if top { 0 } else { last });
}

pub(super) fn select(model: &mut Model, at: usize) {
    let selected = model.mirror.drafts().get(at).map(|d| d.id.clone());
    if selected != model.drafts.selected {
        (model.drafts.selected, model.drafts.scroll) = (selected, 0);
        model.drafts.tail = model.selected_draft().is_some_and(runs);
    }
}

fn runs(draft: &Draft) -> bool {
    draft.state.is_active()
}

pub(super) fn open(model: &mut Model) {
    if model.selected_draft().is_some() {
        model.drafts.focus = DraftsFocus::Run;
    }
}

/// Scrolls the run; scrolling up from the end stops following it.
pub(super) fn scroll(model: &mut Model, by: isize) {
    let most = super::super::widget::pane::most(model.run_text.lines.len(), model.layout().text.height);
    let at = if model.drafts.tail { most } else { model.drafts.scroll.min(most) };
    model.drafts.scroll = at.saturating_add_signed(by).min(most);
    model.drafts.tail = model.drafts.scroll == most && model.selected_draft().is_some_and(runs);
}
