//! Files of a commit, read from the repository's objects without a checkout.
//!
//! Writing five thousand files to a disk takes seconds, and a run that asks a model never needs them there. `git cat-file --batch`
//! hands out one object after the other, byte for byte: no filter, attribute or link of the repository has a say in it.

use super::command::Git;
use std::io::{BufRead, BufReader, Read, Result, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::{Mutex, PoisonError};

/// Reads blobs of one repository. Each thread that reads at the same time has a git of its own; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Objects {
    mirror: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

impl Objects {
    /// Starts nothing yet.
    pub(super) fn new(mirror: PathBuf) -> Self {
        Self { mirror, idle: Mutex::default() }
    }

    /// The blob's bytes. Blocks, for as long as git reads its disk.
    ///
    /// # Errors
    /// When git can't be started, and when the repository does not have the blob.
    pub(super) fn read(&self, id: &str) -> Result<Vec<u8>> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => Reader::start(&self.mirror)?,
        };
        // One that failed may be in the middle of an answer: it is not asked again.
        let bytes = reader.read(id)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        Ok(bytes)
    }
}

/// A git that waits for the next name.
#[derive(Debug)]
struct Reader {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Reader {
    fn start(mirror: &std::path::Path) -> Result<Self> {
        let mut child = Git::bare(mirror, "cat-file").args(["--batch"]).conversation()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (questions, answers) = pipes.ok_or_else(|| std::io::Error::other("git has no pipes"))?;
        Ok(Self { child, questions, answers: BufReader::new(answers) })
    }

    /// `<id> blob <size>\n<bytes>\n`, or `<id> missing\n`.
    fn read(&mut self, id: &str) -> Result<Vec<u8>> {
        self.questions.write_all(format!("{id}\n").as_bytes())?;
        let mut head = String::new();
        self.answers.read_line(&mut head)?;
        let size = head.trim_end().strip_prefix(id).and_then(|rest| rest.strip_prefix(" blob "));
        let size = size.and_then(|size| size.parse::<usize>().ok());
        let size = size.ok_or_else(|| std::io::Error::other("the repository does not have it"))?;
        let mut bytes = vec![0; size];
        self.answers.read_exact(&mut bytes)?;
        self.answers.read_exact(&mut [0])?;
        Ok(bytes)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It reads only; and without the wait it would stay in the process table.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}
