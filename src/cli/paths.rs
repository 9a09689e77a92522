//! `patchwork paths`.

use super::exit::Code;
use super::out::Out;
use super::setup::{self, Global, ServerArgs};
use serde_json::{Map, Value};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<Code> {
    let paths = setup::load(global, &ServerArgs::default())?.paths;
    let mut out = Out::open();
    if args.json {
        let named = paths.named().into_iter();
        let object: Map<String, Value> =
            named.map(|(name, path)| (name.to_owned(), path.to_string_lossy().into())).collect();
        out.json(&object)?;
    } else {
        for (name, path) in paths.named() {
            out.line(format!("{name:<10}{}", path.display()))?;
        }
    }
    out.finish()?;
    Ok(Code::Ok)
}
