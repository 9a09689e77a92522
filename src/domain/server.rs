//! An MCP server as it is heard of: what its heartbeats say, what came from it, and what looks wrong.
//!
//! A drop-in sends a heartbeat when it is registered and about every hour, other clients may send one every minute. Both are kept as one row a server
//! ([`Pulse`]), so that the number of heartbeats costs nothing. What is odd about a server is decided here ([`Server::warnings`]), from
//! facts and a time alone; a server that only ever sends reports is fine.

use super::feedback::{FieldError, MAX_NAME_BYTES};
use super::fields::Reader;
use super::time::{DAY, HOUR, MINUTE, Millis, ago};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The tool that the drop-ins add.
pub const FEEDBACK_TOOL: &str = "feedback";
/// A server that has the tool for this long and has never reported is worth a look.
const NEVER_REPORTED: i64 = 7 * DAY;
/// From this many heartbeats, over at least a day, a server counts as heard regularly.
const REGULAR_BEATS: i64 = 5;
/// A silence is unusual when it is this many times the usual gap …
const UNUSUAL: i64 = 4;
/// … and at least so long: for a server that beats like a clock, and for one that beats whenever a client starts it.
const CLOCKWORK_GAP: i64 = 10 * MINUTE;
const CLOCKWORK_SILENCE: i64 = HOUR;
const OTHER_SILENCE: i64 = 3 * DAY;

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub server_name: String,
    /// Sorted, each once.
    pub tool_names: Vec<String>,
    /// As sent: a client may count without naming.
    pub tool_count: i64,
    /// `python/1.0.0`; empty when it is not said, as are the next two.
    pub drop_in: String,
    /// `mcp 2.3.0`.
    pub sdk: String,
    /// What sent it, as it calls itself.
    pub client: String,
}

impl Heartbeat {
    /// Reads a heartbeat from JSON. Fields this program does not know are left aside: nothing in them is a report.
    ///
    /// # Errors
    /// Every field that is missing, of the wrong type or too long, at once.
    pub fn parse(json: Value) -> Result<Self, Vec<FieldError>> {
        let Value::Object(fields) = json else {
            return Err(vec![FieldError::new("body", "type", "the body must be a JSON object")]);
        };
        let mut reader = Reader::new(fields);
        let slug = reader.text("server_slug", MAX_NAME_BYTES);
        let name = reader.text("server_name", MAX_NAME_BYTES);
        let server_name = if slug.trim().is_empty() { name } else { slug };
        if server_name.trim().is_empty() && reader.errors.is_empty() {
            reader.fail("server_slug", "missing", "required: the name that this server's reports carry");
        }
        let mut tool_names = reader.names("tool_names");
        tool_names.sort_unstable();
        tool_names.dedup();
        let tool_count = count(&mut reader).unwrap_or(tool_names.len() as i64);
        let heartbeat = Self {
            server_name,
            tool_names,
            tool_count,
            drop_in: reader.text("drop_in", MAX_NAME_BYTES),
            sdk: reader.text("sdk", MAX_NAME_BYTES),
            client: reader.text("client", MAX_NAME_BYTES),
        };
        reader.finish(heartbeat)
    }
}

fn count(reader: &mut Reader) -> Option<i64> {
    let value = reader.take("tool_count")?;
    let count = value.as_i64().filter(|n| (0..=i64::from(u32::MAX)).contains(n));
    if count.is_none() {
        reader.fail("tool_count", "type", "must be a whole number, 0 or more");
    }
    count
}

/// How often a server was heard, in four numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulse {
    pub first_heard: Millis,
    pub last_heard: Millis,
    /// Since when `beats` are counted: anew after an unusual silence, so that an old rhythm is not held against a new one.
    pub since: Millis,
    pub beats: i64,
}

impl Pulse {
    pub fn first(at: Millis) -> Self {
        Self { first_heard: at, last_heard: at, since: at, beats: 1 }
    }

    /// After one more heartbeat.
    #[must_use]
    pub fn beat(self, at: Millis) -> Self {
        // Clocks step back; what was heard was heard.
        let at = at.max(self.last_heard);
        if self.unusual_silence(self.last_heard, at).is_some() {
            return Self { last_heard: at, since: at, beats: 1, ..self };
        }
        Self { last_heard: at, beats: self.beats + 1, ..self }
    }

