//! The real `patchwork` as a process, in a home of its own, and a plain HTTP client for it.
//!
//! Nothing here waits for time to pass: a server is ready when it says so on standard error, and has ended when that is closed.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_mins(2);

pub const BINARY: &str = env!("CARGO_BIN_EXE_patchwork");

/// A place of its own for config, data, cache and logs.
pub struct Home {
    dir: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn database(&self) -> PathBuf {
        self.path().join("data/feedback.db")
    }

    /// `patchwork` with these arguments and nothing of the environment but the path.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.wrapped(BINARY);
        command.args(arguments);
        command
    }

    /// Another program that will start `patchwork` in this home.
    pub fn wrapped(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATCHWORK_HOME", self.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// What a command that succeeds prints as JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Every report, newest first.
    pub fn reports(&self) -> Vec<Value> {
        let Value::Array(reports) = self.json(&["list", "--all", "--json"]) else { panic!("a list, please") };
        reports
    }

    /// A server on any free port.
    pub fn serve(&self) -> Serve {
        Serve::start(self.command(&["serve", "--port", "0"]))
    }
}

/// Looks until `condition` holds, for what tells nobody that it has happened (a file that goes away).
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A running `patchwork serve`; killed when dropped.
pub struct Serve {
    child: Child,
    log: Lines,
    pub address: SocketAddr,
}

impl Serve {
    /// Starts the command and waits until it takes reports.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = Lines::of(child.stderr.take().unwrap());
        let line = log.find("taking reports address=");
        let address = line.split_once("address=").unwrap().1.split_whitespace().next().unwrap().parse().unwrap();
        Self { child, log, address }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks for the end as systemd does, and waits for it.
    pub fn stop(mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.log.until_closed();
        self.child.wait().unwrap()
    }

    pub fn get(&self, path: &str) -> Answer {
        send(self.address, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    /// Sends a report as a drop-in does.
    pub fn post(&self, report: &Value) -> Answer {
        let body = report.to_string();
        let head =
            "POST /api/feedback HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json";
        send(self.address, &format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    }

    /// The event stream from its beginning.
    pub fn events(&self) -> Events {
        let mut stream = connect(self.address);
        stream.write_all(b"GET /api/events?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        Events(BufReader::new(stream))
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The lines of a child's output, as they come.
pub struct Lines {
    coming: Receiver<String>,
    /// Everything so far, for the message of a test that fails.
    pub seen: String,
}

impl Lines {
    pub fn of(from: impl Read + Send + 'static) -> Self {
        let (sender, coming) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines() {
                let Ok(line) = line else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { coming, seen: String::new() }
    }

    /// The next line; `None` when the other end is closed.
    pub fn next(&mut self) -> Option<String> {
        match self.coming.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.seen.push_str(&line);
                self.seen.push('\n');
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no line for {PATIENCE:?}; so far:\n{}", self.seen),
        }
    }

    /// The next line with `text` in it.
    pub fn find(&mut self, text: &str) -> String {
        while let Some(line) = self.next() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("it ended without `{text}`:\n{}", self.seen)
    }

    pub fn until_closed(&mut self) {
        while self.next().is_some() {}
    }
}

/// `GET /api/events`, read to wait for what happens.
pub struct Events(BufReader<TcpStream>);

impl Events {
    /// Waits for the next event of this kind and gives its data.
    pub fn wait_for(&mut self, kind: &str) -> Value {
        let wanted = format!("event: {kind}");
        let deadline = Instant::now() + PATIENCE;
        let mut found = false;
        let mut line = String::new();
        while Instant::now() < deadline {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended before `{kind}`");
            if let Some(data) = line.strip_prefix("data: ")
                && found
            {
                return serde_json::from_str(data).unwrap();
            }
            found = line.trim_end() == wanted || (found && !line.trim_end().is_empty());
        }
        panic!("no `{kind}` within {PATIENCE:?}")
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The sentence of a refusal.
    pub fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap_or_else(|| panic!("no sentence: {self:?}")).to_owned()
    }

    /// Empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        let of = |line: &'_ str| line.split_once(": ").is_some_and(|(n, _)| n.eq_ignore_ascii_case(name));
        self.head.lines().find(|line| of(line)).and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn send(address: SocketAddr, request: &str) -> Answer {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("not an answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}
