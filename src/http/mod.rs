//! L5: the HTTP door. Routes translate between requests and the engine's methods, and never decide.
//!
//! Start with [`router()`]: every route is on that one page. A request passes the guard first (`access`: who may speak at all), then
//! one handler, and comes back in one envelope (`error`: every failure is JSON with a `detail` a person can act on). Sockets are
//! apart: [`bind()`] opens one safely, [`serve()`] accepts on it with time-outs and a cap, so that the router itself is tested
//! without a network. The shapes are those of the original Python sidecar, whose drop-ins and dashboard must not notice.

mod access;
mod api;
mod app;
mod bind;
mod draft;
mod error;
mod events;
mod ingest;
mod json;
mod limits;
mod patient;
mod query;
mod router;
mod serve;
mod settings;
mod sse;
mod v1;
mod view;

pub use app::App;
pub use bind::{BindError, bind, probe};
pub use error::ApiError;
pub use json::JsonBody;
pub use limits::{Limits, MAX_BODY_BYTES};
pub use router::{guarded, router};
pub use serve::serve;
pub use view::{FeedbackView, ServerView, StatsView};
