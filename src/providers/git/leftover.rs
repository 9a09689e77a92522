//! What runs leave in the cache when their process is killed: directories that nobody removes, because nobody goes on with them.

use super::GitCache;
use super::removal::remove_tree;
use std::io;

impl GitCache {
    /// The names of the runs that have a directory here, at work or gone.
    pub fn work_ids(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.worktrees()).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// Removes the directory of a run that nobody works on. Blocks.
    pub fn remove_left(&self, work_id: &str) -> io::Result<()> {
        remove_tree(&self.worktrees().join(work_id))
    }
}
