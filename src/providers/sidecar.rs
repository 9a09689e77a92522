//! A running Patchwork, reached as a drop-in reaches it: over HTTP, by its address and key.
//!
//! For `patchwork ping`: a report is sent the whole way and asked for again, so that what is said about the channel is what was seen.

use super::error::ProviderError;
use super::http::{Call, Failure, Http, Repeat, Timeouts, UNHEARD};
use reqwest::header::HeaderValue;
use reqwest::{Client, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;

const WHO: &str = "the sidecar";
/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;
/// A channel that takes longer is not alive.
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub struct Sidecar {
    http: Http,
    url: String,
    auth: Option<HeaderValue>,
}

impl Sidecar {
    /// # Errors
    /// A key that no header can carry.
    pub fn new(url: &str, key: Option<&SecretString>) -> Result<Self, ProviderError> {
        let timeouts = Timeouts { connect: Duration::from_secs(3), idle: PATIENCE };
        // The drop-ins ask no proxy, and what is seen here must be what they see.
        let http = Http::direct(timeouts);
        let auth = key.map(|key| HeaderValue::try_from(format!("Bearer {}", key.expose_secret().trim()))).transpose();
        let mut auth =
            auth.map_err(|_| ProviderError::config("FEEDBACK_API_KEY holds characters that no header can carry."))?;
        if let Some(auth) = &mut auth {
            auth.set_sensitive(true);
        }
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), auth })
    }

    /// Sends a report and gives the answer's JSON.
    pub async fn report(&self, report: &Value) -> Result<Value, ProviderError> {
        self.ask(&|client| client.post(format!("{}/api/feedback", self.url)).json(report)).await
    }

    /// Reads a report by its id.
    pub async fn feedback(&self, id: &str) -> Result<Value, ProviderError> {
        self.ask(&|client| client.get(format!("{}/api/feedback/{id}", self.url))).await
    }

    async fn ask(&self, request: &(dyn Fn(&Client) -> RequestBuilder + Sync)) -> Result<Value, ProviderError> {
        let build = |client: &Client| {
            let request = request(client).timeout(PATIENCE);
            match &self.auth {
                Some(auth) => request.header("authorization", auth.clone()),
                None => request,
            }
        };
        let call = Call { who: WHO, repeat: Repeat::WhenRefused, build: &build, judge: &judge, on_wait: UNHEARD };
        let response = self.http.send(&call).await?;
        let body = self.body(response).await?;
        serde_json::from_slice(&body).map_err(|_| ProviderError::Garbage {
            who: WHO,
            message: "the answer is not JSON; something else than Patchwork is at this address".into(),
        })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, ProviderError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.http.transport_error(WHO, e))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(ProviderError::Garbage { who: WHO, message: "the answer never ends".into() });
            }
        }
        Ok(body)
    }
}

fn judge(failure: &Failure) -> ProviderError {
    let detail = serde_json::from_str::<Value>(&failure.body)
        .ok()
        .and_then(|json| Some(json.get("detail")?.as_str()?.to_owned()));
    let message = super::redact::message(&detail.unwrap_or_default());
    match failure.status.as_u16() {
        401 => ProviderError::Auth { who: WHO, message },
        status => ProviderError::Api { who: WHO, status, message },
    }
}
