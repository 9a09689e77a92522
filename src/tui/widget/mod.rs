//! Small things that several panes use: wrapped text, ages, one-line fields, code.

pub mod age;
pub mod field;
pub mod fit;
pub mod pane;
pub mod rows;
pub mod syntax;
pub mod wrap;
