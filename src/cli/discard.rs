//! `patchwork discard DRAFT`: throws away a change that waits for its review, or a run whose process is gone; with `--stop` one that is
//! being made, wherever that is.

use super::exit::Code;
use super::out::Out;
use super::publish::{Meant, meant, waiting};
use super::setup::{Global, Setup};
use crate::domain::id::DraftId;
use crate::engine::{Engine, new_command_id};
use crate::protocol::{Command, Refusal, RefusalKind};
use crate::tui::is_waiting;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The draft's id, or its report's, or as much of it as tells it apart
    id: String,
    /// Also if it is still being made: stop it, in whatever process that is
    #[arg(long)]
    stop: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, global: &Global) -> anyhow::Result<Code> {
    let (setup, engine) = Setup::guest(global).await?;
    let done = discard(&engine, &setup, &args).await;
    engine.close().await;
    done
}

async fn discard(engine: &Engine, setup: &Setup, args: &Args) -> anyhow::Result<Code> {
    let draft = if args.stop { active(engine, &args.id).await? } else { waiting(engine, &args.id).await? };
    // A run that is going on is not thrown away by a mistaken id.
    let found = engine.draft(&draft).await?.draft;
    let is_stopped = args.stop && found.state.is_active();
    if !is_stopped && !is_waiting(&found) && !engine.is_abandoned(&draft).await {
        let why = if found.state.is_active() {
            "this draft is being made: stop it where it was started (ctrl-c), on the screen (`x`), or with `--stop`"
        } else {
            "this draft does not wait for a review: there is nothing to discard"
        };
        return Err(Refusal::new(RefusalKind::Conflict, why).into());
    }
    engine.submit(new_command_id(), setup.actor(), Command::CancelDraft { draft: draft.clone() }).await?;
    if args.json {
        super::follow::print(&engine.draft(&draft).await?, true)?;
    } else {
        let mut out = Out::open();
        out.line(format!("discarded     {draft}"))?;
        out.finish()?;
    }
    Ok(Code::Ok)
}

/// The draft that a person means by its id, or by its report's when one of that is not over.
async fn active(engine: &Engine, part: &str) -> anyhow::Result<DraftId> {
    let drafts = match meant(engine, part).await? {
        Meant::Draft(draft) => return Ok(draft),
        Meant::DraftsOfReport(drafts) => drafts,
    };
    let active = drafts.into_iter().find(|draft| !draft.state.is_over());
    active.map(|draft| draft.id).ok_or_else(|| {
        Refusal::new(RefusalKind::Conflict, "no draft of this report is being made or waits for a review").into()
    })
}
