//! Starting, cancelling and looking through draft runs.

use super::super::action::Action;
use super::super::message::Effect;
use super::super::model::{DraftsFocus, Model, Mood, Overlay, Pending, Question, View, is_waiting};
use super::triage;
use crate::domain::draft::Draft;
use crate::domain::id::{DraftId, FeedbackId};
use crate::protocol::{Command, Made, Receipt};

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
    let waits = |report: &&FeedbackId| model.mirror.draft_of(report).is_some_and(is_waiting);
    let waiting = reports.iter().filter(waits).count();
    if force && waiting > 0 {
        return model.overlays.push(Overlay::Confirm(Question::Replace { reports, waiting }));
    }
    start_all(model, reports, force, out);
}

pub(super) fn start_all(model: &mut Model, reports: Vec<FeedbackId>, force: bool, out: &mut Vec<Effect>) {
    for report in reports {
        submit(model, report, force, out);
    }
}

/// The drafts view: at the run that was just spoken of or, from a report whose change waits, at that one.
pub(super) fn show(model: &mut Model, about: Option<DraftId>) {
    let of_row = || {
        let row = model.row().filter(|_| model.view == View::Inbox)?;
        model.mirror.draft_of(&row.id).filter(|draft| is_waiting(draft)).map(|draft| draft.id.clone())
    };
    let wanted = about.or_else(of_row);
    model.view = View::Drafts;
    let Some(at) = wanted.and_then(|id| model.mirror.drafts().iter().position(|draft| draft.id == id)) else { return };
    model.drafts.focus = DraftsFocus::List;
    select(model, at);
    if model.waits() {
        open(model);
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

pub(super) fn started(model: &mut Model, receipt: &Receipt) {
    let drafts = model.keymap.key(Action::Drafts).to_owned();
    match model.view {
        View::Inbox | View::Servers | View::Settings => {
            let said = format!("Drafting; {drafts} shows the run, and its change when that is ready");
            match &receipt.made {
                Made::Draft(draft) => model.say_about(draft, Mood::Good, said),
                Made::Feedback(_) | Made::Note(_) | Made::Nothing => model.say(Mood::Good, said),
            }
        }
        View::Drafts => {
            // The new run is the one to watch.
            (model.drafts.selected, model.drafts.tail) = (None, true);
            model.say(Mood::Good, "Drafting again, with the notes as they are now");
        }
    }
}

/// Cancels the runs of what is meant. What is paid for and finished is not thrown away by one key.
pub(super) fn cancel(model: &mut Model, out: &mut Vec<Effect>) {
    let drafts: Vec<Draft> = meant(model).into_iter().filter(|draft| !draft.state.is_over()).cloned().collect();
    if drafts.is_empty() {
        return model.say(Mood::Plain, "There is no running draft here to cancel");
    }
    if model.view == View::Inbox {
        // The selection has served.
        model.inbox.marked.clear();
    }
    let (waiting, running): (Vec<_>, Vec<_>) = drafts.into_iter().partition(is_waiting);
    for draft in running {
        send_cancel(model, draft.id, out);
    }
    if !waiting.is_empty() {
        let question = Question::Discard(waiting.into_iter().map(|draft| draft.id).collect());
        model.overlays.push(Overlay::Confirm(question));
    }
}

/// The runs that the next action is for: those of the reports that are meant, or the selected one.
pub(super) fn meant(model: &Model) -> Vec<&Draft> {
    match model.view {
        View::Inbox => triage::targets(model).iter().filter_map(|report| model.mirror.draft_of(report)).collect(),
        View::Drafts => model.selected_draft().into_iter().collect(),
        View::Servers | View::Settings => Vec::new(),
    }
}

pub(super) fn send_cancel(model: &mut Model, draft: DraftId, out: &mut Vec<Effect>) {
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
    if let Some(draft) = model.selected_draft().map(|draft| draft.id.clone()) {
        // A newer run must not take the place of what somebody is looking at.
        model.drafts.selected = Some(draft);
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
