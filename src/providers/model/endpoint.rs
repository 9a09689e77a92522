//! One model at one address with one key, by any vendor's API: sends questions, reads streams, lists models.

use super::api::{Answer, Api, Next};
use super::{Completion, Lifecycle, ModelInfo, Prompt};
use crate::providers::http::{Call, Failure, Http, OnWait, Repeat, UNHEARD};
use crate::providers::{ProviderError, redact};
use eventsource_stream::{EventStreamError, Eventsource};
use futures::StreamExt;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// Most bytes of one answer, its framing included. The largest answer a model can give is far smaller.
const MAX_STREAM_BYTES: usize = 64 * 1024 * 1024;

/// Most bytes of an answer that is not a stream.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Time for a whole answer that is not streamed.
const SHORT_TIMEOUT: Duration = Duration::from_mins(1);

/// Most names given with a model that was not found; a market place lists hundreds.
const MAX_KNOWN: usize = 30;

/// A model that can be asked.
#[derive(Debug, Clone)]
pub struct Endpoint<A> {
    http: Http,
    /// Without a slash at its end.
    base_url: String,
    model: String,
    max_output_tokens: u32,
    key: Option<SecretString>,
    api: A,
}

/// Where a model is and how far it may go, as the settings have it.
pub(in crate::providers) struct Place<'a> {
    /// Without a slash at its end.
    pub(in crate::providers) base_url: String,
    pub(in crate::providers) model: &'a str,
    pub(in crate::providers) max_output_tokens: u32,
}

impl<A: Api> Endpoint<A> {
    pub(in crate::providers) fn at(place: Place<'_>, http: Http, key: Option<SecretString>, api: A) -> Self {
        let Place { base_url, model, max_output_tokens } = place;
        Self { http, base_url, model: model.to_owned(), max_output_tokens, key, api }
    }

    pub fn max_output_tokens(&self) -> u32 {
        self.max_output_tokens
    }

    /// As [`super::Model::complete`].
    pub async fn complete(
        &self,
        prompt: &Prompt,
        on_text: &mut (dyn FnMut(&str) + Send),
        on_wait: OnWait<'_>,
    ) -> Result<Completion, ProviderError> {
        let mut completion = self.ask(prompt, on_text, on_wait).await.map_err(|e| self.without_key(e))?;
        if let Some(key) = &self.key {
            redact::hide(&mut completion.model, key);
            redact::hide(&mut completion.request_id, key);
        }
        Ok(completion)
    }

