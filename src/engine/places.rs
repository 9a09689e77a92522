//! How many draft runs work at the same time: a number that the settings can change while they do.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Places for runs; more wait, in order.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    all: Mutex<usize>,
}

impl Places {
    pub(super) fn new(all: usize) -> Self {
        let all = all.max(1);
        Self { free: Arc::new(Semaphore::new(all)), all: Mutex::new(all) }
    }

    /// Waits for a place, which is free again when the answer is dropped. `None` never happens: the places are never closed.
    pub(super) async fn take(&self) -> Option<SemaphorePermit<'_>> {
        self.free.acquire().await.ok()
    }

    /// From now on there are this many. Runs that are in more than that finish; until then no other one begins.
    pub(super) fn set(&self, wanted: usize) {
        let wanted = wanted.max(1);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted > *all {
            self.free.add_permits(wanted - *all);
        } else if wanted < *all {
            let (free, less) = (Arc::clone(&self.free), u32::try_from(*all - wanted).unwrap_or(u32::MAX));
            // It waits in line like a run, and never gives back what it got.
            tokio::spawn(async move {
                if let Ok(places) = free.acquire_many(less).await {
                    places.forget();
                }
            });
        }
        *all = wanted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn places_come_and_go_while_some_are_taken() {
        let places = Places::new(2);
        let (first, second) = (places.take().await.unwrap(), places.take().await.unwrap());
        assert!(places.take().now_or_never().is_none());
        places.set(3);
        let third = places.take().await.unwrap();
        places.set(1);
        tokio::task::yield_now().await;
        drop((first, second));
        tokio::task::yield_now().await;
        assert!(places.take().now_or_never().is_none(), "one place, and the third run has it");
        drop(third);
        let one = places.take().await.unwrap();
        assert!(places.take().now_or_never().is_none());
        drop(one);
    }
}
