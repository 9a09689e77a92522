//! What people say about a pull request, and what we say: reviews, comments on lines, the conversation.

use super::call::PAGE;
use super::pulls::place;
use super::{Github, is_ambiguous, repo_path, wire};
use crate::providers::ProviderError;
use crate::providers::http::Repeat;
use reqwest::Method;
use serde_json::json;

/// How much somebody's word counts, by what GitHub says of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Owns the repository, is a member of the organisation that does, or was invited to it.
    Insider,
    /// A program: CI, a review service.
    Program,
    /// Anybody else who has an account.
    Stranger,
}

/// Who wrote a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub login: String,
    pub standing: Standing,
}

/// What a comment is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A review as a whole: `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED`, `DISMISSED`.
    Review {
        verdict: String,
    },
    /// A file, and mostly a line of it.
    Line {
        path: String,
        /// In the newest state of the file or, when the code has changed since, in the one that was commented on.
        line: Option<u64>,
        outdated: bool,
        /// The code around it, as a piece of a diff; its end only.
        hunk: String,
        /// The comment that this one answers.
        answers: Option<u64>,
    },
    Conversation,
}

/// Something that was said. All texts are untrusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Unique together with the kind of its place.
    pub id: u64,
    pub author: Author,
    /// ISO 8601, as GitHub gives it.
    pub at: String,
    pub place: Place,
    /// Markdown; its beginning only.
    pub body: String,
}

impl Github {
    /// All that was said about a pull request, oldest first.
    pub async fn talk(&self, slug: &str, number: u64) -> Result<Vec<Comment>, ProviderError> {
        let (path, what) = place(slug, number)?;
        let mut all = self.list(&format!("{path}/reviews"), &[PAGE], &what, wire::reviews).await?;
        all.extend(self.list(&format!("{path}/comments"), &[PAGE], &what, wire::line_comments).await?);
        all.extend(self.conversation(slug, number).await?);
        all.sort_by(|a, b| a.at.cmp(&b.at));
        Ok(all)
    }

    async fn conversation(&self, slug: &str, number: u64) -> Result<Vec<Comment>, ProviderError> {
        let path = format!("{}/issues/{number}/comments", repo_path(slug)?);
        self.list(&path, &[PAGE], &format!("The pull request {slug}#{number}"), wire::conversation).await
    }

    /// Says something once: not when a comment that contains `mark` is there already. Returns whether it was said now.
    pub async fn comment_once(&self, slug: &str, number: u64, mark: &str, body: &str) -> Result<bool, ProviderError> {
        let path = format!("{}/issues/{number}/comments", repo_path(slug)?);
        let what = format!("The pull request {slug}#{number}");
        let mut tries_left = 1;
        while !self.says(slug, number, mark).await? {
            let sent = self.write((Method::POST, &path), &json!({"body": body}), Repeat::WhenRefused, &what).await;
            match sent {
                Ok(_) => return Ok(true),
                // It may be there all the same: look before it is said again.
                Err(error) if is_ambiguous(&error) && tries_left > 0 => tries_left -= 1,
                Err(error) => return Err(error),
            }
        }
        Ok(tries_left == 0)
    }

    async fn says(&self, slug: &str, number: u64, mark: &str) -> Result<bool, ProviderError> {
        Ok(self.conversation(slug, number).await?.iter().any(|c| c.body.contains(mark)))
    }
}
