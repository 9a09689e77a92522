//! `[[repository]]`: which code answers for which MCP server.

use super::file::Entry;
use super::reader::Reader;
use super::remote::GitRemote;
use super::table::keys;
use super::types::{Repository, Source};
use super::value::{ConfigValue, Written, quote};
use crate::domain::draft::{DrafterKind, TargetKind};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

keys! {
    /// One `[[repository]]` as written, with its paths as written.
    RepositoryFile = "repository" {
        server: String,
        github: Slug,
        path: PathBuf,
        remote: GitRemote,
        branch: String,
        drafter: DrafterKind,
        target: TargetKind,
        protect: Vec<String>,
        allow: Vec<String>,
        scope: Vec<String>,
        verify: String,
    }
}

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
        let written = Self::read_from(reader, "[repository]", table);
        let is_empty = written.path.as_ref().is_some_and(|path| path.value.as_os_str().is_empty());
        if table.contains_key("github") == table.contains_key("path") || is_empty {
            let message = "a [[repository]] needs either `github = \"owner/name\"` or `path = \"/a/directory\"`";
            reader.fail(at, message.to_owned());
            return None;
        }
        if let (Some(remote), None) = (table.get("remote"), table.get("github")) {
            let message = "[[repository]] `remote` goes with `github = \"owner/name\"`, which says where pull requests are opened; \
                           a `path` is fetched from and drafted into as it is: take `remote` out";
            reader.fail(remote.span().start, message.to_owned());
            return None;
        }
        Some(written)
    }

    /// The server it answers for.
    pub fn server(&self) -> &str {
        self.server.as_ref().map_or("*", |server| server.value.as_str())
    }

    /// What it says, key by key.
    pub fn says(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.entries(&mut entries);
        entries
    }

    /// As it is used; `None` for one that was complained of.
    pub(super) fn resolve(self, places: Places<'_>) -> Option<Repository> {
        let source = match (self.github, self.path) {
            (Some(github), _) => Source::Github(github.value.0),
            (None, Some(path)) => Source::Local(places.absolute(&path.value)),
            (None, None) => return None,
        };
        let text = |written: Option<Written<String>>| written.map(|w| w.value).filter(|text| !text.trim().is_empty());
        let list = |written: Option<Written<Vec<String>>>| written.map_or_else(Vec::new, |w| w.value);
        Some(Repository {
            server: self.server.map_or_else(|| "*".to_owned(), |w| w.value),
            source,
            remote: self.remote.map(|w| w.value.as_str().to_owned()),
            branch: text(self.branch),
            drafter: self.drafter.map(|w| w.value),
            target: self.target.map(|w| w.value),
            protect: list(self.protect),
            allow: list(self.allow),
            scope: list(self.scope),
            verify: text(self.verify),
        })
    }
}

/// `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

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
