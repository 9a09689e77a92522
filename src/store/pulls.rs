//! Pull requests of drafts, as long as something may still become of them.

use super::Store;
use super::error::StoreError;
use crate::domain::draft::{Checks, PullState, PullStatus};
use crate::domain::id::DraftId;
use crate::domain::time::Millis;
use rusqlite::Row;

/// More than anybody has open at a time; the newest count.
const MAX: i64 = 1_000;

/// A pull request that was neither merged nor closed when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPull {
    pub draft: DraftId,
    /// `owner/name`.
    pub repository: String,
    pub url: String,
    pub created_at: Millis,
    /// `None` before the first look.
    pub status: Option<PullStatus>,
    /// What the server wants to hear to say that nothing changed, as JSON.
    pub etags: String,
}

impl Store {
    /// Newest first. Two drafts may share a pull request.
    pub async fn open_pulls(&self) -> Result<Vec<OpenPull>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(
                "SELECT id, repository, pr_url, created_at, pull_state, pull_checks, pull_looked_at, pull_etags FROM drafts
                 WHERE state = 'published' AND pr_url <> '' AND coalesce(pull_state, '') NOT IN ('merged', 'closed')
                 ORDER BY n DESC LIMIT ?1",
            )?;
            let rows = select.query_map([MAX], open_pull)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn open_pull(row: &Row<'_>) -> rusqlite::Result<OpenPull> {
    let word = |i: usize| row.get::<_, Option<String>>(i);
    let state = word(4)?.and_then(|w| PullState::from_word(&w));
    let checks = word(5)?.and_then(|w| Checks::from_word(&w)).unwrap_or(Checks::Unknown);
    let looked_at: Option<i64> = row.get(6)?;
    let status = state.zip(looked_at).map(|(state, at)| PullStatus { state, checks, looked_at: Millis(at) });
    Ok(OpenPull {
        draft: DraftId::trusted(row.get::<_, String>(0)?),
        repository: row.get(1)?,
        url: row.get(2)?,
        created_at: Millis(row.get(3)?),
        status,
        etags: row.get(7)?,
    })
}
