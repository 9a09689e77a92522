//! How child processes are started and ended: in a group of their own, without our keys, killed as a tree.
//!
//! A child that starts others and is dropped would leave them running; a process group is ended with one signal. What puts
//! itself into another session on purpose escapes it. A program that may run for ever has a keeper, which ends it when this process
//! was killed and can't.

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

/// What a check of a change finds of the user's environment: where tools and their caches are, the language, the way to the network. A
/// list of what is let through, because nobody knows all names that keys have.
const FEW: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "TMP",
    "TEMP",
    "TZ",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_COLLATE",
    "LC_MESSAGES",
    "LC_NUMERIC",
    "LC_TIME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "GOPATH",
    "GOROOT",
    "GOCACHE",
    "GOMODCACHE",
    "GOTOOLCHAIN",
    "JAVA_HOME",
    "GRADLE_USER_HOME",
    "MAVEN_HOME",
    "NVM_DIR",
    "NVM_BIN",
    "FNM_DIR",
    "VOLTA_HOME",
    "PNPM_HOME",
    "BUN_INSTALL",
    "DENO_DIR",
    "COREPACK_HOME",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYENV_ROOT",
    "UV_CACHE_DIR",
    "UV_PYTHON_INSTALL_DIR",
    "PIP_CACHE_DIR",
    "POETRY_HOME",
    "RBENV_ROOT",
    "GEM_HOME",
    "GEM_PATH",
    "BUNDLE_PATH",
    "DOTNET_ROOT",
    "NUGET_PACKAGES",
    "COMPOSER_HOME",
    "MIX_HOME",
    "HEX_HOME",
    "ASDF_DIR",
    "ASDF_DATA_DIR",
    "MISE_DATA_DIR",
    "NIX_PROFILES",
    "NIX_SSL_CERT_FILE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "LD_LIBRARY_PATH",
    "PKG_CONFIG_PATH",
    "CC",
    "CXX",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
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

/// Leaves a child nothing of the environment but [`FEW`], and of these nothing that has a password in it.
pub(super) fn limit(command: &mut Command) {
    command.env_clear();
    let known = |name: &&&str| std::env::var(name).is_ok_and(|value| !has_password(&value));
    for name in FEW.iter().filter(known) {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// `https://user:password@host`, as a proxy may have it.
fn has_password(value: &str) -> bool {
    value.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|host| host.contains('@')))
}

/// What a keeper does: its input ends when the other end of the pipe is gone, and that is gone with this process, however it ends.
const KEEP: &str = "read -r _; kill -s KILL -- \"-$1\"";

/// Ends a child's whole group when it is dropped.
#[derive(Debug)]
pub(super) struct Group {
    leader: Option<Pid>,
    keeper: Option<Child>,
}

impl Group {
    /// Of a child that [`command`] started and nobody has waited for yet.
    pub(super) fn of(child: &Child) -> Self {
        Self { leader: child.id().and_then(|id| Pid::from_raw(id.cast_signed())), keeper: None }
    }

    /// The same, and the group does not outlive this process.
    pub(super) fn kept(child: &Child) -> Self {
        let mut group = Self::of(child);
        let keeper = group.leader.and_then(|leader| {
            let mut keeper = command("sh");
            keeper.args(["-c", KEEP, "sh", &leader.as_raw_pid().to_string()]).current_dir("/");
            let started = keeper.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            started.inspect_err(|error| tracing::warn!(%error, "a program may outlive this process")).ok()
        });
        group.keeper = keeper;
        group
    }

    /// Kills whatever is left. Called right after the leader was waited for, too: the group's number can't be given away
    /// while a member lives, and when none lives, no other process has had time to get it.
    pub(super) fn kill(&mut self) {
        if let Some(leader) = self.leader.take() {
            // The only error is that nobody is left, which is what we want.
            let _gone = kill_process_group(leader, Signal::KILL);
        }
        // Killed as it is dropped, before its pipe is closed: it has nothing to do any more.
        self.keeper = None;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_addresses_are_seen() {
        for (value, expected) in [
            ("http://proxy:3128", false),
            ("http://me:secret@proxy:3128/", true),
            ("https://token@proxy", true),
            ("/home/me@work/bin", false),
            ("https://host/a@b", false),
        ] {
            assert_eq!(has_password(value), expected, "{value}");
        }
        for name in SECRET_VARIABLES {
            assert!(!FEW.contains(&name), "{name}");
        }
        for word in ["KEY", "TOKEN", "SECRET", "PASS", "AUTH", "CREDENTIAL", "AGENT"] {
            assert!(FEW.iter().all(|name| !name.to_uppercase().contains(word)), "{word}");
        }
    }
}
