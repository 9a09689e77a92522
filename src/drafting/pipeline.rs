//! The stages in order, and the promise that the worktree is gone at the end, however it ends.

use super::brief::Brief;
use super::command::Agent;
use super::context::{self, Context};
use super::drafter::Drafter;
use super::earlier::{self, Earlier};
use super::error::DraftError;
use super::job::{Artifact, Drafted, Job, Outcome, Released, Reporter, Saved, SavedChange, SavedConversation, Tools};
use super::model::Conversation;
use super::protect::Protected;
use super::publish::{self, Publishing};
use super::ready::Place;
use super::verify;
use crate::domain::change::RepoPath;
use crate::domain::diff::Diff;
use crate::domain::draft::{DrafterKind, Stage, TargetKind, Verdict, Verified};
use crate::domain::review::{self, Choices, Proposal};
use crate::domain::text;
use crate::domain::time::Millis;
use crate::protocol::read::{ClosedFile, DryRun};
use crate::providers::{ProviderError, Remote, Worktree};
use std::sync::Arc;

/// A regular file, executable or not, in git's modes; links and submodules are other numbers.
const REGULAR: [u32; 2] = [0o100_644, 0o100_755];

/// Drafts a change for a report, and publishes it or leaves it for a review.
///
/// Dropping the future stops the run: the request or command ends, and the worktree is removed.
///
/// # Errors
/// A sentence that says what went wrong and what to do; then nothing was published, unless the error says so.
pub async fn run(job: &Job, tools: &Tools, saved: Saved, reporter: &dyn Reporter) -> Result<Outcome, DraftError> {
    reporter.stage(Stage::Checkout).await?;
    let place = Place::new(job, tools)?;
    let protected = Protected::new(&tools.config, &job.repository)?;
    check_access(job, tools, &place).await?;
    if saved.change.is_none()
        && let Some(there) = earlier::offered(job, &place).await?
    {
        let line = format!(
            "An open pull request for this report is there already: {}. Draft again to make another.",
            there.pr_url
        );
        reporter.detail(text::line(&line)).await?;
        return Ok(Outcome::Published(there));
    }
    let mut earlier = Earlier::of(job, tools, &place, reporter).await?;
    let worktree = checkout_for(job, tools, &place, &saved, &mut earlier, reporter).await?;
    let (earlier, pushed) = (&earlier, saved.pushed.clone());
    let run = Run { job, tools, place: &place, protected: &protected, earlier, pushed, reporter };
    let result = run.stages(&worktree, saved).await;
    remove(worktree).await;
    result
}

/// The checkout and context stages of a draft, and nothing after them.
///
/// # Errors
/// As for [`run`]; keys for the later stages are not asked for.
pub async fn dry_run(job: &Job, tools: &Tools) -> Result<DryRun, DraftError> {
    let place = Place::unchecked(&job.repository, tools);
    let worktree = Arc::new(checkout(job, tools, &place, None).await?);
    let result = look(job, tools, &place, &worktree).await;
    remove(worktree).await;
    result
}

async fn look(job: &Job, tools: &Tools, place: &Place, worktree: &Arc<Worktree>) -> Result<DryRun, DraftError> {
    let context = choose(job, tools, place, worktree).await?;
    let brief_tokens = Brief::new(job, &context, &Earlier::default()).tokens();
    Ok(DryRun {
        feedback_id: job.report.feedback.id.clone(),
        repository: place.name.clone(),
        commit: worktree.base_commit().to_owned(),
        files: context.ranked,
        weaker: context.weaker,
        closed: context.closed.iter().map(|c| ClosedFile { path: c.path.to_string(), why: c.why.to_owned() }).collect(),
        unread: context.unread,
        unnameable: worktree.left_out(),
        total_files: context.total_files,
        context_tokens: tools.config.draft.context_tokens,
        brief_tokens,
    })
}

