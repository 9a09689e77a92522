//! The Python drop-in in real MCP servers, called by real MCP clients over stdio, reporting to the real `patchwork serve`.
//!
//! Clients and servers are those of tests/fixtures/python, in the two lines of the SDK that people use. The sidecar fails here in the ways that
//! only the real one can show; every other fault of a network is in drop-ins/conformance.py, which is run here too.

use crate::support::python::{Python, fixture};
use crate::support::running::{Events, Home, Lines, Serve, until};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use tokio::net::TcpSocket;

const MCP_1: (&str, &str) = ("mcp1", "server_mcp1.py");
const MCP_2: (&str, &str) = ("mcp2", "server_mcp2.py");

/// A client and a server in their SDKs.
struct Sdk {
    client: Python,
    server: Python,
    script: PathBuf,
}

impl Sdk {
    fn of(client: (&str, &str), server: (&str, &str), test: &str) -> Option<Self> {
        let (line, script) = server;
        Some(Self {
            client: Python::with(client.0, test)?,
            server: Python::with(line, test)?,
            script: fixture("servers").join(script),
        })
    }

    /// Starts client and server, makes the call, and leaves both running.
    fn call(&self, arguments: &Value, settings: &Settings<'_>) -> Conversation {
        let mut command = self.client.command();
        command.arg(fixture("client.py")).args(["--stay", "--era", settings.era]).arg(arguments.to_string());
        command.arg("--stdio").arg(self.server.path()).arg(&self.script);
        command.env("PATCHWORK_DROP_IN", drop_ins().join("python"));
        command.env("FEEDBACK_SIDECAR_URL", &settings.url).env("FEEDBACK_SPOOL_DIR", settings.spool);
        if let Some(key) = settings.key {
            command.env("FEEDBACK_API_KEY", key);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Conversation::begin(command.spawn().unwrap())
    }
}

struct Settings<'a> {
    url: String,
    spool: &'a Path,
    key: Option<&'a str>,
    era: &'a str,
}

/// A client that has made its call and holds the connection.
struct Conversation {
    child: Child,
    stdin: Option<ChildStdin>,
    complaints: Lines,
    /// What the client has seen.
    said: Value,
}

impl Conversation {
    fn begin(mut child: Child) -> Self {
        let stdin = child.stdin.take();
        let mut complaints = Lines::of(child.stderr.take().unwrap());
        let Some(line) = Lines::of(child.stdout.take().unwrap()).next() else {
            complaints.until_closed();
            panic!("the client said nothing:\n{}", complaints.seen);
        };
        Self { child, stdin, complaints, said: serde_json::from_str(&line).unwrap() }
    }

    /// Whether the call was answered with this text of the assets, in time and not as an error.
    #[track_caller]
    fn assert_answered(&self, kind: &str) {
        let call = &self.said["calls"][0];
        assert_eq!(call["text"], assets()["answers"][kind], "{call}");
        assert_eq!(call["is_error"], false);
        let seconds = call["seconds"].as_f64().unwrap();
        assert!(seconds < 2.0, "the agent waited {seconds} s");
    }

