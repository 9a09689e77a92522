//! What a report's earlier runs leave to a new one.

use super::Inner;
use crate::domain::draft::{Draft, DraftState, Published};
use crate::drafting::{Previous, Replaced};
use crate::protocol::read::RankedFile;
use crate::store::{ArtifactName, StoreError};

/// The newest run before this one that made a change, and the newest that was published: not always the same.
pub(super) async fn before(inner: &Inner, draft: &Draft) -> Result<(Option<Previous>, Option<Replaced>), StoreError> {
    let mut all = inner.store.drafts(Some(&draft.feedback_id)).await?;
    all.retain(|earlier| earlier.number < draft.number);
    let replaced = all.iter().find_map(|earlier| {
        published(earlier).map(|published| Replaced { number: earlier.number, published: published.clone() })
    });
    for earlier in &all {
        let Some(diff) = inner.store.artifact(&earlier.id, ArtifactName::Diff).await? else { continue };
        let (branch, pr_url) = published(earlier).map(|p| (p.branch.clone(), p.pr_url.clone())).unwrap_or_default();
        let files = inner.store.artifact(&earlier.id, ArtifactName::Files).await?;
        // Without the list it is only dearer: less comes from the provider's cache.
        let files: Vec<RankedFile> = files.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        let whole = files.into_iter().filter(|file| file.whole).map(|file| file.path).collect();
        return Ok((Some(Previous { diff, branch, pr_url, whole }), replaced));
    }
    Ok((None, replaced))
}

fn published(draft: &Draft) -> Option<&Published> {
    match &draft.state {
        DraftState::Published { published } => Some(published),
        DraftState::Queued
        | DraftState::Running { .. }
        | DraftState::Waiting { .. }
        | DraftState::Failed { .. }
        | DraftState::Cancelled { .. } => None,
    }
}
