//! One HTTP client for all providers.
#[derive(Debug, Clone, Default)]
pub struct Http {}
impl Http {
    pub fn new() -> Self {
        Self::default()
    }
}
