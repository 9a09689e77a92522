//! `patchwork`: the screen, with the server that takes reports behind it.

use super::exit::{Code, Usage};
use super::setup::{Global, ServerArgs, Setup};
use super::{logging, serve};
use crate::client::EngineHandle;
use crate::engine::{Engine, Mode};
use crate::http::{self, Limits};
use crate::protocol::{Actor, Door};
use crate::tui::keymap::Keymap;
use crate::tui::model::Ingest;
use crate::tui::{self, Options};
use std::io::IsTerminal;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(super) async fn run(global: &Global, server: ServerArgs) -> anyhow::Result<Code> {
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        let help =
            "the screen needs a terminal; without one use `patchwork serve`, `patchwork list` or `patchwork --help`";
        return Err(Usage(help.into()).into());
    }
    let stop = serve::stop_signals()?;
    let setup = Setup::load(global, &server)?;
    // Before anything is opened: a mistake in the settings is the whole answer.
    Keymap::new(&setup.loaded.config.ui.keys).map_err(|e| Usage(e.to_string()))?;
    let _log = logging::to_file(&setup.loaded.paths.log_dir())?;
    let engine = setup.open(Mode::Owner { role: "tui".into() }).await?;

    let closing = CancellationToken::new();
    let (ingest, serving) = take_reports(&setup, &engine, closing.clone()).await;
    let options = Options {
        engine: EngineHandle::Local(engine.clone()),
        actor: Actor::new(Door::Tui, setup.author()),
        ui: setup.loaded.config.ui.clone(),
        state_dir: setup.loaded.paths.state_dir.clone(),
        ingest,
    };
    let (ended, told) = match serving {
        Some((task, told)) => (Some(task), Some(told)),
        None => (None, None),
    };
    let shown = tui::run(options, stop, reason(told)).await;
    closing.cancel();
    if let Some(task) = ended {
        task.await?;
    }
    engine.close().await;
    shown?;
    Ok(Code::Ok)
}

/// The server on a task of its own, and word of its end.
type Serving = (JoinHandle<()>, oneshot::Receiver<String>);

/// A port that can't be had is no reason not to read what is there: the screen opens and says so.
async fn take_reports(setup: &Setup, engine: &Engine, until: CancellationToken) -> (Ingest, Option<Serving>) {
    let server = &setup.loaded.config.server;
    let bound = http::bind(server, &setup.secrets).await.map_err(|e| e.to_string());
    let address = |listener: &tokio::net::TcpListener| listener.local_addr().map_err(|e| e.to_string());
    let (listener, address) = match bound.and_then(|listener| address(&listener).map(|address| (listener, address))) {
        Ok(bound) => bound,
        Err(why) => return (Ingest::Off(format!("not taking reports: {why}")), None),
    };
    let app = http::router(http::App::new(engine.clone(), server, &setup.secrets));
    let limits = Limits::from(server);
    let (tell, told) = oneshot::channel();
    let task = tokio::spawn(async move {
        if let Err(e) = http::serve(listener, app, limits, until.cancelled_owned()).await {
            // Nobody listens when the screen is closed already.
            drop(tell.send(e.to_string()));
        }
    });
    (Ingest::At(address.to_string()), Some((task, told)))
}

/// Why reports stopped being taken; never resolves when they didn't.
async fn reason(told: Option<oneshot::Receiver<String>>) -> String {
    if let Some(told) = told
        && let Ok(why) = told.await
    {
        return why;
    }
    std::future::pending().await
}
