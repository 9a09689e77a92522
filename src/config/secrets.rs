//! Keys and tokens. The only file that reads them; nothing else in the program touches the environment's secret names or
//! `secrets.env`.

use secrecy::SecretString;

/// Keys in use. `Debug` prints no value.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    pub github: Option<SecretString>,
    pub anthropic: Option<SecretString>,
    pub openai: Option<SecretString>,
    /// What callers of the HTTP API must present.
    pub api_key: Option<SecretString>,
}

/// New values for some keys: `None` leaves one as it is, an empty text removes it.
#[derive(Debug, Clone, Default)]
pub struct SecretsPatch {
    pub github: Option<SecretString>,
    pub anthropic: Option<SecretString>,
    pub openai: Option<SecretString>,
}
