//! The JSON that GitHub is sent and sends, reduced to what is used.

use super::checks::{Check, Outcome};
use super::talk::{Author, Comment, Place, Standing};
use super::{NewPullRequest, PullRequest, RepoInfo, WHO};
use crate::providers::ProviderError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Longest title and body that GitHub takes, in characters.
const MAX_TITLE: usize = 256;
const MAX_BODY: usize = 65_536;

/// Most bytes kept of a comment, of the code it is about, and of what a check says. Who uses them cuts further.
const KEPT_BODY: usize = 16 * 1024;
const KEPT_HUNK: usize = 4 * 1024;

#[derive(Deserialize)]
struct Repo {
    default_branch: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    private: bool,
    permissions: Option<Permissions>,
}

#[derive(Deserialize)]
struct Permissions {
    push: Option<bool>,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
    #[serde(default)]
    draft: bool,
    head: Branch,
    base: Branch,
    state: String,
    user: Option<User>,
    body: Option<String>,
    /// Absent in lists.
    merged: Option<bool>,
    merged_at: Option<String>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(rename = "ref")]
    name: String,
    #[serde(default)]
    sha: String,
    /// `null` when a fork is gone.
    repo: Option<RepoId>,
}

#[derive(Deserialize)]
struct RepoId {
    id: u64,
}

/// `null` where an account is gone.
#[derive(Deserialize)]
struct User {
    #[serde(default)]
    login: String,
    #[serde(default, rename = "type")]
    kind: String,
}

impl From<Pull> for PullRequest {
    fn from(pull: Pull) -> Self {
        let id = |branch: &Branch| branch.repo.as_ref().map(|r| r.id);
        Self {
            number: pull.number,
            html_url: pull.html_url,
            draft: pull.draft,
            same_repository: id(&pull.head).is_some() && id(&pull.head) == id(&pull.base),
            head_ref: pull.head.name,
            head_sha: pull.head.sha,
            base_ref: pull.base.name,
            author: pull.user.map(|u| u.login).unwrap_or_default(),
            body: pull.body.unwrap_or_default(),
            state: pull.state,
            merged: pull.merged.unwrap_or(pull.merged_at.is_some()),
        }
    }
}

pub(super) fn new_pull_request(new: &NewPullRequest, draft: bool) -> Value {
    json!({
        "title": clip(&new.title, MAX_TITLE),
        "body": clip(&new.body, MAX_BODY),
        "head": new.head,
        "base": new.base,
        "draft": draft,
    })
}

pub(super) fn edited_pull_request(body: &str) -> Value {
    json!({"body": clip(body, MAX_BODY)})
}

/// In a quiet grey, for the user to change.
pub(super) fn new_label(name: &str) -> Value {
    json!({"name": name, "color": "ededed", "description": "Drafted by PatchworkMCP"})
}

/// `owner/team` is a team, by its last part.
pub(super) fn reviewers(names: &[String]) -> Value {
    let teams: Vec<&str> = names.iter().filter_map(|n| n.rsplit_once('/')).map(|(_, team)| team).collect();
    let people: Vec<&String> = names.iter().filter(|n| !n.contains('/')).collect();
    json!({"reviewers": people, "team_reviewers": teams})
}

/// A text that is too long for GitHub is better cut than refused: the whole of it stands in the run's history.
fn clip(text: &str, max: usize) -> String {
    if text.chars().count() <= max { text.to_owned() } else { text.chars().take(max - 1).chain(['…']).collect() }
}

pub(super) fn repository(body: &[u8]) -> Result<RepoInfo, ProviderError> {
    let repo: Repo = parse(body)?;
    Ok(RepoInfo {
        default_branch: repo.default_branch,
        archived: repo.archived,
        private: repo.private,
        can_push: repo.permissions.and_then(|p| p.push),
    })
}

#[derive(Deserialize)]
struct Limits {
    resources: Resources,
}

#[derive(Deserialize)]
struct Resources {
    core: Core,
}

#[derive(Deserialize)]
struct Core {
    remaining: u64,
}

pub(super) fn requests_left(body: &[u8]) -> Result<u64, ProviderError> {
    parse::<Limits>(body).map(|limits| limits.resources.core.remaining)
}

