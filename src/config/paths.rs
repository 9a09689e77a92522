//! Where the program's files are.
//!
//! The platform's own places through `directories` (XDG on Linux), or everything below one directory when `PATCHWORK_HOME` names
//! one, so that all of it can be tried without touching what is there.

use super::{Vars, set};
use directories::ProjectDirs;
use std::path::{Path, PathBuf};

/// Absolute paths; none of them has to exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    pub config_file: PathBuf,
    pub secrets_file: PathBuf,
    pub database: PathBuf,
    /// Checkouts of repositories; may be deleted at any time.
    pub cache_dir: PathBuf,
    /// Logs and crash reports.
    pub state_dir: PathBuf,
}

/// There is no place to put anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this user has no home directory: set PATCHWORK_HOME to a directory for config, data, cache and logs")]
pub struct NoHome;

impl Paths {
    /// # Errors
    /// When the user has no home directory and `PATCHWORK_HOME` is not set.
    pub fn find(vars: Vars<'_>) -> Result<Self, NoHome> {
        if let Some(home) = set(vars, "PATCHWORK_HOME") {
            let home = absolute(Path::new(&home));
            return Ok(Self::below(&home.join("config"), &home.join("data"), home.join("cache"), home.join("state")));
        }
        let dirs = ProjectDirs::from("", "", "patchwork").ok_or(NoHome)?;
        // Only Linux has a place for state; elsewhere it goes with the data.
        let state = dirs.state_dir().map_or_else(|| dirs.data_local_dir().join("state"), Path::to_owned);
        Ok(Self::below(dirs.config_dir(), dirs.data_dir(), dirs.cache_dir().to_owned(), state))
    }

    fn below(config: &Path, data: &Path, cache_dir: PathBuf, state_dir: PathBuf) -> Self {
        Self {
            config_file: config.join("config.toml"),
            secrets_file: config.join("secrets.env"),
            database: data.join("feedback.db"),
            cache_dir,
            state_dir,
        }
    }

    /// Where the TUI writes its log.
    pub fn log_dir(&self) -> PathBuf {
        self.state_dir.join("logs")
    }

    /// Name and path of each, for `patchwork paths`.
    pub fn named(&self) -> [(&'static str, PathBuf); 6] {
        [
            ("config", self.config_file.clone()),
            ("secrets", self.secrets_file.clone()),
            ("database", self.database.clone()),
            ("cache", self.cache_dir.clone()),
            ("state", self.state_dir.clone()),
            ("logs", self.log_dir()),
        ]
    }
}

/// Absolute, from the current directory; a directory that can't be asked for leaves the path as it is.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_variable_roots_everything() {
        let vars = |name: &str| (name == "PATCHWORK_HOME").then(|| "/tmp/try".to_owned());
        let paths = Paths::find(&vars).unwrap();
        assert!(paths.named().iter().all(|(_, path)| path.starts_with("/tmp/try")), "{paths:?}");
        assert_eq!(paths.database, Path::new("/tmp/try/data/feedback.db"));
    }
}
