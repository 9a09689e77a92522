//! Puts the layers on top of each other: flags, environment, `config.toml`, defaults.

use super::file::Layer;
use super::paths::{NoHome, Paths, absolute};
use super::repository::Places;
use super::secrets::{LoadedSecrets, Secrets, SecretsError};
use super::types::Config;
use super::value::{ConfigValue, Origin, Written};
use super::{Vars, set};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Something in the settings that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line of `config.toml`, counted from 1; `None` for the environment.
    pub line: Option<usize>,
    /// What is wrong and what is allowed, without the value.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    NoHome(#[from] NoHome),
    #[error("{} can't be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: {}", path.display(), lines(mistakes))]
    File { path: PathBuf, mistakes: Vec<Mistake> },
    #[error("the environment: {}", lines(mistakes))]
    Environment { mistakes: Vec<Mistake> },
}

pub(super) fn lines(mistakes: &[Mistake]) -> String {
    let lines: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    lines.join("\n  ")
}

/// Everything about settings that a process needs to know.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    pub paths: Paths,
    /// All layers as one, with the origin of each value.
    pub layers: Layer,
    /// There is a `config.toml`.
    pub has_file: bool,
}

/// A look at the environment, kept for later.
type Look = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Where the settings of this process come from, to be read again whenever they may have changed.
#[derive(Clone)]
pub struct Sources {
    flags: Layer,
    config_file: Option<PathBuf>,
    vars: Look,
}

impl Sources {
    /// `config_file` as for [`load`]; it may be gone when it is read again, and is then as good as empty.
    pub fn new(
        flags: Layer,
        config_file: Option<PathBuf>,
        vars: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self { flags, config_file: config_file.map(|file| absolute(&file)), vars: Arc::new(vars) }
    }

    /// The settings as they are now. Reads files.
    ///
    /// # Errors
    /// As for [`load`].
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        load(self.flags.clone(), self.config_file.as_deref(), &*self.vars)
    }

    /// The file that the settings are read from, there or not.
    ///
    /// # Errors
    /// When there is no place for it.
    pub fn config_file(&self) -> Result<PathBuf, NoHome> {
        match &self.config_file {
            Some(named) => Ok(named.clone()),
            None => Ok(Paths::find(&*self.vars)?.config_file),
        }
    }

    /// The keys as they are now.
    ///
    /// # Errors
    /// As for [`Secrets::load`].
    pub fn secrets(&self, file: &Path) -> Result<LoadedSecrets, SecretsError> {
        Secrets::load(file, &*self.vars)
    }

    /// Whether the environment has a value for this name.
    pub fn has_variable(&self, name: &str) -> bool {
        set(&*self.vars, name).is_some()
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("config_file", &self.config_file).finish_non_exhaustive()
    }
}

/// Loads the settings. `flags` is the strongest layer; `config_file` is a file to read instead of the usual one, and must exist.
///
/// # Errors
/// Every mistake in the file, or in the environment, at once.
pub fn load(flags: Layer, config_file: Option<&Path>, vars: Vars<'_>) -> Result<Loaded, ConfigError> {
    let mut paths = Paths::find(vars)?;
    if let Some(named) = config_file {
        paths.config_file = absolute(named);
    }
    let text = read_file(&paths.config_file, config_file.is_some())?;
    let has_file = text.is_some();
    let file = Layer::parse(&text.unwrap_or_default())
        .map_err(|mistakes| ConfigError::File { path: paths.config_file.clone(), mistakes })?;
    let environment = environment(vars).map_err(|mistakes| ConfigError::Environment { mistakes })?;
    let layers = flags.over(environment).over(file).over(Layer::defaults());

    let home = directories::BaseDirs::new();
    let base = paths.config_file.parent().map(Path::to_owned).unwrap_or_default();
    let places = Places { base: &base, home: home.as_ref().map(directories::BaseDirs::home_dir) };
    if let Some(written) = layers.database.path.as_ref().filter(|w| !w.value.as_os_str().is_empty()) {
        paths.database = match written.origin {
            Origin::File(_) | Origin::Default => places.absolute(&written.value),
            Origin::Env(_) | Origin::Flag(_) => absolute(&written.value),
        };
    }
    let repositories = layers.repositories.clone().into_iter().filter_map(|r| r.resolve(places)).collect();
    let config = Config { repositories, ..layers.clone().resolve() };
    Ok(Loaded { config, paths, layers, has_file })
}

fn read_file(path: &Path, must_exist: bool) -> Result<Option<String>, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !must_exist => Ok(None),
        Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
    }
}

/// What the environment says; the first two names are those of the original sidecar.
fn environment(vars: Vars<'_>) -> Result<Layer, Vec<Mistake>> {
    let mut layer = Layer::default();
    let mut mistakes = Vec::new();
    layer.database.path = variable(vars, "FEEDBACK_DB_PATH", &mut mistakes);
    layer.server.port = variable(vars, "FEEDBACK_PORT", &mut mistakes);
    layer.github.api_url = variable(vars, "GITHUB_API_URL", &mut mistakes);
    layer.github.server_url = variable(vars, "GITHUB_SERVER_URL", &mut mistakes);
    layer.anthropic.base_url = variable(vars, "ANTHROPIC_BASE_URL", &mut mistakes);
    layer.openai.base_url = variable(vars, "OPENAI_BASE_URL", &mut mistakes);
    if mistakes.is_empty() { Ok(layer) } else { Err(mistakes) }
}

