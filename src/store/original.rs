//! Reading a database of the original Python sidecar: every row and note is kept, odd values included.
//!
//! Source of the schema: the original's `feedback`, `feedback_notes` and `settings` tables; `pr_url` and `client_type` came later
//! and may be missing. Columns that this program does not know go to `extra`.

use super::counts;
use super::error::StoreError;
use super::rows::opt;
use crate::domain::feedback::{GapType, Resolution};
use crate::domain::time::Millis;
use rusqlite::types::ValueRef;
use rusqlite::{Transaction, params};
use serde_json::{Map, Value};

const TABLES: [&str; 3] = ["feedback", "feedback_notes", "settings"];

/// Renames the original's tables out of the way and drops its indexes, triggers and views, whose names could collide.
pub(super) fn set_aside(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let mut list = tx.prepare(
        "SELECT type, name FROM sqlite_schema WHERE type IN ('index', 'trigger', 'view') AND sql IS NOT NULL",
    )?;
    let others: Vec<(String, String)> =
        list.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_, _>>()?;
    drop(list);
    for (kind, name) in others {
        tx.execute_batch(&format!("DROP {kind} IF EXISTS \"{}\"", name.replace('"', "\"\"")))?;
    }
    for table in TABLES {
        if has_table(tx, table)? {
            tx.execute_batch(&format!("ALTER TABLE {table} RENAME TO original_{table}"))?;
        }
    }
    Ok(())
}

/// Copies everything into today's tables and drops the original's.
pub(super) fn import(tx: &Transaction<'_>, now: Millis) -> Result<(), StoreError> {
    import_feedback(tx, now)?;
    if has_table(tx, "original_feedback_notes")? {
        import_notes(tx, now)?;
    }
    if has_table(tx, "original_settings")? {
        // Only the settings the original had: secrets never live in the database.
        tx.execute(
            "INSERT INTO settings (key, value, updated_at)
             SELECT key, coalesce(value, ''), ?1 FROM original_settings
             WHERE key IN ('github_repo', 'default_branch', 'llm_provider', 'llm_model')",
            [now.0],
        )?;
    }
    for table in TABLES {
        tx.execute_batch(&format!("DROP TABLE IF EXISTS original_{table}"))?;
    }
    counts::rebuild(tx)
}

fn has_table(tx: &Transaction<'_>, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    Ok(tx.query_row(sql, [name], |r| r.get::<_, i64>(0))? > 0)
}

/// The columns of one original row that have not been taken yet.
struct Columns(Map<String, Value>);

impl Columns {
    /// Takes a column as text, whatever its type was.
    fn text(&mut self, name: &str) -> String {
        self.0.remove(name).map(value_text).unwrap_or_default()
    }

    /// Takes a closed word; one that is not known is given back raw.
    fn word<T>(&mut self, name: &str, known: fn(&str) -> Option<T>) -> (Option<T>, String) {
        let raw = self.text(name);
        match known(&raw) {
            Some(value) => (Some(value), String::new()),
            None => (None, raw),
        }
    }

    fn tools(&mut self) -> String {
        let raw = self.text("tools_available");
        match serde_json::from_str::<Vec<String>>(&raw) {
            Ok(_) => raw,
            Err(_) if raw.trim().is_empty() => "[]".into(),
            Err(_) => {
                self.0.insert("tools_available".into(), Value::String(raw));
                "[]".into()
            }
        }
    }

    fn time(&mut self, name: &str, now: Millis) -> Millis {
        let raw = self.text(name);
        Millis::from_iso(&raw).unwrap_or_else(|| {
            self.0.insert(name.to_owned(), Value::String(raw));
            now
        })
    }
}

fn value_text(v: Value) -> String {
    match v {
        Value::Null => String::new(),
        Value::String(s) => s,
        other => other.to_string(),
    }
}

fn value_of(v: ValueRef<'_>) -> Value {
    match v {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(i) => Value::from(i),
        ValueRef::Real(f) => Value::from(f),
        ValueRef::Text(t) | ValueRef::Blob(t) => Value::String(String::from_utf8_lossy(t).into_owned()),
    }
}