pub(super) fn pull_request(body: &[u8]) -> Result<PullRequest, ProviderError> {
    parse::<Pull>(body).map(PullRequest::from)
}

pub(super) fn pull_requests(body: &[u8]) -> Result<Vec<PullRequest>, ProviderError> {
    Ok(parse::<Vec<Pull>>(body)?.into_iter().map(PullRequest::from).collect())
}

#[derive(Deserialize)]
struct Said {
    id: u64,
    user: Option<User>,
    #[serde(default)]
    author_association: String,
    body: Option<String>,
    #[serde(alias = "submitted_at")]
    created_at: Option<String>,
}

#[derive(Deserialize)]
struct Review {
    #[serde(flatten)]
    said: Said,
    #[serde(default)]
    state: String,
}

#[derive(Deserialize)]
struct LineComment {
    #[serde(flatten)]
    said: Said,
    #[serde(default)]
    path: String,
    line: Option<u64>,
    original_line: Option<u64>,
    #[serde(default)]
    diff_hunk: String,
    in_reply_to_id: Option<u64>,
    /// `file` for a comment that is about no line.
    #[serde(default)]
    subject_type: String,
}

impl Said {
    fn at(self, place: Place) -> Comment {
        let is_program = self.user.as_ref().is_some_and(|u| u.kind == "Bot");
        let standing = match self.author_association.as_str() {
            _ if is_program => Standing::Program,
            "OWNER" | "MEMBER" | "COLLABORATOR" => Standing::Insider,
            _ => Standing::Stranger,
        };
        let login = self.user.map(|u| u.login).filter(|l| !l.is_empty()).unwrap_or_else(|| "ghost".to_owned());
        let body = beginning(self.body.unwrap_or_default(), KEPT_BODY);
        Comment {
            id: self.id,
            author: Author { login, standing },
            at: self.created_at.unwrap_or_default(),
            place,
            body,
        }
    }
}

/// Without those that nobody has sent yet, and those that only hold comments on lines together.
pub(super) fn reviews(body: &[u8]) -> Result<Vec<Comment>, ProviderError> {
    let says = |r: &Review| {
        let silent = r.said.body.as_deref().unwrap_or_default().trim().is_empty();
        r.state != "PENDING" && (!silent || matches!(r.state.as_str(), "APPROVED" | "CHANGES_REQUESTED"))
    };
    let reviews = parse::<Vec<Review>>(body)?.into_iter().filter(says);
    Ok(reviews.map(|r| r.said.at(Place::Review { verdict: r.state })).collect())
}

pub(super) fn line_comments(body: &[u8]) -> Result<Vec<Comment>, ProviderError> {
    let comment = |c: LineComment| {
        let about_file = c.subject_type == "file";
        let place = Place::Line {
            path: c.path,
            line: c.line.or(c.original_line).filter(|_| !about_file),
            outdated: c.line.is_none() && !about_file,
            hunk: end(c.diff_hunk, KEPT_HUNK),
            answers: c.in_reply_to_id,
        };
        c.said.at(place)
    };
    Ok(parse::<Vec<LineComment>>(body)?.into_iter().map(comment).collect())
}

pub(super) fn conversation(body: &[u8]) -> Result<Vec<Comment>, ProviderError> {
    Ok(parse::<Vec<Said>>(body)?.into_iter().map(|said| said.at(Place::Conversation)).collect())
}

#[derive(Deserialize)]
struct CheckRuns {
    check_runs: Vec<CheckRun>,
}

#[derive(Deserialize)]
struct CheckRun {
    name: String,
    status: String,
    conclusion: Option<String>,
    output: Option<CheckOutput>,
}

#[derive(Deserialize)]
struct CheckOutput {
    title: Option<String>,
    summary: Option<String>,
}

#[derive(Deserialize)]
struct CombinedStatus {
    /// `state` beside it is `pending` where there are none, so only the single ones are looked at.
    statuses: Vec<Status>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    context: String,
    state: String,
    description: Option<String>,
}

