//! A filter as SQL, so that it means what [`Filter::matches`] means.
//!
//! Lists are in order of arrival (`n`). Positive text and tool terms become one FTS5 expression that is walked in that order too, so
//! the first page costs the same whatever the number of hits; everything else is an indexed column or a test on the row.

use super::error::StoreError;
use super::rows::{FEEDBACK_COLUMNS, ROW_COLUMNS};
use crate::domain::filter::{Filter, HasFlag, IsFlag, Sort, Term, Test};
use crate::domain::text::words;
use crate::domain::time::Millis;
use crate::protocol::read::PageRequest;
use rusqlite::types::Value;
use rusqlite::{Connection, ToSql, params_from_iter};
use std::fmt::Write as _;

/// Stands between the fields of a report in the index, so that no phrase reaches from one into the next.
/// Not a word character, hence never typed; not ASCII, hence a token to the index.
pub(super) const FIELD_BREAK: &str = "\u{2016}";

/// A whole tool name as one token: names have punctuation that the tokenizer would split at.
pub(super) fn tool_token(name: &str) -> String {
    let mut token = String::with_capacity(name.len() * 2 + 1);
    token.push('t');
    for b in name.to_ascii_lowercase().bytes() {
        // Writing to a String can't fail.
        let _infallible = write!(token, "{b:02x}");
    }
    token
}

/// The text of a report as the index holds it.
pub(super) fn indexed_words<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for text in texts {
        for word in words(text) {
            out.push_str(&word);
            out.push(' ');
        }
        out.push_str(FIELD_BREAK);
        out.push(' ');
    }
    out
}

/// A condition under construction.
#[derive(Default)]
struct Where {
    sql: Vec<String>,
    params: Vec<Value>,
    /// Parts of the FTS5 expression; when there are any, the list walks the index.
    matches: Vec<String>,
}

impl Where {
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.params.push(value.into());
        format!("?{}", self.params.len())
    }

    fn push(&mut self, negated: bool, sql: String) {
        // A NULL column means "not that value", hence `IS TRUE`.
        self.sql.push(if negated { format!("({sql}) IS NOT TRUE") } else { sql });
    }

    fn one_of(&mut self, negated: bool, column: &str, values: impl Iterator<Item = String>) {
        let list: Vec<String> = values.map(|v| self.bind(v)).collect();
        self.push(negated, format!("{column} IN ({})", list.join(", ")));
    }

    fn text(&mut self, negated: bool, expression: String) {
        if negated {
            let at = self.bind(expression);
            self.sql.push(format!("f.n NOT IN (SELECT rowid FROM search WHERE search MATCH {at})"));
        } else {
            self.matches.push(expression);
        }
    }
}

/// `"a b"*` on the words column: consecutive words, the last one a beginning.
fn phrase(words: &[String]) -> String {
    format!("words : \"{}\" *", words.join(" "))
}

fn term(w: &mut Where, conn: &Connection, term: &Term, now: Millis) -> Result<(), StoreError> {
    let no = term.negated;
    match &term.test {
        Test::Text(words) => w.text(no, phrase(words)),
        Test::Tool(names) => {
            let any: Vec<String> = names.iter().map(|n| format!("\"{}\"", tool_token(n))).collect();
            w.text(no, format!("tools : ({})", any.join(" OR ")));
        }
        Test::Server(names) => w.one_of(no, "f.server_name", names.iter().cloned()),
        Test::Session(names) => w.one_of(no, "f.session_id", names.iter().cloned()),
        Test::Model(names) => w.one_of(no, "f.agent_model", names.iter().cloned()),
        Test::Client(names) => w.one_of(no, "f.client_type", names.iter().cloned()),
        Test::Gap(gaps) => w.one_of(no, "f.gap_type", gaps.iter().map(ToString::to_string)),
        Test::Resolution(all) => w.one_of(no, "f.resolution", all.iter().map(ToString::to_string)),
        Test::Is(flags) => {
            let any: Vec<&str> = flags.iter().map(|f| is_sql(*f)).collect();
            w.push(no, format!("({})", any.join(" OR ")));
        }
        Test::Has(flags) => {
            let any: Vec<&str> = flags.iter().map(|f| has_sql(*f)).collect();
            w.push(no, format!("({})", any.join(" OR ")));
        }
        Test::Since(when) => time_bound(w, conn, no, ">=", when.resolve(now))?,
        Test::Until(when) => time_bound(w, conn, no, "<=", when.resolve(now))?,
    }
    Ok(())
}

