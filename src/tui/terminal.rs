//! The terminal: taken over, given back whatever happens, written to in one piece per frame.

use super::input::{Answer, Cut};
use super::model::Model;
use super::screen;
use super::theme::Shade;
use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, tcgetattr};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a terminal may take to say what its background is; one that says nothing at all costs this once, at the start.
const PATIENCE: Duration = Duration::from_millis(400);

/// Collects a frame, so that it goes out in one write and is never seen half drawn.
#[derive(Debug, Clone, Default)]
struct Frame(Arc<Mutex<Vec<u8>>>);

impl Frame {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Frame {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The terminal while it is ours.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Frame>>,
    frame: Frame,
    mouse: bool,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn enter(mouse: bool) -> io::Result<Self> {
        take_over(mouse)?;
        let frame = Frame::default();
        let terminal = Terminal::new(CrosstermBackend::new(frame.clone()))?;
        Ok(Self { terminal, frame, mouse })
    }

    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    /// Sends what has changed since the last frame; nothing when nothing has.
    pub(super) fn draw(&mut self, model: &Model) -> io::Result<()> {
        self.terminal.draw(|frame| screen::render(frame, model))?;
        let bytes = self.frame.take();
        // Every changed cell is reached by a cursor position, which ends in `H`; what else a frame writes is the same each time.
        if !bytes.contains(&b'H') {
            return Ok(());
        }
        let mut out = Vec::with_capacity(bytes.len() + 32);
        queue!(out, BeginSynchronizedUpdate)?;
        out.extend_from_slice(&bytes);
        queue!(out, EndSynchronizedUpdate)?;
        send(&out)
    }

    /// To the clipboard at the user's end of the line (OSC 52).
    pub(super) fn copy(text: &str) -> io::Result<()> {
        execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))
    }

    /// Gives the terminal to `during`, then takes it back and draws everything anew.
    pub(super) fn lend<T>(&mut self, during: impl FnOnce() -> T) -> io::Result<T> {
        give_back()?;
        let result = during();
        self.take_back()?;
        Ok(result)
    }

    /// Makes the terminal ours again, whatever somebody else did to it, and draws everything with the next frame.
    pub(super) fn take_back(&mut self) -> io::Result<()> {
        // Somebody may have changed the mode behind the library's back, which would then do nothing. Where nobody has, as when the news of
        // a resume comes a second time, keys that are typed meanwhile must not fall into a moment of lines and echo.
        if tcgetattr(rustix::stdio::stdin())?.local_modes.contains(LocalModes::ICANON) {
            disable_raw_mode()?;
        }
        take_over(self.mouse)?;
        let (width, height) = self.size()?;
        // Not `clear`: that asks the terminal for the cursor's position, and the answer would race with the keys.
        self.terminal.resize(Rect::new(0, 0, width, height))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        drop(give_back());
    }
}

fn send(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn take_over(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    let mut out = Vec::new();
    // Cleared by hand: a terminal that somebody has left in the alternate screen enters it as it is, and a frame writes no blanks.
    queue!(out, EnterAlternateScreen, Clear(ClearType::All), EnableBracketedPaste, cursor::Hide)?;
    if mouse {
        queue!(out, EnableMouseCapture)?;
    }
    send(&out)
}

/// Undoes [`take_over`]; harmless when done twice.
fn give_back() -> io::Result<()> {
    let mut out = Vec::new();
    queue!(out, EndSynchronizedUpdate, DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show)?;
    let sent = send(&out);
    disable_raw_mode()?;
    sent
}

/// Stops the process, and whatever runs it, until the shell's `fg`. The terminal must have been given back. Not with SIGTSTP, which
/// we catch to get here.
pub(super) fn stop() -> io::Result<()> {
    Ok(rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?)
}

/// Resolves when the terminal is gone without a SIGHUP having told so. Reading keys does not notice: it fails for ever, at full speed.
pub(super) async fn gone() {
    let (tell, told) = tokio::sync::oneshot::channel();
    // A thread, because it waits in the kernel for as long as the terminal lives; it ends with the process.
    std::thread::spawn(move || {
        let stdin = rustix::stdio::stdin();
        // No event is asked for: a hang-up is always reported.
        let mut nothing = [PollFd::new(&stdin, PollFlags::empty())];
        while matches!(poll(&mut nothing, None), Err(rustix::io::Errno::INTR)) {}
        if tell.send(()).is_err() {
            tracing::debug!("the terminal is gone, and so is the screen");
        }
    });
    if told.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Whether an error says that there is no terminal any more: writing finds out before anybody tells.
pub(super) fn is_gone(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::IO | Errno::PIPE | Errno::NXIO))
}

