//! How a draft differs from an earlier one of the same report.

use super::{Engine, refusal};
use crate::domain::diff::{Diff, Difference, Footing};
use crate::domain::draft::DraftState;
use crate::domain::id::DraftId;
use crate::domain::review;
use crate::protocol::difference::{DraftDifference, Side};
use crate::protocol::read::EarlierDraft;
use crate::protocol::{Refusal, RefusalKind};
use crate::store::Compared;

impl Engine {
    /// What a draft does otherwise than `against`, by default the newest earlier draft of its report that has a diff. Of a published
    /// draft, the parts that its review dropped don't count.
    ///
    /// # Errors
    /// When one of the two is not there, has no diff, or they are not of one report.
    pub async fn draft_difference(&self, id: &DraftId, against: Option<&DraftId>) -> Result<DraftDifference, Refusal> {
        let (later, earlier) = self.inner.store.compared(id, against).await.map_err(refusal)?;
        let earlier = comparable(&later, earlier)?;
        // Two changes of sixteen megabytes take longer than the other tasks may wait.
        let compared = tokio::task::spawn_blocking(move || between(&earlier, &later)).await;
        compared.map_err(|e| Refusal::new(RefusalKind::Storage, format!("the drafts could not be compared: {e}")))?
    }
}

fn conflict(why: String) -> Refusal {
    Refusal::new(RefusalKind::Conflict, why)
}

/// The run to compare with, if the two can be compared.
fn comparable(later: &Compared, earlier: Option<Compared>) -> Result<Compared, Refusal> {
    has_diff(later)?;
    let Some(earlier) = earlier else {
        let number = later.draft.number;
        return Err(conflict(format!(
            "no draft of this report before draft {number} has a diff, so there is nothing to compare it with: draft again first"
        )));
    };
    if earlier.draft.feedback_id != later.draft.feedback_id {
        let report = &later.draft.feedback_id;
        return Err(conflict(format!(
            "draft {} is of another report: choose one of `patchwork drafts --report {report}`",
            earlier.draft.id
        )));
    }
    if earlier.draft.id == later.draft.id {
        return Err(conflict("a draft does not differ from itself: choose another one".into()));
    }
    has_diff(&earlier)?;
    Ok(earlier)
}

fn has_diff(run: &Compared) -> Result<(), Refusal> {
    if !run.diff.is_empty() {
        return Ok(());
    }
    let number = run.draft.number;
    Err(conflict(if run.draft.state.is_over() {
        format!(
            "draft {number} ended before there was a change, so it has no diff: choose another draft, or draft again"
        )
    } else {
        format!("draft {number} has no diff yet: wait until its change is checked")
    }))
}

fn between(earlier: &Compared, later: &Compared) -> Result<DraftDifference, Refusal> {
    let footing = footing(earlier, later);
    let found = Difference::between(&kept(earlier)?, &kept(later)?, footing);
    let side = |run: &Compared| Side {
        draft: EarlierDraft { id: run.draft.id.clone(), number: run.draft.number },
        base: run.base.clone().unwrap_or_default(),
    };
    Ok(DraftDifference::of(side(earlier), side(later), footing, found))
}

fn footing(earlier: &Compared, later: &Compared) -> Footing {
    let published = match &earlier.draft.state {
        DraftState::Published { published } => Some(&published.commit),
        DraftState::Queued
        | DraftState::Running { .. }
        | DraftState::Waiting { .. }
        | DraftState::Failed { .. }
        | DraftState::Cancelled { .. } => None,
    };
    match &later.base {
        Some(base) if Some(base) == published => Footing::OnTop,
        Some(base) if Some(base) == earlier.base.as_ref() => Footing::SameBase,
        Some(_) | None => Footing::OtherBase,
    }
}

/// The change as it was published; as it was drafted while that is not decided.
fn kept(run: &Compared) -> Result<Diff, Refusal> {
    let diff = Diff::parse(&run.diff).map_err(|e| conflict(format!("draft {}: {e}", run.draft.number)))?;
    let published = matches!(run.draft.state, DraftState::Published { .. });
    Ok(if published { review::left(diff, &run.choices.dropped) } else { diff })
}