/// Finds out before a token is spent that the result could not be delivered.
async fn check_access(job: &Job, tools: &Tools, place: &Place) -> Result<(), DraftError> {
    let (TargetKind::Github, Some(hub)) = (job.target, &place.github) else { return Ok(()) };
    let info = hub.client.repository(&hub.slug).await?;
    if info.archived {
        return Err(DraftError::Configuration(format!("{} is archived: nothing can be pushed to it.", hub.slug)));
    }
    if info.can_push == Some(false) {
        return Err(DraftError::Configuration(format!(
            "The GitHub token may read {} but not push to it: give it the permissions Contents (write) and Pull requests (write).",
            hub.slug
        )));
    }
    // What GitHub says of the token says nothing of the user's own key.
    if let Remote::Own(_) = place.remote {
        tools.git.may_push(&place.remote).await?;
    }
    Ok(())
}

/// Checks out the branch, or the commit an interrupted run started from while the cache still has it.
async fn checkout(job: &Job, tools: &Tools, place: &Place, commit: Option<&str>) -> Result<Worktree, DraftError> {
    let branch = job.repository.branch.as_deref();
    Ok(tools.git.checkout_at(&place.remote, branch, commit, job.draft.as_str()).await?)
}

/// The same for a run that may go on top of the draft before.
async fn checkout_for(
    job: &Job,
    tools: &Tools,
    place: &Place,
    saved: &Saved,
    earlier: &mut Earlier,
    reporter: &dyn Reporter,
) -> Result<Arc<Worktree>, DraftError> {
    let commit = saved.commit.as_deref();
    if let Some(onto) = earlier.onto.clone() {
        match tools.git.checkout_at(&place.remote, Some(&onto), commit, job.draft.as_str()).await {
            Ok(worktree) => return Ok(Arc::new(worktree)),
            Err(ProviderError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let line = format!("The branch {onto} of the draft before is gone, so this one gets a branch of its own");
        reporter.detail(text::line(&line)).await?;
        earlier.onto = None;
    }
    Ok(Arc::new(checkout(job, tools, place, commit).await?))
}

/// Ranks the worktree's files on a blocking thread.
async fn choose(job: &Job, tools: &Tools, place: &Place, worktree: &Arc<Worktree>) -> Result<Context, DraftError> {
    let files = worktree.files();
    if !files.iter().any(|f| REGULAR.contains(&f.mode)) {
        return Err(DraftError::EmptyRepository(place.name.clone()));
    }
    // Links and submodules as well: reading one says what it is.
    let paths: Vec<RepoPath> = files.iter().map(|f| f.path.clone()).collect();
    let worktree = Arc::clone(worktree);
    let (report, previous) = (job.report.clone(), job.previous.clone());
    let budget = tools.config.draft.context_tokens;
    let chosen = tokio::task::spawn_blocking(move || {
        context::choose(&paths, &|path| worktree.read(path), &report, previous.as_ref(), budget)
    });
    chosen
        .await
        .map_err(|e| DraftError::Local(format!("choosing the files failed: {e}; this is a bug worth reporting")))
}

/// Removes the worktree where that can be waited for. While a blocking thread still holds it, its drop does the same.
async fn remove(worktree: Arc<Worktree>) {
    let Some(worktree) = Arc::into_inner(worktree) else { return };
    if let Err(error) = worktree.remove().await {
        // The run's own result matters more; the cache cleans up what is left when it is used next.
        tracing::warn!(%error, "a worktree could not be removed");
    }
}

/// A run whose base commit is there.
struct Run<'a> {
    job: &'a Job,
    tools: &'a Tools,
    place: &'a Place,
    protected: &'a Protected,
    earlier: &'a Earlier,
    pushed: Vec<String>,
    reporter: &'a dyn Reporter,
}

impl Run<'_> {
    async fn stages(&self, worktree: &Arc<Worktree>, saved: Saved) -> Result<Outcome, DraftError> {
        let base = worktree.base_commit();
        self.say(format!("{} at {} ({})", self.place.name, worktree.base_branch(), publish::short(base))).await?;
        self.reporter.save(Artifact::Base { commit: base.to_owned() }).await?;
        if let Some(released) = saved.released {
            let verified = saved.verified;
            let change = saved.change.map(|change| SavedChange { verified: of(&change, verified), ..change });
            return self.release(worktree, change, released).await;
        }
        let kept = self.kept(saved.change, base).await?;
        let change = self.proven(worktree, kept, saved.conversation, saved.verified).await?;
        let red = change.verified.as_ref().filter(|verified| verified.verdict == Verdict::Failed);
        if let (Some(verified), false) = (red, self.job.confirm) {
            // Nobody was to review it, but now somebody has to.
            self.reporter.stage(Stage::Review).await?;
            return Err(not_verified(verified));
        }
        if self.job.confirm {
            self.reporter.stage(Stage::Review).await?;
            return Ok(Outcome::Waiting);
        }
        self.publish(worktree, change, &Choices::default()).await
    }

    async fn publish(
        &self,
        worktree: &Worktree,
        mut change: SavedChange,
        choices: &Choices,
    ) -> Result<Outcome, DraftError> {
        self.reporter.stage(Stage::Publish).await?;
        let Self { job, tools, place, earlier, reporter, .. } = *self;
        // Named by the drafter's title: with whatever words a change is published the next time, it goes to the same branch.
        let branch = publish::branch(&change.title, job.report.feedback.id.short(), job.number);
        if let Some(title) = &choices.title {
            change.title.clone_from(title);
        }
        if let Some(summary) = &choices.summary {
            change.summary.clone_from(summary);
        }
        let (branch, pushed, change) = (branch.as_str(), self.pushed.as_slice(), &change);
        let publishing = Publishing { job, tools, place, worktree, change, choices, earlier, branch, pushed, reporter };
        Ok(Outcome::Published(publishing.run().await?))
    }

    /// Publishes what somebody has looked at: that very change without the parts they dropped, or nothing.
    async fn release(
        &self,
        worktree: &Worktree,
        change: Option<SavedChange>,
        released: Released,
    ) -> Result<Outcome, DraftError> {
        let base = worktree.base_commit();
        let mut change = change.filter(|change| change.base == base).ok_or_else(|| {
            DraftError::Local(format!(
                "The commit that the change was made from is no longer to be had; {} is at {}. Draft again.",
                worktree.base_branch(),
                publish::short(base)
            ))
        })?;
        let Released { choices, diff } = released;
        if !choices.dropped.is_empty() {
            let diff = Diff::parse(&diff).map_err(|e| DraftError::Review(e.to_string()))?;
            let kept = review::kept(&change.files, &diff, &choices.dropped, |path| worktree.read(path));
            change.files = kept.map_err(|e| DraftError::Review(e.to_string()))?;
            change.dropped = choices.dropped.len();
        }
        self.publish(worktree, change, &choices).await
    }

    async fn say(&self, line: String) -> Result<(), DraftError> {
        Ok(self.reporter.detail(text::line(&line)).await?)
    }

    /// What an interrupted run left, if it still fits the code.
    async fn kept(&self, change: Option<SavedChange>, base: &str) -> Result<Option<SavedChange>, DraftError> {
        let Some(change) = change else { return Ok(None) };
        if change.base == base {
            return Ok(Some(change));
        }
        // The saved files were made from other contents: written over newer ones they would undo other people's work.
        self.say("The base branch moved while the run was interrupted, so the change is drafted anew".into()).await?;
        Ok(None)
    }

    /// A change that the repository's `verify` command has seen, if there is one: green, or red and given up. What was done before the
    /// run was interrupted is not done again.
    async fn proven(
        &self,
        worktree: &Arc<Worktree>,
        kept: Option<SavedChange>,
        said: Option<SavedConversation>,
        verified: Option<Verified>,
    ) -> Result<SavedChange, DraftError> {
        let mut said = Some(SavedConversation::about(worktree.base_commit(), said));
        let mut drafter = None;
        let mut change = match kept {
            Some(change) if !is_outdated(&change, said.as_ref()) => {
                for stage in [Stage::Context, Stage::Model, Stage::Check] {
                    self.reporter.stage(stage).await?;
                    self.say("Done before the run was interrupted".into()).await?;
                }
                SavedChange { verified: of(&change, verified), ..change }
            }
            kept => {
                let drafter = drafter.insert(self.begin(worktree, kept.as_ref(), said.take(), Stage::Model).await?);
                self.next(drafter, worktree, kept).await?
            }
        };
        let Some(command) = &self.job.repository.verify else { return Ok(change) };
        loop {
            self.reporter.stage(Stage::Verify).await?;
            let verified = match change.verified.take().filter(|verified| verified.command == *command) {
                Some(verified) => verified,
                None => self.verify(command, &change, worktree).await?,
            };
            change.verified = Some(verified.clone());
            let rounds = self.tools.config.draft.verify_rounds;
            if verified.verdict == Verdict::Passed || rounds == 0 {
                return Ok(change);
            }
            let drafter = match &mut drafter {
                Some(drafter) => drafter,
                none => none.insert(self.begin(worktree, Some(&change), said.take(), Stage::Verify).await?),
            };
            drafter.is_in(Stage::Verify);
            let told = drafter.failures();
            if told >= rounds && !drafter.awaits_answer() {
                return Ok(change);
            }
            self.say(format!("Telling the drafter what failed ({} of {rounds})", (told + 1).min(rounds))).await?;
            drafter.failed(&verified).await?;
            change = match self.next(drafter, worktree, Some(change.clone())).await {
                Ok(next) => next,
                // There is a change already, and a person may think better of it.
                Err(e) if e.is_about_an_answer() => {
                    self.say(e.to_string()).await?;
                    return Ok(change);
                }
                Err(e) => return Err(e),
            };
        }
    }

    /// Lets the command judge a change. A worktree that a program has been in is made anew before.
    async fn verify(&self, command: &str, change: &SavedChange, worktree: &Worktree) -> Result<Verified, DraftError> {
        if self.job.drafter == DrafterKind::Command {
            worktree.reset().await;
        }
        worktree.apply(&change.files).await?;
        let verified = verify::verify(command, change, self.tools, worktree, self.reporter).await?;
        worktree.reset().await;
        Ok(verified)
    }

    /// Whoever drafts, told what it needs to know. A run that is past the context stage says nothing of it again.
    async fn begin(
        &self,
        worktree: &Arc<Worktree>,
        kept: Option<&SavedChange>,
        said: Option<SavedConversation>,
        stage: Stage,
    ) -> Result<Drafter<'_>, DraftError> {
        let first = stage == Stage::Model;
        if first {
            self.reporter.stage(Stage::Context).await?;
        }
        let context = choose(self.job, self.tools, self.place, worktree).await?;
        let brief = Brief::new(self.job, &context, self.earlier);
        if first {
            self.report_context(&context, worktree.left_out()).await?;
            self.reporter.stage(Stage::Model).await?;
        }
        let (tools, reporter, base) = (self.tools, self.reporter, worktree.base_commit());
        let mut drafter = match self.job.drafter {
            kind @ (DrafterKind::Anthropic | DrafterKind::Openai | DrafterKind::OpenaiCompatible) => {
                let conversation = Conversation::new(kind, tools, &brief, reporter, base, said)?;
                if conversation.has_begun() {
                    self.say("Answered before the run was interrupted".into()).await?;
                } else {
                    let model = tools.config.model_of(kind);
                    self.say(format!("Asking {model} with about {} tokens", brief.tokens())).await?;
                }
                Drafter::Model(Box::new(conversation))
            }
            DrafterKind::Command => Drafter::Command(Box::new(Agent::new(tools, &brief, reporter, base, said, kept))),
        };
        drafter.is_in(stage);
        Ok(drafter)
    }

    /// The drafter's next change, stored. The worktree is the base commit; a program finds what it made before.
    async fn next(
        &self,
        drafter: &mut Drafter<'_>,
        worktree: &Arc<Worktree>,
        before: Option<SavedChange>,
    ) -> Result<SavedChange, DraftError> {
        if let (DrafterKind::Command, Some(before)) = (self.job.drafter, &before) {
            worktree.apply(&before.files).await?;
        }
        // In a large repository this takes as long as a model thinks. What goes wrong with it is told when it is needed.
        let disk = async {
            if self.job.repository.verify.is_some() {
                let _told_later = worktree.check_out().await;
            }
            Ok(())
        };
        let (made, ()) = futures::future::try_join(drafter.change(worktree, self.protected), disk).await?;
        let Drafted { title, summary, files, addressed, usage, turns } = made;
        let title = publish::title(&title, &self.job.report.feedback.report.what_i_needed);
        let at = Millis(jiff::Timestamp::now().as_millisecond());
        let (base, remarks) = (worktree.base_commit().to_owned(), self.earlier.heard.remarks(&addressed));
        // The same change again has been judged already.
        let same = before.filter(|before| before.files == files).and_then(|before| before.verified);
        let verified = same.map(|verified| Verified { turns, ..verified });
        let change = SavedChange { base, at, title, summary, files, usage, remarks, turns, dropped: 0, verified };
        let files = change.files.len();
        let files = if files == 1 { "1 file changes".to_owned() } else { format!("{files} files change") };
        self.say(format!("{}: {files}", change.title)).await?;
        self.reporter.save(Artifact::Diff(worktree.diff(&change.files).await?)).await?;
        let (title, summary) = (change.title.clone(), change.summary.clone());
        let on_top_of = self.earlier.onto.as_ref().and(self.earlier.pull.as_ref());
        let base = on_top_of.map_or(worktree.base_branch(), |pull| &pull.base_ref).to_owned();
        let proposal = Proposal { title, summary, base };
        self.reporter.save(Artifact::Proposal(proposal)).await?;
        self.reporter.save(Artifact::Change(change.clone())).await?;
        if let Some(verified) = &change.verified {
            self.reporter.save(Artifact::Verified(verified.clone())).await?;
        }
        Ok(change)
    }

    async fn report_context(&self, context: &Context, unnameable: usize) -> Result<(), DraftError> {
        let (shown, total) = (context.excerpts.len(), context.total_files);
        let whole = context.excerpts.iter().filter(|e| e.whole).count();
        let tokens = context.tokens();
        self.say(format!("{shown} of {total} files shown, {whole} of them whole, about {tokens} tokens")).await?;
        if let Some(line) = self.earlier.heard.summary() {
            self.say(line).await?;
        }
        for file in context.ranked.iter().take(8) {
            self.say(format!("{} ({})", file.path, file.reasons.join(", "))).await?;
        }
        if !context.left_out.is_empty() {
            self.say(format!("{} weaker matches are named to the drafter and not shown", context.left_out.len()))
                .await?;
        }
        for closed in &context.closed {
            self.say(format!("{} is not shown: {}", closed.path, closed.why)).await?;
        }
        if context.unread > 0 {
            self.say(format!("{} files were not looked at: {}", context.unread, context::TOO_MUCH)).await?;
        }
        if unnameable > 0 {
            let why = "git's own, or with line breaks, control characters, or not UTF-8";
            self.say(format!("{unnameable} tracked names are left out: {why}")).await?;
        }
        self.reporter.save(Artifact::Files(context.ranked.clone())).await?;
        Ok(())
    }
}

/// The verdict, if it is about this change.
fn of(change: &SavedChange, verified: Option<Verified>) -> Option<Verified> {
    verified.filter(|verified| verified.turns == change.turns)
}

/// Whether the drafter has said something since it made this change.
fn is_outdated(change: &SavedChange, said: Option<&SavedConversation>) -> bool {
    said.is_some_and(|said| said.turns.len() > change.turns)
}

fn not_verified(verified: &Verified) -> DraftError {
    let lines: Vec<&str> = verified.output.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = text::clipped(&lines[lines.len().saturating_sub(3)..].join("\n"), 300);
    DraftError::NotVerified {
        command: text::clipped(&verified.command, 200),
        ended: verified.ended.clone(),
        tail: sentence(if last.is_empty() { "(none)" } else { &last }),
    }
}

fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}
