//! Python environments for the drop-in's tests: made once per requirements file, kept in the target directory.
//!
//! The name of an environment holds a hash of its requirements, so a changed pin makes a new one. A lock file lets tests and test runs
//! that come at the same time wait for each other. Where the toolchain is missing a test says `skipped:` by name and does not pretend;
//! with `CI=true` it fails instead.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A fixture below `tests/fixtures/python`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/python").join(name)
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

    pub fn path(&self) -> &Path {
        &self.interpreter
    }

    /// The interpreter, with no settings of the drop-in's from outside.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.interpreter);
        for name in
            ["FEEDBACK_SIDECAR_URL", "FEEDBACK_API_KEY", "FEEDBACK_SPOOL_DIR", "PATCHWORK_DROP_IN", "PYTHONPATH"]
        {
            command.env_remove(name);
        }
        // The drop-in is imported from the source tree, which stays as it is.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

fn or_skip<T>(test: &str, made: Result<T, String>) -> Option<T> {
    let why = match made {
        Ok(made) => return Some(made),
        Err(why) => why,
    };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: {why}");
    super::skipped(test, &why);
    None
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

fn environment(line: &str) -> Result<PathBuf, String> {
    system()?;
    let requirements = fixture(&format!("requirements-{line}.txt"));
    let digest = Sha256::digest(fs::read(&requirements).unwrap());
    let hash = digest.iter().take(6).fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"));
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("drop-ins");
    fs::create_dir_all(&all).unwrap();
    let place = all.join(format!("python-{line}-{hash}"));
    let interpreter = place.join("bin/python");
    let complete = place.join("complete");

    let lock = File::create(place.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    // The interpreter is a link to the system's, which may have gone since; `exists` follows it.
    if complete.exists() && interpreter.exists() {
        return Ok(interpreter);
    }
    // What an interrupted run left.
    drop(fs::remove_dir_all(&place));
    run(Command::new("python3").args(["-m", "venv"]).arg(&place)).map_err(|why| {
        format!("python3 can't make a virtual environment (on Debian: apt-get install python3-venv): {why}")
    })?;
    let install = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--requirement"];
    run(Command::new(&interpreter).args(install).arg(&requirements))
        .map_err(|why| format!("pip can't install {}: {why}", requirements.display()))?;
    File::create(complete).unwrap();
    Ok(interpreter)
}

/// Runs a command to its end; the last line of its complaint when it fails.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    Err(said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given").to_owned())
}
