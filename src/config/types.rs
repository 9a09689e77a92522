//! Settings as used: complete, typed, with the defaults in one place.

use crate::domain::draft::{DrafterKind, TargetKind};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    pub server: ServerConfig,
    pub ui: UiConfig,
    pub draft: DraftConfig,
    pub anthropic: AnthropicConfig,
    pub command: CommandConfig,
    pub github: GithubConfig,
    /// In the order written; the first whose `server` fits a report is used.
    pub repositories: Vec<Repository>,
}

/// `[server]`: the ingest server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    pub address: SocketAddr,
    /// Host names besides loopback that a request may name in `Host` and `Origin`.
    pub allowed_hosts: Vec<String>,
    pub max_connections: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8099),
            allowed_hosts: Vec::new(),
            max_connections: 512,
        }
    }
}

/// Which colours to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThemeChoice {
    /// From the terminal's background.
    #[default]
    Auto,
    Dark,
    Light,
}

impl ThemeChoice {
    pub const ALL: &[Self] = &[Self::Auto, Self::Dark, Self::Light];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|choice| choice.as_str() == word)
    }
}

/// `[ui]`: the terminal front-end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UiConfig {
    pub theme: ThemeChoice,
    /// The name under notes; empty means the login name.
    pub author: String,
    /// `[ui.keys]`: action name to keys, instead of the keys in `assets/keymap.toml`.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Ask the terminal for mouse events.
    pub mouse: bool,
}

impl Default for UiConfig {
    fn default() -> Self {
        Self { theme: ThemeChoice::Auto, author: String::new(), keys: BTreeMap::new(), mouse: true }
    }
}

/// `[draft]`: how drafts are made unless a repository says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftConfig {
    pub drafter: DrafterKind,
    pub target: TargetKind,
    /// Runs at the same time; more wait.
    pub parallel: usize,
    /// Estimated tokens of repository text given to the drafter.
    pub context_tokens: usize,
    /// Paths no draft may change, as gitignore-style patterns, besides the built-in ones.
    pub protect: Vec<String>,
    pub commit_author_name: String,
    pub commit_author_email: String,
}

impl Default for DraftConfig {
    fn default() -> Self {
        Self {
            drafter: DrafterKind::Anthropic,
            target: TargetKind::Github,
            parallel: 2,
            context_tokens: 60_000,
            protect: Vec::new(),
            commit_author_name: "PatchworkMCP".into(),
            commit_author_email: "patchwork@localhost".into(),
        }
    }
}

/// `[anthropic]`: the Messages API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnthropicConfig {
    pub model: String,
    /// Without a trailing slash and without `/v1`.
    pub base_url: String,
    pub max_output_tokens: u32,
}

impl Default for AnthropicConfig {
    fn default() -> Self {
        Self {
            model: "claude-opus-4-6".into(),
            base_url: "https://api.anthropic.com".into(),
            max_output_tokens: 32_000,
        }
    }
}

/// `[command]`: a coding agent with a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandConfig {
    /// Program and arguments; run without a shell. Empty: not configured.
    pub run: Vec<String>,
    pub timeout: Duration,
}

impl Default for CommandConfig {
    fn default() -> Self {
        Self { run: Vec::new(), timeout: Duration::from_mins(20) }
    }
}

/// `[github]`: base URLs, for GitHub Enterprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubConfig {
    /// REST base without a trailing slash; `https://HOST/api/v3` on Enterprise.
    pub api_url: String,
    /// Where repositories are cloned from, without a trailing slash.
    pub server_url: String,
}

impl Default for GithubConfig {
    fn default() -> Self {
        Self { api_url: "https://api.github.com".into(), server_url: "https://github.com".into() }
    }
}

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `owner/name`.
    Github(String),
    /// A directory with a git repository.
    Local(PathBuf),
}

/// `[[repository]]`: the code behind an MCP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The `server_name` of the reports it answers for; `*` for all.
    pub server: String,
    pub source: Source,
    /// The branch drafts start from; `None` means the repository's default branch.
    pub branch: Option<String>,
    pub drafter: Option<DrafterKind>,
    pub target: Option<TargetKind>,
    pub protect: Vec<String>,
}

impl Config {
    /// The repository that answers for a server: by name first, then `*`.
    pub fn repository_for(&self, server_name: &str) -> Option<&Repository> {
        let named = self.repositories.iter().find(|r| r.server.eq_ignore_ascii_case(server_name));
        named.or_else(|| self.repositories.iter().find(|r| r.server == "*"))
    }
}