fn is_sql(flag: IsFlag) -> &'static str {
    match flag {
        IsFlag::Unreviewed => "f.reviewed = 0",
        IsFlag::Reviewed => "f.reviewed = 1",
        IsFlag::Drafted => "f.drafted = 1",
        IsFlag::Merged => "f.merged = 1",
    }
}

fn has_sql(flag: HasFlag) -> &'static str {
    match flag {
        HasFlag::Notes => "f.note_count > 0",
        HasFlag::Pr => "f.pr_url <> ''",
        HasFlag::Suggestion => "f.has_suggestion = 1",
    }
}

/// `received_at <op> t`, and for the list's sake the range of `n` in which it can be true: an index-only scan finds the range, so
/// that a date far from the list's beginning does not walk every row up to it.
fn time_bound(w: &mut Where, conn: &Connection, negated: bool, op: &str, t: Millis) -> Result<(), StoreError> {
    let at = w.bind(t.0);
    w.push(negated, format!("f.received_at {op} {at}"));
    if !negated {
        let (edge, cmp) = if op == ">=" { ("min(n)", ">=") } else { ("max(n)", "<=") };
        let sql = format!("SELECT {edge} FROM feedback INDEXED BY feedback_received_at WHERE received_at {op} ?1");
        let n: Option<i64> = conn.prepare_cached(&sql)?.query_row([t.0], |r| r.get(0))?;
        let at = w.bind(n.unwrap_or(-1));
        w.sql.push(format!("f.n {cmp} {at}"));
    }
    Ok(())
}

/// A finished statement.
pub(super) struct Select {
    pub(super) sql: String,
    pub(super) params: Vec<Value>,
}

impl Select {
    pub(super) fn params(&self) -> impl rusqlite::Params + '_ {
        params_from_iter(self.params.iter().map(|v| v as &dyn ToSql))
    }
}

fn conditions(conn: &Connection, filter: &Filter, now: Millis) -> Result<Where, StoreError> {
    let mut w = Where::default();
    for t in &filter.terms {
        term(&mut w, conn, t, now)?;
    }
    Ok(w)
}

/// Whether the search index has a say in what a filter finds.
pub(super) fn by_index(filter: &Filter) -> bool {
    filter.terms.iter().any(|t| matches!(t.test, Test::Text(_) | Test::Tool(_)))
}

/// The rows of a page, one more than asked for, so that the caller sees whether there is a next one. `except`: reports that are left
/// out, whatever the filter says.
pub(super) fn page(
    conn: &Connection,
    request: &PageRequest,
    whole: bool,
    except: &[i64],
    now: Millis,
) -> Result<Select, StoreError> {
    let mut w = conditions(conn, &request.filter, now)?;
    if !except.is_empty() {
        let list: Vec<String> = except.iter().map(|n| w.bind(*n)).collect();
        w.sql.push(format!("f.n NOT IN ({})", list.join(", ")));
    }
    let (direction, beyond) = match request.filter.order() {
        Sort::Newest => ("DESC", "<"),
        Sort::Oldest => ("ASC", ">"),
    };
    let by_text = !w.matches.is_empty();
    let key = if by_text { "search.rowid" } else { "f.n" };
    if let Some(position) = request.after {
        let at = w.bind(position.0);
        w.sql.push(format!("{key} {beyond} {at}"));
    }
    let from = if by_text {
        let expression = w.matches.iter().map(|m| format!("({m})")).collect::<Vec<_>>().join(" AND ");
        let at = w.bind(expression);
        w.sql.push(format!("search MATCH {at}"));
        "search CROSS JOIN feedback f ON f.n = search.rowid"
    } else {
        "feedback f"
    };
    let filter = if w.sql.is_empty() { String::new() } else { format!(" WHERE {}", w.sql.join(" AND ")) };
    let limit = w.bind(request.limit as i64 + 1);
    let columns = if whole { FEEDBACK_COLUMNS } else { ROW_COLUMNS };
    let sql = format!("SELECT {columns} FROM {from}{filter} ORDER BY {key} {direction} LIMIT {limit}");
    Ok(Select { sql, params: w.params })
}
