//! What lies outside the process: the port, git, the drafter's program, the repositories.

use super::{Check, Setup};
use crate::config::{Repository, Source};
use crate::domain::draft::{DrafterKind, TargetKind};
use crate::drafting;
use crate::http;
use crate::providers::{Github, Http};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A doctor does not wait for the provider's own, patient time-outs.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The oldest git whose options are relied on.
const OLDEST_GIT: (u32, u32) = (2, 31);

pub(super) async fn address(setup: &Setup, checks: &mut Vec<Check>) {
    let server = &setup.loaded.config.server;
    let address = server.address;
    if let Some(hello) = http::probe(address).await {
        checks.push(Check::ok("address", format!("{address}: a Patchwork {} takes reports there", hello.version)));
        return;
    }
    checks.push(match http::bind(server, &setup.secrets).await {
        Ok(_listener) => Check::ok("address", format!("{address} is free")),
        Err(e) => {
            Check::fail("address", e.to_string(), "change [server] in config.toml, or the FEEDBACK_PORT variable")
        }
    });
}

pub(super) fn git(checks: &mut Vec<Check>) {
    let advice = "install git; drafts need it, everything else works without";
    let output = match Command::new("git").arg("--version").output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Ok(output) => {
            checks.push(Check::warn("git", format!("git --version ended with {}", output.status), advice));
            return;
        }
        Err(e) => {
            checks.push(Check::warn("git", format!("git can't be started: {e}"), advice));
            return;
        }
    };
    checks.push(match version(&output) {
        Some(found) if found < OLDEST_GIT => {
            Check::warn("git", output, format!("drafts need git {}.{} or newer", OLDEST_GIT.0, OLDEST_GIT.1))
        }
        Some(_) | None => Check::ok("git", output),
    });
}

/// Major and minor of `git version 2.47.3 (Apple Git-154)`.
fn version(line: &str) -> Option<(u32, u32)> {
    let mut numbers = line.split_whitespace().nth(2)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub(super) fn drafter(setup: &Setup, checks: &mut Vec<Check>) {
    let config = &setup.loaded.config;
    let uses_command = config.repositories.iter().any(|r| drafting::defaults(config, r).0 == DrafterKind::Command);
    let Some(program) = config.command.run.first() else {
        if uses_command {
            let advice = "set `run` in [command] to the agent's program and arguments";
            checks.push(Check::fail("drafter", "`command` is chosen and not configured", advice));
        }
        return;
    };
    checks.push(match find_program(program) {
        Some(path) => Check::ok("drafter", format!("command: {}", path.display())),
        None => Check::fail("drafter", format!("{program} is not in PATH"), "install it, or write its full path"),
    });
}

/// Where the system would find it.
fn find_program(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Path::new(program).is_file().then(|| PathBuf::from(program));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|candidate| candidate.is_file())
}

pub(super) async fn repositories(setup: &Setup, checks: &mut Vec<Check>) {
    let config = &setup.loaded.config;
    if config.repositories.is_empty() {
        let advice = "add a [[repository]] to config.toml; `patchwork config example` shows one";
        checks.push(Check::warn("repository", "none is configured, so nothing can be drafted", advice));
    }
    for repository in &config.repositories {
        checks.push(match &repository.source {
            Source::Local(path) => local(setup, repository, path),
            Source::Github(slug) => github(setup, slug).await,
        });
    }
}

fn local(setup: &Setup, repository: &Repository, path: &Path) -> Check {
    let found = format!("{} for {}", path.display(), repository.server);
    let is_git = path.join(".git").exists() || (path.join("HEAD").is_file() && path.join("objects").is_dir());
    let (_, target) = drafting::defaults(&setup.loaded.config, repository);
    if !path.is_dir() {
        Check::fail("repository", format!("{found}: there is no such directory"), "mend `path` in its [[repository]]")
    } else if !is_git {
        Check::fail("repository", format!("{found}: not a git repository"), "run `git init` and commit in it")
    } else if target == TargetKind::Github {
        let advice = "set target = \"local\" in its [[repository]], or name it by github = \"owner/name\"";
        Check::warn("repository", format!("{found}: a directory can't take a pull request"), advice)
    } else {
        Check::ok("repository", found)
    }
}

async fn github(setup: &Setup, slug: &str) -> Check {
    let Some(token) = setup.secrets.github.clone() else {
        return Check::warn("repository", format!("{slug}: not asked without a GITHUB_TOKEN"), "set GITHUB_TOKEN");
    };
    let github = Github::new(Http::new(), &setup.loaded.config.github, token);
    match tokio::time::timeout(PATIENCE, github.repository(slug)).await {
        Ok(Ok(info)) if info.archived => {
            Check::fail("repository", format!("{slug} is archived"), "unarchive it: nothing can be pushed to it")
        }
        Ok(Ok(info)) if info.can_push == Some(false) => Check::fail(
            "repository",
            format!("{slug}: the token may not push"),
            "give it write access to contents and pull requests",
        ),
        Ok(Ok(info)) => Check::ok("repository", format!("{slug}, default branch {}", info.default_branch)),
        Ok(Err(e)) => Check::fail("repository", format!("{slug}: {e}"), ""),
        Err(_elapsed) => {
            Check::fail("repository", format!("{slug}: no answer in 10 seconds"), "check the network and [github]")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_versions_git_prints() {
        assert_eq!(version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(version("git version 2.45.GIT"), Some((2, 45)));
        assert_eq!(version("nonsense"), None);
    }
}
