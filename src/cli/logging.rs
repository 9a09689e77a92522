//! Where the program's log goes: a rolling file for the screen, standard error for everything else.
//!
//! The level comes from `PATCHWORK_LOG`, else `RUST_LOG`, in the syntax of `tracing`. Keys never get here: they are
//! `SecretString`s, which print masked.

use anyhow::Context;
use std::io::IsTerminal;
use std::path::Path;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{Builder, Rotation};
use tracing_subscriber::EnvFilter;

/// Days of log kept.
const KEEP: usize = 7;

/// Logs to standard error; `usual` is the level when nobody asks for another.
pub(super) fn to_stderr(usual: &str) -> anyhow::Result<()> {
    let ansi = std::io::stderr().is_terminal() && super::out::colours_wanted();
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter(usual)?).with_writer(std::io::stderr).with_ansi(ansi);
    subscriber.try_init().map_err(|e| anyhow::anyhow!("the log is set up already: {e}"))
}

/// Logs to a file a day in `dir`. What is not written yet when the guard is dropped is written then.
pub(super) fn to_file(dir: &Path) -> anyhow::Result<WorkerGuard> {
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    let file = Builder::new()
        .rotation(Rotation::DAILY)
        .filename_prefix("patchwork")
        .filename_suffix("log")
        .max_log_files(KEEP)
        .build(dir)
        .with_context(|| format!("opening the log in {}", dir.display()))?;
    let (writer, guard) = tracing_appender::non_blocking(file);
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter("info")?).with_writer(writer).with_ansi(false);
    subscriber.try_init().map_err(|e| anyhow::anyhow!("the log is set up already: {e}"))?;
    Ok(guard)
}

fn filter(usual: &str) -> anyhow::Result<EnvFilter> {
    let wanted = ["PATCHWORK_LOG", "RUST_LOG"]
        .iter()
        .find_map(|name| crate::config::process_vars(name).filter(|value| !value.trim().is_empty()));
    let text = wanted.unwrap_or_else(|| usual.to_owned());
    EnvFilter::try_new(&text).context("PATCHWORK_LOG or RUST_LOG is not a level such as info or patchwork=debug")
}
