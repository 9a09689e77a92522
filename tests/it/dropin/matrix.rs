//! The table of languages and SDKs, which is that of drop-ins/README.md, and what is tested for each of its rows.
//!
//! A real server of each row is called over stdio and, where the SDK has it, over Streamable HTTP, by the clients of both lines of the Python
//! SDK. The tool is listed as the assets have it, and each report is found in the real sidecar with every field.

use super::talk::{Conversation, HttpServer, Settings};
use super::{assets, everything, go, python, rust, typescript};
use crate::support::python::Python;
use crate::support::running::{Home, Serve, until};
use crate::support::servers::{Language, Program};
use crate::support::toolchain::{in_company, or_skip, repository};
use serde_json::{Value, json};

const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";
/// What the servers without an SDK say that they speak.
const WITHOUT_SDK: &str = "2025-06-18";

/// What the author writes on the first report, for the agents that come after: each must get it as it is.
const PUBLIC_ANSWER: &str = "Use `add` with {answer}, $& or ${1} below zero, as \"ünï\" does.";

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub language: Language,
    /// The cells of the manual: SDK, version, server class.
    pub listed: [&'static str; 3],
    /// What is installed, by the name that the fixtures have for it.
    pub line: &'static str,
    /// The fixture server.
    pub server: &'static str,
    /// What the report says about the SDK.
    pub sdk: &'static str,
    /// Whether the SDK serves the newest protocol over stdio.
    pub modern: bool,
    pub http: Option<Http>,
}

/// What the SDK can do over Streamable HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Http {
    pub modern: bool,
    /// Whether there are sessions in the older protocol; without them the SDK knows neither the client nor a session.
    pub sessions: bool,
}

/// The rows of a language, each with two tests of its own: a report arrives, and the contract is kept.
macro_rules! rows {
    ($($name:ident: $row:expr,)+) => {
        pub const ROWS: &[crate::dropin::matrix::Row] = &[$($row),+];
        $(
            #[test]
            fn $name() {
                crate::dropin::matrix::arrives(&$row, concat!(module_path!(), "::", stringify!($name)));
            }
        )+

        mod contract {
            use super::*;

            $(
                #[test]
                fn $name() {
                    crate::dropin::conformance::keeps(&$row, concat!(module_path!(), "::", stringify!($name)));
                }
            )+
        }
    };
}
pub(super) use rows;

impl Row {
    /// The server, ready to start.
    pub fn program(&self, test: &str) -> Option<Program> {
        or_skip(test, self.language.server(self.line, self.server))
    }

    fn name(&self) -> &'static str {
        // Go's fixtures have one server each, and it takes the name of the SDK.
        if self.language == Language::Go { self.line } else { self.server }
    }

    fn drop_in(&self) -> String {
        format!("{}/1.0.0", format!("{:?}", self.language).to_lowercase())
    }

    /// How the sidecar must show the report that was made of `everything()`: the agent's words, and what the SDK knows.
    fn shown(&self, client_known: bool, session: &Value) -> Value {
        let said = everything();
        let mut shown = json!({
            "what_i_needed": said["what_i_needed"], "what_i_tried": said["what_i_tried"], "gap_type": "missing_tool",
            "suggestion": said["suggestion"], "user_goal": said["user_goal"], "resolution": "worked_around",
            "agent_model": "some-model-4", "session_id": session, "client_type": said["client_type"],
            "tools_available": ["add", "feedback"], "server_name": self.name(),
            "reviewed": false, "pr_url": "", "notes": [],
            "extra": {"drop_in": self.drop_in(), "sdk": self.sdk, "texts_version": assets()["version"],
                "severity": "high"},
        });
        if client_known {
            shown["client_type"] = json!("fixture-client");
            shown["extra"]["client_version"] = json!("9.8.7");
        }
        shown
    }
}

/// What the SDK knows of a call beside the server's tools.
#[derive(Clone, Copy)]
struct Known {
    client: bool,
    session: bool,
}