    /// Hangs up; what client and server wrote to standard error.
    fn end(mut self) -> String {
        drop(self.stdin.take());
        self.complaints.until_closed();
        assert!(self.child.wait().unwrap().success(), "{}", self.complaints.seen);
        std::mem::take(&mut self.complaints.seen)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // It has usually ended; a test that fails in the middle leaves no process behind.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn drop_ins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("drop-ins")
}

fn assets() -> Value {
    serde_json::from_str(include_str!("../../assets/feedback-tool.json")).unwrap()
}

/// All that an agent may say.
fn everything() -> Value {
    json!({
        "what_i_needed": "to subtract \u{1f389} \"ünï\"\nwith two lines", "what_i_tried": "add(5, -3): it refuses",
        "gap_type": "missing_tool", "suggestion": "subtract(a: int, b: int) -> int", "user_goal": "to balance the books",
        "resolution": "worked_around", "tools_available": ["made up"], "agent_model": "some-model-4",
        "session_id": "session-of-the-agent", "client_type": "what the agent believes", "severity": "high",
    })
}

/// The same report as the sidecar must show it: the agent's words as they are, and what the SDK knows.
fn shown(script: &str, sdk: &str) -> Value {
    let said = everything();
    json!({
        "what_i_needed": said["what_i_needed"], "what_i_tried": said["what_i_tried"], "gap_type": "missing_tool",
        "suggestion": said["suggestion"], "user_goal": said["user_goal"], "resolution": "worked_around",
        "agent_model": "some-model-4", "session_id": "session-of-the-agent", "client_type": "fixture-client",
        "tools_available": ["add", "feedback"], "server_name": script.trim_end_matches(".py"),
        "reviewed": false, "pr_url": "", "notes": [],
        "extra": {"client_version": "9.8.7", "drop_in": "python/1.0.0", "sdk": sdk, "texts_version": assets()["version"],
            "severity": "high"},
    })
}

/// One call in an empty home; the report is found by `list` and `show` with every field.
fn every_field_arrives(sdk: &Sdk, script: &str, name: &str, era: &str) -> Value {
    let home = Home::new();
    let serve = home.serve();
    let spool = home.path().join("spool");
    let call = sdk.call(&everything(), &Settings { url: serve.url(), spool: &spool, key: None, era });
    call.assert_answered("recorded");
    let reports = home.reports();
    assert_eq!(reports.len(), 1);
    let id = reports[0]["id"].as_str().unwrap();
    let mut found = home.json(&["show", id, "--json"]);
    assert_eq!(found, reports[0], "`list` and `show` agree");
    let fields = found.as_object_mut().unwrap();
    let made: Vec<Value> = ["id", "timestamp"].iter().filter_map(|at| fields.remove(*at)).collect();
    assert_eq!(made.len(), 2, "{made:?}");
    assert_eq!(found, shown(script, name));
    let said = call.said.clone();
    call.end();
    assert!(serve.stop().success());
    said
}

#[test]
fn a_report_from_mcp_2_arrives_with_every_field() {
    let test = "dropin::a_report_from_mcp_2_arrives_with_every_field";
    let (script, name) = (MCP_2.1, "mcp 2.3.0");
    let (Some(old), Some(new)) = (Sdk::of(MCP_1, MCP_2, test), Sdk::of(MCP_2, MCP_2, test)) else { return };
    every_field_arrives(&old, script, name, "auto");
    let said = every_field_arrives(&new, script, name, "legacy");
    assert_eq!(said["protocol"], "2025-11-25");
    let said = every_field_arrives(&new, script, name, "auto");
    assert_eq!(said["protocol"], "2026-07-28");
}

#[test]
fn a_report_from_mcp_1_arrives_with_every_field() {
    let test = "dropin::a_report_from_mcp_1_arrives_with_every_field";
    let (script, name) = (MCP_1.1, "mcp 1.30.0");
    let (Some(old), Some(new)) = (Sdk::of(MCP_1, MCP_1, test), Sdk::of(MCP_2, MCP_1, test)) else { return };
    every_field_arrives(&old, script, name, "auto");
    every_field_arrives(&new, script, name, "auto");
}

#[test]
fn agents_read_the_texts_of_the_assets() {
    let test = "dropin::agents_read_the_texts_of_the_assets";
    let assets = assets();
    let home = Home::new();
    for line in [MCP_1, MCP_2] {
        let Some(sdk) = Sdk::of(line, line, test) else { return };
        // Nothing is said, so nothing is sent: the address is never used.
        let settings =
            Settings { url: "http://127.0.0.1:9".into(), spool: &home.path().join("spool"), key: None, era: "auto" };
        let call = sdk.call(&json!({}), &settings);
        let said = &call.said;
        let instructions = said["instructions"].as_str().unwrap();
        assert_eq!(instructions, format!("Adds numbers.\n\n{}", assets["instructions"].as_str().unwrap()));
        for (field, text) in
            [("name", "name"), ("title", "title"), ("description", "description"), ("annotations", "annotations")]
        {
            assert_eq!(said["tool"][field], assets[text], "{field} of {}", line.0);
        }
        assert_eq!(said["tool"]["inputSchema"], assets["input_schema"], "{}", line.0);
        let refused = assets["answers"]["refused"].as_str().unwrap();
        let reason = "what_i_needed: required; what_i_tried: required";
        assert_eq!(said["calls"][0]["text"], refused.replace("{reason}", reason));
        call.end();
    }
}

/// A port that nobody listens on and nobody else is given.
struct Port {
    held: Option<TcpSocket>,
    number: u16,
}

impl Port {
    fn reserve() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self { number: socket.local_addr().unwrap().port(), held: Some(socket) }
    }

    /// Linux lets a listener in beside a socket that only holds the port; elsewhere it has to go first.
    fn give(&mut self) -> String {
        if !cfg!(target_os = "linux") {
            self.held = None;
        }
        self.number.to_string()
    }
}

fn minimal(needed: &str) -> Value {
    json!({"what_i_needed": needed, "what_i_tried": "add with a negative number"})
}

/// The names of the spool's files with reports in them.
fn waiting(spool: &Path) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(spool) else { return Vec::new() };
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "jsonl")).collect()
}

#[test]
fn a_sidecar_that_was_down_gets_the_report_once_when_it_is_back() {
    let test = "dropin::a_sidecar_that_was_down_gets_the_report_once_when_it_is_back";
    let Some(sdk) = Sdk::of(MCP_2, MCP_2, test) else { return };
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
    let test = "dropin::a_report_without_the_right_key_waits_and_arrives_once_with_it";
    let Some(sdk) = Sdk::of(MCP_1, MCP_1, test) else { return };
    let home = Home::new();
    let spool = home.path().join("spool");
    let mut command = home.command(&["serve", "--port", "0"]);
    command.env("FEEDBACK_API_KEY", "the-right-key-of-this-test");
    let serve = Serve::start(command);
    let says = |needed: &str, key| {
        let settings = Settings { url: serve.url(), spool: &spool, key, era: "auto" };
        sdk.call(&minimal(needed), &settings)
    };
    for (needed, key) in [("without", None), ("with a wrong one", Some("a-wrong-key"))] {
        let call = says(needed, key);
        call.assert_answered("queued");
        let complaints = call.end();
        assert!(complaints.contains("PATCHWORKMCP_UNSENT_FEEDBACK reason=status_401"), "{complaints}");
        assert!(!complaints.contains("a-wrong-key"), "{complaints}");
    }
    assert_eq!(home.reports().len(), 0);

    let call = says("with it", Some("the-right-key-of-this-test"));
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
    let test = "dropin::a_report_whose_answer_was_lost_is_stored_once";
    let Some(sdk) = Sdk::of(MCP_2, MCP_2, test) else { return };
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

/// The contract's own script, over the plain parts of the drop-in: no SDK takes part, so that it takes seconds.
#[test]
fn the_conformance_script_passes() {
    let Some(python) = Python::bare("dropin::the_conformance_script_passes") else { return };
    let mut command = python.command();
    command.arg(drop_ins().join("conformance.py")).args(["-v", "-j", "4", "--"]);
    command.arg(python.path()).arg(fixture("servers/server_plain.py"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (printed, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && !printed.contains("FAIL"), "{printed}\n{complaints}");
    assert!(printed.lines().any(|line| line.ends_with(" passed, 0 failed")), "{printed}");
}
