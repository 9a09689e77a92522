//! The real binary: run in a home of its own, or started as a server.

use patchwork::domain::feedback::NewFeedback;
use patchwork::engine::{Engine, Mode, new_command_id};
use patchwork::protocol::{Command as Ask, Made};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_patchwork");

/// How long a test waits for what takes a moment; only a fault makes it wait that long.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A `PATCHWORK_HOME` in a temporary directory.
pub struct Home(TempDir);

/// How a command ended and what it printed.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn database(&self) -> PathBuf {
        self.path().join("data/feedback.db")
    }

    pub fn config_file(&self) -> PathBuf {
        self.path().join("config/config.toml")
    }

    pub fn configure(&self, toml: &str) {
        std::fs::create_dir_all(self.path().join("config")).unwrap();
        std::fs::write(self.config_file(), toml).unwrap();
    }

    /// Nothing of the machine's own settings reaches the program.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let home = self.path().to_str().unwrap().to_owned();
        vec![
            ("PATH", std::env::var("PATH").unwrap()),
            ("HOME", home.clone()),
            ("PATCHWORK_HOME", home),
            ("USER", "ada".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ]
    }

    /// The program with its arguments, for a test that adds to it or starts it itself.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).env_clear().envs(self.environment()).current_dir(self.path());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "", &[])
    }

    /// With text on standard input and more variables.
    pub fn run_with(&self, arguments: &[&str], stdin: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = assert_cmd::Command::from_std(self.command(arguments));
        let output = command.envs(variables.iter().copied()).write_stdin(stdin).timeout(PATIENCE).output().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Standard output of a command that must succeed and say nothing on standard error.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{arguments:?}: {ran:?}");
        ran.stdout
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(arguments)).unwrap()
    }

    /// Stores reports without a server and gives their ids, in order.
    pub fn record(&self, reports: &[Value]) -> Vec<String> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let engine = self.engine().await;
            let mut ids = Vec::new();
            for report in reports {
                let command = Ask::RecordFeedback { report: Box::new(NewFeedback::parse(report.clone()).unwrap()) };
                match engine.submit(new_command_id(), super::me(), command).await.unwrap().made {
                    Made::Feedback(id) => ids.push(id.to_string()),
                    other => panic!("a report makes a report, not {other:?}"),
                }
            }
            engine.until_indexed().await;
            engine.close().await;
            ids
        })
    }

    async fn engine(&self) -> Engine {
        std::fs::create_dir_all(self.database().parent().unwrap()).unwrap();
        let mut options = super::options(self.path());
        options.database = self.database();
        options.mode = Mode::Guest;
        options.clock = patchwork::engine::Clock::System;
        Engine::open(options).await.unwrap()
    }

    /// `patchwork serve` on a free port.
    pub fn serve(&self) -> Server {
        Server::start(self.command(&["serve", "--port", "0"]))
    }
}

/// A running process whose standard error is read; killed when dropped.
pub struct Program {
    child: Child,
    log: Receiver<String>,
}

impl Program {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = lines(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// Waits for a line on standard error.
    pub fn log_line(&self, part: &str) -> String {
        wait_for_line(&self.log, part)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub fn ended(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may be gone already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A running `patchwork serve`.
pub struct Server {
    program: Program,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let program = Program::start(command);
        let line = program.log_line("taking reports");
        let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
        let address = address.and_then(|a| a.parse().ok()).unwrap_or_else(|| panic!("no address in: {line}"));
        Self { program, address }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn pid(&self) -> u32 {
        self.program.child.id()
    }

    pub fn log_line(&self, part: &str) -> String {
        self.program.log_line(part)
    }

    /// What it said since the last line that was waited for, until it ended.
    pub fn rest_of_log(&self) -> Vec<String> {
        self.program.log.iter().collect()
    }

    pub fn signal(&self, signal: Signal) {
        self.program.signal(signal);
    }

    /// SIGKILL, and gone when this returns.
    pub fn kill(mut self) {
        self.program.child.kill().unwrap();
        self.program.child.wait().unwrap();
    }

    pub fn ended(&mut self) -> ExitStatus {
        self.program.ended()
    }
}

/// The lines of a process's standard error as they come.
fn lines(stderr: ChildStderr) -> Receiver<String> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    receive
}

fn wait_for_line(lines: &Receiver<String>, part: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) if line.contains(part) => return line,
            Ok(line) => seen.push(line),
            Err(RecvTimeoutError::Timeout) => panic!("{part:?} was not said in time: {seen:#?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("{part:?} was never said: {seen:#?}"),
        }
    }
}

/// The end of a process, which a watchdog brings about when it does not come by itself.
pub fn wait(child: &mut Child) -> ExitStatus {
    let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
    let (ended, watched) = channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if watched.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            // The test fails on the status this makes.
            kill_process(pid, Signal::KILL).unwrap();
        }
    });
    let status = child.wait().unwrap();
    drop(ended);
    watchdog.join().unwrap();
    status
}
