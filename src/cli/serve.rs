//! `patchwork serve`: the server that takes reports, without a screen.
//!
//! For systemd or a terminal pane: logs to standard error; SIGTERM, SIGINT and SIGHUP let running requests finish and end with 0.

use super::exit::Code;
use super::logging;
use super::setup::{Global, ServerArgs, Setup};
use crate::engine::{Engine, Mode};
use crate::http::{self, Limits};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(args: Args, global: &Global, before: ServerArgs) -> anyhow::Result<Code> {
    logging::to_stderr("info")?;
    // Handlers first: a signal that comes while things are being opened must not kill the process.
    let stop = stop_signals()?;
    let setup = Setup::load(global, &args.server.or(&before))?;
    let engine = setup.open(Mode::Owner { role: "serve".into() }).await?;
    let served = async {
        let listener = http::bind(&setup.loaded.config.server, &setup.secrets).await?;
        tracing::info!(address = %listener.local_addr()?, database = %setup.loaded.paths.database.display(), "taking reports");
        anyhow::Ok(serve(&setup, engine.clone(), listener, stop).await?)
    }
    .await;
    engine.close().await;
    served?;
    tracing::info!("stopped");
    Ok(Code::Ok)
}

/// Answers requests on `listener` until `stop`; also what the screen runs behind itself.
pub(super) async fn serve(
    setup: &Setup,
    engine: Engine,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let server = &setup.loaded.config.server;
    let app = http::App::new(engine, server, &setup.secrets);
    http::serve(listener, http::router(app), Limits::from(server), stop).await
}

/// Resolves at the first signal that asks the process to end.
pub(super) fn stop_signals() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut signals = StopSignals::open()?;
    Ok(async move { signals.next().await })
}

/// SIGTERM, SIGINT and SIGHUP. What comes while nobody waits is not lost.
#[derive(Debug)]
pub(super) struct StopSignals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl StopSignals {
    pub(super) fn open() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
            _ = self.hup.recv() => {}
        }
    }
}