fn variable<T: ConfigValue>(vars: Vars<'_>, name: &'static str, mistakes: &mut Vec<Mistake>) -> Option<Written<T>> {
    match T::read_text(&set(vars, name)?) {
        Ok(value) => Some(Written::new(value, Origin::Env(name))),
        Err(allowed) => {
            mistakes.push(Mistake { line: None, message: format!("{name} {allowed}") });
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::draft::DrafterKind;

    struct Home(tempfile::TempDir);

    impl Home {
        fn with(config: &str) -> Self {
            let home = Self(tempfile::tempdir().unwrap());
            std::fs::create_dir(home.0.path().join("config")).unwrap();
            std::fs::write(home.0.path().join("config/config.toml"), config).unwrap();
            home
        }

        fn load(&self, flags: Layer, variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
            let root = self.0.path().to_str().unwrap().to_owned();
            let vars = |name: &str| match name {
                "PATCHWORK_HOME" => Some(root.clone()),
                _ => variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()),
            };
            load(flags, None, &vars)
        }

        fn complaint(&self) -> String {
            self.load(Layer::default(), &[]).unwrap_err().to_string()
        }
    }

    fn port_flag(port: &str) -> Layer {
        let mut flags = Layer::default();
        flags.server.port = Some(Written::new(port.parse().unwrap(), Origin::Flag("--port")));
        flags
    }

    #[test]
    fn flag_over_environment_over_file_over_default() {
        let home = Home::with("[server]\nhost = \"::1\"\nport = 1111\n[draft]\ndrafter = \"command\"\n");
        let port = |flags, variables: &[_]| home.load(flags, variables).unwrap().config.server.address.to_string();
        assert_eq!(port(port_flag("3333"), &[("FEEDBACK_PORT", "2222")]), "[::1]:3333");
        assert_eq!(port(Layer::default(), &[("FEEDBACK_PORT", "2222")]), "[::1]:2222");
        assert_eq!(port(Layer::default(), &[("FEEDBACK_PORT", "")]), "[::1]:1111", "set to nothing is not set");
        let loaded = home.load(Layer::default(), &[]).unwrap();
        assert_eq!(loaded.config.draft.drafter, DrafterKind::Command);
        assert_eq!(loaded.config.draft.parallel, 2);
        let origins: Vec<_> = loaded.layers.entries().into_iter().map(|e| e.origin).take(3).collect();
        assert_eq!(origins, [Origin::File(2), Origin::File(3), Origin::Default]);
    }

    #[test]
    fn the_database_is_found_from_where_it_was_named() {
        let home = Home::with("[database]\npath = \"../mine.db\"\n");
        let named = home.load(Layer::default(), &[]).unwrap().paths.database;
        assert_eq!(named, home.0.path().join("config/../mine.db"));
        let variable = home.load(Layer::default(), &[("FEEDBACK_DB_PATH", "/tmp/theirs.db")]).unwrap();
        assert_eq!(variable.paths.database, Path::new("/tmp/theirs.db"));
    }

    #[test]
    fn every_mistake_has_its_line_and_what_is_allowed() {
        let text = "[server]\nprot = 1\nport = 70000\n\n[draft]\ndrafter = \"antropic\"\n[sevrer]\nx = 1\n[ui]\nmouse = \"on\"\n[command]\ntimeout = 20\n";
        let complaint = Home::with(text).complaint();
        for expected in [
            "line 2: [server] there is no key `prot`: did you mean `port`?",
            "line 3: [server] `port` must be a whole number from 0 to 65535",
            "line 6: [draft] `drafter` must be one of `anthropic`, `openai`, `openai-compatible`, `command`; did you mean \"anthropic\"?",
            "line 7: there is no table `sevrer`: did you mean `server`?",
            "line 10: [ui] `mouse` must be true or false, not a string",
            "line 12: [command] `timeout` must be a string in quotes, not a whole number",
        ] {
            assert!(complaint.contains(expected), "{expected}\nin: {complaint}");
        }
    }

    #[test]
    fn a_repository_is_on_github_or_on_disk() {
        for (text, expected) in [
            ("[[repository]]\nserver = \"a\"\n", "line 1: a [[repository]] needs either"),
            ("[[repository]]\ngithub = \"a/b\"\npath = \"/x\"\n", "line 1: a [[repository]] needs either"),
            (
                "[[repository]]\ngithub = \"https://github.com/a/b\"\n",
                "line 2: [[repository]] `github` must be \"owner/name\"",
            ),
            ("[repository]\ngithub = \"a/b\"\n", "two brackets"),
            (
                "[[repository]]\nremote = \"https://ada:hunter2@x/a/b\"\ngithub = \"a/b\"\n",
                "line 2: [[repository]] `remote` must not hold a name or a password",
            ),
            (
                "[[repository]]\npath = \"/x\"\nremote = \"git@github.com:a/b\"\n",
                "line 3: [[repository]] `remote` goes with `github = \"owner/name\"`",
            ),
            ("[[repository]]\ngitbub = \"a/b\"\n", "did you mean `github`?"),
        ] {
            let complaint = Home::with(text).complaint();
            assert!(complaint.contains(expected), "{expected}\nin: {complaint}");
        }
    }

    #[test]
    fn a_key_in_the_wrong_file_is_not_repeated() {
        for text in [
            "[github]\ntoken = \"ghp_SECRET\"\n",
            "[server]\nport = \"ghp_SECRET\"\n",
            "[github]\ntoken = ghp_SECRET\n",
        ] {
            let complaint = Home::with(text).complaint();
            assert!(!complaint.contains("SECRET"), "{complaint}");
        }
        assert!(Home::with("[github]\ntoken = \"x\"\n").complaint().contains("secrets.env"));
    }

    #[test]
    fn a_file_that_was_named_must_exist() {
        let named = Path::new("/nonexistent/config.toml");
        let error = load(Layer::default(), Some(named), &|_| None).unwrap_err();
        assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
    }
}
