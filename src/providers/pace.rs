//! Writes one at a time and at least a second apart, as GitHub asks of its clients; faster ones run into its secondary limits.

use std::sync::PoisonError;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

/// From the end of one write to the beginning of the next.
const APART: Duration = Duration::from_secs(1);

/// Whose turn it is, for every user of one HTTP client.
#[derive(Debug)]
pub(super) struct Pace {
    one: Semaphore,
    last: std::sync::Mutex<Option<Instant>>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { one: Semaphore::new(1), last: std::sync::Mutex::default() }
    }
}

impl Pace {
    /// Waits for the turn, and says how long the caller has to rest before it writes.
    pub(super) async fn turn(&self) -> (Turn<'_>, Duration) {
        // Never closed; and without a permit the worst is that two writes come close together.
        let permit = self.one.acquire().await.ok();
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = last.map_or(Duration::ZERO, |at| APART.saturating_sub(at.elapsed()));
        (Turn { pace: self, _permit: permit }, rest)
    }
}

/// The right to write now.
pub(super) struct Turn<'a> {
    pace: &'a Pace,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.pace.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_goes_at_once_and_the_next_rests() {
        let pace = Pace::default();
        let (first, rest) = pace.turn().await;
        assert_eq!(rest, Duration::ZERO);
        assert!(futures::FutureExt::now_or_never(pace.turn()).is_none(), "one at a time");
        drop(first);
        let (_second, rest) = pace.turn().await;
        assert!(rest > Duration::ZERO && rest <= APART, "{rest:?}");
    }
}
