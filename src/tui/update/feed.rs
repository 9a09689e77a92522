//! The change feed: events into the mirror, progress into its slots.

use super::super::action::Action;
use super::super::message::Effect;
use super::super::mirror::changes_counts;
use super::super::model::{DraftsFocus, Model, Mood, Read, View};
use super::{bench, list, servers, settings};
use crate::domain::draft::{Checks, Draft, DraftState, PullState, Stage, Verdict};
use crate::protocol::{Event, EventKind, Progress, Signal};

pub(super) fn signal(model: &mut Model, signal: Signal, out: &mut Vec<Effect>) {
    match signal {
        Signal::Event(event) => happened(model, &event, out),
        Signal::Progress(progress) => progressed(model, progress),
        // The log was pruned while nobody looked: the same feed goes on from now, the mirror begins anew.
        Signal::Reset => list::begin(model, out),
    }
}

fn happened(model: &mut Model, event: &Event, out: &mut Vec<Effect>) {
    if event.seq <= model.mirror.seq {
        return;
    }
    let shift = model.mirror.fold(event, model.now);
    list::shifted(model, event, shift);
    if let Some(detail) = &event.feedback
        && let Some(outdated) = model.inbox.asked.get_mut(&detail.feedback.id)
    {
        *outdated = true;
    }
    if changes_counts(event) {
        read_stats(model, out);
    }
    servers::happened(model, event, out);
    settings::happened(model, event, out);
    if let Some(draft) = &event.draft {
        draft_moved(model, event, draft);
    }
}

/// The counts are read, not folded: an event tells what a report is now, not what it was before.
pub(super) fn read_stats(model: &mut Model, out: &mut Vec<Effect>) {
    if model.stats_read == Read::Done {
        out.push(Effect::ReadStats);
        model.stats_read = Read::UnderWay;
    } else {
        model.stats_read = Read::Outdated;
    }
}

fn draft_moved(model: &mut Model, event: &Event, draft: &Draft) {
    let shown = model.drafts.run.as_ref().is_some_and(|run| run.detail.draft.id == draft.id);
    if shown || model.drafts.reading.as_ref() == Some(&draft.id) {
        model.drafts.again = true;
    }
    match event.kind {
        EventKind::DraftDetailAdded => drop(model.said.insert(draft.id.clone(), event.text.clone())),
        EventKind::DraftStageStarted | EventKind::DraftStageDone => {
            model.said.remove(&draft.id);
            model.progress.remove(&draft.id);
        }
        EventKind::DraftWaiting | EventKind::DraftPublished | EventKind::DraftFailed | EventKind::DraftCancelled => {
            model.said.remove(&draft.id);
            model.progress.remove(&draft.id);
            announce(model, draft);
        }
        EventKind::DraftReviewEdited => bench::heard(model, event.command.as_ref()),
        EventKind::DraftPullRequestChanged => announce_pull(model, draft),
        EventKind::FeedbackRecorded
        | EventKind::FeedbackReviewed
        | EventKind::NoteAdded
        | EventKind::DraftQueued
        | EventKind::SettingsSaved
        | EventKind::ServerChanged => {}
    }
}

/// A run that ended, or waits for somebody, is worth a line wherever the user is.
fn announce(model: &mut Model, draft: &Draft) {
    let name = name(draft);
    let (mood, said) = match &draft.state {
        DraftState::Published { published } if published.pr_url.is_empty() => {
            (Mood::Good, format!("{name}: branch {}", published.branch))
        }
        DraftState::Published { published } => (Mood::Good, format!("{name}: {}", published.pr_url)),
        DraftState::Failed { reason, .. } => (Mood::Bad, format!("{name} failed: {reason}")),
        DraftState::Waiting { trouble } if !trouble.is_empty() => {
            (Mood::Bad, format!("{name} was not published: {trouble}"))
        }
        DraftState::Waiting { .. } => {
            let (mood, but) = match draft.verdict {
                Some(Verdict::Failed) => (Mood::Bad, ", but its `verify` failed"),
                Some(Verdict::Passed) | None => (Mood::Good, ""),
            };
            let key = model.keymap.key(Action::Drafts);
            let opens = if is_open(model, draft) { String::new() } else { format!(": {key} opens it") };
            (mood, format!("{name} waits for your review{but}{opens}"))
        }
        DraftState::Cancelled { stage: Some(Stage::Review) } => {
            (Mood::Plain, format!("The change of {name} was discarded"))
        }
        DraftState::Cancelled { .. } => (Mood::Plain, format!("{name} was cancelled")),
        DraftState::Queued | DraftState::Running { .. } => return,
    };
    model.say_about(&draft.id, mood, said);
}

/// Whether a run has the keys already.
fn is_open(model: &Model, draft: &Draft) -> bool {
    let selected = model.selected_draft().is_some_and(|selected| selected.id == draft.id);
    model.view == View::Drafts && model.drafts.focus == DraftsFocus::Run && selected
}

fn announce_pull(model: &mut Model, draft: &Draft) {
    let Some(pull) = &draft.pull else { return };
    let (mood, said) = match (pull.state, pull.checks) {
        (PullState::Merged, _) => (Mood::Good, "its pull request is merged"),
        (PullState::Closed, _) => (Mood::Plain, "its pull request is closed"),
        (PullState::Open | PullState::Draft, Checks::Failed) => (Mood::Bad, "checks of its pull request failed"),
        (PullState::Open | PullState::Draft, Checks::None | Checks::Pending | Checks::Passed | Checks::Unknown) => {
            return;
        }
    };
    model.say_about(&draft.id, mood, format!("{}: {said}", name(draft)));
}

fn name(draft: &Draft) -> String {
    format!("Draft {} for {}", draft.number, draft.server_name)
}

fn progressed(model: &mut Model, progress: Progress) {
    let current = model.mirror.drafts().iter().find(|d| d.id == progress.draft);
    // The stage may be over while its last progress was on the way.
    if current.is_some_and(|d| d.state == DraftState::Running { stage: progress.stage }) {
        model.progress.insert(progress.draft.clone(), progress);
    }
}
