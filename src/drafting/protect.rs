//! Paths that no draft may change.
//!
//! A report is written by an agent, and the change by a model that read it. Neither may reach what runs with more rights than the
//! code itself (CI, hooks), what a package manager writes (lock files), what may hold keys, or git's own settings. The
//! author adds patterns with `protect` and narrows all of it down with `scope`; only `allow`, which names paths of one
//! repository, takes protection away. `.git` and `.gitmodules` are no paths at all ([`RepoPath::parse`]), so nothing frees them.

use super::error::DraftError;
use crate::config::{Config, Repository};
use crate::domain::change::RepoPath;
use crate::domain::text;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

const CI: &str = "it runs in CI";
const LOCK: &str = "a lock file, written by its package manager";
const SECRET: &str = "it may hold secrets";
const GIT: &str = "it steers git";
const HOOK: &str = "it runs on other people's machines or rules who reviews";
const CONFIGURED: &str = "named in `protect`";

/// Directories and files by path, lower-cased; a trailing `/` means everything below, wherever the directory is.
const BY_PATH: &[(&str, &str)] = &[
    (".github/workflows/", CI),
    (".github/actions/", CI),
    (".gitea/workflows/", CI),
    (".forgejo/workflows/", CI),
    (".circleci/", CI),
    (".buildkite/", CI),
    (".woodpecker/", CI),
    (".husky/", HOOK),
    (".githooks/", HOOK),
    (".github/codeowners", HOOK),
    (".github/dependabot.yml", CI),
];

/// Files by name, lower-cased, in any directory.
const BY_NAME: &[(&str, &str)] = &[
    (".gitlab-ci.yml", CI),
    (".travis.yml", CI),
    (".drone.yml", CI),
    (".woodpecker.yml", CI),
    (".cirrus.yml", CI),
    ("appveyor.yml", CI),
    ("azure-pipelines.yml", CI),
    ("bitbucket-pipelines.yml", CI),
    ("jenkinsfile", CI),
    ("cloudbuild.yaml", CI),
    (".pre-commit-config.yaml", HOOK),
    ("codeowners", HOOK),
    (".gitattributes", GIT),
    (".gitconfig", GIT),
    (".gitignore", GIT),
    (".gitmodules", GIT),
    (".lfsconfig", GIT),
];

const LOCKS: &[&str] = &[
    "bun.lock",
    "bun.lockb",
    "cargo.lock",
    "composer.lock",
    "deno.lock",
    "flake.lock",
    "gemfile.lock",
    "go.sum",
    "gradle.lockfile",
    "mix.lock",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "package.resolved",
    "packages.lock.json",
    "pdm.lock",
    "pipfile.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "pubspec.lock",
    "uv.lock",
    "yarn.lock",
];

/// By name alone: a file that a package manager writes.
pub(super) fn is_lock_file(name: &str) -> bool {
    LOCKS.contains(&name.to_lowercase().as_str())
}

/// By name alone: a file that usually holds keys. Such files are neither changed nor shown to a model.
pub(super) fn may_hold_secrets(name: &str) -> bool {
    let name = name.to_lowercase();
    let env = name == ".env" || name == ".envrc" || name.starts_with(".env.");
    if env {
        return ![".example", ".sample", ".template", ".dist"].iter().any(|end| name.ends_with(end));
    }
    let named = [".netrc", ".npmrc", ".pypirc", ".htpasswd", ".git-credentials", "secrets.env", "credentials.json"];
    let ends = [".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk"];
    let ssh = ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"];
    named.contains(&name.as_str()) || ssh.contains(&name.as_str()) || ends.iter().any(|end| name.ends_with(end))
}

/// The built-in rules and the author's own.
#[derive(Debug)]
pub(super) struct Protected {
    configured: Gitignore,
    allowed: Gitignore,
    /// `None`: everywhere.
    scope: Option<Gitignore>,
    /// The scope as it was written, for sentences.
    scope_words: String,
}

impl Protected {
    /// # Errors
    /// When a pattern of the configuration is not a gitignore pattern.
    pub(super) fn new(config: &Config, repository: &Repository) -> Result<Self, DraftError> {
        // Some file systems take `.GitHub` for `.github`, so what forbids is read in any case of letters, and what permits is not.
        let configured = patterns("protect", config.draft.protect.iter().chain(&repository.protect), true)?;
        let allowed = patterns("allow", repository.allow.iter(), false)?;
        let scope = match repository.scope.as_slice() {
            [] => None,
            scope => Some(patterns("scope", scope.iter(), false)?),
        };
        let scope_words = repository.scope.iter().map(|p| format!("`{}`", text::clipped(p, 80))).collect::<Vec<_>>();
        Ok(Self { configured, allowed, scope, scope_words: scope_words.join(", ") })
    }

    /// Why this path must not change; `None` when it may.
    pub(super) fn why(&self, path: &RepoPath) -> Option<String> {
        if self.scope.as_ref().is_some_and(|scope| !names(scope, path)) {
            return Some(format!("it is outside of what drafts may change here ({})", self.scope_words));
        }
        if names(&self.allowed, path) {
            return None;
        }
        let why = built_in(path).or_else(|| names(&self.configured, path).then_some(CONFIGURED))?;
        Some(format!("it is protected ({why}) and must not change"))
    }
}

fn built_in(path: &RepoPath) -> Option<&'static str> {
    let lower = path.as_str().to_lowercase();
    let name = lower.rsplit('/').next().unwrap_or(&lower);
    let rooted = format!("/{lower}");
    let by_name = BY_NAME.iter().find(|(n, _)| *n == name);
    let by_path = || {
        BY_PATH.iter().find(|(pattern, _)| match pattern.strip_suffix('/') {
            Some(_) => rooted.contains(&format!("/{pattern}")),
            None => rooted.ends_with(&format!("/{pattern}")),
        })
    };
    let listed = by_name.or_else(by_path).map(|(_, why)| *why);
    listed.or_else(|| is_lock_file(name).then_some(LOCK)).or_else(|| may_hold_secrets(name).then_some(SECRET))
}

