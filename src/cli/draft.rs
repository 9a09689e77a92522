//! `patchwork draft ID`: starts a run in this process, follows it, and ends when it ends or waits for its review. On a terminal it asks what
//! is to become of the change.

use super::ask;
use super::exit::{Code, Usage, complain};
use super::follow::{ended, follow, print};
use super::out::{Ink, Out};
use super::progress::Progress;
use super::serve::StopSignals;
use super::setup::{Global, Setup};
use super::table::counted;
use crate::domain::draft::{DraftState, DrafterKind, TargetKind};
use crate::domain::id::FeedbackId;
use crate::engine::Engine;
use crate::protocol::read::{DryRun, RankedFile};
use crate::protocol::{Actor, Command, Refusal, RefusalKind};
use std::io;

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Args {
    /// The report's id, or as much of its beginning or end as tells it apart
    id: String,
    /// Stop after choosing the files, and print them with their scores
    #[arg(long, conflicts_with_all = ["again", "drafter", "target"])]
    dry_run: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// Draft although there is a draft already; a change that waits for its review is discarded
    #[arg(long)]
    again: bool,
    /// Publish without a review
    #[arg(long, short, conflicts_with = "dry_run")]
    yes: bool,
    /// Who writes the change, instead of what the settings say: anthropic, openai, openai-compatible or command
    #[arg(long, value_parser = drafter)]
    drafter: Option<DrafterKind>,
    /// Where it goes, instead of what the settings say: github or local
    #[arg(long, value_parser = target)]
    target: Option<TargetKind>,
}

fn drafter(word: &str) -> Result<DrafterKind, Usage> {
    DrafterKind::from_word(word)
        .ok_or_else(|| Usage("it is one of anthropic, openai, openai-compatible, command".into()))
}

fn target(word: &str) -> Result<TargetKind, Usage> {
    TargetKind::from_word(word).ok_or_else(|| Usage("it is one of github, local".into()))
}

pub(super) async fn run(args: Args, global: &Global) -> anyhow::Result<Code> {
    let (setup, engine) = Setup::guest(global).await?;
    let feedback = engine.find_feedback(&args.id).await?;
    let ended = if args.dry_run {
        dry_run(&engine, &feedback, args.json).await
    } else {
        draft(&engine, &setup.actor(), feedback, &args).await
    };
    engine.close().await;
    ended
}

async fn dry_run(engine: &Engine, feedback: &FeedbackId, json: bool) -> anyhow::Result<Code> {
    let mut progress = Progress::open();
    progress.now("looking at the repository …");
    let mut stop = StopSignals::open()?;
    let ranked = tokio::select! {
        ranked = engine.dry_run(feedback) => ranked.map_err(not_the_arguments)?,
        () = stop.next() => return Ok(Code::Interrupted),
    };
    drop(progress);
    let mut out = Out::open();
    if json {
        out.json(&ranked)?;
    } else {
        print_ranking(&mut out, &ranked)?;
    }
    out.finish()?;
    Ok(Code::Ok)
}

/// A repository that can't be read is a failure, and no fault of whoever typed the command.
fn not_the_arguments(refusal: Refusal) -> anyhow::Error {
    match refusal.kind {
        RefusalKind::Invalid => anyhow::Error::msg(refusal.detail),
        RefusalKind::NotFound
        | RefusalKind::Conflict
        | RefusalKind::Unconfigured
        | RefusalKind::Busy
        | RefusalKind::Storage => refusal.into(),
    }
}

fn print_ranking(out: &mut Out, run: &DryRun) -> io::Result<()> {
    out.line(format!("{} at {}", run.repository, run.commit))?;
    let shown = run.files.iter().filter(|f| f.tokens > 0).count();
    out.line(format!(
        "{shown} of {} shown, about {} tokens of brief (budget for the repository: {})",
        counted(run.total_files as i64, "file"),
        run.brief_tokens,
        run.context_tokens
    ))?;
    out.line("")?;
    for file in &run.files {
        out.parts(&[
            (Some(Ink::Yellow), format!("{:>8.2}  ", file.score)),
            (Some(Ink::Bold), format!("{}  ", file.path)),
            (Some(Ink::Dim), format!("{}; {}", shown_of(file), file.reasons.join(", "))),
        ])?;
    }
    if run.weaker > 0 {
        out.line(format!("{:>8}  {} with weaker matches", "", counted(run.weaker as i64, "more file")))?;
    }
    for closed in &run.closed {
        out.line(format!("{:>8}  {} is never shown: {}", "", closed.path, closed.why))?;
    }
    if run.unread > 0 {
        let files = counted(run.unread as i64, "file");
        out.line(format!("{:>8}  {files} not looked at: there is more text in the repository than is looked at", ""))?;
    }
    if run.unnameable > 0 {
        let names = counted(run.unnameable as i64, "tracked name");
        out.line(format!(
            "{:>8}  {names} left out: git's own, or with line breaks, control characters, or not UTF-8",
            ""
        ))?;
    }
    Ok(())
}

/// What the drafter sees of a file.
fn shown_of(file: &RankedFile) -> String {
    match (file.tokens, file.whole) {
        (0, _) => format!("not shown: {}", file.left_out),
        (tokens, true) => format!("whole, {tokens} tokens"),
        (tokens, false) => {
            let lines: Vec<String> = file
                .lines
                .iter()
                .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") })
                .collect();
            format!("lines {}, {tokens} tokens", shortened(&lines))
        }
    }
}

/// The first few of many.
fn shortened(items: &[String]) -> String {
    let shown = items.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
    if items.len() > 4 { format!("{shown} and {} more parts", items.len() - 4) } else { shown }
}

async fn draft(engine: &Engine, actor: &Actor, feedback: FeedbackId, args: &Args) -> anyhow::Result<Code> {
    // One listener for the whole run, because a new one does not hear the ctrl-c that came before it.
    let mut stop = StopSignals::open()?;
    let (drafter, target, unattended) = (args.drafter, args.target, args.yes);
    let command = Command::StartDraft { feedback, force: args.again, drafter, target, unattended };
    let (id, mut state) = follow(engine, actor, command, &mut stop).await?;
    while let DraftState::Waiting { trouble } = &state
        && !args.json
        && !args.yes
        && ask::somebody_is_there()
    {
        if !trouble.is_empty() {
            complain(&format!("not published: {trouble}"));
        }
        let Some(command) = ask::decide(engine, &id, &mut stop).await? else { break };
        let discards = matches!(command, Command::CancelDraft { .. });
        state = follow(engine, actor, command, &mut stop).await?.1;
        if discards && matches!(state, DraftState::Cancelled { .. }) {
            complain("the change is discarded");
            return Ok(Code::Ok);
        }
    }
    let detail = engine.draft(&id).await?;
    print(&detail, args.json)?;
    Ok(ended(&detail.draft, &state))
}
