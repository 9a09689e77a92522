//! ssh below git: made to never ask and never wait for long, whichever ssh the user has set, and understood when it fails.

use super::command::Git;
use crate::providers::error::sentence;
use crate::providers::{ProviderError, redact};
use std::ffi::OsStr;
use std::path::Path;

/// Behind the user's own options, which win: the first value that ssh is given counts. Who has a passphrase or a new host to confirm is
/// asked nothing and told; a host that is silent is given up, and a connection that stands still for a minute is dead.
const OPTIONS: &str = "-oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=20";

/// What git is to call instead of its own choice; `None` where that is best left alone.
///
/// git's order: `GIT_SSH_COMMAND`, then `core.sshCommand`, both for a shell, then `GIT_SSH`, a program, then `ssh`. Only OpenSSH is
/// known to take our options. A script of the user's may take others, or none: it keeps its own, and there is still nobody on its
/// terminal to ask, and the time that every call of git has.
pub(super) async fn command() -> Result<Option<String>, ProviderError> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let set = match named("GIT_SSH_COMMAND") {
        None => setting("core.sshCommand").await?,
        set => set,
    };
    let variant = match named("GIT_SSH_VARIANT") {
        None => setting("ssh.variant").await?,
        variant => variant,
    };
    Ok(bounded(set.as_deref(), named("GIT_SSH").as_deref(), variant.as_deref()))
}

/// A setting of the user's.
async fn setting(key: &str) -> Result<Option<String>, ProviderError> {
    let output = Git::nowhere("config").args(["--get", key]).output().await?;
    let value = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(Some(value).filter(|value| output.success && !value.is_empty()))
}

fn bounded(command: Option<&str>, program: Option<&str>, variant: Option<&str>) -> Option<String> {
    let (line, first) = match (command, program) {
        (Some(line), _) => (line.trim().to_owned(), first_word(line)),
        (None, Some(program)) => (format!("'{}'", program.replace('\'', r"'\''")), program.to_owned()),
        (None, None) => ("ssh".to_owned(), "ssh".to_owned()),
    };
    let is_openssh = match variant {
        Some("auto") | None => is_ssh(&first),
        Some(variant) => variant == "ssh",
    };
    is_openssh.then(|| format!("{line} {OPTIONS}"))
}

fn first_word(line: &str) -> String {
    let line = line.trim_start();
    match line.chars().next() {
        Some(quote @ ('\'' | '"')) => line.split(quote).nth(1).unwrap_or_default().to_owned(),
        Some(_) | None => line.split_whitespace().next().unwrap_or_default().to_owned(),
    }
}

/// By the name of the program, as git itself does it.
fn is_ssh(program: &str) -> bool {
    let name = Path::new(program).file_name().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    matches!(name.as_str(), "ssh" | "ssh.exe")
}

/// Who is to be reached, as it is written behind `ssh`; `None` for what is not reached by ssh.
pub(super) fn login(place: &str) -> Option<String> {
    let Some((scheme, rest)) = place.split_once("://") else {
        return place.split_once(':').filter(|(login, _)| !login.contains('/')).map(|(login, _)| login.to_owned());
    };
    let authority = rest.split('/').next().filter(|_| scheme == "ssh")?;
    let port = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    Some(match port {
        Some((login, port)) => format!("-p {port} {login}"),
        None => authority.to_owned(),
    })
}

/// What stopped ssh, in its own words and ours; `None` when it was not ssh. `login` is who was to be reached.
pub(super) fn failure(login: Option<&str>, subcommand: &str, stderr: &str) -> Option<ProviderError> {
    let said = said(stderr);
    let lower = stderr.to_lowercase();
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| lower.contains(phrase));
    let host = login.map_or("the server", |login| login.rsplit(['@', ' ']).next().unwrap_or(login));
    let try_it = login.map_or_else(|| "ssh".to_owned(), |login| format!("ssh -T {login}"));
    let git = |message: String| Some(ProviderError::git(subcommand, message));
    let refused =
        |advice: String| Some(ProviderError::Auth { who: super::remote::WHO, message: format!("{said} {advice}") });
    if has(&["remote host identification has changed"]) {
        return git(format!(
            "{host} shows another host key than the one that ssh knows, so nothing was sent. If its owner has announced a new key, \
             take the old one out (`ssh-keygen -R {host}`) and connect once by hand (`{try_it}`); if not, somebody may be in between"
        ));
    }
    if has(&["host key verification failed", "no matching host key"]) {
        return git(format!(
            "ssh does not know the host key of {host}, and nobody is there to confirm it. Connect once by hand (`{try_it}`), compare \
             the fingerprint with the published one, then try again"
        ));
    }
    if has(&["cannot run ssh", "ssh: not found", "ssh: command not found"]) {
        return git(
            "ssh is not installed, or not on the PATH: install it, or use an https:// address as `remote`".to_owned()
        );
    }
    if has(&["error: permission to ", "marked as read only", "write access to repository not granted"])
        && is_ssh_talk(&lower)
    {
        return refused("The ssh key may read the repository and not push to it: give its owner write access, or a deploy key \"Allow write access\".".to_owned());
    }
    if has(&["permission denied (", "too many authentication failures", "sign_and_send_pubkey", "bad permissions"]) {
        return refused(format!(
            "Nobody can be asked for a passphrase: load the key into the agent (`ssh-add`) before Patchwork starts, and give its public \
             half to the server. `{try_it}` shows whether it works."
        ));
    }
    if has(&[
        "ssh: connect to host",
        "ssh: could not resolve hostname",
        "kex_exchange_identification",
        "banner exchange",
        "connection closed by",
        "client_loop:",
        "timeout, server",
    ]) {
        return Some(ProviderError::Network {
            who: super::remote::WHO,
            message: said.trim_end_matches('.').to_owned(),
        });
    }
    None
}

