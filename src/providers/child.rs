//! How child processes are started and ended: in a group of their own, without our keys, killed as a tree.
//!
//! A child that starts others and is dropped would leave them running; a process group is ended with one signal. What puts
//! itself into another session on purpose escapes it.

use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// Variables that hold keys of ours. A child gets none of them: a coding agent acts on text that strangers wrote, and a
/// key that it can read it can also send away. An agent that needs a key of its own reads it from its own settings.
const SECRET_VARIABLES: [&str; 10] = [
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "GITHUB_ENTERPRISE_TOKEN",
    "GH_ENTERPRISE_TOKEN",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "OPENAI_API_KEY",
    "OPENAI_COMPATIBLE_API_KEY",
    "FEEDBACK_API_KEY",
    super::git::TOKEN_VARIABLE,
];

/// After a child has ended, what is still in its pipes is read for this long: something that it left running (a shared ssh
/// connection, for one) may hold them open.
pub(super) const DRAIN: Duration = Duration::from_secs(2);

/// A command without our keys, in a group of its own, with all three streams piped.
pub(super) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in SECRET_VARIABLES {
        command.env_remove(name);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    command
}

/// Ends a child's whole group when it is dropped.
#[derive(Debug)]
pub(super) struct Group {
    leader: Option<Pid>,
}

impl Group {
    /// Of a child that [`command`] started and nobody has waited for yet.
    pub(super) fn of(child: &Child) -> Self {
        Self { leader: child.id().and_then(|id| Pid::from_raw(id.cast_signed())) }
    }

    /// Kills whatever is left. Called right after the leader was waited for, too: the group's number can't be given away
    /// while a member lives, and when none lives, no other process has had time to get it.
    pub(super) fn kill(&mut self) {
        if let Some(leader) = self.leader.take() {
            // The only error is that nobody is left, which is what we want.
            let _gone = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a child has printed, up to a limit.
#[derive(Debug)]
pub(super) struct Capture {
    pub(super) bytes: Vec<u8>,
    limit: usize,
    /// Whether there was more.
    pub(super) cut: bool,
}

impl Capture {
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, cut: false }
    }

    /// Reads to the end; what is beyond the limit is dropped, so that the child never waits for us.
    pub(super) async fn fill(&mut self, from: Option<impl AsyncRead + Unpin>) -> std::io::Result<()> {
        let Some(mut from) = from else { return Ok(()) };
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let n = from.read(&mut buffer).await?;
            if n == 0 {
                return Ok(());
            }
            let room = self.limit.saturating_sub(self.bytes.len());
            self.cut |= n > room;
            self.bytes.extend_from_slice(buffer.get(..n.min(room)).unwrap_or_default());
        }
    }
}
