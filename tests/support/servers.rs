//! The fixture servers of tests/fixtures: each a real MCP server with the drop-in, in one language on one SDK.
//!
//! Here is how each is made and started. All of them take the same command line, `[--name NAME] [--http PORT]`.

use super::python::{self, fixture};
use super::toolchain::{built, installed, present, repository, run};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Python,
    TypeScript,
    Go,
    Rust,
}

/// What starts a server.
#[derive(Clone, Debug)]
pub struct Program {
    pub file: PathBuf,
    pub arguments: Vec<PathBuf>,
    /// Beside what every drop-in is told.
    pub environment: Vec<(String, String)>,
}

impl Language {
    /// Makes the server ready to start; why not, where the toolchain or what it downloads is missing.
    pub fn server(self, line: &str, server: &str) -> Result<Program, String> {
        match self {
            Self::Python => {
                let script = fixture("servers").join(server).with_extension("py");
                Ok(Program { file: python::environment(line)?, arguments: vec![script], environment: Vec::new() })
            }
            Self::TypeScript => {
                let script = typescript(line)?.join("out").join(server).with_extension("js");
                Ok(Program { file: "node".into(), arguments: vec![script], environment: Vec::new() })
            }
            Self::Go => Ok(Program { file: go(line)?.join("server"), arguments: Vec::new(), environment: Vec::new() }),
            Self::Rust => {
                let file = rust(line)?.join("debug").join(server);
                Ok(Program { file, arguments: Vec::new(), environment: Vec::new() })
            }
        }
    }
}

/// Where a line of an SDK is installed and its fixture is built; why not, where that can't be.
pub fn place(language: Language, line: &str) -> Result<PathBuf, String> {
    match language {
        Language::Python => python::environment(line),
        Language::TypeScript => typescript(line),
        Language::Go => go(line),
        Language::Rust => rust(line),
    }
}

fn typescript(line: &str) -> Result<PathBuf, String> {
    present("node", "--version")?;
    present("npm", "--version")?;
    let fixtures = repository("tests/fixtures/typescript");
    let package = fixtures.join(line);
    let place =
        installed(&format!("typescript-{line}"), &[package], |place| prepare(&fixtures, line, place, "install"))?;
    let sources = [
        repository("drop-ins/typescript"),
        fixtures.join("servers"),
        fixtures.join("tsconfig.json"),
        fixtures.join("prepare.sh"),
    ];
    built(&place, &sources, || prepare(&fixtures, line, &place, "build"));
    Ok(place)
}

fn go(line: &str) -> Result<PathBuf, String> {
    present("go", "version")?;
    let fixtures = repository("tests/fixtures/go");
    let module = fixtures.join(line);
    let locks: Vec<PathBuf> =
        ["go.mod", "go.sum"].iter().map(|lock| module.join(lock)).filter(|lock| lock.exists()).collect();
    let place = installed(&format!("go-{line}"), &locks, |place| prepare(&fixtures, line, place, "install"))?;
    let sources = [repository("drop-ins/go"), module, fixtures.join("prepare.sh")];
    built(&place, &sources, || prepare(&fixtures, line, &place, "build"));
    Ok(place)
}

/// One package makes the servers with the drop-in; the published library has its own.
fn rust(line: &str) -> Result<PathBuf, String> {
    let name = if line == "library" { "rust-library" } else { "rust" };
    if line == "library" && cfg!(target_os = "linux") {
        let headers = present("pkg-config", "--version").and_then(|()| present_package("openssl"));
        headers.map_err(|why| format!("the library needs OpenSSL (on Debian: pkg-config and libssl-dev): {why}"))?;
    }
    let fixtures = repository("tests/fixtures").join(name);
    let manifest = fixtures.join("Cargo.toml");
    let cargo = |arguments: &[&str], place: &Path| {
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).arg("--quiet").arg("--locked").arg("--manifest-path").arg(&manifest);
        // Of this crate's own build; the fixture is built as a stranger would build it.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
            command.env_remove(name);
        }
        run(command.env("CARGO_TARGET_DIR", place))
    };
    let place = installed(name, &[fixtures.join("Cargo.lock")], |place| cargo(&["fetch"], place))?;
    let mut sources = vec![fixtures.join("src"), manifest.clone()];
    if line != "library" {
        sources.extend([repository("drop-ins/rust"), fixtures.join("build.rs")]);
    }
    built(&place, &sources, || cargo(&["build"], &place));
    Ok(place)
}

fn present_package(name: &str) -> Result<(), String> {
    run(Command::new("pkg-config").args(["--exists", "--print-errors", name]))
}

fn prepare(fixtures: &Path, line: &str, place: &Path, step: &str) -> Result<(), String> {
    let mut command = Command::new("bash");
    command.arg(fixtures.join("prepare.sh")).arg(line).arg(place).arg(step);
    run(command.env_remove("PATCHWORK_DROP_IN"))
        .map_err(|why| format!("can't {step} {}/{line}: {why}", fixtures.display()))
}
