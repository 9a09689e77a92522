//! Standard input as an argument: `-` means "read it from there".

use super::exit::Usage;
use std::io::{IsTerminal, Read};

/// No argument of ours is longer; more is somebody's mistake, and is refused before it fills the memory.
const MAX_BYTES: u64 = 1024 * 1024;

pub(super) fn is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// All of standard input as text.
pub(super) fn read(what: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Usage(format!("{what} on standard input is longer than {MAX_BYTES} bytes")).into());
    }
    String::from_utf8(bytes).map_err(|_| Usage(format!("{what} on standard input is not UTF-8 text")).into())
}

/// The argument, or standard input when it is `-`.
pub(super) fn or_read(argument: String, what: &str) -> anyhow::Result<String> {
    if argument == "-" {
        return Ok(read(what)?.trim().to_owned());
    }
    // A filter may begin with `-`, and a note too; but this is a mistyped option, and must not do something else instead.
    if argument.starts_with("--") {
        let option = argument.split(['=', ' ']).next().unwrap_or_default();
        return Err(Usage(format!("there is no option {option}; {what} comes from standard input with `-`")).into());
    }
    Ok(argument)
}
