//! Trees and files of any commit, read through one `git cat-file --batch`.

use super::Fallible;
use patchwork::domain::change::{Existing, MAX_FILE_BYTES, RepoPath};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

/// A commit's regular files: path to object id.
pub type Tree = BTreeMap<RepoPath, String>;

pub struct Blobs {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Neighbouring commits share nearly all of their files.
    known: HashMap<String, Arc<Existing>>,
}

impl Blobs {
    pub fn open(repository: &Path) -> Fallible<Self> {
        let mut child = Command::new("git")
            .arg("-C")
            .arg(repository)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        Ok(Self { child, input, output, known: HashMap::new() })
    }

    /// The tree of a commit, with all its files at hand.
    pub fn tree(&mut self, repository: &Path, commit: &str) -> Fallible<Tree> {
        let listing = git(repository, &["ls-tree", "-r", "-z", "--full-tree", commit])?;
        let mut tree = Tree::new();
        for entry in listing.split('\0') {
            let Some((facts, path)) = entry.split_once('\t') else { continue };
            let facts: Vec<&str> = facts.split(' ').collect();
            if let (["100644" | "100755", "blob", id], Ok(path)) = (&facts[..], RepoPath::parse(path)) {
                tree.insert(path, (*id).to_owned());
            }
        }
        for id in tree.values() {
            if !self.known.contains_key(id) {
                let content = self.load(id)?;
                self.known.insert(id.clone(), Arc::new(content));
            }
        }
        Ok(tree)
    }

    fn load(&mut self, id: &str) -> Fallible<Existing> {
        writeln!(self.input, "{id}")?;
        let mut head = String::new();
        self.output.read_line(&mut head)?;
        // A snapshot may lack its largest files.
        let Some(size) = head.trim_end().rsplit_once(" blob ").and_then(|(_, size)| size.parse::<usize>().ok()) else {
            return Ok(Existing::Missing);
        };
        let mut bytes = vec![0; size + 1];
        self.output.read_exact(&mut bytes)?;
        bytes.pop();
        // As a work tree is read.
        if bytes.len() > MAX_FILE_BYTES {
            return Ok(Existing::Opaque("it is larger than 1 MiB"));
        }
        Ok(match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Existing::Text(text),
            Ok(_) | Err(_) => Existing::Opaque("it is not text"),
        })
    }

    pub fn read(&self, tree: &Tree, path: &RepoPath) -> Existing {
        let found = tree.get(path).and_then(|id| self.known.get(id));
        found.map_or(Existing::Missing, |content| Existing::clone(content))
    }

    /// Bytes of a text file; `None` for any other.
    pub fn size(&self, tree: &Tree, path: &RepoPath) -> Option<usize> {
        match tree.get(path).and_then(|id| self.known.get(id)).map(AsRef::as_ref) {
            Some(Existing::Text(text)) => Some(text.len()),
            Some(Existing::Missing | Existing::Opaque(_)) | None => None,
        }
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        // It only reads: there is nothing to finish.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a git command prints.
pub fn git(repository: &Path, arguments: &[&str]) -> Fallible<String> {
    let output = Command::new("git").arg("-C").arg(repository).args(arguments).output()?;
    if !output.status.success() {
        return Err(format!("git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
