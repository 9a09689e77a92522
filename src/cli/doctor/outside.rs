//! What lies outside the process: the port, git, the repositories.

use super::{Check, Setup};
use crate::config::Source;
use crate::drafting::check;
use crate::http;
use std::process::Command;

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

pub(super) async fn repositories(setup: &Setup, checks: &mut Vec<Check>) {
    let config = &setup.loaded.config;
    if config.repositories.is_empty() {
        let advice = "add a [[repository]] to config.toml; `patchwork config example` shows one";
        checks.push(Check::warn("repository", "none is configured, so nothing can be drafted", advice));
    }
    let tools = setup.tools();
    for repository in &config.repositories {
        checks.push(match &repository.source {
            Source::Local(path) => {
                let name = format!("{} for {}", path.display(), repository.server);
                Check::of("repository", &name, check::repository(repository, &tools).await)
            }
            Source::Github(slug) if setup.secrets.github.is_none() && repository.remote.is_none() => {
                Check::warn("repository", format!("{slug}: not asked without a GITHUB_TOKEN"), "set GITHUB_TOKEN")
            }
            Source::Github(slug) => Check::of("repository", slug, check::repository(repository, &tools).await),
        });
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
