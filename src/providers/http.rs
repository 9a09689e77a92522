//! One HTTP client for all providers: time-outs, no redirect to strangers, and the retry loop.
//!
//! The client is built on first use, because building it reads the system's certificates and can fail; a program that never
//! drafts never needs it. Waiting is done through a [`Sleeper`] that tests replace, so that no test waits.

use super::error::ProviderError;
use super::pace::{Pace, Turn};
use super::{redact, retry};
use futures::future::BoxFuture;
use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Waits; given by tests to record waits instead.
pub type Sleeper = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// Bytes read of the body of a failed response.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// How long silence is borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    /// Between two pieces of a response. A model may think for minutes before its first word.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(20), idle: Duration::from_mins(5) }
    }
}

/// A cheap handle to the one client.
#[derive(Clone)]
pub struct Http {
    inner: Arc<Inner>,
}

struct Inner {
    client: OnceLock<Client>,
    timeouts: Timeouts,
    sleep: Sleeper,
    pace: Pace,
    /// Past any proxy.
    direct: bool,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("timeouts", &self.inner.timeouts).finish_non_exhaustive()
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a request may be repeated when it is unknown if the first one acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It reads, or acting twice does no harm.
    Always,
    /// Only when the server refused it before acting, as a rate limit does.
    WhenRefused,
}

/// A request that can be built again for each attempt.
pub(super) struct Call<'a> {
    pub(super) who: &'static str,
    pub(super) repeat: Repeat,
    pub(super) build: &'a (dyn Fn(&Client) -> RequestBuilder + Sync),
    /// What an unsuccessful response means.
    pub(super) judge: &'a (dyn Fn(&Failure) -> ProviderError + Sync),
    /// Told before each wait: somebody may be looking at a screen that stands still.
    pub(super) on_wait: OnWait<'a>,
}

/// Hears why a request is repeated, and after how long.
pub type OnWait<'a> = &'a (dyn Fn(&ProviderError, Duration) + Sync);

/// For requests that nobody follows.
pub(super) const UNHEARD: OnWait<'static> = &|_, _| {};

/// A response whose status is not 2xx.
#[derive(Debug, Clone)]
pub struct Failure {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// How long the server asks to wait.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        retry::text(&self.headers, name)
    }
}

/// Why an attempt failed, and whether the server has an opinion on repeating it.
struct Attempt {
    error: ProviderError,
    /// The server answered, so it is known what it did.
    answered: bool,
    opinion: Option<bool>,
    wait: Option<Duration>,
}

impl Http {
    pub fn new() -> Self {
        Self::with(Timeouts::default(), Arc::new(|time| Box::pin(tokio::time::sleep(time))))
    }

    /// With other time-outs and another way to wait.
    pub fn with(timeouts: Timeouts, sleep: Sleeper) -> Self {
        Self {
            inner: Arc::new(Inner { client: OnceLock::new(), timeouts, sleep, pace: Pace::default(), direct: false }),
        }
    }

    /// Without the proxies that the environment names, for what is reached without them by others.
    pub(super) fn direct(timeouts: Timeouts) -> Self {
        let sleep: Sleeper = Arc::new(|time| Box::pin(tokio::time::sleep(time)));
        Self {
            inner: Arc::new(Inner { client: OnceLock::new(), timeouts, sleep, pace: Pace::default(), direct: true }),
        }
    }

