//! `patchwork config set KEY VALUE…` and `unset KEY`: one line of `config.toml`, the rest as it was.

use crate::cli::exit::{Usage, complain};
use crate::cli::out::Out;
use crate::cli::setup::{self, Global, ServerArgs};
use crate::config::{self, Address, Layer, Origin, Value};
use crate::tui::keymap::Keymap;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct SetArgs {
    /// The setting, such as `draft.drafter` or `repository.billing.branch`
    #[arg(value_name = "KEY")]
    address: String,
    /// Its value; a list takes several, or one with commas
    #[arg(required = true, allow_hyphen_values = true)]
    value: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct UnsetArgs {
    /// The setting, or a whole repository: `repository.billing`
    #[arg(value_name = "KEY")]
    address: String,
}

pub(super) fn set(out: &mut Out, args: &SetArgs, file: &Path, global: &Global) -> anyhow::Result<()> {
    let address = Address::parse(&args.address)?;
    let edited = config::change(file, &address, Value::Items(&args.value), &keys_work)?;
    let state = if edited.unchanged { "is what it says already" } else { "is saved" };
    out.line(format!("{address} = {}  # {state}: {}", edited.value.unwrap_or_default(), file.display()))?;
    tell_what_wins(&address, global);
    Ok(())
}

pub(super) fn unset(out: &mut Out, args: &UnsetArgs, file: &Path) -> anyhow::Result<()> {
    let address = Address::parse(&args.address)?;
    config::change(file, &address, Value::Unset, &keys_work)?;
    out.line(format!("{address} is not in {} any more", file.display()))?;
    Ok(())
}

/// The names of keys and actions are the screen's, so the settings' own reader can't judge them.
fn keys_work(layer: &Layer) -> Result<(), String> {
    let keys = layer.keys.iter().map(|(action, keys)| (action.clone(), keys.value.clone())).collect();
    Keymap::new(&keys).map(drop).map_err(|e| format!("is not possible: {e}"))
}

/// What is written in the file is not what holds when a variable or a flag says something else.
fn tell_what_wins(address: &Address, global: &Global) {
    let Address::Key(spec) = address else { return };
    // A file that can't be read as a whole has been told of by whoever wrote it.
    let Ok(loaded) = setup::load(global, &ServerArgs::default()) else { return };
    let entry = loaded.layers.entries().into_iter().find(|entry| entry.table == spec.table && entry.key == spec.key);
    match entry.map(|entry| entry.origin) {
        Some(Origin::Env(name) | Origin::Flag(name)) => {
            complain(&format!("{name} is set and wins over the file as long as it is"));
        }
        Some(Origin::File(_) | Origin::Default) | None => {}
    }
}

/// The file that is meant. It need not be there, unlike one that is only to be read.
pub(super) fn file(global: &Global) -> anyhow::Result<PathBuf> {
    match &global.config {
        Some(named) => Ok(std::path::absolute(named).map_err(|e| Usage(format!("--config: {e}")))?),
        None => Ok(config::Paths::find(&config::process_vars)?.config_file),
    }
}
