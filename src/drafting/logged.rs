//! A program of a run: its output goes to the progress pane at once and to the log every second.

use super::error::DraftError;
use super::job::{Artifact, Reporter};
use super::tail::Tail;
use crate::domain::draft::Stage;
use crate::providers::{AgentRun, ExitInfo, process};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Output kept in the run's log, in bytes.
pub(super) const MAX_OUTPUT: usize = 1024 * 1024;
/// How often new output is added to the log.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// Runs it to its end, and gives the end of what it printed, `keep` bytes of it.
pub(super) async fn run_logged(
    run: AgentRun,
    stage: Stage,
    keep: usize,
    reporter: &dyn Reporter,
) -> Result<(ExitInfo, Tail), DraftError> {
    let shared: Mutex<(Tail, String)> = Mutex::new((Tail::keeping(keep), String::new()));
    let mut on_output = |piece: &str| {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let (tail, unlogged) = &mut *shared;
        unlogged.push_str(&tail.push(piece));
        reporter.progress(stage, tail.bytes(), tail.end());
    };
    let take = || std::mem::take(&mut shared.lock().unwrap_or_else(PoisonError::into_inner).1);
    let ended = {
        let mut process = std::pin::pin!(process::run(run, &mut on_output));
        loop {
            match tokio::time::timeout(LOG_EVERY, process.as_mut()).await {
                Ok(ended) => break ended,
                Err(_elapsed) => log(take(), reporter).await?,
            }
        }
    };
    log(take(), reporter).await?;
    let (tail, _) = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((ended?, tail))
}

async fn log(text: String, reporter: &dyn Reporter) -> Result<(), DraftError> {
    if !text.is_empty() {
        reporter.save(Artifact::Log(text)).await?;
    }
    Ok(())
}
