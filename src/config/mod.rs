//! L1: settings as used ([`Config`]), settings as written (`file`), keys (`secrets`) and places (`paths`).
//!
//! One rule of precedence: flag, then environment, then `config.toml`, then the default. What the rest of the program sees is
//! [`Config`], with nothing optional that has a default. Secrets live in [`Secrets`] only, and that type prints itself masked.

mod secrets;
mod types;

pub use secrets::{Secrets, SecretsPatch};
pub use types::{
    AnthropicConfig, CommandConfig, Config, DraftConfig, GithubConfig, Repository, ServerConfig, Source, ThemeChoice,
    UiConfig,
};
