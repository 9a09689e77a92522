//! The settings in force, read again when somebody depends on them, and the two ways to change them from inside.
//!
//! Settings and keys are files that their owner edits by hand, with `patchwork config`, or on the screen. The files are the truth; nothing
//! of them is copied into the database. So a draft, and whoever looks at the settings, reads them first. A change of a setting is a
//! command like any other: one line of `config.toml` is written, then an event that names it, so that watchers read again. Keys
//! are the exception: a command may be stored and sent, a key never, so [`Engine::save_secrets`] is a method of its own.
//!
//! What can't change while the program runs is the address it listens on, the database, and what the screen began with.

use super::{Engine, EngineOptions, Inner, receipt, refusal};
use crate::config::{self, Address, Config, EditError, Loaded, Secrets, SecretsError, SecretsPatch, Sources, Value};
use crate::domain::id::CommandId;
use crate::protocol::{Actor, Receipt, Refusal, RefusalKind};
use crate::store::Change;
use std::path::Path;
use std::sync::{Arc, PoisonError};

/// Settings and keys as they were last read.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) config: Arc<Config>,
    pub(super) secrets: Arc<Secrets>,
    /// With where each value comes from; `None` for an engine that was given its settings.
    pub(super) loaded: Option<Loaded>,
}

impl InForce {
    /// What the engine is opened with.
    pub(super) fn at_first(options: &EngineOptions) -> Self {
        Self { config: Arc::clone(&options.config), secrets: Arc::clone(&options.secrets), loaded: None }
    }

    fn read(sources: &Sources, secrets_file: &Path) -> Result<Self, String> {
        let loaded = sources.load().map_err(|e| e.to_string())?;
        let secrets = sources.secrets(secrets_file).map_err(|e| e.to_string())?.secrets;
        Ok(Self { config: Arc::new(loaded.config.clone()), secrets: Arc::new(secrets), loaded: Some(loaded) })
    }
}

impl Inner {
    pub(super) fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn put_in_force(&self, new: InForce) {
        self.places.set(new.config.draft.parallel);
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
    }
}

impl Engine {
    pub(super) fn in_force(&self) -> Arc<InForce> {
        self.inner.in_force()
    }

    /// Reads settings and keys again.
    ///
    /// # Errors
    /// When they can't be understood; those from before then go on to hold.
    pub(super) async fn reload(&self) -> Result<(), Refusal> {
        let Some(sources) = self.inner.options.sources.clone() else { return Ok(()) };
        let secrets_file = self.inner.options.secrets_file.clone();
        let read = blocking(move || InForce::read(&sources, &secrets_file)).await?;
        self.inner.put_in_force(read.map_err(|sentence| Refusal::new(RefusalKind::Unconfigured, sentence))?);
        Ok(())
    }

    /// Changes one setting of `config.toml`; without a value it is taken out. A command that was seen before gets its first answer again.
    pub(super) async fn change_setting(
        &self,
        id: CommandId,
        actor: Actor,
        setting: &str,
        value: Option<&str>,
    ) -> Result<Receipt, Refusal> {
        if let Some(written) = self.inner.store.answered(&id).await.map_err(refusal)? {
            return Ok(receipt(written));
        }
        let Some(sources) = self.inner.options.sources.clone() else {
            return Err(Refusal::new(RefusalKind::Unconfigured, "this process has no config.toml to change"));
        };
        let address = Address::parse(setting).map_err(|e| not_changed(&e))?;
        let name = address.to_string();
        let value = value.map(str::to_owned);
        let changed = blocking(move || {
            let file = sources.config_file().map_err(|e| e.to_string());
            let file = file.map_err(|e| Refusal::new(RefusalKind::Storage, e))?;
            let value = value.as_deref().map_or(Value::Unset, Value::Typed);
            config::change(&file, &address, value, &|_| Ok(())).map_err(|e| not_changed(&e))
        });
        changed.await??;
        self.settings_changed(Some(id), actor, name).await
    }

    /// Writes keys to `secrets.env`; they never pass through a command, an event or the database.
    pub async fn save_secrets(&self, actor: Actor, patch: SecretsPatch) -> Result<(), Refusal> {
        let file = self.inner.options.secrets_file.clone();
        let saved = patch.clone();
        let result = blocking(move || Secrets::save(&file, &saved)).await?;
        result.map_err(|e| {
            let kind = match e {
                SecretsError::IllegalValue { .. } => RefusalKind::Invalid,
                SecretsError::Io { .. } | SecretsError::Exposed { .. } | SecretsError::Malformed { .. } => {
                    RefusalKind::Storage
                }
            };
            Refusal::new(kind, e.to_string())
        })?;
        if self.inner.options.sources.is_none() {
            let before = self.in_force();
            let secrets = Arc::new(before.secrets.patched(&patch));
            self.inner.put_in_force(InForce { config: Arc::clone(&before.config), secrets, loaded: None });
        }
        self.settings_changed(None, actor, patch.names().join(" ")).await.map(drop)
    }

    /// Reads again what was just written, and tells watchers; `what` names it without its value.
    async fn settings_changed(&self, id: Option<CommandId>, actor: Actor, what: String) -> Result<Receipt, Refusal> {
        if let Err(refusal) = self.reload().await {
            // It was read before it was written: somebody else has been at the file since.
            tracing::warn!(error = %refusal, "settings that were just written can't be read");
        }
        let written = self.write(id, actor, Change::NoteSettings { what }).await.map_err(refusal)?;
        Ok(receipt(written))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Refusal::new(RefusalKind::Storage, format!("reading or writing the settings died: {e}")))
}

fn not_changed(e: &EditError) -> Refusal {
    let kind = match e {
        EditError::Unknown(_) | EditError::Value { .. } | EditError::Mistakes { .. } => RefusalKind::Invalid,
        EditError::Missing { .. } => RefusalKind::NotFound,
        EditError::Unusual { .. } | EditError::Contended { .. } => RefusalKind::Conflict,
        EditError::Io { .. } => RefusalKind::Storage,
    };
    Refusal::new(kind, e.to_string())
}
