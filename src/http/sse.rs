//! Event streams: what both of them (`/api/events` and a draft's progress) share.
//!
//! A stream is pulled by the socket, so a client that reads slowly is slow alone: nothing is buffered for it. It ends when the
//! server shuts down, and it holds one of the places that are kept apart from those of reports.

use super::app::WatcherPlace;
use axum::Extension;
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use std::convert::Infallible;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A comment is sent after this much silence, so that proxies keep the line and a dead one is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Put into every request by [`super::serve()`]; cancelled when shutdown begins.
#[derive(Debug, Clone)]
pub(super) struct Closing(pub CancellationToken);

pub(super) fn answer(
    events: impl Stream<Item = Event> + Send + 'static,
    place: WatcherPlace,
    closing: Option<Extension<Closing>>,
) -> Response {
    let held = events.map(move |event| {
        let _place = &place;
        Ok::<_, Infallible>(event)
    });
    let closed = async move {
        match closing {
            Some(Extension(Closing(token))) => token.cancelled().await,
            None => std::future::pending().await,
        }
    };
    let stream = Sse::new(held.take_until(Box::pin(closed))).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    let mut response = stream.into_response();
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response.headers_mut().insert(unbuffered.0, unbuffered.1);
    response
}

/// An event with a JSON payload. What crosses here always serialises; if that ever fails, the client sees it.
pub(super) fn event(name: &str, data: &impl serde::Serialize) -> Event {
    match Event::default().event(name).json_data(data) {
        Ok(event) => event,
        Err(e) => {
            tracing::error!(event = name, error = %e, "an event could not be written as JSON");
            Event::default().event("error").data("\"an event could not be written; see the server's log\"")
        }
    }
}
