//! The review of a change where somebody sits at a terminal: shows it and asks what is to become of it.

use super::drafts;
use super::out::{Ink, Out};
use super::progress::Progress;
use super::serve::StopSignals;
use crate::domain::draft::{TargetKind, Verdict};
use crate::domain::id::DraftId;
use crate::engine::Engine;
use crate::protocol::Command;
use crate::protocol::read::DraftDetail;
use std::io::{self, IsTerminal};

/// Questions go to standard error: both ends of the conversation must be a terminal.
pub(super) fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal() && io::stdout().is_terminal()
}

/// Shows the change and asks until there is an answer; `None`: later.
pub(super) async fn decide(engine: &Engine, id: &DraftId, stop: &mut StopSignals) -> anyhow::Result<Option<Command>> {
    let detail = engine.draft(id).await?;
    show(&detail)?;
    let failed = detail.draft.verdict == Some(Verdict::Failed);
    let question = if failed {
        "`verify` failed for this change. Publish it? [a]nyway, [n]o: discard it, [l]ater: "
    } else {
        "Publish this? [y]es, [n]o: discard it, [l]ater: "
    };
    let mut progress = Progress::open();
    loop {
        progress.ask(question);
        // A thread waits for the line; if a signal comes first, it ends with the process.
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|read| (read > 0).then_some(line))
        });
        let line = tokio::select! {
            line = line => line??,
            () = stop.next() => None,
        };
        let Some(line) = line else {
            // The answer did not end the line; what is said next begins one.
            progress.say("");
            return Ok(None);
        };
        let (draft, despite_failure) = (id.clone(), failed);
        match line.trim().to_lowercase().as_str() {
            "y" | "yes" if !failed => return Ok(Some(Command::PublishDraft { draft, despite_failure })),
            "a" | "anyway" if failed => return Ok(Some(Command::PublishDraft { draft, despite_failure })),
            "n" | "no" => return Ok(Some(Command::CancelDraft { draft })),
            "l" | "later" => return Ok(None),
            _ => {}
        }
    }
}

fn show(detail: &DraftDetail) -> io::Result<()> {
    let mut out = Out::open();
    drafts::diff(&mut out, &detail.diff)?;
    if let Some(proposal) = &detail.proposal {
        let title = detail.choices.title.as_ref().unwrap_or(&proposal.title);
        let summary = detail.choices.summary.as_ref().unwrap_or(&proposal.summary);
        out.line("")?;
        out.parts(&[(Some(Ink::Bold), title.clone())])?;
        out.prose("", summary)?;
        out.line("")?;
    }
    out.field("goes to", &goes_to(detail))?;
    out.field("verify", detail.draft.verdict.map_or("", Verdict::as_str))?;
    if let Some(spent) = detail.draft.spent() {
        out.field("cost", &spent)?;
    }
    out.finish()
}

/// What publishing makes of the change.
fn goes_to(detail: &DraftDetail) -> String {
    let (proposal, choices) = (detail.proposal.clone().unwrap_or_default(), &detail.choices);
    match detail.draft.target {
        TargetKind::Local => format!("a local branch, made from {}", proposal.base),
        TargetKind::Github => {
            let kind = if choices.draft.unwrap_or(true) { "a draft pull request" } else { "a pull request" };
            format!("{kind} for {}", choices.base.as_ref().unwrap_or(&proposal.base))
        }
    }
}
