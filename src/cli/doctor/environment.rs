//! What the process was started with: keys, terminal.

use super::{Check, Setup};
use crate::cli::out::colours_wanted;
use crate::domain::draft::{DrafterKind, TargetKind};
use crate::drafting;
use std::io::IsTerminal;

/// Smallest screen that shows everything.
const MIN_SIZE: (u16, u16) = (40, 10);

/// Which keys there are, masked, and which of them are needed.
pub(super) fn keys(setup: &Setup, checks: &mut Vec<Check>) {
    let config = &setup.loaded.config;
    let ways: Vec<_> = config.repositories.iter().map(|r| drafting::defaults(config, r)).collect();
    let drafts_with = |kind| ways.iter().any(|(drafter, _)| *drafter == kind);
    let needs_github = ways.iter().any(|(_, target)| *target == TargetKind::Github);
    for (name, masked) in setup.secrets.masked() {
        let needed = match name {
            "ANTHROPIC_API_KEY" => drafts_with(DrafterKind::Anthropic),
            "OPENAI_API_KEY" => drafts_with(DrafterKind::Openai),
            "GITHUB_TOKEN" => needs_github,
            "FEEDBACK_API_KEY" => !config.server.address.ip().is_loopback(),
            // Of servers that speak OpenAI's language only some want one; asking for the models tells.
            _ => false,
        };
        checks.push(match (masked.is_empty(), needed) {
            (false, _) => Check::ok("key", format!("{name} {masked}")),
            (true, false) => Check::ok("key", format!("{name} is not set, and not needed")),
            (true, true) => {
                let file = setup.loaded.paths.secrets_file.display();
                let advice = format!("set it in the environment, or write {name}=\"…\" into {file}");
                Check::warn("key", format!("{name} is not set"), advice)
            }
        });
    }
}

pub(super) fn terminal(checks: &mut Vec<Check>) {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        checks.push(Check::ok("terminal", "standard output is not a terminal; the screen needs one"));
        return;
    }
    let term = std::env::var("TERM").unwrap_or_default();
    let colours = if colours_wanted() { "colours" } else { "no colours" };
    let size = rustix::termios::tcgetwinsize(&stdout).map_or((0, 0), |size| (size.ws_col, size.ws_row));
    let found = format!("{}×{}, TERM={term}, {colours}", size.0, size.1);
    checks.push(if term.is_empty() || term == "dumb" {
        Check::warn("terminal", found, "set TERM to what your terminal is, such as xterm-256color")
    } else if size.0 < MIN_SIZE.0 || size.1 < MIN_SIZE.1 {
        Check::warn("terminal", found, format!("the screen wants at least {}×{}", MIN_SIZE.0, MIN_SIZE.1))
    } else {
        Check::ok("terminal", found)
    });
}
