//! The Python drop-in, on every class that the SDKs of that language have for servers.

use super::assets;
use super::matrix::{Http, Row, rows};
use crate::support::python::{self, fixture};
use crate::support::servers::Language::Python;
use crate::support::toolchain::in_company;
use serde_json::{Value, json};
use std::process::Stdio;

const SESSIONS: Http = Http { modern: false, sessions: true };
const BOTH: Http = Http { modern: true, sessions: true };

rows! {
    mcp_2: Row {
        language: Python,
        listed: ["mcp 2.x", "2.3.0", "MCPServer"],
        line: "mcp2",
        server: "server_mcp2",
        sdk: "mcp 2.3.0",
        modern: true,
        http: Some(BOTH),
    },
    mcp_2_low_level: Row {
        language: Python,
        listed: ["mcp 2.x", "2.3.0", "low-level Server"],
        line: "mcp2",
        server: "server_mcp2_lowlevel",
        sdk: "mcp 2.3.0",
        modern: true,
        http: Some(BOTH),
    },
    mcp_1: Row {
        language: Python,
        listed: ["mcp 1.x", "1.30.0", "FastMCP"],
        line: "mcp1",
        server: "server_mcp1",
        sdk: "mcp 1.30.0",
        modern: false,
        http: Some(SESSIONS),
    },
    mcp_1_low_level: Row {
        language: Python,
        listed: ["mcp 1.x", "1.30.0", "low-level Server"],
        line: "mcp1",
        server: "server_mcp1_lowlevel",
        sdk: "mcp 1.30.0",
        modern: false,
        http: Some(SESSIONS),
    },
    fastmcp_4: Row {
        language: Python,
        listed: ["fastmcp 4.x", "4.2.3", "FastMCP"],
        line: "fastmcp4",
        server: "server_fastmcp",
        sdk: "fastmcp 4.2.3",
        modern: true,
        http: Some(BOTH),
    },
    fastmcp_3: Row {
        language: Python,
        listed: ["fastmcp 3.x", "3.4.11", "FastMCP"],
        line: "fastmcp3",
        server: "server_fastmcp",
        sdk: "fastmcp 3.4.11",
        modern: false,
        http: Some(SESSIONS),
    },
    fastmcp_2: Row {
        language: Python,
        listed: ["fastmcp 2.x", "2.14.7", "FastMCP"],
        line: "fastmcp2",
        server: "server_fastmcp",
        sdk: "fastmcp 2.14.7",
        modern: false,
        http: Some(SESSIONS),
    },
    plain_functions: Row {
        language: Python,
        listed: ["none (plain functions)", "", "stdio only"],
        line: "mcp2",
        server: "server_plain",
        sdk: "none",
        modern: false,
        http: None,
    },
}

/// What a script with the drop-in of this directory prints.
fn said(script: &str, test: &str) -> Option<Value> {
    let python = python::Python::with("mcp2", test)?;
    let _company = in_company();
    let output = python.command().arg(fixture(script)).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn under_trio_other_tasks_go_on_while_a_report_waits() {
    let test = "dropin::python::under_trio_other_tasks_go_on_while_a_report_waits";
    let Some(said) = said("under_trio.py", test) else { return };
    assert_eq!(said["answer"], assets()["answers"]["queued"]);
    // It is due every hundredth of a second, for more than one; a loop that waits gets to it once at most.
    assert!(said["ticks"].as_u64().unwrap() > 5, "{said}");
}

#[test]
fn an_unknown_sdk_a_fork_and_a_lack_of_threads_are_survived() {
    let test = "dropin::python::an_unknown_sdk_a_fork_and_a_lack_of_threads_are_survived";
    let Some(said) = said("odd_ways.py", test) else { return };
    let moved = said["moved"].as_str().unwrap();
    assert!(moved.contains("does not know mcp 2.3.0") && moved.contains("send_feedback"), "{moved}");
    assert_eq!(said["forked"], json!(["of the child", "of the parent"]), "each once");
    assert_eq!(said["threadless"], assets()["answers"]["queued"]);
}
