//! Where a repository is, how git is told to go there, and what the far end's complaints mean.
//!
//! A token travels in one environment variable of one git process, and git hands it to the one server it is for: it is never in a
//! URL, an argument, a file or a log.

use super::Remote;
use super::command::{Git, Output, REMOTE, complaint};
use super::ssh;
use crate::domain::text;
use crate::providers::error::sentence;
use crate::providers::{ProviderError, redact};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

/// Holds the token, for the credential helper below and nobody else.
pub(crate) const TOKEN_VARIABLE: &str = "PATCHWORK_GIT_TOKEN";

/// A credential helper without a file: git runs it with a shell of its own, and it prints the token from the environment.
const HELPER: &str =
    r#"!f() { test "$1" = get && printf 'username=x-access-token\npassword=%s\n' "$PATCHWORK_GIT_TOKEN"; }; f"#;

pub(super) const WHO: &str = "the git server";

/// A remote that was looked at: it can be given to git.
#[derive(Debug, Clone)]
pub(super) struct Address {
    place: OsString,
    access: Access,
    /// What git is to call for ssh, where it is not to choose by itself. For every address but a directory: the user's settings may
    /// send git from an https one to ssh.
    ssh: Option<String>,
}

/// How a remote is reached.
#[derive(Debug, Clone)]
enum Access {
    /// It is a directory.
    Local,
    /// With nothing of ours: it is public, or nobody has set a token.
    Bare,
    /// With what the user has set up for git.
    Own,
    /// With a token for this scheme, host and port.
    Token(String, SecretString),
}

impl Address {
    /// Looks at a remote, and for one on another machine at the user's settings for ssh.
    pub(super) async fn find(remote: &Remote) -> Result<Self, ProviderError> {
        let address = Self::of(remote)?;
        let ssh = if address.is_local() { None } else { ssh::command().await? };
        Ok(Self { ssh, ..address })
    }

    fn of(remote: &Remote) -> Result<Self, ProviderError> {
        match remote {
            Remote::Path(path) => {
                let real = path.canonicalize().map_err(|e| ProviderError::NotFound {
                    what: redact::message(&format!("The repository {}", path.display())),
                    advice: redact::message(&format!("Check its path in config.toml ({e}).")),
                    known: Vec::new(),
                })?;
                Ok(Self { place: real.into(), access: Access::Local, ssh: None })
            }
            Remote::Url { url, token } => Self::of_url(url, token.clone()),
            Remote::Own(url) => Ok(Self { access: Access::Own, ..Self::of_url(url, None)? }),
        }
    }

    fn of_url(url: &str, token: Option<SecretString>) -> Result<Self, ProviderError> {
        let wrong = |why: &str| ProviderError::config(format!("The repository's address `{url}` {why}"));
        if url.chars().any(|c| c.is_control() || c.is_whitespace()) || url.starts_with('-') {
            return Err(wrong("is not a URL."));
        }
        let here = |access| Ok(Self { place: url.into(), access, ssh: None });
        if !url.contains("://") {
            // `git@host:path`, which is no URL but what everybody copies. Behind `host::` git would start a program of that name.
            let is_scp = url.split_once(':').is_some_and(|(host, path)| {
                !host.is_empty() && !host.contains('/') && !path.is_empty() && !path.starts_with(':')
            });
            return if is_scp {
                here(Access::Bare)
            } else {
                Err(wrong("is not a URL: it should begin with https:// or ssh://."))
            };
        }
        let parsed = reqwest::Url::parse(url).map_err(|e| wrong(&format!("is not a URL ({e}).")))?;
        if parsed.password().is_some() || (parsed.scheme() != "ssh" && !parsed.username().is_empty()) {
            return Err(wrong("has a user name or password in it: take it out and set GITHUB_TOKEN instead."));
        }
        let loopback = parsed.host_str().is_some_and(is_loopback);
        match (parsed.scheme(), token) {
            ("ssh", _) | ("https" | "http", None) => here(Access::Bare),
            ("http", Some(_)) if !loopback => Err(wrong("is not encrypted; the token is only sent over https://.")),
            ("https" | "http", Some(token)) => here(Access::Token(parsed.origin().ascii_serialization(), token)),
            _ => Err(wrong("has a scheme that is not supported: use https:// or ssh://.")),
        }
    }

