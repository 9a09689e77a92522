//! The drafter `command`: a coding agent works in the worktree, and the difference it leaves behind is the change.
//!
//! The agent is trusted no more than a model. Only what stands in the worktree afterwards counts, and that must be text, small
//! enough and outside the protected paths; otherwise nothing of it is used.

use super::brief::{self, Brief};
use super::drafter::MAX_REPAIRS;
use super::error::DraftError;
use super::job::{Artifact, Drafted, Reply, ReplyKind, Reporter, SavedChange, SavedConversation, Tools, Turn};
use super::logged::{MAX_OUTPUT, run_logged};
use super::protect::Protected;
use super::tail;
use crate::domain::change::{self, Existing, MAX_FILE_BYTES, MAX_FILES, NewFile, Plan, Problem};
use crate::domain::draft::{Stage, Usage};
use crate::domain::text;
use crate::providers::{AgentRun, Changed, Environment, Worktree, process};
use std::io::Write;
use std::path::Path;

/// A program that drafts, and what it was told about what it made before.
pub(super) struct Agent<'a> {
    tools: &'a Tools,
    brief: String,
    reporter: &'a dyn Reporter,
    stage: Stage,
    saved: SavedConversation,
}

impl<'a> Agent<'a> {
    pub(super) fn new(
        tools: &'a Tools,
        brief: &Brief,
        reporter: &'a dyn Reporter,
        base: &str,
        saved: Option<SavedConversation>,
        kept: Option<&SavedChange>,
    ) -> Self {
        let mut saved = SavedConversation::about(base, saved);
        // What it left in a worktree that is gone can't be gone on with; only what was stored can.
        saved.turns.truncate(kept.map_or(0, |change| change.turns));
        Self { tools, brief: brief.for_command(), reporter, stage: Stage::Model, saved }
    }

    /// Lets the program work until what it leaves behind may be published. It goes on with what it made before: a build takes long,
    /// and mostly little is wrong.
    pub(super) async fn change(&mut self, worktree: &Worktree, protected: &Protected) -> Result<Drafted, DraftError> {
        loop {
            // The program's name only: arguments may hold what nobody else should read.
            let program = self.tools.config.command.run.first().map_or("", String::as_str);
            self.reporter.detail(text::line(&format!("Running {program}"))).await?;
            let said = self.work(worktree).await?;
            self.saved.turns.push(Turn { answer: said.clone(), reply: None });
            self.save().await?;
            if self.stage < Stage::Check {
                self.stage = Stage::Check;
                self.reporter.stage(Stage::Check).await?;
            }
            let changed = worktree.changed().await?;
            if changed.is_empty() {
                return Err(DraftError::NoChange(said));
            }
            let problems = match collect(&changed, worktree, protected) {
                Ok(files) => return Ok(self.drafted(&said, files)),
                Err(problems) => problems,
            };
            for problem in &problems {
                let line = format!("Can't be used: {}", text::clipped(&problem.to_string(), 300));
                self.reporter.detail(line).await?;
            }
            if self.replies(ReplyKind::Repair) >= MAX_REPAIRS {
                return Err(DraftError::BadWork(problems));
            }
            self.reporter.detail("Starting the program again with what is wrong".into()).await?;
            self.reply(ReplyKind::Repair, brief::unusable(&problems)).await?;
        }
    }

    fn drafted(&self, said: &str, files: Plan) -> Drafted {
        let program = self.tools.config.command.run.first().map_or("", String::as_str);
        let program = program.rsplit('/').next().unwrap_or(program);
        Drafted {
            // The pipeline makes one from the report.
            title: String::new(),
            summary: if said.trim().is_empty() {
                format!("`{program}` made this change in the repository, without a word.")
            } else {
                format!("`{program}` made this change in the repository. Its last words:\n\n```\n{said}\n```\n")
            },
            files,
            addressed: Vec::new(),
            usage: Usage::default(),
            turns: self.saved.turns.len(),
        }
    }

    /// Says something about the last change; the next one will be about that.
    pub(super) async fn reply(&mut self, kind: ReplyKind, text: String) -> Result<(), DraftError> {
        if let Some(last) = self.saved.turns.last_mut() {
            last.reply = Some(Reply { kind, text });
        }
        self.save().await
    }

    /// How often something of this kind was said.
    pub(super) fn replies(&self, kind: ReplyKind) -> usize {
        self.saved.turns.iter().filter(|turn| turn.reply.as_ref().is_some_and(|reply| reply.kind == kind)).count()
    }

    /// Whether something was said about the last change already, and the next one is still to come.
    pub(super) fn awaits_answer(&self) -> bool {
        self.saved.turns.last().is_some_and(|turn| turn.reply.is_some())
    }

    /// What it does from now on is part of this stage.
    pub(super) fn is_in(&mut self, stage: Stage) {
        self.stage = stage;
    }

    async fn save(&self) -> Result<(), DraftError> {
        Ok(self.reporter.save(Artifact::Conversation(self.saved.clone())).await?)
    }

    /// Runs the program until it ends by itself, is stopped, or runs out of time; gives its last words.
    async fn work(&self, worktree: &Worktree) -> Result<String, DraftError> {
        let last = self.saved.turns.last().and_then(|turn| turn.reply.as_ref());
        let text = last.map_or_else(|| self.brief.clone(), |reply| brief::for_command_again(&self.brief, &reply.text));
        worktree.check_out().await?;
        // Beside what the program works on, so that it can't become a part of the change; deleted when this returns.
        let file = brief_file(worktree.beside(), &text)?;
        let config = &self.tools.config.command;
        let run = AgentRun {
            argv: config.run.clone(),
            dir: worktree.root().to_owned(),
            stdin: text,
            env: vec![
                ("PATCHWORK_BRIEF".into(), file.path().display().to_string()),
                ("NO_COLOR".into(), "1".into()),
                ("TERM".into(), "dumb".into()),
            ],
            environment: Environment::Users,
            timeout: config.timeout,
            max_output: MAX_OUTPUT,
        };
        let (ended, tail) = run_logged(run, self.stage, tail::KEEP, self.reporter).await?;
        let said = tail.last_lines(12);
        let program = config.run.first().map_or("", String::as_str);
        let status = match (ended.code, ended.signal) {
            _ if ended.timed_out => return Err(process::too_slow(program, config.timeout).into()),
            (Some(0), _) => return Ok(said),
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "an unknown status".into(),
        };
        let tail = if said.is_empty() { "(none)".into() } else { text::clipped(&tail.last_lines(3), 300) };
        Err(DraftError::CommandFailed { status, tail })
    }
}

fn brief_file(dir: &Path, text: &str) -> Result<tempfile::NamedTempFile, DraftError> {
    let failed = |e: &std::io::Error| {
        DraftError::Local(format!(
            "the brief can't be written to {}: {e}; check the disk and its rights",
            dir.display()
        ))
    };
    let mut file = tempfile::Builder::new().prefix("brief-").suffix(".md").tempfile_in(dir).map_err(|e| failed(&e))?;
    file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(|e| failed(&e))?;
    Ok(file)
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
        match worktree.read_changed(path) {
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
