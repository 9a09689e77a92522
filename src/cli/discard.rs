//! `patchwork discard DRAFT`: throws away a change that waits for its review, or a run whose process is gone.

use super::exit::Code;
use super::out::Out;
use super::publish::waiting;
use super::setup::{Global, Setup};
use crate::engine::{Engine, new_command_id};
use crate::protocol::{Command, Refusal, RefusalKind};
use crate::tui::is_waiting;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The draft's id, or its report's, or as much of it as tells it apart
    id: String,
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
    let draft = waiting(engine, &args.id).await?;
    // A run that is going on is stopped where it was started, not thrown away by a mistaken id.
    let found = engine.draft(&draft).await?.draft;
    if !is_waiting(&found) && !engine.is_abandoned(&draft).await {
        let why = if found.state.is_active() {
            "this draft is being made: stop it where it was started (ctrl-c), or on the screen (`x`)"
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
