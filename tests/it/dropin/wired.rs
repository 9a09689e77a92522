//! What `patchwork wire` writes and prints, in a project of each language that compiles, starts and reports.
//!
//! The projects are the fixture servers with their own lines for the drop-in taken out and the printed ones put in their place.

use super::minimal;
use super::talk::{Conversation, Settings};
use crate::support::python::{Python, fixture};
use crate::support::running::Home;
use crate::support::servers::{Language, Program, place};
use crate::support::toolchain::{alone, in_company, or_skip, repository, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A project before the drop-in.
struct Project {
    home: Home,
    dir: PathBuf,
}

impl Project {
    fn new() -> Self {
        let home = Home::new();
        let dir = home.path().join("project");
        fs::create_dir(&dir).unwrap();
        Self { home, dir }
    }

    fn copy(&self, from: &Path, to: &str) {
        let to = self.dir.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }

    /// Runs `patchwork wire` in the project; the lines that it tells to add.
    fn wire(&self, language: &str) -> Vec<String> {
        let mut command = self.home.command(&["wire", language, "--name", "wired"]);
        let output = command.current_dir(&self.dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect()
    }

    /// Writes the server, with the printed lines in the places of its own, and what else has to change for them.
    fn write(&self, name: &str, source: &Path, own: [&str; 2], printed: &[String], more: &[(&str, &str)]) {
        let mut text = fs::read_to_string(source).unwrap();
        let [first, second] = printed else { panic!("two lines to add: {printed:?}") };
        let lines = own.into_iter().zip([first.as_str(), second]);
        for (old, new) in lines.chain(more.iter().copied()) {
            assert_eq!(text.matches(old).count(), 1, "{old}");
            text = text.replace(old, new);
        }
        fs::write(self.dir.join(name), text).unwrap();
    }

    /// A real client reports through it.
    fn reports(&self, program: &Program, test: &str) {
        let Some(client) = Python::with("mcp2", test) else { return };
        let _company = in_company();
        let serve = self.home.serve();
        let spool = self.home.path().join("spool");
        let settings = Settings { url: serve.url(), spool: &spool, key: None, era: "auto" };
        let call = Conversation::over_stdio(&client, program, &minimal("to subtract"), &settings);
        call.assert_answered("recorded");
        call.end();
        let reports = self.home.reports();
        assert_eq!((reports.len(), reports[0]["server_name"].as_str()), (1, Some("wired")));
    }
}

fn program(file: PathBuf, arguments: Vec<PathBuf>) -> Program {
    Program { file, arguments, environment: Vec::new() }
}

#[test]
fn a_python_project_is_wired() {
    let test = "dropin::wired::a_python_project_is_wired";
    let Some(mut python) = or_skip(test, Language::Python.server("mcp2", "server_mcp2")) else { return };
    let project = Project::new();
    let lines = project.wire("python");
    project.copy(&fixture("servers/common.py"), "common.py");
    let own = ["from feedback_tool import register_feedback_tool", "register_feedback_tool(server, options.name)"];
    project.write("server.py", &fixture("servers/server_mcp2.py"), own, &lines, &[]);
    python.arguments = vec![project.dir.join("server.py")];
    let here = project.dir.to_str().unwrap().to_owned();
    python.environment = vec![("PATCHWORK_DROP_IN".to_owned(), here)];
    project.reports(&python, test);
}

#[test]
fn a_typescript_project_is_wired() {
    let test = "dropin::wired::a_typescript_project_is_wired";
    let Some(installed) = or_skip(test, place(Language::TypeScript, "sdk1-zod4")) else { return };
    let project = Project::new();
    let servers = repository("tests/fixtures/typescript/servers");
    let dir = project.dir.join("src");
    fs::create_dir(&dir).unwrap();
    let lines = Project { home: Home::new(), dir: dir.clone() }.wire("typescript");
    for file in ["common.ts", "http1.ts"] {
        project.copy(&servers.join(file), &format!("src/{file}"));
    }
    let own =
        ["import { registerFeedbackTool } from \"./feedback-tool.js\";", "registerFeedbackTool(server, options.name);"];
    project.write("src/server.ts", &servers.join("sdk1.ts"), own, &lines, &[]);
    project.copy(&repository("tests/fixtures/typescript/tsconfig.json"), "tsconfig.json");
    project.copy(&installed.join("package.json"), "package.json");
    std::os::unix::fs::symlink(installed.join("node_modules"), project.dir.join("node_modules")).unwrap();
    build(Command::new("node").arg("node_modules/typescript/bin/tsc").current_dir(&project.dir));
    project.reports(&program("node".into(), vec![project.dir.join("out/server.js")]), test);
}

#[test]
fn a_go_project_is_wired() {
    let test = "dropin::wired::a_go_project_is_wired";
    if or_skip(test, place(Language::Go, "mcpgo")).is_none() {
        return;
    }
    let project = Project::new();
    let module = repository("tests/fixtures/go/mcpgo");
    for file in ["go.mod", "go.sum"] {
        project.copy(&module.join(file), file);
    }
    let mut lines = project.wire("go");
    // An import of its own goes into the list of them.
    lines[0] = lines[0].strip_prefix("import ").unwrap().to_owned();
    let own = ["\"fixture/feedback\"", "feedback.RegisterMCPGo(s, *name)"];
    lines[1] = lines[1].replace("(server, ", "(s, ");
    // Its own option for the name is not used then.
    let more = [("name := flag.String", "_ = flag.String")];
    project.write("main.go", &module.join("main.go"), own, &lines, &more);
    build(Command::new("go").args(["build", "-o", "server", "."]).current_dir(&project.dir));
    project.reports(&program(project.dir.join("server"), Vec::new()), test);
}

#[test]
fn a_rust_project_is_wired() {
    let test = "dropin::wired::a_rust_project_is_wired";
    // What is built for the other tests is taken from there.
    let Some(target) = or_skip(test, place(Language::Rust, "")) else { return };
    let project = Project::new();
    let fixtures = repository("tests/fixtures/rust");
    fs::create_dir(project.dir.join("src")).unwrap();
    let lines = project.wire("rust");
    let manifest = fs::read_to_string(fixtures.join("Cargo.toml")).unwrap();
    let other = "[[bin]]\nname = \"plain\"\npath = \"src/plain.rs\"\n";
    assert!(manifest.contains(other));
    let manifest = manifest.replace(other, "").replace("name = \"rmcp3\"", "name = \"wired\"");
    fs::write(project.dir.join("Cargo.toml"), manifest).unwrap();
    project.copy(&fixtures.join("Cargo.lock"), "Cargo.lock");
    let own = [
        "#[path = \"../../../../drop-ins/rust/feedback_tool.rs\"]\nmod feedback_tool;",
        "register_feedback_tool(&mut tool_router, name, Options::default());",
    ];
    let more = [
        ("use feedback_tool::{Options, register_feedback_tool, with", "use feedback_tool::{with"),
        ("fn new(name: &str)", "fn new(_: &str)"),
    ];
    project.write("src/rmcp3.rs", &fixtures.join("src/rmcp3.rs"), own, &lines, &more);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--offline"]).current_dir(&project.dir);
    build(cargo.env("CARGO_TARGET_DIR", &target).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS"));
    project.reports(&program(target.join("debug/wired"), Vec::new()), test);
}

fn build(command: &mut Command) {
    let _alone = alone();
    if let Err(why) = run(command) {
        panic!("{command:?}: {why}");
    }
}