    /// The mean time between heartbeats, of a server that is heard regularly.
    pub fn usual_gap(self) -> Option<i64> {
        let span = self.last_heard.since(self.since);
        (self.beats >= REGULAR_BEATS && span >= DAY).then(|| span / (self.beats - 1))
    }

    /// The usual gap, when the time from `last` to `now` is much longer than that.
    fn unusual_silence(self, last: Millis, now: Millis) -> Option<i64> {
        let gap = self.usual_gap()?;
        let floor = if gap <= CLOCKWORK_GAP { CLOCKWORK_SILENCE } else { OTHER_SILENCE };
        (now.since(last) > floor.max(UNUSUAL * gap)).then_some(gap)
    }
}

/// The reports that came from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reports {
    pub total: i64,
    pub unreviewed: i64,
    pub last: Option<Millis>,
}

/// A server that was heard of, by a heartbeat or a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    pub name: String,
    /// `None`: it has only ever sent reports.
    pub heartbeat: Option<Heard>,
    pub reports: Reports,
}

/// The last heartbeat and the rhythm of all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    #[serde(flatten)]
    pub pulse: Pulse,
    pub tool_names: Vec<String>,
    pub tool_count: i64,
    pub drop_in: String,
    pub sdk: String,
    pub client: String,
}

impl Heard {
    /// `None`: the heartbeat names no tools.
    pub fn has_feedback_tool(&self) -> Option<bool> {
        (!self.tool_names.is_empty()).then(|| self.tool_names.iter().any(|name| name == FEEDBACK_TOOL))
    }
}

/// What looks wrong with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// It has the tool for so many milliseconds.
    NeverReported { for_ms: i64 },
    /// It was heard regularly, and is silent for many times its usual gap.
    StoppedSending { for_ms: i64, usual_gap_ms: i64 },
}

impl Warning {
    /// A stable word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::NeverReported { .. } => "never_reported",
            Self::StoppedSending { .. } => "stopped_sending",
        }
    }

    /// A sentence for people.
    pub fn sentence(self) -> String {
        let span = |ms: i64| ago(Millis(ms), Millis(0));
        match self {
            Self::NeverReported { for_ms } => format!(
                "has the feedback tool for {} and never reported: do its instructions mention the tool?",
                span(for_ms)
            ),
            Self::StoppedSending { for_ms, usual_gap_ms } => format!(
                "silent for {}, and was heard every {} before: is it running, and does it reach this address?",
                span(for_ms),
                span(usual_gap_ms)
            ),
        }
    }
}

impl Server {
    /// By a heartbeat or a report, whichever was later.
    pub fn last_heard(&self) -> Option<Millis> {
        self.heartbeat.as_ref().map(|h| h.pulse.last_heard).max(self.reports.last)
    }

    /// What looks wrong as of `now`.
    pub fn warnings(&self, now: Millis) -> Vec<Warning> {
        let Some(heard) = &self.heartbeat else { return Vec::new() };
        let last = self.last_heard().unwrap_or(heard.pulse.last_heard);
        let silence = heard.pulse.unusual_silence(last, now);
        let stopped = silence.map(|usual_gap_ms| Warning::StoppedSending { for_ms: now.since(last), usual_gap_ms });
        let known_for = now.since(heard.pulse.first_heard);
        let never = heard.has_feedback_tool() == Some(true) && self.reports.total == 0 && known_for >= NEVER_REPORTED;
        let never = never.then_some(Warning::NeverReported { for_ms: known_for });
        stopped.into_iter().chain(never).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const T0: Millis = Millis(1_790_000_000_000);

    fn server(pulse: Pulse, tools: &[&str], reports: Reports) -> Server {
        let tool_names: Vec<String> = tools.iter().map(|t| (*t).to_owned()).collect();
        let tool_count = tool_names.len() as i64;
        let heard =
            Heard { pulse, tool_names, tool_count, drop_in: String::new(), sdk: String::new(), client: String::new() };
        Server { name: "billing".into(), heartbeat: Some(heard), reports }
    }

    fn beats(every: i64, times: i64) -> Pulse {
        (1..times).fold(Pulse::first(T0), |pulse, n| pulse.beat(T0.plus(n * every)))
    }

    fn words(server: &Server, now: Millis) -> Vec<&'static str> {
        server.warnings(now).into_iter().map(Warning::word).collect()
    }

