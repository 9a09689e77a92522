//! What every command begins with: settings, keys, and an engine of the right kind.

use super::exit::complain;
use crate::config::{self, Layer, Loaded, LoadedSecrets, Origin, Secrets, Sources, Within, Written};
use crate::drafting::Tools;
use crate::engine::{Clock, Engine, EngineOptions, Mode};
use crate::protocol::{Actor, Door};
use crate::providers::{GitCache, Http};
use anyhow::Context;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Flags that every command takes.
#[derive(Debug, clap::Args)]
pub(super) struct Global {
    #[arg(long, global = true, value_name = "FILE", help = "Settings to read instead of the usual config.toml")]
    pub config: Option<PathBuf>,
    #[arg(long, global = true, value_name = "FILE", help = "The database to use; also FEEDBACK_DB_PATH")]
    pub database: Option<PathBuf>,
}

/// Flags of the commands that take reports.
#[derive(Debug, Default, clap::Args)]
pub(super) struct ServerArgs {
    #[arg(long, value_name = "IP", help = "Address to listen on; anything but loopback needs FEEDBACK_API_KEY")]
    pub host: Option<IpAddr>,
    #[arg(long, value_name = "PORT", help = "Port to listen on, 0 for any free one; also FEEDBACK_PORT")]
    pub port: Option<Within<0, 65_535>>,
}

impl ServerArgs {
    /// These flags where they are given, else those before the subcommand's name.
    pub(super) fn or(&self, before: &Self) -> Self {
        Self { host: self.host.or(before.host), port: self.port.or(before.port) }
    }
}

/// What a process knows before it opens anything.
#[derive(Debug)]
pub(super) struct Setup {
    /// To read them again.
    pub sources: Sources,
    pub loaded: Loaded,
    pub secrets: Arc<Secrets>,
}

/// The settings that the flags make; the environment and the file lie under them.
pub(super) fn load(global: &Global, server: &ServerArgs) -> Result<Loaded, config::ConfigError> {
    sources(global, server).load()
}

/// The same, still to be read.
pub(super) fn sources(global: &Global, server: &ServerArgs) -> Sources {
    let mut flags = Layer::default();
    flags.database.path = global.database.clone().map(|path| Written::new(path, Origin::Flag("--database")));
    flags.server.host = server.host.map(|host| Written::new(host, Origin::Flag("--host")));
    flags.server.port = server.port.map(|port| Written::new(port, Origin::Flag("--port")));
    Sources::new(flags, global.config.clone(), config::process_vars)
}

impl Setup {
    pub(super) fn load(global: &Global, server: &ServerArgs) -> anyhow::Result<Self> {
        let sources = sources(global, server);
        let loaded = sources.load()?;
        let LoadedSecrets { secrets, warnings } = sources.secrets(&loaded.paths.secrets_file).context("keys")?;
        for warning in warnings {
            complain(&warning);
        }
        Ok(Self { sources, loaded, secrets: Arc::new(secrets) })
    }

    /// What trying the settings needs.
    pub(super) fn tools(&self) -> Tools {
        Tools {
            http: Http::new(),
            config: Arc::new(self.loaded.config.clone()),
            secrets: Arc::clone(&self.secrets),
            git: GitCache::new(self.loaded.paths.cache_dir.clone()),
        }
    }

    /// For a command that comes, acts and goes.
    pub(super) async fn guest(global: &Global) -> anyhow::Result<(Self, Engine)> {
        let setup = Self::load(global, &ServerArgs::default())?;
        let engine = setup.open(Mode::Guest).await?;
        Ok((setup, engine))
    }

    pub(super) async fn open(&self, mode: Mode) -> anyhow::Result<Engine> {
        let engine = Engine::open(EngineOptions {
            database: self.loaded.paths.database.clone(),
            config: Arc::new(self.loaded.config.clone()),
            secrets: Arc::clone(&self.secrets),
            sources: Some(self.sources.clone()),
            secrets_file: self.loaded.paths.secrets_file.clone(),
            cache_dir: self.loaded.paths.cache_dir.clone(),
            mode,
            clock: Clock::System,
        });
        Ok(engine.await?)
    }

    /// The name under notes: the configured one, or the login name.
    pub(super) fn author(&self) -> String {
        let configured = self.loaded.config.ui.author.trim();
        if !configured.is_empty() {
            return configured.to_owned();
        }
        let login = ["USER", "LOGNAME"].iter().find_map(|name| config::process_vars(name));
        login.unwrap_or_default()
    }

    pub(super) fn actor(&self) -> Actor {
        Actor::new(Door::Cli, self.author())
    }
}
