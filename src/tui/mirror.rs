//! The screen's copy of what the engine knows: a window of the report list, the drafts, some reports in full.
//!
//! It begins with a snapshot and follows the event log ([`Mirror::fold`]). For any history the fold ends where a snapshot taken then
//! would (`tests/it/tui/convergence.rs`); events seen twice, or older than what was read, change nothing. It holds at most
//! [`WINDOW`] rows, wherever in the list they are, so memory does not grow with the database.

use crate::domain::draft::Draft;
use crate::domain::filter::{Filter, Sort};
use crate::domain::id::FeedbackId;
use crate::domain::time::Millis;
use crate::protocol::read::{Detail, MAX_PAGE, Page, PageRequest, Row, Snapshot};
use crate::protocol::{Event, EventKind, Seq};
use std::collections::VecDeque;

/// Rows read at once.
pub const PAGE: usize = MAX_PAGE;
/// Most rows kept; five pages.
pub const WINDOW: usize = 5 * PAGE;
/// Reports kept in full, the least recently asked for first out.
const DETAILS: usize = 24;

/// What happened to the list, so that a cursor can stay on its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    Inserted(usize),
    Removed(usize),
}

/// Where a page belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The list anew, from its beginning.
    Start,
    /// The list anew, from its end.
    End,
    Above,
    Below,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Mirror {
    /// Everything up to here is folded in.
    pub seq: Seq,
    filter: Filter,
    rows: Vec<Row>,
    /// The window reaches the beginning of the list.
    at_start: bool,
    /// The window reaches the end of the list.
    at_end: bool,
    drafts: Vec<Draft>,
    details: VecDeque<Detail>,
    /// Counts changes of `details`.
    version: u64,
    /// Events that came while a page or a snapshot was being read, which may be older than they are.
    meanwhile: Option<Vec<Event>>,
}

impl Mirror {
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    pub fn at_start(&self) -> bool {
        self.at_start
    }

    pub fn at_end(&self) -> bool {
        self.at_end
    }

    /// Newest first.
    pub fn drafts(&self) -> &[Draft] {
        &self.drafts
    }

    /// The newest run of a report, among those kept.
    pub fn draft_of(&self, id: &FeedbackId) -> Option<&Draft> {
        self.drafts.iter().find(|d| d.feedback_id == *id)
    }

    /// Changes whenever a report kept in full does.
    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn detail(&self, id: &FeedbackId) -> Option<&Detail> {
        self.details.iter().find(|d| d.feedback.id == *id)
    }

    /// A snapshot is asked for: remembers what happens until it comes.
    pub fn expect_snapshot(&mut self) {
        self.meanwhile = Some(Vec::new());
    }

    /// What was asked for will not come.
    pub fn expect_nothing(&mut self) {
        self.meanwhile = None;
    }

    /// Begins anew, and puts what happened since the snapshot was read on top; `filter` is what its page was asked for with.
    pub fn begin(&mut self, snapshot: Snapshot, filter: Filter, now: Millis) {
        let meanwhile = self.meanwhile.take().unwrap_or_default();
        self.seq = snapshot.seq;
        self.drafts = snapshot.drafts;
        self.details.clear();
        self.place(Side::Start, snapshot.page, filter, now);
        for event in meanwhile {
            self.fold(&event, now);
        }
    }

    /// The request whose answer belongs on `side`; `None` when there is nothing more there. Remembers what happens until the
    /// answer comes.
    pub fn request(&mut self, side: Side, filter: &Filter) -> Option<PageRequest> {
        let edge = match side {
            Side::Start | Side::End => None,
            Side::Above => Some(self.rows.first().filter(|_| !self.at_start)?.position()),
            Side::Below => Some(self.rows.last().filter(|_| !self.at_end)?.position()),
        };
        self.meanwhile = Some(Vec::new());
        let filter = match side {
            Side::Start | Side::Below => filter.clone(),
            Side::End | Side::Above => reversed(filter),
        };
        Some(PageRequest { filter, after: edge, limit: PAGE })
    }

    /// Puts an answer where it belongs, and what happened since it was read on top.
    pub fn place(&mut self, side: Side, page: Page<Row>, filter: Filter, now: Millis) {
        let Page { seq, mut rows, next } = page;
        let ends = next.is_none();
        match side {
            Side::Start => {
                (self.rows, self.at_start, self.at_end) = (rows, true, ends);
            }
            Side::End => {
                rows.reverse();
                (self.rows, self.at_start, self.at_end) = (rows, ends, true);
            }
            Side::Below => {
                rows.retain(|row| self.find(row.n).is_err());
                self.rows.append(&mut rows);
                self.at_end = ends;
            }
            Side::Above => {
                rows.reverse();
                rows.retain(|row| self.find(row.n).is_err());
                rows.append(&mut self.rows);
                self.rows = rows;
                self.at_start = ends;
            }
        }
        self.filter = filter;
        for event in self.meanwhile.take().unwrap_or_default() {
            if event.seq > seq {
                self.fold_row(&event, now);
            }
        }
    }

