//! The HTTP door over a real engine in a temporary directory; without sockets, but for `sockets`.

mod sockets;

use axum::Router;
use patchwork::config::{Secrets, ServerConfig};
use patchwork::engine::Engine;
use patchwork::http::{App, Limits};
use std::time::Duration;

/// How long anything may take before a test fails.
const TIME: Duration = Duration::from_secs(20);

/// An engine of its own and the router over it.
struct Door {
    app: App,
    engine: Engine,
}

impl Door {
    async fn open() -> Self {
        Self::with(Secrets::default(), Limits::default()).await
    }

    async fn with(secrets: Secrets, limits: Limits) -> Self {
        let engine = Engine {};
        let app = App::with_limits(engine.clone(), &ServerConfig::default(), &secrets, limits);
        Self { app, engine }
    }

    fn app(&self) -> App {
        self.app.clone()
    }

    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn router(&self) -> Router {
        patchwork::http::router(self.app())
    }
}
