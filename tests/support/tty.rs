//! The real program in a real terminal: a pty, an emulator that keeps its screen, and a person who waits for texts.

use super::program::{BINARY, Home};
use super::running::until;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a person waits before giving up on a program; a loaded machine is slow, a broken program is for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the terminal says when it is asked for its background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Nothing, not even what it is.
    Silent,
    Dark,
    Light,
}

impl Manner {
    fn answer(self) -> &'static str {
        match self {
            Self::Silent => "",
            Self::Dark => "\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?62;22c",
            Self::Light => "\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?62;22c",
        }
    }
}

struct Seen {
    parser: vt100::Parser,
    raw: Vec<u8>,
    closed: bool,
}

/// A terminal with the program in it.
pub struct Tty {
    master: Box<dyn MasterPty + Send>,
    // Keeps the terminal alive after the program, so that what it left behind can be seen.
    _slave: Box<dyn SlavePty + Send>,
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    child: Box<dyn Child + Send + Sync>,
    before: String,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

impl Tty {
    pub fn start(home: &Home, columns: u16, rows: u16, manner: Manner, variables: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut command = CommandBuilder::new(BINARY);
        command.env_clear();
        command.cwd(home.path());
        let usual = [("TERM", "xterm-256color"), ("FEEDBACK_PORT", "0")];
        for (name, value) in home.environment().iter().map(|(n, v)| (*n, v.as_str())).chain(usual) {
            command.env(name, value);
        }
        for (name, value) in variables {
            command.env(name, value);
        }
        let before = format!("{:?}", pair.master.get_termios().unwrap());
        let reader = pair.master.try_clone_reader().unwrap();
        let writer = Arc::new(Mutex::new(pair.master.take_writer().unwrap()));
        let child = pair.slave.spawn_command(command).unwrap();
        let parser = vt100::Parser::new(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap(), 0);
        let seen = Arc::new((Mutex::new(Seen { parser, raw: Vec::new(), closed: false }), Condvar::new()));
        listen(reader, Arc::clone(&seen), Arc::clone(&writer), manner);
        Self { master: pair.master, _slave: pair.slave, writer, seen, child, before }
    }

    /// Opens the program and waits for its first screen.
    pub fn open(home: &Home, columns: u16, rows: u16) -> Self {
        let tty = Self::start(home, columns, rows, Manner::Dark, &[]);
        tty.shows("3 Drafts");
        tty
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.0.lock().unwrap()
    }

    pub fn text(&self) -> String {
        self.seen().parser.screen().contents()
    }

    /// Everything that was ever written.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen().raw).into_owned()
    }

    /// Waits until the screen is as described.
    pub fn wait(&self, what: &str, is: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.seen();
        while !is(seen.parser.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            let screen = seen.parser.screen().contents();
            assert!(!left.is_zero(), "waited for {what}; the screen was\n{screen}");
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    pub fn shows(&self, text: &str) {
        self.wait(text, |screen| screen.contents().contains(text));
    }

    pub fn no_longer_shows(&self, text: &str) {
        self.wait(&format!("the end of {text}"), |screen| !screen.contents().contains(text));
    }

    pub fn types(&self, keys: &str) {
        let mut writer = self.writer.lock().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.seen().parser.screen_mut().set_size(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap());
        self.master.resize(size(columns, rows)).unwrap();
    }

    /// Where reports can be posted, as the header says.
    pub fn address(&self) -> String {
        self.shows("reports at ");
        let text = self.text();
        text.split_once("reports at ").unwrap().1.split_whitespace().next().unwrap().to_owned()
    }

    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap()).unwrap()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    pub fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero())).unwrap();
        stat.rsplit_once(") ").unwrap().1.starts_with('T')
    }

    /// Waits for the end of the program, and gives its exit code.
    pub fn ended(&mut self) -> u32 {
        let mut status = None;
        until("the program to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().exit_code()
    }

    /// That the terminal is as the program found it.
    pub fn assert_restored(&self) {
        self.wait("the terminal to be given back", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
        });
        let after = format!("{:?}", self.master.get_termios().unwrap());
        assert_eq!(after, self.before, "the terminal's mode");
    }

    /// Bytes written within `time`, once the screen has been still for a while.
    pub fn written_when_idle(&self, time: Duration) -> usize {
        let mut seen = self.seen();
        loop {
            let before = seen.raw.len();
            let (next, waited) = self.seen.1.wait_timeout(seen, Duration::from_millis(700)).unwrap();
            seen = next;
            if waited.timed_out() && seen.raw.len() == before {
                break;
            }
        }
        let (before, end) = (seen.raw.len(), Instant::now() + time);
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
        seen.raw.len() - before
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // It has usually ended; a test that fails in the middle leaves no process behind.
        drop(self.child.kill());
    }
}

/// Reads what the program writes, as a terminal does, and answers its questions.
fn listen(
    mut reader: Box<dyn Read + Send>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    manner: Manner,
) {
    std::thread::spawn(move || {
        let mut bytes = [0; 8192];
        loop {
            let read = reader.read(&mut bytes).unwrap_or(0);
            // A test that failed while it looked leaves nothing half-done behind.
            let mut now = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
            now.closed = read == 0;
            now.raw.extend_from_slice(&bytes[..read]);
            now.parser.process(&bytes[..read]);
            seen.1.notify_all();
            if now.closed {
                return;
            }
            drop(now);
            if bytes[..read].windows(3).any(|w| w == b"\x1b[c") && manner != Manner::Silent {
                let mut writer = writer.lock().unwrap();
                // The program may be gone already.
                drop(writer.write_all(manner.answer().as_bytes()).and_then(|()| writer.flush()));
            }
        }
    });
}
