//! `patchwork`: the screen, with the server that takes reports behind it.

use super::exit::{Code, Usage};
use super::setup::{Global, ServerArgs, Setup};
use super::{logging, serve};
use crate::engine::Mode;
use crate::http;
use std::io::IsTerminal;
use tokio_util::sync::CancellationToken;

pub(super) async fn run(global: &Global, server: ServerArgs) -> anyhow::Result<Code> {
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        let help =
            "the screen needs a terminal; without one use `patchwork serve`, `patchwork list` or `patchwork --help`";
        return Err(Usage(help.into()).into());
    }
    let stop = serve::stop_signals()?;
    let setup = Setup::load(global, &server)?;
    let _log = logging::to_file(&setup.loaded.paths.log_dir())?;
    let engine = setup.open(Mode::Owner { role: "tui".into() }).await?;

    let closing = CancellationToken::new();
    // A port that can't be had is no reason not to read what is there: the screen opens and says so.
    let (server, notice) = match http::bind(&setup.loaded.config.server, &setup.secrets).await {
        Ok(listener) => {
            let until = closing.clone().cancelled_owned();
            let serving = serve::serve(&setup, engine.clone(), listener, until);
            (Some(serving), None)
        }
        Err(e) => (None, Some(format!("not taking reports: {e}"))),
    };
    drop((server, notice, stop));
    engine.close().await;
    Err(Usage("the screen is not there yet".into()).into())
}
