//! The verify stage: the repository's own command says whether the change works.
//!
//! It runs in a fresh worktree that holds the base commit and the change, and nothing else that a drafter left there. What it runs is the
//! change of a model that read a stranger's report, so it gets an environment without keys, a time-out, and an end of
//! everything it started. Whatever it does to the worktree is thrown away.

use super::error::DraftError;
use super::job::{Artifact, Reporter, SavedChange, Tools};
use super::logged::{MAX_OUTPUT, run_logged};
use crate::domain::draft::{Stage, Verdict, Verified};
use crate::domain::text;
use crate::providers::{AgentRun, Environment, ExitInfo, Worktree};
use std::time::Instant;

/// The end of the output that a drafter is told, and that is kept with the verdict.
const KEEP: usize = 12_000;

/// Runs the command on a change that is written into the worktree. A red result is a result and no error.
pub(super) async fn verify(
    command: &str,
    change: &SavedChange,
    tools: &Tools,
    worktree: &Worktree,
    reporter: &dyn Reporter,
) -> Result<Verified, DraftError> {
    let shown = text::clipped(command, 200);
    reporter.detail(format!("Running `{shown}`")).await?;
    reporter.save(Artifact::Log(format!("$ {}\n", text::line(command)))).await?;
    let run = AgentRun {
        argv: vec!["sh".into(), "-c".into(), command.to_owned()],
        dir: worktree.root().to_owned(),
        stdin: String::new(),
        env: vec![("NO_COLOR".into(), "1".into()), ("TERM".into(), "dumb".into()), ("CI".into(), "1".into())],
        environment: Environment::Few,
        timeout: tools.config.draft.verify_timeout,
        max_output: MAX_OUTPUT,
    };
    let began = Instant::now();
    let (exit, tail) = run_logged(run, Stage::Verify, KEEP, reporter).await?;
    let took_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    let verdict = if exit.success() { Verdict::Passed } else { Verdict::Failed };
    let verified = Verified {
        verdict,
        command: command.to_owned(),
        ended: ended(&exit, tools),
        took_ms,
        output: tail.end().to_owned(),
        turns: change.turns,
    };
    reporter.detail(said(&verified)).await?;
    reporter.save(Artifact::Log(format!("\n[{}]\n", said(&verified)))).await?;
    reporter.save(Artifact::Verified(verified.clone())).await?;
    Ok(verified)
}

/// How it ended, for people.
pub(super) fn said(verified: &Verified) -> String {
    let what = match verified.verdict {
        Verdict::Passed => "Verified",
        Verdict::Failed => "Verify failed",
    };
    format!("{what}: {} after {}", verified.ended, verified.took())
}

fn ended(exit: &ExitInfo, tools: &Tools) -> String {
    match (exit.code, exit.signal) {
        _ if exit.timed_out => {
            format!("stopped by `verify_timeout` ({} s)", tools.config.draft.verify_timeout.as_secs())
        }
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".into(),
    }
}