    pub(super) fn is_local(&self) -> bool {
        matches!(self.access, Access::Local)
    }

    pub(super) fn place(&self) -> &OsString {
        &self.place
    }

    /// For sentences.
    pub(super) fn shown(&self) -> String {
        let place = self.place.to_string_lossy();
        // What stands before `@` is a login name there, and no secret.
        if ssh::login(&place).is_some() { text::line(&place) } else { redact::message(&place) }
    }

    /// A directory name that no other address has, and that a person recognises.
    pub(super) fn key(&self) -> PathBuf {
        let place = self.place.to_string_lossy();
        let tail = place.trim_end_matches('/').trim_end_matches(".git").rsplit(['/', ':']).next().unwrap_or_default();
        let name: String =
            tail.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(40).collect();
        PathBuf::from(format!("{name}-{}.git", short_hash(self.place.as_encoded_bytes())))
    }

    /// Lets a call of git go there, and nowhere else.
    pub(super) fn allow(&self, git: Git) -> Git {
        if self.is_local() {
            return git.env("GIT_ALLOW_PROTOCOL", "file");
        }
        let git = git.env("GIT_ALLOW_PROTOCOL", "https:http:ssh").time(REMOTE);
        let git = match &self.ssh {
            Some(line) => git.env("GIT_SSH_COMMAND", line),
            None => git,
        };
        match &self.access {
            // The empty helper takes away those of the user's: they would be asked first, and told to store the token.
            Access::Token(origin, token) => git
                .setting("credential.helper=")
                .setting(format!("credential.{origin}.helper={HELPER}"))
                .env(TOKEN_VARIABLE, token.expose_secret().trim()),
            Access::Local | Access::Bare | Access::Own => git,
        }
    }

    fn token(&self) -> Option<&SecretString> {
        match &self.access {
            Access::Token(_, token) => Some(token),
            Access::Local | Access::Bare | Access::Own => None,
        }
    }

    /// An error without the token, should the server have sent it back.
    pub(super) fn hiding(&self, error: ProviderError) -> ProviderError {
        match self.token() {
            Some(token) => error.hiding(token),
            None => error,
        }
    }

    /// The same for words that the server said.
    pub(super) fn hide(&self, words: &mut String) {
        if let Some(token) = self.token() {
            redact::hide(words, token);
        }
    }

    /// Checks how a call that went there ended.
    pub(super) fn judge(&self, subcommand: &'static str, output: Output) -> Result<Vec<u8>, ProviderError> {
        if output.success { Ok(output.stdout) } else { Err(self.failure(subcommand, &output.stderr)) }
    }

    pub(super) fn failure(&self, subcommand: &'static str, stderr: &str) -> ProviderError {
        let login = ssh::login(&self.place.to_string_lossy());
        if let Some(error) = ssh::failure(login.as_deref(), subcommand, stderr) {
            return self.hiding(error);
        }
        let complaint = complaint(stderr);
        let message = match self.token() {
            Some(token) => redact::message_without(&complaint, token),
            None => redact::message(&complaint),
        };
        match Kind::of(&message) {
            Kind::Missing => ProviderError::NotFound {
                what: format!("The repository {}", self.shown()),
                advice: self.advice_when_missing().into(),
                known: Vec::new(),
            },
            Kind::Forbidden => {
                let message = format!("{} {}", sentence(&message), self.advice_when_forbidden());
                ProviderError::Auth { who: WHO, message }
            }
            Kind::Unreachable => ProviderError::Network { who: WHO, message },
            Kind::Other => ProviderError::git(subcommand, message),
        }
    }

    fn advice_when_missing(&self) -> &'static str {
        match self.access {
            Access::Local => {
                "It is not the root of a git repository: check its path in config.toml, or run `git init` there."
            }
            Access::Bare => "It does not exist, or it is private: set GITHUB_TOKEN.",
            Access::Own => {
                "It does not exist, or your key may not see it: check `remote` under [[repository]] in config.toml."
            }
            Access::Token(..) => "It does not exist, or GITHUB_TOKEN may not see it.",
        }
    }

    fn advice_when_forbidden(&self) -> String {
        match self.access {
            Access::Local | Access::Bare => "Set GITHUB_TOKEN, or check your ssh key or credential helper.".into(),
            Access::Own => format!(
                "Your git credential helper has nothing for it, or nothing that may do this, and nobody can be asked: run \
                 `git ls-remote {}` by hand once. To use GITHUB_TOKEN instead, take `remote` out of config.toml.",
                self.shown()
            ),
            Access::Token(..) => {
                "GITHUB_TOKEN is wrong, expired, or may not do this: it needs Contents (read and write) for this repository."
                    .into()
            }
        }
    }
}

