//! L1: settings as used ([`Config`]), settings as written ([`Layer`]), keys ([`Secrets`]) and places ([`Paths`]).
//!
//! One rule of precedence, written once ([`Layer::over`]): flag, then environment, then `config.toml`, then the default. What the
//! rest of the program sees is [`Config`], with nothing optional that has a default. Secrets live in [`Secrets`] only, and that
//! type prints itself masked. Nothing here reads the process's environment by itself: it is handed in as [`Vars`], so that tests
//! decide what it holds.

mod atomic;
mod edit;
mod env_file;
mod example;
mod file;
mod load;
mod paths;
mod price;
mod reader;
mod remote;
mod repository;
mod secrets;
mod spec;
mod table;
mod types;
mod value;

pub use edit::{Address, EditError, Edited, Value, change};
pub use example::EXAMPLE;
pub use file::{Entry, Layer};
pub use load::{ConfigError, Loaded, Mistake, Sources, load};
pub use paths::{NoHome, Paths};
pub use repository::RepositoryFile;
pub use secrets::{LoadedSecrets, Secrets, SecretsError, SecretsPatch, mask, secret_name};
pub use spec::{Spec, about_table, as_typed};
pub use types::{
    AnthropicConfig, CommandConfig, CompatibleConfig, Config, DraftConfig, GithubConfig, JsonMode, OpenaiConfig, Price,
    Repository, ServerConfig, Source, ThemeChoice, TokenLimit, UiConfig,
};
pub use value::{BaseUrl, Origin, Within, Written};

/// Looks a variable of the environment up; an empty one counts as not set.
pub type Vars<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of this process.
pub fn process_vars(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What is set, and not to nothing.
fn set(vars: Vars<'_>, name: &str) -> Option<String> {
    vars(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
}
