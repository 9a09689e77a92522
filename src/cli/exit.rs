//! How a process ends: one number per kind of failure, and the sentence on standard error.

use crate::config::{ConfigError, EditError, SecretsError};
use crate::domain::filter::FilterError;
use crate::domain::text;
use crate::engine::{LockError, OpenError};
use crate::http::BindError;
use crate::protocol::{Refusal, RefusalKind};
use std::io::Write;
use std::process::ExitCode;

/// Shown under `--help`.
pub(super) const HELP: &str = "\
Exit codes:
  0  done
  1  failed: the sentence on standard error says why
  2  the arguments, the filter or the settings can't be understood
  3  there is no such report or draft
  4  refused: it does not fit what is there, or the database has another owner
  5  not configured: a key, a repository or a drafter is missing
  130  stopped with ctrl-c or a signal";

/// The numbers of [`HELP`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Refused = 4,
    Unconfigured = 5,
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// Arguments that clap accepts and we don't.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub String);

/// The user gave up in the middle.
#[derive(Debug, thiserror::Error)]
#[error("nothing was changed")]
pub(super) struct Interrupted;

/// Prints help, version, or what is wrong with the arguments.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    match error.print() {
        Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Code::Usage as u8)),
        // Nobody reads: there is nothing to tell.
        Err(_) => Code::Ok.into(),
    }
}

/// Prints the error's chain as one sentence and gives the code that fits.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    let code = code_of(error);
    if code != Code::Ok {
        complain(&sentence(error));
    }
    code.into()
}

/// The chain, without the causes that an error has in its own words already.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// A sentence on standard error, safe to show.
pub(super) fn complain(sentence: &str) {
    let mut stderr = std::io::stderr().lock();
    // There is no third place to write to when standard error is closed.
    drop(writeln!(stderr, "patchwork: {}", text::block(sentence)));
}

fn code_of(error: &anyhow::Error) -> Code {
    error.chain().find_map(known).unwrap_or(Code::Failed)
}

fn known(error: &(dyn std::error::Error + 'static)) -> Option<Code> {
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        return Some(code_of_refusal(refusal.kind));
    }
    if let Some(io) = error.downcast_ref::<std::io::Error>() {
        // `patchwork list | head` has seen enough.
        return (io.kind() == std::io::ErrorKind::BrokenPipe).then_some(Code::Ok);
    }
    let misunderstood = error.is::<FilterError>() || error.is::<ConfigError>() || error.is::<Usage>();
    if misunderstood {
        return Some(Code::Usage);
    }
    if error.is::<Interrupted>() {
        return Some(Code::Interrupted);
    }
    if let Some(edit) = error.downcast_ref::<EditError>() {
        return Some(code_of_edit(edit));
    }
    if error.is::<SecretsError>() {
        return Some(Code::Unconfigured);
    }
    if matches!(error.downcast_ref(), Some(BindError::KeyNeeded(_))) {
        return Some(Code::Unconfigured);
    }
    // Found by its wrapper: a transparent error is no link of the chain.
    matches!(error.downcast_ref(), Some(OpenError::Lock(LockError::Owned { .. }))).then_some(Code::Refused)
}

fn code_of_edit(error: &EditError) -> Code {
    match error {
        EditError::Unknown(_) | EditError::Value { .. } | EditError::Mistakes { .. } => Code::Usage,
        EditError::Missing { .. } | EditError::Unusual { .. } => Code::Refused,
        EditError::Contended { .. } | EditError::Io { .. } => Code::Failed,
    }
}

fn code_of_refusal(kind: RefusalKind) -> Code {
    match kind {
        RefusalKind::NotFound => Code::NotFound,
        RefusalKind::Conflict => Code::Refused,
        RefusalKind::Invalid => Code::Usage,
        RefusalKind::Unconfigured => Code::Unconfigured,
        RefusalKind::Busy | RefusalKind::Storage => Code::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_code_is_found_under_any_context() {
        let refusal: Result<(), _> = Err(Refusal::not_found("report", "x"));
        assert_eq!(code_of(&refusal.context("showing").context("again").unwrap_err()), Code::NotFound);
        let pipe: Result<(), _> = Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(code_of(&pipe.context("printing").unwrap_err()), Code::Ok);
        assert_eq!(code_of(&anyhow::anyhow!("odd")), Code::Failed);
    }

    #[test]
    fn a_cause_is_told_once() {
        let io = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let locked = LockError::Io { path: "feedback.db.lock".into(), source: io() };
        assert_eq!(sentence(&locked.into()).matches(&io().to_string()).count(), 1);
        let read: Result<(), _> = Err(io());
        assert_eq!(sentence(&read.context("notes.txt").unwrap_err()), format!("notes.txt: {}", io()));
    }

    #[test]
    fn the_help_names_every_code() {
        for code in
            [Code::Ok, Code::Failed, Code::Usage, Code::NotFound, Code::Refused, Code::Unconfigured, Code::Interrupted]
        {
            assert!(HELP.contains(&format!("\n  {}  ", code as u8)));
        }
    }
}
