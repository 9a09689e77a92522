//! Half-typed notes on disk, so that neither `esc` nor a crash nor a dropped line loses a word.
//!
//! One file per report in the state directory, mode 0600, written by a thread of its own at every change: typing never waits
//! for the disk. Of several changes that wait, only the newest is written.

use crate::domain::id::FeedbackId;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

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
    /// Reads what earlier sessions left in `dir` and begins to write there.
    ///
    /// # Errors
    /// When the directory can't be made or read.
    pub fn open(dir: &Path) -> io::Result<(Self, BTreeMap<FeedbackId, String>)> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let Some(id) = path.file_name().and_then(|name| name.to_str()).and_then(report_of) else { continue };
            if let Ok(text) = fs::read_to_string(&path) {
                found.insert(id, text);
            }
        }
        let (changes, received) = channel();
        let dir = dir.to_owned();
        let writer =
            std::thread::Builder::new().name("unsaved-notes".into()).spawn(move || write_all(&dir, &received))?;
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

fn write_all(dir: &Path, changes: &Receiver<Change>) {
    while let Ok(first) = changes.recv() {
        let newest: BTreeMap<FeedbackId, String> = std::iter::once(first).chain(changes.try_iter()).collect();
        for (report, text) in newest {
            if let Err(e) = write(&dir.join(file_name(&report)), &text) {
                tracing::error!(error = %e, "an unsaved note could not be kept");
            }
        }
    }
}

/// Whole or not at all: a crash while writing leaves the text before.
fn write(path: &PathBuf, text: &str) -> io::Result<()> {
    if text.trim().is_empty() {
        return match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
    }
    let half = path.with_extension("half");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
    file.write_all(text.as_bytes())?;
    fs::rename(half, path)
}

/// Ids may hold any printable character, file names may not: what is not a letter, digit or `-` is written as its number.
fn file_name(report: &FeedbackId) -> String {
    let mut name = String::new();
    for byte in report.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            name.push(char::from(byte));
        } else {
            name.extend(['_', hex(byte >> 4), hex(byte & 0xf)]);
        }
    }
    name + ".md"
}

fn hex(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).unwrap_or('0')
}

fn report_of(file: &str) -> Option<FeedbackId> {
    let mut rest = file.strip_suffix(".md")?;
    let mut id = String::new();
    while let Some(c) = rest.chars().next() {
        if c == '_' {
            let byte = u8::from_str_radix(rest.get(1..3)?, 16).ok()?;
            id.push(char::from(byte));
            rest = rest.get(3..)?;
        } else {
            id.push(c);
            rest = rest.get(c.len_utf8()..)?;
        }
    }
    FeedbackId::parse(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn text_comes_back_after_the_process_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (FeedbackId::trusted("a/../b:c_d"), FeedbackId::trusted("plain"));
        let (notes, found) = UnsavedNotes::open(dir.path()).unwrap();
        assert!(found.is_empty());
        notes.keep(a.clone(), "half a thou".into());
        notes.keep(a.clone(), "half a thought\nand a line".into());
        notes.keep(b.clone(), "x".into());
        notes.keep(b, "  ".into());
        drop(notes);

        let (_, found) = UnsavedNotes::open(dir.path()).unwrap();
        assert_eq!(found, [(a.clone(), "half a thought\nand a line".to_owned())].into());
        let file = dir.path().join(file_name(&a));
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn file_names_go_both_ways() {
        for id in ["018f-ab", "../../etc/passwd", "a_b", "~"] {
            let id = FeedbackId::trusted(id);
            assert_eq!(report_of(&file_name(&id)), Some(id.clone()));
            assert!(!file_name(&id).contains('/'));
        }
        assert_eq!(report_of("note.half"), None);
    }
}
