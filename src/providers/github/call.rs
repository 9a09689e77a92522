//! How GitHub is asked: one request, a list over its pages, only for what is new, a write in its turn.

use super::{Github, VERSION, WHO, failure};
use crate::providers::ProviderError;
use crate::providers::http::{Call, Failure, Repeat, UNHEARD};
use reqwest::header::HeaderValue;
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::time::Duration;

/// Time for one whole answer.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Most bytes of one answer: a hundred comments with all that GitHub lets people write have less.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// Most pages of one list, of a hundred entries each.
const MAX_PAGES: usize = 10;

/// Longest tag worth to be remembered.
const MAX_TAG: usize = 200;

/// For `per_page`.
pub(super) const PAGE: (&str, &str) = ("per_page", "100");

/// What turns an answer's bytes into something to use.
pub(super) type Parse<T> = fn(&[u8]) -> Result<T, ProviderError>;

/// An answer to "what is new since I was told this tag?". When nothing is, the answer costs nothing of the rate limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fresh<T> {
    Same,
    /// The value, and the tag to ask with the next time, where there is one.
    New(T, Option<String>),
}

impl Github {
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)], what: &str) -> Result<Response, ProviderError> {
        let auth = self.auth_header()?;
        let build = |client: &Client| request(client.get(self.url(path)).query(query), &auth);
        let judge = |f: &Failure| failure::judge(f, what, &self.token);
        self.http.send(&Call { who: WHO, repeat: Repeat::Always, build: &build, judge: &judge, on_wait: UNHEARD }).await
    }

    /// Everything on all pages of a list, up to a thousand entries: GitHub says in each answer where the next page is.
    pub(super) async fn list<T>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        what: &str,
        parse: Parse<Vec<T>>,
    ) -> Result<Vec<T>, ProviderError> {
        let mut response = self.get(path, query, what).await?;
        let mut all = Vec::new();
        for page in 1.. {
            let next = self.next_page(&response)?;
            all.extend(self.read(response, parse).await?);
            let Some(next) = next else { break };
            if page == MAX_PAGES {
                tracing::warn!(path, entries = all.len(), "a list is too long and read no further");
                break;
            }
            let auth = self.auth_header()?;
            let build = |client: &Client| request(client.get(next.clone()), &auth);
            let judge = |f: &Failure| failure::judge(f, what, &self.token);
            let call = Call { who: WHO, repeat: Repeat::Always, build: &build, judge: &judge, on_wait: UNHEARD };
            response = self.http.send(&call).await?;
        }
        Ok(all)
    }

    /// The address of the next page. The token goes there too, so it must be the server that we know.
    fn next_page(&self, response: &Response) -> Result<Option<Url>, ProviderError> {
        let links = response.headers().get("link").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let Some(next) = next_link(links) else { return Ok(None) };
        let base = Url::parse(&self.api_url).ok();
        match (Url::parse(next), base) {
            (Ok(next), Some(base)) if next.origin() == base.origin() => Ok(Some(next)),
            _ => Err(ProviderError::config(
                "GitHub says that a list goes on at another server. Check `api_url` under [github] in config.toml.",
            )),
        }
    }

    /// Asks only for what has changed since an answer that came with this tag.
    pub(super) async fn get_if_new<T>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        what: &str,
        tag: Option<&str>,
        parse: Parse<T>,
    ) -> Result<Fresh<T>, ProviderError> {
        let auth = self.auth_header()?;
        // It comes from an answer by way of the database; what is no header value is no tag.
        let tag = tag.and_then(|t| HeaderValue::from_str(t).ok());
        let build = |client: &Client| {
            let request = request(client.get(self.url(path)).query(query), &auth);
            match &tag {
                Some(tag) => request.header("if-none-match", tag.clone()),
                None => request,
            }
        };
        let judge = |f: &Failure| failure::judge(f, what, &self.token);
        let call = Call { who: WHO, repeat: Repeat::Always, build: &build, judge: &judge, on_wait: UNHEARD };
        match self.http.send(&call).await {
            Ok(response) => {
                let tag = response.headers().get("etag").and_then(|t| t.to_str().ok()).map(str::to_owned);
                let tag = tag.filter(|t| t.len() <= MAX_TAG);
                Ok(Fresh::New(self.read(response, parse).await?, tag))
            }
            Err(ProviderError::Api { status: 304, .. }) if tag.is_some() => Ok(Fresh::Same),
            Err(error) => Err(error),
        }
    }

    /// A request that changes something, in its turn: see `providers::pace`.
    pub(super) async fn write(
        &self,
        (method, path): (Method, &str),
        body: &Value,
        repeat: Repeat,
        what: &str,
    ) -> Result<Response, ProviderError> {
        let auth = self.auth_header()?;
        let build = |client: &Client| request(client.request(method.clone(), self.url(path)), &auth).json(body);
        let judge = |f: &Failure| failure::judge(f, what, &self.token);
        let turn = self.http.take_turn().await;
        let sent = self.http.send(&Call { who: WHO, repeat, build: &build, judge: &judge, on_wait: UNHEARD }).await;
        drop(turn);
        sent
    }

    /// Reads an answer. What is wrong with one may be quoted from it, so the token is hidden there, too.
    pub(super) async fn read<T>(&self, mut response: Response, parse: Parse<T>) -> Result<T, ProviderError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.http.transport_error(WHO, e))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(ProviderError::garbage(WHO, "an answer of more than 32 MiB"));
            }
        }
        parse(&body).map_err(|e| e.hiding(&self.token))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.api_url)
    }

    fn auth_header(&self) -> Result<HeaderValue, ProviderError> {
        let value = format!("Bearer {}", self.token.expose_secret().trim());
        let mut value = HeaderValue::from_str(&value).map_err(|_| ProviderError::Auth {
            who: WHO,
            message: "it has characters that no token has. Set GITHUB_TOKEN again.".into(),
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

fn request(builder: RequestBuilder, auth: &HeaderValue) -> RequestBuilder {
    builder
        .header("accept", "application/vnd.github+json")
        .header("x-github-api-version", VERSION)
        .header("authorization", auth.clone())
        .timeout(TIMEOUT)
}

/// The address marked `rel="next"` in a `Link` header.
fn next_link(links: &str) -> Option<&str> {
    links.split(',').find_map(|link| {
        let (address, marks) = link.trim().strip_prefix('<')?.split_once('>')?;
        marks.split(';').any(|mark| mark.trim() == "rel=\"next\"").then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_the_links() {
        let links = r#"<https://h/x?page=1>; rel="prev", <https://h/x?page=3&a=b>; rel="next", <https://h/x?page=9>; rel="last""#;
        assert_eq!(next_link(links), Some("https://h/x?page=3&a=b"));
        for none in ["", r#"<https://h/x?page=1>; rel="prev""#, "next", "<https://h/x", r#"<x>; rel="next-to""#] {
            assert_eq!(next_link(none), None, "{none}");
        }
    }
}
