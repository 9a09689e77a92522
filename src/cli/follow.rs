//! Following a run: what it does on standard error, what comes of it on standard output.

use super::exit::{Code, complain};
use super::out::Out;
use super::progress::Progress;
use super::serve::StopSignals;
use crate::domain::draft::{Draft, DraftState, Stage, Verdict};
use crate::domain::id::DraftId;
use crate::engine::{Engine, new_command_id};
use crate::protocol::read::DraftDetail;
use crate::protocol::{Actor, Command, EventKind, Made, Signal};
use anyhow::bail;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::collections::BTreeMap;
use std::io;

/// Submits a command that moves a run, and follows the run until nothing works on it any more.
pub(super) async fn follow(
    engine: &Engine,
    actor: &Actor,
    command: Command,
    stop: &mut StopSignals,
) -> anyhow::Result<(DraftId, DraftState)> {
    let starts = matches!(command, Command::StartDraft { .. });
    let told = if let Command::PublishDraft { draft, .. } | Command::CancelDraft { draft } = &command {
        told(&engine.draft(draft).await?)
    } else {
        BTreeMap::new()
    };
    // Watching begins before the command, so that nothing of the run can be missed.
    let mut signals = engine.watch(engine.hello().seq);
    let made = engine.submit(new_command_id(), actor.clone(), command).await?.made;
    let Made::Draft(id) = made else { bail!("the engine moved no draft") };
    let mut follower = Follower { engine, id: &id, progress: Progress::open(), stop, told };
    if starts {
        follower.progress.say(&format!("draft {id}"));
    }
    let state = follower.until_over(&mut signals, actor).await?;
    drop(follower);
    Ok((id, state))
}

/// How many lines each stage has said so far.
fn told(detail: &DraftDetail) -> BTreeMap<Stage, usize> {
    detail.stages.iter().map(|stage| (stage.stage, stage.details.len())).collect()
}

/// The result as lines of a name and a value, which is what a script would cut out; or all of the run as JSON.
pub(super) fn print(detail: &DraftDetail, json: bool) -> io::Result<()> {
    let mut out = Out::open();
    if json {
        out.json(detail)?;
    } else if let DraftState::Published { published } = &detail.draft.state {
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
    }
    out.finish()
}

/// The number to end with after a run, and the sentence about it.
pub(super) fn ended(draft: &Draft, state: &DraftState) -> Code {
    match state {
        DraftState::Published { .. } => Code::Ok,
        DraftState::Cancelled { .. } => Code::Interrupted,
        DraftState::Failed { stage, reason } => {
            complain(&format!("the draft failed in {stage}: {reason}"));
            Code::Failed
        }
        DraftState::Waiting { trouble } if trouble.is_empty() => {
            let red = if is_red(draft) { ", and `verify` failed for it" } else { "" };
            complain(&format!("the change waits for your review{red}: {}", ways_on(draft)));
            Code::Ok
        }
        DraftState::Waiting { trouble } => {
            complain(&format!("not published: {trouble}\nthe change still waits: {}", ways_on(draft)));
            Code::Failed
        }
        DraftState::Queued | DraftState::Running { .. } => Code::Failed,
    }
}

fn is_red(draft: &Draft) -> bool {
    draft.verdict == Some(Verdict::Failed)
}

fn ways_on(draft: &Draft) -> String {
    let id = draft.id.short();
    let publish = if is_red(draft) {
        format!("`patchwork publish {id} --despite-failure` publishes it all the same")
    } else {
        format!("`patchwork publish {id}` publishes it")
    };
    format!("`patchwork drafts {id}` shows it, {publish}, `patchwork discard {id}` throws it away")
}

/// Follows one run to its end.
struct Follower<'a> {
    engine: &'a Engine,
    id: &'a DraftId,
    progress: Progress,
    stop: &'a mut StopSignals,
    /// Lines that were said before, by an earlier attempt or here.
    told: BTreeMap<Stage, usize>,
}

impl Follower<'_> {
    /// Ctrl-C, a closed terminal or `kill` asks the run to stop; a second one stops waiting for it. A coding agent must not go on
    /// where nobody is left to look at what it does.
    async fn until_over(
        &mut self,
        signals: &mut BoxStream<'static, Signal>,
        actor: &Actor,
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
            let told = self.told.entry(done.stage).or_default();
            for detail in done.details.iter().skip(*told) {
                self.progress.say(&format!("    {detail}"));
            }
            *told = done.details.len();
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
