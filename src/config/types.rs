//! Settings as used: complete, typed, with the defaults in one place.

use crate::domain::draft::{Cost, DrafterKind, RedraftKind, TargetKind};
use crate::domain::feedback::word_enum;
use serde::{Deserialize, Serialize};
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
    pub openai: OpenaiConfig,
    pub openai_compatible: CompatibleConfig,
    pub command: CommandConfig,
    pub github: GithubConfig,
    /// In the order written; the first whose `server` fits a report is used.
    pub repositories: Vec<Repository>,
    /// Prices that the user knows; they outrank the built-in ones.
    pub prices: Vec<Price>,
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
    /// Stop at the finished change and let a person look before anything leaves the machine.
    pub confirm: bool,
    pub redraft: RedraftKind,
    /// Runs at the same time; more wait.
    pub parallel: usize,
    /// Estimated tokens of repository text given to the drafter.
    pub context_tokens: usize,
    /// How often the model may ask for more files or search the repository before it answers.
    pub lookups: usize,
    /// How often a failed `verify` goes back to the drafter.
    pub verify_rounds: usize,
    pub verify_timeout: Duration,
    /// Paths no draft may change, as gitignore-style patterns, besides the built-in ones.
    pub protect: Vec<String>,
    pub commit_author_name: String,
    pub commit_author_email: String,
    /// Lines such as `Signed-off-by: A <a@example.com>` at the end of each commit message.
    pub commit_trailers: Vec<String>,
    /// Put on each pull request.
    pub labels: Vec<String>,
    /// Asked to review each pull request; `owner/team` asks a team.
    pub reviewers: Vec<String>,
    /// 0: no limit. The same for the three below.
    pub max_tokens_per_draft: u32,
    pub max_tokens_per_day: u32,
    pub max_cost_per_draft: Cost,
    pub max_cost_per_day: Cost,
}

impl Default for DraftConfig {
    fn default() -> Self {
        Self {
            drafter: DrafterKind::Anthropic,
            target: TargetKind::Github,
            confirm: true,
            redraft: RedraftKind::NewPr,
            parallel: 2,
            context_tokens: 60_000,
            lookups: 4,
            verify_rounds: 2,
            verify_timeout: Duration::from_mins(15),
            protect: Vec::new(),
            commit_author_name: "PatchworkMCP".into(),
            commit_author_email: "patchwork@localhost".into(),
            commit_trailers: Vec::new(),
            labels: Vec::new(),
            reviewers: Vec::new(),
            max_tokens_per_draft: 0,
            max_tokens_per_day: 0,
            max_cost_per_draft: Cost(0),
            max_cost_per_day: Cost(0),
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

/// `[openai]`: the Responses API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenaiConfig {
    pub model: String,
    /// Without a trailing slash.
    pub base_url: String,
    /// What the model thinks counts too.
    pub max_output_tokens: u32,
}

impl Default for OpenaiConfig {
    fn default() -> Self {
        Self { model: "gpt-5.2-codex".into(), base_url: "https://api.openai.com/v1".into(), max_output_tokens: 32_000 }
    }
}

word_enum! {
    /// What a server calls the longest answer it may give.
    TokenLimit {
        MaxTokens = "max_tokens",
        MaxCompletionTokens = "max_completion_tokens",
    }
}

word_enum! {
    /// How a server is asked for JSON.
    JsonMode {
        /// The schema is sent, and the server keeps the model to it.
        Schema = "json_schema",
        /// The server makes it JSON; the schema stands in the prompt.
        Object = "json_object",
        /// The server knows neither; the schema stands in the prompt.
        None = "none",
    }
}

/// `[openai-compatible]`: a server with the Chat Completions API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompatibleConfig {
    /// Empty: not configured. No name is right for every server.
    pub model: String,
    /// Without a trailing slash.
    pub base_url: String,
    pub max_output_tokens: u32,
    pub token_limit: TokenLimit,
    pub json: JsonMode,
}

impl Default for CompatibleConfig {
    fn default() -> Self {
        Self {
            model: String::new(),
            base_url: "http://localhost:11434/v1".into(),
            max_output_tokens: 16_000,
            token_limit: TokenLimit::MaxTokens,
            json: JsonMode::Schema,
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
    /// How often open pull requests of drafts are looked at.
    pub poll_interval: Duration,
}

impl Default for GithubConfig {
    fn default() -> Self {
        Self {
            api_url: "https://api.github.com".into(),
            server_url: "https://github.com".into(),
            poll_interval: Duration::from_mins(5),
        }
    }
}

/// `[[price]]`: what a model costs, for a million tokens each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// The model's name as the drafter's settings have it.
    pub model: String,
    pub input: Cost,
    pub output: Cost,
    /// Read from the provider's cache; `None`: the same as `input`.
    pub cached: Option<Cost>,
    /// Written to the provider's cache; `None`: the same as `input`.
    pub cache_write: Option<Cost>,
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
    /// Where git goes for what is on GitHub, with the user's own keys and helpers; `None`: to `server_url`, with the token.
    pub remote: Option<String>,
    /// The branch drafts start from; `None` means the repository's default branch.
    pub branch: Option<String>,
    pub drafter: Option<DrafterKind>,
    pub target: Option<TargetKind>,
    /// Patterns of paths that no draft may change, besides those of `[draft]`.
    pub protect: Vec<String>,
    /// Patterns of protected paths that drafts may change all the same.
    pub allow: Vec<String>,
    /// Patterns of the only paths that drafts may change; empty: all.
    pub scope: Vec<String>,
    /// A shell command that is run in the worktree to find out whether the change works.
    pub verify: Option<String>,
}

impl Repository {
    /// With nothing but what it needs.
    pub fn new(server: impl Into<String>, source: Source) -> Self {
        Self {
            server: server.into(),
            source,
            remote: None,
            branch: None,
            drafter: None,
            target: None,
            protect: Vec::new(),
            allow: Vec::new(),
            scope: Vec::new(),
            verify: None,
        }
    }
}

impl Config {
    /// The name of the model behind a drafter, or of its program without its directory; empty where none is configured.
    pub fn model_of(&self, drafter: DrafterKind) -> &str {
        match drafter {
            DrafterKind::Anthropic => &self.anthropic.model,
            DrafterKind::Openai => &self.openai.model,
            DrafterKind::OpenaiCompatible => &self.openai_compatible.model,
            DrafterKind::Command => {
                let program = self.command.run.first().map_or("", String::as_str);
                program.rsplit('/').next().unwrap_or(program)
            }
        }
    }

    /// The repository that answers for a server: by name first, then `*`.
    pub fn repository_for(&self, server_name: &str) -> Option<&Repository> {
        let named = self.repositories.iter().find(|r| r.server.eq_ignore_ascii_case(server_name));
        named.or_else(|| self.repositories.iter().find(|r| r.server == "*"))
    }
}
