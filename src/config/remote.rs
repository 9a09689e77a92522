//! `remote` of a `[[repository]]`: where git goes, when that is not `server_url` with the token.

use super::value::{ConfigValue, a_type, quote};
use toml::de::DeValue;

/// `git@host:path`, `ssh://…` or `https://…`: what `git clone` takes, without anything secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRemote(String);

const FORMS: &str =
    "must be what `git clone` takes: \"git@github.com:owner/name.git\", or a URL that begins with ssh:// or https://";
const SECRET: &str = "must not hold a name or a password: your git credential helper has them (for ssh a name is fine)";

impl GitRemote {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Result<Self, String> {
        let refused = |why: &str| Err(why.to_owned());
        // git takes what begins with a dash for an option, and `::` for the name of a program to start.
        if text.len() > 1_000 || text.starts_with('-') || !text.chars().all(|c| c.is_ascii_graphic()) {
            return refused(FORMS);
        }
        let (scheme, rest, end) = text.split_once("://").map_or(("", text, ':'), |(scheme, rest)| (scheme, rest, '/'));
        let (login, path) = rest.split_once(end).unwrap_or((rest, ""));
        let (user, host) = login.rsplit_once('@').map_or((None, login), |(user, host)| (Some(user), host));
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_host = |c: char| is_name(c) || (!scheme.is_empty() && matches!(c, ':' | '[' | ']'));
        let fits = !path.is_empty()
            && !path.starts_with(['-', ':'])
            && !host.is_empty()
            && !host.starts_with(['-', '.'])
            && host.chars().all(is_host);
        match scheme {
            "" if user.is_none() && path.contains('@') => refused(SECRET),
            "" | "ssh" if user.is_some_and(|user| user.is_empty() || !user.chars().all(is_name)) => refused(SECRET),
            "https" | "http" if user.is_some() || path.contains(['?', '#']) => refused(SECRET),
            "http" if fits && !is_this_machine(host) => {
                refused("must not be http://: what is sent could be read by others")
            }
            "" | "ssh" | "https" | "http" if fits => Ok(Self(text.to_owned())),
            _ => refused(FORMS),
        }
    }
}

/// By its name alone: nobody is asked.
fn is_this_machine(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name == "[::1]" || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

impl ConfigValue for GitRemote {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value.as_str() {
            Some(text) => Self::read_text(text),
            None => Err(format!("must be a string in quotes, not {}", a_type(value))),
        }
    }

    fn read_text(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    fn write(&self) -> String {
        quote(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_clone_takes_is_taken() {
        for text in [
            "git@github.com:octo/billing.git",
            "git@github.com:/octo/billing",
            "github-work:octo/billing.git",
            "ssh://git@ssh.github.com:443/octo/billing.git",
            "ssh://[::1]:22/srv/billing.git",
            "https://github.com/octo/billing.git",
            "https://ghe.example:8443/octo/billing",
            "http://127.0.0.1:8080/octo/billing.git",
            "http://localhost/octo/billing.git",
        ] {
            assert_eq!(GitRemote::read_text(text).map(|r| r.0).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_could_run_something_or_holds_a_secret_is_not() {
        for (text, words) in [
            ("", FORMS),
            ("octo/billing", FORMS),
            ("/srv/billing.git", FORMS),
            ("file:///srv/billing.git", FORMS),
            ("git://github.com/octo/billing", FORMS),
            ("ext::sh -c id", FORMS),
            ("ext::id", FORMS),
            ("--upload-pack=id:x", FORMS),
            ("-oProxyCommand=id:x", FORMS),
            ("git@-oProxyCommand=id:x", FORMS),
            ("ssh://-oProxyCommand=id/x", FORMS),
            ("git@github.com:-x", FORMS),
            ("git@github.com:", FORMS),
            ("ssh://git@github.com", FORMS),
            ("git@github.com:octo/bil ling", FORMS),
            ("git@github.com:octo/billing\n", FORMS),
            ("https://ada:hunter2@github.com/octo/billing", SECRET),
            ("https://hunter2@github.com/octo/billing", SECRET),
            ("https://github.com/octo/billing?token=hunter2", SECRET),
            ("ssh://git:hunter2@github.com/octo/billing", SECRET),
            ("git:hunter2@github.com:octo/billing", SECRET),
            ("http://github.com/octo/billing", "http://"),
            ("http://127.0.0.1.example.com/octo/billing", "http://"),
        ] {
            let said = GitRemote::read_text(text).unwrap_err();
            assert!(said.contains(words) && !said.contains("hunter2"), "{text}: {said}");
        }
    }
}
