//! The integration tests: one binary, so that there is one link.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper of tests fails the test")]

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod cli;
mod drafting;
mod engine;
mod http;
mod providers;
mod store;
