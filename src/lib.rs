//! Patchwork: a terminal inbox for what MCP agents could not do, and the pull requests that mend it.
//!
//! One crate in layers. A layer may use the layers **below** it in this picture and nothing else; `tests/it/architecture.rs`
//! reads every file and fails on a forbidden edge.
//!
//! ```text
//! L7  cli                       parses arguments, decides which pieces a process is made of; the only place that knows
//! L6  tui                       front-end: uses client, protocol, config, domain (never store, engine or http)
//! L5  client     http           both: uses engine, protocol, config, domain (client: EngineHandle {Local}; http: axum routes)
//! L4  engine                    decides: every operation, every event, every job
//! L3  drafting                  the draft pipeline, stage by stage
//! L2  store      providers      store: the only SQL;  providers: LLMs, GitHub, git: the only outside world
//! L1  protocol   config         what crosses a process: Command, Event, read models;  settings and secrets
//! L0  domain                    Feedback, Note, Filter, Draft, Change …: no I/O, no clock, no async, no SQL, no widgets
//! ```
//!
//! The one idea: **one write door, one numbered change feed, a few reads.** Whoever wants something submits a
//! [`protocol::Command`] under an id of its own making and gets a receipt or a refusal. What happened is an entry of the event
//! log, numbered inside the transaction that made it true. Watchers read the log from where they were and sleep
//! until a bell rings; the bell carries no data, so nothing can be lost, lag or be reordered.
//!
//! Two walks through the code:
//!
//! 1. *A report comes in:* `http::ingest` parses it ([`domain::feedback::NewFeedback::parse`]) and submits `RecordFeedback`; the
//!    engine hands it to the store's writer thread, which commits it with every other write that is waiting; then the sender
//!    gets its 201, the bell rings, the TUI's watcher reads the event, `tui::mirror` folds it in, and the screen is drawn.
//! 2. *A key is pressed:* `tui::keymap` makes it an `Action`, `tui::update` (pure) makes that a list of `Effect`s, the effect runner
//!    calls the engine, and what comes back, as an event, goes the first way.

pub mod cli;
pub mod client;
pub mod config;
pub mod domain;
pub mod drafting;
pub mod engine;
pub mod http;
pub mod protocol;
pub mod providers;
pub mod store;
pub mod tui;
