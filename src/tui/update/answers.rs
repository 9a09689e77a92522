//! What came back from the engine and from outside.

use super::super::message::{Answer, Effect, Subject};
use super::super::model::{Ingest, Loading, Model, Mood, Pending, Read, is_waiting};
use super::{bench, drafts, list, note, servers, settings, settings_edit, triage};
use crate::domain::id::CommandId;
use crate::protocol::{Receipt, Refusal};

pub(super) fn answer(model: &mut Model, answer: Answer, out: &mut Vec<Effect>) {
    match answer {
        Answer::Snapshot { generation, filter, result } if generation == model.inbox.generation => match result {
            Ok(snapshot) => list::began(model, snapshot, filter, out),
            Err(refusal) => failed(model, &refusal),
        },
        Answer::Page { generation, filter, side, result } if generation == model.inbox.generation => match result {
            Ok(page) => list::placed(model, side, page, filter),
            Err(refusal) => failed(model, &refusal),
        },
        // Of an older request: the newer one's answer is on its way.
        Answer::Snapshot { .. } | Answer::Page { .. } => {}
        Answer::Feedback { id, result } => {
            let outdated = model.inbox.asked.remove(&id).unwrap_or(true);
            match result {
                Ok(detail) if !outdated => model.mirror.keep_detail(detail),
                // While it is in view it will be asked for again.
                Ok(_) => {}
                Err(refusal) => unread(model, &refusal),
            }
        }
        Answer::Draft { id, result } => {
            if model.drafts.reading == Some(id) {
                model.drafts.reading = None;
            }
            match result {
                Ok(run) => {
                    let draft = &run.detail.draft;
                    model.drafts.bench.read(&draft.id, is_waiting(draft));
                    model.drafts.version += 1;
                    model.drafts.run = Some(*run);
                }
                Err(refusal) => unread(model, &refusal),
            }
        }
        Answer::Difference { asked, result } => bench::compared(model, asked, result),
        Answer::Stats(result) => {
            if let Ok(stats) = result {
                model.stats = stats;
            }
            match model.stats_read {
                Read::Done | Read::UnderWay => model.stats_read = Read::Done,
                Read::Outdated => {
                    model.stats_read = Read::UnderWay;
                    out.push(Effect::ReadStats);
                }
            }
        }
        Answer::Facets(result) => {
            // Without them completion knows fewer names; nothing else is lost.
            if let Ok(facets) = result {
                model.facets = facets;
                super::filter::offer(model);
                settings_edit::offer_servers(model);
            }
        }
        Answer::Servers(result) => servers::answered(model, result, out),
        Answer::Settings(result) => settings::answered(model, result, out),
        Answer::KeySaved { name, done, result } => settings_edit::key_answered(model, (&name, done), result, out),
        Answer::Checked { check, result } => settings::checked(model, &check, result),
        Answer::Submitted { id, result } => submitted(model, &id, result, out),
        Answer::Edited { subject: Subject::Note(reports), result } => note::edited(model, reports, result, out),
        Answer::Edited { subject: Subject::Change(draft), result } => bench::edited(model, draft, result, out),
        Answer::NotKept(why) => {
            model.say(Mood::Bad, format!("What you type can't be kept on disk until it is saved: {why}"));
        }
        Answer::Opened { link, result } => opened(model, link, result, out),
        Answer::IngestStopped(why) => {
            model.say(Mood::Bad, format!("Reports are no longer taken: {why}"));
            model.ingest = Ingest::Off(why);
        }
    }
}

fn failed(model: &mut Model, refusal: &Refusal) {
    model.inbox.loading = Loading::Nothing;
    model.mirror.expect_nothing();
    unread(model, refusal);
}

/// Asking again at once would be a loop at full speed: the next key does it.
fn unread(model: &mut Model, refusal: &Refusal) {
    model.reads_fail = true;
    model.early.clear();
    model.say(Mood::Bad, format!("Could not be read: {refusal}"));
}

fn submitted(model: &mut Model, id: &CommandId, result: Result<Receipt, Refusal>, out: &mut Vec<Effect>) {
    let Some(pending) = model.pending.remove(id) else { return };
    match (pending, result) {
        (Pending::Setting { name, done }, result) => {
            settings_edit::setting_answered(model, id, (&name, done), result, out);
        }
        (Pending::Note { report, batch }, result) => note::answered(model, &report, &batch, result, out),
        (Pending::Review { reports, reviewed, undoing, .. }, Ok(_)) => {
            triage::reviewed(model, &reports, reviewed, undoing);
        }
        (Pending::Review { reports, reviewed, undoing, marked }, Err(refusal)) => {
            triage::refused(model, id, reports, reviewed, undoing, marked);
            model.say(Mood::Bad, refusal.detail);
        }
        (Pending::Draft { .. }, Ok(receipt)) => drafts::started(model, &receipt),
        (Pending::Cancel { draft }, Ok(_)) => {
            // The news of it may have come first, and says more.
            let over = model.mirror.drafts().iter().any(|d| d.id == draft && d.state.is_over());
            if !over {
                model.say(Mood::Plain, "Cancelling");
            }
        }
        (Pending::Publish { .. }, Ok(_)) => model.say(Mood::Plain, "Publishing"),
        (Pending::Decision { .. }, result) => bench::answered(model, id, result),
        (Pending::Draft { report, marked }, Err(refusal)) => {
            model.inbox.marked.extend(marked.then_some(report));
            model.say(Mood::Bad, refusal.detail);
        }
        (Pending::Cancel { .. } | Pending::Publish { .. }, Err(refusal)) => model.say(Mood::Bad, refusal.detail),
    }
}

/// Over SSH there is no browser to start: then the link goes to the clipboard of the terminal.
fn opened(model: &mut Model, link: String, result: Result<(), String>, out: &mut Vec<Effect>) {
    match result {
        Ok(()) => model.say(Mood::Good, format!("Opened {link}")),
        Err(why) => {
            model.say(Mood::Plain, format!("Copied {link} ({why})"));
            out.push(Effect::Copy(link));
        }
    }
}
