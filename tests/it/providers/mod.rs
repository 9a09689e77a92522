//! The providers through their own doors, against strict fakes on this machine.

mod anthropic;
mod compatible;
mod diffs;
mod git;
mod github;
mod openai;
mod strictness;

use crate::support::fake::world::Waits;
use crate::support::fake::{Complaints, Faults, Served, answer};
use axum::Router;
use axum::extract::{Request, State};
use patchwork::providers::Http;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KEY: &str = "CANARYkey~1";

/// Never waits between attempts, and bears silence for this long.
fn http(idle: Duration) -> (Http, Waits) {
    let waits = Waits::default();
    (waits.http(idle), waits)
}

/// Long enough never to matter.
const PATIENT: Duration = Duration::from_mins(2);

/// A server that nobody should talk to, or at least tell nothing.
struct Stranger {
    served: Served,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Stranger {
    async fn start() -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new().fallback(listen).with_state(Arc::clone(&seen));
        let served = Served::start("stranger", router, Complaints::default(), Faults::default()).await;
        Self { served, seen }
    }

    fn url(&self) -> &str {
        &self.served.url
    }

    /// Everything it was told: a line for each request with all its headers.
    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Asks for a password, as a thief would.
async fn listen(State(seen): State<Arc<Mutex<Vec<String>>>>, request: Request) -> axum::response::Response {
    seen.lock().unwrap().push(format!("{} {:?}", request.uri(), request.headers()));
    answer(401, &[("www-authenticate", "Basic realm=\"GitHub\"".into())], String::new())
}
