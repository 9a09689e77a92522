//! L5: what front-ends hold. Today an engine is always in the same process; a remote one will be a second variant with the
//! same methods, which is why front-ends never name `engine`.

use crate::config::SecretsPatch;
use crate::domain::draft::Draft;
use crate::domain::id::{CommandId, DraftId, FeedbackId};
use crate::domain::server::Server;
use crate::engine::Engine;
use crate::protocol::difference::DraftDifference;
use crate::protocol::read::{
    Detail, DraftDetail, DryRun, Facets, Hello, Page, PageRequest, Row, SettingsView, Snapshot, Stats,
};
use crate::protocol::settings::{Check, Finding, Sheet};
use crate::protocol::{Actor, Command, Receipt, Refusal, Seq, Signal};
use futures::stream::BoxStream;

pub use crate::engine::new_command_id;

/// The engine, wherever it runs. Cheap to clone.
#[derive(Debug, Clone)]
pub enum EngineHandle {
    Local(Engine),
}

macro_rules! forward {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)+) => {
        impl EngineHandle {
            $(
                $(#[$doc])*
                pub async fn $name(&self, $($arg: $ty),*) -> Result<$out, Refusal> {
                    match self {
                        Self::Local(engine) => engine.$name($($arg),*).await,
                    }
                }
            )+
        }
    };
}

forward! {
    /// See [`Engine::submit`].
    submit(id: CommandId, actor: Actor, command: Command) -> Receipt;
    snapshot(request: PageRequest) -> Snapshot;
    page(request: PageRequest) -> Page<Row>;
    list(request: PageRequest) -> Page<Detail>;
    feedback(id: &FeedbackId) -> Detail;
    drafts(of: Option<&FeedbackId>) -> Vec<Draft>;
    draft(id: &DraftId) -> DraftDetail;
    draft_difference(id: &DraftId, against: Option<&DraftId>) -> DraftDifference;
    stats() -> Stats;
    facets() -> Facets;
    servers() -> Vec<Server>;
    settings() -> SettingsView;
    sheet() -> Sheet;
    check(what: Check) -> Finding;
    save_secrets(actor: Actor, patch: SecretsPatch) -> ();
    dry_run(id: &FeedbackId) -> DryRun;
}

impl EngineHandle {
    /// See [`Engine::watch`].
    pub fn watch(&self, after: Seq) -> BoxStream<'static, Signal> {
        match self {
            Self::Local(engine) => engine.watch(after),
        }
    }

    pub fn hello(&self) -> Hello {
        match self {
            Self::Local(engine) => engine.hello(),
        }
    }
}
