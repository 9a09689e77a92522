//! The publish stage: one commit on a branch of its own or on top of the draft before, and for GitHub a draft pull request.
//!
//! Nothing leaves the machine before this. A pull request that is open already for the branch is the result and not an error, so a
//! run that was interrupted here can simply be run again. What comes after the pull request (`extras`) can't fail the run.

mod body;
mod extras;
mod markdown;
mod plain;

pub(super) use body::names_report;
pub(super) use extras::is_link;
pub use extras::pull_number;
pub(super) use plain::{BRANCHES, branch, is_branch_of, title};

use super::earlier::Earlier;
use super::error::DraftError;
use super::job::{Artifact, Job, Reporter, SavedChange, Tools};
use super::price;
use super::ready::{Hub, Place};
use crate::domain::draft::{Published, TargetKind};
use crate::domain::review::Choices;
use crate::domain::text;
use crate::providers::git::{OnTop, tip};
use crate::providers::{NewPullRequest, ProviderError, Worktree};

/// A finished change and everything that decides where it goes.
pub(super) struct Publishing<'a> {
    pub(super) job: &'a Job,
    pub(super) tools: &'a Tools,
    pub(super) place: &'a Place,
    pub(super) worktree: &'a Worktree,
    pub(super) change: &'a SavedChange,
    pub(super) choices: &'a Choices,
    pub(super) earlier: &'a Earlier,
    /// Its own branch.
    pub(super) branch: &'a str,
    /// Commits that this run may have pushed to that before.
    pub(super) pushed: &'a [String],
    pub(super) reporter: &'a dyn Reporter,
}