    #[test]
    fn a_heartbeat_is_read_in_both_dialects() {
        let one =
            Heartbeat::parse(json!({"server_slug": "b", "tool_names": ["z", "a", "a"], "tool_count": 3, "mood": 1}));
        let one = one.unwrap();
        assert_eq!((one.server_name.as_str(), one.tool_count), ("b", 3));
        assert_eq!(one.tool_names, ["a", "z"]);
        let two = Heartbeat::parse(json!({"server_name": "b", "tool_names": "a, z", "sdk": null})).unwrap();
        assert_eq!((two.tool_count, two.tool_names), (2, one.tool_names));
    }

    #[test]
    fn every_fault_of_a_heartbeat_is_told() {
        let errors =
            Heartbeat::parse(json!({"server_slug": "x".repeat(5000), "tool_count": -1, "sdk": 5})).unwrap_err();
        let fields: Vec<_> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["server_slug", "tool_count", "sdk"]);
        assert_eq!(Heartbeat::parse(json!({})).unwrap_err()[0].kind, "missing");
        assert!(Heartbeat::parse(json!([])).is_err());
    }

    #[test]
    fn a_server_with_the_tool_that_never_reports_is_told_after_a_week() {
        let silent = server(Pulse::first(T0), &["feedback", "search"], Reports::default());
        assert!(words(&silent, T0.plus(6 * DAY)).is_empty());
        assert_eq!(words(&silent, T0.plus(8 * DAY)), ["never_reported"]);
        let told = Reports { total: 1, unreviewed: 0, last: Some(T0) };
        assert!(words(&server(Pulse::first(T0), &["feedback"], told), T0.plus(90 * DAY)).is_empty());
        for tools in [&["search"][..], &[]] {
            assert!(words(&server(Pulse::first(T0), tools, Reports::default()), T0.plus(90 * DAY)).is_empty());
        }
    }

    #[test]
    fn a_clockwork_server_is_missed_after_an_hour_and_one_started_by_hand_after_days() {
        let told = Reports { total: 1, unreviewed: 0, last: None };
        let clock = beats(MINUTE, 2 * 24 * 60);
        let end = clock.last_heard;
        assert!(words(&server(clock, &[], told), end.plus(50 * MINUTE)).is_empty());
        assert_eq!(words(&server(clock, &[], told), end.plus(2 * HOUR)), ["stopped_sending"]);
        let daily = beats(DAY, 20);
        let end = daily.last_heard;
        assert!(words(&server(daily, &[], told), end.plus(3 * DAY)).is_empty(), "a weekend");
        assert_eq!(words(&server(daily, &[], told), end.plus(5 * DAY)), ["stopped_sending"]);
        let hours_of_restarts = beats(MINUTE, 100);
        assert!(words(&server(hours_of_restarts, &[], told), T0.plus(90 * DAY)).is_empty(), "never was regular");
    }

    #[test]
    fn a_report_is_a_sign_of_life_and_reports_without_heartbeats_are_fine() {
        let clock = beats(MINUTE, 2 * 24 * 60);
        let now = clock.last_heard.plus(3 * HOUR);
        let reported = Reports { total: 1, unreviewed: 1, last: Some(now.minus(MINUTE)) };
        assert!(words(&server(clock, &[], reported), now).is_empty());
        let alone = Server { name: "x".into(), heartbeat: None, reports: reported };
        assert!(words(&alone, now.plus(400 * DAY)).is_empty());
        assert_eq!(alone.last_heard(), reported.last);
    }

    #[test]
    fn after_a_silence_the_rhythm_is_learnt_anew() {
        let clock = beats(MINUTE, 2 * 24 * 60);
        let back = clock.beat(clock.last_heard.plus(5 * DAY));
        assert_eq!((back.beats, back.since, back.first_heard), (1, back.last_heard, T0));
        assert_eq!(back.usual_gap(), None);
        assert_eq!(back.beat(T0).last_heard, back.last_heard, "a clock that stepped back");
    }
}
