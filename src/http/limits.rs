//! How much one client may take: bytes, seconds, connections.
//!
//! All of it in one value, so that a test can make a server that loses patience in a moment.

use crate::config::ServerConfig;
use std::time::Duration;

/// Largest request body, in bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// What a connection may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. When all are taken, new ones wait in the kernel's queue, and those that ask for nothing are closed.
    pub connections: usize,
    /// Event streams at once: fewer than `connections`, so that watchers never take the last place from a report.
    pub watchers: usize,
    /// From the moment a connection is free for a request until the whole head is in: the header and the idle time-out.
    pub head: Duration,
    /// How long a connection has to ask for something before it counts as one that makes room for others.
    pub courtesy: Duration,
    /// For a whole request body.
    pub body: Duration,
    /// How long a client may refuse to take more of its answer.
    pub stalled: Duration,
    /// How long requests may go on after shutdown began.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(ServerConfig::default().max_connections)
    }
}

impl From<&ServerConfig> for Limits {
    fn from(server: &ServerConfig) -> Self {
        Self::new(server.max_connections)
    }
}

impl Limits {
    fn new(connections: usize) -> Self {
        Self {
            connections: connections.max(2),
            watchers: (connections / 2).max(1),
            head: Duration::from_secs(10),
            courtesy: Duration::from_secs(1),
            body: Duration::from_secs(20),
            stalled: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}
