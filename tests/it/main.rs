//! The integration tests: one binary, so that there is one link.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper of tests fails the test")]

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod cli;
mod drafting;
mod dropin;
mod engine;
mod faults;
mod http;
mod kill;
mod providers;
mod pty;
mod readme;
mod store;
mod tui;
