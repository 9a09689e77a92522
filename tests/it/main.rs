//! The integration tests: one binary, so that there is one link.

#[path = "../support/mod.rs"]
mod support;

mod drafting;
mod engine;
mod store;