pub(super) fn check_runs(body: &[u8]) -> Result<Vec<Check>, ProviderError> {
    let check = |run: CheckRun| {
        let (title, summary) = run.output.map(|o| (o.title, o.summary)).unwrap_or_default();
        Check {
            name: run.name,
            outcome: outcome(&run.status, run.conclusion.as_deref().unwrap_or_default()),
            title: beginning(title.unwrap_or_default(), KEPT_HUNK),
            summary: beginning(summary.unwrap_or_default(), KEPT_BODY),
        }
    };
    Ok(parse::<CheckRuns>(body)?.check_runs.into_iter().map(check).collect())
}

/// `stale` is what GitHub calls a run that never reported back.
fn outcome(status: &str, conclusion: &str) -> Outcome {
    match (status, conclusion) {
        ("completed", "success" | "neutral" | "skipped") => Outcome::Passed,
        ("completed", "failure" | "timed_out" | "cancelled" | "action_required" | "startup_failure") => Outcome::Failed,
        _ => Outcome::Pending,
    }
}

pub(super) fn statuses(body: &[u8]) -> Result<Vec<Check>, ProviderError> {
    let check = |status: Status| Check {
        name: status.context,
        outcome: match status.state.as_str() {
            "success" => Outcome::Passed,
            "failure" | "error" => Outcome::Failed,
            _ => Outcome::Pending,
        },
        title: beginning(status.description.unwrap_or_default(), KEPT_HUNK),
        summary: String::new(),
    };
    Ok(parse::<CombinedStatus>(body)?.statuses.into_iter().map(check).collect())
}

fn beginning(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}

fn end(mut text: String, max: usize) -> String {
    text.drain(..text.ceil_char_boundary(text.len().saturating_sub(max)));
    text
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ProviderError> {
    serde_json::from_slice(body).map_err(|e| {
        ProviderError::garbage(WHO, format!("not the documented answer ({e}). Check `api_url` under [github]."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_not_refused() {
        let new = NewPullRequest {
            title: "ü".repeat(300),
            body: "b".repeat(70_000),
            head: "h".into(),
            base: "main".into(),
            draft: true,
        };
        let sent = new_pull_request(&new, new.draft);
        assert_eq!(sent["title"].as_str().unwrap().chars().count(), MAX_TITLE);
        assert_eq!(sent["body"].as_str().unwrap().chars().count(), MAX_BODY);
    }

    #[test]
    fn merged_is_known_in_lists_too() {
        let body = br#"[{"number":7,"html_url":"u","draft":false,"state":"closed","merged_at":"2026-01-01T00:00:00Z","head":{"ref":"h","sha":"1"},"base":{"ref":"main"}}]"#;
        assert!(pull_requests(body).unwrap().remove(0).merged);
    }

    #[test]
    fn a_fork_is_no_part_of_the_repository_even_when_it_is_gone() {
        let pull = |head: Value| {
            let base = json!({"ref": "main", "sha": "2", "repo": {"id": 1}});
            let pull = json!({"number": 7, "html_url": "u", "state": "open", "user": null, "body": null, "head": head, "base": base});
            pull_request(pull.to_string().as_bytes()).unwrap().same_repository
        };
        assert!(pull(json!({"ref": "h", "sha": "1", "repo": {"id": 1}})));
        assert!(!pull(json!({"ref": "h", "sha": "1", "repo": {"id": 2}})));
        assert!(!pull(json!({"ref": "h", "sha": "1", "repo": null})));
    }

    #[test]
    fn every_conclusion_is_one_of_three() {
        for (status, conclusion, expected) in [
            ("completed", "success", Outcome::Passed),
            ("completed", "neutral", Outcome::Passed),
            ("completed", "skipped", Outcome::Passed),
            ("completed", "failure", Outcome::Failed),
            ("completed", "timed_out", Outcome::Failed),
            ("completed", "cancelled", Outcome::Failed),
            ("completed", "action_required", Outcome::Failed),
            ("completed", "stale", Outcome::Pending),
            ("completed", "a new word", Outcome::Pending),
            ("queued", "", Outcome::Pending),
            ("in_progress", "", Outcome::Pending),
        ] {
            assert_eq!(outcome(status, conclusion), expected, "{status} {conclusion}");
        }
    }
}
