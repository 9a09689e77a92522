//! Keeps secrets, and terminal escapes, out of every message that came from outside.
//!
//! Two nets: the exact secrets a provider was given, and the shapes that well-known tokens have, for those that we were never
//! told of (a password in a URL that git prints, a key that a proxy echoes).

use crate::domain::text;
use secrecy::{ExposeSecret, SecretString};

/// Longest message kept, in characters. Enough for a vendor's explanation, too little for a page of HTML.
const MAX_MESSAGE: usize = 1_500;

/// What stands where a secret was.
const MASK: &str = "[hidden]";

/// Beginnings of tokens: Anthropic and OpenAI, GitHub's kinds.
const PREFIXES: [&str; 9] = ["sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "Bearer ", "Basic "];

/// A message that is safe to show and store: short, harmless, without anything that looks like a key.
pub(super) fn message(raw: &str) -> String {
    let mut shown = text::block(&shapes(raw)).trim().to_owned();
    if let Some((cut, _)) = shown.char_indices().nth(MAX_MESSAGE) {
        shown.truncate(cut);
        shown.push('…');
    }
    shown
}

/// Hides one secret that is known exactly.
pub(super) fn hide(text: &mut String, secret: &SecretString) {
    let secret = secret.expose_secret().trim();
    if !secret.is_empty() && text.contains(secret) {
        *text = text.replace(secret, MASK);
    }
}

/// Like [`message`], after hiding one secret that is known exactly.
pub(super) fn message_without(raw: &str, secret: &SecretString) -> String {
    let mut raw = raw.to_owned();
    hide(&mut raw, secret);
    message(&raw)
}

/// Hides what looks like a token, and what stands before `@` in a URL.
fn shapes(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while !rest.is_empty() {
        if let Some(prefix) = PREFIXES.iter().find(|p| rest.starts_with(**p) && !ends_in_word(&out)) {
            let body = rest.get(prefix.len()..).unwrap_or_default();
            let token = body.find(|c: char| !is_token_char(c)).unwrap_or(body.len());
            // Short words such as `sk-learn` are words; keys are long.
            if token >= 12 {
                out.push_str(MASK);
                rest = body.get(token..).unwrap_or_default();
                continue;
            }
        }
        if let Some(after) = rest.strip_prefix("://") {
            out.push_str("://");
            rest = without_userinfo(after, &mut out);
            continue;
        }
        let mut chars = rest.chars();
        out.extend(chars.next());
        rest = chars.as_str();
    }
    out
}

/// Skips `user:password@`; the mask is written in its place.
fn without_userinfo<'a>(after_scheme: &'a str, out: &mut String) -> &'a str {
    let authority =
        after_scheme.find(|c: char| c == '/' || c.is_whitespace() || c == '\'').unwrap_or(after_scheme.len());
    match after_scheme.get(..authority).and_then(|a| a.rfind('@')) {
        Some(at) => {
            out.push_str(MASK);
            after_scheme.get(at..).unwrap_or_default()
        }
        None => after_scheme,
    }
}

fn ends_in_word(text: &str) -> bool {
    text.chars().next_back().is_some_and(char::is_alphanumeric)
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '=' | '/' | '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_key_is_hidden() {
        for (raw, secret) in [
            (concat!("invalid x-api-key sk-", "ant-api03-abcdefghijklmnop"), "abcdefgh"),
            ("Authorization: Bearer abcdefghijklmnop failed", "abcdefgh"),
            ("fatal: https://x-access-token:hunter2hunter2@github.com/a/b.git not found", "hunter2"),
            ("fatal: 'https://onlytoken12345@host/x'", "onlytoken"),
            ("ghs_123_abcdefghijkl.eyJ0eXAiOi.sig is bad", "eyJ0"),
            ("key=github_pat_11ABCDEFG0123456789", "11ABCDEFG"),
        ] {
            let shown = message(raw);
            assert!(!shown.contains(secret) && shown.contains(MASK), "{shown}");
        }
    }

    #[test]
    fn ordinary_text_stays() {
        let raw = "task-based sk-learn at https://github.com/a/b?x=me@example.org, mail me@example.org";
        assert_eq!(message("task-based sk-learn, mail me@example.org"), "task-based sk-learn, mail me@example.org");
        assert!(message(raw).contains("github.com/a/b"));
    }

    #[test]
    fn a_known_secret_of_any_shape_is_hidden() {
        let shown = message_without("the token correct horse is wrong", &SecretString::from("correct horse"));
        assert_eq!(shown, "the token [hidden] is wrong");
    }

    #[test]
    fn messages_are_short_and_carry_no_escapes() {
        let shown = message(&format!("\u{1b}[2J{}", "x".repeat(10_000)));
        assert!(!shown.contains('\u{1b}') && shown.chars().count() <= MAX_MESSAGE + 1);
    }
}
