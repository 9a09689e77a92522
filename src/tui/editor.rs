//! Text from the user's own editor. The command line uses it too.

use crate::config::process_vars;
use std::io;
use std::process::Command;

/// Why no text came back.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error("no editor is set: set EDITOR, for example to nano")]
    NoEditor,
    #[error("the editor ended with {0}; no note was added")]
    Ended(std::process::ExitStatus),
    #[error("the editor could not be used: {0}")]
    Io(#[from] io::Error),
}

/// Opens `$VISUAL` or `$EDITOR` on `text` and gives what was written, without the lines that begin with `#`. Waits for the editor.
pub fn edit(title: &str, text: &str) -> Result<String, EditError> {
    let set = |name: &&str| process_vars(name).filter(|value| !value.trim().is_empty());
    let editor = ["VISUAL", "EDITOR"].iter().find_map(set).ok_or(EditError::NoEditor)?;
    // A directory of its own is private; the name ends in .md for the editor's sake.
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("note.md");
    std::fs::write(&file, format!("{text}\n# {title}. Lines that begin with # are left out.\n"))?;
    // Through a shell, because EDITOR may hold arguments; the file is an argument of its own and never read by the shell.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(&file).status()?;
    if !status.success() {
        return Err(EditError::Ended(status));
    }
    let text = std::fs::read_to_string(&file)?;
    let kept: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    Ok(kept.join("\n").trim().to_owned())
}
