//! `patchwork draft ID`: starts a run in this process, follows it, and ends when it ends.

use super::exit::{Code, Usage, complain};
use super::out::{Ink, Out};
use super::progress::Progress;
use super::serve::StopSignals;
use super::setup::{Global, Setup};
use super::table::counted;
use crate::domain::draft::{Draft, DraftState, DrafterKind, Stage, TargetKind};
use crate::domain::id::{DraftId, FeedbackId};
use crate::engine::{Engine, new_command_id};
use crate::protocol::read::{DraftDetail, DryRun, RankedFile};
use crate::protocol::{Actor, Command, EventKind, Made, Refusal, RefusalKind, Signal};
use anyhow::bail;
use futures::StreamExt;
use futures::stream::BoxStream;
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
    /// Draft although there is a draft already
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
        draft(&engine, setup.actor(), feedback, &args).await
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
    if run.unnameable > 0 {
        let names = counted(run.unnameable as i64, "tracked name");
        out.line(format!("{:>8}  {names} can't be written: line breaks, control characters, or not UTF-8", ""))?;
    }
    Ok(())
}

/// What the drafter sees of a file.
fn shown_of(file: &RankedFile) -> String {
    match (file.tokens, file.whole) {
        (0, _) => format!("not shown: {}", file.left_out),
        (tokens, true) => format!("whole, {tokens} tokens"),
        (tokens, false) => {
            let lines: Vec<String> = file.lines.iter().map(|(from, to)| format!("{from}-{to}")).collect();
            format!("lines {}, {tokens} tokens", shortened(&lines))
        }
    }
}

/// The first few of many.
fn shortened(items: &[String]) -> String {
    let shown = items.iter().take(4).cloned().collect::<Vec<_>>().join(" ");
    if items.len() > 4 { format!("{shown} and {} more parts", items.len() - 4) } else { shown }
}

async fn draft(engine: &Engine, actor: Actor, feedback: FeedbackId, args: &Args) -> anyhow::Result<Code> {
    // Watching begins before the command, so that nothing of the run can be missed; and no ctrl-c either: one listener for
    // the whole run, because a new one does not hear what came before it.
    let stop = StopSignals::open()?;
    let mut signals = engine.watch(engine.hello().seq);
    let (drafter, target, unattended) = (args.drafter, args.target, args.yes);
    let command = Command::StartDraft { feedback, force: args.again, drafter, target, unattended };
    let made = engine.submit(new_command_id(), actor.clone(), command).await?.made;
    let Made::Draft(id) = made else { bail!("the engine started no draft") };
    let mut follower = Follower { engine, id: &id, progress: Progress::open(), stop };
    follower.progress.say(&format!("draft {id}"));
    let state = follower.until_over(&mut signals, actor).await?;
    drop(follower);
    let detail = engine.draft(&id).await?;
    let mut out = Out::open();
    if args.json {
        out.json(&detail)?;
    } else {
        print_result(&mut out, &detail)?;
    }
    out.finish()?;
    Ok(match state {
        DraftState::Published { .. } => Code::Ok,
        DraftState::Cancelled { .. } => Code::Interrupted,
        DraftState::Failed { stage, reason } => {
            complain(&format!("the draft failed in {stage}: {reason}"));
            Code::Failed
        }
        DraftState::Waiting { .. } => {
            complain(&format!("the change waits for your review: `patchwork drafts {id}` shows it"));
            Code::Ok
        }
        DraftState::Queued | DraftState::Running { .. } => Code::Failed,
    })
}

/// The result as lines of a name and a value: what a script would cut out.
fn print_result(out: &mut Out, detail: &DraftDetail) -> io::Result<()> {
    let DraftState::Published { published } = &detail.draft.state else { return Ok(()) };
    for (name, value) in [
        ("repository", &published.repository),
        ("branch", &published.branch),
        ("commit", &published.commit),
        ("pull-request", &published.pr_url),
    ] {
        if !value.is_empty() {
            out.line(format!("{name:<13} {value}"))?;
        }
    }
    Ok(())
}

/// Follows one run to its end.
struct Follower<'a> {
    engine: &'a Engine,
    id: &'a DraftId,
    progress: Progress,
    stop: StopSignals,
}

impl Follower<'_> {
    /// Ctrl-C, a closed terminal or `kill` asks the run to stop; a second one stops waiting for it. A coding agent must not go on
    /// where nobody is left to look at what it does.
    async fn until_over(
        &mut self,
        signals: &mut BoxStream<'static, Signal>,
        actor: Actor,
    ) -> anyhow::Result<DraftState> {
        let mut asked = false;
        loop {
            let signal = tokio::select! {
                signal = signals.next() => signal,
                () = self.stop.next() => {
                    if asked {
                        return Ok(DraftState::Cancelled { stage: None });
                    }
                    asked = true;
                    self.progress.say("stopping the run; ctrl-c again leaves at once");
                    let cancel = Command::CancelDraft { draft: self.id.clone() };
                    self.engine.submit(new_command_id(), actor.clone(), cancel).await?;
                    continue;
                }
            };
            let over = match signal {
                Some(Signal::Event(event)) => match &event.draft {
                    Some(draft) if draft.id == *self.id => self.event(event.kind, draft).await?,
                    Some(_) | None => None,
                },
                Some(Signal::Progress(p)) if p.draft == *self.id => {
                    self.progress.now(&format!("{}: {} bytes  {}", p.stage, p.bytes, last_line(&p.tail)));
                    None
                }
                Some(Signal::Progress(_)) => None,
                // The feed was cut: what counts is where the run stands.
                Some(Signal::Reset) | None => {
                    let state = self.engine.draft(self.id).await?.draft.state;
                    if signal.is_none() && state.is_active() {
                        bail!(
                            "the engine stopped while the draft was running; `patchwork drafts {}` shows it",
                            self.id
                        );
                    }
                    (!state.is_active()).then_some(state)
                }
            };
            if let Some(state) = over {
                return Ok(state);
            }
        }
    }

    async fn event(&mut self, kind: EventKind, draft: &Draft) -> anyhow::Result<Option<DraftState>> {
        match (kind, &draft.state) {
            (EventKind::DraftQueued, DraftState::Queued) => self.progress.now("waiting for a free place …"),
            (EventKind::DraftStageStarted, DraftState::Running { stage }) => {
                self.progress.say(&format!("{}/{} {}", number(*stage), number(Stage::Publish), stage.title()));
            }
            (EventKind::DraftStageDone, _) => self.details().await?,
            // The event may be older than the row it carries: the row decides.
            _ => {}
        }
        Ok((!draft.state.is_active()).then(|| draft.state.clone()))
    }

    /// What the last finished stage says it did.
    async fn details(&mut self) -> anyhow::Result<()> {
        let stages = self.engine.draft(self.id).await?.stages;
        if let Some(done) = stages.iter().rfind(|stage| stage.ended_at.is_some()) {
            for detail in &done.details {
                self.progress.say(&format!("    {detail}"));
            }
        }
        Ok(())
    }
}

/// Which stage this is, counted from 1. One that most runs go without counts as a part of the one before.
fn number(stage: Stage) -> usize {
    Stage::ALL.iter().filter(|s| **s <= stage && !s.is_optional()).count()
}

fn last_line(tail: &str) -> &str {
    tail.trim_end().lines().next_back().unwrap_or_default()
}
