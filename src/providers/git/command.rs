//! One way to run `git`: nothing that a repository says may start a program, nothing asks a question, nothing runs for ever.
//!
//! A repository is untrusted text that git likes to obey: hooks, filters, file-system monitors, external diffs, submodules.
//! All of them are switched off for every call, here. The user's own settings (credentials, ssh, proxies) stay in force,
//! because they are how the user reaches the server.

use crate::providers::ProviderError;
use crate::providers::child::{self, Capture, DRAIN, Group};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// Time for what only reads and writes this machine's disk.
pub(super) const LOCAL: Duration = Duration::from_mins(5);
/// Time for what talks to a server.
pub(super) const REMOTE: Duration = Duration::from_mins(20);

/// Most output of a command that lists or compares.
const MAX_STDOUT: usize = 64 * 1024 * 1024;
const MAX_STDERR: usize = 64 * 1024;

/// Settings for every call; they win over all configuration files.
const SETTINGS: &[&str] = &[
    // What would start programs.
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.alternateRefsCommand=true",
    "protocol.ext.allow=never",
    "filter.lfs.smudge=",
    "filter.lfs.clean=",
    "filter.lfs.process=",
    "filter.lfs.required=false",
    "commit.gpgSign=false",
    "push.gpgSign=false",
    "core.pager=cat",
    // What would fetch or change more than we ask for.
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "push.recurseSubmodules=no",
    "push.followTags=false",
    "fetch.prune=false",
    "core.sparseCheckout=false",
    // Files are what the repository holds, byte for byte; links become files with their target in them.
    "core.symlinks=false",
    "core.autocrlf=false",
    "core.attributesFile=/dev/null",
    "i18n.commitEncoding=UTF-8",
    // Work in the background would outlive the call.
    "gc.autoDetach=false",
    "maintenance.autoDetach=false",
    "safe.bareRepository=all",
    // A connection that stands still for a minute is dead.
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
    "color.ui=false",
    "core.quotePath=false",
    "advice.detachedHead=false",
];

/// Variables of git's that say how to reach a server and are the user's business. All others are taken away: a `GIT_DIR` that
/// happens to be set must not decide where we write.
const KEPT: [&str; 9] = [
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_EXEC_PATH",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
];

/// A call of git in the making.
#[derive(Debug)]
pub(super) struct Git {
    command: Command,
    subcommand: &'static str,
    arguments: Vec<OsString>,
    stdin: Vec<u8>,
    time: Duration,
}

/// What a call printed. A failing status is the caller's to judge.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) success: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

