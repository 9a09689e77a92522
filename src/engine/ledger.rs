//! What draft runs have used and may still use: asked before every call to a model.
//!
//! What is used stands in the database, with every run of every process. What calls that are on their way could use is
//! reserved here, so that two runs of this process can't both take what is left of a day.

use super::Inner;
use crate::config::Config;
use crate::domain::draft::{Cost, Usage};
use crate::domain::id::DraftId;
use crate::domain::time::{DAY, Millis};
use crate::drafting::{self, Call, Denied, Spent, Stop};
use crate::store::StoreError;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Held from the look at what is used to the reservation.
    turn: tokio::sync::Mutex<()>,
    reserved: Mutex<BTreeMap<DraftId, Spent>>,
}

impl Ledger {
    fn reserved(&self) -> MutexGuard<'_, BTreeMap<DraftId, Spent>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the run's last call used is stored, or the run is over.
    pub(super) fn settle(&self, draft: &DraftId) {
        self.reserved().remove(draft);
    }
}

/// The call as the settings allow it, reserved.
pub(super) async fn allow(
    inner: &Inner,
    config: &Config,
    (draft, model): (&DraftId, &str),
    call: Call,
) -> Result<Call, Denied> {
    let unreadable = |e: StoreError| {
        tracing::error!(error = %e, draft.id = %draft, "what was used can't be read");
        Denied::Stopped(Stop)
    };
    let price = drafting::price_of(config, model);
    let today = Millis(inner.options.clock.now().0.div_euclid(DAY) * DAY);
    let _turn = inner.ledger.turn.lock().await;
    let run = inner.store.draft_head(draft).await.map_err(unreadable)?;
    let day = inner.store.used_since(today).await.map_err(unreadable)?;
    let mut reserved = inner.ledger.reserved();
    let others = reserved.iter().filter(|(id, _)| *id != draft).map(|(_, theirs)| *theirs);
    let day = others.fold(spent(day), Spent::plus);
    let run = spent((run.usage, run.cost.unwrap_or_default()));
    let allowed = drafting::allow(&config.draft, (model, price), run, day, call).map_err(Denied::Limit)?;
    reserved.insert(draft.clone(), allowed.worst(price));
    Ok(allowed)
}

fn spent((usage, cost): (Usage, Cost)) -> Spent {
    Spent { tokens: usage.input_tokens + usage.output_tokens, cost }
}
