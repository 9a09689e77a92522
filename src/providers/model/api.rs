//! What one vendor's API is like, as far as it differs from the others'.

use super::{Completion, ModelInfo, Prompt};
use crate::providers::ProviderError;
use crate::providers::http::Failure;
use serde_json::Value;

/// One vendor's API. Nothing here does I/O: an [`super::Endpoint`] asks what to send, and what the answer means.
pub trait Api: Send + Sync {
    /// An answer in the making.
    type Answer: Answer;

    /// Its name in messages.
    const WHO: &'static str;
    /// The API's name.
    const API: &'static str;
    /// What a right base address looks like.
    const ADDRESS: &'static str;
    /// Its table in `config.toml`.
    const TABLE: &'static str;
    /// The variable that holds its key.
    const KEY: &'static str;
    /// The header a key travels in, and what stands before the key there.
    const KEY_HEADER: (&'static str, &'static str);
    /// Headers of every request.
    const HEADERS: &'static [(&'static str, &'static str)] = &[];
    /// Where questions go, behind the base address.
    const QUESTIONS: &'static str;
    /// Where the list of models is, behind the base address.
    const MODELS: &'static str;
    /// The header that names a request for the provider's support.
    const REQUEST_ID: &'static str;
    /// What else can be done about a model that is not there, as a sentence with a space before it.
    const OTHERWISE: &'static str = "";

    /// The body of a question.
    fn request(&self, model: &str, prompt: &Prompt) -> Value;

    fn answer(&self, max_output_tokens: u32) -> Self::Answer;

    /// What a response means that is not an answer. [`ProviderError::NotFound`] is for the model; the caller fills the names in.
    fn judge(&self, failure: &Failure) -> ProviderError;

    /// Reads the list of models.
    ///
    /// # Errors
    /// When it is not as documented.
    fn models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, ProviderError>;
}

/// Whether more events are expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    More,
    Done,
}

/// The events of one streamed answer, folded into a [`Completion`].
pub trait Answer: Send {
    /// Takes one event in; text of the answer is also passed on.
    ///
    /// # Errors
    /// When the event is an error, or can't be read.
    fn take(&mut self, name: &str, data: &str, on_text: &mut (dyn FnMut(&str) + Send)) -> Result<Next, ProviderError>;

    /// Whether all that matters has come, so that a stream may end here without saying so.
    fn is_whole(&self) -> bool {
        false
    }

    /// Judges how the answer ended.
    ///
    /// # Errors
    /// When it is refused, cut off, or none.
    fn finish(self, request_id: String) -> Result<Completion, ProviderError>;
}