impl Git {
    fn new(subcommand: &'static str) -> Self {
        let mut command = child::command("git");
        for (name, _) in std::env::vars_os() {
            let Some(text) = name.to_str() else { continue };
            if text.starts_with("GIT_") && !KEPT.contains(&text) {
                command.env_remove(&name);
            }
        }
        command.env("LC_ALL", "C").env_remove("LANGUAGE");
        // Nobody is there to answer: not git, not its credential helpers, not ssh. An empty GIT_ASKPASS keeps git from
        // falling back to SSH_ASKPASS, which in turn keeps ssh from asking on the terminal.
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "").env("GCM_INTERACTIVE", "never");
        command.env("SSH_ASKPASS", "false").env("SSH_ASKPASS_REQUIRE", "force");
        command.env("GIT_LFS_SKIP_SMUDGE", "1").env("GIT_OPTIONAL_LOCKS", "0").env("GIT_NO_REPLACE_OBJECTS", "1");
        for setting in SETTINGS {
            command.arg("-c").arg(setting);
        }
        Self { command, subcommand, arguments: Vec::new(), stdin: Vec::new(), time: LOCAL }
    }

    /// Outside of any repository, wherever the program was started.
    pub(super) fn nowhere(subcommand: &'static str) -> Self {
        let mut git = Self::new(subcommand);
        git.command.env("GIT_DIR", "/dev/null").current_dir("/");
        git
    }

    /// In a bare repository.
    pub(super) fn bare(git_dir: &Path, subcommand: &'static str) -> Self {
        let mut git = Self::new(subcommand);
        git.command.env("GIT_DIR", git_dir).current_dir(git_dir);
        git
    }

    /// In a work tree, whatever the `.git` file in it says by now.
    pub(super) fn tree(git_dir: &Path, root: &Path, subcommand: &'static str) -> Self {
        let mut git = Self::new(subcommand);
        git.command.env("GIT_DIR", git_dir).env("GIT_WORK_TREE", root).env("GIT_LITERAL_PATHSPECS", "1");
        git.command.current_dir(root);
        git
    }

    pub(super) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// One more setting for this call.
    pub(super) fn setting(mut self, setting: impl AsRef<OsStr>) -> Self {
        self.command.arg("-c").arg(setting);
        self
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(super) fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.stdin = input.into();
        self
    }

    pub(super) fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Starts it and leaves its input and output to the caller, who ends it. For what is asked many times, from a blocking thread.
    pub(super) fn conversation(mut self) -> std::io::Result<std::process::Child> {
        self.command.arg(self.subcommand).args(&self.arguments);
        self.command.into_std().stderr(Stdio::null()).spawn()
    }

    /// Runs it and returns what it printed, or fails with what it complained of.
    pub(super) async fn run(self) -> Result<Vec<u8>, ProviderError> {
        let subcommand = self.subcommand;
        let output = self.output().await?;
        if output.success { Ok(output.stdout) } else { Err(ProviderError::git(subcommand, complaint(&output.stderr))) }
    }

    /// Like [`Self::run`], for output that is one line.
    pub(super) async fn line(self) -> Result<String, ProviderError> {
        let stdout = self.run().await?;
        Ok(String::from_utf8_lossy(&stdout).trim().to_owned())
    }

    /// Runs it. Fails only when it can't be run, takes too long or prints too much.
    pub(super) async fn output(mut self) -> Result<Output, ProviderError> {
        let subcommand = self.subcommand;
        self.command.arg(subcommand).args(&self.arguments);
        let mut child = self.command.spawn().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                ProviderError::config("git is not installed, or not on the PATH: install it.")
            }
            _ => ProviderError::io(subcommand, "git can't be started", &e),
        })?;
        let mut group = Group::of(&child);
        let (mut out, mut err) = (Capture::new(MAX_STDOUT), Capture::new(MAX_STDERR));
        let ended = tokio::time::timeout(self.time, talk(&mut child, self.stdin, &mut out, &mut err)).await;
        group.kill();
        let status = ended
            .map_err(|_| ProviderError::Timeout { who: "git", after: self.time })?
            .map_err(|e| ProviderError::io(subcommand, "its output can't be read", &e))?;
        if out.cut {
            let limit = MAX_STDOUT / (1024 * 1024);
            return Err(ProviderError::git(subcommand, format!("it printed more than {limit} MiB")));
        }
        let stderr = String::from_utf8_lossy(&err.bytes).into_owned();
        Ok(Output { success: status.success(), stdout: out.bytes, stderr })
    }
}

/// Writes the input and reads both outputs at the same time, until the child has ended.
async fn talk(child: &mut Child, stdin: Vec<u8>, out: &mut Capture, err: &mut Capture) -> std::io::Result<ExitStatus> {
    let (input, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut input) = input {
            // When git stops reading it has failed, and says why on stderr.
            let _unread = input.write_all(&stdin).await;
        }
    };
    let mut pipes = pin!(async {
        let ((), out, err) = tokio::join!(feed, out.fill(stdout), err.fill(stderr));
        out.and(err)
    });
    tokio::select! {
        closed = &mut pipes => {
            closed?;
            child.wait().await
        }
        status = child.wait() => {
            let Ok(closed) = tokio::time::timeout(DRAIN, pipes).await else {
                tracing::debug!("something that git started still holds its output open");
                return status;
            };
            closed?;
            status
        }
    }
}

/// The lines that say what went wrong; all of them when none is marked.
pub(super) fn complaint(stderr: &str) -> String {
    let marked = |l: &&str| ["fatal:", "error:", "ERROR:", "remote:"].iter().any(|m| l.starts_with(m));
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let chosen: Vec<&str> = lines.iter().copied().filter(marked).collect();
    let chosen = if chosen.is_empty() { lines } else { chosen };
    // One line, without the words that only say that it is a complaint.
    let plain =
        |l: &&str| l.trim_start_matches("fatal: ").trim_start_matches("error: ").trim_end_matches('.').to_owned();
    if chosen.is_empty() {
        "it gave no reason".to_owned()
    } else {
        chosen.iter().map(plain).collect::<Vec<_>>().join("; ")
    }
}

/// The NUL-separated pieces of a `-z` output.
pub(super) fn pieces(stdout: &[u8]) -> impl Iterator<Item = &[u8]> {
    stdout.split(|b| *b == 0).filter(|piece| !piece.is_empty())
}