    /// Forgets rows far from `keep` when there are too many. Returns how many went from the front.
    pub fn trim(&mut self, keep: usize) -> usize {
        let excess = self.rows.len().saturating_sub(WINDOW);
        if excess == 0 {
            return 0;
        }
        if keep < self.rows.len() / 2 {
            self.rows.truncate(WINDOW);
            self.at_end = false;
            return 0;
        }
        self.rows.drain(..excess);
        self.at_start = false;
        excess
    }

    /// Applies an event. Older ones than [`Self::seq`] are known already.
    pub fn fold(&mut self, event: &Event, now: Millis) -> Option<Shift> {
        if event.seq <= self.seq {
            return None;
        }
        self.seq = event.seq;
        if let Some(meanwhile) = &mut self.meanwhile {
            meanwhile.push(event.clone());
        }
        if let Some(draft) = &event.draft {
            self.fold_draft(draft, event.kind);
        }
        if let Some(detail) = &event.feedback
            && let Some(known) = self.details.iter_mut().find(|d| d.feedback.id == detail.feedback.id)
        {
            known.clone_from(detail);
            self.version += 1;
        }
        self.fold_row(event, now)
    }

    fn fold_row(&mut self, event: &Event, now: Millis) -> Option<Shift> {
        let detail = event.feedback.as_deref()?;
        let row = Row::of(&detail.feedback);
        match (self.find(row.n), detail.matches(&self.filter, now)) {
            (Ok(at), true) => {
                self.rows[at] = row;
                None
            }
            (Ok(at), false) => {
                self.rows.remove(at);
                Some(Shift::Removed(at))
            }
            (Err(at), true) if self.covers(at) => {
                self.rows.insert(at, row);
                Some(Shift::Inserted(at))
            }
            (Err(_), _) => None,
        }
    }

    /// Whether a row that would stand at `at` belongs into the window, rather than before or behind it.
    fn covers(&self, at: usize) -> bool {
        (at > 0 || self.at_start) && (at < self.rows.len() || self.at_end)
    }

    fn find(&self, n: i64) -> Result<usize, usize> {
        match self.filter.order() {
            Sort::Newest => self.rows.binary_search_by(|row| n.cmp(&row.n)),
            Sort::Oldest => self.rows.binary_search_by(|row| row.n.cmp(&n)),
        }
    }

    fn fold_draft(&mut self, draft: &Draft, kind: EventKind) {
        if let Some(known) = self.drafts.iter_mut().find(|d| d.id == draft.id) {
            known.clone_from(draft);
        } else if kind == EventKind::DraftQueued {
            // Every run begins with this event, in the order of the list; another unknown one is too old to be kept.
            self.drafts.insert(0, draft.clone());
            self.drafts.truncate(MAX_PAGE);
        }
    }

    /// Keeps a report in full.
    pub fn keep_detail(&mut self, detail: Detail) {
        self.details.retain(|d| d.feedback.id != detail.feedback.id);
        self.details.push_front(detail);
        self.details.truncate(DETAILS);
        self.version += 1;
    }
}

/// The same rows from the other end.
fn reversed(filter: &Filter) -> Filter {
    let sort = match filter.order() {
        Sort::Newest => Sort::Oldest,
        Sort::Oldest => Sort::Newest,
    };
    let source = format!("{} sort:{sort}", filter.source);
    Filter { terms: filter.terms.clone(), sort: Some(sort), source: source.trim().to_owned() }
}

/// Whether an event can have changed the counts.
pub fn changes_counts(event: &Event) -> bool {
    match event.kind {
        EventKind::FeedbackRecorded | EventKind::FeedbackReviewed | EventKind::NoteAdded => true,
        EventKind::DraftQueued
        | EventKind::DraftStageStarted
        | EventKind::DraftDetailAdded
        | EventKind::DraftStageDone
        | EventKind::DraftWaiting
        | EventKind::DraftReviewEdited
        | EventKind::DraftPullRequestChanged
        | EventKind::DraftPublished
        | EventKind::DraftFailed
        | EventKind::DraftCancelled
        | EventKind::SettingsSaved
        | EventKind::ServerChanged => false,
    }
}
