//! The Go drop-in, with both of its adapters and without one.

use super::matrix::{Http, Row, rows};
use crate::support::servers::Language::Go;

const SESSIONS: Http = Http { modern: false, sessions: true };
const BOTH: Http = Http { modern: true, sessions: true };

rows! {
    mcp_go: Row {
        language: Go,
        listed: ["mark3labs/mcp-go 1.x", "1.2.1", "MCPServer"],
        line: "mcpgo",
        server: "server",
        sdk: "github.com/mark3labs/mcp-go 1.2.1",
        modern: true,
        http: Some(BOTH),
    },
    go_sdk: Row {
        language: Go,
        listed: ["modelcontextprotocol/go-sdk", "1.8.0", "Server"],
        line: "gosdk",
        server: "server",
        sdk: "github.com/modelcontextprotocol/go-sdk 1.8.0",
        modern: true,
        http: Some(SESSIONS),
    },
    plain_functions: Row {
        language: Go,
        listed: ["none (plain functions)", "", "stdio only"],
        line: "plain",
        server: "server",
        sdk: "none",
        modern: false,
        http: None,
    },
}
