//! The names of settings: `draft.drafter`, `ui.keys.quit`, `repository.billing.branch`.

use super::EditError;
use crate::config::file::Layer;
use crate::config::reader::looks_secret;
use crate::config::repository::RepositoryFile;
use crate::config::spec::Spec;
use crate::config::value::{list, nearest, quote};
use crate::domain::text;
use std::fmt;

/// The name of a setting, as `patchwork config set` takes it: `draft.drafter`, `ui.keys.quit`, `repository.billing.branch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Key(&'static Spec),
    /// Keys of an action.
    Binding(String),
    /// A key of the entry for a server, or the whole entry.
    Repository {
        server: String,
        key: Option<&'static Spec>,
    },
}

impl Address {
    /// # Errors
    /// When there is no such setting, with the nearest one.
    pub fn parse(name: &str) -> Result<Self, EditError> {
        let unknown = |sentence: String| EditError::Unknown(sentence);
        if let Some(rest) = name.strip_prefix("repository.") {
            return Self::parse_repository(rest).map_err(unknown);
        }
        if let Some(action) = name.strip_prefix("ui.keys.").filter(|action| !action.is_empty()) {
            return Ok(Self::Binding(action.to_owned()));
        }
        match Layer::specs().find(|spec| format!("{spec:?}") == name) {
            Some(spec) => Ok(Self::Key(spec)),
            None => Err(unknown(no_such_setting(name))),
        }
    }

    /// `billing.branch`; with dots in the name, the last one counts, or the name is quoted.
    fn parse_repository(rest: &str) -> Result<Self, String> {
        if let Some((server, rest)) = quoted(rest) {
            let key = match rest.strip_prefix('.') {
                Some(key) => Some(repository_key(key)?),
                None if rest.is_empty() => None,
                None => {
                    return Err(format!("there must be a `.` behind the quoted name in `repository.\"{server}\"…`"));
                }
            };
            return Ok(Self::Repository { server, key });
        }
        if rest.is_empty() {
            return Err("name the server, as in `repository.billing.branch`".to_owned());
        }
        let split = rest.rsplit_once('.').filter(|(server, _)| !server.is_empty());
        let Some((server, key)) = split else {
            return Ok(Self::Repository { server: rest.to_owned(), key: None });
        };
        Ok(Self::Repository { server: server.to_owned(), key: Some(repository_key(key)?) })
    }

    pub(super) fn spec(&self) -> Option<&'static Spec> {
        match self {
            Self::Key(spec) => Some(spec),
            Self::Repository { key, .. } => *key,
            Self::Binding(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(spec) => write!(f, "{spec:?}"),
            Self::Binding(action) => write!(f, "ui.keys.{action}"),
            Self::Repository { server, key } => {
                let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '*' | ' ');
                let name = if server.chars().all(plain) { server.clone() } else { quote(server) };
                write!(f, "repository.{name}")?;
                key.map_or(Ok(()), |key| write!(f, ".{}", key.key))
            }
        }
    }
}

/// A TOML string at the beginning of a text, and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    let (string, rest) = text.split_at(end + 2);
    let value = toml::de::DeValue::parse(string).ok()?;
    Some((value.get_ref().as_str()?.to_owned(), rest))
}

fn repository_key(key: &str) -> Result<&'static Spec, String> {
    let keys = || RepositoryFile::SPECS.iter().map(|spec| spec.key);
    RepositoryFile::SPECS.iter().find(|spec| spec.key == key).ok_or_else(|| {
        let shown = text::clipped(key, 40);
        match nearest(key, keys()) {
            Some(near) => format!("a repository has no `{shown}`: did you mean `{near}`?"),
            None => format!("a repository has no `{shown}`: it has {}", list(&keys().collect::<Vec<_>>())),
        }
    })
}

fn no_such_setting(name: &str) -> String {
    let shown = text::clipped(name, 80);
    if looks_secret(name) {
        return format!("`{shown}` looks like a key: those are set with `patchwork config key NAME`");
    }
    let names: Vec<String> = Layer::specs().map(|spec| format!("{spec:?}")).collect();
    // A key without its table is the likeliest slip.
    let of_key = names.iter().find(|full| full.rsplit('.').next() == Some(name)).map(String::as_str);
    match of_key.or_else(|| nearest(name, names.iter().map(String::as_str))) {
        Some(near) => format!("there is no setting `{shown}`: did you mean `{near}`?"),
        None => format!("there is no setting `{shown}`: `patchwork config example` explains all there are"),
    }
}
