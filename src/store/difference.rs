//! Two runs of a report, as they are compared: one read, so that both are of the same moment.

use super::artifacts::ArtifactName;
use super::error::StoreError;
use super::reads::{artifact, draft_by_number, from_json, number_of};
use super::writer::Store;
use crate::domain::draft::Draft;
use crate::domain::id::DraftId;
use crate::domain::review::Choices;
use crate::protocol::read::EarlierDraft;
use rusqlite::{Connection, OptionalExtension};

/// A run with what its change is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub draft: Draft,
    /// The commit that it was made from.
    pub base: Option<String>,
    /// Empty while there is no change.
    pub diff: String,
    pub choices: Choices,
}

impl Store {
    /// A run, and the one it is compared with: `against`, else the newest earlier one of its report that has a diff, if any does.
    pub async fn compared(
        &self,
        id: &DraftId,
        against: Option<&DraftId>,
    ) -> Result<(Compared, Option<Compared>), StoreError> {
        let (id, against) = (id.clone(), against.cloned());
        self.read(move |conn| {
            let n = number_of(conn, &id)?;
            let other = match &against {
                Some(against) => Some(number_of(conn, against)?),
                None => earlier_number(conn, n)?,
            };
            Ok((run(conn, n)?, other.map(|n| run(conn, n)).transpose()?))
        })
        .await
    }
}

/// Which run a run is compared with by itself.
pub(super) fn earlier(conn: &Connection, n: i64) -> Result<Option<EarlierDraft>, StoreError> {
    let Some(n) = earlier_number(conn, n)? else { return Ok(None) };
    let draft = draft_by_number(conn, n)?;
    Ok(draft.map(|draft| EarlierDraft { id: draft.id, number: draft.number }))
}

fn earlier_number(conn: &Connection, n: i64) -> Result<Option<i64>, StoreError> {
    let sql =
        "SELECT d.n FROM drafts d JOIN draft_artifacts a ON a.draft_n = d.n AND a.name = 'diff' AND a.content <> ''
               JOIN drafts this ON this.n = ?1
               WHERE d.feedback_n = this.feedback_n AND d.number < this.number ORDER BY d.number DESC LIMIT 1";
    Ok(conn.prepare_cached(sql)?.query_row([n], |r| r.get(0)).optional()?)
}

fn run(conn: &Connection, n: i64) -> Result<Compared, StoreError> {
    let draft = draft_by_number(conn, n)?;
    let choices = artifact(conn, n, ArtifactName::Choices)?;
    Ok(Compared {
        draft: draft.ok_or_else(|| StoreError::NotFound { what: "draft", id: n.to_string() })?,
        base: artifact(conn, n, ArtifactName::Base)?,
        diff: artifact(conn, n, ArtifactName::Diff)?.unwrap_or_default(),
        choices: choices.map_or_else(|| Ok(Choices::default()), |json| from_json(&json))?,
    })
}
