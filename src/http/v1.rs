//! The paths of the hosted product, for its published client libraries and for heartbeats.
//!
//! A report there is a report here, but for one name: `server_slug` is what we call `server_name`. The libraries take 201 for success and
//! send again after 429 and 5xx, as the drop-ins do.

use super::app::App;
use super::error::ApiError;
use super::ingest::{IdempotencyKey, Taken, accept, actor};
use super::json::JsonBody;
use crate::domain::feedback::NewFeedback;
use crate::domain::server::Heartbeat;
use crate::engine::new_command_id;
use crate::protocol::Command;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

/// `POST /api/v1/feedback/`.
pub(super) async fn record(
    State(app): State<App>,
    key: IdempotencyKey,
    body: JsonBody,
) -> Result<(StatusCode, Json<Taken>), ApiError> {
    accept(&app, key, NewFeedback::in_our_words(body.0)).await
}

/// `POST /api/v1/heartbeat/`. 200 means that it is on the disk.
pub(super) async fn heartbeat(
    State(app): State<App>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Json<Value>, ApiError> {
    let mut heartbeat = Heartbeat::parse(body.0).map_err(ApiError::fields)?;
    if heartbeat.client.is_empty() {
        let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        heartbeat.client = agent.chars().take(CLIENT_CHARS).collect();
    }
    let command = Command::RecordHeartbeat { heartbeat: Box::new(heartbeat) };
    app.engine().submit(new_command_id(), actor(), command).await?;
    Ok(Json(json!({"status": "ok"})))
}

/// As much of a `User-Agent` as is kept.
const CLIENT_CHARS: usize = 200;
