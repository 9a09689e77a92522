//! The original's shapes, written from ours. Nothing but renaming happens here.

use crate::domain::feedback::GapType;
use crate::domain::id::{FeedbackId, NoteId};
use crate::domain::note::Note;
use crate::domain::server::{Heard, Server, Warning};
use crate::domain::time::Millis;
use crate::protocol::read::{Count, Detail, Stats};
use serde::Serialize;
use serde_json::{Map, Value};

/// A report with all columns of the original and its notes.
#[derive(Debug, Serialize)]
pub struct FeedbackView<'a> {
    id: &'a FeedbackId,
    server_name: &'a str,
    timestamp: String,
    what_i_needed: &'a str,
    what_i_tried: &'a str,
    gap_type: GapType,
    suggestion: &'a str,
    user_goal: &'a str,
    /// The agent's own word where it is not one of the three, empty when there is none.
    resolution: &'a str,
    agent_model: &'a str,
    tools_available: &'a [String],
    session_id: &'a str,
    client_type: &'a str,
    reviewed: bool,
    pr_url: &'a str,
    notes: Vec<NoteView<'a>>,
    /// What the original had no words for, or would have thrown away: shown only when there is something.
    #[serde(skip_serializing_if = "is_false")]
    drafted: bool,
    #[serde(skip_serializing_if = "is_false")]
    merged: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    gap_type_raw: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    extra: &'a Map<String, Value>,
}

#[derive(Debug, Serialize)]
struct NoteView<'a> {
    id: &'a NoteId,
    timestamp: String,
    content: &'a str,
    author: &'a str,
    /// Handed to agents that meet the same gap: shown only when it is.
    #[serde(skip_serializing_if = "is_false")]
    public: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl<'a> From<&'a Detail> for FeedbackView<'a> {
    fn from(detail: &'a Detail) -> Self {
        let f = &detail.feedback;
        let r = &f.report;
        Self {
            id: &f.id,
            server_name: &r.server_name,
            timestamp: f.received_at.to_iso(),
            what_i_needed: &r.what_i_needed,
            what_i_tried: &r.what_i_tried,
            gap_type: r.gap_type,
            suggestion: &r.suggestion,
            user_goal: &r.user_goal,
            resolution: r.resolution.map_or(r.resolution_raw.as_str(), |word| word.as_str()),
            agent_model: &r.agent_model,
            tools_available: &r.tools_available,
            session_id: &r.session_id,
            client_type: &r.client_type,
            reviewed: f.reviewed,
            pr_url: &f.pr_url,
            notes: detail.notes.iter().map(NoteView::from).collect(),
            drafted: f.drafted,
            merged: f.merged,
            gap_type_raw: &r.gap_type_raw,
            extra: &r.extra,
        }
    }
}

impl<'a> From<&'a Note> for NoteView<'a> {
    fn from(note: &'a Note) -> Self {
        Self {
            id: &note.id,
            timestamp: note.at.to_iso(),
            content: &note.content,
            author: &note.author,
            public: note.public,
        }
    }
}

#[derive(Debug, Serialize)]
pub struct StatsView {
    total: i64,
    unreviewed: i64,
    note_count: i64,
    by_server: Vec<ServerCount>,
    by_gap_type: Vec<GapCount>,
    by_resolution: Vec<ResolutionCount>,
}

#[derive(Debug, Serialize)]
struct ServerCount {
    server_name: String,
    count: i64,
}

#[derive(Debug, Serialize)]
struct GapCount {
    gap_type: String,
    count: i64,
}

#[derive(Debug, Serialize)]
struct ResolutionCount {
    resolution: String,
    count: i64,
}

impl From<Stats> for StatsView {
    fn from(stats: Stats) -> Self {
        fn each<T>(counts: Vec<Count>, make: fn(String, i64) -> T) -> Vec<T> {
            counts.into_iter().map(|c| make(c.value, c.count)).collect()
        }
        Self {
            total: stats.total,
            unreviewed: stats.unreviewed,
            note_count: stats.note_count,
            by_server: each(stats.by_server, |server_name, count| ServerCount { server_name, count }),
            by_gap_type: each(stats.by_gap_type, |gap_type, count| GapCount { gap_type, count }),
            by_resolution: each(stats.by_resolution, |resolution, count| ResolutionCount { resolution, count }),
        }
    }
}

/// A server, its heartbeat flat beside its counts, and what looks wrong with it.
#[derive(Debug, Serialize)]
pub struct ServerView<'a> {
    server_name: &'a str,
    /// By a heartbeat or a report, whichever was later.
    last_heard: Option<String>,
    /// `null` where no heartbeat came, or one that names no tools; so are the next ones.
    has_feedback_tool: Option<bool>,
    first_heartbeat: Option<String>,
    last_heartbeat: Option<String>,
    tool_count: Option<i64>,
    tool_names: Option<&'a [String]>,
    drop_in: Option<&'a str>,
    sdk: Option<&'a str>,
    client: Option<&'a str>,
    reports: i64,
    unreviewed: i64,
    last_report: Option<String>,
    warnings: Vec<WarningView>,
}

#[derive(Debug, Serialize)]
struct WarningView {
    warning: &'static str,
    detail: String,
}

impl<'a> ServerView<'a> {
    pub fn of(server: &'a Server, now: Millis) -> Self {
        let heard = server.heartbeat.as_ref();
        let said = |text: &'a String| (!text.is_empty()).then_some(text.as_str());
        Self {
            server_name: &server.name,
            last_heard: server.last_heard().map(Millis::to_iso),
            has_feedback_tool: heard.and_then(Heard::has_feedback_tool),
            first_heartbeat: heard.map(|h| h.pulse.first_heard.to_iso()),
            last_heartbeat: heard.map(|h| h.pulse.last_heard.to_iso()),
            tool_count: heard.map(|h| h.tool_count),
            tool_names: heard.map(|h| h.tool_names.as_slice()),
            drop_in: heard.and_then(|h| said(&h.drop_in)),
            sdk: heard.and_then(|h| said(&h.sdk)),
            client: heard.and_then(|h| said(&h.client)),
            reports: server.reports.total,
            unreviewed: server.reports.unreviewed,
            last_report: server.reports.last.map(Millis::to_iso),
            warnings: server.warnings(now).into_iter().map(WarningView::from).collect(),
        }
    }
}

impl From<Warning> for WarningView {
    fn from(warning: Warning) -> Self {
        Self { warning: warning.word(), detail: warning.sentence() }
    }
}

/// The answer to everything that stores something.
#[derive(Debug, Serialize)]
pub(super) struct Recorded<Id> {
    pub id: Id,
    status: &'static str,
}

impl<Id> Recorded<Id> {
    pub(super) fn new(id: Id) -> Self {
        Self { id, status: "recorded" }
    }
}
