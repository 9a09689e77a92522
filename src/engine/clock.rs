//! What time it is, so that tests can say.

use crate::domain::time::Millis;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The engine's clock: the system's, or one that stands still until told.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    pub fn now(&self) -> Millis {
        match self {
            // A clock before 1970 is as wrong as can be; zero is then as good as anything.
            Self::System => Millis(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)),
            Self::Manual(ms) => Millis(ms.load(Ordering::Relaxed)),
        }
    }
}
