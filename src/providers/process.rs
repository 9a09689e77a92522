//! Runs a coding agent that has a command line.
use super::ProviderError;
use std::path::PathBuf;
use std::time::Duration;

/// One run of a program.
#[derive(Debug, Clone)]
pub struct AgentRun {
    /// Program and arguments; no shell.
    pub argv: Vec<String>,
    pub dir: PathBuf,
    /// Written to the program's standard input, which is then closed.
    pub stdin: String,
    /// Added to the environment.
    pub env: Vec<(String, String)>,
    pub timeout: Duration,
    /// Bytes of output passed on; the rest is read and dropped.
    pub max_output: usize,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitInfo {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Whether output went beyond `max_output`.
    pub output_cut: bool,
}

impl ExitInfo {
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

pub async fn run(_run: AgentRun, _on_output: &mut (dyn FnMut(&str) + Send)) -> Result<ExitInfo, ProviderError> {
    Err(ProviderError::config("in the making"))
}
