//! Text from the user's own editor. The command line uses it too.

use crate::config::process_vars;
use crate::domain::text;
use std::io;
use std::process::Command;

/// Stands between a Markdown text and what is said about it, as git does it: a text of its own may well have lines that begin with `#`.
const SCISSORS: &str = "# ------------------------ >8 ------------------------";

/// Why no text came back.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error("no editor is set: set EDITOR, for example to nano")]
    NoEditor,
    #[error("the editor ended with {0}; {1}")]
    Ended(std::process::ExitStatus, &'static str),
    #[error("the editor could not be used: {0}")]
    Io(#[from] io::Error),
}

/// What is written, which decides what is left out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// A note: lines that begin with `#` are left out.
    Note,
    /// Title and text of a pull request, in Markdown.
    Change,
}

impl Writing {
    /// The file as the editor gets it.
    fn file(self, title: &str, body: &str) -> String {
        // A title comes from a report: a second line of it would be part of the text.
        let title = text::line(title);
        match self {
            Self::Note => format!("{body}\n# {title}. Lines that begin with # are left out.\n"),
            Self::Change => format!(
                "{body}\n\n{SCISSORS}\n# {title}. The first line is the title, the rest is the text, in Markdown.\n# From the line with the scissors on everything is left out.\n"
            ),
        }
    }

    /// The text out of a file that comes back.
    fn text(self, file: &str) -> String {
        let kept: Vec<&str> = match self {
            Self::Note => file.lines().filter(|line| !line.starts_with('#')).collect(),
            Self::Change => file.lines().take_while(|line| line.trim_end() != SCISSORS).collect(),
        };
        kept.join("\n").trim().to_owned()
    }

    fn nothing_done(self) -> &'static str {
        match self {
            Self::Note => "no note was added",
            Self::Change => "title and text are as before",
        }
    }
}

/// Opens `$VISUAL` or `$EDITOR` on `text` and gives what was written. Waits for the editor.
pub fn edit(writing: Writing, title: &str, text: &str) -> Result<String, EditError> {
    let set = |name: &&str| process_vars(name).filter(|value| !value.trim().is_empty());
    let editor = ["VISUAL", "EDITOR"].iter().find_map(set).ok_or(EditError::NoEditor)?;
    // A directory of its own is private; the name ends in .md for the editor's sake.
    let dir = tempfile::tempdir()?;
    let file = dir.path().join(match writing {
        Writing::Note => "note.md",
        Writing::Change => "pull-request.md",
    });
    std::fs::write(&file, writing.file(title, text))?;
    // Through a shell, because EDITOR may hold arguments; the file is an argument of its own and never read by the shell.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(&file).status()?;
    if !status.success() {
        return Err(EditError::Ended(status, writing.nothing_done()));
    }
    Ok(writing.text(&std::fs::read_to_string(&file)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_about_a_text_does_not_come_back_with_it() {
        for (writing, text) in
            [(Writing::Note, "one\n\ntwo"), (Writing::Change, "Title\n\n# Why\n\n#12 is near\n\nend")]
        {
            assert_eq!(writing.text(&writing.file("About\nit", text)), text);
        }
        assert_eq!(Writing::Note.text("a\n# b\nc\n"), "a\nc");
    }
}
