//! Half-typed notes on disk, so that neither `esc` nor a crash nor a dropped line loses a word.
//!
//! One file per report in the state directory, mode 0600, written by a thread of its own at every change: typing never waits
//! for the disk. Of several changes that wait, only the newest is written.

use crate::domain::id::FeedbackId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use uuid::Uuid;

const EXTENSION: &str = "json";

/// A note's text as it is now; blank text removes the file.
type Change = (FeedbackId, String);

/// The files, and the thread that writes them.
#[derive(Debug)]
pub struct UnsavedNotes {
    // Unbounded: at most one small change a key press, and losing one would lose text.
    changes: Option<Sender<Change>>,
    writer: Option<JoinHandle<()>>,
}

impl UnsavedNotes {
    /// Reads what earlier sessions left in `dir` and begins to write there. `failed` hears of every text that could not be written, on
    /// the writer's thread.
    ///
    /// # Errors
    /// When the directory can't be made or read.
    pub fn open(
        dir: &Path,
        failed: impl Fn(io::Error) + Send + 'static,
    ) -> io::Result<(Self, BTreeMap<FeedbackId, String>)> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(dir)? {
            found.extend(read(&entry?.path()));
        }
        let (changes, received) = channel();
        let dir = dir.to_owned();
        let writer = std::thread::Builder::new()
            .name("unsaved-notes".into())
            .spawn(move || write_all(&dir, &received, failed))?;
        Ok((Self { changes: Some(changes), writer: Some(writer) }, found))
    }

    pub fn keep(&self, report: FeedbackId, text: String) {
        // The thread ends only when this sender is dropped.
        if let Some(changes) = &self.changes
            && changes.send((report, text)).is_err()
        {
            tracing::error!("an unsaved note could not be kept: its writer is gone");
        }
    }
}

impl Drop for UnsavedNotes {
    fn drop(&mut self) {
        self.changes = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer of unsaved notes panicked");
        }
    }
}

fn write_all(dir: &Path, changes: &Receiver<Change>, failed: impl Fn(io::Error)) {
    while let Ok(first) = changes.recv() {
        let newest: BTreeMap<FeedbackId, String> = std::iter::once(first).chain(changes.try_iter()).collect();
        for (report, text) in newest {
            if let Err(e) = write(&dir.join(file_name(&report)), &report, &text) {
                tracing::error!(error = %e, "an unsaved note could not be kept");
                failed(e);
            }
        }
    }
}

/// What a file holds. The id stands in it, because ids may hold what file names may not, and be longer.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    report: String,
    text: String,
}

/// Whole or not at all: a crash while writing leaves the text before.
fn write(path: &Path, report: &FeedbackId, text: &str) -> io::Result<()> {
    if text.trim().is_empty() {
        return match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
    }
    let half = path.with_extension("half");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
    serde_json::to_writer(&mut file, &Kept { report: report.to_string(), text: text.to_owned() })?;
    file.flush()?;
    fs::rename(half, path)
}

/// `None` for what is not ours, or not whole.
fn read(path: &Path) -> Option<(FeedbackId, String)> {
    if path.extension()? != EXTENSION {
        return None;
    }
    let Kept { report, text } = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    Some((FeedbackId::trusted(report), text))
}

/// Made of the id, and always of the same length.
fn file_name(report: &FeedbackId) -> String {
    format!("{}.{EXTENSION}", Uuid::new_v5(&Uuid::NAMESPACE_OID, report.as_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn open(dir: &Path) -> (UnsavedNotes, BTreeMap<FeedbackId, String>) {
        UnsavedNotes::open(dir, |e| panic!("{e}")).unwrap()
    }

    #[test]
    fn text_comes_back_after_the_process_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        // The last one could not be a file's name, whatever is done to its slashes.
        let ids = ["a/../b:c_d", "../../etc/passwd", "~", &"/_".repeat(64)].map(FeedbackId::trusted);
        let (notes, found) = open(dir.path());
        assert!(found.is_empty());
        for id in &ids {
            notes.keep(id.clone(), "half a thou".into());
            notes.keep(id.clone(), format!("half a thought about {id}\nand a line"));
        }
        let plain = FeedbackId::trusted("plain");
        notes.keep(plain.clone(), "x".into());
        notes.keep(plain, "  ".into());
        drop(notes);

        let (_, found) = open(dir.path());
        assert_eq!(
            found,
            ids.iter().map(|id| (id.clone(), format!("half a thought about {id}\nand a line"))).collect()
        );
        for entry in fs::read_dir(dir.path()).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn files_of_others_and_halves_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("x.half", r#"{"report":"a","text":"b"}"#), ("x.json", "{"), ("README", "hello")] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        assert!(open(dir.path()).1.is_empty());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_can_not_be_kept_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let (tell, told) = channel();
        let (notes, _) = UnsavedNotes::open(dir.path(), move |e| tell.send(e.kind()).unwrap()).unwrap();
        fs::remove_dir(dir.path()).unwrap();
        notes.keep(FeedbackId::trusted("a"), "text".into());
        drop(notes);
        assert_eq!(told.recv(), Ok(io::ErrorKind::NotFound));
    }
}
