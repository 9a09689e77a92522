//! The drafters that are models: ask for the change, judge the answer, let it be mended, and remember every turn.
//!
//! A conversation is saved after each answer and each reply. A run that was interrupted goes on where it was: what the model
//! has answered is not asked for again, and how often it was told to mend something still counts.

use super::answer::{self, Answer};
use super::brief::{self, Brief};
use super::context::estimate_tokens;
use super::drafter::MAX_REPAIRS;
use super::error::DraftError;
use super::job::{Artifact, Drafted, Reply, ReplyKind, Reporter, SavedConversation, Tools, Turn};
use super::limits::Call;
use super::lookup::{self, Request};
use super::protect::Protected;
use super::tail::Tail;
use crate::domain::change::{ChangeSet, Plan, Problem};
use crate::domain::draft::{DrafterKind, Stage, Usage};
use crate::domain::text;
use crate::providers::{Completion, Model, Prompt, ProviderError, Worktree};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The part of the context's budget that is spent on what a model asks to see at a time.
const ROUND_SHARE: usize = 4;
/// Most of an unusable answer that the log keeps, in bytes.
const MAX_LOGGED: usize = 64 * 1024;

/// A conversation with a model about one change.
pub(super) struct Conversation<'a> {
    model: Model,
    /// The question before all turns.
    question: Prompt,
    reporter: &'a dyn Reporter,
    stage: Stage,
    saved: SavedConversation,
    /// How often the model may ask to see something, and the estimated tokens of what it is shown each time.
    rounds: usize,
    round_tokens: usize,
}

impl<'a> Conversation<'a> {
    /// About the commit `base`. What was said about another commit says nothing about this one and is forgotten.
    pub(super) fn new(
        drafter: DrafterKind,
        tools: &Tools,
        brief: &Brief,
        reporter: &'a dyn Reporter,
        base: &str,
        saved: Option<SavedConversation>,
    ) -> Result<Self, DraftError> {
        let model = Model::of(drafter, tools.http.clone(), &tools.config, &tools.secrets)?;
        let draft = &tools.config.draft;
        let question = brief.prompt(model.max_output_tokens(), draft.lookups);
        let saved = SavedConversation::about(base, saved);
        let (rounds, round_tokens) = (draft.lookups, draft.context_tokens / ROUND_SHARE);
        Ok(Self { model, question, reporter, stage: Stage::Model, saved, rounds, round_tokens })
    }

    /// Whether the model has answered before.
    pub(super) fn has_begun(&self) -> bool {
        !self.saved.turns.is_empty()
    }

    /// The model and the check stage: a change that applies, or why there is none.
    pub(super) async fn change(
        &mut self,
        worktree: &Arc<Worktree>,
        protected: &Protected,
    ) -> Result<Drafted, DraftError> {
        loop {
            let answer = self.answer().await?;
            let judged = match answer::parse(&answer) {
                Ok(Answer::LookUp(requests)) => {
                    self.look_up(requests, worktree).await?;
                    continue;
                }
                Ok(Answer::Change(change)) => judge(change, worktree, protected),
                Err(problems) => Err(problems),
            };
            self.enter(Stage::Check).await?;
            let problems = match judged {
                Ok(judged) => return self.finish(judged),
                Err(problems) => problems,
            };
            self.tell(&answer, &problems).await?;
            if self.replies(ReplyKind::Repair) >= MAX_REPAIRS {
                return Err(DraftError::BadChange(problems));
            }
            self.reporter.detail("Asking the model to mend its answer".into()).await?;
            self.reply(ReplyKind::Repair, brief::repair(&problems)).await?;
        }
    }

    /// Shows the model what it asked for. One that goes on asking is told to answer, once, and then given up.
    async fn look_up(&mut self, requests: Vec<Request>, worktree: &Arc<Worktree>) -> Result<(), DraftError> {
        let asked = self.replies(ReplyKind::LookUp);
        if asked > self.rounds {
            return Err(DraftError::OnlyAsked(asked));
        }
        let shown: Vec<String> = requests.iter().map(Request::shown).collect();
        self.reporter.detail(format!("The model asked for: {}", text::clipped(&shown.join(", "), 600))).await?;
        let reply = if asked == self.rounds {
            lookup::LAST.to_owned()
        } else {
            let results = lookup::serve(requests, worktree, self.round_tokens).await?;
            lookup::turn(&results, self.rounds - asked - 1)
        };
        self.reply(ReplyKind::LookUp, reply).await
    }

    /// Says something to the last answer; the next one will be about that.
    pub(super) async fn reply(&mut self, kind: ReplyKind, text: String) -> Result<(), DraftError> {
        if let Some(last) = self.saved.turns.last_mut() {
            last.reply = Some(Reply { kind, text });
        }
        self.save().await
    }

    /// Whether something was said to the last answer already, and the next one is still to come.
    pub(super) fn awaits_answer(&self) -> bool {
        self.saved.turns.last().is_some_and(|turn| turn.reply.is_some())
    }

    /// What is said from now on is part of this stage.
    pub(super) fn is_in(&mut self, stage: Stage) {
        self.stage = stage;
    }

    /// How often something of this kind was said.
    pub(super) fn replies(&self, kind: ReplyKind) -> usize {
        self.saved.turns.iter().filter(|turn| turn.reply.as_ref().is_some_and(|reply| reply.kind == kind)).count()
    }

    async fn enter(&mut self, stage: Stage) -> Result<(), DraftError> {
        if self.stage < stage {
            self.stage = stage;
            self.reporter.stage(stage).await?;
        }
        Ok(())
    }

