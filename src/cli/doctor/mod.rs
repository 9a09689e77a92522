//! `patchwork doctor`: one line per thing that has to be right, and what to do where it is not.
//!
//! Every check is a function from what is known to a [`Check`]; none of them changes anything that matters, except that the
//! database is created when there is none, and that a `secrets.env` open to others is closed.

mod environment;
mod models;
mod outside;
mod storage;

use super::exit::Code;
use super::out::{Ink, Out};
use super::setup::{self, Global, ServerArgs, Setup};
use crate::config::LoadedSecrets;
use crate::protocol::settings::{Finding, Fitness};
use serde::Serialize;
use std::io;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

/// What was looked at, what was found, and what to do about it.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    found: String,
    /// Empty when there is nothing to do.
    advice: String,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), advice: String::new() }
    }

    /// What trying something has found about `subject`.
    fn of(name: &'static str, subject: &str, finding: Finding) -> Self {
        let state = match finding.state {
            Fitness::Good => State::Ok,
            Fitness::Doubtful => State::Warn,
            Fitness::Bad => State::Fail,
        };
        Self { name, state, found: format!("{subject}: {}", finding.found), advice: finding.advice }
    }

    fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Warn, found: found.into(), advice: advice.into() }
    }

    fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Fail, found: found.into(), advice: advice.into() }
    }
}

pub(super) async fn run(args: &Args, global: &Global) -> anyhow::Result<Code> {
    let mut checks = Vec::new();
    if let Some(setup) = settings(global, &mut checks) {
        environment::keys(&setup, &mut checks);
        storage::directories(&setup, &mut checks);
        storage::database(&setup, &mut checks).await;
        outside::address(&setup, &mut checks).await;
        models::drafters(&setup, &mut checks).await;
        outside::repositories(&setup, &mut checks).await;
    }
    outside::git(&mut checks);
    environment::terminal(&mut checks);

    let mut out = Out::open();
    if args.json {
        out.json(&checks)?;
    } else {
        print(&mut out, &checks)?;
    }
    out.finish()?;
    let failed = checks.iter().any(|check| check.state == State::Fail);
    Ok(if failed { Code::Failed } else { Code::Ok })
}

/// Settings and keys; without them most other questions make no sense.
fn settings(global: &Global, checks: &mut Vec<Check>) -> Option<Setup> {
    let sources = setup::sources(global, &ServerArgs::default());
    let loaded = match sources.load() {
        Ok(loaded) => loaded,
        Err(e) => {
            checks.push(Check::fail(
                "settings",
                e.to_string(),
                "mend the file; `patchwork config example` explains it",
            ));
            return None;
        }
    };
    let file = loaded.paths.config_file.display();
    let found = if loaded.has_file { file.to_string() } else { format!("no {file}; the defaults hold") };
    checks.push(Check::ok("settings", found));
    match sources.secrets(&loaded.paths.secrets_file) {
        Ok(LoadedSecrets { secrets, warnings }) => {
            checks.extend(warnings.into_iter().map(|warning| Check::warn("secrets", warning, "")));
            Some(Setup { sources, loaded, secrets: Arc::new(secrets) })
        }
        Err(e) => {
            checks.push(Check::fail("secrets", e.to_string(), "mend the file, or set the keys in the environment"));
            None
        }
    }
}

fn print(out: &mut Out, checks: &[Check]) -> io::Result<()> {
    for check in checks {
        let (ink, word) = match check.state {
            State::Ok => (Ink::Green, "ok"),
            State::Warn => (Ink::Yellow, "warn"),
            State::Fail => (Ink::Red, "FAIL"),
        };
        out.parts(&[
            (Some(ink), format!("{word:<6}")),
            (Some(Ink::Bold), format!("{:<12}", check.name)),
            (None, check.found.clone()),
        ])?;
        if !check.advice.is_empty() {
            out.line(format!("{:<18}→ {}", "", check.advice))?;
        }
    }
    Ok(())
}
