//! The settings that the original's dashboard edits, laid under the configuration file.
//!
//! `config.toml` wins where it says something; the stored settings fill in the repository, branch and model it leaves open.

use super::{Engine, refusal};
use crate::config::{Config, DraftConfig, Repository, Secrets, Source, mask};
use crate::domain::draft::DrafterKind;
use crate::domain::feedback::FieldError;
use crate::drafting;
use crate::protocol::read::SettingsView;
use crate::protocol::{Refusal, RefusalKind, SettingsPatch};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest setting, in bytes.
const MAX_SETTING: usize = 512;

/// A patch as rows, checked: one line each, of a bearable length.
pub(super) fn pairs(patch: SettingsPatch) -> Result<Vec<(&'static str, String)>, Refusal> {
    let given = [
        ("github_repo", patch.github_repo),
        ("default_branch", patch.default_branch),
        ("llm_provider", patch.llm_provider),
        ("llm_model", patch.llm_model),
    ];
    let mut pairs = Vec::new();
    let mut faults = Vec::new();
    for (key, value) in given {
        let Some(value) = value else { continue };
        match fault(key, &value) {
            Some(message) => faults.push(FieldError::new(key, "value", message)),
            None => pairs.push((key, value)),
        }
    }
    if faults.is_empty() {
        return Ok(pairs);
    }
    let detail = faults.iter().map(|f| format!("{}: {}", f.field, f.message)).collect::<Vec<_>>().join("; ");
    Err(Refusal { kind: RefusalKind::Invalid, detail, fields: faults })
}

fn fault(key: &str, value: &str) -> Option<&'static str> {
    if value.chars().any(char::is_control) {
        return Some("must be one line without control characters");
    }
    if value.len() > MAX_SETTING {
        return Some("must have at most 512 bytes");
    }
    let slug = |v: &str| v.split_once('/').is_some_and(|(o, n)| !o.is_empty() && !n.is_empty() && !n.contains('/'));
    match key {
        "github_repo" if !value.is_empty() && !slug(value) => Some("must look like owner/name"),
        "llm_provider" if !value.is_empty() && DrafterKind::from_word(value).is_none() => {
            Some("must be `anthropic`, `openai`, `openai-compatible` or `command`")
        }
        _ => None,
    }
}

/// The configuration with the stored settings laid under it.
fn effective(config: &Config, stored: &BTreeMap<String, String>) -> Config {
    let mut config = config.clone();
    let get = |key: &str| stored.get(key).filter(|v| !v.is_empty()).cloned();
    if config.repositories.is_empty()
        && let Some(repo) = get("github_repo")
    {
        let branch = get("default_branch");
        config.repositories.push(Repository { branch, ..Repository::new("*", Source::Github(repo)) });
    }
    let provider = get("llm_provider").map(|word| DrafterKind::from_word(&word));
    if let Some(Some(drafter)) = provider
        && config.draft.drafter == DraftConfig::default().drafter
    {
        config.draft.drafter = drafter;
    }
    // A model is one of the provider it was stored with. Of a provider that we don't know it means nothing, and an original that
    // never chose one had Anthropic's.
    if let Some(model) = get("llm_model")
        && let Some(drafter) = provider.unwrap_or(Some(DrafterKind::Anthropic))
    {
        let defaults = Config::default();
        if config.model_of(drafter) == defaults.model_of(drafter) {
            set_model(&mut config, drafter, model);
        }
    }
    config
}

fn set_model(config: &mut Config, drafter: DrafterKind, model: String) {
    match drafter {
        DrafterKind::Anthropic => config.anthropic.model = model,
        DrafterKind::Openai => config.openai.model = model,
        DrafterKind::OpenaiCompatible => config.openai_compatible.model = model,
        // A program has no model that we could choose.
        DrafterKind::Command => {}
    }
}

fn masked(key: Option<&SecretString>) -> String {
    key.map(mask).unwrap_or_default()
}

