//! What every handler can reach: the engine, the rules of the door, the places for watchers.

use super::access::Access;
use super::error::ApiError;
use super::limits::Limits;
use crate::config::{Secrets, ServerConfig};
use crate::engine::Engine;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The router's state. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    engine: Engine,
    access: Access,
    limits: Limits,
    watchers: Arc<Semaphore>,
}

/// Held by an event stream for as long as it lasts.
#[derive(Debug)]
pub(super) struct WatcherPlace(#[expect(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);

impl App {
    /// The rules come from `server`, the key that callers must present from `secrets`.
    pub fn new(engine: Engine, server: &ServerConfig, secrets: &Secrets) -> Self {
        Self::with_limits(engine, server, secrets, Limits::from(server))
    }

    /// [`Self::new`] with other limits than the configuration's.
    pub fn with_limits(engine: Engine, server: &ServerConfig, secrets: &Secrets, limits: Limits) -> Self {
        let access = Access::new(server, secrets);
        let watchers = Arc::new(Semaphore::new(limits.watchers));
        Self(Arc::new(Shared { engine, access, limits, watchers }))
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(super) fn access(&self) -> &Access {
        &self.0.access
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// A place for an event stream, or the refusal when all are taken.
    pub(super) fn watcher_place(&self) -> Result<WatcherPlace, ApiError> {
        match Arc::clone(&self.0.watchers).try_acquire_owned() {
            Ok(permit) => Ok(WatcherPlace(permit)),
            Err(_full) => Err(ApiError::busy("too many event streams are open; close one, or try again in a moment")),
        }
    }
}
