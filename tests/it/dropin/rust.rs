//! The Rust drop-in, on the router of `rmcp` and without it.

use super::matrix::{Http, Row, rows};
use crate::support::servers::Language::Rust;

const BOTH: Http = Http { modern: true, sessions: true };

rows! {
    rmcp_3: Row {
        language: Rust,
        listed: ["rmcp 3.x", "3.11.0", "ToolRouter"],
        line: "",
        server: "rmcp3",
        sdk: "rmcp 3.11.0",
        modern: true,
        http: Some(BOTH),
    },
    plain_functions: Row {
        language: Rust,
        listed: ["none (plain functions)", "", "stdio only"],
        line: "",
        server: "plain",
        sdk: "none",
        modern: false,
        http: None,
    },
}
