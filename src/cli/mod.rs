//! L7: the command line. Parses arguments and decides which pieces a process is made of; the only place that knows.
//!
//! One file per subcommand, each with its arguments and one `run`. Results go to standard output, everything else to standard
//! error; `exit` says which number a failure ends with, `out` makes text safe and quiet about closed pipes. This is the
//! only layer that uses `anyhow`: below, every error has a type.

mod ask;
mod config;
mod discard;
mod doctor;
mod draft;
mod drafts;
mod exit;
mod follow;
mod list;
mod logging;
mod note;
mod out;
mod paths;
mod ping;
mod progress;
mod publish;
mod replay;
mod review;
mod serve;
mod servers;
mod setup;
mod show;
mod stats;
mod stdin;
mod table;
mod tui;
mod wire;

use clap::{Parser, Subcommand};
use exit::Code;
use setup::{Global, ServerArgs};
use std::process::ExitCode;
use std::time::Duration;

/// How long the process stays for what is still being cleaned up.
const LAST_WORK: Duration = Duration::from_secs(5);

/// Read what MCP agents could not do, annotate it, draft the pull request.
///
/// Without a command: the terminal screen, with the server that takes reports running behind it.
#[derive(Debug, Parser)]
#[command(name = "patchwork", version, after_help = exit::HELP, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take reports without a screen, until SIGTERM or SIGINT
    Serve(serve::Args),
    /// List reports, newest first
    List(list::Args),
    /// Show a report and its notes
    Show(show::Args),
    /// Add a note to a report
    Note(note::Args),
    /// Mark reports as reviewed
    Review(review::Args),
    /// Draft the change for a report and follow the run
    Draft(draft::Args),
    /// Publish a change that waits for its review
    Publish(publish::Args),
    /// Throw away a change that waits for its review, or a draft that was killed
    Discard(discard::Args),
    /// List draft runs, or show one with its diff and log
    Drafts(drafts::Args),
    /// List the servers that were heard of, and what looks wrong with them
    Servers(servers::Args),
    /// Count reports by server, gap and resolution
    Stats(stats::Args),
    /// Take in reports that drop-ins could not deliver, out of logs and spool files
    Replay(replay::Args),
    /// Write the drop-in for a language into your project
    Wire(wire::Args),
    /// Send a canary report the whole way and say whether it arrived
    Ping(ping::Args),
    /// Show, check or explain the settings
    Config(config::Args),
    /// Say where the program's files are
    Paths(paths::Args),
    /// Check settings, keys, database, repository and terminal
    Doctor(doctor::Args),
}

/// The whole program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return exit::usage(&e),
    };
    match run(cli) {
        Ok(code) => code.into(),
        Err(e) => exit::report(&e),
    }
}

fn run(cli: Cli) -> anyhow::Result<Code> {
    let Cli { global, server, command } = cli;
    // Without a runtime: these work when little else does.
    let command = match command {
        Some(Command::Config(args)) => return config::run(&args, &global),
        Some(Command::Paths(args)) => return paths::run(&args, &global),
        Some(Command::Wire(args)) => return wire::run(&args),
        other => other,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(run_async(command, global, server));
    // A cancelled run removes its work tree on a thread of its own; what takes longer than this belongs to nobody.
    runtime.shutdown_timeout(LAST_WORK);
    result
}

async fn run_async(command: Option<Command>, global: Global, server: ServerArgs) -> anyhow::Result<Code> {
    match command {
        None => tui::run(&global, server).await,
        Some(Command::Serve(args)) => serve::run(args, &global, server).await,
        Some(Command::List(args)) => list::run(args, &global).await,
        Some(Command::Show(args)) => show::run(args, &global).await,
        Some(Command::Note(args)) => note::run(args, &global).await,
        Some(Command::Review(args)) => review::run(args, &global).await,
        Some(Command::Draft(args)) => draft::run(args, &global).await,
        Some(Command::Publish(args)) => publish::run(args, &global).await,
        Some(Command::Discard(args)) => discard::run(args, &global).await,
        Some(Command::Drafts(args)) => drafts::run(args, &global).await,
        Some(Command::Servers(args)) => servers::run(&args, &global).await,
        Some(Command::Replay(args)) => replay::run(args, &global).await,
        Some(Command::Wire(args)) => wire::run(&args),
        Some(Command::Ping(args)) => ping::run(args, &global).await,
        Some(Command::Stats(args)) => stats::run(&args, &global).await,
        Some(Command::Config(args)) => config::run(&args, &global),
        Some(Command::Paths(args)) => paths::run(&args, &global),
        Some(Command::Doctor(args)) => doctor::run(&args, &global).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_make_sense_to_clap() {
        super::Cli::command().debug_assert();
    }
}