impl Engine {
    /// The configuration as a draft that begins now uses it: what the file says now, with the stored settings where it is silent.
    ///
    /// # Errors
    /// When the file can't be understood any more.
    pub(super) async fn effective_config(&self) -> Result<Config, Refusal> {
        self.reload().await?;
        self.with_stored_settings().await
    }

    /// The same for a run that was begun before: a mistake that was made in the file since then does not end it.
    pub(super) async fn config_of_a_run(&self) -> Result<Config, Refusal> {
        if let Err(refusal) = self.reload().await {
            tracing::warn!(error = %refusal, "the settings can't be read again; those from before hold");
        }
        self.with_stored_settings().await
    }

    pub(super) async fn with_stored_settings(&self) -> Result<Config, Refusal> {
        let stored = self.inner.store.settings().await.map_err(refusal)?;
        Ok(effective(&self.in_force().config, &stored))
    }

    pub(super) fn secrets(&self) -> Arc<Secrets> {
        Arc::clone(&self.in_force().secrets)
    }

    pub async fn settings(&self) -> Result<SettingsView, Refusal> {
        let config = self.effective_config().await?;
        let secrets = self.secrets();
        let repository = config.repositories.iter().find(|r| r.server == "*").or(config.repositories.first());
        let server = repository.map_or("*", |r| r.server.as_str());
        let missing = drafting::missing_configuration(&config, &secrets, server);
        Ok(SettingsView {
            github_repo: repository.map_or_else(String::new, |r| match &r.source {
                Source::Github(slug) => slug.clone(),
                Source::Local(_) => String::new(),
            }),
            default_branch: repository.and_then(|r| r.branch.clone()).unwrap_or_default(),
            llm_provider: config.draft.drafter.to_string(),
            llm_model: Some(config.draft.drafter)
                .filter(|drafter| drafter.asks_a_model())
                .map_or_else(String::new, |drafter| config.model_of(drafter).to_owned()),
            github_pat: masked(secrets.github.as_ref()),
            anthropic_api_key: masked(secrets.anthropic.as_ref()),
            openai_api_key: masked(secrets.openai.as_ref()),
            openai_compatible_api_key: masked(secrets.openai_compatible.as_ref()),
            configured: missing.is_empty(),
            missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AnthropicConfig;

    fn stored(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn stored_settings_fill_in_where_the_file_is_silent() {
        let config = effective(
            &Config::default(),
            &stored(&[("github_repo", "o/r"), ("llm_provider", "openai"), ("llm_model", "gpt-x")]),
        );
        assert_eq!(config.repository_for("any").unwrap().source, Source::Github("o/r".into()));
        assert_eq!((config.draft.drafter, config.openai.model.as_str()), (DrafterKind::Openai, "gpt-x"));
        assert_eq!(config.anthropic, AnthropicConfig::default());

        let mut file = Config::default();
        file.anthropic.model = "from-the-file".into();
        file.draft.drafter = DrafterKind::Command;
        let config = effective(&file, &stored(&[("llm_provider", "anthropic"), ("llm_model", "m-1")]));
        assert_eq!((config.draft.drafter, config.anthropic.model.as_str()), (DrafterKind::Command, "from-the-file"));
    }

    #[test]
    fn a_model_is_asked_of_the_provider_it_was_stored_with() {
        let config = effective(&Config::default(), &stored(&[("llm_provider", "gemini"), ("llm_model", "gemini-9")]));
        assert_eq!(config, Config::default());
        let config = effective(&Config::default(), &stored(&[("llm_model", "claude-y")]));
        assert_eq!((config.draft.drafter, config.anthropic.model.as_str()), (DrafterKind::Anthropic, "claude-y"));
        let config = effective(&Config::default(), &stored(&[("llm_provider", "command"), ("llm_model", "m-1")]));
        assert_eq!((config.draft.drafter, &config.anthropic), (DrafterKind::Command, &AnthropicConfig::default()));
    }
}
