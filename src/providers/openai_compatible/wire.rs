//! What is sent: the request's JSON in the server's dialect, and the list of models that comes back.

use super::ChatCompletions;
use crate::config::JsonMode;
use crate::providers::ProviderError;
use crate::providers::model::{ModelInfo, Prompt, day, joined, listed, shown};
use serde::Deserialize;
use serde_json::{Value, json};

/// For servers that keep no model to a schema.
const SCHEMA: &str = include_str!("../../../assets/prompts/schema.md");

/// The body of `POST /chat/completions`.
pub(super) fn request(api: ChatCompletions, model: &str, prompt: &Prompt) -> Value {
    let mut system = joined(&prompt.system);
    let format = match api.json {
        JsonMode::Schema => Some(json!({"type": "json_schema",
            "json_schema": {"name": "draft", "strict": true, "schema": prompt.schema}})),
        JsonMode::Object => Some(json!({"type": "json_object"})),
        JsonMode::None => None,
    };
    if api.json != JsonMode::Schema {
        system.push_str("\n\n");
        system.push_str(&SCHEMA.replace("{{schema}}", &prompt.schema.to_string()));
    }
    let system = system.trim();
    // Texts and not lists of parts: every server takes those.
    let turns = prompt.messages.iter().map(|m| json!({"role": m.role.as_str(), "content": joined(&m.blocks)}));
    let system = (!system.is_empty()).then(|| json!({"role": "system", "content": system}));
    let messages: Vec<Value> = system.into_iter().chain(turns).collect();
    let mut body = json!({
        "model": model,
        "messages": messages,
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    body[api.token_limit.as_str()] = prompt.max_output_tokens.into();
    if let Some(format) = format {
        body["response_format"] = format;
    }
    body
}

#[derive(Deserialize)]
struct ModelList {
    data: Vec<Model>,
}

/// All but the name are OpenRouter's.
#[derive(Deserialize)]
struct Model {
    id: String,
    name: Option<String>,
    top_provider: Option<TopProvider>,
    expiration_date: Option<String>,
}

#[derive(Deserialize)]
struct TopProvider {
    max_completion_tokens: Option<u64>,
}

/// Reads the answer of `GET /models`.
pub(super) fn models(body: &[u8]) -> Result<Vec<ModelInfo>, ProviderError> {
    let list: ModelList = listed::<ChatCompletions, _>(body)?;
    let info = |m: Model| ModelInfo {
        id: shown(&m.id),
        display_name: m.name.as_deref().map(shown).unwrap_or_default(),
        max_output_tokens: m.top_provider.and_then(|p| p.max_completion_tokens),
        retires_at: m.expiration_date.as_deref().map(day),
        ..ModelInfo::default()
    };
    Ok(list.data.into_iter().map(info).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TokenLimit;
    use crate::providers::model::{Block, Message, Role};

    fn prompt() -> Prompt {
        let block = |text: &str| Block { text: text.into(), cache: true };
        Prompt {
            system: vec![block("be brief")],
            messages: vec![Message { role: Role::User, blocks: vec![block("code"), block(" "), block("notes")] }],
            schema: json!({"type": "object"}),
            max_output_tokens: 7,
        }
    }

    #[test]
    fn the_request_speaks_the_servers_dialect() {
        let api = ChatCompletions { token_limit: TokenLimit::MaxTokens, json: JsonMode::Schema };
        let expected = json!({
            "model": "m", "stream": true, "stream_options": {"include_usage": true}, "max_tokens": 7,
            "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "code\n\nnotes"}],
            "response_format": {"type": "json_schema",
                "json_schema": {"name": "draft", "strict": true, "schema": {"type": "object"}}},
        });
        assert_eq!(request(api, "m", &prompt()), expected);

        let api = ChatCompletions { token_limit: TokenLimit::MaxCompletionTokens, json: JsonMode::Object };
        let body = request(api, "m", &prompt());
        assert_eq!((&body["max_completion_tokens"], body.get("max_tokens")), (&json!(7), None));
        assert_eq!(body["response_format"], json!({"type": "json_object"}));
        let body = request(ChatCompletions { json: JsonMode::None, ..api }, "m", &prompt());
        assert_eq!(body.get("response_format"), None);
        let system = body["messages"][0]["content"].as_str().unwrap();
        assert!(system.starts_with("be brief\n\n") && system.contains(r#"{"type":"object"}"#), "{system}");
    }

    #[test]
    fn a_list_is_read_with_what_else_it_says() {
        let body = br#"{"object":"list","data":[{"id":"a/b:free","name":"B\u001b[2J","expiration_date":"2027-01-15",
            "top_provider":{"max_completion_tokens":9,"is_moderated":false}},{"id":"plain","object":"model"}]}"#;
        let models = models(body).unwrap();
        assert_eq!((models[0].max_output_tokens, models[0].retires_at.as_deref()), (Some(9), Some("2027-01-15")));
        assert!(!models[0].display_name.contains('\u{1b}'));
        assert_eq!(models[1], ModelInfo { id: "plain".into(), ..ModelInfo::default() });
    }
}
