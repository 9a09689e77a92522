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
use crate::providers::{Github, Model, ModelInfo, ProviderError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Somebody is waiting: less than the providers' own, patient time-outs.
const PATIENCE: Duration = Duration::from_secs(15);

/// Names offered where none is configured.
const OFFERED: usize = 10;

async fn in_time(what: &str, advice: &str, check: impl Future<Output = Finding>) -> Finding {
    tokio::time::timeout(PATIENCE, check)
        .await
        .unwrap_or_else(|_elapsed| Finding::bad(format!("{what}: no answer in {} seconds", PATIENCE.as_secs()), advice))
}

/// The key and the model of a drafter, or its program.
pub async fn drafter(drafter: DrafterKind, tools: &Tools) -> Finding {
    if !drafter.asks_a_model() {
        return program(tools);
    }
    let model = match Model::of(drafter, tools.http.clone(), &tools.config, &tools.secrets) {
        Ok(model) => model,
        Err(e) => return failed(&e),
    };
    let name = tools.config.model_of(drafter);
    let check = async {
        if name.is_empty() { unnamed(drafter, &model).await } else { named(drafter, name, model.check().await) }
    };
    in_time(drafter.as_str(), &format!("check the network and `base_url` under [{drafter}]"), check).await
}

fn named(drafter: DrafterKind, name: &str, checked: Result<ModelInfo, ProviderError>) -> Finding {
    let name = text::clipped(name, 80);
    match checked {
        Ok(model) => match model.warning() {
            Some(warning) => {
                let advice = format!("choose another: `model` under [{drafter}] in config.toml");
                Finding::doubtful(format!("{name}: {warning}"), advice)
            }
            // Such a server may want no key at all.
            None if drafter == DrafterKind::OpenaiCompatible => Finding::good(format!("{name} is there")),
            None => Finding::good(format!("the key is good, and {name} is there")),
        },
        // Such a server may know more names than it lists.
        Err(e @ ProviderError::NotFound { .. }) if drafter == DrafterKind::OpenaiCompatible => {
            Finding::doubtful(e.to_string(), "")
        }
        Err(e) => failed(&e),
    }
}

/// No model is configured: those that there are.
async fn unnamed(drafter: DrafterKind, model: &Model) -> Finding {
    let set = format!("set `model` under [{drafter}] in config.toml");
    match model.models().await {
        Ok(models) if models.is_empty() => Finding::bad("no model is configured, and the server lists none", set),
        Ok(models) => {
            let mut names: Vec<&str> = models.iter().take(OFFERED).map(|m| m.id.as_str()).collect();
            if models.len() > OFFERED {
                names.push("…");
            }
            Finding::bad("no model is configured", format!("{set}; there are {}", names.join(", ")))
        }
        Err(e) => Finding::bad(format!("no model is configured; {e}"), set),
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
    // Boxed: it holds a call of git, which is large, in more places than one.
    let check = Box::pin(async {
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
            (Source::Github(slug), TargetKind::Github) => match &repository.remote {
                None => hosted(slug, read(&tip), true, tools).await,
                Some(own) => match tools.git.may_push(&place.remote).await {
                    Ok(()) => hosted(slug, format!("{} of {own}, and git may push", read(&tip)), false, tools).await,
                    Err(e) => Finding::bad(format!("{} of {own}, and git may not push: {e}", read(&tip)), ""),
                },
            },
        }
    });
    let advice =
        if repository.remote.is_some() { "check the network and `remote`" } else { "check the network and [github]" };
    in_time(&place.name, advice, check).await
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

/// What GitHub says to the token, behind what git has `found`. `pushes`: with the token.
async fn hosted(slug: &str, found: String, pushes: bool, tools: &Tools) -> Finding {
    let Some(token) = tools.secrets.github.clone() else {
        let lacks = if pushes { "push" } else { "open pull requests" };
        return Finding::bad(format!("{found}, and there is no token to {lacks} with"), "set GITHUB_TOKEN");
    };
    match Github::new(tools.http.clone(), &tools.config.github, token).repository(slug).await {
        Ok(info) if info.archived => {
            Finding::bad(format!("{slug} is archived"), "unarchive it: nothing can be pushed to it")
        }
        // Who may not push may not ask for a merge of what was pushed either.
        Ok(info) if info.can_push == Some(false) => {
            let advice = "give it write access to contents and pull requests";
            Finding::bad(format!("{found}, and the token may not push"), advice)
        }
        Ok(info) if info.can_push == Some(true) && pushes => Finding::good(format!("{found}, and the token may push")),
        Ok(_) => Finding::good(found),
        Err(e) => failed(&e),
    }
}
