//! Text from the user's own editor.

use super::exit::Usage;
use anyhow::Context;
use std::process::Command;

/// Opens `$VISUAL` or `$EDITOR` on an empty file and gives what was written, without the lines that begin with `#`.
pub(super) fn compose(title: &str) -> anyhow::Result<String> {
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| crate::config::process_vars(name).filter(|value| !value.trim().is_empty()))
        .ok_or_else(|| Usage("write the note as an argument, or set EDITOR".into()))?;
    let dir = tempfile::tempdir().context("making a place for the note")?;
    let file = dir.path().join("note.md");
    std::fs::write(&file, format!("\n# {title}. Lines that begin with # are left out.\n"))?;
    // Through a shell, because EDITOR may hold arguments; the file is an argument of its own and never read by the shell.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(&file).status();
    let status = status.with_context(|| format!("starting {editor}"))?;
    if !status.success() {
        return Err(Usage(format!("the editor ended with {status}; no note was added")).into());
    }
    let text = std::fs::read_to_string(&file).context("reading the note back")?;
    let kept: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    Ok(kept.join("\n").trim().to_owned())
}
