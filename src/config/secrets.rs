//! Keys and tokens. The only file that reads them; nothing else in the program touches the environment's secret names or
//! `secrets.env`.
//!
//! A variable of the environment wins over the file. The file is 0600: a wider mode is repaired with a warning, and where it
//! can't be, the file is not used. Nothing here prints, logs or puts a value into an error.

use super::atomic::{self, Readers};
use super::env_file::{self, BadLine};
use super::value::nearest;
use super::{Vars, set};
use secrecy::{ExposeSecret, SecretString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Keys in use. `Debug` prints no value.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    pub github: Option<SecretString>,
    pub anthropic: Option<SecretString>,
    pub openai: Option<SecretString>,
    /// For a server that speaks OpenAI's language. One of its own, so that OpenAI's is never sent to another host.
    pub openai_compatible: Option<SecretString>,
    /// What callers of the HTTP API must present.
    pub api_key: Option<SecretString>,
}

/// New values for some keys: `None` leaves one as it is, an empty text removes it.
#[derive(Debug, Clone, Default)]
pub struct SecretsPatch {
    pub github: Option<SecretString>,
    pub anthropic: Option<SecretString>,
    pub openai: Option<SecretString>,
    pub openai_compatible: Option<SecretString>,
    pub api_key: Option<SecretString>,
}

const GITHUB: &str = "GITHUB_TOKEN";
const ANTHROPIC: &str = "ANTHROPIC_API_KEY";
const OPENAI: &str = "OPENAI_API_KEY";
const OPENAI_COMPATIBLE: &str = "OPENAI_COMPATIBLE_API_KEY";
const API_KEY: &str = "FEEDBACK_API_KEY";
const NAMES: [&str; 5] = [GITHUB, ANTHROPIC, OPENAI, OPENAI_COMPATIBLE, API_KEY];

/// Owner reads and writes, nobody else does anything.
const PRIVATE: u32 = 0o600;

/// Why keys can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "{} can be read by others (mode {mode:o}) and can't be changed: {source}; run `chmod 600` on it as its owner",
        path.display()
    )]
    Exposed { path: PathBuf, mode: u32, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Malformed { path: PathBuf, source: BadLine },
    #[error("{name} must be one line of printable characters without spaces: copy the key again")]
    IllegalValue { name: &'static str },
}

/// Keys, and what the user should know about where they came from.
#[derive(Debug, Clone, Default)]
pub struct LoadedSecrets {
    pub secrets: Secrets,
    /// Sentences for the user.
    pub warnings: Vec<String>,
}

impl Secrets {
    /// Reads the environment, then `secrets.env` for what is not set there.
    ///
    /// # Errors
    /// When the file is there and can't be read, understood or made private.
    pub fn load(path: &Path, vars: Vars<'_>) -> Result<LoadedSecrets, SecretsError> {
        let (text, mut warnings) = read_private(path)?;
        let pairs =
            env_file::parse(&text).map_err(|source| SecretsError::Malformed { path: path.to_owned(), source })?;
        for (name, _) in pairs.iter().filter(|(name, _)| !NAMES.contains(&name.as_str())) {
            warnings.push(unknown(path, name));
        }
        let find = |name: &'static str| -> Result<Option<SecretString>, SecretsError> {
            let in_file = pairs.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.clone());
            let Some(value) = set(vars, name).or(in_file).filter(|v| !v.is_empty()) else { return Ok(None) };
            check(name, &value)?;
            Ok(Some(SecretString::from(value)))
        };
        let secrets = Self {
            github: find(GITHUB)?,
            anthropic: find(ANTHROPIC)?,
            openai: find(OPENAI)?,
            openai_compatible: find(OPENAI_COMPATIBLE)?,
            api_key: find(API_KEY)?,
        };
        Ok(LoadedSecrets { secrets, warnings })
    }

    /// Writes some keys to `secrets.env`, all of them or none, and keeps the file's other lines. A key that is set in the
    /// environment still wins over what is written.
    ///
    /// # Errors
    /// When a value has spaces, line breaks or control characters, or the file can't be written.
    pub fn save(file: &Path, patch: &SecretsPatch) -> Result<(), SecretsError> {
        let (mut text, _) = read_private(file)?;
        env_file::parse(&text).map_err(|source| SecretsError::Malformed { path: file.to_owned(), source })?;
        for (name, value) in patch.pairs() {
            let value = value.expose_secret().trim();
            check(name, value)?;
            text = env_file::with(&text, name, (!value.is_empty()).then_some(value));
        }
        atomic::replace(file, &text, Readers::Owner, |_| Ok(()))
            .map_err(|source| SecretsError::Io { path: file.to_owned(), source })
    }

    /// These keys with a patch applied, for a process that goes on after [`Self::save`].
    #[must_use]
    pub fn patched(&self, patch: &SecretsPatch) -> Self {
        let pick = |new: &Option<SecretString>, old: &Option<SecretString>| match new {
            None => old.clone(),
            Some(value) if value.expose_secret().trim().is_empty() => None,
            Some(value) => Some(SecretString::from(value.expose_secret().trim().to_owned())),
        };
        Self {
            github: pick(&patch.github, &self.github),
            anthropic: pick(&patch.anthropic, &self.anthropic),
            openai: pick(&patch.openai, &self.openai),
            openai_compatible: pick(&patch.openai_compatible, &self.openai_compatible),
            api_key: pick(&patch.api_key, &self.api_key),
        }
    }

    /// Name and masked value of each; empty when it is not set.
    pub fn masked(&self) -> [(&'static str, String); 5] {
        let show = |key: &Option<SecretString>| key.as_ref().map(mask).unwrap_or_default();
        [
            (GITHUB, show(&self.github)),
            (ANTHROPIC, show(&self.anthropic)),
            (OPENAI, show(&self.openai)),
            (OPENAI_COMPATIBLE, show(&self.openai_compatible)),
            (API_KEY, show(&self.api_key)),
        ]
    }

    /// Every value in use, for whoever must take them out of a log or a child's environment.
    pub fn values(&self) -> impl Iterator<Item = &SecretString> {
        [&self.github, &self.anthropic, &self.openai, &self.openai_compatible, &self.api_key].into_iter().flatten()
    }
}

