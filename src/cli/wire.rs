//! `patchwork wire LANG [--into DIR]`: writes the drop-in into the user's project and prints the lines to add.
//!
//! The drop-ins are part of the program, so what is written fits what it speaks. A file that is there and differs is somebody's work, or an
//! older drop-in: nothing is written over it, or beside it, without `--force`.

use super::exit::{Code, Usage};
use super::out::{Ink, Out};
use crate::protocol::{Refusal, RefusalKind};
use anyhow::Context;
use clap::ValueEnum;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    Python,
    /// For JavaScript too
    #[value(alias = "javascript")]
    Typescript,
    Go,
    Rust,
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_name = "LANG")]
    language: Language,
    /// Where the file goes; made if it is not there. Without: `feedback/` for Go, `src/` for Rust where it is, else here
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// The name that reports and settings know your server by
    #[arg(long, value_name = "NAME", default_value = "my-server")]
    name: String,
    /// Write over files that differ
    #[arg(long)]
    force: bool,
}

/// A drop-in's file.
struct Embedded {
    name: &'static str,
    text: &'static str,
}

const PYTHON: Embedded =
    Embedded { name: "feedback_tool.py", text: include_str!("../../drop-ins/python/feedback_tool.py") };
const TYPESCRIPT: Embedded =
    Embedded { name: "feedback-tool.ts", text: include_str!("../../drop-ins/typescript/feedback-tool.ts") };
const GO: Embedded = Embedded { name: "feedback_tool.go", text: include_str!("../../drop-ins/go/feedback_tool.go") };
const GO_MCPGO: Embedded =
    Embedded { name: "adapter_mcpgo.go", text: include_str!("../../drop-ins/go/adapter_mcpgo.go") };
const GO_SDK: Embedded =
    Embedded { name: "adapter_gosdk.go", text: include_str!("../../drop-ins/go/adapter_gosdk.go") };
const RUST: Embedded =
    Embedded { name: "feedback_tool.rs", text: include_str!("../../drop-ins/rust/feedback_tool.rs") };

/// How an SDK of Go is told, its adapter, and the function that registers.
const GO_SDKS: [(&str, Embedded, &str); 2] = [
    ("github.com/mark3labs/mcp-go", GO_MCPGO, "RegisterMCPGo"),
    ("github.com/modelcontextprotocol/go-sdk", GO_SDK, "RegisterGoSDK"),
];

