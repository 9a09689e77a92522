//! `[[repository]]`: which code answers for which MCP server.

use super::reader::Reader;
use super::spec::Spec;
use super::types::{Repository, Source};
use super::value::{ConfigValue, Written, quote};
use crate::domain::draft::{DrafterKind, TargetKind};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// One `[[repository]]` as written, with its paths as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryFile(Repository);

const KEYS: [&str; 7] = ["server", "github", "path", "branch", "drafter", "target", "protect"];

/// What a `[[repository]]` can say.
pub(super) const SPECS: &[Spec] = &[
    Spec::of::<String>("repository", "server"),
    Spec::of::<Slug>("repository", "github"),
    Spec::of::<PathBuf>("repository", "path"),
    Spec::of::<String>("repository", "branch"),
    Spec::of::<DrafterKind>("repository", "drafter"),
    Spec::of::<TargetKind>("repository", "target"),
    Spec::of::<Vec<String>>("repository", "protect"),
];

/// The key that says the same in another way: a repository has one of the two.
pub(super) fn instead_of(key: &str) -> Option<&'static str> {
    match key {
        "github" => Some("path"),
        "path" => Some("github"),
        _ => None,
    }
}

/// Where the paths of a config file begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    /// The directory of `config.toml`.
    pub base: &'a Path,
    /// For `~`.
    pub home: Option<&'a Path>,
}

impl Places<'_> {
    /// `~` and relative paths made absolute; whether there is anything is asked when it is used.
    pub(super) fn absolute(self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            (Ok(_), None) | (Err(_), _) => self.base.join(path),
        }
    }
}

impl RepositoryFile {
    pub(super) fn read(reader: &mut Reader<'_>, at: usize, table: &DeTable<'_>) -> Option<Self> {
        const PLACE: &str = "repository";
        reader.refuse_unknown("[[repository]] ", table, &KEYS);
        let server = reader.value::<String>(PLACE, table, "server");
        let github = reader.value::<String>(PLACE, table, "github");
        let path = reader.value::<PathBuf>(PLACE, table, "path");
        let source = match (github, path) {
            (Some(github), None) if is_owner_and_name(&github.value) => Source::Github(github.value),
            (Some(_), None) => {
                reader.fail_at(table, "github", format!("[[repository]] `github` {OWNER_AND_NAME}"));
                return None;
            }
            (None, Some(path)) if !path.value.as_os_str().is_empty() => Source::Local(path.value),
            _ => {
                let message = "a [[repository]] needs either `github = \"owner/name\"` or `path = \"/a/directory\"`";
                reader.fail(at, message.to_owned());
                return None;
            }
        };
        Some(Self(Repository {
            server: server.map_or_else(|| "*".to_owned(), |w| w.value),
            source,
            branch: reader.value::<String>(PLACE, table, "branch").map(|w| w.value).filter(|b| !b.is_empty()),
            drafter: reader.value::<DrafterKind>(PLACE, table, "drafter").map(|w| w.value),
            target: reader.value::<TargetKind>(PLACE, table, "target").map(|w| w.value),
            protect: reader.value(PLACE, table, "protect").map_or_else(Vec::new, |w: Written<Vec<String>>| w.value),
        }))
    }

    pub(super) fn resolve(self, places: Places<'_>) -> Repository {
        let source = match self.0.source {
            Source::Local(path) => Source::Local(places.absolute(&path)),
            github @ Source::Github(_) => github,
        };
        Repository { source, ..self.0 }
    }
}

/// `owner/name`, for [`SPECS`].
struct Slug(String);

impl ConfigValue for Slug {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_str().ok_or_else(|| OWNER_AND_NAME.to_owned()).and_then(Self::read_text)
    }

    fn read_text(text: &str) -> Result<Self, String> {
        if is_owner_and_name(text) { Ok(Self(text.to_owned())) } else { Err(OWNER_AND_NAME.to_owned()) }
    }

    fn write(&self) -> String {
        quote(&self.0)
    }
}

const OWNER_AND_NAME: &str = "must be \"owner/name\"";

/// `owner/name` as GitHub spells them: nothing that could be an option, a path or a URL.
fn is_owner_and_name(text: &str) -> bool {
    let legal = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['-', '.'])
            && part.len() <= 100
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    text.split_once('/').is_some_and(|(owner, name)| legal(owner) && legal(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_owner_and_name_will_do() {
        assert!(is_owner_and_name("octo-org/my_server.py"));
        for text in ["octo", "a/b/c", "/b", "a/", "-x/y", "a/../b", "https://github.com/a/b", "a/b c", "a/.git"] {
            assert!(!is_owner_and_name(text), "{text}");
        }
    }

    #[test]
    fn paths_begin_at_the_config_file_or_at_home() {
        let places = Places { base: Path::new("/etc/patchwork"), home: Some(Path::new("/home/ada")) };
        for (written, used) in [("~/src/x", "/home/ada/src/x"), ("../x", "/etc/patchwork/../x"), ("/x", "/x")] {
            assert_eq!(places.absolute(Path::new(written)), Path::new(used));
        }
    }
}
