//! The drafters with a model (`anthropic`, `openai`, `openai-compatible`): asks it for the change, judges the answer, and lets it mend the answer once.

use super::answer;
use super::brief::{self, Brief};
use super::error::DraftError;
use super::job::{Artifact, Drafted, Reporter, SavedAnswer, Tools};
use super::protect::Protected;
use super::tail::Tail;
use crate::domain::change::{ChangeSet, Plan, Problem};
use crate::domain::draft::{DrafterKind, Stage, Usage};
use crate::providers::{Completion, Model, Prompt, ProviderError, Worktree};
use std::time::Duration;

/// Most of an unusable answer that the log keeps, in bytes.
const MAX_LOGGED: usize = 64 * 1024;

/// A conversation with a model about one change.
pub(super) struct Conversation<'a> {
    model: Model,
    prompt: Prompt,
    reporter: &'a dyn Reporter,
    /// Of all turns so far.
    usage: Usage,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(
        drafter: DrafterKind,
        tools: &Tools,
        brief: &Brief,
        reporter: &'a dyn Reporter,
    ) -> Result<Self, DraftError> {
        let model = Model::of(drafter, tools.http.clone(), &tools.config, &tools.secrets)?;
        let prompt = brief.prompt(model.max_output_tokens());
        Ok(Self { model, prompt, reporter, usage: Usage::default() })
    }

    /// The model stage: the first answer, unjudged, about the commit `base`.
    pub(super) async fn ask(&mut self, base: &str) -> Result<String, DraftError> {
        let text = self.turn(Stage::Model).await?;
        let answer = SavedAnswer { base: base.to_owned(), text: text.clone(), usage: self.usage };
        self.reporter.save(Artifact::Answer(answer)).await?;
        Ok(text)
    }

    /// Goes on with the first answer of a run that was interrupted.
    pub(super) fn recall(&mut self, answer: SavedAnswer) -> String {
        self.usage = answer.usage;
        answer.text
    }

    /// The check stage: the answer as a plan that applies, after at most one more turn.
    pub(super) async fn check(
        mut self,
        answer: String,
        worktree: &Worktree,
        protected: &Protected,
    ) -> Result<Drafted, DraftError> {
        let problems = match judge(&answer, worktree, protected) {
            Ok(judged) => return self.finish(judged),
            Err(problems) => problems,
        };
        self.tell(&answer, &problems).await?;
        self.prompt = brief::repair(self.prompt, &answer, &problems);
        self.reporter.detail("Asking the model to mend its answer".into()).await?;
        let second = self.turn(Stage::Check).await?;
        match judge(&second, worktree, protected) {
            Ok(judged) => self.finish(judged),
            Err(problems) => {
                self.tell(&second, &problems).await?;
                Err(DraftError::BadChange(problems))
            }
        }
    }

    fn finish(self, (change, plan): (ChangeSet, Plan)) -> Result<Drafted, DraftError> {
        if change.files.is_empty() {
            return Err(DraftError::NoChange(change.summary));
        }
        Ok(Drafted { title: change.title, summary: change.summary, files: plan, usage: self.usage })
    }

    async fn turn(&mut self, stage: Stage) -> Result<String, DraftError> {
        let reporter = self.reporter;
        let mut tail = Tail::default();
        let mut on_text = |piece: &str| {
            tail.push(piece);
            reporter.progress(stage, tail.bytes(), &readable(tail.end()));
        };
        let on_wait = |why: &ProviderError, wait: Duration| {
            let seconds = wait.as_secs_f64().ceil();
            reporter.progress(stage, 0, &format!("{why}\nTrying again in {seconds} s …"));
        };
        let answered = self.model.complete(&self.prompt, &mut on_text, &on_wait).await;
        // A refusal or a cut answer has been paid for as well.
        let used = answered.as_ref().map_or_else(ProviderError::usage, |c| Some(c.usage));
        if let Some(used) = used {
            self.usage = self.usage.plus(used);
            self.reporter.save(Artifact::Usage(self.usage)).await?;
        }
        let Completion { text, usage, model, request_id } = answered?;
        let line = format!("{model} answered with {} tokens to {}", usage.output_tokens, usage.input_tokens);
        self.reporter.save(Artifact::Log(format!("{line} (request {request_id})\n"))).await?;
        self.reporter.detail(line).await?;
        Ok(text)
    }

    /// Puts what is wrong where the user can see it now and the answer where it can be read later.
    async fn tell(&self, answer: &str, problems: &[Problem]) -> Result<(), DraftError> {
        for problem in problems {
            self.reporter
                .detail(format!("Can't apply: {}", crate::domain::text::clipped(&problem.to_string(), 300)))
                .await?;
        }
        let kept = &answer[..answer.floor_char_boundary(MAX_LOGGED)];
        self.reporter.save(Artifact::Log(format!("The answer that could not be used:\n{kept}\n"))).await?;
        Ok(())
    }
}

/// An answer without files is legal here: the model may have a reason, and it stands in the summary.
fn judge(answer: &str, worktree: &Worktree, protected: &Protected) -> Result<(ChangeSet, Plan), Vec<Problem>> {
    let change = answer::parse(answer)?;
    if change.files.is_empty() {
        return Ok((change, Plan::new()));
    }
    let plan = change.plan(|path| worktree.read(path), |path| protected.why(path))?;
    Ok((change, plan))
}

/// The answer streams in as JSON; with its escapes undone the code in it can be read.
fn readable(json: &str) -> String {
    json.replace("\\n", "\n").replace("\\t", "    ").replace("\\\"", "\"")
}
