//! Whether what is configured works, asked of whoever knows: the provider, GitHub, git, the PATH. Nothing is fetched, paid for or changed.
//!
//! One function per thing that can be tried, for the settings on the screen and for `patchwork doctor`. Each waits a bounded time.

use super::job::Tools;
use super::ready::{self, Place};
use crate::config::{Repository, Source};
use crate::domain::draft::{DrafterKind, TargetKind};
use crate::domain::text;
use crate::protocol::settings::Finding;
use crate::providers::git::{self, Tip};
use crate::providers::{Anthropic, Github, ProviderError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Somebody is waiting: less than the providers' own, patient time-outs.
const PATIENCE: Duration = Duration::from_secs(15);

/// Names offered where a model is not there.
const OFFERED: usize = 8;

async fn in_time(what: &str, advice: &str, check: impl Future<Output = Finding>) -> Finding {
    tokio::time::timeout(PATIENCE, check)
        .await
        .unwrap_or_else(|_elapsed| Finding::bad(format!("{what}: no answer in {} seconds", PATIENCE.as_secs()), advice))
}

/// The key and the model of a drafter, or its program.
pub async fn drafter(drafter: DrafterKind, tools: &Tools) -> Finding {
    match drafter {
        DrafterKind::Anthropic => {
            let advice = "check the network and `base_url` under [anthropic]";
            in_time("anthropic", advice, anthropic(tools)).await
        }
        DrafterKind::Command => program(tools),
    }
}

async fn anthropic(tools: &Tools) -> Finding {
    let Some(key) = tools.secrets.anthropic.clone() else {
        return Finding::bad("no key", "set ANTHROPIC_API_KEY");
    };
    let config = &tools.config.anthropic;
    match Anthropic::new(tools.http.clone(), config, key).models().await {
        Ok(models) if models.iter().any(|m| m.id == config.model) => {
            Finding::good(format!("the key is good, and {} is there", config.model))
        }
        Ok(models) => {
            let names: Vec<_> = models.into_iter().take(OFFERED).map(|m| m.id).collect();
            let found = format!("the key is good, and there is no model {}", config.model);
            Finding::bad(found, format!("there are {}", names.join(", ")))
        }
        Err(e) => failed(&e),
    }
}

fn failed(error: &ProviderError) -> Finding {
    Finding::bad(error.to_string(), "")
}

fn program(tools: &Tools) -> Finding {
    let Some(program) = tools.config.command.run.first() else {
        return Finding::bad(
            "no program is configured",
            "set `run` under [command] to a coding agent and its arguments",
        );
    };
    match find_program(program) {
        Some(path) => Finding::good(path.display().to_string()),
        None => {
            Finding::bad(format!("{} is not in PATH", text::clipped(program, 80)), "install it, or write its full path")
        }
    }
}

/// Where the system would find it.
fn find_program(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Path::new(program).is_file().then(|| PathBuf::from(program));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|candidate| candidate.is_file())
}

/// The token for GitHub.
pub async fn github(tools: &Tools) -> Finding {
    let Some(token) = tools.secrets.github.clone() else { return Finding::bad("no token", "set GITHUB_TOKEN") };
    let github = Github::new(tools.http.clone(), &tools.config.github, token);
    let check = async {
        match github.requests_left().await {
            Ok(Some(left)) => Finding::good(format!("the token is good; {left} requests are left in this hour")),
            Ok(None) => Finding::good("the token is good"),
            Err(e) => failed(&e),
        }
    };
    in_time("GitHub", "check the network and `api_url` under [github]", check).await
}

/// The code behind a server: whether git reaches it and its branch is there, and whether the draft can be brought back.
pub async fn repository(repository: &Repository, tools: &Tools) -> Finding {
    let (_, target) = ready::defaults(&tools.config, repository);
    let place = Place::unchecked(repository, tools);
    let check = async {
        let tip = match git::tip(&place.remote, repository.branch.as_deref()).await {
            Ok(tip) => tip,
            Err(e) => return failed(&e),
        };
        match (&repository.source, target) {
            (Source::Local(path), TargetKind::Local) => local(path, &tip),
            (Source::Local(_), TargetKind::Github) => Finding::bad(
                format!("{}: a directory can't take a pull request", read(&tip)),
                "set `target` to local, or name the repository as owner/name",
            ),
            (Source::Github(_), TargetKind::Local) => Finding::bad(
                format!("{}: what is on GitHub has no local branch to take the draft", read(&tip)),
                "set `target` to github, or give the directory of a clone",
            ),
            (Source::Github(slug), TargetKind::Github) => hosted(slug, &tip, tools).await,
        }
    };
    in_time(&place.name, "check the network and [github]", check).await
}

fn read(tip: &Tip) -> String {
    format!("{} is at {}", text::clipped(&tip.branch, 80), tip.commit.get(..7).unwrap_or(&tip.commit))
}

/// A new branch is written into the repository's own directory.
fn local(path: &Path, tip: &Tip) -> Finding {
    let inside = path.join(".git");
    let dir = if inside.is_dir() { inside } else { path.to_owned() };
    match rustix::fs::access(&dir, rustix::fs::Access::WRITE_OK) {
        Ok(()) => Finding::good(read(tip)),
        // A worktree or a submodule: where its repository is, git knows.
        Err(_) if !dir.is_dir() => Finding::good(read(tip)),
        Err(e) => {
            Finding::bad(format!("{}, and no branch can be made there: {e}", read(tip)), "let this user write to it")
        }
    }
}

async fn hosted(slug: &str, tip: &Tip, tools: &Tools) -> Finding {
    let Some(token) = tools.secrets.github.clone() else {
        return Finding::bad(format!("{}, and there is no token to push with", read(tip)), "set GITHUB_TOKEN");
    };
    match Github::new(tools.http.clone(), &tools.config.github, token).repository(slug).await {
        Ok(info) if info.archived => {
            Finding::bad(format!("{slug} is archived"), "unarchive it: nothing can be pushed to it")
        }
        Ok(info) if info.can_push == Some(false) => {
            let advice = "give it write access to contents and pull requests";
            Finding::bad(format!("{}, and the token may not push", read(tip)), advice)
        }
        Ok(info) if info.can_push == Some(true) => Finding::good(format!("{}, and the token may push", read(tip))),
        Ok(_) => Finding::good(read(tip)),
        Err(e) => failed(&e),
    }
}
