//! Points in time. The domain reads no clock: callers pass `now`.

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

/// One second, minute, hour, day in milliseconds.
pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

impl Millis {
    /// ISO 8601 in UTC, as the original sidecar wrote it: `2026-11-20T12:00:00.000+00:00`.
    pub fn to_iso(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => t.strftime("%Y-%m-%dT%H:%M:%S.%3f+00:00").to_string(),
            Err(_) => String::from("1970-01-01T00:00:00.000+00:00"),
        }
    }

    /// Reads an ISO 8601 time; without a zone it is taken as UTC, as the original meant it.
    pub fn from_iso(text: &str) -> Option<Self> {
        if let Ok(t) = text.parse::<jiff::Timestamp>() {
            return Some(Self(t.as_millisecond()));
        }
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_millisecond()))
    }

    /// Milliseconds from `earlier` to here; never negative, because clocks step back.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }

    #[must_use]
    pub fn minus(self, ms: i64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    #[must_use]
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// How long ago, in words for a sentence: `just now`, `12m ago`.
pub fn ago_in_words(now: Millis, then: Millis) -> String {
    match ago(now, then) {
        now if now == NOW => String::from("just now"),
        age => format!("{age} ago"),
    }
}

const NOW: &str = "now";

/// How long ago, in at most four columns: `now 5s 12m 3h 9d 6w 2y`.
pub fn ago(now: Millis, then: Millis) -> String {
    let ms = now.since(then);
    let (n, unit) = match ms {
        ms if ms < 2 * SECOND => return String::from(NOW),
        ms if ms < MINUTE => (ms / SECOND, 's'),
        ms if ms < HOUR => (ms / MINUTE, 'm'),
        ms if ms < DAY => (ms / HOUR, 'h'),
        ms if ms < 28 * DAY => (ms / DAY, 'd'),
        ms if ms < 365 * DAY => (ms / (7 * DAY), 'w'),
        ms => (ms / (365 * DAY), 'y'),
    };
    format!("{n}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_round_trip_and_naive_times() {
        let t = Millis(1_793_000_000_123);
        assert_eq!(Millis::from_iso(&t.to_iso()), Some(t));
        assert_eq!(Millis::from_iso("2026-01-02T03:04:05.5"), Millis::from_iso("2026-01-02T03:04:05.500Z"));
        assert_eq!(Millis::from_iso("yesterday"), None);
    }

    #[test]
    fn ago_stays_narrow() {
        let now = Millis(10 * 365 * DAY);
        for ms in [0, SECOND, 59 * SECOND, MINUTE, HOUR, DAY, 27 * DAY, 364 * DAY, 900 * DAY] {
            assert!(ago(now, now.minus(ms)).len() <= 4);
        }
        assert_eq!(ago(now, now.plus(DAY)), "now", "a clock that stepped back is not an error");
        assert_eq!(ago_in_words(now, now), "just now");
        assert_eq!(ago_in_words(now, now.minus(3 * HOUR)), "3h ago");
    }
}
