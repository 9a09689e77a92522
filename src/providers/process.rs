//! Runs a coding agent that has a command line: the brief on its standard input, its output passed on as it comes.
//!
//! No shell is involved. The agent gets the user's environment without any key of ours (the vendors' keys included: see
//! `child`), runs in a process group of its own, and is killed with everything it started when its time is up, the
//! future is dropped, or this process is killed itself. What it changed is looked at afterwards, in the work tree.

use super::child::{self, DRAIN, Group};
use super::error::{ProviderError, duration};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;

/// One run of a program.
#[derive(Debug, Clone)]
pub struct AgentRun {
    /// Program and arguments; no shell.
    pub argv: Vec<String>,
    pub dir: PathBuf,
    /// Written to the program's standard input, which is then closed.
    pub stdin: String,
    /// Added to the environment.
    pub env: Vec<(String, String)>,
    pub environment: Environment,
    pub timeout: Duration,
    /// Bytes of output passed on; the rest is read and dropped.
    pub max_output: usize,
}

/// What a program finds in its environment, beside what is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// What the user has, without keys of ours and the vendors'.
    Users,
    /// Only what builds and tests need to find their tools.
    Few,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitInfo {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Whether output went beyond `max_output`.
    pub output_cut: bool,
    /// Whether it was stopped because its time was up.
    pub timed_out: bool,
}

impl ExitInfo {
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// Runs a program to its end. Standard output and error are passed on together, in the order they arrive; bytes that are
/// not UTF-8 become `U+FFFD`. The text may hold escapes: whoever shows it makes it safe.
///
/// # Errors
/// When it can't be started. A failing exit status is not an error here, nor is it when its time is up.
pub async fn run(run: AgentRun, on_output: &mut (dyn FnMut(&str) + Send)) -> Result<ExitInfo, ProviderError> {
    let Some((program, arguments)) = run.argv.split_first() else {
        return Err(ProviderError::config("No command is configured: set `run` under [command] in config.toml."));
    };
    let mut command = child::command(program);
    match run.environment {
        Environment::Users => {}
        Environment::Few => child::limit(&mut command),
    }
    command.args(arguments).current_dir(&run.dir).envs(run.env.iter().map(|(k, v)| (k, v)));
    let mut child = command.spawn().map_err(|e| cannot_start(program, &e))?;
    let mut group = Group::kept(&child);
    let limit = run.timeout;
    let ended = tokio::time::timeout(limit, converse(&mut child, &mut group, &run, on_output)).await;
    group.kill();
    match ended {
        Ok(exit) => exit.map_err(|e| ProviderError::process(program, format!("can't be followed: {e}"))),
        Err(_elapsed) => Ok(ExitInfo { code: None, signal: None, output_cut: false, timed_out: true }),
    }
}

/// What to say about a drafter whose time was up.
pub fn too_slow(program: &str, limit: Duration) -> ProviderError {
    let limit = duration(limit);
    let why =
        format!("did not end within {limit} and was stopped. Raise `timeout` under [command] if it needs longer.");
    ProviderError::process(program, why)
}

fn cannot_start(program: &str, error: &std::io::Error) -> ProviderError {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => {
            "was not found: check `run` under [command] in config.toml and the PATH.".into()
        }
        std::io::ErrorKind::PermissionDenied => "is not executable: check its permissions.".into(),
        _ => format!("can't be started: {error}"),
    };
    ProviderError::process(program, why)
}

