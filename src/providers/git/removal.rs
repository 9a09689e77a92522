//! Removing a work tree that a command has been in: it may have taken away the right to look into directories of its own.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Removes a directory and everything in it; nothing to remove is fine.
pub(super) fn remove_tree(root: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(root) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            open_up(root)?;
            std::fs::remove_dir_all(root)
        }
        other => other,
    }
}

/// Gives the owner every right to a directory and to those in it. Links are not followed.
fn open_up(dir: &Path) -> io::Result<()> {
    std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_directories_are_opened_and_links_are_not() {
        let (tree, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let inner = tree.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::os::unix::fs::symlink(outside.path(), tree.path().join("a/link")).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for (dir, closed) in [(inner.as_path(), 0o500), (&tree.path().join("a"), 0o300), (outside.path(), 0o500)] {
            std::fs::set_permissions(dir, Permissions::from_mode(closed)).unwrap();
        }
        open_up(tree.path()).unwrap();
        assert_eq!((mode(&inner), mode(&tree.path().join("a")), mode(outside.path())), (0o700, 0o700, 0o500));
        remove_tree(tree.path()).unwrap();
        remove_tree(tree.path()).unwrap();
        assert!(!tree.path().exists() && outside.path().exists());
    }
}