/// Gives the terminal back and leaves a report in `dir` when this thread panics. Other threads' panics are the runtime's to catch: they
/// are written down too, but the screen goes on.
pub(super) fn on_panic(dir: PathBuf) {
    let ours = std::thread::current().id();
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let report = format!(
            "patchwork {} panicked\n{info}\n\n{}\n",
            env!("CARGO_PKG_VERSION"),
            std::backtrace::Backtrace::force_capture()
        );
        let file = dir.join(format!("panic-{}.txt", std::process::id()));
        let written = std::fs::write(&file, report);
        tracing::error!(%info, "panic");
        if std::thread::current().id() != ours {
            return;
        }
        drop(give_back());
        usual(info);
        if written.is_ok() {
            let mut stderr = io::stderr().lock();
            drop(writeln!(stderr, "patchwork: a report is in {}; nothing that was recorded is lost", file.display()));
        }
    }));
}

/// What the terminal says its background is, and what was typed meanwhile. Asks in raw mode, before anybody else reads keys.
pub(super) fn background() -> io::Result<(Option<Shade>, Typed)> {
    enable_raw_mode()?;
    // The second question is one that every terminal answers, so that one which does not know the first costs no waiting.
    send(b"\x1b]11;?\x1b\\\x1b[c")?;
    let deadline = Instant::now() + PATIENCE;
    let mut heard = Vec::new();
    while !answered(&heard) {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos()) };
        let stdin = rustix::stdio::stdin();
        if left.is_zero() || poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&timeout))? == 0 {
            break;
        }
        let mut bytes = [0; 256];
        match rustix::io::read(stdin, &mut bytes)? {
            0 => break,
            n => heard.extend_from_slice(&bytes[..n]),
        }
    }
    Ok((colour(&heard), typed(&heard)))
}

/// Whether the answer to the second question is there: `ESC [ ? … c`.
fn answered(heard: &[u8]) -> bool {
    let Some(at) = heard.windows(3).position(|w| w == b"\x1b[?") else { return false };
    heard[at..].contains(&b'c')
}

/// `ESC ] 11 ; rgb:RRRR/GGGG/BBBB`, with one to four hexadecimal digits each.
pub(super) fn colour(heard: &[u8]) -> Option<Shade> {
    let text = String::from_utf8_lossy(heard);
    let (_, rest) = text.split_once("]11;rgb:")?;
    let end = rest.find(['\u{1b}', '\u{7}']).unwrap_or(rest.len());
    let parts: Vec<f32> = rest.get(..end)?.split('/').filter_map(part).collect();
    match parts[..] {
        [red, green, blue] => Some(Shade::of_background(red, green, blue)),
        _ => None,
    }
}

fn part(hex: &str) -> Option<f32> {
    let value = u16::from_str_radix(hex, 16).ok()?;
    let most = (1_u32 << (4 * hex.len())) - 1;
    Some(f32::from(value) / most as f32)
}

/// What is not an answer: everything outside escape sequences.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) bytes: Vec<u8>,
    /// The answer that had begun and not ended.
    pub(super) cut: Option<Cut>,
}

fn typed(heard: &[u8]) -> Typed {
    let mut out = Typed::default();
    let mut bytes = heard.iter();
    while let Some(&byte) = bytes.next() {
        if byte != 0x1b {
            out.bytes.push(byte);
            continue;
        }
        let rest = bytes.as_slice();
        let (answer, is_end): (_, fn(u8) -> bool) = match bytes.next() {
            Some(b']') => (Answer::Colour, |b| b == 0x07 || b == b'\\'),
            Some(b'[') => (Answer::Attributes, |b| (0x40..=0x7e).contains(&b)),
            _ => continue,
        };
        let is_whole = bytes.any(|byte| is_end(*byte));
        out.cut = (!is_whole).then(|| Cut { answer, heard: String::from_utf8_lossy(rest).into_owned() });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_reports_of_any_precision_are_read() {
        assert_eq!(colour(b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?62c"), Some(Shade::Light));
        assert_eq!(colour(b"\x1b]11;rgb:00/2b/36\x07"), Some(Shade::Dark));
        assert_eq!(colour(b"\x1b[?62;22c"), None);
        assert_eq!(colour(b"\x1b]11;rgb:zz/00\x07"), None);
    }

    #[test]
    fn typing_ahead_is_not_lost_and_answers_are_not_typing() {
        let heard = b"j\x1b]11;rgb:0000/0000/0000\x1b\\n\x1b[?62;4cx";
        assert!(answered(heard));
        assert_eq!(typed(heard), Typed { bytes: b"jnx".to_vec(), cut: None });
        let half = b"j\x1b]11;rgb:0000/00";
        let cut = |answer, heard: &str| Some(Cut { answer, heard: heard.to_owned() });
        assert_eq!(typed(half), Typed { bytes: b"j".to_vec(), cut: cut(Answer::Colour, "]11;rgb:0000/00") });
        let half = b"\x1b]11;rgb:00/00/00\x07n\x1b[?62;";
        assert_eq!(typed(half), Typed { bytes: b"n".to_vec(), cut: cut(Answer::Attributes, "[?62;") });
        assert!(!answered(b"\x1b]11;rgb:0000/0000/0000\x1b\\"));
    }
}
