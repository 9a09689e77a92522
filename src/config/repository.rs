//! `[[repository]]`: which code answers for which MCP server.

use super::reader::Reader;
use super::types::{Repository, Source};
use super::value::Written;
use crate::domain::draft::{DrafterKind, TargetKind};
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// One `[[repository]]` as written, with its paths as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryFile(Repository);

const KEYS: [&str; 10] =
    ["server", "github", "path", "branch", "drafter", "target", "protect", "allow", "scope", "verify"];

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
                reader.fail_at(table, "github", "[[repository]] `github` must be \"owner/name\"".to_owned());
                return None;
            }
            (None, Some(path)) if !path.value.as_os_str().is_empty() => Source::Local(path.value),
            _ => {
                let message = "a [[repository]] needs either `github = \"owner/name\"` or `path = \"/a/directory\"`";
                reader.fail(at, message.to_owned());
                return None;
            }
        };
        let mut list = |key| {
            let written: Option<Written<Vec<String>>> = reader.value(PLACE, table, key);
            written.map_or_else(Vec::new, |w| w.value)
        };
        let (protect, allow, scope) = (list("protect"), list("allow"), list("scope"));
        Some(Self(Repository {
            server: server.map_or_else(|| "*".to_owned(), |w| w.value),
            source,
            branch: reader.value::<String>(PLACE, table, "branch").map(|w| w.value).filter(|b| !b.is_empty()),
            drafter: reader.value::<DrafterKind>(PLACE, table, "drafter").map(|w| w.value),
            target: reader.value::<TargetKind>(PLACE, table, "target").map(|w| w.value),
            protect,
            allow,
            scope,
            verify: reader.value::<String>(PLACE, table, "verify").map(|w| w.value).filter(|v| !v.trim().is_empty()),
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