    async fn ask(
        &self,
        prompt: &Prompt,
        on_text: &mut (dyn FnMut(&str) + Send),
        on_wait: OnWait<'_>,
    ) -> Result<Completion, ProviderError> {
        let headers = self.headers()?;
        let body = self.api.request(&self.model, prompt);
        let url = format!("{}{}", self.base_url, A::QUESTIONS);
        let build = |client: &Client| client.post(&url).headers(headers.clone()).json(&body);
        let response = match self.send(&build, on_wait).await {
            Ok(response) => response,
            Err(error @ ProviderError::NotFound { .. }) => return Err(self.with_known_models(error).await),
            Err(error) => return Err(error),
        };
        let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/json") {
            return Err(self.judge_unstreamed(response).await);
        }
        self.read_stream(response, prompt.max_output_tokens, on_text).await
    }

    async fn send(
        &self,
        build: &(dyn Fn(&Client) -> RequestBuilder + Sync),
        on_wait: OnWait<'_>,
    ) -> Result<Response, ProviderError> {
        let judge = |failure: &Failure| self.api.judge(&self.hidden(failure));
        self.http.send(&Call { who: A::WHO, repeat: Repeat::Always, build, judge: &judge, on_wait }).await
    }

    async fn read_stream(
        &self,
        response: Response,
        max_output_tokens: u32,
        on_text: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Completion, ProviderError> {
        let request_id = response.headers().get(A::REQUEST_ID).and_then(|v| v.to_str().ok());
        let request_id = redact::message(request_id.unwrap_or_default());
        let mut received = 0_usize;
        let bounded = response.bytes_stream().map(|chunk| {
            let chunk = chunk.map_err(|e| self.http.transport_error(A::WHO, e))?;
            received = received.saturating_add(chunk.len());
            if received > MAX_STREAM_BYTES {
                Err(ProviderError::garbage(A::WHO, "its answer never ends"))
            } else {
                Ok(chunk)
            }
        });
        let mut events = bounded.eventsource();
        let mut answer = self.api.answer(max_output_tokens);
        let mut begun = false;
        while let Some(event) = events.next().await {
            let event = match event.map_err(stream_error::<A>) {
                Ok(event) => event,
                // What it breaks off after the end is nothing that was paid for.
                Err(_broken) if answer.is_whole() => break,
                Err(error) => return Err(error),
            };
            begun = true;
            if answer.take(&event.event, &event.data, on_text)? == Next::Done {
                return answer.finish(request_id);
            }
        }
        if answer.is_whole() {
            answer.finish(request_id)
        } else if begun {
            Err(ProviderError::Network { who: A::WHO, message: "the answer broke off before its end".into() })
        } else {
            // A page of a stranger: a captive portal, a web server at the wrong address.
            let message = format!("its answer is not an event stream; check `base_url` under [{}]", A::TABLE);
            Err(ProviderError::garbage(A::WHO, message))
        }
    }

    /// Some servers word an error with status 200, as plain JSON and not as a stream.
    async fn judge_unstreamed(&self, response: Response) -> ProviderError {
        let (status, headers) = (response.status(), response.headers().clone());
        match self.body(response).await {
            Ok(body) => {
                let body = String::from_utf8_lossy(&body).into_owned();
                self.api.judge(&self.hidden(&Failure { status, headers, body, retry_after: None }))
            }
            Err(error) => error,
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, ProviderError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.http.transport_error(A::WHO, e))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY_BYTES {
                return Err(ProviderError::garbage(A::WHO, "its answer never ends"));
            }
        }
        Ok(body)
    }

    /// As [`super::Model::models`].
    pub async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        self.list().await.map_err(|e| self.without_key(e))
    }

    async fn list(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let headers = self.headers()?;
        let url = format!("{}{}", self.base_url, A::MODELS);
        let build = |client: &Client| client.get(&url).headers(headers.clone()).timeout(SHORT_TIMEOUT);
        let body = self.body(self.send(&build, UNHEARD).await?).await?;
        self.api.models(&body)
    }

    /// As [`super::Model::check`].
    pub async fn check(&self) -> Result<ModelInfo, ProviderError> {
        let models = self.models().await?;
        match models.iter().find(|m| m.is_called(&self.model)) {
            Some(model) if !model.is_retired() => Ok(model.clone()),
            Some(_) | None => Err(self.without_key(self.not_found(&models))),
        }
    }

    /// Adds what would have been right. When the list can't be had either, the error stands as it is.
    async fn with_known_models(&self, error: ProviderError) -> ProviderError {
        match self.list().await {
            Ok(models) => self.not_found(&models),
            Err(why) => {
                tracing::warn!(error = %self.without_key(why), "the list of models can't be read");
                error
            }
        }
    }

    /// The model is not there: the line to write, and the names there are, the likeliest first where there are many.
    fn not_found(&self, models: &[ModelInfo]) -> ProviderError {
        let mut offered: Vec<&ModelInfo> = models.iter().filter(|m| !m.is_retired()).collect();
        let likeness = |model: &ModelInfo| strsim::jaro_winkler(&self.model, &model.id);
        let to_stay = offered.iter().filter(|m| m.lifecycle == Lifecycle::Active);
        let nearest = to_stay.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let line = nearest.map_or_else(|| "`model`".into(), |m| format!("`model = \"{}\"`", m.id));
        let advice = format!("Set {line} under [{}] in config.toml.{}", A::TABLE, A::OTHERWISE);
        let more = offered.len().saturating_sub(MAX_KNOWN);
        if more > 0 {
            offered.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
            offered.truncate(MAX_KNOWN);
        }
        let mut known: Vec<String> = offered.into_iter().map(ModelInfo::flagged).collect();
        known.extend((more > 0).then(|| format!("and {more} more")));
        ProviderError::NotFound { what: redact::message(&format!("The model `{}`", self.model)), advice, known }
    }

    fn headers(&self) -> Result<HeaderMap, ProviderError> {
        let mut headers = HeaderMap::new();
        for (name, value) in A::HEADERS {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        if let Some(key) = &self.key {
            let (name, before) = A::KEY_HEADER;
            let value = format!("{before}{}", key.expose_secret().trim());
            let mut value = HeaderValue::from_str(&value).map_err(|_| ProviderError::Auth {
                who: A::WHO,
                message: format!("it has characters that no key has. Set {} again.", A::KEY),
            })?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(headers)
    }

    /// Before anything is cut to a length: half a key would not be recognised any more.
    fn hidden(&self, failure: &Failure) -> Failure {
        let mut failure = failure.clone();
        if let Some(key) = &self.key {
            redact::hide(&mut failure.body, key);
        }
        failure
    }

    fn without_key(&self, error: ProviderError) -> ProviderError {
        match &self.key {
            Some(key) => error.hiding(key),
            None => error,
        }
    }
}

fn stream_error<A: Api>(error: EventStreamError<ProviderError>) -> ProviderError {
    match error {
        EventStreamError::Transport(e) => e,
        EventStreamError::Utf8(_) => ProviderError::garbage(A::WHO, "its answer is not UTF-8 text"),
        EventStreamError::Parser(_) => ProviderError::garbage(A::WHO, "its answer is not an event stream"),
    }
}
