//! L3: from a report to a draft, stage by stage.
//!
//! ```text
//! checkout ─▶ context ─▶ model ─▶ check ─▶ (verify) ─▶ (review) ─▶ publish
//! git cache    rank and    ask for   apply or    run the     a person     commit, push,
//! + worktree   pack files  a change  repair      tests       looks at it  draft PR
//!                             ▲        │            │
//!                             └─ what does not apply, what fails ─┘
//! ```
//!
//! [`run`] is the pipeline; the engine calls it, and whatever it wants kept goes through the engine's [`Reporter`]. Everything
//! that judges (ranking, brief, answer, protected paths, the pull request's text) is pure; only `pipeline` and the
//! drafters talk to `providers`. Dropping the future of a run stops its request or command and removes its worktree.

mod answer;
mod brief;
pub mod check;
mod command;
mod context;
mod drafter;
mod earlier;
mod error;
mod heard;
mod job;
mod limits;
mod logged;
mod lookup;
mod model;
mod pipeline;
mod price;
mod protect;
mod publish;
mod ready;
mod tail;
mod template;
mod verify;

pub use context::choose_files;
pub use error::DraftError;
pub use heard::Remark;
pub use job::{
    Artifact, Denied, Job, Outcome, Previous, Released, Replaced, Reply, ReplyKind, Reporter, Saved, SavedChange,
    SavedConversation, Stop, Tools, Turn,
};
pub use limits::{Call, Spent, allow};
pub use pipeline::{dry_run, run};
pub use price::{cost, price_of};
pub use publish::pull_number;
pub use ready::{defaults, missing, missing_configuration};
