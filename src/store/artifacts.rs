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
        /// The model's first answer, unjudged, as JSON.
        Answer = "answer",
        /// The change as it will be written, as JSON.
        Change = "change",
        Diff = "diff",
        Log = "log",
    }
}