/// Whether it was ssh that git could not read from: servers say the same over https.
fn is_ssh_talk(lower: &str) -> bool {
    lower.contains("could not read from remote repository")
}

/// The lines that ssh and the server said, without git's own about them.
fn said(stderr: &str) -> String {
    const OF_GIT: [&str; 6] = [
        "fatal: could not read from remote repository",
        "please make sure you have the correct access rights",
        "and the repository exists",
        "warning: permanently added",
        "fatal: the remote end hung up",
        "** ",
    ];
    let lines = stderr.lines().map(str::trim).filter(|line| {
        let line = line.to_lowercase();
        !line.is_empty() && !OF_GIT.iter().any(|words| line.starts_with(words))
    });
    // A server may greet with a page of text; the reason comes last.
    let lines: Vec<&str> = lines.collect();
    let last = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default();
    sentence(&redact::message(&last.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_ssh_keeps_its_options_and_gets_ours_where_it_takes_them() {
        for (command, program, variant, line) in [
            (None, None, None, Some("ssh")),
            (
                Some("ssh -i ~/.ssh/work -o BatchMode=no"),
                Some("/bin/plink"),
                None,
                Some("ssh -i ~/.ssh/work -o BatchMode=no"),
            ),
            (Some("/usr/bin/ssh -F none "), None, None, Some("/usr/bin/ssh -F none")),
            (Some("'/opt/my tools/ssh' -4"), None, Some("auto"), Some("'/opt/my tools/ssh' -4")),
            (Some("tsocks ssh"), None, Some("ssh"), Some("tsocks ssh")),
            (None, Some("/opt/ada's/ssh"), None, Some(r"'/opt/ada'\''s/ssh'")),
            (Some("tsocks ssh"), None, None, None),
            (None, Some("/usr/bin/plink"), None, None),
            (Some("ssh"), None, Some("plink"), None),
        ] {
            let expected = line.map(|line| format!("{line} {OPTIONS}"));
            assert_eq!(bounded(command, program, variant), expected, "{command:?} {program:?} {variant:?}");
        }
    }

    #[test]
    fn who_is_reached_is_told_as_one_would_type_it() {
        for (place, expected) in [
            ("git@github.com:o/r.git", Some("git@github.com")),
            ("work:o/r.git", Some("work")),
            ("ssh://git@ssh.github.com:443/o/r.git", Some("-p 443 git@ssh.github.com")),
            ("ssh://ghe.example/o/r.git", Some("ghe.example")),
            ("https://github.com/o/r.git", None),
            ("/srv/a:b", None),
        ] {
            assert_eq!(login(place).as_deref(), expected, "{place}");
        }
    }

    #[test]
    fn what_stops_ssh_is_told_with_what_to_do() {
        const GIT: &str = "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n";
        for (said, words) in [
            (
                "No ED25519 host key is known for github.com and you have requested strict checking.\nHost key verification failed.\n",
                "git fetch failed: ssh does not know the host key of github.com, and nobody is there to confirm it. Connect once by hand \
                 (`ssh -T git@github.com`)",
            ),
            (
                "@@@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@@@@@@\nHost key verification failed.\n",
                "`ssh-keygen -R github.com`",
            ),
            (
                "Warning: Permanently added 'github.com' (ED25519) to the list of known hosts.\ngit@github.com: Permission denied (publickey).\n",
                "The git server refused the key: git@github.com: Permission denied (publickey). Nobody can be asked for a passphrase: load \
                 the key into the agent (`ssh-add`)",
            ),
            (
                "ERROR: Permission to o/r.git denied to ada.\n",
                "The git server refused the key: ERROR: Permission to o/r.git denied to ada. The ssh key may read the repository and not push",
            ),
            ("ERROR: The key you are authenticating with has been marked as read only.\n", "\"Allow write access\""),
            (
                "ssh: connect to host github.com port 22: Connection timed out\n",
                "The connection to the git server failed (ssh: connect to host github.com port 22: Connection timed out). Check the network",
            ),
            (
                "ssh: Could not resolve hostname github.com: Name or service not known\n",
                "The connection to the git server failed (ssh: Could",
            ),
            (
                "kex_exchange_identification: Connection closed by remote host\nConnection closed by 1.2.3.4 port 22\n",
                "The connection to",
            ),
            ("error: cannot run ssh: No such file or directory\nfatal: unable to fork\n", "ssh is not installed"),
        ] {
            let error = failure(Some("git@github.com"), "fetch", &format!("{said}{GIT}")).expect(said).to_string();
            assert!(error.contains(words), "{error}");
        }
        for other in [
            "fatal: unable to access 'https://x/': The requested URL returned error: 403\n",
            "remote: Permission to o/r.git denied to ada.\nfatal: unable to access 'https://x/': The requested URL returned error: 403\n",
            "fatal: couldn't find remote ref refs/heads/x\n",
        ] {
            assert_eq!(failure(None, "fetch", other), None);
        }
    }
}
