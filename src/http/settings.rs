//! `GET` and `PUT /api/settings`: the original dashboard's values. Keys leave masked and go into `secrets.env` only.

use super::app::App;
use super::error::ApiError;
use super::ingest::actor;
use super::json::{Fields, JsonBody};
use crate::config::SecretsPatch;
use crate::engine::new_command_id;
use crate::protocol::read::SettingsView;
use crate::protocol::{Command, SettingsPatch};
use axum::Json;
use axum::extract::State;
use secrecy::SecretString;
use serde::Serialize;

/// Longest value, in bytes.
const MAX_VALUE_BYTES: usize = 1024;

/// What a masked key begins with; one sent back as it was shown changes nothing.
const MASK: &str = "****";

pub(super) async fn show(State(app): State<App>) -> Result<Json<SettingsView>, ApiError> {
    Ok(Json(app.engine().settings().await?))
}

#[derive(Debug, Serialize)]
pub(super) struct Saved {
    status: &'static str,
    #[serde(flatten)]
    now: SettingsView,
}

/// Nothing is saved unless every value is fit to be.
pub(super) async fn save(State(app): State<App>, body: JsonBody) -> Result<Json<Saved>, ApiError> {
    let mut fields = Fields::of(body)?;
    let settings = SettingsPatch {
        github_repo: value(&mut fields, "github_repo"),
        default_branch: value(&mut fields, "default_branch"),
        llm_provider: value(&mut fields, "llm_provider"),
        llm_model: value(&mut fields, "llm_model"),
    };
    let secrets = [
        secret(&mut fields, "github_pat"),
        secret(&mut fields, "anthropic_api_key"),
        secret(&mut fields, "openai_api_key"),
        secret(&mut fields, "openai_compatible_api_key"),
    ];
    let (settings, secrets) = fields.finish((settings, secrets))?;
    let any_secret = secrets.iter().any(Option::is_some);
    // Settings first: the engine may still refuse them, and then no key must have changed.
    if settings != SettingsPatch::default() {
        app.engine().submit(new_command_id(), actor(), Command::SaveSettings { settings }).await?;
    }
    if any_secret {
        let [github, anthropic, openai, openai_compatible] = secrets;
        let patch = SecretsPatch { github, anthropic, openai, openai_compatible, ..SecretsPatch::default() };
        app.engine().save_secrets(actor(), patch).await?;
    }
    Ok(Json(Saved { status: "updated", now: app.engine().settings().await? }))
}

/// One line of text. A line break in a value would be a second line in a file of lines.
fn value(fields: &mut Fields, name: &str) -> Option<String> {
    let text = fields.string(name)?;
    if text.len() > MAX_VALUE_BYTES {
        fields.fault(name, "too_long", format!("at most {MAX_VALUE_BYTES} bytes"));
    }
    if text.chars().any(char::is_control) {
        fields.fault(name, "control", "must be one line: take out line breaks and other control characters");
    }
    Some(text)
}

fn secret(fields: &mut Fields, name: &str) -> Option<SecretString> {
    let text = value(fields, name)?;
    (!text.starts_with(MASK)).then(|| SecretString::from(text))
}
