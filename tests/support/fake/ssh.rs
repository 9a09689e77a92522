//! ssh to one host with one repository: a script named `ssh`, which runs git's own half of the talk on a bare repository here.
//!
//! It is strict: a call that could ask something, wait for ever, reach another host or run anything else is refused and kept as a
//! complaint, and so is one with a secret in its environment.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub const HOST: &str = "git@git.example";

const SCRIPT: &str = r#"#!/bin/sh
dir='DIR'
complain() { echo "$*" >> "$dir/complaints"; echo "fake ssh: $*" >&2; exit 255; }
env | grep -q CANARY && complain "a secret in the environment"
batch= time=
while :; do
    case "$1" in
        -oBatchMode=yes) batch=yes; shift ;;
        -oConnectTimeout=*|-oServerAliveInterval=*) time=yes; shift ;;
        -o) test "$2" = SendEnv=GIT_PROTOCOL || complain "an option: $2"; shift 2 ;;
        -F) echo "$2" >> "$dir/settings"; shift 2 ;;
        -*) complain "an option: $1" ;;
        *) break ;;
    esac
done
test "$batch$time" = yesyes || complain "it could ask, or wait for ever"
test "$1" = 'HOST' || complain "another host: $1"
echo "$2" >> "$dir/calls"
test -e "$dir/trouble" && { cat "$dir/trouble" >&2; exit 255; }
case "$2" in
    "git-upload-pack 'octo/billing.git'") exec git-upload-pack 'BARE' ;;
    "git-receive-pack 'octo/billing.git'")
        test -e "$dir/read-only" && { cat "$dir/read-only" >&2; exit 1; }
        exec git-receive-pack 'BARE' ;;
    *) complain "another command: $2" ;;
esac
"#;

/// The fake.
pub struct Ssh {
    dir: PathBuf,
}

impl Ssh {
    /// Below a directory of its own, in front of a bare repository that it calls `octo/billing.git`.
    pub fn new(dir: &Path, bare: &Path) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        let ssh = Self { dir: dir.to_owned() };
        let script = SCRIPT.replace("DIR", dir.to_str().unwrap());
        let script = script.replace("HOST", HOST).replace("BARE", bare.to_str().unwrap());
        std::fs::write(ssh.program(), script).unwrap();
        std::fs::set_permissions(ssh.program(), std::fs::Permissions::from_mode(0o755)).unwrap();
        ssh
    }

    pub fn program(&self) -> PathBuf {
        self.dir.join("ssh")
    }

    /// From now on it says this and fails, like ssh when it does not get through; nothing: it works again.
    pub fn fail(&self, words: Option<&str>) {
        self.set("trouble", words);
    }

    /// The same for pushing alone, as the server says it.
    pub fn refuse_pushes(&self, words: Option<&str>) {
        self.set("read-only", words);
    }

    fn set(&self, name: &str, words: Option<&str>) {
        let file = self.dir.join(name);
        match words {
            Some(words) => std::fs::write(file, words).unwrap(),
            None => drop(std::fs::remove_file(file)),
        }
    }

    fn lines(&self, name: &str) -> Vec<String> {
        std::fs::read_to_string(self.dir.join(name)).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// What it was asked to run.
    pub fn calls(&self) -> Vec<String> {
        self.lines("calls")
    }

    /// Files of settings (`-F`) it was given.
    pub fn settings(&self) -> Vec<String> {
        self.lines("settings")
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.lines("complaints"), [] as [&str; 0], "the fake ssh complains");
        }
    }
}
