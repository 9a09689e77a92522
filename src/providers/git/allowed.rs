//! Whether a branch could be pushed, found out without pushing one.

use super::Remote;
use super::cache::GitCache;
use super::command::Git;
use super::remote::Address;
use crate::providers::ProviderError;

/// A branch that nobody has: taking it away, only for show, asks for the right to push and sends no commit.
const NOBODYS: &str = ":refs/heads/patchwork/is-it-allowed";

impl GitCache {
    /// Asks a remote as a push would, and pushes nothing.
    ///
    /// # Errors
    /// As a push would end: says in words when the key or the credentials are refused, or the server can't be reached.
    pub async fn may_push(&self, remote: &Remote) -> Result<(), ProviderError> {
        let address = Address::find(remote).await?;
        let mirror = self.mirror_of(&address).await?;
        let git = address.allow(Git::bare(&mirror, "push")).args(["--dry-run", "--porcelain", "--no-verify", "--"]);
        let output = git.args([address.place()]).args([NOBODYS]).output().await?;
        // Newer ones say that there is nothing to take away; by then the server has let us in.
        if output.success || output.stderr.contains("remote ref does not exist") {
            return Ok(());
        }
        Err(address.failure("push --dry-run", &output.stderr))
    }
}
