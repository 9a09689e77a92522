//! Writing git's format: what [`super::Diff::parse`] reads, for whoever wants to keep a diff or hand it to another program.

use super::{FileDiff, Hunk, What};
use crate::domain::change::RepoPath;
use std::fmt::{Display, Formatter, Result};

impl Display for FileDiff {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (old, new) = (self.before().unwrap_or(&self.path), self.after().unwrap_or(&self.path));
        let (a, b) = (quoted("a/", old), quoted("b/", new));
        writeln!(f, "diff --git {a} {b}")?;
        if let Some((before, after)) = self.modes {
            writeln!(f, "old mode {before:o}\nnew mode {after:o}")?;
        }
        match &self.what {
            What::Created { mode } => writeln!(f, "new file mode {mode:o}")?,
            What::Deleted => writeln!(f, "deleted file mode 100644")?,
            What::Renamed { from } => {
                writeln!(f, "rename from {}\nrename to {}", quoted("", from), quoted("", &self.path))?;
            }
            What::Edited => {}
        }
        let old = if self.before().is_some() { a.as_str() } else { "/dev/null" };
        let new = if self.after().is_some() { b.as_str() } else { "/dev/null" };
        if self.binary {
            return writeln!(f, "Binary files {old} and {new} differ");
        }
        if !self.hunks.is_empty() {
            // The tab tells other programs where a name with blanks ends.
            let end = |name: &str| if name.contains(' ') { "\t" } else { "" };
            writeln!(f, "--- {old}{}\n+++ {new}{}", end(old), end(new))?;
        }
        self.hunks.iter().try_for_each(|hunk| hunk.fmt(f))
    }
}

impl Display for Hunk {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "{}", self.header())?;
        f.write_str(&self.body)
    }
}

/// As git quotes names; of what it quotes a name can have only this.
fn quoted(prefix: &str, path: &RepoPath) -> String {
    let name = path.as_str();
    if name.contains('"') { format!("\"{prefix}{}\"", name.replace('"', "\\\"")) } else { format!("{prefix}{name}") }
}
