//! Conversations of the Python client (tests/fixtures/python/client.py) with a fixture server, over stdio or Streamable HTTP.

use super::assets;
use crate::support::python::{Python, clean, fixture};
use crate::support::running::{Lines, until};
use crate::support::servers::Program;
use serde_json::Value;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use tokio::net::TcpSocket;

/// What a server is told by its environment, and in which protocol era it is called.
pub struct Settings<'a> {
    pub url: String,
    pub spool: &'a Path,
    pub key: Option<&'a str>,
    pub era: &'a str,
}

impl Settings<'_> {
    fn put_into(&self, command: &mut Command) {
        clean(command);
        command.env("FEEDBACK_SIDECAR_URL", &self.url).env("FEEDBACK_SPOOL_DIR", self.spool);
        if let Some(key) = self.key {
            command.env("FEEDBACK_API_KEY", key);
        }
    }
}

/// A client that has made its call and holds the connection.
pub struct Conversation {
    child: Child,
    stdin: Option<ChildStdin>,
    complaints: Lines,
    /// What the client has seen.
    pub said: Value,
}

impl Conversation {
    /// Starts a client, which starts the server and makes the call; leaves both running.
    pub fn over_stdio(client: &Python, server: &Program, arguments: &Value, settings: &Settings<'_>) -> Self {
        let mut command = Self::client(client, arguments, settings);
        command.envs(server.environment.iter().cloned());
        command.arg("--stdio").arg(&server.file).args(&server.arguments);
        Self::begin(command)
    }

    pub fn over_http(client: &Python, server: &HttpServer, arguments: &Value, settings: &Settings<'_>) -> Self {
        let mut command = Self::client(client, arguments, settings);
        command.arg("--http").arg(format!("http://127.0.0.1:{}/mcp", server.port));
        Self::begin(command)
    }

    fn client(client: &Python, arguments: &Value, settings: &Settings<'_>) -> Command {
        let mut command = client.command();
        command.arg(fixture("client.py")).args(["--stay", "--era", settings.era]).arg(arguments.to_string());
        settings.put_into(&mut command);
        command
    }

    fn begin(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let mut complaints = Lines::of(child.stderr.take().unwrap());
        let Some(line) = Lines::of(child.stdout.take().unwrap()).next() else {
            complaints.until_closed();
            panic!("the client said nothing:\n{}", complaints.seen);
        };
        Self { child, stdin, complaints, said: serde_json::from_str(&line).unwrap() }
    }

    /// Whether the call was answered with this text of the assets, and not as an error. How soon is the conformance script's business.
    #[track_caller]
    pub fn assert_answered(&self, kind: &str) {
        self.assert_said(assets()["answers"][kind].as_str().unwrap());
    }

    /// The same, with the words of the author in it.
    #[track_caller]
    pub fn assert_answered_with(&self, words: &str) {
        self.assert_said(&assets()["answers"]["known"].as_str().unwrap().replace("{answer}", words));
    }

    #[track_caller]
    fn assert_said(&self, text: &str) {
        let call = &self.said["calls"][0];
        assert_eq!(call["text"], text, "{call}");
        assert_eq!(call["is_error"], false);
    }

    /// Hangs up; what client and server wrote to standard error.
    pub fn end(mut self) -> String {
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

/// A server that speaks Streamable HTTP; killed when dropped.
pub struct HttpServer {
    child: Child,
    port: u16,
}

impl HttpServer {
    /// Starts the program and waits until it listens.
    pub fn start(program: &Program, settings: &Settings<'_>) -> Self {
        let mut port = Port::reserve();
        let mut command = Command::new(&program.file);
        command.args(&program.arguments).args(["--http", &port.give()]);
        settings.put_into(&mut command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Self { child, port: port.number };
        let address = SocketAddr::from(([127, 0, 0, 1], server.port));
        until("the server listens", || {
            assert_eq!(server.child.try_wait().unwrap(), None, "the server has ended: {program:?}");
            TcpStream::connect(address).is_ok()
        });
        server
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that nobody listens on and nobody else is given.
pub struct Port {
    held: Option<TcpSocket>,
    pub number: u16,
}

impl Port {
    pub fn reserve() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self { number: socket.local_addr().unwrap().port(), held: Some(socket) }
    }

    /// Linux lets a listener in beside a socket that only holds the port; elsewhere it has to go first.
    pub fn give(&mut self) -> String {
        if !cfg!(target_os = "linux") {
            self.held = None;
        }
        self.number.to_string()
    }
}