/// What is tested for each row.
pub fn arrives(row: &Row, test: &str) {
    let test = test.trim_start_matches("it::");
    let Some(program) = row.program(test) else { return };
    let (Some(old), Some(new)) = (Python::with("mcp1", test), Python::with("mcp2", test)) else { return };
    let _company = in_company();
    let home = Home::new();
    let serve = home.serve();
    let spool = home.path().join("spool");
    let settings = Settings { url: serve.url(), spool: &spool, key: None, era: "auto" };
    let mut calls = 0;
    let mut check = |call: Conversation, protocol: &str, known: Known| {
        assert_tool(&call.said, protocol);
        if calls == 0 {
            call.assert_answered("recorded");
        } else {
            call.assert_answered_with(PUBLIC_ANSWER);
        }
        let id = arrived(&home, &serve, row, known);
        if calls == 0 {
            assert!(home.run(&["note", &id, "--public", PUBLIC_ANSWER]).status.success());
        }
        call.end();
        calls += 1;
    };
    let legacy = if row.http.is_some() { LEGACY } else { WITHOUT_SDK };
    for (client, protocol) in [(&old, legacy), (&new, if row.modern { MODERN } else { legacy })] {
        let call = Conversation::over_stdio(client, &program, &everything(), &settings);
        heard(&serve, row);
        check(call, protocol, Known { client: true, session: false });
    }
    if let Some(http) = row.http {
        let server = HttpServer::start(&program, &settings);
        let stateful = Known { client: http.sessions, session: http.sessions };
        let stateless = Known { client: true, session: false };
        for (client, modern) in [(&old, false), (&new, http.modern)] {
            let call = Conversation::over_http(client, &server, &everything(), &settings);
            let (protocol, known) = if modern { (MODERN, stateless) } else { (LEGACY, stateful) };
            check(call, protocol, known);
        }
    }
    assert_eq!(home.reports().len(), calls);
}

/// The agent reads the texts of the assets.
#[track_caller]
fn assert_tool(said: &Value, protocol: &str) {
    let assets = assets();
    assert_eq!(said["protocol"], protocol);
    assert_eq!(said["instructions"], format!("Adds numbers.\n\n{}", assets["instructions"].as_str().unwrap()));
    assert_eq!(said["tools"], json!(["add", "feedback"]));
    for text in ["name", "title", "description", "annotations"] {
        assert_eq!(said["tool"][text], assets[text], "{text}");
    }
    let mut schema = said["tool"]["inputSchema"].clone();
    // Some SDKs name the dialect; it says nothing to an agent.
    schema.as_object_mut().unwrap().remove("$schema");
    assert_eq!(schema, assets["input_schema"]);
}

/// The sidecar hears from the server itself which tools it has, while a client holds the connection.
#[track_caller]
fn heard(serve: &Serve, row: &Row) {
    until("the server's heartbeat arrives", || {
        let servers = serve.get("/api/servers").json();
        let server = servers.as_array().unwrap().iter().find(|server| server["server_name"] == row.name());
        server.is_some_and(|server| !server["last_heartbeat"].is_null())
    });
    let server = serve.get("/api/servers").json()[0].take();
    assert_eq!((&server["tool_names"], &server["tool_count"]), (&json!(["add", "feedback"]), &json!(2)), "{server}");
    let told = (&server["has_feedback_tool"], &server["sdk"], &server["drop_in"]);
    assert_eq!(told, (&json!(true), &json!(row.sdk), &json!(row.drop_in())), "{server}");
}

/// The newest report has every field; its id.
#[track_caller]
fn arrived(home: &Home, serve: &Serve, row: &Row, known: Known) -> String {
    let mut found = serve.get("/api/feedback?limit=1").json()[0].take();
    let id = found["id"].as_str().unwrap().to_owned();
    assert_eq!(home.json(&["show", &id, "--json"]), found, "the API and the command agree");
    let fields = found.as_object_mut().unwrap();
    for own in ["id", "timestamp"] {
        assert!(fields.remove(own).is_some(), "{own}");
    }
    let session = found["session_id"].clone();
    assert!(session.as_str().is_some_and(|session| !session.is_empty()));
    assert_eq!(session != everything()["session_id"], known.session, "{session}");
    assert_eq!(found, row.shown(known.client, &session));
    id
}

/// The cells of the manual's table, and whether the row is for stdio only.
fn listed_in_the_manual() -> Vec<Vec<String>> {
    let manual = std::fs::read_to_string(repository("drop-ins/README.md")).unwrap();
    let table = manual.split_once("\n| language | SDK |").unwrap().1;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()).collect()
}

#[test]
fn the_manual_lists_what_is_tested() {
    let rows = [python::ROWS, typescript::ROWS, go::ROWS, rust::ROWS].concat();
    let tested: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let [sdk, version, class] = row.listed.map(str::to_owned);
            assert_eq!(row.http.is_none(), class == "stdio only", "{row:?}");
            vec![format!("{:?}", row.language), sdk, version, class]
        })
        .collect();
    let listed: Vec<Vec<String>> = listed_in_the_manual()
        .into_iter()
        .map(|mut row| {
            // "Python 3.11": which version ran depends on the machine.
            row[0] = row[0].split([' ', ',']).next().unwrap().to_owned();
            row.truncate(4);
            row
        })
        .collect();
    assert_eq!(tested, listed);
}
