//! `GET /api/events`: everything that changes, numbered, from where the client was.
//!
//! The engine's log is the buffer: a client names the last number it saw (`Last-Event-ID`, or `?after=`) and misses nothing. One that
//! names none starts now. `reset` says that the log no longer reaches back that far.

use super::app::App;
use super::error::ApiError;
use super::query;
use super::sse::{self, Closing};
use crate::protocol::{Seq, Signal};
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use futures::StreamExt;
use serde_json::json;

pub(super) async fn watch(
    State(app): State<App>,
    Query(pairs): Query<Vec<(String, String)>>,
    closing: Option<Extension<Closing>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let after = match from(&headers, &pairs)? {
        Some(seq) => seq,
        None => app.engine().hello().seq,
    };
    let place = app.watcher_place()?;
    Ok(sse::answer(app.engine().watch(after).map(to_event), place, closing))
}

/// The header wins: a browser that reconnects sends it to the address it first used, `after` and all.
fn from(headers: &HeaderMap, pairs: &[(String, String)]) -> Result<Option<Seq>, ApiError> {
    let (place, name, text) = match headers.get("last-event-id") {
        Some(value) => ("header", "Last-Event-ID", value.to_str().unwrap_or("?")),
        None => match query::value(pairs, "after") {
            Some(text) => ("query", "after", text),
            None => return Ok(None),
        },
    };
    match text.parse::<i64>() {
        Ok(n) if n >= 0 => Ok(Some(Seq(n))),
        Ok(_) | Err(_) => Err(ApiError::fault(place, name, "int", "must be the number of an event, 0 or more")),
    }
}

fn to_event(signal: Signal) -> Event {
    match signal {
        Signal::Event(event) => sse::event(event.kind.as_str(), &event).id(event.seq.to_string()),
        Signal::Progress(progress) => sse::event("progress", &progress),
        Signal::Reset => sse::event("reset", &json!({})),
    }
}
