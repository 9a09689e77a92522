//! The TypeScript drop-in, on both lines of the SDK and both versions of Zod.

use super::matrix::{Http, Row, rows};
use crate::support::servers::Language::TypeScript;

const SESSIONS: Http = Http { modern: false, sessions: true };
const STATELESS: Http = Http { modern: true, sessions: false };

rows! {
    sdk_1_with_zod_3: Row {
        language: TypeScript,
        listed: ["@modelcontextprotocol/sdk 1.x", "1.32.2, Zod 3.25.76", "McpServer"],
        line: "sdk1-zod3",
        server: "sdk1",
        sdk: "@modelcontextprotocol/sdk 1.32.2",
        modern: false,
        http: Some(SESSIONS),
    },
    sdk_1_with_zod_4: Row {
        language: TypeScript,
        listed: ["@modelcontextprotocol/sdk 1.x", "1.32.2, Zod 4.6.7", "McpServer"],
        line: "sdk1-zod4",
        server: "sdk1",
        sdk: "@modelcontextprotocol/sdk 1.32.2",
        modern: false,
        http: Some(SESSIONS),
    },
    sdk_1_low_level: Row {
        language: TypeScript,
        listed: ["@modelcontextprotocol/sdk 1.x", "1.32.2", "low-level Server"],
        line: "sdk1-zod4",
        server: "sdk1_lowlevel",
        sdk: "@modelcontextprotocol/sdk 1.32.2",
        modern: false,
        http: Some(SESSIONS),
    },
    server_2: Row {
        language: TypeScript,
        listed: ["@modelcontextprotocol/server 2.x", "2.4.0", "McpServer"],
        line: "server2",
        server: "server2",
        sdk: "@modelcontextprotocol/server 2.4.0",
        modern: true,
        http: Some(STATELESS),
    },
    server_2_low_level: Row {
        language: TypeScript,
        listed: ["@modelcontextprotocol/server 2.x", "2.4.0", "low-level Server"],
        line: "server2",
        server: "server2_lowlevel",
        sdk: "@modelcontextprotocol/server 2.4.0",
        modern: true,
        http: Some(STATELESS),
    },
    plain_functions: Row {
        language: TypeScript,
        listed: ["none (plain functions)", "", "stdio only"],
        line: "server2",
        server: "plain",
        sdk: "none",
        modern: false,
        http: None,
    },
}
