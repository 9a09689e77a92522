//! The drafters that are in use: whether the key is good, whether the provider still has the model and for how long, whether the program
//! is there. What is asked is what the settings on the screen ask.

use super::{Check, Setup};
use crate::domain::draft::DrafterKind;
use crate::drafting::{self, check};
use crate::providers::Model;
use std::collections::BTreeSet;

pub(super) async fn drafters(setup: &Setup, checks: &mut Vec<Check>) {
    let (config, tools) = (&setup.loaded.config, setup.tools());
    let mut drafters: BTreeSet<_> = config.repositories.iter().map(|r| drafting::defaults(config, r).0).collect();
    if !config.command.run.is_empty() {
        drafters.insert(DrafterKind::Command);
    }
    for drafter in drafters {
        let asks = drafter.asks_a_model();
        // A key that is missing is said among the keys.
        if asks && Model::of(drafter, tools.http.clone(), config, &setup.secrets).is_err() {
            continue;
        }
        let found = check::drafter(drafter, &tools).await;
        checks.push(Check::of(if asks { "model" } else { "drafter" }, drafter.as_str(), found));
    }
}
