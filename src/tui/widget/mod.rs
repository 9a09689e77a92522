//! Parts of panes that know nothing of reports: wrapped text, ages, one-line fields.

pub mod age;
pub mod fit;
pub mod pane;
pub mod wrap;