impl Publishing<'_> {
    /// Commits the change and takes it to its target.
    pub(super) async fn run(&self) -> Result<Published, DraftError> {
        let branch = self.branch;
        let draft = &self.tools.config.draft;
        let author = (draft.commit_author_name.as_str(), draft.commit_author_email.as_str());
        let message = body::commit(self.job, self.change, self.drafter(), &draft.commit_trailers);
        let commit = self.worktree.commit(&self.change.files, branch, &message, author, Some(self.change.at)).await?;
        self.say(format!("Committed {}", short(&commit))).await?;
        let repository = self.place.name.clone();
        if let Some(onto) = &self.earlier.onto
            && self.goes_on_top(onto).await?
        {
            let pr_url = self.update(&commit).await?;
            return Ok(Published { branch: onto.clone(), commit, pr_url, repository });
        }
        let chosen = self.chosen_base().await?;
        self.push(&commit).await?;
        let pr_url = if let Some(hub) = self.hub() {
            self.say(format!("Pushed {branch}")).await?;
            self.open(hub, chosen).await?
        } else {
            self.say(format!("Made the branch {branch} in {repository}")).await?;
            String::new()
        };
        Ok(Published { branch: branch.to_owned(), commit, pr_url, repository })
    }

    /// The base that the reviewer chose, as the repository has it now: a wrong name is told before anything leaves the machine.
    async fn chosen_base(&self) -> Result<Option<String>, DraftError> {
        let Some(base) = self.choices.base.as_ref().filter(|_| self.hub().is_some()) else { return Ok(None) };
        match tip(&self.place.remote, Some(base)).await {
            Ok(tip) => Ok(Some(tip.branch)),
            Err(ProviderError::NotFound { known, .. }) if !known.is_empty() => Err(DraftError::NoSuchBase {
                base: text::clipped(base, 255),
                repository: self.place.name.clone(),
                known: known.into_iter().filter(|name| !name.starts_with(BRANCHES)).collect(),
                usual: self.usual_base().to_owned(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// What the pull request is for when nobody chooses. What was to go on top of a branch is based on that: it asks to be merged
    /// where that one did.
    fn usual_base(&self) -> &str {
        let old = self.earlier.pull.as_ref();
        self.earlier.onto.as_ref().and(old).map_or(self.worktree.base_branch(), |pull| &pull.base_ref)
    }

    /// Noted first: when this run is interrupted or fails, and its change is published with other words then, the branch is still ours.
    async fn push(&self, commit: &str) -> Result<(), DraftError> {
        if !self.pushed.iter().any(|before| before == commit) {
            let all = self.pushed.iter().map(String::as_str).chain([commit]).map(str::to_owned).collect();
            self.reporter.save(Artifact::Pushed(all)).await?;
        }
        Ok(self.worktree.push(self.branch, self.pushed).await?)
    }

    fn hub(&self) -> Option<&Hub> {
        self.place.github.as_ref().filter(|_| self.job.target == TargetKind::Github)
    }

    async fn say(&self, line: String) -> Result<(), DraftError> {
        Ok(self.reporter.detail(text::line(&line)).await?)
    }

    /// Puts the commit on the branch of the draft before. Where that can't be, it gets a branch of its own: it is paid for.
    async fn goes_on_top(&self, onto: &str) -> Result<bool, DraftError> {
        let why = match self.worktree.push_on_top(onto).await? {
            OnTop::Done => {
                self.say(format!("Put on top of {onto}")).await?;
                return Ok(true);
            }
            OnTop::Moved => "it has moved or gone meanwhile".to_owned(),
            OnTop::Refused(words) => words,
        };
        self.say(format!("{onto} can't take the commit ({why}), so the draft gets a branch of its own")).await?;
        Ok(false)
    }

    /// Opens a pull request; the URL of the new one, or of the one that is there.
    async fn open(&self, hub: &Hub, base: Option<String>) -> Result<String, DraftError> {
        let old = self.earlier.pull.as_ref();
        let new = NewPullRequest {
            title: self.change.title.clone(),
            body: body::pull_request(&self.about(false)),
            head: self.branch.to_owned(),
            base: base.unwrap_or_else(|| self.usual_base().to_owned()),
            draft: self.choices.draft.unwrap_or(true),
        };
        let unopened = |source| DraftError::PushedWithoutPullRequest { branch: self.branch.to_owned(), source };
        let opened = hub.client.open_pull_request(&hub.slug, &new).await.map_err(unopened)?;
        let kind = if opened.draft { "draft pull request" } else { "pull request" };
        let remark = if new.draft && !opened.draft { " (drafts are not to be had here)" } else { "" };
        self.say(format!("Opened {kind} {}: {}{remark}", opened.number, opened.html_url)).await?;
        self.extras(hub, &opened).await?;
        if let Some(old) = old.filter(|old| old.number != opened.number) {
            self.say_replaced(hub, old, &opened).await?;
        }
        Ok(opened.html_url)
    }

    /// Tells the pull request of the draft before what it is now; its URL, or nothing for a local branch.
    async fn update(&self, commit: &str) -> Result<String, DraftError> {
        let (Some(hub), Some(pull)) = (self.hub(), &self.earlier.pull) else { return Ok(String::new()) };
        self.say(format!("Added {} to pull request {}: {}", short(commit), pull.number, pull.html_url)).await?;
        // As it is now: somebody may have written into it while the draft was made.
        let now = hub.client.pull_request(&hub.slug, pull.number).await;
        let edited = match now {
            Ok(now) => {
                let text = body::within(&now.body, &body::pull_request(&self.about(true)));
                hub.client.edit_pull_request(&hub.slug, pull.number, &text).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = edited {
            self.say(format!("The text of pull request {} could not be brought up to date: {error}", pull.number))
                .await?;
        }
        self.extras(hub, pull).await?;
        Ok(pull.html_url.clone())
    }

    fn about(&self, on_top: bool) -> body::About<'_> {
        let old = self.earlier.pull.as_ref();
        let drafter = self.drafter();
        let cost = price::price_of(&self.tools.config, drafter).map(|known| price::cost(self.change.usage, known));
        body::About { job: self.job, change: self.change, drafter, cost, old, on_top }
    }

    /// Who wrote the change, for people and trailers.
    fn drafter(&self) -> &str {
        self.tools.config.model_of(self.job.drafter)
    }
}

pub(super) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}
