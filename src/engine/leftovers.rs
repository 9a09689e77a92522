//! What runs left in the cache when their process was killed. A run that is gone on with makes its directory anew; one that was
//! cancelled or failed meanwhile, and a look without a draft, are nobody's: they are cleared away when an owner starts, and when a run is cancelled.

use super::lock::{self, RunLock};
use super::{Engine, Inner};
use crate::domain::id::DraftId;
use crate::providers::GitCache;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

impl Engine {
    /// Whether a run is to be worked on and nobody does: its process is gone.
    pub async fn is_abandoned(&self, draft: &DraftId) -> bool {
        let is_active = self.inner.store.draft_head(draft).await.is_ok_and(|draft| draft.state.is_active());
        is_active && matches!(RunLock::take(&self.inner.options.cache_dir, draft), Ok(Some(_)))
    }
}

/// Removes the files of every run that nobody works on, and nobody is about to go on with.
pub(super) async fn clear(inner: Arc<Inner>) {
    let unfinished = match inner.store.unfinished_drafts().await {
        Ok(drafts) => drafts.into_iter().map(|draft| draft.id).collect::<BTreeSet<_>>(),
        Err(error) => {
            tracing::debug!(%error, "what killed runs left stays where it is");
            return;
        }
    };
    let cache_dir = inner.options.cache_dir.clone();
    let clearing = tokio::task::spawn_blocking(move || {
        let git = GitCache::new(cache_dir.clone());
        let left = git.work_ids().into_iter().chain(lock::runs(&cache_dir));
        for id in left.map(DraftId::trusted).filter(|id| !unfinished.contains(id)) {
            if let Err(error) = remove(&git, &cache_dir, &id) {
                tracing::warn!(%error, draft.id = %id, "what a killed run left can't be removed");
            }
        }
    });
    if let Err(error) = clearing.await {
        tracing::warn!(%error, "what killed runs left was not removed");
    }
}

fn remove(git: &GitCache, cache_dir: &Path, id: &DraftId) -> io::Result<()> {
    match RunLock::take(cache_dir, id)? {
        Some(_lock) => git.remove_left(id.as_str()),
        // Somebody works on it.
        None => Ok(()),
    }
}
