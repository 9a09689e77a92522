//! The change feed: events into the mirror, progress into its slots.

use super::super::message::Effect;
use super::super::mirror::changes_counts;
use super::super::model::{Model, Mood, Read};
use super::{list, servers, settings};
use crate::domain::draft::{Draft, DraftState};
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
    let shown = model.drafts.run.as_ref().is_some_and(|run| run.draft.id == draft.id);
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
            announce(model, event.kind, draft);
        }
        EventKind::FeedbackRecorded
        | EventKind::FeedbackReviewed
        | EventKind::NoteAdded
        | EventKind::DraftQueued
        | EventKind::DraftReviewEdited
        | EventKind::DraftPullRequestChanged
        | EventKind::SettingsSaved
        | EventKind::ServerChanged => {}
    }
}

/// A run that ended is worth a line wherever the user is.
fn announce(model: &mut Model, kind: EventKind, draft: &Draft) {
    let name = format!("Draft {} for {}", draft.number, draft.server_name);
    match (&draft.state, kind) {
        (DraftState::Published { published }, _) if published.pr_url.is_empty() => {
            model.say(Mood::Good, format!("{name}: branch {}", published.branch));
        }
        (DraftState::Published { published }, _) => model.say(Mood::Good, format!("{name}: {}", published.pr_url)),
        (DraftState::Failed { reason, .. }, _) => model.say(Mood::Bad, format!("{name} failed: {reason}")),
        (DraftState::Waiting { trouble }, _) if !trouble.is_empty() => {
            model.say(Mood::Bad, format!("{name} was not published: {trouble}"));
        }
        (DraftState::Waiting { .. }, _) => model.say(Mood::Good, format!("{name} waits for your review")),
        (DraftState::Cancelled { .. }, _) => model.say(Mood::Plain, format!("{name} was cancelled")),
        (DraftState::Queued | DraftState::Running { .. }, _) => {}
    }
}

fn progressed(model: &mut Model, progress: Progress) {
    let current = model.mirror.drafts().iter().find(|d| d.id == progress.draft);
    // The stage may be over while its last progress was on the way.
    if current.is_some_and(|d| d.state == DraftState::Running { stage: progress.stage }) {
        model.progress.insert(progress.draft.clone(), progress);
    }
}