/// Feeds the input, passes the output on, and waits for the end, all at the same time: each may block the others.
async fn converse(
    child: &mut Child,
    group: &mut Group,
    run: &AgentRun,
    on_output: &mut (dyn FnMut(&str) + Send),
) -> std::io::Result<ExitInfo> {
    let input = child.stdin.take();
    let feeding = async {
        if let Some(mut input) = input {
            // A program that does not read its input to the end is not at fault.
            let _unread = input.write_all(run.stdin.as_bytes()).await;
        }
    };
    let mut out = Output::new(run.max_output);
    let mut stdout = child.stdout.take().map(Stream::new);
    let mut stderr = child.stderr.take().map(Stream::new);
    tokio::pin!(feeding);
    let mut fed = false;
    let mut status = None;
    let mut drained = std::pin::pin!(None);
    while status.is_none() || stdout.is_some() || stderr.is_some() {
        tokio::select! {
            () = &mut feeding, if !fed => fed = true,
            text = read(&mut stdout), if stdout.is_some() => out.pass(text?, &mut stdout, on_output),
            text = read(&mut stderr), if stderr.is_some() => out.pass(text?, &mut stderr, on_output),
            ended = child.wait(), if status.is_none() => {
                status = Some(ended?);
                // What it left in the background must not hold the pipes open.
                group.kill();
                drained.set(Some(tokio::time::sleep(DRAIN)));
            }
            () = async { if let Some(sleep) = drained.as_mut().as_pin_mut() { sleep.await } }, if status.is_some() => break,
        }
    }
    let code = status.and_then(|s| s.code());
    Ok(ExitInfo { code, signal: status.and_then(|s| s.signal()), output_cut: out.cut, timed_out: false })
}

/// One pipe, and the beginning of a character whose end has not come yet.
struct Stream<R> {
    pipe: R,
    buffer: Vec<u8>,
    partial: Vec<u8>,
}

impl<R> Stream<R> {
    fn new(pipe: R) -> Self {
        Self { pipe, buffer: vec![0; 8 * 1024], partial: Vec::new() }
    }
}

/// The next piece of text; `None` at the end.
async fn read<R: AsyncRead + Unpin>(stream: &mut Option<Stream<R>>) -> std::io::Result<Option<String>> {
    let Some(stream) = stream else { return Ok(None) };
    let n = stream.pipe.read(&mut stream.buffer).await?;
    let mut bytes = std::mem::take(&mut stream.partial);
    bytes.extend_from_slice(stream.buffer.get(..n).unwrap_or_default());
    if n == 0 {
        return Ok((!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned()));
    }
    stream.partial = bytes.split_off(complete(&bytes));
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// How much of `bytes` does not end in the middle of a character.
fn complete(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(e) if e.error_len().is_none() => e.valid_up_to(),
        // Invalid somewhere: only the last three bytes can begin a character that is still to come.
        Err(_) => {
            let from = bytes.len().saturating_sub(3);
            let tail = bytes.get(from..).unwrap_or_default();
            let start = tail.iter().rposition(|b| *b >= 0xC0);
            start.map_or(bytes.len(), |at| {
                let open = std::str::from_utf8(tail.get(at..).unwrap_or_default());
                if open.is_err_and(|e| e.error_len().is_none()) { from + at } else { bytes.len() }
            })
        }
    }
}

/// Passes text on up to a limit.
struct Output {
    left: usize,
    cut: bool,
}

impl Output {
    fn new(limit: usize) -> Self {
        Self { left: limit, cut: false }
    }

    /// `None` ends the stream.
    fn pass<R>(&mut self, text: Option<String>, stream: &mut Option<Stream<R>>, to: &mut (dyn FnMut(&str) + Send)) {
        let Some(text) = text else {
            *stream = None;
            return;
        };
        let end = text.floor_char_boundary(self.left.min(text.len()));
        if end < text.len() {
            self.cut = true;
            self.left = 0;
        } else {
            self.left -= end;
        }
        if end > 0 {
            to(text.get(..end).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_cut_in_two_waits_for_its_end() {
        let euro = "€".as_bytes();
        assert_eq!(complete(&euro[..2]), 0);
        assert_eq!(complete(euro), 3);
        assert_eq!(complete(&[b'a', 0xFF, b'b', euro[0]]), 3);
        assert_eq!(complete(&[0xFF, 0xFF]), 2);
    }
}
