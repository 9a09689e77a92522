//! Every route of the program, on one page.

use super::access::{HEALTH_PATH, guard};
use super::app::App;
use super::{api, draft, error, events, ingest, settings, v1};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, patch, post};
use tower_http::catch_panic::CatchPanicLayer;

/// The whole API over one engine. No sockets: see [`super::serve()`].
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .route(HEALTH_PATH, get(api::healthz))
        .route("/api/feedback", get(api::list).post(ingest::record))
        .route("/api/feedback/{id}", get(api::one).merge(patch(api::review)))
        .route("/api/feedback/{id}/notes", post(api::add_note))
        .route("/api/feedback/{id}/draft-pr", post(draft::draft_pr))
        // The hosted product's paths, as its client libraries send them: with a slash at the end.
        .route("/api/v1/feedback/", post(v1::record))
        .route("/api/v1/feedback", post(v1::record))
        .route("/api/v1/heartbeat/", post(v1::heartbeat))
        .route("/api/v1/heartbeat", post(v1::heartbeat))
        .route("/api/servers", get(api::servers))
        .route("/api/stats", get(api::stats))
        .route("/api/settings", get(settings::show).put(settings::save))
        .route("/api/events", get(events::watch));
    guarded(app, routes)
}

/// Puts what every route needs around `routes`: the guard, answers for what is not there, and a net under panics.
pub fn guarded(app: App, routes: Router<App>) -> Router {
    routes
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::wrong_method)
        // The guard and `JsonBody` limit bodies, with an answer in our envelope.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(app.clone(), guard))
        .layer(CatchPanicLayer::custom(error::panicked))
        .with_state(app)
}
