//! The publish stage: one commit on a branch of its own, and for GitHub a draft pull request.
//!
//! Nothing leaves the machine before this. A pull request that is open already for the branch is the result and not an error, so a
//! run that was interrupted here can simply be run again.

mod body;
mod markdown;
mod plain;

pub(super) use plain::title;

use super::error::DraftError;
use super::job::{Job, Reporter, SavedChange, Tools};
use super::ready::{Hub, Place};
use crate::domain::draft::{Published, TargetKind};
use crate::domain::review::Choices;
use crate::providers::{NewPullRequest, Worktree};

/// Commits the change and takes it to its target.
pub(super) async fn publish(
    job: &Job,
    tools: &Tools,
    place: &Place,
    worktree: &Worktree,
    change: &SavedChange,
    choices: &Choices,
    reporter: &dyn Reporter,
) -> Result<Published, DraftError> {
    // Who wrote the change, for people and trailers.
    let drafter = tools.config.model_of(job.drafter);
    let branch = plain::branch(&change.title, job.report.feedback.id.short(), job.number);
    let draft = &tools.config.draft;
    let author = (draft.commit_author_name.as_str(), draft.commit_author_email.as_str());
    let message = body::commit(job, change, drafter);
    let commit = worktree.commit(&change.files, &branch, &message, author, Some(change.at)).await?;
    reporter.detail(format!("Committed {}", short(&commit))).await?;
    worktree.push(&branch).await?;
    let mut published = Published { branch, commit, pr_url: String::new(), repository: place.name.clone() };
    match (job.target, &place.github) {
        (TargetKind::Github, Some(hub)) => {
            reporter.detail(format!("Pushed {}", published.branch)).await?;
            let new = NewPullRequest {
                title: change.title.clone(),
                body: body::pull_request(job, change, drafter),
                head: published.branch.clone(),
                base: choices.base.clone().unwrap_or_else(|| worktree.base_branch().to_owned()),
                draft: choices.draft.unwrap_or(true),
            };
            published.pr_url = open(hub, &new, reporter).await?;
        }
        (TargetKind::Local, _) | (TargetKind::Github, None) => {
            reporter.detail(format!("Made the branch {} in {}", published.branch, place.name)).await?;
        }
    }
    Ok(published)
}

/// The URL of the new pull request, or of the one that is there.
async fn open(hub: &Hub, new: &NewPullRequest, reporter: &dyn Reporter) -> Result<String, DraftError> {
    let unopened = |source| DraftError::PushedWithoutPullRequest { branch: new.head.clone(), source };
    let opened = hub.client.open_pull_request(&hub.slug, new).await.map_err(unopened)?;
    let kind = if opened.draft { "draft pull request" } else { "pull request (drafts are not to be had here)" };
    reporter.detail(format!("Opened {kind} {}: {}", opened.number, opened.html_url)).await?;
    Ok(opened.html_url)
}

pub(super) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}
