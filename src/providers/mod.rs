//! L2: the only outside world. Language models, GitHub, git and coding agents are reached from here and from nowhere else.
//!
//! A language model is asked through [`Model`], whoever sells it. One HTTP client with time-outs and one retry policy ([`http`]), one way to start child processes ([`process`] and the
//! git wrapper share it: own process group, killed as a tree, none of our keys in the environment), one error type whose
//! text is a sentence for the user ([`error`]). Dropping a future stops what it started. `drafting` is the only caller.

pub mod anthropic;
mod child;
pub mod error;
pub mod git;
pub mod github;
pub mod http;
pub mod model;
pub mod openai;
pub mod openai_compatible;
mod pace;
pub mod process;
mod redact;
mod retry;
pub mod sidecar;

pub use anthropic::Anthropic;
pub use error::ProviderError;
pub use git::{Changed, GitCache, Remote, TrackedFile, Worktree};
pub use github::{Github, NewPullRequest, PullRequest, RepoInfo};
pub use http::Http;
pub use model::{Block, Completion, Lifecycle, Message, Model, ModelInfo, Prompt, Role};
pub use openai::Openai;
pub use openai_compatible::Compatible;
pub use process::{AgentRun, Environment, ExitInfo};
