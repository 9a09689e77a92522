//! Settings as written: every key optional, each value with the place it came from.
//!
//! The same [`Layer`] holds what the flags say, what the environment says, what `config.toml` says and what the defaults are;
//! [`Layer::over`] puts one on top of another and is the program's only rule of precedence. A key is added to its table here,
//! to the struct in `types` and to `config.example.toml`; the compiler or a test names the one that was forgotten.

use super::load::Mistake;
use super::price;
use super::reader::Reader;
use super::repository::RepositoryFile;
use super::spec::Spec;
use super::table::table;
use super::types::{
    AnthropicConfig, CommandConfig, CompatibleConfig, Config, DraftConfig, GithubConfig, JsonMode, OpenaiConfig, Price,
    ServerConfig, ThemeChoice, TokenLimit, UiConfig,
};
use super::value::{BaseUrl, Becomes, ConfigValue, Origin, Within, Written, quote};
use crate::domain::draft::{Cost, DrafterKind, RedraftKind, TargetKind};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One setting, for `patchwork config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub table: &'static str,
    pub key: String,
    /// As TOML.
    pub value: String,
    pub origin: Origin,
}

table! {
    /// `[server]`
    ServerLayer = "server" {
        host: IpAddr,
        port: Within<0, 65_535>,
        allowed_hosts: Vec<String>,
        max_connections: Within<1, 65_535>,
    }
}

table! {
    /// `[database]`
    DatabaseLayer = "database" { path: PathBuf }
}

table! {
    /// `[ui]` without `[ui.keys]`
    UiLayer = "ui" => UiConfig { theme: ThemeChoice, author: String, mouse: bool }
}

table! {
    /// `[draft]`
    DraftLayer = "draft" => DraftConfig {
        drafter: DrafterKind,
        target: TargetKind,
        confirm: bool,
        redraft: RedraftKind,
        parallel: Within<1, 16>,
        context_tokens: Within<1_000, 1_000_000>,
        lookups: Within<0, 10>,
        protect: Vec<String>,
        verify_rounds: Within<0, 5>,
        verify_timeout: Duration,
        commit_author_name: String,
        commit_author_email: String,
        commit_trailers: Vec<String>,
        labels: Vec<String>,
        reviewers: Vec<String>,
        max_tokens_per_draft: Within<0, { u32::MAX }>,
        max_tokens_per_day: Within<0, { u32::MAX }>,
        max_cost_per_draft: Cost,
        max_cost_per_day: Cost,
    }
}

table! {
    /// `[anthropic]`
    AnthropicLayer = "anthropic" => AnthropicConfig { model: String, base_url: BaseUrl, max_output_tokens: Within<1_000, 128_000> }
}

table! {
    /// `[openai]`
    OpenaiLayer = "openai" => OpenaiConfig { model: String, base_url: BaseUrl, max_output_tokens: Within<1_000, 128_000> }
}

table! {
    /// `[openai-compatible]`
    CompatibleLayer = "openai-compatible" => CompatibleConfig {
        model: String,
        base_url: BaseUrl,
        max_output_tokens: Within<256, 1_000_000>,
        token_limit: TokenLimit,
        json: JsonMode,
    }
}

table! {
    /// `[command]`
    CommandLayer = "command" => CommandConfig { run: Vec<String>, timeout: Duration }
}

table! {
    /// `[github]`
    GithubLayer = "github" => GithubConfig { api_url: BaseUrl, server_url: BaseUrl, poll_interval: Duration }
}

/// All settings of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer {
    pub server: ServerLayer,
    pub database: DatabaseLayer,
    pub ui: UiLayer,
    /// `[ui.keys]`; layered key by key.
    pub keys: BTreeMap<String, Written<Vec<String>>>,
    pub draft: DraftLayer,
    pub anthropic: AnthropicLayer,
    pub openai: OpenaiLayer,
    pub openai_compatible: CompatibleLayer,
    pub command: CommandLayer,
    pub github: GithubLayer,
    /// `[[repository]]`; only the file has them.
    pub repositories: Vec<RepositoryFile>,
    /// `[[price]]`; only the file has them.
    pub prices: Vec<Price>,
}

/// Tables of the file, in the order of the example.
const TABLES: [&str; 11] = [
    "server",
    "database",
    "ui",
    "draft",
    "anthropic",
    "openai",
    "openai-compatible",
    "command",
    "github",
    "repository",
    "price",
];

impl Layer {
    /// Reads the text of a `config.toml`.
    ///
    /// # Errors
    /// Every mistake at once, each with its line and what is allowed there.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        let mut reader = Reader::new(text);
        let document = match DeTable::parse(text) {
            Ok(document) => document,
            Err(e) => {
                reader.fail(e.span().map_or(0, |s| s.start), format!("this is not TOML: {}", e.message()));
                return Err(reader.into_mistakes());
            }
        };
        let root = without_keys(document.get_ref());
        reader.refuse_unknown("", document.get_ref(), &TABLES);
        let layer = Self {
            server: ServerLayer::read(&mut reader, &root),
            database: DatabaseLayer::read(&mut reader, &root),
            ui: UiLayer::read(&mut reader, &root),
            keys: reader.key_bindings(document.get_ref()),
            draft: DraftLayer::read(&mut reader, &root),
            anthropic: AnthropicLayer::read(&mut reader, &root),
            openai: OpenaiLayer::read(&mut reader, &root),
            openai_compatible: CompatibleLayer::read(&mut reader, &root),
            command: CommandLayer::read(&mut reader, &root),
            github: GithubLayer::read(&mut reader, &root),
            repositories: reader.tables(&root, "repository", RepositoryFile::read),
            prices: reader.tables(&root, "price", price::read),
        };
        let mistakes = reader.into_mistakes();
        if mistakes.is_empty() { Ok(layer) } else { Err(mistakes) }
    }

    /// Every setting that can be in the file, but `[ui.keys]` and what comes in any number.
    pub fn specs() -> impl Iterator<Item = &'static Spec> {
        let tables = [
            ServerLayer::SPECS,
            DatabaseLayer::SPECS,
            UiLayer::SPECS,
            DraftLayer::SPECS,
            AnthropicLayer::SPECS,
            OpenaiLayer::SPECS,
            CompatibleLayer::SPECS,
            CommandLayer::SPECS,
            GithubLayer::SPECS,
        ];
        tables.into_iter().flatten()
    }

    /// This layer on top of a weaker one: what it says wins, key by key.
    #[must_use]
    pub fn over(self, lower: Self) -> Self {
        let mut keys = lower.keys;
        keys.extend(self.keys);
        Self {
            server: self.server.over(lower.server),
            database: self.database.over(lower.database),
            ui: self.ui.over(lower.ui),
            keys,
            draft: self.draft.over(lower.draft),
            anthropic: self.anthropic.over(lower.anthropic),
            openai: self.openai.over(lower.openai),
            openai_compatible: self.openai_compatible.over(lower.openai_compatible),
            command: self.command.over(lower.command),
            github: self.github.over(lower.github),
            repositories: if self.repositories.is_empty() { lower.repositories } else { self.repositories },
            prices: if self.prices.is_empty() { lower.prices } else { self.prices },
        }
    }

    /// The weakest layer: what holds when nobody says anything. An empty database path means the data directory.
    pub fn defaults() -> Self {
        Self::of(&Config::default())
    }

    /// Settings as used, written as if they were defaults; what comes in any number apart.
    pub fn of(used: &Config) -> Self {
        Self {
            server: ServerLayer::of(&used.server),
            database: DatabaseLayer { path: Some(Written::new(PathBuf::new(), Origin::Default)) },
            ui: UiLayer::of(&used.ui),
            keys: BTreeMap::new(),
            draft: DraftLayer::of(&used.draft),
            anthropic: AnthropicLayer::of(&used.anthropic),
            openai: OpenaiLayer::of(&used.openai),
            openai_compatible: CompatibleLayer::of(&used.openai_compatible),
            command: CommandLayer::of(&used.command),
            github: GithubLayer::of(&used.github),
            repositories: Vec::new(),
            prices: Vec::new(),
        }
    }

    /// Settings as used. Repositories come from [`super::load()`], which knows where relative paths begin.
    pub(super) fn resolve(self) -> Config {
        let mut used = Config::default();
        self.server.apply(&mut used.server);
        self.ui.apply(&mut used.ui);
        used.ui.keys = self.keys.into_iter().map(|(action, keys)| (action, keys.value)).collect();
        self.draft.apply(&mut used.draft);
        self.anthropic.apply(&mut used.anthropic);
        self.openai.apply(&mut used.openai);
        self.openai_compatible.apply(&mut used.openai_compatible);
        self.command.apply(&mut used.command);
        self.github.apply(&mut used.github);
        used.prices = self.prices;
        used
    }

    /// Every setting that this layer has, in the order of the example; repositories apart.
    pub fn entries(&self) -> Vec<Entry> {
        let mut out = Vec::new();
        self.server.entries(&mut out);
        self.database.entries(&mut out);
        self.ui.entries(&mut out);
        for (action, keys) in &self.keys {
            out.push(Entry {
                table: "ui.keys",
                key: bare_or_quoted(action),
                value: keys.value.write(),
                origin: keys.origin,
            });
        }
        self.draft.entries(&mut out);
        self.anthropic.entries(&mut out);
        self.openai.entries(&mut out);
        self.openai_compatible.entries(&mut out);
        self.command.entries(&mut out);
        self.github.entries(&mut out);
        out
    }
}

/// A key that TOML takes without quotes, or the quoted one.
pub(super) fn bare_or_quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if bare { key.to_owned() } else { quote(key) }
}

/// The document without `ui.keys`, whose keys are the user's and not ours.
fn without_keys<'a>(document: &DeTable<'a>) -> DeTable<'a> {
    let mut root = document.clone();
    if let Some(DeValue::Table(ui)) = root.get_mut("ui").map(Spanned::get_mut) {
        ui.remove("keys");
    }
    root
}

// `[server]` by hand: the file has host and port apart, the program has one address.

impl ServerLayer {
    fn apply(self, used: &mut ServerConfig) {
        let host = self.host.map_or(used.address.ip(), |w| w.value);
        let port = self.port.map_or(used.address.port(), |w| w.value.used());
        used.address = SocketAddr::new(host, port);
        if let Some(written) = self.allowed_hosts {
            used.allowed_hosts = written.value;
        }
        if let Some(written) = self.max_connections {
            used.max_connections = written.value.used();
        }
    }

    fn of(used: &ServerConfig) -> Self {
        Self {
            host: Some(Written::new(used.address.ip(), Origin::Default)),
            port: Some(Written::new(Within::written(&used.address.port()), Origin::Default)),
            allowed_hosts: Some(Written::new(used.allowed_hosts.clone(), Origin::Default)),
            max_connections: Some(Written::new(Within::written(&used.max_connections), Origin::Default)),
        }
    }
}
