//! A filter as conditions in SQL, so that it means what [`Filter::matches`](crate::domain::filter::Filter::matches) means.
//!
//! Terms of words and tools become one FTS5 expression; everything else is a condition on a column of the index `feedback_facts`. How
//! they are put together to a statement is the affair of [`super::plan`].

use super::error::StoreError;
use crate::domain::filter::{Filter, HasFlag, IsFlag, Term, Test};
use crate::domain::text::words;
use crate::domain::time::Millis;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::fmt::Write as _;

/// Stands between the fields of a report in the index, so that no phrase reaches from one into the next.
/// Not a word character, hence never typed; not ASCII, hence a token to the index.
pub(super) const FIELD_BREAK: &str = "\u{2016}";

/// A whole tool name as one token: names have punctuation that the tokenizer would split at.
fn tool_token(name: &str) -> String {
    let mut token = String::with_capacity(name.len() * 2 + 1);
    token.push('t');
    for b in name.to_ascii_lowercase().bytes() {
        // Writing to a String can't fail.
        let _infallible = write!(token, "{b:02x}");
    }
    token
}

/// Stands among the tools of every report, so that "all but" can be said to the index. Tokens of tools begin with `t`.
const EVERY: &str = "every";

/// The tools of a report as the index holds them.
pub(super) fn indexed_tools(names: &[String]) -> String {
    let mut tokens: Vec<String> = names.iter().map(|name| tool_token(name)).collect();
    tokens.push(EVERY.into());
    tokens.join(" ")
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

/// The condition of the index `feedback_touched`, in its very words.
const TOUCHED: &str = "(f.drafted = 1 OR f.merged = 1 OR f.note_count > 0 OR f.pr_url <> '')";

/// A filter under translation.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// On columns, joined by AND.
    sql: Vec<String>,
    /// What must hold of the row number, which is the order of every list: an operator and its right side, such as `>= ?3`.
    range: Vec<String>,
    pub(super) params: Vec<Value>,
    /// FTS5 expressions that must, and must not, match.
    wanted: Vec<String>,
    unwanted: Vec<String>,
    pub(super) narrow: Vec<Narrow>,
}

/// A condition that an index of its own may serve better.
#[derive(Debug)]
pub(super) struct Narrow {
    pub(super) index: &'static str,
    pub(super) sql: String,
    pub(super) params: Vec<Value>,
}

