//! Every failure in one envelope: JSON with a `detail` that says what to do, under the right status.
//!
//! `detail` is a sentence, or for 422 a list of `{loc, msg, type}` as the original's framework made it. Nothing here repeats what a
//! client sent: answers are logged and shown by others.

use crate::domain::feedback::FieldError;
use crate::domain::filter::FilterError;
use crate::protocol::{Refusal, RefusalKind};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::any::Any;

/// A request that was not carried out.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    detail: Detail,
    /// Seconds after which the same request may succeed.
    retry_after: Option<u32>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Detail {
    Sentence(String),
    Faults(Vec<Fault>),
}

/// One thing that is wrong with a request, and where.
#[derive(Debug, Serialize)]
pub(super) struct Fault {
    loc: Vec<String>,
    msg: String,
    #[serde(rename = "type")]
    kind: String,
    /// Where in a filter, and the word that was perhaps meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<FilterContext>,
}

#[derive(Debug, Serialize)]
struct FilterContext {
    start: usize,
    end: usize,
    nearest: Option<String>,
}

impl Fault {
    /// `place` is `body`, `query`, `header`; `name` the field in it.
    pub(super) fn new(place: &str, name: &str, kind: &str, msg: impl Into<String>) -> Self {
        let loc = if name == place || name.is_empty() {
            vec![place.to_owned()]
        } else {
            vec![place.to_owned(), name.to_owned()]
        };
        Self { loc, msg: msg.into(), kind: kind.to_owned(), ctx: None }
    }

    pub(super) fn filter(name: &str, error: FilterError) -> Self {
        let msg = error.to_string();
        let ctx = FilterContext { start: error.start, end: error.end, nearest: error.nearest };
        Self { ctx: Some(ctx), ..Self::new("query", name, "filter", msg) }
    }
}

impl From<FieldError> for Fault {
    fn from(e: FieldError) -> Self {
        Self::new("body", &e.field, &e.kind, e.message)
    }
}

impl ApiError {
    pub(super) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, detail: Detail::Sentence(sentence.into()), retry_after: None }
    }

    pub(super) fn invalid(faults: Vec<Fault>) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, detail: Detail::Faults(faults), retry_after: None }
    }

    pub(super) fn fault(place: &str, name: &str, kind: &str, msg: impl Into<String>) -> Self {
        Self::invalid(vec![Fault::new(place, name, kind, msg)])
    }

    pub(super) fn fields(errors: Vec<FieldError>) -> Self {
        Self::invalid(errors.into_iter().map(Fault::from).collect())
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what} with this id"))
    }

    pub(super) fn busy(sentence: &str) -> Self {
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, sentence) }
    }

    pub(super) fn too_large() -> Self {
        let sentence = format!(
            "a request body has at most {} bytes: shorten the report, or leave its longest field out",
            super::MAX_BODY_BYTES
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, sentence)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal.kind {
            RefusalKind::NotFound => Self::new(StatusCode::NOT_FOUND, refusal.detail),
            RefusalKind::Conflict => Self::new(StatusCode::CONFLICT, refusal.detail),
            RefusalKind::Invalid if refusal.fields.is_empty() => Self::fault("body", "", "invalid", refusal.detail),
            RefusalKind::Invalid => Self::fields(refusal.fields),
            RefusalKind::Unconfigured => Self::new(StatusCode::BAD_REQUEST, refusal.detail),
            RefusalKind::Busy => {
                Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, refusal.detail) }
            }
            // 503 and not 507: the drop-ins send a report again after a 503, and a full disk may have room by then.
            RefusalKind::Storage => {
                tracing::warn!(detail = %refusal.detail, "storage refused a request");
                Self { retry_after: Some(10), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, refusal.detail) }
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Envelope {
            detail: Detail,
        }
        let mut response = (self.status, Json(Envelope { detail: self.detail })).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"patchwork\""));
        }
        if self.status == StatusCode::REQUEST_TIMEOUT {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// What every answer carries, good or bad: nobody may guess its type or keep it.
pub(super) fn with_common_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) async fn no_such_route() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is nothing at this path; the API begins with /api/feedback")
}

pub(super) async fn wrong_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method; see the `Allow` header")
}

/// A handler panicked: a fault of ours. The panic hook has logged it; the client learns no more than that.
pub(super) fn panicked(_payload: Box<dyn Any + Send>) -> Response {
    let sentence = "the server made a mistake and could not answer; its log has the details";
    with_common_headers(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, sentence).into_response())
}
