//! What becomes of published drafts: their pull requests are looked at now and then, politely.
//!
//! Only an owner looks, a handful each time: new ones often, old ones seldom, closed ones never. GitHub is asked for news only
//! (`ETag`), which costs nothing where there are none. Trouble with the server stops the round, and the next ones come later and
//! later; trouble with one pull request postpones that one.

use super::Engine;
use crate::config::Config;
use crate::domain::draft::{Checks, PullState, PullStatus};
use crate::domain::time::{DAY, HOUR, MINUTE, Millis};
use crate::drafting;
use crate::protocol::Refusal;
use crate::providers::github::{News, Seen};
use crate::providers::{Github, ProviderError, PullRequest};
use crate::store::{Change, OpenPull};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Pull requests looked at in one round.
const HANDFUL: usize = 5;

/// The longest rest after trouble, unless the server asks for a longer one.
const LONGEST_REST: i64 = HOUR;

/// What one round did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Looked {
    /// Pull requests that were asked about.
    pub asked: usize,
    /// Those whose state or checks are others than before.
    pub changed: usize,
    /// Why the round ended early, in words.
    pub trouble: Option<String>,
}

/// How long to leave the server, or one pull request, alone. Forgotten at the end of the process.
#[derive(Debug, Default)]
pub(super) struct Patience(Mutex<Rests>);

#[derive(Debug, Default)]
struct Rests {
    all: Rest,
    /// By URL.
    each: BTreeMap<String, Rest>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Rest {
    until: Millis,
    failures: u32,
}

impl Rest {
    /// `first` doubled with each failure in a row, and never shorter than what the server asks for.
    fn after(self, now: Millis, first: i64, asked: i64) -> Self {
        let doubled = first.saturating_mul(1 << self.failures.min(16)).min(LONGEST_REST.max(first));
        Self { until: now.plus(doubled.max(asked)), failures: self.failures.saturating_add(1) }
    }
}

/// Looks every `poll_interval` until the engine closes.
pub(super) async fn look_every(engine: Engine) {
    // As it is now: the settings may have changed since the last round.
    let interval = || engine.in_force().config.github.poll_interval;
    // A program that was just started has better things to do first.
    let mut wait = interval() / 10;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = engine.inner.closing.cancelled() => return,
        }
        wait = interval();
        let round = engine.look_at_pulls(engine.now());
        let looked = tokio::select! {
            looked = round => looked,
            () = engine.inner.closing.cancelled() => return,
        };
        match looked {
            Ok(Looked { trouble: Some(why), .. }) => tracing::warn!("looking at pull requests: {why}"),
            Ok(looked) => tracing::debug!(asked = looked.asked, changed = looked.changed, "looked at pull requests"),
            Err(refusal) => tracing::warn!("looking at pull requests: {refusal}"),
        }
    }
}

impl Engine {
    /// One round: asks about those pull requests of drafts whose turn it is at `now`, and stores what is new.
    pub async fn look_at_pulls(&self, now: Millis) -> Result<Looked, Refusal> {
        let config = self.effective_config().await?;
        let Some(token) = self.secrets().github.clone() else { return Ok(Looked::default()) };
        if self.rests().all.until > now {
            return Ok(Looked::default());
        }
        let client = Github::new(self.inner.http.clone(), &config.github, token);
        let pulls = self.inner.store.open_pulls().await.map_err(super::refusal)?;
        let mut looked = Looked::default();
        for group in self.due(pulls, &config, now) {
            looked.asked += 1;
            match self.look_at(&client, &group, now).await {
                Ok(changed) => {
                    looked.changed += usize::from(changed);
                    let mut rests = self.rests();
                    rests.all = Rest::default();
                    rests.each.remove(&group.url);
                }
                Err(Trouble::One(why)) => {
                    tracing::info!(pull = group.url, "{why}");
                    let mut rests = self.rests();
                    let rest = rests.each.entry(group.url).or_default();
                    *rest = rest.after(now, HOUR, 0);
                }
                Err(Trouble::All { why, asked }) => {
                    let mut rests = self.rests();
                    rests.all = rests.all.after(now, base(&config).max(MINUTE), asked);
                    looked.trouble = Some(why);
                    break;
                }
                Err(Trouble::Store(refusal)) => return Err(refusal),
            }
        }
        Ok(looked)
    }