/// The name of a key as the program knows it, whatever its case.
///
/// # Errors
/// A sentence with the nearest name.
pub fn secret_name(typed: &str) -> Result<&'static str, String> {
    NAMES.into_iter().find(|name| name.eq_ignore_ascii_case(typed.trim())).ok_or_else(|| {
        // Not repeated: it could be the key itself.
        match nearest(&typed.to_uppercase(), NAMES.into_iter()) {
            Some(name) => format!("there is no key of that name: did you mean {name}?"),
            None => format!("there is no key of that name; the names are {}", NAMES.join(", ")),
        }
    })
}

impl SecretsPatch {
    /// A new value for one key, by its name as [`secret_name`] gives it.
    pub fn one(name: &'static str, value: SecretString) -> Self {
        let mut patch = Self::default();
        match name {
            GITHUB => patch.github = Some(value),
            ANTHROPIC => patch.anthropic = Some(value),
            OPENAI => patch.openai = Some(value),
            OPENAI_COMPATIBLE => patch.openai_compatible = Some(value),
            API_KEY => patch.api_key = Some(value),
            _ => {}
        }
        patch
    }

    /// The names of the keys it changes.
    pub fn names(&self) -> Vec<&'static str> {
        self.pairs().map(|(name, _)| name).collect()
    }

    fn pairs(&self) -> impl Iterator<Item = (&'static str, &SecretString)> {
        let all = [
            (GITHUB, &self.github),
            (ANTHROPIC, &self.anthropic),
            (OPENAI, &self.openai),
            (OPENAI_COMPATIBLE, &self.openai_compatible),
            (API_KEY, &self.api_key),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }
}

/// `****` and the last four characters; of a short key nothing, because four would be most of it.
pub fn mask(key: &SecretString) -> String {
    let key = key.expose_secret();
    let tail = key.char_indices().rev().nth(3).map_or("", |(at, _)| &key[at..]);
    if key.chars().count() < 12 { "****".to_owned() } else { format!("****{tail}") }
}

/// Keys travel in HTTP headers: printable ASCII without spaces.
fn check(name: &'static str, value: &str) -> Result<(), SecretsError> {
    if value.bytes().all(|b| b.is_ascii_graphic()) { Ok(()) } else { Err(SecretsError::IllegalValue { name }) }
}

fn unknown(path: &Path, name: &str) -> String {
    let help = match nearest(&name.to_uppercase(), NAMES.into_iter()) {
        Some(word) => format!("did you mean {word}?"),
        None => format!("the names are {}", NAMES.join(", ")),
    };
    format!("{}: {name} is not used; {help}", path.display())
}

