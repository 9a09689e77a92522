//! Faults that only the real sidecar can show, with a Python server in each line of the SDK.

use super::minimal;
use super::talk::{Conversation, Port, Settings};
use crate::support::python::Python;
use crate::support::running::{Events, Home, Serve, until};
use crate::support::servers::{Language, Program};
use crate::support::toolchain::{in_company, or_skip};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{self, Receiver};

const MCP_1: (&str, &str) = ("mcp1", "server_mcp1");
const MCP_2: (&str, &str) = ("mcp2", "server_mcp2");

/// A client and a server of one line of the SDK.
struct Sdk {
    client: Python,
    server: Program,
}

impl Sdk {
    fn of((line, server): (&str, &str), test: &str) -> Option<Self> {
        let server = or_skip(test, Language::Python.server(line, server))?;
        Some(Self { client: Python::with(line, test)?, server })
    }

    fn call(&self, arguments: &Value, settings: &Settings<'_>) -> Conversation {
        Conversation::over_stdio(&self.client, &self.server, arguments, settings)
    }
}

/// The names of the spool's files with reports in them.
fn waiting(spool: &Path) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(spool) else { return Vec::new() };
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "jsonl")).collect()
}

#[test]
fn a_sidecar_that_was_down_gets_the_report_once_when_it_is_back() {
    let test = "dropin::real::a_sidecar_that_was_down_gets_the_report_once_when_it_is_back";
    let Some(sdk) = Sdk::of(MCP_2, test) else { return };
    let _company = in_company();
    let home = Home::new();
    let spool = home.path().join("spool");
    let mut port = Port::reserve();
    let url = format!("http://127.0.0.1:{}", port.number);
    let call = sdk.call(&minimal("to subtract"), &Settings { url, spool: &spool, key: None, era: "auto" });
    call.assert_answered("queued");
    assert_eq!(waiting(&spool), ["server_mcp2.jsonl"]);

    // Nobody calls again: the drop-in notices by itself that the sidecar is there.
    let serve = Serve::start(home.command(&["serve", "--port", &port.give()]));
    let event = serve.events().wait_for("feedback_recorded");
    assert_eq!(event["feedback"]["what_i_needed"], "to subtract");
    until("the spool is empty", || waiting(&spool).is_empty());
    let complaints = call.end();
    assert_eq!(complaints.matches("PATCHWORKMCP_UNSENT_FEEDBACK reason=unreachable").count(), 1, "{complaints}");
    assert!(serve.stop().success());
    let reports = home.reports();
    assert_eq!(reports.len(), 1);
    assert_eq!((&reports[0]["gap_type"], &reports[0]["client_type"]), (&json!("other"), &json!("fixture-client")));
}

#[test]
fn a_report_without_the_right_key_waits_and_arrives_once_with_it() {
    let test = "dropin::real::a_report_without_the_right_key_waits_and_arrives_once_with_it";
    let Some(sdk) = Sdk::of(MCP_1, test) else { return };
    let _company = in_company();
    let home = Home::new();
    let spool = home.path().join("spool");
    let mut command = home.command(&["serve", "--port", "0"]);
    command.env("FEEDBACK_API_KEY", "the-right-key-of-this-test");
    let serve = Serve::start(command);
    let agent = |needed: &str, key| {
        let settings = Settings { url: serve.url(), spool: &spool, key, era: "auto" };
        sdk.call(&minimal(needed), &settings)
    };
    for (needed, key) in [("without", None), ("with a wrong one", Some("a-wrong-key"))] {
        let call = agent(needed, key);
        call.assert_answered("queued");
        let complaints = call.end();
        assert!(complaints.contains("PATCHWORKMCP_UNSENT_FEEDBACK reason=status_401"), "{complaints}");
        assert!(!complaints.contains("a-wrong-key"), "{complaints}");
    }
    assert_eq!(home.reports().len(), 0);

    let call = agent("with it", Some("the-right-key-of-this-test"));
    call.assert_answered("recorded");
    until("the spool is empty", || waiting(&spool).is_empty());
    call.end();
    let mut needed: Vec<String> =
        home.reports().iter().map(|report| report["what_i_needed"].as_str().unwrap().to_owned()).collect();
    needed.sort();
    assert_eq!(needed, ["with a wrong one", "with it", "without"]);
}

/// Stands before a server and loses the answer to the first `POST /api/feedback`, after the server has given it.
struct Forgetful {
    address: SocketAddr,
    lost: Receiver<String>,
}

impl Forgetful {
    fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, lost) = mpsc::channel();
        std::thread::spawn(move || {
            let mut first = true;
            for client in listener.incoming() {
                let mut client = client.unwrap();
                let (report, answer) = exchange(&mut client, server);
                if report && std::mem::take(&mut first) {
                    drop(client.shutdown(Shutdown::Both));
                    // Nobody listens when the test has failed already.
                    drop(sender.send(answer));
                } else {
                    drop(client.write_all(answer.as_bytes()));
                }
            }
        });
        Self { address, lost }
    }
}

/// Hands one request on; whether it was a report, and the answer. The drop-in closes each connection after its answer.
fn exchange(client: &mut TcpStream, server: SocketAddr) -> (bool, String) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let length = loop {
        let n = client.read(&mut buffer).unwrap();
        assert!(n > 0, "the request ended early");
        request.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        break head.len() + 4 + length.parse::<usize>().unwrap();
    };
    while request.len() < length {
        let n = client.read(&mut buffer).unwrap();
        assert!(n > 0, "the body ended early");
        request.extend_from_slice(&buffer[..n]);
    }
    let mut upstream = TcpStream::connect(server).unwrap();
    upstream.write_all(&request).unwrap();
    let mut answer = String::new();
    upstream.read_to_string(&mut answer).unwrap();
    (request.starts_with(b"POST /api/feedback "), answer)
}

#[test]
fn a_report_whose_answer_was_lost_is_stored_once() {
    let test = "dropin::real::a_report_whose_answer_was_lost_is_stored_once";
    let Some(sdk) = Sdk::of(MCP_2, test) else { return };
    let _company = in_company();
    let home = Home::new();
    let serve = home.serve();
    let mut events: Events = serve.events();
    let between = Forgetful::before(serve.address);
    let spool = home.path().join("spool");
    let settings = Settings { url: format!("http://{}", between.address), spool: &spool, key: None, era: "auto" };
    let call = sdk.call(&minimal("to subtract"), &settings);
    call.assert_answered("recorded");
    call.end();
    let lost = between.lost.try_recv().unwrap();
    assert!(lost.starts_with("HTTP/1.1 201"), "the server had stored it: {lost}");
    events.wait_for("feedback_recorded");
    assert_eq!(home.reports().len(), 1);
}
