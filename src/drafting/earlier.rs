//! What came before a draft: an open pull request that somebody else's run made for the same report, or the draft that this one
//! is to replace.
//!
//! Looked at before anything is paid for. A pull request that is there already is offered instead of a second one; a re-draft
//! finds out here whether its change goes on top of the old branch or onto one of its own.

use super::error::DraftError;
use super::heard::Heard;
use super::job::{Job, Replaced, Reporter, Tools};
use super::publish;
use super::ready::{Hub, Place};
use crate::domain::draft::{Published, RedraftKind, TargetKind};
use crate::domain::text;
use crate::providers::{ProviderError, PullRequest};

/// What is known of the draft that this one replaces; empty for a first draft.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// Its pull request, as it is now.
    pub(super) pull: Option<PullRequest>,
    /// The branch that the change goes on top of; `None`: a branch of its own.
    pub(super) onto: Option<String>,
    /// What was said about it.
    pub(super) heard: Heard,
}

/// The open pull request for this report, whichever database its draft is in.
pub(super) async fn offered(job: &Job, place: &Place) -> Result<Option<Published>, DraftError> {
    let (TargetKind::Github, Some(hub), None) = (job.target, &place.github, &job.replaces) else { return Ok(None) };
    let id = &job.report.feedback.id;
    let ours = hub.client.open_from(&hub.slug, publish::BRANCHES).await?;
    let same = ours.into_iter().find(|pull| {
        publish::is_branch_of(&pull.head_ref, id.short()) && publish::names_report(&pull.body, id.as_str())
    });
    Ok(same.map(|pull| Published {
        branch: pull.head_ref,
        commit: pull.head_sha,
        pr_url: pull.html_url,
        repository: place.name.clone(),
    }))
}

impl Earlier {
    /// Looks at what an earlier run published.
    pub(super) async fn of(
        job: &Job,
        tools: &Tools,
        place: &Place,
        reporter: &dyn Reporter,
    ) -> Result<Self, DraftError> {
        let Some(replaced) = &job.replaces else { return Ok(Self::default()) };
        let on_top = tools.config.draft.redraft == RedraftKind::SamePr;
        let say = async |line: String| reporter.detail(text::line(&line)).await;
        if replaced.published.repository != place.name {
            let there = &replaced.published.repository;
            say(format!("The draft before went to another repository ({there}) and is left as it is")).await?;
            return Ok(Self::default());
        }
        let Some(hub) = place.github.as_ref().filter(|_| job.target == TargetKind::Github) else {
            let onto = on_top.then(|| replaced.published.branch.clone());
            return Ok(Self { onto, ..Self::default() });
        };
        let Some(pull) = pull_of(replaced, hub).await? else {
            say(format!("{} can't be seen any more, so it is neither read nor linked", replaced.published.pr_url))
                .await?;
            return Ok(Self::default());
        };
        let heard = Heard::of(hub, &pull).await?;
        if !heard.checks_known {
            say("The token may not read all checks of the pull request, so failing ones may be missed".into()).await?;
        }
        let onto = (on_top && pull.is_open() && pull.same_repository).then(|| pull.head_ref.clone());
        if on_top && onto.is_none() {
            let what = if pull.merged { "merged" } else { "closed" };
            say(format!("Pull request {} is {what}, so this draft gets one of its own", pull.number)).await?;
        }
        Ok(Self { pull: Some(pull), onto, heard })
    }
}

/// The pull request of an earlier run; `None` when it is gone, or at another server than the one that is configured now.
async fn pull_of(replaced: &Replaced, hub: &Hub) -> Result<Option<PullRequest>, ProviderError> {
    let url = &replaced.published.pr_url;
    let Some(number) = publish::pull_number(url) else { return Ok(None) };
    match hub.client.pull_request(&hub.slug, number).await {
        Ok(pull) if pull.html_url == *url => Ok(Some(pull)),
        Ok(_) | Err(ProviderError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
