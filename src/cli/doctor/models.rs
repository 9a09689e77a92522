//! The models that drafts would ask: whether the key is good, whether the provider still has the model, and for how long.

use super::outside::PATIENCE;
use super::{Check, Setup};
use crate::domain::draft::DrafterKind;
use crate::drafting;
use crate::providers::{Http, Model, ModelInfo, ProviderError};
use std::collections::BTreeSet;

/// Names offered where none is configured.
const OFFERED: usize = 10;

/// Asks the provider of each model that a repository is drafted with. Without its key there is nothing to ask.
pub(super) async fn models(setup: &Setup, checks: &mut Vec<Check>) {
    let config = &setup.loaded.config;
    let drafters: BTreeSet<_> = config.repositories.iter().map(|r| drafting::defaults(config, r).0).collect();
    for drafter in drafters.into_iter().filter(|drafter| drafter.asks_a_model()) {
        // A key that is missing is said among the keys.
        let Ok(model) = Model::of(drafter, Http::new(), config, &setup.secrets) else { continue };
        let name = config.model_of(drafter);
        let check = async {
            if name.is_empty() { unnamed(drafter, &model).await } else { named(drafter, name, model.check().await) }
        };
        checks.push(tokio::time::timeout(PATIENCE, check).await.unwrap_or_else(|_elapsed| {
            let advice = format!("check the network and `base_url` under [{drafter}]");
            Check::fail("model", format!("{drafter}: no answer in {} seconds", PATIENCE.as_secs()), advice)
        }));
    }
}

fn named(drafter: DrafterKind, name: &str, checked: Result<ModelInfo, ProviderError>) -> Check {
    match checked {
        Ok(model) => match model.warning() {
            Some(warning) => {
                let advice = format!("choose another: `model` under [{drafter}] in config.toml");
                Check::warn("model", format!("{drafter}: {name}: {warning}"), advice)
            }
            None => Check::ok("model", format!("{drafter}: {name}")),
        },
        // Such a server may know more names than it lists.
        Err(e @ ProviderError::NotFound { .. }) if drafter == DrafterKind::OpenaiCompatible => {
            Check::warn("model", format!("{drafter}: {e}"), "")
        }
        Err(e) => Check::fail("model", format!("{drafter}: {e}"), ""),
    }
}

/// No model is configured: those that there are.
async fn unnamed(drafter: DrafterKind, model: &Model) -> Check {
    let found = format!("{drafter}: no model is configured");
    let set = format!("set `model` under [{drafter}] in config.toml");
    match model.models().await {
        Ok(models) if models.is_empty() => Check::fail("model", format!("{found}, and the server lists none"), set),
        Ok(models) => {
            let mut names: Vec<&str> = models.iter().take(OFFERED).map(|m| m.id.as_str()).collect();
            if models.len() > OFFERED {
                names.push("…");
            }
            Check::fail("model", found, format!("{set}; there are {}", names.join(", ")))
        }
        Err(e) => Check::fail("model", format!("{found}; {e}"), set),
    }
}
