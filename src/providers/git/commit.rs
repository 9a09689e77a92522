//! A plan as a tree, a diff, a commit.
//!
//! All three are made from the plan and the base commit, in an index of their own: what a command has left in the work
//! tree, in its index or as commits of its own is no part of them, and neither are attributes or ignored paths.

use super::Worktree;
use super::worktree::check_branch;
use crate::domain::change::Plan;
use crate::domain::time::Millis;
use crate::providers::ProviderError;
use std::path::PathBuf;

impl Worktree {
    /// The change as a unified diff against the base commit. The user's own settings for diffs don't count:
    /// [`crate::domain::diff`] reads this back.
    pub async fn diff(&self, plan: &Plan) -> Result<String, ProviderError> {
        let tree = self.tree(plan).await?;
        let git =
            self.mirror_git("diff").setting("diff.suppressBlankEmpty=false").args(["--no-ext-diff", "--no-textconv"]);
        let git = git.args(["--no-color", "--find-renames=50%", "-l1000", "--no-relative", "-O/dev/null"]);
        let git = git.args(["--src-prefix=a/", "--dst-prefix=b/", "--unified=3", "--inter-hunk-context=0"]);
        let git = git.args(["--diff-algorithm=myers", "--indent-heuristic", "--submodule=short"]);
        let diff = git.args([self.base_commit(), &tree, "--"]).run().await?;
        Ok(String::from_utf8_lossy(&diff).into_owned())
    }

    /// Commits the plan on top of the base commit; returns the new commit's id. `branch` is what the commit is for:
    /// its name is checked here, before anything is pushed. The same plan, message, author and date make the same commit
    /// again, so that a push that got through before a crash is recognised.
    pub async fn commit(
        &self,
        plan: &Plan,
        branch: &str,
        message: &str,
        author: (&str, &str),
        at: Option<Millis>,
    ) -> Result<String, ProviderError> {
        check_branch(branch).await?;
        let (name, email) = (person(author.0, "name")?, person(author.1, "email")?);
        let tree = self.tree(plan).await?;
        let base = self.base_commit();
        let before = self.mirror_git("rev-parse").args(["--verify", &format!("{base}^{{tree}}")]).line().await?;
        if tree == before {
            return Err(ProviderError::git("commit", "nothing was changed"));
        }
        let git = self.mirror_git("commit-tree").args(["-p", base, "-F", "-", &tree]).stdin(message);
        let git = git.env("GIT_AUTHOR_NAME", &name).env("GIT_AUTHOR_EMAIL", &email);
        let git = git.env("GIT_COMMITTER_NAME", &name).env("GIT_COMMITTER_EMAIL", &email);
        let git = match at.map(|at| format!("@{} +0000", at.0.div_euclid(1_000))) {
            Some(date) => git.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date),
            None => git,
        };
        let commit = git.line().await?;
        self.will_push(commit.clone());
        Ok(commit)
    }

    /// A new index with the base commit in it.
    pub(super) async fn index(&self) -> Result<PathBuf, ProviderError> {
        let index = self.scratch();
        if let Some(dir) = index.parent() {
            // A command may have removed it.
            std::fs::create_dir_all(dir).map_err(|e| ProviderError::io("write-tree", dir.display(), &e))?;
        }
        self.mirror_git("read-tree").env("GIT_INDEX_FILE", &index).args([self.base_commit()]).run().await?;
        Ok(index)
    }

    /// The tree of the base commit, with the plan written into it.
    async fn tree(&self, plan: &Plan) -> Result<String, ProviderError> {
        let index = self.index().await?;
        let git = |subcommand| self.mirror_git(subcommand).env("GIT_INDEX_FILE", &index);
        // A deletion first, so that a file can take the place of a directory.
        let mut gone = Vec::new();
        let mut written = Vec::new();
        for (path, file) in plan {
            let (mode, id, entries) = match file {
                None => ("0", "0".repeat(self.base_commit().len()), &mut gone),
                Some(file) => {
                    let hashing = self.mirror_git("hash-object").args(["-w", "--no-filters", "--stdin"]);
                    let id = hashing.stdin(file.content.as_str()).line().await?;
                    (if self.is_executable(path, file) { "100755" } else { "100644" }, id, &mut written)
                }
            };
            entries.extend_from_slice(format!("{mode} {id}\t{path}\0").as_bytes());
        }
        gone.append(&mut written);
        git("update-index").args(["-z", "--index-info"]).stdin(gone).run().await?;
        git("write-tree").line().await
    }
}

/// A name or address as a commit may have it.
fn person(text: &str, which: &str) -> Result<String, ProviderError> {
    let clean: String = text.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).collect();
    let clean = clean.trim();
    if clean.is_empty() {
        return Err(ProviderError::config(format!("Set `commit_author_{which}` under [draft] in config.toml.")));
    }
    Ok(clean.to_owned())
}
