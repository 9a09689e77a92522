//! The drafter `command`: a coding agent works in the worktree, and the difference it leaves behind is the change.
//!
//! The agent is trusted no more than a model. Only what stands in the worktree afterwards counts, and that must be text, small
//! enough and outside the protected paths; otherwise nothing of it is used.

use super::brief::Brief;
use super::error::DraftError;
use super::job::{Artifact, Drafted, Reporter, Tools};
use super::protect::Protected;
use super::tail::Tail;
use crate::domain::change::{self, Existing, MAX_FILE_BYTES, MAX_FILES, NewFile, Plan, Problem};
use crate::domain::draft::{Stage, Usage};
use crate::providers::{AgentRun, Changed, ExitInfo, Worktree, process};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Output kept in the run's log, in bytes.
const MAX_OUTPUT: usize = 1024 * 1024;
/// How often new output is added to the log.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// The program's last words.
pub(super) struct Said(String);

/// The model stage: runs the program until it ends by itself, is stopped, or runs out of time.
pub(super) async fn work(
    tools: &Tools,
    brief: &Brief,
    worktree: &Worktree,
    reporter: &dyn Reporter,
) -> Result<Said, DraftError> {
    let text = brief.for_command();
    // Beside the worktree and not in it, so that it can't become a part of the change; deleted when this returns.
    let file = brief_file(&tools.cache_dir, &text)?;
    let config = &tools.config.command;
    let run = AgentRun {
        argv: config.run.clone(),
        dir: worktree.root().to_owned(),
        stdin: text,
        env: vec![
            ("PATCHWORK_BRIEF".into(), file.path().display().to_string()),
            ("NO_COLOR".into(), "1".into()),
            ("TERM".into(), "dumb".into()),
        ],
        timeout: config.timeout,
        max_output: MAX_OUTPUT,
    };
    let (ended, tail) = run_logged(run, reporter).await?;
    let said = tail.last_lines(12);
    if ended.success() {
        return Ok(Said(said));
    }
    let status = match (ended.code, ended.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".into(),
    };
    let tail = if said.is_empty() { "(none)".into() } else { crate::domain::text::clipped(&tail.last_lines(3), 300) };
    Err(DraftError::CommandFailed { status, tail })
}

/// Runs the program while its output goes to the progress pane at once and to the log every second.
async fn run_logged(run: AgentRun, reporter: &dyn Reporter) -> Result<(ExitInfo, Tail), DraftError> {
    let shared: Mutex<(Tail, String)> = Mutex::new((Tail::default(), String::new()));
    let mut on_output = |piece: &str| {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let (tail, unlogged) = &mut *shared;
        unlogged.push_str(&tail.push(piece));
        reporter.progress(Stage::Model, tail.bytes(), tail.end());
    };
    let take = || std::mem::take(&mut shared.lock().unwrap_or_else(PoisonError::into_inner).1);
    let ended = {
        let mut process = std::pin::pin!(process::run(run, &mut on_output));
        loop {
            match tokio::time::timeout(LOG_EVERY, process.as_mut()).await {
                Ok(ended) => break ended,
                Err(_elapsed) => log(take(), reporter).await?,
            }
        }
    };
    log(take(), reporter).await?;
    let (tail, _) = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((ended?, tail))
}

async fn log(text: String, reporter: &dyn Reporter) -> Result<(), DraftError> {
    if !text.is_empty() {
        reporter.save(Artifact::Log(text)).await?;
    }
    Ok(())
}

fn brief_file(cache_dir: &Path, text: &str) -> Result<tempfile::NamedTempFile, DraftError> {
    let failed = |e: &std::io::Error| {
        DraftError::Local(format!(
            "the brief can't be written to {}: {e}; check the disk and its rights",
            cache_dir.display()
        ))
    };
    std::fs::create_dir_all(cache_dir).map_err(|e| failed(&e))?;
    let mut file =
        tempfile::Builder::new().prefix("brief-").suffix(".md").tempfile_in(cache_dir).map_err(|e| failed(&e))?;
    file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(|e| failed(&e))?;
    Ok(file)
}

/// The check stage: what the program left behind, if all of it may be published.
pub(super) async fn check(
    tools: &Tools,
    said: Said,
    worktree: &Worktree,
    protected: &Protected,
) -> Result<Drafted, DraftError> {
    let changed = worktree.changed().await?;
    if changed.is_empty() {
        return Err(DraftError::NoChange(said.0));
    }
    let files = collect(&changed, worktree, protected).map_err(DraftError::BadWork)?;
    let program = tools.config.command.run.first().map_or("", String::as_str);
    let program = program.rsplit('/').next().unwrap_or(program);
    Ok(Drafted {
        // The pipeline makes one from the report.
        title: String::new(),
        summary: format!("`{program}` made this change in the repository. Its last words:\n\n```\n{}\n```\n", said.0),
        files,
        addressed: Vec::new(),
        usage: Usage::default(),
    })
}

fn collect(changed: &[Changed], worktree: &Worktree, protected: &Protected) -> Result<Plan, Vec<Problem>> {
    if changed.len() > MAX_FILES {
        return Err(vec![Problem::of_all(format!(
            "it touches {} files, at most {MAX_FILES} are allowed; does it leave build output behind?",
            changed.len()
        ))]);
    }
    let mut plan = Plan::new();
    let mut problems = Vec::new();
    for Changed { path, executable } in changed {
        if let Some(reason) = protected.why(path) {
            problems.push(Problem::new(path, reason));
            continue;
        }
        match worktree.read(path) {
            Existing::Text(text) if text.len() > MAX_FILE_BYTES => {
                let reason = format!("it has {} bytes, at most {MAX_FILE_BYTES} are allowed", text.len());
                problems.push(Problem::new(path, reason));
            }
            Existing::Text(content) => {
                let file = NewFile { content, executable: Some(*executable), from: None };
                plan.insert(path.clone(), Some(file));
            }
            Existing::Missing => {
                plan.insert(path.clone(), None);
            }
            Existing::Opaque(why) => problems.push(Problem::new(path, format!("it can't be published: {why}"))),
        }
    }
    problems.extend(change::too_large(&plan));
    if problems.is_empty() { Ok(plan) } else { Err(problems) }
}
