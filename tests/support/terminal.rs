//! The real binary at a real terminal: a pseudo-terminal, something that draws what is written to it, and somebody who waits for what
//! should be seen, never for time to pass.

use super::program::{BINARY, Home};
use portable_pty::{CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long anything may take; only a fault makes it take so long.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// What the terminal says when it is asked about its background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    Dark,
    Light,
    /// It knows the question after that one only.
    Unknown,
    /// It answers nothing at all.
    Silent,
    /// It gets half of its answer out.
    Half,
}

impl Background {
    fn answer(self) -> &'static [u8] {
        match self {
            Self::Dark => b"\x1b]11;rgb:1c1c/1c1c/1c1c\x1b\\\x1b[?62;22c",
            Self::Light => b"\x1b]11;rgb:ffff/ffff/f0f0\x1b\\\x1b[?62;22c",
            Self::Unknown => b"\x1b[?62;22c",
            Self::Silent => b"",
            Self::Half => b"\x1b]11;rgb:ffff/f",
        }
    }
}

/// What was written, and what it looks like.
pub struct Seen {
    pub parser: vt100::Parser,
    pub bytes: Vec<u8>,
    asked: bool,
    /// The reader is to let go of the terminal.
    let_go: bool,
}

impl Seen {
    pub fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    pub fn text(&self) -> String {
        self.screen().contents()
    }
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

/// A terminal in which the program runs.
pub struct Terminal {
    shared: Arc<Shared>,
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    master: Box<dyn MasterPty + Send>,
    /// Kept open, so that the modes of the terminal can be looked at when the program is gone.
    _slave: Box<dyn SlavePty + Send>,
    reader: JoinHandle<()>,
    ended: Receiver<ExitStatus>,
    pid: Pid,
    /// Modes before the program began.
    before: String,
}

/// How a terminal is to be.
pub struct Setup<'a> {
    pub size: (u16, u16),
    pub background: Background,
    pub variables: &'a [(&'a str, &'a str)],
    /// Instead of the program, a shell with this script; `$PATCHWORK` is the program.
    pub script: Option<&'a str>,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self { size: (80, 24), background: Background::Dark, variables: &[], script: None }
    }
}

impl Terminal {
    /// Starts the program at a home, on any free port, and waits for its list.
    pub fn open(home: &Home) -> Self {
        Self::with(home, &Setup::default())
    }

    pub fn with(home: &Home, setup: &Setup<'_>) -> Self {
        let terminal = Self::start(home, setup);
        terminal.wait_for("1 Inbox");
        terminal.wait_until("the list was read", |seen| !seen.text().contains("Reading …"));
        terminal
    }

    pub fn start(home: &Home, setup: &Setup<'_>) -> Self {
        let (cols, rows) = setup.size;
        let pair = native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        let before = modes(&*pair.master);
        let mut command = match setup.script {
            None => CommandBuilder::new(BINARY),
            Some(script) => {
                let mut shell = CommandBuilder::new("sh");
                shell.args(["-c", script]);
                shell
            }
        };
        command.env_clear();
        let own = [("TERM", "xterm-256color"), ("FEEDBACK_PORT", "0"), ("LC_ALL", "C.UTF-8"), ("PATCHWORK", BINARY)];
        for (name, value) in home.environment().iter().map(|(n, v)| (*n, v.as_str())).chain(own) {
            command.env(name, value);
        }
        for (name, value) in setup.variables {
            command.env(name, value);
        }
        command.cwd(home.path());
        let seen = Seen { parser: parser(setup.size), bytes: Vec::new(), asked: false, let_go: false };
        let shared = Arc::new(Shared { seen: Mutex::new(seen), changed: Condvar::new() });
        let writer = Arc::new(Mutex::new(pair.master.take_writer().unwrap()));
        let reader = read(pair.master.try_clone_reader().unwrap(), &shared, &writer, setup.background);
        let mut child = pair.slave.spawn_command(command).unwrap();
        let pid = Pid::from_raw(child.process_id().unwrap().try_into().unwrap()).unwrap();
        let (tell, ended) = channel();
        // Nobody listens when the test is over first.
        std::thread::spawn(move || drop(tell.send(child.wait().unwrap())));
        Self { shared, writer, master: pair.master, _slave: pair.slave, reader, ended, pid, before }
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.seen.lock().unwrap()
    }

    pub fn text(&self) -> String {
        self.seen().text()
    }

