//! Whether a draft can start, asked before anything is fetched or paid for; and the place a draft starts from and goes to.

use super::error::DraftError;
use super::job::{Job, Tools};
use crate::config::{Config, Repository, Secrets, Source};
use crate::domain::draft::{DrafterKind, TargetKind};
use crate::domain::text;
use crate::providers::{Github, Remote};
use std::path::Path;

/// Who drafts for a repository and where the change goes, when the command that starts the draft does not say.
///
/// A repository's own setting outranks `[draft]`. A repository on this machine goes to `local` unless it says otherwise.
pub fn defaults(config: &Config, repository: &Repository) -> (DrafterKind, TargetKind) {
    let target = repository.target.unwrap_or(match repository.source {
        Source::Github(_) => config.draft.target,
        Source::Local(_) => TargetKind::Local,
    });
    (repository.drafter.unwrap_or(config.draft.drafter), target)
}

/// What keeps a draft for this server from starting, a sentence each that says what to do; empty when it can start.
pub fn missing_configuration(config: &Config, secrets: &Secrets, server_name: &str) -> Vec<String> {
    let Some(repository) = config.repository_for(server_name) else {
        let name = text::clipped(server_name, 80);
        return vec![format!(
            "No repository is configured for the server `{name}`: add a [[repository]] with server = \"{name}\" (or \"*\") to config.toml."
        )];
    };
    let (drafter, target) = defaults(config, repository);
    missing(config, secrets, repository, drafter, target)
}

/// The same for a drafter and a target that someone chose.
pub fn missing(
    config: &Config,
    secrets: &Secrets,
    repository: &Repository,
    drafter: DrafterKind,
    target: TargetKind,
) -> Vec<String> {
    let mut missing = Vec::new();
    match drafter {
        DrafterKind::Anthropic if secrets.anthropic.is_none() => missing.push(
            "The drafter `anthropic` needs a key: set ANTHROPIC_API_KEY in the environment or in secrets.env.".to_owned(),
        ),
        DrafterKind::Command if config.command.run.is_empty() => missing.push(
            "The drafter `command` needs a program: set run = [\"program\", \"argument\", …] under [command] in config.toml."
                .to_owned(),
        ),
        DrafterKind::Openai if secrets.openai.is_none() => missing.push(
            "The drafter `openai` needs a key: set OPENAI_API_KEY in the environment or in secrets.env.".to_owned(),
        ),
        DrafterKind::OpenaiCompatible if config.openai_compatible.model.is_empty() => missing.push(
            "The drafter `openai-compatible` needs a model: set `model` (and `base_url`) under [openai-compatible] in config.toml."
                .to_owned(),
        ),
        DrafterKind::Anthropic | DrafterKind::Openai | DrafterKind::OpenaiCompatible | DrafterKind::Command => {}
    }
    match (target, &repository.source) {
        (TargetKind::Github, Source::Github(_)) if secrets.github.is_none() => missing.push(
            "The target `github` needs a token: set GITHUB_TOKEN in the environment or in secrets.env.".to_owned(),
        ),
        (TargetKind::Github, Source::Local(path)) => missing.push(format!(
            "The target `github` needs a repository on GitHub, and {} is a directory: write github = \"owner/name\", or use the target `local`.",
            path.display()
        )),
        (TargetKind::Local, Source::Github(slug)) => missing.push(format!(
            "The target `local` needs a directory, and `{}` is on GitHub: write path = \"/where/it/is\", or use the target `github`.",
            text::clipped(slug, 120)
        )),
        (TargetKind::Local, Source::Local(path)) if !path.is_dir() => {
            missing.push(format!("The repository {} is not there: correct its path in config.toml.", path.display()));
        }
        (TargetKind::Github, Source::Github(_)) | (TargetKind::Local, Source::Local(_)) => {}
    }
    missing
}

/// Where the code comes from and where the draft goes.
pub(super) struct Place {
    pub(super) remote: Remote,
    /// `owner/name` or a directory, for people.
    pub(super) name: String,
    /// The target, when it is a pull request.
    pub(super) github: Option<Hub>,
}

/// A repository on GitHub and the client to talk to it.
pub(super) struct Hub {
    pub(super) client: Github,
    pub(super) slug: String,
}

impl Place {
    /// # Errors
    /// When the configuration lacks something, with all that is missing.
    pub(super) fn new(job: &Job, tools: &Tools) -> Result<Self, DraftError> {
        let missing = missing(&tools.config, &tools.secrets, &job.repository, job.drafter, job.target);
        if !missing.is_empty() {
            return Err(DraftError::Configuration(missing.join(" ")));
        }
        Ok(Self::unchecked(&job.repository, tools))
    }

    /// For looking only: a public repository can be read without a token, and no drafter is needed.
    pub(super) fn unchecked(repository: &Repository, tools: &Tools) -> Self {
        match &repository.source {
            Source::Github(slug) => Self::on_github(slug, repository.remote.as_deref(), tools),
            Source::Local(path) => Self::local(path),
        }
    }

    /// The API is asked with the token; git goes to `remote` without it, or with it to where GitHub keeps repositories.
    fn on_github(slug: &str, remote: Option<&str>, tools: &Tools) -> Self {
        let config = &tools.config.github;
        let token = tools.secrets.github.clone();
        let github = token
            .clone()
            .map(|token| Hub { client: Github::new(tools.http.clone(), config, token), slug: slug.to_owned() });
        let remote = match remote {
            Some(own) => Remote::Own(own.to_owned()),
            None => Remote::Url { url: format!("{}/{slug}.git", config.server_url), token },
        };
        Self { remote, name: slug.to_owned(), github }
    }

    fn local(path: &Path) -> Self {
        Self { remote: Remote::Path(path.to_owned()), name: path.display().to_string(), github: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn repository(source: Source) -> Repository {
        Repository::new("billing", source)
    }

    #[test]
    fn what_is_missing_is_said_with_the_line_to_write() {
        let mut config = Config::default();
        let mut secrets = Secrets::default();
        let first = missing_configuration(&config, &secrets, "billing");
        assert!(first.len() == 1 && first[0].contains("[[repository]]"), "{first:?}");

        config.repositories.push(repository(Source::Github("o/r".into())));
        let keys = missing_configuration(&config, &secrets, "billing");
        assert!(keys[0].contains("ANTHROPIC_API_KEY") && keys[1].contains("GITHUB_TOKEN"), "{keys:?}");

        secrets.anthropic = Some("k".to_owned().into());
        secrets.github = Some("t".to_owned().into());
        assert!(missing_configuration(&config, &secrets, "billing").is_empty());

        config.draft.drafter = DrafterKind::Command;
        assert!(missing_configuration(&config, &secrets, "billing")[0].contains("[command]"));
    }

    #[test]
    fn a_directory_is_a_local_target_and_nothing_else() {
        let config = Config::default();
        let here = repository(Source::Local(PathBuf::from("/")));
        assert_eq!(defaults(&config, &here).1, TargetKind::Local);
        let wrong = missing(&config, &Secrets::default(), &here, DrafterKind::Anthropic, TargetKind::Github);
        assert!(wrong[1].contains("owner/name"), "{wrong:?}");
        let gone = repository(Source::Local(PathBuf::from("/no/such/place")));
        let gone = missing(&config, &Secrets::default(), &gone, DrafterKind::Anthropic, TargetKind::Local);
        assert!(gone[1].contains("is not there"), "{gone:?}");
    }
}