    /// Sends a request, again where that is sensible, and returns a successful response with its body unread.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Response, ProviderError> {
        let client = self.client()?;
        let mut attempt = 0;
        loop {
            let failed = match self.attempt(client, call).await {
                Ok(response) => return Ok(response),
                Err(failed) => failed,
            };
            let Some(wait) = wait_before_repeat(&failed, attempt, call.repeat) else {
                return Err(failed.error);
            };
            tracing::info!(who = call.who, attempt, wait_ms = wait.as_millis() as u64, error = %failed.error, "repeating a request");
            (call.on_wait)(&failed.error, wait);
            (self.inner.sleep)(wait).await;
            attempt += 1;
        }
    }

    /// The right to change something at a server that wants its writes one by one; kept until the write is over.
    pub(super) async fn take_turn(&self) -> Turn<'_> {
        let (turn, rest) = self.inner.pace.turn().await;
        if !rest.is_zero() {
            (self.inner.sleep)(rest).await;
        }
        turn
    }

    async fn attempt(&self, client: &Client, call: &Call<'_>) -> Result<Response, Attempt> {
        let unanswered = |error| Attempt { error, answered: false, opinion: None, wait: None };
        let response = (call.build)(client).send().await.map_err(|e| unanswered(self.transport_error(call.who, e)))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let headers = response.headers().clone();
        let wait = retry::server_wait(&headers, jiff::Timestamp::now());
        let opinion = retry::server_opinion(&headers);
        let body = error_body(response).await;
        let failure = Failure { status, headers, body, retry_after: wait };
        // A gateway's 5xx does not say whether the server behind it acted.
        let answered = !status.is_server_error();
        Err(Attempt { error: (call.judge)(&failure), answered, opinion, wait })
    }

    /// An error of the connection, before or while a response was read.
    pub(super) fn transport_error(&self, who: &'static str, error: reqwest::Error) -> ProviderError {
        if error.is_timeout() {
            let after = if error.is_connect() { self.inner.timeouts.connect } else { self.inner.timeouts.idle };
            return ProviderError::Timeout { who, after };
        }
        if error.is_builder() {
            return ProviderError::config(format!(
                "The address of {who} in config.toml can't be used: {}",
                causes(&error)
            ));
        }
        // The URL is left out: it may carry what belongs to nobody else.
        ProviderError::Network { who, message: redact::message(&causes(&error.without_url())) }
    }

    fn client(&self) -> Result<&Client, ProviderError> {
        if let Some(client) = self.inner.client.get() {
            return Ok(client);
        }
        let builder = if self.inner.direct { Client::builder().no_proxy() } else { Client::builder() };
        let built = builder
            .user_agent(concat!("patchwork/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.inner.timeouts.connect)
            .read_timeout(self.inner.timeouts.idle)
            .redirect(redirect::Policy::custom(same_origin_only))
            .build()
            .map_err(|e| {
                let why = causes(&e);
                ProviderError::config(format!(
                    "The HTTPS client can't be set up: {why}. Install the system's CA certificates (package ca-certificates)."
                ))
            })?;
        Ok(self.inner.client.get_or_init(|| built))
    }
}

/// How long to wait before the next attempt; `None` when there should be none.
fn wait_before_repeat(failed: &Attempt, attempt: u32, repeat: Repeat) -> Option<Duration> {
    if attempt >= retry::MAX_RETRIES || matches!(failed.error, ProviderError::SpendLimit { .. }) {
        return None;
    }
    if repeat == Repeat::WhenRefused && !failed.answered {
        return None;
    }
    if !failed.opinion.unwrap_or_else(|| failed.error.is_transient()) {
        return None;
    }
    let asked = match &failed.error {
        ProviderError::RateLimited { retry_after, .. } => retry_after.or(failed.wait),
        _ => failed.wait,
    };
    match asked {
        Some(wait) if wait > retry::LONGEST_WAIT => None,
        Some(wait) => Some(wait),
        None => Some(retry::backoff(attempt, random_unit())),
    }
}

/// Keys are sent in headers; they must not follow a redirect to another host.
fn same_origin_only(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let same = attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
    if same && attempt.previous().len() <= 5 { attempt.follow() } else { attempt.stop() }
}

/// Between 0 and 1. The standard library's hash seeds are random, which is all that jitter needs.
fn random_unit() -> f64 {
    let bits = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// The beginning of a failed response's body. A body that can't be read is as good as none: the status says enough.
async fn error_body(mut response: Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= MAX_ERROR_BODY {
            body.truncate(MAX_ERROR_BODY);
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// The reasons below an error's own text, which only says that a request failed.
fn causes(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        next = cause.source();
    }
    if parts.is_empty() { error.to_string() } else { parts.join(": ") }
}