    /// The answer that nothing was said to yet: the saved one, or a new one.
    async fn answer(&mut self) -> Result<String, DraftError> {
        if let Some(Turn { answer, reply: None }) = self.saved.turns.last() {
            return Ok(answer.clone());
        }
        self.turn().await
    }

    async fn save(&self) -> Result<(), DraftError> {
        Ok(self.reporter.save(Artifact::Conversation(self.saved.clone())).await?)
    }

    fn finish(&self, (change, plan): (ChangeSet, Plan)) -> Result<Drafted, DraftError> {
        if change.files.is_empty() {
            return Err(DraftError::NoChange(change.summary));
        }
        let ChangeSet { title, summary, addressed, .. } = change;
        let (usage, turns) = (self.saved.usage, self.saved.turns.len());
        Ok(Drafted { title, summary, files: plan, addressed, usage, turns })
    }

    async fn turn(&mut self) -> Result<String, DraftError> {
        let (reporter, stage) = (self.reporter, self.stage);
        let mut tail = Tail::default();
        let mut on_text = |piece: &str| {
            tail.push(piece);
            reporter.progress(stage, tail.bytes(), &readable(tail.end()));
        };
        let waits = Mutex::new(Vec::new());
        let on_wait = |why: &ProviderError, wait: Duration| {
            let seconds = wait.as_secs_f64().ceil();
            waits.lock().unwrap_or_else(PoisonError::into_inner).push(format!("Waited {seconds} s: {why}"));
            reporter.progress(stage, 0, &format!("{why}\nTrying again in {seconds} s …"));
        };
        let mut prompt = brief::with_turns(self.question.clone(), &self.saved.turns);
        let call = Call { input_tokens: sent_tokens(&prompt), output_tokens: i64::from(prompt.max_output_tokens) };
        let allowed = self.reporter.allow(call).await?;
        prompt.max_output_tokens = u32::try_from(allowed.output_tokens).unwrap_or(prompt.max_output_tokens);
        let room = prompt.max_output_tokens;
        let is_shortened = room < self.question.max_output_tokens;
        if is_shortened {
            let line = format!("The limits under [draft] leave room for an answer of {room} tokens");
            self.reporter.detail(line).await?;
        }
        let answered = self.model.complete(&prompt, &mut on_text, &on_wait).await;
        for line in waits.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.reporter.detail(text::line(&line)).await?;
        }
        // A refusal or a cut answer has been paid for as well.
        let used = answered.as_ref().map_or_else(ProviderError::usage, |c| Some(c.usage));
        self.saved.usage = self.saved.usage.plus(used.unwrap_or_default());
        if let Ok(Completion { text, .. }) = &answered {
            self.saved.turns.push(Turn { answer: text.clone(), reply: None });
        }
        if used.is_some() {
            // The answer and what it cost, before anything else: what is paid for is never asked for again.
            self.save().await?;
        }
        if let (true, Err(ProviderError::Truncated { .. })) = (is_shortened, &answered) {
            return Err(DraftError::CutByLimits(room));
        }
        let Completion { text, usage, model, request_id } = answered?;
        let line = format!("{model} answered with {} tokens to {}", usage.output_tokens, usage.input_tokens);
        self.reporter.save(Artifact::Log(format!("{line} (request {request_id})\n"))).await?;
        self.reporter.detail(line).await?;
        if let (Model::Compatible(_), Some(warning)) = (&self.model, read_in_part(&prompt, usage)) {
            self.reporter.detail(warning).await?;
        }
        Ok(text)
    }

    /// Puts what is wrong where the user can see it now and the answer where it can be read later.
    async fn tell(&self, answer: &str, problems: &[Problem]) -> Result<(), DraftError> {
        for problem in problems {
            self.reporter.detail(format!("Can't apply: {}", text::clipped(&problem.to_string(), 300))).await?;
        }
        let kept = &answer[..answer.floor_char_boundary(MAX_LOGGED)];
        self.reporter.save(Artifact::Log(format!("The answer that could not be used:\n{kept}\n"))).await?;
        Ok(())
    }
}

/// An answer without files is legal here: the model may have a reason, and it stands in the summary.
fn judge(change: ChangeSet, worktree: &Worktree, protected: &Protected) -> Result<(ChangeSet, Plan), Vec<Problem>> {
    if change.files.is_empty() {
        return Ok((change, Plan::new()));
    }
    let plan = change.plan(|path| worktree.read(path), |path| protected.why(path))?;
    Ok((change, plan))
}

/// Estimated tokens of a question with all that was said before it.
fn sent_tokens(prompt: &Prompt) -> i64 {
    let blocks = prompt.system.iter().chain(prompt.messages.iter().flat_map(|message| &message.blocks));
    blocks.map(|block| estimate_tokens(&block.text) as i64).sum()
}

/// Some servers of one's own drop what does not fit into a model's context without a word; only the tokens they count tell. Our own count is a
/// guess, so half of it is believed.
fn read_in_part(prompt: &Prompt, usage: Usage) -> Option<String> {
    let (sent, read) = (sent_tokens(prompt), usage.input_tokens);
    (read > 0 && read < sent / 2).then(|| {
        format!(
            "Only {read} of about {sent} tokens were read: give the model a larger context (Ollama: OLLAMA_CONTEXT_LENGTH), or \
             lower `context_tokens` under [draft]"
        )
    })
}

/// The answer streams in as JSON; with its escapes undone the code in it can be read.
fn readable(json: &str) -> String {
    json.replace("\\n", "\n").replace("\\t", "    ").replace("\\\"", "\"")
}