    fn rests(&self) -> MutexGuard<'_, Rests> {
        self.inner.patience.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose turn it is: who has waited longest for its age; of those, the newest first.
    fn due(&self, pulls: Vec<OpenPull>, config: &Config, now: Millis) -> Vec<Group> {
        let rests = self.rests();
        let mut groups: Vec<(f64, Group)> = Group::all(pulls)
            .into_iter()
            .filter(|group| rests.each.get(&group.url).is_none_or(|rest| rest.until <= now))
            .map(|group| (group.lateness(base(config), now), group))
            .filter(|(lateness, _)| *lateness >= 1.0)
            .collect();
        // Stable: the newest came first.
        groups.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        groups.into_iter().take(HANDFUL).map(|(_, group)| group).collect()
    }

    async fn look_at(&self, client: &Github, group: &Group, now: Millis) -> Result<bool, Trouble> {
        let Some(number) = drafting::pull_number(&group.url) else {
            return Err(Trouble::One("it is no pull request of GitHub".into()));
        };
        // What can't be read any more is asked for anew.
        let mut seen: Seen = serde_json::from_str(&group.etags).unwrap_or_default();
        let news = client.look_again(&group.repository, number, &mut seen).await?;
        if news.pull.as_ref().is_some_and(|pull| pull.html_url != group.url) {
            return Err(Trouble::One("it is at another server than the one that is configured now".into()));
        }
        let status = status(news, group.status.as_ref(), now);
        let changed = group.status.as_ref().is_none_or(|s| (s.state, s.checks) != (status.state, status.checks));
        let etags = serde_json::to_string(&seen).unwrap_or_else(|_| "{}".into());
        for draft in &group.drafts {
            let change = Change::SetPull { draft: draft.clone(), status: status.clone(), etags: etags.clone() };
            self.inner.write_as_engine(change).await.map_err(|e| Trouble::Store(super::refusal(e)))?;
        }
        Ok(changed)
    }
}

/// A pull request and the drafts that are in it.
struct Group {
    url: String,
    repository: String,
    drafts: Vec<crate::domain::id::DraftId>,
    created_at: Millis,
    status: Option<PullStatus>,
    etags: String,
}

impl Group {
    /// In the order of their newest drafts.
    fn all(pulls: Vec<OpenPull>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for OpenPull { draft, repository, url, created_at, status, etags } in pulls {
            match groups.iter_mut().find(|group| group.url == url) {
                Some(group) => group.drafts.push(draft),
                None => groups.push(Self { url, repository, drafts: vec![draft], created_at, status, etags }),
            }
        }
        groups
    }

    /// The time since the last look as a share of the time between looks; from 1 on it is due. `base` is for a new one.
    fn lateness(&self, base: i64, now: Millis) -> f64 {
        let Some(status) = &self.status else { return f64::INFINITY };
        let times = match now.since(self.created_at) {
            age if age < DAY => 1,
            age if age < 7 * DAY => 6,
            age if age < 30 * DAY => 24,
            _ => 288,
        };
        now.since(status.looked_at) as f64 / base.saturating_mul(times).max(1) as f64
    }
}

fn base(config: &Config) -> i64 {
    i64::try_from(config.github.poll_interval.as_millis()).unwrap_or(i64::MAX)
}

/// What is known now, from what was known and what is new.
fn status(news: News, known: Option<&PullStatus>, now: Millis) -> PullStatus {
    let state = news.pull.as_ref().map_or_else(|| known.map_or(PullState::Open, |k| k.state), state);
    let checks = news.checks.map(|checks| checks.verdict());
    let checks = checks.unwrap_or_else(|| known.map_or(Checks::Unknown, |k| k.checks));
    PullStatus { state, checks, looked_at: now }
}

fn state(pull: &PullRequest) -> PullState {
    match (pull.merged, pull.is_open(), pull.draft) {
        (true, _, _) => PullState::Merged,
        (false, false, _) => PullState::Closed,
        (false, true, true) => PullState::Draft,
        (false, true, false) => PullState::Open,
    }
}

/// Why a look failed, by whom it concerns.
enum Trouble {
    /// This pull request: gone, or not to be understood.
    One(String),
    /// The server or the token. `asked` is how long the server wants to be left alone, in milliseconds.
    All {
        why: String,
        asked: i64,
    },
    Store(Refusal),
}

impl From<ProviderError> for Trouble {
    fn from(error: ProviderError) -> Self {
        let asked = match &error {
            ProviderError::RateLimited { retry_after, .. } => retry_after.unwrap_or(Duration::from_mins(1)),
            ProviderError::Auth { .. } => Duration::from_hours(1),
            _ if error.is_transient() => Duration::ZERO,
            _ => return Self::One(error.to_string()),
        };
        Self::All { why: error.to_string(), asked: i64::try_from(asked.as_millis()).unwrap_or(i64::MAX) }
    }
}
