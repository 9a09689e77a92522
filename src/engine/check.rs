//! Trying what is configured, one thing at a time: `drafting::check` with the settings as they are now.

use super::Engine;
use crate::domain::text;
use crate::drafting::check;
use crate::protocol::settings::{Check, Finding};
use crate::protocol::{Refusal, RefusalKind};
use crate::providers::GitCache;
use std::sync::Arc;

impl Engine {
    /// Asks the outside world; takes seconds at most.
    ///
    /// # Errors
    /// When the settings can't be read, or nothing is configured under that name.
    pub async fn check(&self, what: Check) -> Result<Finding, Refusal> {
        let config = Arc::new(self.effective_config().await?);
        let git = GitCache::new(self.inner.options.cache_dir.clone());
        let tools = self.inner.tools(Arc::clone(&config), git);
        match what {
            Check::Drafter { drafter } => Ok(check::drafter(drafter, &tools).await),
            Check::Github => Ok(check::github(&tools).await),
            Check::Repository { server } => {
                let found = config.repositories.iter().find(|r| r.server.eq_ignore_ascii_case(&server));
                let Some(repository) = found else {
                    let name = text::clipped(&server, 80);
                    return Err(Refusal::new(RefusalKind::NotFound, format!("there is no repository for `{name}`")));
                };
                Ok(check::repository(repository, &tools).await)
            }
        }
    }
}
