//! From conditions to the statement that answers a page, so that no filter walks a hundred thousand reports row by row.
//!
//! A statement has two parts: an inner one finds the numbers of the page's rows in order, from an index that holds everything it needs,
//! and an outer one reads those rows. The inner part walks either the search index or one of the table's indexes; which one, a look at
//! how much there is decides, where a wrong choice would cost. Everything is in order of arrival, so nothing is sorted but what is few.

use super::error::StoreError;
use super::query::{Conditions, Narrow, json_array};
use super::rows::ROW_COLUMNS;
use crate::domain::filter::Sort;
use crate::domain::time::Millis;
use crate::protocol::read::PageRequest;
use rusqlite::types::Value;
use rusqlite::{Connection, ToSql, params_from_iter};

/// Up to this many rows a narrow index beats the one with all the facts, although what it finds must be looked up and sorted.
const NARROW: i64 = 1_000;
/// Up to this many rows are asked one by one whether the words match; more, and the words are walked and the rows looked up.
const FEW: i64 = 150;

/// The index with everything that a filter asks.
const FACTS: &str = "feedback_facts";

/// A finished statement.
pub(super) struct Select {
    pub(super) sql: String,
    params: Vec<Value>,
}

impl Select {
    pub(super) fn params(&self) -> impl rusqlite::Params + '_ {
        as_params(&self.params)
    }
}

fn as_params(values: &[Value]) -> impl rusqlite::Params + '_ {
    params_from_iter(values.iter().map(|v| v as &dyn ToSql))
}

/// The rows of a page, one more than asked for, so that the caller sees whether there is a next one. `except`: reports that are left
/// out, whatever the filter says.
pub(super) fn page(
    conn: &Connection,
    request: &PageRequest,
    except: &[i64],
    now: Millis,
) -> Result<Select, StoreError> {
    let mut conditions = Conditions::of(conn, &request.filter, now)?;
    conditions.except(except);
    let (direction, beyond) = match request.filter.order() {
        Sort::Newest => ("DESC", "<"),
        Sort::Oldest => ("ASC", ">"),
    };
    if let Some(position) = request.after {
        conditions.limit_range(beyond, position.0);
    }
    let (key, from) = match conditions.expression() {
        None => ("f.n", by_facts(conn, &conditions)?),
        Some(expression) => by_words(conn, &mut conditions, expression)?,
    };
    let limit = conditions.bind(request.limit as i64 + 1);
    let sql = format!(
        "SELECT {ROW_COLUMNS} FROM feedback f WHERE f.n IN
         (SELECT {key} FROM {from} ORDER BY {key} {direction} LIMIT {limit}) ORDER BY f.n {direction}"
    );
    Ok(Select { sql, params: conditions.params })
}

fn by_facts(conn: &Connection, conditions: &Conditions) -> Result<String, StoreError> {
    let index = index_for(conn, conditions)?;
    Ok(format!("feedback f INDEXED BY {index}{}", conditions.filter("f.n")))
}

/// The narrow index with the fewest rows to look at, if there is one with few.
fn index_for(conn: &Connection, conditions: &Conditions) -> Result<&'static str, StoreError> {
    let mut best = (NARROW + 1, FACTS);
    for narrow in &conditions.narrow {
        let rows = rows_of(conn, narrow)?;
        if rows < best.0 {
            best = (rows, narrow.index);
        }
    }
    Ok(best.1)
}

/// How many rows a narrow condition finds, counted no further than needed.
fn rows_of(conn: &Connection, narrow: &Narrow) -> Result<i64, StoreError> {
    let Narrow { index, sql, params } = narrow;
    let most = NARROW + 1;
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM feedback f INDEXED BY {index} WHERE {sql} LIMIT {most})");
    Ok(conn.prepare_cached(&sql)?.query_row(as_params(params), |r| r.get(0))?)
}

/// The search index leads, unless few rows fit the rest of the filter: to look those few up in it takes less than to walk a common
/// word's reports until a page of those few is together.
fn by_words(
    conn: &Connection,
    conditions: &mut Conditions,
    expression: String,
) -> Result<(&'static str, String), StoreError> {
    let by_key = "search.rowid";
    if !conditions.ask_for_facts() {
        let filter = conditions.filter(by_key);
        let at = conditions.bind(expression);
        let and = if filter.is_empty() { " WHERE" } else { " AND" };
        return Ok((by_key, format!("search{filter}{and} search MATCH {at}")));
    }
    if let Some(few) = the_few(conn, conditions)? {
        let few = conditions.bind(few);
        let at = conditions.bind(expression);
        let found = format!("EXISTS (SELECT 1 FROM search WHERE search MATCH {at} AND search.rowid = f.n)");
        return Ok(("f.n", format!("feedback f WHERE f.n IN (SELECT value FROM json_each({few})) AND {found}")));
    }
    let filter = conditions.filter(by_key);
    let at = conditions.bind(expression);
    let join = format!("search CROSS JOIN feedback f INDEXED BY {FACTS} ON f.n = search.rowid");
    Ok((by_key, format!("{join}{filter} AND search MATCH {at}")))
}

/// The numbers of all rows that fit the rest of the filter, as a JSON array, if they are few.
fn the_few(conn: &Connection, conditions: &Conditions) -> Result<Option<String>, StoreError> {
    let from = by_facts(conn, conditions)?;
    let sql = format!("SELECT f.n FROM {from} LIMIT {}", FEW + 1);
    let mut select = conn.prepare_cached(&sql)?;
    let found: Vec<i64> = select.query_map(as_params(&conditions.params), |r| r.get(0))?.collect::<Result<_, _>>()?;
    if found.len() as i64 > FEW {
        return Ok(None);
    }
    Ok(Some(json_array(&found)))
}
