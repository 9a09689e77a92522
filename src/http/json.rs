//! A JSON body, read with patience that ends and errors that say where.

use super::app::App;
use super::error::{ApiError, Fault};
use super::limits::MAX_BODY_BYTES;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;
use serde_json::{Map, Value};

/// First guess at a body's size; most reports fit. Never taken from what the client announces alone.
const FIRST_BYTES: usize = 16 * 1024;

/// A request body that is JSON, of the right content type, not too large and in time.
#[derive(Debug)]
pub struct JsonBody(pub Value);

impl FromRequest<App> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        check_content_type(request.headers())?;
        let announced = content_length(request.headers()).unwrap_or_default();
        let reading = read(request.into_body(), announced.min(FIRST_BYTES));
        let bytes = match tokio::time::timeout(app.limits().body, reading).await {
            Ok(read) => read?,
            Err(_elapsed) => {
                return Err(ApiError::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "the body did not arrive in time; send it again",
                ));
            }
        };
        // Refuses what is not UTF-8, NaN, lone surrogates, numbers beyond f64 and nesting deeper than 128. Its messages
        // name a line and a column and never the text.
        serde_json::from_slice(&bytes).map(Self).map_err(|e| {
            ApiError::fault("body", "", "json_invalid", format!("the body must be valid JSON in UTF-8: {e}"))
        })
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/').unwrap_or_default();
    if kind == "application" && (subtype == "json" || subtype.ends_with("+json")) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "send the body as JSON, with `Content-Type: application/json`",
    ))
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read(body: Body, expected: usize) -> Result<Vec<u8>, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut whole = Vec::with_capacity(expected);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_cut_off| {
            ApiError::new(StatusCode::BAD_REQUEST, "the body broke off before its end; send it again")
        })?;
        if whole.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(ApiError::too_large());
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}

/// The fields of an object, taken out one by one; `null` is the same as absent. Collects every fault before it answers.
pub(super) struct Fields {
    fields: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Fields {
    pub(super) fn of(body: JsonBody) -> Result<Self, ApiError> {
        match body.0 {
            Value::Object(fields) => Ok(Self { fields, faults: Vec::new() }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(ApiError::fault("body", "", "type", "the body must be a JSON object"))
            }
        }
    }

    pub(super) fn fault(&mut self, field: &str, kind: &str, msg: impl Into<String>) {
        self.faults.push(Fault::new("body", field, kind, msg));
    }

    pub(super) fn string(&mut self, field: &str) -> Option<String> {
        if let Value::String(text) = self.take(field)? {
            return Some(text);
        }
        self.fault(field, "type", "must be a string");
        None
    }

    pub(super) fn boolean(&mut self, field: &str) -> Option<bool> {
        if let Value::Bool(yes) = self.take(field)? {
            return Some(yes);
        }
        self.fault(field, "type", "must be true or false");
        None
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field).filter(|v| !v.is_null())
    }

    /// `value`, unless something was wrong on the way to it.
    pub(super) fn finish<T>(self, value: T) -> Result<T, ApiError> {
        if self.faults.is_empty() { Ok(value) } else { Err(ApiError::invalid(self.faults)) }
    }
}
