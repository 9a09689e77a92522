//! `patchwork config path|example|show|check|set|unset|key`.

mod hidden;
mod key;
mod set;

use super::exit::{Code, Usage};
use super::out::Out;
use super::setup::{self, Global, ServerArgs, Setup};
use crate::config::{EXAMPLE, Loaded, Origin, Paths, Repository, Source, process_vars};
use crate::domain::draft::{DrafterKind, TargetKind};
use crate::tui::keymap::Keymap;
use std::io;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print where config.toml belongs
    Path,
    /// Print an explained config.toml with every setting at its default
    Example,
    /// Print the settings in force as TOML, each with where it comes from, and the keys masked
    Show,
    /// Read the settings and say what is wrong with them
    Check,
    /// Change a setting in config.toml, and nothing else in it
    Set(set::SetArgs),
    /// Take a setting, or a repository, out of config.toml
    Unset(set::UnsetArgs),
    /// Save a key in secrets.env, typed hidden or from standard input
    Key(key::Args),
}

pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<Code> {
    let mut out = Out::open();
    match &args.what {
        // Also when the file can't be understood: the path is what its reader needs to mend it.
        What::Path => out.line(set::file(global)?.display())?,
        What::Example => out.verbatim(EXAMPLE)?,
        What::Show => show(&mut out, &Setup::load(global, &ServerArgs::default())?)?,
        What::Check => {
            let loaded = setup::load(global, &ServerArgs::default())?;
            // The names of keys and actions are the screen's, so the settings' own reader can't judge them.
            Keymap::new(&loaded.config.ui.keys).map_err(|e| Usage(e.to_string()))?;
            check(&mut out, &loaded)?;
        }
        What::Set(args) => set::set(&mut out, args, &set::file(global)?, global)?,
        What::Unset(args) => set::unset(&mut out, args, &set::file(global)?)?,
        What::Key(args) => key::run(&mut out, args, &Paths::find(&process_vars)?.secrets_file)?,
    }
    out.finish()?;
    Ok(Code::Ok)
}

fn check(out: &mut Out, loaded: &Loaded) -> io::Result<()> {
    let file = loaded.paths.config_file.display();
    if loaded.has_file {
        out.line(format!("{file} is fine"))
    } else {
        out.line(format!("there is no {file}; the defaults hold, and `patchwork config example` explains them"))
    }
}

fn show(out: &mut Out, setup: &Setup) -> io::Result<()> {
    let loaded = &setup.loaded;
    let mut table = "";
    for entry in loaded.layers.entries() {
        if entry.table != table {
            table = entry.table;
            out.line(format!("[{table}]"))?;
        }
        let origin = match entry.origin {
            Origin::Default => String::new(),
            Origin::File(_) | Origin::Env(_) | Origin::Flag(_) => format!("  # {}", entry.origin),
        };
        out.line(format!("{} = {}{origin}", entry.key, entry.value))?;
    }
    for repository in &loaded.config.repositories {
        show_repository(out, repository)?;
    }
    out.line("# keys")?;
    for (name, masked) in setup.secrets.masked() {
        out.line(format!("# {name}: {}", if masked.is_empty() { "not set" } else { &masked }))?;
    }
    Ok(())
}

fn show_repository(out: &mut Out, repository: &Repository) -> io::Result<()> {
    out.line("[[repository]]")?;
    out.line(format!("server = {}", toml_text(&repository.server)))?;
    match &repository.source {
        Source::Github(name) => out.line(format!("github = {}", toml_text(name)))?,
        Source::Local(path) => out.line(format!("path = {}", toml_text(&path.to_string_lossy())))?,
    }
    let words = [
        ("remote", repository.remote.as_deref()),
        ("branch", repository.branch.as_deref()),
        ("drafter", repository.drafter.map(DrafterKind::as_str)),
        ("target", repository.target.map(TargetKind::as_str)),
        ("verify", repository.verify.as_deref()),
    ];
    for (key, value) in words {
        if let Some(value) = value {
            out.line(format!("{key} = {}", toml_text(value)))?;
        }
    }
    let lists = [("protect", &repository.protect), ("allow", &repository.allow), ("scope", &repository.scope)];
    for (key, patterns) in lists.into_iter().filter(|(_, patterns)| !patterns.is_empty()) {
        let patterns: Vec<_> = patterns.iter().map(|pattern| toml_text(pattern)).collect();
        out.line(format!("{key} = [{}]", patterns.join(", ")))?;
    }
    Ok(())
}

/// As a TOML string; JSON's escapes are a subset of TOML's.
fn toml_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