/// What is to be written, and what the user does then.
struct Plan {
    files: Vec<Embedded>,
    /// The lines to add.
    lines: Vec<String>,
    hint: Option<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Code> {
    if args.name.trim().is_empty() || args.name.chars().any(char::is_control) {
        return Err(Usage("--name must be one line of text".into()).into());
    }
    let dir = args.into.clone().unwrap_or_else(|| usual_directory(args.language));
    let plan = plan(args.language, &dir, &args.name)?;
    if !args.force {
        refuse_changed(&plan.files, &dir)?;
    }
    fs::create_dir_all(&dir).with_context(|| format!("{} can't be made", dir.display()))?;
    let mut out = Out::open();
    for file in &plan.files {
        let path = dir.join(file.name);
        let word = if is_same(&path, file)? { "is there already" } else { "written" };
        write(&dir, file).with_context(|| format!("{} can't be written", path.display()))?;
        out.line(format!("{}: {word}", path.display()))?;
    }
    out.line("")?;
    out.parts(&[(Some(Ink::Bold), "Add to your server, behind its own tools:".to_owned())])?;
    for line in &plan.lines {
        out.line(format!("    {line}"))?;
    }
    if let Some(hint) = &plan.hint {
        out.line("")?;
        out.prose("", hint)?;
    }
    out.finish()?;
    Ok(Code::Ok)
}

fn usual_directory(language: Language) -> PathBuf {
    match language {
        Language::Go => PathBuf::from("feedback"),
        Language::Rust if Path::new("src").is_dir() => PathBuf::from("src"),
        Language::Python | Language::Typescript | Language::Rust => PathBuf::from("."),
    }
}

fn plan(language: Language, dir: &Path, name: &str) -> anyhow::Result<Plan> {
    // A JSON string is a string of all four languages.
    let name = serde_json::Value::from(name).to_string();
    Ok(match language {
        Language::Python => Plan {
            files: vec![PYTHON],
            lines: vec![
                // In a package a module is found from where the package is.
                format!("from {}feedback_tool import register_feedback_tool", if dir.join("__init__.py").exists() { "." } else { "" }),
                format!("register_feedback_tool(server, {name})"),
            ],
            hint: None,
        },
        Language::Typescript => Plan {
            files: vec![TYPESCRIPT],
            lines: vec![
                "import { registerFeedbackTool } from \"./feedback-tool.js\";".into(),
                format!("registerFeedbackTool(server, {name});"),
            ],
            hint: Some(
                "JavaScript: Node 22.18 or newer imports \"./feedback-tool.ts\" as it is. For an older one, strip the types once: \
                 npx esbuild feedback-tool.ts --outfile=feedback-tool.js"
                    .into(),
            ),
        },
        Language::Go => go(dir, &name)?,
        Language::Rust => Plan {
            files: vec![RUST],
            lines: vec![
                "mod feedback_tool;".into(),
                format!("feedback_tool::register_feedback_tool(&mut tool_router, {name}, feedback_tool::Options::default());"),
            ],
            hint: Some(
                "It needs: cargo add regex serde_json ureq@3 uuid -F uuid/v4\n\
                 Agents hear of the tool through the server's instructions: wrap your config in feedback_tool::with_feedback_instructions(…), \
                 and call feedback_tool::flush() at the end of main."
                    .into(),
            ),
        },
    })
}

/// The adapters of the SDKs that the module needs: one for an SDK that is not there would not compile.
fn go(dir: &Path, name: &str) -> anyhow::Result<Plan> {
    let module = go_module(dir)?;
    let text = module.as_ref().map_or("", |(text, _)| text);
    let import =
        module.as_ref().map_or_else(|| "example.com/my-server/feedback".to_owned(), |(_, import)| import.clone());
    let mut plan = Plan { files: vec![GO], lines: vec![format!("import \"{import}\"")], hint: None };
    for (sdk, adapter, register) in GO_SDKS {
        if text.contains(sdk) {
            plan.files.push(adapter);
            plan.lines.push(format!("feedback.{register}(server, {name})"));
        }
    }
    if plan.files.len() == 1 {
        plan.lines.push(format!("answer := feedback.Send(arguments, {name}, feedback.Facts{{}})"));
        plan.hint = Some(
            "No go.mod above that directory names an SDK that there is an adapter for (mark3labs/mcp-go, modelcontextprotocol/go-sdk). \
             Run this again when it does, or build the tool from feedback.Tool and feedback.Send yourself."
                .into(),
        );
    } else {
        plan.hint = Some("In main: defer feedback.Flush(), which lets a report that is on its way arrive.".into());
    }
    Ok(plan)
}

/// The nearest `go.mod` at or above a directory, and the path under which the directory is imported.
fn go_module(dir: &Path) -> anyhow::Result<Option<(String, String)>> {
    let whole = std::path::absolute(dir)?;
    for above in whole.ancestors() {
        let Ok(text) = fs::read_to_string(above.join("go.mod")) else { continue };
        let module = text.lines().find_map(|line| line.trim().strip_prefix("module "));
        let module = module.unwrap_or("example.com/my-server").split("//").next().unwrap_or_default().trim();
        let below = whole.strip_prefix(above).unwrap_or(Path::new("feedback"));
        let parts = below.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let import: Vec<String> = std::iter::once(module.trim_matches('"').to_owned()).chain(parts).collect();
        let import = import.join("/");
        return Ok(Some((text, import)));
    }
    Ok(None)
}

fn refuse_changed(files: &[Embedded], dir: &Path) -> anyhow::Result<()> {
    for file in files {
        let path = dir.join(file.name);
        if path.symlink_metadata().is_ok() && !is_same(&path, file)? {
            let detail = format!(
                "{} is there and differs from this program's drop-in; nothing was written. See what differs, then say --force",
                path.display()
            );
            return Err(Refusal::new(RefusalKind::Conflict, detail).into());
        }
    }
    Ok(())
}

fn is_same(path: &Path, file: &Embedded) -> anyhow::Result<bool> {
    match fs::read(path) {
        Ok(there) => Ok(there == file.text.as_bytes()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e).with_context(|| format!("{} can't be read", path.display())),
    }
}

/// Whole or not at all.
fn write(dir: &Path, file: &Embedded) -> io::Result<()> {
    let mut half = tempfile::Builder::new().prefix(".patchwork-").permissions(permissions()).tempfile_in(dir)?;
    half.write_all(file.text.as_bytes())?;
    half.persist(dir.join(file.name)).map_err(|e| e.error)?;
    Ok(())
}

/// Source code, readable as the user's other files are.
fn permissions() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o644)
}