fn names(patterns: &Gitignore, path: &RepoPath) -> bool {
    patterns.matched_path_or_any_parents(path.as_str(), false).is_ignore()
}

fn patterns<'a>(
    setting: &str,
    lines: impl Iterator<Item = &'a String>,
    any_case: bool,
) -> Result<Gitignore, DraftError> {
    let bad = |pattern: &str, error: &ignore::Error| {
        DraftError::Configuration(format!(
            "`{setting}` has a pattern that can't be read: `{pattern}` ({error}); write it as in a .gitignore file"
        ))
    };
    let mut builder = GitignoreBuilder::new("");
    builder.case_insensitive(any_case).map_err(|e| bad("", &e))?;
    for pattern in lines {
        builder.add_line(None, pattern).map_err(|e| bad(pattern, &e))?;
    }
    builder.build().map_err(|e| bad("", &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn protected(patterns: &[&str]) -> Result<Protected, DraftError> {
        let protect = patterns.iter().map(ToString::to_string).collect();
        let repository = Repository { protect, ..Repository::new("*", Source::Github("o/r".into())) };
        Protected::new(&Config::default(), &repository)
    }

    #[test]
    fn what_runs_or_holds_keys_is_protected_in_any_spelling() {
        let rules = protected(&[]).unwrap();
        for path in [
            ".github/workflows/ci.yml",
            ".GitHub/Workflows/ci.yml",
            "packages/a/.github/workflows/x.yml",
            ".gitlab-ci.yml",
            "sub/Jenkinsfile",
            "Cargo.lock",
            "web/package-lock.json",
            ".env",
            ".env.production",
            "certs/server.PEM",
            ".gitattributes",
            ".gitignore",
            ".pre-commit-config.yaml",
            "CODEOWNERS",
        ] {
            assert!(rules.why(&RepoPath::parse(path).unwrap()).is_some(), "{path}");
        }
        for path in ["src/lib.rs", ".env.example", ".github/ISSUE_TEMPLATE.md", "docs/workflows/ci.md", "keys.py"] {
            assert_eq!(rules.why(&RepoPath::parse(path).unwrap()), None, "{path}");
        }
    }

    #[test]
    fn the_authors_patterns_are_those_of_gitignore() {
        let rules = protected(&["/migrations/", "*.sql", "!allowed.sql"]).unwrap();
        for (path, expected) in [
            ("migrations/1.py", true),
            ("src/migrations/1.py", false),
            ("src/schema.sql", true),
            ("src/allowed.sql", false),
        ] {
            assert_eq!(rules.why(&RepoPath::parse(path).unwrap()).is_some(), expected, "{path}");
        }
    }

    #[test]
    fn a_negated_pattern_can_not_free_a_built_in_one() {
        let rules = protected(&["!.github/workflows/*", "!.env"]).unwrap();
        assert!(rules.why(&RepoPath::parse(".github/workflows/ci.yml").unwrap()).is_some());
        assert!(rules.why(&RepoPath::parse(".env").unwrap()).is_some());
    }

    fn configured(protect: &[&str], allow: &[&str], scope: &[&str]) -> Protected {
        let list = |patterns: &[&str]| patterns.iter().map(ToString::to_string).collect();
        let source = Source::Github("o/r".into());
        let repository = Repository {
            protect: list(protect),
            allow: list(allow),
            scope: list(scope),
            ..Repository::new("*", source)
        };
        Protected::new(&Config::default(), &repository).unwrap()
    }

    fn why(rules: &Protected, path: &str) -> String {
        rules.why(&RepoPath::parse(path).unwrap()).unwrap_or_default()
    }

    #[test]
    fn what_is_allowed_by_name_is_free_and_nothing_else() {
        let rules =
            configured(&["/migrations/"], &["uv.lock", "/.github/workflows/docs.yml", "/migrations/README.md"], &[]);
        for path in ["uv.lock", "sub/uv.lock", ".github/workflows/docs.yml", "migrations/README.md"] {
            assert_eq!(why(&rules, path), "", "{path}");
        }
        for path in ["yarn.lock", ".github/workflows/ci.yml", "migrations/1.py", "UV.lock", "Migrations/README.md"] {
            assert!(why(&rules, path).contains("protected"), "{path}");
        }
        for path in [".git/config", ".gitmodules", "sub/.gitmodules"] {
            assert!(RepoPath::parse(path).is_err(), "no pattern frees {path}");
        }
    }

    #[test]
    fn a_scope_keeps_everything_else_out() {
        let rules =
            configured(&["/src/generated/"], &["/uv.lock"], &["/src/", "/tests/", "!/src/vendor/", "README.md"]);
        for path in ["src/a.py", "src/deep/b.py", "tests/x", "README.md", "docs/README.md"] {
            assert_eq!(why(&rules, path), "", "{path}");
        }
        for path in ["setup.py", "lib/src/a.py", "SRC/a.py", "uv.lock"] {
            assert!(why(&rules, path).contains("outside of what drafts may change here (`/src/`, `/tests/`"), "{path}");
        }
        assert!(why(&rules, "src/generated/a.py").contains("`protect`"), "the scope allows nothing");
        assert!(why(&rules, "src/.env").contains("secrets"));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = protected(&["x[z-a]"]).unwrap_err().to_string();
        assert!(error.contains("x[z-a]"), "{error}");
    }
}
