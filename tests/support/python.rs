//! Python environments for the drop-in's tests, one for each requirements file.

use super::toolchain::{installed, or_skip, repository, run};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A fixture below `tests/fixtures/python`.
pub fn fixture(name: &str) -> PathBuf {
    repository("tests/fixtures/python").join(name)
}

/// An environment's interpreter.
pub struct Python {
    interpreter: PathBuf,
}

impl Python {
    /// The environment of `requirements-<line>.txt`; `None` when there can't be one, which has been said then under the test's name.
    pub fn with(line: &str, test: &str) -> Option<Self> {
        or_skip(test, environment(line)).map(|interpreter| Self { interpreter })
    }

    /// The system's own, for scripts that need nothing else.
    pub fn bare(test: &str) -> Option<Self> {
        or_skip(test, system()).map(|()| Self { interpreter: "python3".into() })
    }

    /// The interpreter, with no settings of the drop-in's from outside.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.interpreter);
        clean(&mut command);
        command
    }
}

/// Takes away the settings of the drop-in's that come from outside.
pub fn clean(command: &mut Command) {
    for name in ["FEEDBACK_SIDECAR_URL", "FEEDBACK_API_KEY", "FEEDBACK_SPOOL_DIR", "PATCHWORK_DROP_IN", "PYTHONPATH"] {
        command.env_remove(name);
    }
    // The drop-in is imported from the source tree, which stays as it is.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
}

fn system() -> Result<(), String> {
    let script = "import sys; sys.exit(sys.version_info < (3, 10))";
    match Command::new("python3").args(["-c", script]).stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("python3 is older than 3.10".into()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err("python3 is not installed".into()),
        Err(e) => Err(format!("python3 can't be started: {e}")),
    }
}

pub fn environment(line: &str) -> Result<PathBuf, String> {
    system()?;
    let requirements = fixture(&format!("requirements-{line}.txt"));
    let place = installed(&format!("python-{line}"), std::slice::from_ref(&requirements), |place| {
        run(Command::new("python3").args(["-m", "venv"]).arg(place)).map_err(|why| {
            format!("python3 can't make a virtual environment (on Debian: apt-get install python3-venv): {why}")
        })?;
        let install = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--requirement"];
        run(Command::new(place.join("bin/python")).args(install).arg(&requirements))
            .map_err(|why| format!("pip can't install {}: {why}", requirements.display()))
    })?;
    let interpreter = place.join("bin/python");
    // A link to the system's, which may have gone since; `exists` follows it.
    if interpreter.exists() {
        return Ok(interpreter);
    }
    Err(format!("{} leads nowhere: remove {}", interpreter.display(), place.display()))
}