    /// Waits until something is true of what is seen.
    pub fn wait_until(&self, what: &str, is: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.seen();
        while !is(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "never: {what}\n{}", seen.text());
            seen = self.shared.changed.wait_timeout(seen, left).unwrap().0;
        }
    }

    pub fn wait_for(&self, text: &str) {
        self.wait_until(text, |seen| seen.text().contains(text));
    }

    pub fn wait_gone(&self, text: &str) {
        self.wait_until(&format!("`{text}` is gone"), |seen| !seen.text().contains(text));
    }

    /// Bytes as a keyboard, or a terminal, sends them.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        let mut writer = self.writer.lock().unwrap();
        writer.write_all(bytes.as_ref()).unwrap();
        writer.flush().unwrap();
    }

    /// Shows that everything sent so far was read and acted on: opens the keys and closes them. Only where keys are not text.
    pub fn settle(&self) {
        self.send("?");
        self.wait_for("Half a page down");
        self.send("\x1b");
        self.wait_gone("Half a page down");
    }

    pub fn resize(&self, cols: u16, rows: u16) {
        // The terminal first, as on a desktop: what arrives in between is for the old size on the new one.
        self.seen().parser.set_size(NonZeroU16::new(rows).unwrap(), NonZeroU16::new(cols).unwrap());
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits for the end of the program.
    pub fn wait_end(&self) -> ExitStatus {
        match self.ended.recv_timeout(PATIENCE) {
            Ok(status) => status,
            Err(e) => panic!("the program does not end ({e}):\n{}", self.text()),
        }
    }

    /// The program has ended well and left the terminal as it was.
    pub fn assert_ended_well(&self) {
        let status = self.wait_end();
        assert_eq!((status.exit_code(), status.signal()), (0, None), "{}", self.text());
        self.wait_restored();
    }

    pub fn wait_restored(&self) {
        self.wait_until("the terminal is as it was", |seen| !seen.screen().alternate_screen());
        let seen = self.seen();
        let screen = seen.screen();
        assert!(!screen.hide_cursor(), "the cursor is shown");
        assert!(!screen.bracketed_paste(), "pastes are not marked");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert_eq!(modes(&*self.master), self.before);
    }

    /// The terminal is the program's.
    pub fn assert_taken(&self) {
        let seen = self.seen();
        let screen = seen.screen();
        assert!(screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste());
        assert_ne!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert_ne!(modes(&*self.master), self.before, "raw mode");
    }

    /// Waits until nothing has been written for a while.
    pub fn wait_idle(&self, a_while: Duration) {
        let deadline = Instant::now() + PATIENCE;
        while self.written_within(a_while) > 0 {
            assert!(Instant::now() < deadline, "it never stops writing\n{}", self.text());
        }
    }

    fn written_within(&self, time: Duration) -> usize {
        let seen = self.seen();
        let before = seen.bytes.len();
        let (seen, _) = self.shared.changed.wait_timeout_while(seen, time, |seen| seen.bytes.len() == before).unwrap();
        seen.bytes.len() - before
    }

    /// The terminal's window is closed, or the line is cut.
    pub fn vanish(self) -> Receiver<ExitStatus> {
        self.seen().let_go = true;
        // Something to read, so that the reader sees it.
        self.send("T");
        self.reader.join().unwrap();
        self.ended
    }

    /// The address in the header.
    pub fn address(&self) -> String {
        let find = |text: &str| {
            let rest = text.split_once("127.0.0.1:")?.1;
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            (!port.is_empty()).then(|| format!("127.0.0.1:{port}"))
        };
        self.wait_until("an address", |seen| find(&seen.text()).is_some());
        find(&self.text()).unwrap()
    }

    /// Reports something over HTTP, as a drop-in would.
    pub fn report(&self, json: &serde_json::Value) {
        let address = self.address();
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = json.to_string();
        let head = format!(
            "POST /api/feedback HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }
}

fn parser((cols, rows): (u16, u16)) -> vt100::Parser {
    vt100::Parser::new(NonZeroU16::new(rows).unwrap(), NonZeroU16::new(cols).unwrap(), 0)
}

/// Raw mode, echo and the like.
fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().unwrap())
}

fn read(
    mut from: Box<dyn Read + Send>,
    shared: &Arc<Shared>,
    writer: &Arc<Mutex<Box<dyn Write + Send>>>,
    background: Background,
) -> JoinHandle<()> {
    let (shared, writer) = (Arc::clone(shared), Arc::clone(writer));
    std::thread::spawn(move || {
        let mut chunk = [0; 16 * 1024];
        loop {
            let n = match from.read(&mut chunk) {
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => return,
                Ok(n) => n,
            };
            let mut seen = shared.seen.lock().unwrap();
            seen.parser.process(&chunk[..n]);
            seen.bytes.extend_from_slice(&chunk[..n]);
            shared.changed.notify_all();
            if seen.let_go {
                return;
            }
            let question = b"\x1b]11;?\x1b\\\x1b[c";
            if !seen.asked && seen.bytes.windows(question.len()).any(|w| w == question) {
                seen.asked = true;
                drop(seen);
                writer.lock().unwrap().write_all(background.answer()).unwrap();
            }
        }
    })
}