impl Conditions {
    pub(super) fn of(conn: &Connection, filter: &Filter, now: Millis) -> Result<Self, StoreError> {
        let mut conditions = Self::default();
        for t in &filter.terms {
            conditions.term(conn, t, now)?;
        }
        Ok(conditions)
    }

    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.params.push(value.into());
        format!("?{}", self.params.len())
    }

    /// Only rows whose number is on this side of `n`.
    pub(super) fn limit_range(&mut self, operator: &str, n: i64) {
        let at = self.bind(n);
        self.range.push(format!("{operator} {at}"));
    }

    /// None of these rows, whatever else holds.
    pub(super) fn except(&mut self, numbers: &[i64]) {
        if !numbers.is_empty() {
            let at = self.bind(json_array(numbers));
            self.range.push(format!("NOT IN (SELECT value FROM json_each({at}))"));
        }
    }

    /// Whether a row has to be looked at, beyond its number and its words.
    pub(super) fn ask_for_facts(&self) -> bool {
        !self.sql.is_empty()
    }

    /// `WHERE …` with everything but the words; `key` is the row number's name. Empty when there is no condition.
    pub(super) fn filter(&self, key: &str) -> String {
        let range = self.range.iter().map(|bound| format!("{key} {bound}"));
        let all: Vec<String> = range.chain(self.sql.iter().cloned()).collect();
        if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
    }

    /// What to ask the search index; `None` when no term is about words.
    pub(super) fn expression(&self) -> Option<String> {
        if self.wanted.is_empty() && self.unwanted.is_empty() {
            return None;
        }
        let every = [format!("tools : {EVERY}")];
        let wanted = if self.wanted.is_empty() { &every[..] } else { &self.wanted[..] };
        let mut expression = wanted.iter().map(|m| format!("({m})")).collect::<Vec<_>>().join(" AND ");
        for m in &self.unwanted {
            expression = format!("({expression}) NOT ({m})");
        }
        Some(expression)
    }

    fn push(&mut self, negated: bool, sql: String) {
        // A NULL column means "not that value", hence `IS TRUE`.
        self.sql.push(if negated { format!("({sql}) IS NOT TRUE") } else { sql });
    }

    fn one_of(&mut self, negated: bool, column: &str, values: impl Iterator<Item = String>) {
        let list: Vec<String> = values.map(|v| self.bind(v)).collect();
        self.push(negated, format!("{column} IN ({})", list.join(", ")));
    }

    /// The same for a column with an index of its own.
    fn narrow(&mut self, negated: bool, index: &'static str, column: &'static str, values: &[String]) {
        self.one_of(negated, column, values.iter().cloned());
        if !negated {
            let marks = vec!["?"; values.len()].join(", ");
            let params = values.iter().cloned().map(Value::from).collect();
            self.narrow.push(Narrow { index, sql: format!("{column} IN ({marks})"), params });
        }
    }

    /// One of these flags; `rare` ones are looked for among the reports that somebody has touched.
    fn flags(&mut self, negated: bool, any: &[&str], rare: bool) {
        self.push(negated, format!("({})", any.join(" OR ")));
        if rare && !negated {
            // Follows from the flags, and tells SQLite that the index has all there is.
            self.sql.push(TOUCHED.to_owned());
            self.narrow.push(Narrow { index: "feedback_touched", sql: TOUCHED.to_owned(), params: Vec::new() });
        }
    }

    fn text(&mut self, negated: bool, expression: String) {
        if negated { &mut self.unwanted } else { &mut self.wanted }.push(expression);
    }

    fn term(&mut self, conn: &Connection, term: &Term, now: Millis) -> Result<(), StoreError> {
        let no = term.negated;
        match &term.test {
            Test::Text(words) => self.text(no, phrase(words)),
            Test::Tool(names) => {
                let any: Vec<String> = names.iter().map(|n| format!("\"{}\"", tool_token(n))).collect();
                self.text(no, format!("tools : ({})", any.join(" OR ")));
            }
            Test::Server(names) => self.narrow(no, "feedback_server", "f.server_name", names),
            Test::Session(names) => self.narrow(no, "feedback_session", "f.session_id", names),
            Test::Model(names) => self.one_of(no, "f.agent_model", names.iter().cloned()),
            Test::Client(names) => self.one_of(no, "f.client_type", names.iter().cloned()),
            Test::Gap(gaps) => self.one_of(no, "f.gap_type", gaps.iter().map(ToString::to_string)),
            Test::Resolution(all) => self.one_of(no, "f.resolution", all.iter().map(ToString::to_string)),
            Test::Is(flags) => {
                let any: Vec<&str> = flags.iter().map(|f| is_sql(*f)).collect();
                self.flags(no, &any, flags.iter().all(|f| matches!(f, IsFlag::Drafted | IsFlag::Merged)));
            }
            Test::Has(flags) => {
                let any: Vec<&str> = flags.iter().map(|f| has_sql(*f)).collect();
                self.flags(no, &any, flags.iter().all(|f| matches!(f, HasFlag::Notes | HasFlag::Pr)));
            }
            Test::Since(when) => self.time_bound(conn, no, ">=", when.resolve(now))?,
            Test::Until(when) => self.time_bound(conn, no, "<=", when.resolve(now))?,
        }
        Ok(())
    }

    /// `received_at <op> t`, and the range of row numbers in which it can be true: an index-only scan finds the range, so that a date
    /// far from the list's beginning does not walk every row up to it.
    fn time_bound(&mut self, conn: &Connection, negated: bool, op: &str, t: Millis) -> Result<(), StoreError> {
        let at = self.bind(t.0);
        self.push(negated, format!("f.received_at {op} {at}"));
        if !negated {
            let edge = if op == ">=" { "min(n)" } else { "max(n)" };
            let sql = format!("SELECT {edge} FROM feedback INDEXED BY feedback_received_at WHERE received_at {op} ?1");
            let n: Option<i64> = conn.prepare_cached(&sql)?.query_row([t.0], |r| r.get(0))?;
            self.limit_range(op, n.unwrap_or(-1));
        }
        Ok(())
    }
}

/// Row numbers as one parameter.
pub(super) fn json_array(numbers: &[i64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("[{}]", numbers.join(","))
}

/// `"a b"*` on the words column: consecutive words, the last one a beginning.
fn phrase(words: &[String]) -> String {
    format!("words : \"{}\" *", words.join(" "))
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

/// Whether the search index has a say in what a filter finds.
pub(super) fn by_index(filter: &Filter) -> bool {
    filter.terms.iter().any(|t| matches!(t.test, Test::Text(_) | Test::Tool(_)))
}
