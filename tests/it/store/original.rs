//! A database of the original Python sidecar opens: backed up, migrated, every row and note kept.

use crate::support::options;
use patchwork::domain::feedback::{GapType, Resolution};
use patchwork::domain::filter::Filter;
use patchwork::domain::id::FeedbackId;
use patchwork::engine::Engine;
use patchwork::protocol::read::PageRequest;
use rusqlite::Connection;
use serde_json::json;
use std::path::Path;

/// The schema as the original made it, without the columns that came later.
const FIRST_SCHEMA: &str = "
    CREATE TABLE feedback (id TEXT PRIMARY KEY, server_name TEXT NOT NULL, timestamp TEXT NOT NULL, what_i_needed TEXT NOT NULL,
        what_i_tried TEXT NOT NULL, gap_type TEXT NOT NULL DEFAULT 'other', suggestion TEXT DEFAULT '', user_goal TEXT DEFAULT '',
        resolution TEXT DEFAULT '', agent_model TEXT DEFAULT '', tools_available TEXT DEFAULT '[]', session_id TEXT DEFAULT '',
        reviewed INTEGER DEFAULT 0);
    CREATE INDEX feedback_server ON feedback (server_name);
    CREATE TABLE feedback_notes (id TEXT PRIMARY KEY, feedback_id TEXT NOT NULL REFERENCES feedback (id), timestamp TEXT NOT NULL,
        content TEXT NOT NULL);
    CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at TEXT NOT NULL);";

const ROWS: &str = "
    INSERT INTO feedback VALUES ('aaa', 'billing', '2025-03-02T10:00:00.123456+00:00', 'search by cost', 'list_invoices', 'missing_tool',
        'search_costs(q)', 'find costs', 'blocked', 'a-model', '[\"list_invoices\"]', 's1', 1);
    INSERT INTO feedback VALUES ('bbb', 'docs', '2025-03-01T10:00:00+00:00', 'older', 'x', '<i>odd</i>', NULL, '', 'gave up', '',
        'not json', '', 0);
    INSERT INTO feedback VALUES ('ccc', '', 'no time at all', 'n', 't', 'other', '', '', '', '', '[]', '', 0);
    INSERT INTO feedback_notes VALUES ('n1', 'aaa', '2025-03-03T00:00:00+00:00', 'use the ledger');
    INSERT INTO feedback_notes VALUES ('n2', 'gone', '2025-03-03T00:00:00+00:00', 'an orphan');
    INSERT INTO settings VALUES ('github_repo', 'me/billing', '2025-01-01'), ('llm_model', 'some-model', '2025-01-01'),
        ('github_pat', 'ghp_must_not_stay', '2025-01-01');";

pub(crate) fn make(path: &Path, later_columns: bool) {
    let conn = Connection::open(path).unwrap();
    // Python leaves foreign keys off, so orphans are possible.
    conn.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    conn.execute_batch(FIRST_SCHEMA).unwrap();
    conn.execute_batch(ROWS).unwrap();
    if later_columns {
        conn.execute_batch(
            "ALTER TABLE feedback ADD COLUMN pr_url TEXT DEFAULT ''; ALTER TABLE feedback ADD COLUMN client_type TEXT DEFAULT '';
             ALTER TABLE feedback ADD COLUMN mood TEXT DEFAULT 'curious';
             UPDATE feedback SET pr_url = 'https://example.com/pull/1', client_type = 'cursor' WHERE id = 'aaa'",
        )
        .unwrap();
    }
}

#[tokio::test]
async fn every_row_note_and_odd_value_is_kept() {
    for later in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        make(&dir.path().join("feedback.db"), later);
        let engine = Engine::open(options(dir.path())).await.unwrap();

        let a = engine.feedback(&FeedbackId::trusted("aaa")).await.unwrap();
        assert_eq!(a.feedback.received_at.to_iso(), "2025-03-02T10:00:00.123+00:00");
        assert_eq!(a.feedback.report.resolution, Some(Resolution::Blocked));
        assert_eq!(a.feedback.report.tools_available, ["list_invoices"]);
        assert!(a.feedback.reviewed);
        assert_eq!(a.notes[0].content, "use the ledger");
        assert_eq!(a.feedback.pr_url.is_empty(), !later);
        assert_eq!(a.feedback.report.client_type, if later { "cursor" } else { "" });

        let b = engine.feedback(&FeedbackId::trusted("bbb")).await.unwrap().feedback.report;
        assert_eq!((b.gap_type, b.gap_type_raw.as_str()), (GapType::Other, "<i>odd</i>"));
        assert_eq!((b.resolution, b.resolution_raw.as_str()), (None, "gave up"));
        assert_eq!(b.extra["tools_available"], json!("not json"));
        assert_eq!(b.extra.get("mood").is_some(), later, "a column we do not know is kept");

        let c = engine.feedback(&FeedbackId::trusted("ccc")).await.unwrap().feedback.report;
        assert_eq!(c.extra["timestamp"], json!("no time at all"));
        let orphan = engine.feedback(&FeedbackId::trusted("gone")).await.unwrap();
        assert_eq!(orphan.notes[0].content, "an orphan");

        engine.until_indexed().await;
        let found = engine.page(PageRequest::first(Filter::parse("ledger").unwrap(), 10)).await.unwrap();
        assert_eq!(found.rows.len(), 1, "imported rows are searchable, notes included");
        let all =
            engine.page(PageRequest::first(Filter::parse("since:2025-01-01 sort:oldest").unwrap(), 10)).await.unwrap();
        assert_eq!(all.rows[0].id.as_str(), "bbb", "in the order of their times");
        assert_eq!(engine.settings().await.unwrap().github_repo, "me/billing");
        let stats = engine.stats().await.unwrap();
        assert_eq!((stats.total, stats.unreviewed, stats.note_count), (4, 3, 2));
        assert_eq!(stats.by_gap_type.iter().map(|c| c.count).sum::<i64>(), 4, "what was imported is counted");
        engine.close().await;
    }
}

#[tokio::test]
async fn the_file_as_it_was_is_kept_beside_and_secrets_leave_the_database() {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("feedback.db"), true);
    Engine::open(options(dir.path())).await.unwrap().close().await;
    let backup = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.to_string_lossy().contains(".backup-v0-"))
        .expect("a backup");
    let conn = Connection::open(backup).unwrap();
    let rows: i64 = conn.query_row("SELECT count(*) FROM feedback", [], |r| r.get(0)).unwrap();
    assert_eq!(rows, 3);
    let now = Connection::open(dir.path().join("feedback.db")).unwrap();
    let secrets: i64 =
        now.query_row("SELECT count(*) FROM settings WHERE key = 'github_pat'", [], |r| r.get(0)).unwrap();
    assert_eq!(secrets, 0);
    Engine::open(options(dir.path())).await.unwrap().close().await;
    let backups = std::fs::read_dir(dir.path())
        .unwrap()
        .filter(|e| e.as_ref().unwrap().path().to_string_lossy().contains("backup"));
    assert_eq!(backups.count(), 1, "opening again migrates nothing");
}