/// The file's text, empty when there is none, after making sure that only its owner can read it.
fn read_private(path: &Path) -> Result<(String, Vec<String>), SecretsError> {
    let io = |source| SecretsError::Io { path: path.to_owned(), source };
    let mut warnings = Vec::new();
    let mode = match std::fs::metadata(path) {
        Ok(meta) => meta.permissions().mode() & 0o777,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((String::new(), warnings)),
        Err(e) => return Err(io(e)),
    };
    if mode & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(PRIVATE))
            .map_err(|source| SecretsError::Exposed { path: path.to_owned(), mode, source })?;
        warnings.push(format!(
            "{} could be read by others (mode {mode:o}); it is 600 now. If others use this machine, replace the keys in it",
            path.display()
        ));
    }
    Ok((std::fs::read_to_string(path).map_err(io)?, warnings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    fn mode(file: &Path) -> u32 {
        std::fs::metadata(file).unwrap().permissions().mode() & 0o777
    }

    fn text(key: Option<&SecretString>) -> Option<&str> {
        key.map(ExposeSecret::expose_secret)
    }

    #[test]
    fn the_environment_wins_and_the_file_fills_in() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secrets.env");
        let patch = SecretsPatch {
            github: Some("ghp_from_the_file".into()),
            anthropic: Some("sk-ant-from-the-file".into()),
            ..SecretsPatch::default()
        };
        Secrets::save(&file, &patch).unwrap();
        assert_eq!(mode(&file), PRIVATE);
        let vars = |name: &str| (name == GITHUB).then(|| "ghp_from_the_environment".to_owned());
        let secrets = Secrets::load(&file, &vars).unwrap().secrets;
        assert_eq!(text(secrets.github.as_ref()), Some("ghp_from_the_environment"));
        assert_eq!(text(secrets.anthropic.as_ref()), Some("sk-ant-from-the-file"));
        assert_eq!(text(secrets.openai.as_ref()), None);
    }

    #[test]
    fn a_wide_mode_is_repaired_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secrets.env");
        std::fs::write(&file, "GITHUB_TOKEN=ghp_0123456789\nGITHUB_TOKN=x\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let loaded = Secrets::load(&file, &none).unwrap();
        assert_eq!(mode(&file), PRIVATE);
        assert!(loaded.warnings[0].contains("mode 644"), "{:?}", loaded.warnings);
        assert!(loaded.warnings[1].contains("GITHUB_TOKEN?"), "{:?}", loaded.warnings);
        assert!(Secrets::load(&file, &none).unwrap().warnings.len() == 1, "repaired once");
    }

    #[test]
    fn a_value_that_would_make_a_second_line_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secrets.env");
        std::fs::write(&file, "# kept\n").unwrap();
        for bad in ["a\nFEEDBACK_API_KEY=x", "a b", "a\u{0}b", "schlüssel"] {
            let patch =
                SecretsPatch { github: Some("ghp_fine".into()), openai: Some(bad.into()), ..Default::default() };
            let error = Secrets::save(&file, &patch).unwrap_err().to_string();
            assert!(error.contains("OPENAI_API_KEY") && !error.contains(bad), "{error}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "# kept\n");
        }
    }

    #[test]
    fn every_key_can_be_saved_by_its_name() {
        for name in NAMES {
            assert_eq!(secret_name(&name.to_lowercase()), Ok(name));
            let patch = SecretsPatch::one(name, "k-123456789012".into());
            let saved: Vec<_> = patch.pairs().map(|(saved, _)| saved).collect();
            assert_eq!(saved, [name]);
            let set: Vec<_> =
                Secrets::default().patched(&patch).masked().into_iter().filter(|(_, m)| !m.is_empty()).collect();
            assert_eq!(set, [(name, "****9012".to_owned())]);
        }
    }

    #[test]
    fn nothing_prints_a_value() {
        let secrets =
            Secrets { github: Some("ghp_VERYSECRETVALUE".into()), api_key: Some("short".into()), ..Default::default() };
        assert!(!format!("{secrets:?}").contains("SECRET"));
        let masked = secrets.masked();
        assert_eq!(masked[0].1, "****ALUE");
        assert_eq!(masked[4].1, "****", "four characters of a short key are most of it");
    }

    #[test]
    fn an_empty_value_removes_and_an_absent_one_keeps() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secrets.env");
        let both = SecretsPatch {
            github: Some("ghp_0123456789".into()),
            openai: Some("sk-0123".into()),
            ..Default::default()
        };
        Secrets::save(&file, &both).unwrap();
        let remove = SecretsPatch { openai: Some("".into()), ..Default::default() };
        Secrets::save(&file, &remove).unwrap();
        let stored = Secrets::load(&file, &none).unwrap().secrets;
        let memory = Secrets::default().patched(&both).patched(&remove);
        for secrets in [stored, memory] {
            assert_eq!(text(secrets.github.as_ref()), Some("ghp_0123456789"));
            assert_eq!(text(secrets.openai.as_ref()), None);
        }
    }
}
