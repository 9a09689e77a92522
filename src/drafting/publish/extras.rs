//! What comes after the pull request: labels, reviewers, and the word on the old one that there is a new one.
//!
//! The draft is published by then. What goes wrong here is said in the run's history and changes nothing about that.

use super::Publishing;
use crate::drafting::error::DraftError;
use crate::drafting::ready::Hub;
use crate::providers::PullRequest;

/// How a comment begins that links an old pull request to the one that came after it.
const REPLACED: &str = "Replaced by ";
const FOLLOWED: &str = "Followed by ";

impl Publishing<'_> {
    /// Labels and reviewers, where the settings name any.
    pub(super) async fn extras(&self, hub: &Hub, pull: &PullRequest) -> Result<(), DraftError> {
        let draft = &self.tools.config.draft;
        if !draft.labels.is_empty()
            && let Err(error) = hub.client.add_labels(&hub.slug, pull.number, &draft.labels).await
        {
            self.say(format!("The labels could not be set: {error}")).await?;
        }
        if !draft.reviewers.is_empty() {
            match hub.client.request_reviewers(&hub.slug, pull.number, &draft.reviewers).await {
                Ok(()) => self.say(format!("Asked for a review: {}", draft.reviewers.join(", "))).await?,
                Err(error) => self.say(format!("Nobody could be asked for a review: {error}")).await?,
            }
        }
        Ok(())
    }

    /// Leaves a comment on the old pull request, once, however often a run is interrupted here.
    pub(super) async fn say_replaced(&self, hub: &Hub, old: &PullRequest, new: &PullRequest) -> Result<(), DraftError> {
        let mark = link(old, new);
        let comment = format!("{mark} draft {} of the same report, by PatchworkMCP.", self.job.number);
        match hub.client.comment_once(&hub.slug, old.number, &mark, &comment).await {
            Ok(_) => self.say(format!("Linked from pull request {}", old.number)).await,
            Err(error) => {
                self.say(format!("Pull request {} could not be told of its successor: {error}", old.number)).await
            }
        }
    }
}

/// What has been merged is not replaced.
fn link(old: &PullRequest, new: &PullRequest) -> String {
    let how = if old.merged { FOLLOWED } else { REPLACED };
    format!("{how}#{}:", new.number)
}

/// Whether a comment is such a link: there is nothing in it for a drafter.
pub(in crate::drafting) fn is_link(comment: &str) -> bool {
    [REPLACED, FOLLOWED].iter().any(|how| {
        let rest = comment.strip_prefix(how).and_then(|rest| rest.strip_prefix('#'));
        rest.is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(": draft "))
    })
}

/// The number at the end of a pull request's URL.
pub fn pull_number(url: &str) -> Option<u64> {
    let (before, number) = url.trim_end_matches('/').rsplit_once('/')?;
    before.ends_with("/pull").then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_links_are_links() {
        assert!(is_link("Replaced by #12: draft 2 of the same report, by PatchworkMCP."));
        for other in [
            "Replaced by #12",
            "Replaced by a better one: draft 2",
            "Followed by #: what?",
            "Please replace by #1: draft",
        ] {
            assert!(!is_link(other), "{other}");
        }
    }

    #[test]
    fn numbers_are_found_in_urls_of_pull_requests_only() {
        assert_eq!(pull_number("https://github.example/o/r/pull/12"), Some(12));
        assert_eq!(pull_number("https://github.example/o/r/pull/12/"), Some(12));
        for other in ["", "12", "https://h/o/r/issues/12", "https://h/o/r/pull/x", "https://h/o/r/pull/12/files"] {
            assert_eq!(pull_number(other), None, "{other}");
        }
    }
}
