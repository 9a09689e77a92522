//! Gives a commit to the remote: as a new branch, or on top of the one that it was made from. Nothing is ever overwritten but what the
//! same run gave before.

use super::super::command::Git;
use super::{Worktree, check_branch};
use crate::providers::error::sentence;
use crate::providers::{ProviderError, redact};
use std::sync::PoisonError;

/// How receiving is done in a local repository: its hooks and housekeeping stay out of it.
const QUIET_RECEIVE: &str = "git -c core.hooksPath=/dev/null -c core.alternateRefsCommand=true -c core.fsmonitor=false \
                             -c receive.autogc=false -c gc.auto=0 -c maintenance.auto=false receive-pack";

/// What became of a commit that was to go on top of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnTop {
    Done,
    /// Somebody else was there first, or the branch is gone.
    Moved,
    /// The other side does not want it, in its own words.
    Refused(String),
}

/// What became of a push that was answered.
enum Pushed {
    Done,
    /// And what the branch holds.
    Refused(Rejection, Option<String>),
}

/// Why the other side did not take a branch.
struct Rejection {
    /// git's words for it.
    reason: String,
    /// What the server itself said.
    said: String,
}

impl Rejection {
    fn of(stdout: &[u8], stderr: &str) -> Option<Self> {
        let report = String::from_utf8_lossy(stdout);
        let line = report.lines().find_map(|l| l.strip_prefix('!'))?;
        let reason = line.rsplit('\t').next().unwrap_or(line).to_owned();
        let said: Vec<&str> = stderr.lines().filter_map(|l| l.strip_prefix("remote:")).map(str::trim).collect();
        Some(Self { reason, said: said.join(" ").trim().to_owned() })
    }

    fn is_stale(&self) -> bool {
        ["stale info", "already exists", "fetch first", "non-fast-forward"].iter().any(|w| self.reason.contains(w))
    }

    fn words(&self) -> String {
        let said = if self.said.is_empty() { String::new() } else { format!(": {}", self.said) };
        format!("the server refused the branch {}{said}", self.reason)
    }
}

impl Worktree {
    /// Gives the commit to the remote as a new branch. When a branch of that name holds this very commit already, an earlier push got
    /// through; when it holds one of `ours`, that one is replaced. Any other is left as it is.
    pub async fn push(&self, branch: &str, ours: &[String]) -> Result<(), ProviderError> {
        let mut pushed = self.push_over(branch, "").await?;
        if let Pushed::Refused(_, Some(there)) = &pushed
            && ours.contains(there)
        {
            pushed = self.push_over(branch, there).await?;
        }
        match pushed {
            Pushed::Done => Ok(()),
            Pushed::Refused(rejection, _) => Err(self.address.hiding(self.rejected(branch, &rejection))),
        }
    }

    /// Puts the commit on top of the branch that was checked out, as long as that is still where it was.
    pub async fn push_on_top(&self, branch: &str) -> Result<OnTop, ProviderError> {
        match self.push_over(branch, &self.commit).await? {
            Pushed::Done => Ok(OnTop::Done),
            Pushed::Refused(rejection, _) if rejection.is_stale() => Ok(OnTop::Moved),
            Pushed::Refused(rejection, _) => {
                let mut words = redact::message(&rejection.words());
                self.address.hide(&mut words);
                Ok(OnTop::Refused(words))
            }
        }
    }

    /// Pushes the commit, provided that the branch holds the commit `expected`; nothing: that it is not there.
    async fn push_over(&self, branch: &str, expected: &str) -> Result<Pushed, ProviderError> {
        check_branch(branch).await?;
        let commit = self.made.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let commit = commit.ok_or_else(|| ProviderError::git("push", "there is no commit to push yet"))?;
        let target = format!("refs/heads/{branch}");
        let git = self.address.allow(self.mirror_git("push")).args(["--porcelain", "--no-verify", "--no-signed"]);
        let git = git.args([format!("--force-with-lease={target}:{expected}")]);
        let git = if self.address.is_local() { git.args([format!("--receive-pack={QUIET_RECEIVE}")]) } else { git };
        let git = git.args(["--"]).args([self.address.place()]).args([format!("{commit}:{target}")]);
        let output = git.output().await?;
        if output.success {
            return Ok(Pushed::Done);
        }
        let rejection = Rejection::of(&output.stdout, &output.stderr);
        match (self.remote_branch(&target).await, rejection) {
            // It got through, now or before, whatever was heard of it.
            (Ok(Some(there)), _) if there == commit => Ok(Pushed::Done),
            // Without a rejection the first complaint says more than a second one would.
            (Ok(_) | Err(_), None) => Err(self.address.failure("push", &output.stderr)),
            (Err(again), Some(_)) => Err(again),
            (Ok(there), Some(rejection)) => Ok(Pushed::Refused(rejection, there)),
        }
    }

    /// What a rejection of our own branch means.
    fn rejected(&self, branch: &str, rejection: &Rejection) -> ProviderError {
        if rejection.is_stale() {
            let place = self.address.shown();
            let message = format!("the branch `{branch}` exists already in {place}: it is left as it is. Draft again");
            return ProviderError::git("push", message);
        }
        let refused = sentence(&rejection.words());
        ProviderError::git("push", format!("{refused} Its rules must allow new branches below `patchwork/`"))
    }

    async fn remote_branch(&self, full_name: &str) -> Result<Option<String>, ProviderError> {
        let git = self.address.allow(Git::nowhere("ls-remote")).args(["--"]).args([self.address.place()]);
        let listing = self.address.judge("ls-remote", git.args([full_name]).output().await?)?;
        let listing = String::from_utf8_lossy(&listing);
        let line = listing.lines().filter_map(|l| l.split_once('\t')).find(|(_, name)| *name == full_name);
        Ok(line.map(|(commit, _)| commit.to_owned()))
    }
}
