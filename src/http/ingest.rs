//! `POST /api/feedback`: the door for reports. 201 means the report is on the disk.

use super::app::App;
use super::error::ApiError;
use super::json::JsonBody;
use super::view::Recorded;
use crate::domain::feedback::NewFeedback;
use crate::domain::id::{CommandId, FeedbackId};
use crate::engine::new_command_id;
use crate::protocol::{Actor, Command, Door, Made};
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Serialize;
use serde_json::Value;

/// The answer to a report: that it is stored, and what the author says about its gap, if that is known.
#[derive(Debug, Serialize)]
pub(super) struct Taken {
    #[serde(flatten)]
    recorded: Recorded<FeedbackId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_answer: Option<String>,
}

/// Who speaks through this door. Nobody says a name over HTTP yet.
pub(super) fn actor() -> Actor {
    Actor::new(Door::Http, "")
}

pub(super) async fn record(
    State(app): State<App>,
    key: IdempotencyKey,
    body: JsonBody,
) -> Result<(StatusCode, Json<Taken>), ApiError> {
    accept(&app, key, body.0).await
}

/// Stores a report, whichever path it came by.
pub(super) async fn accept(app: &App, key: IdempotencyKey, body: Value) -> Result<(StatusCode, Json<Taken>), ApiError> {
    let mut report = NewFeedback::parse(body).map_err(ApiError::fields)?;
    let own = report.id.clone();
    let command = match (key.0, &report.id) {
        (Some(key), Some(_)) => key,
        (Some(key), None) => {
            report.id = Some(NewFeedback::id_for_key(&key));
            key
        }
        // A client that makes its own id and loses the answer sends the same id again.
        (None, Some(id)) => CommandId::trusted(id.as_str()),
        (None, None) => new_command_id(),
    };
    let known_answer = app.engine().known_answer(&report.report).await;
    let receipt = app.engine().submit(command, actor(), Command::RecordFeedback { report: Box::new(report) }).await?;
    match receipt.made {
        Made::Feedback(id) if own.is_none_or(|own| own == id) => {
            Ok((StatusCode::CREATED, Json(Taken { recorded: Recorded::new(id), known_answer })))
        }
        Made::Feedback(_) | Made::Note(_) | Made::Draft(_) | Made::Nothing => Err(key_used_elsewhere()),
    }
}

/// The `Idempotency-Key` header: a request sent again under one key acts once and gets the first answer again.
#[derive(Debug)]
pub(super) struct IdempotencyKey(Option<CommandId>);

impl IdempotencyKey {
    /// The client's key, or one that nobody else has.
    pub(super) fn or_new(self) -> CommandId {
        self.0.unwrap_or_else(new_command_id)
    }
}

impl FromRequestParts<App> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let key = value.to_str().ok().and_then(|text| CommandId::parse(text).ok()).ok_or_else(|| {
            let msg = "must be 1 to 128 printable ASCII characters without spaces, such as a UUID";
            ApiError::fault("header", "Idempotency-Key", "format", msg)
        })?;
        Ok(Self(Some(key)))
    }
}

/// The key belongs to another request, so its first answer does not fit this one.
pub(super) fn key_used_elsewhere() -> ApiError {
    ApiError::new(
        StatusCode::CONFLICT,
        "this Idempotency-Key was used for another request; make a new key for each request and keep it for its repeats",
    )
}
