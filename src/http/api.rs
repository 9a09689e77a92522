//! The plain routes: list, read, review, annotate, count, and the sign of life.

use super::app::App;
use super::error::ApiError;
use super::ingest::{IdempotencyKey, actor, key_used_elsewhere};
use super::json::{Fields, JsonBody};
use super::query;
use super::view::{FeedbackView, Recorded, ServerView, StatsView};
use crate::domain::id::{FeedbackId, NoteId};
use crate::domain::note::NoteText;
use crate::protocol::read::{Hello, Position};
use crate::protocol::{Command, Made};
use axum::Json;
use axum::extract::{FromRequestParts, OriginalUri, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

/// Where the next page of a list begins; absent on the last one.
const X_NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

#[derive(Debug, Serialize)]
pub(super) struct Health {
    status: &'static str,
    #[serde(flatten)]
    hello: Hello,
}

pub(super) async fn healthz(State(app): State<App>) -> Json<Health> {
    Json(Health { status: "ok", hello: app.engine().hello() })
}

pub(super) async fn list(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let page = app.engine().list(query::page_request(&pairs)?).await?;
    let rows: Vec<FeedbackView<'_>> = page.rows.iter().map(FeedbackView::from).collect();
    let mut response = Json(rows).into_response();
    if let Some(next) = page.next {
        add_next_page(&mut response, uri.path(), uri.query().unwrap_or_default(), next);
    }
    Ok(response)
}

fn add_next_page(response: &mut Response, path: &str, query: &str, next: Position) {
    let cursor = String::from(next);
    let link = format!("<{}>; rel=\"next\"", query::next_page(path, query, &cursor));
    // A query can hold bytes that no header can; the cursor alone is always enough to go on.
    for (name, text) in [(X_NEXT_CURSOR, cursor), (header::LINK, link)] {
        if let Ok(value) = HeaderValue::try_from(text) {
            response.headers_mut().insert(name, value);
        }
    }
}

pub(super) async fn one(State(app): State<App>, FeedbackPath(id): FeedbackPath) -> Result<Response, ApiError> {
    let detail = app.engine().feedback(&id).await?;
    Ok(Json(FeedbackView::from(&detail)).into_response())
}

pub(super) async fn review(
    State(app): State<App>,
    FeedbackPath(id): FeedbackPath,
    key: IdempotencyKey,
    body: JsonBody,
) -> Result<Json<Value>, ApiError> {
    let mut fields = Fields::of(body)?;
    let reviewed = fields.boolean("reviewed").unwrap_or(true);
    let reviewed = fields.finish(reviewed)?;
    let command = Command::SetReviewed { feedback: vec![id], reviewed };
    let receipt = app.engine().submit(key.or_new(), actor(), command).await?;
    match receipt.made {
        Made::Nothing => Ok(Json(json!({"status": "updated"}))),
        Made::Feedback(_) | Made::Note(_) | Made::Draft(_) => Err(key_used_elsewhere()),
    }
}

pub(super) async fn add_note(
    State(app): State<App>,
    FeedbackPath(id): FeedbackPath,
    key: IdempotencyKey,
    body: JsonBody,
) -> Result<(StatusCode, Json<Recorded<NoteId>>), ApiError> {
    let mut fields = Fields::of(body)?;
    let text = fields.string("content");
    let public = fields.boolean("public").unwrap_or(false);
    let text = fields.finish(text)?.unwrap_or_default();
    let content = NoteText::parse(text).map_err(|e| ApiError::fault("body", "content", "note", e.to_string()))?;
    let receipt =
        app.engine().submit(key.or_new(), actor(), Command::AddNote { feedback: id, content, public }).await?;
    match receipt.made {
        Made::Note(id) => Ok((StatusCode::CREATED, Json(Recorded::new(id)))),
        Made::Feedback(_) | Made::Draft(_) | Made::Nothing => Err(key_used_elsewhere()),
    }
}

pub(super) async fn stats(State(app): State<App>) -> Result<Json<StatsView>, ApiError> {
    Ok(Json(app.engine().stats().await?.into()))
}

pub(super) async fn servers(State(app): State<App>) -> Result<Response, ApiError> {
    let now = app.engine().now();
    let servers = app.engine().servers().await?;
    let views: Vec<ServerView<'_>> = servers.iter().map(|server| ServerView::of(server, now)).collect();
    Ok(Json(views).into_response())
}

/// The `{id}` of a path. Text that can't be an id names nothing, so it is answered like an id that nothing has.
#[derive(Debug)]
pub(super) struct FeedbackPath(pub FeedbackId);

impl FromRequestParts<App> for FeedbackPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let id =
            Path::<String>::from_request_parts(parts, app).await.ok().and_then(|Path(id)| FeedbackId::parse(id).ok());
        id.map(Self).ok_or_else(|| ApiError::not_found("report"))
    }
}
