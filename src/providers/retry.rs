//! When a failed request is worth repeating, and how long to wait first. Pure: no clock, no randomness, no I/O.
//!
//! The policy is that of the vendors' own SDKs: two repeats, the server's `x-should-retry` and `retry-after` before our own
//! judgement, otherwise half a second doubled each time up to eight, less a quarter of it at random.

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use std::time::Duration;

/// Repeats after the first attempt.
pub(super) const MAX_RETRIES: u32 = 2;

/// A longer wait than this is the user's to decide on.
pub(super) const LONGEST_WAIT: Duration = Duration::from_mins(2);

const FIRST_BACKOFF: f64 = 0.5;
const LONGEST_BACKOFF: f64 = 8.0;

/// What the server says about repeating; wins over our own judgement.
pub(super) fn server_opinion(headers: &HeaderMap) -> Option<bool> {
    match text(headers, "x-should-retry")? {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The wait that the server asks for: `retry-after-ms`, or `retry-after` in seconds or as an HTTP date.
pub(super) fn server_wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let ms = text(headers, "retry-after-ms").and_then(|t| t.trim().parse::<f64>().ok());
    if let Some(wait) = ms.and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok()) {
        return Some(wait);
    }
    let after = text(headers, "retry-after")?.trim();
    if let Ok(seconds) = after.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = jiff::fmt::rfc2822::parse(after).ok()?.timestamp();
    Some(Duration::from_millis(at.as_millisecond().saturating_sub(now.as_millisecond()).max(0).unsigned_abs()))
}

/// Our own wait before repeat number `attempt` (from 0); `jitter` is between 0 and 1.
pub(super) fn backoff(attempt: u32, jitter: f64) -> Duration {
    let full = (FIRST_BACKOFF * f64::from(1_u32 << attempt.min(8))).min(LONGEST_BACKOFF);
    Duration::from_secs_f64(full * (1.0 - 0.25 * jitter.clamp(0.0, 1.0)))
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
    }

    fn now() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_servers_wait_comes_in_three_spellings() {
        for (pairs, ms) in [
            (&[("retry-after-ms", "1500"), ("retry-after", "9")][..], 1500),
            (&[("retry-after", "2.5")][..], 2500),
            (&[("retry-after", "Fri, 20 Nov 2026 12:00:07 GMT")][..], 7000),
            (&[("retry-after", "Fri, 20 Nov 2026 11:00:00 GMT")][..], 0),
        ] {
            assert_eq!(server_wait(&headers(pairs), now()), Some(Duration::from_millis(ms)), "{pairs:?}");
        }
        for odd in ["soon", "-3", "NaN", "1e999"] {
            assert_eq!(server_wait(&headers(&[("retry-after", odd)]), now()), None, "{odd}");
        }
    }

    #[test]
    fn backoff_doubles_up_to_eight_seconds_less_a_quarter() {
        let full: Vec<_> = (0..7).map(|n| backoff(n, 0.0).as_millis()).collect();
        assert_eq!(full, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(backoff(1, 1.0).as_millis(), 750);
        assert_eq!(backoff(u32::MAX, 7.0).as_millis(), 6000);
    }

    #[test]
    fn only_the_two_known_words_are_an_opinion() {
        assert_eq!(server_opinion(&headers(&[("x-should-retry", "true")])), Some(true));
        assert_eq!(server_opinion(&headers(&[("x-should-retry", "false")])), Some(false));
        assert_eq!(server_opinion(&headers(&[("x-should-retry", "maybe")])), None);
    }
}
