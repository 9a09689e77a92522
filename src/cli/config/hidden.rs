//! A key from a terminal, typed without being seen.

use crate::cli::exit::Interrupted;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use std::io::{self, Read, Stdin, Write};

/// No key is longer, and what is typed never has to move to a larger place and leave a copy behind.
const MOST: usize = 4096;

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const CTRL_U: u8 = 0x15;
const ESCAPE: u8 = 0x1b;

/// The terminal's way of treating keys, given back when this is dropped.
struct Quiet {
    stdin: Stdin,
    before: Termios,
}

impl Quiet {
    fn begin() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin)?;
        let mut quiet = before.clone();
        // Without signals too: ctrl-c would end the process and leave a terminal that shows nothing.
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&stdin, OptionalActions::Drain, &quiet)?;
        Ok(Self { stdin, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Err(e) = tcsetattr(&self.stdin, OptionalActions::Flush, &self.before) {
            tracing::debug!(error = %e, "the terminal is gone, and needs nothing");
        }
    }
}

/// Asks on standard error and reads up to the end of the line.
pub(super) fn ask(question: &str) -> anyhow::Result<SecretString> {
    let quiet = Quiet::begin()?;
    let mut stderr = io::stderr().lock();
    write!(stderr, "{question}: ")?;
    stderr.flush()?;
    let typed = read(&mut quiet.stdin.lock());
    writeln!(stderr)?;
    typed
}

fn read(from: &mut impl Read) -> anyhow::Result<SecretString> {
    let mut typed = Zeroizing::new(Vec::with_capacity(MOST));
    let mut byte = [0];
    loop {
        if from.read(&mut byte)? == 0 {
            return Err(Interrupted.into());
        }
        match byte[0] {
            b'\r' | b'\n' => break,
            CTRL_C | CTRL_D | ESCAPE => return Err(Interrupted.into()),
            CTRL_U => typed.clear(),
            0x08 | 0x7f => drop(typed.pop()),
            _ if typed.len() == MOST => {}
            other => typed.push(other),
        }
    }
    // What is no text is no key either; the check of the value says so.
    Ok(SecretString::from(String::from_utf8_lossy(&typed).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn lines_are_edited_and_given_up() {
        let typed = |bytes: &[u8]| read(&mut &*bytes).map(|key| key.expose_secret().to_owned()).ok();
        assert_eq!(typed(b"sk-12\x7f\x7f34\rmore").as_deref(), Some("sk-34"));
        assert_eq!(typed(b"wrong\x15right\n").as_deref(), Some("right"));
        assert_eq!(typed(b"\n").as_deref(), Some(""));
        for given_up in [&b"sk-\x03\n"[..], b"sk-\x1b\n", b"sk-", b"sk-\x04"] {
            assert_eq!(typed(given_up), None);
        }
        assert_eq!(typed(&[&[b'x'; MOST + 5][..], b"\n"].concat()).map(|key| key.len()), Some(MOST));
    }
}