fn import_feedback(tx: &Transaction<'_>, now: Millis) -> Result<(), StoreError> {
    // Oldest first, so that the new row numbers are in order of arrival.
    let mut select = tx.prepare("SELECT * FROM original_feedback ORDER BY timestamp, rowid")?;
    let names: Vec<String> = select.column_names().map(str::to_owned).collect();
    let mut insert = tx.prepare(
        "INSERT INTO feedback (id, received_at, server_name, gap_type, gap_type_raw, resolution, resolution_raw, reviewed,
             drafted, has_suggestion, client_type, agent_model, session_id, pr_url, what_i_needed, what_i_tried, suggestion,
             user_goal, tools_available, extra)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
    )?;
    let mut event = tx.prepare(
        "INSERT INTO events (at, kind, door, actor, feedback_n) VALUES (?1, 'feedback_recorded', 'engine', 'import', ?2)",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let mut c = Columns(Map::new());
        for (i, name) in names.iter().enumerate() {
            c.0.insert(name.clone(), value_of(row.get_ref(i)?));
        }
        let at = c.time("timestamp", now);
        let (gap, gap_raw) = c.word("gap_type", GapType::from_word);
        let (resolution, resolution_raw) = c.word("resolution", Resolution::from_word);
        let reviewed = !matches!(c.text("reviewed").as_str(), "" | "0");
        let (pr_url, suggestion, server) = (c.text("pr_url"), c.text("suggestion"), c.text("server_name"));
        let id = c.text("id");
        insert.execute(params![
            if id.is_empty() { uuid::Uuid::now_v7().to_string() } else { id },
            at.0,
            if server.is_empty() { "unknown" } else { &server },
            gap.unwrap_or(GapType::Other).as_str(),
            gap_raw,
            resolution.map(Resolution::as_str),
            resolution_raw,
            reviewed,
            !pr_url.is_empty(),
            !suggestion.is_empty(),
            opt(&c.text("client_type")),
            opt(&c.text("agent_model")),
            opt(&c.text("session_id")),
            pr_url,
            c.text("what_i_needed"),
            c.text("what_i_tried"),
            suggestion,
            c.text("user_goal"),
            c.tools(),
            {
                c.0.retain(|_, v| !v.is_null());
                Value::Object(c.0).to_string()
            },
        ])?;
        event.execute(params![at.0, tx.last_insert_rowid()])?;
    }
    Ok(())
}

fn import_notes(tx: &Transaction<'_>, now: Millis) -> Result<(), StoreError> {
    let mut select = tx.prepare(
        "SELECT o.id, f.n, o.timestamp, o.content, o.feedback_id FROM original_feedback_notes o
         LEFT JOIN feedback f ON f.id = o.feedback_id ORDER BY o.timestamp, o.rowid",
    )?;
    let mut insert =
        tx.prepare("INSERT INTO notes (id, feedback_n, at, author, content) VALUES (?1, ?2, ?3, '', ?4)")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let text = |i: usize| row.get_ref(i).map(|v| value_text(value_of(v)));
        let (id, time, content) = (text(0)?, text(2)?, text(3)?);
        let n = match row.get::<_, Option<i64>>(1)? {
            Some(n) => n,
            None => orphanage(tx, &text(4)?, now)?,
        };
        let at = Millis::from_iso(&time).unwrap_or(now);
        let id = if id.is_empty() { uuid::Uuid::now_v7().to_string() } else { id };
        insert.execute(params![id, n, at.0, content])?;
    }
    tx.execute("UPDATE feedback SET note_count = (SELECT count(*) FROM notes WHERE feedback_n = feedback.n)", [])?;
    Ok(())
}

/// A note whose report is gone is kept under a report that says so.
fn orphanage(tx: &Transaction<'_>, id: &str, now: Millis) -> Result<i64, StoreError> {
    let id = if id.is_empty() { "original-orphaned-notes" } else { id };
    tx.execute(
        "INSERT INTO feedback (id, received_at, server_name, gap_type, has_suggestion, what_i_needed, what_i_tried)
         VALUES (?1, ?2, 'unknown', 'other', 0, '(this report was missing from the original database; its notes were kept)', '')
         ON CONFLICT (id) DO NOTHING",
        params![id, now.0],
    )?;
    let n = tx.query_row("SELECT n FROM feedback WHERE id = ?1", [id], |r| r.get(0))?;
    tx.execute(
        "INSERT INTO events (at, kind, door, actor, feedback_n) VALUES (?1, 'feedback_recorded', 'engine', 'import', ?2)",
        params![now.0, n],
    )?;
    Ok(n)
}
