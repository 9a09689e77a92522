//! What a draft run makes on its way, kept by name so that a restart does not pay for it twice.

use crate::domain::feedback::word_enum;
use serde::{Deserialize, Serialize};

word_enum! {
    /// The name of a stored piece of a run.
    ArtifactName {
        /// The commit the run started from.
        Base = "base",
        /// The ranking, as JSON.
        Files = "files",
        /// What was said with the model so far, as JSON.
        Conversation = "conversation",
        /// The change as it will be written, as JSON.
        Change = "change",
        /// Title, summary and base branch for whoever reviews it, as JSON.
        Proposal = "proposal",
        /// What the reviewer decided, as JSON.
        Choices = "choices",
        /// How `verify` ended, with the end of its output, as JSON.
        Verified = "verified",
        /// Commits that may be on its branch, as JSON.
        Pushed = "pushed",
        Diff = "diff",
        Log = "log",
    }
}