/// What git's words about the far end amount to. It runs with `LC_ALL=C`, so that they can be read.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Missing,
    Forbidden,
    Unreachable,
    Other,
}

impl Kind {
    fn of(message: &str) -> Self {
        let text = message.to_lowercase();
        let has = |phrases: &[&str]| phrases.iter().any(|p| text.contains(p));
        let forbidden = [
            "authentication failed",
            "could not read username",
            "could not read password",
            "permission denied (",
            "returned error: 401",
            "returned error: 403",
            "write access to repository not granted",
            "permission to ",
        ];
        let missing =
            ["repository not found", "returned error: 404", "does not appear to be a git repository", "' not found"];
        let unreachable = [
            "could not resolve host",
            "failed to connect",
            "couldn't connect",
            "connection refused",
            "connection timed out",
            "connection reset",
            "network is unreachable",
            "no route to host",
            "operation too slow",
            "empty reply",
            "rpc failed",
            "recv failure",
            "unexpected disconnect",
            "unexpected eof",
            "early eof",
            "certificate",
            "ssl",
            "returned error: 429",
            "returned error: 5",
            "the remote end hung up",
        ];
        if has(&forbidden) {
            Self::Forbidden
        } else if has(&missing) {
            Self::Missing
        } else if has(&unreachable) {
            Self::Unreachable
        } else {
            Self::Other
        }
    }
}

/// Sixteen hexadecimal digits that name something as a file.
pub(super) fn short_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(url: &str, token: bool) -> Result<Address, ProviderError> {
        Address::of(&Remote::Url { url: url.into(), token: token.then(|| SecretString::from("t0ken")) })
    }

    #[test]
    fn addresses_that_could_leak_or_run_something_are_refused() {
        for bad in [
            "https://user:hunter2hunter2@github.com/a/b",
            "https://tokentokentoken@github.com/a/b",
            "http://github.com/a/b",
            "ext::sh -c id",
            "file:///etc",
            "--upload-pack=id",
            "/etc",
            "github.com/a/b",
        ] {
            let error = url(bad, true).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("tokentoken"), "{error}");
        }
        for good in
            ["https://github.com/a/b.git", "ssh://git@github.com/a/b", "git@github.com:a/b.git", "http://127.0.0.1:9/a"]
        {
            url(good, true).unwrap();
        }
    }

    #[test]
    fn a_token_is_for_one_origin_and_not_for_ssh() {
        let hosted = url("https://github.com:8443/a/b.git", true).unwrap();
        assert!(matches!(hosted.access, Access::Token(origin, _) if origin == "https://github.com:8443"));
        assert!(url("ssh://git@github.com/a/b", true).unwrap().token().is_none());
    }

    #[test]
    fn keys_differ_and_can_be_read() {
        let (a, b) = (url("https://x/a/b.git", false).unwrap().key(), url("https://x/c/b.git", false).unwrap().key());
        assert_ne!(a, b);
        assert!(a.to_string_lossy().starts_with("b-"));
    }

    #[test]
    fn complaints_are_told_apart() {
        for (text, kind) in [
            ("remote: Repository not found.\nfatal: repository 'https://x/' not found", Kind::Missing),
            ("fatal: Authentication failed for 'https://x/'", Kind::Forbidden),
            ("fatal: could not read Username for 'https://x': terminal prompts disabled", Kind::Forbidden),
            ("fatal: unable to access 'https://x/': Could not resolve host: x", Kind::Unreachable),
            ("fatal: the remote end hung up unexpectedly", Kind::Unreachable),
            ("fatal: unable to access 'https://x/': Empty reply from server", Kind::Unreachable),
            ("error: RPC failed; curl 56 Recv failure: Connection reset by peer", Kind::Unreachable),
            ("ERROR: Repository not found.\nfatal: Could not read from remote repository.", Kind::Missing),
            ("error: object file is empty", Kind::Other),
        ] {
            assert_eq!(Kind::of(&complaint(text)), kind, "{text}");
        }
    }
}
