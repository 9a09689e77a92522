//! Who may speak: `Host`, `Origin`, the API key and the body's announced size, in that order and before any body is read.
//!
//! A sidecar on a developer's machine is reachable from every web page that developer opens. `Host` stops a name that was rebound to
//! this address, `Origin` stops a page of another site, and the key stops everybody else.

use super::app::App;
use super::error::{ApiError, with_common_headers};
use super::limits::MAX_BODY_BYTES;
use crate::config::{Secrets, ServerConfig};
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use subtle::ConstantTimeEq;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The one path that answers without a key.
pub(super) const HEALTH_PATH: &str = "/healthz";

/// The middleware in front of every route and of the 404.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let response = match app.access().admit(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    with_common_headers(response)
}

/// The rules of the door.
pub(super) struct Access {
    /// Names besides loopback, in lower case, without ports.
    names: Vec<String>,
    address: IpAddr,
    /// Digest of the key: equal lengths, so that comparing tells nothing about the key's.
    key: Option<[u8; 32]>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("names", &self.names)
            .field("address", &self.address)
            .field("key", &self.key.map(|_| "…"))
            .finish()
    }
}

impl Access {
    pub(super) fn new(server: &ServerConfig, secrets: &Secrets) -> Self {
        let names = server.allowed_hosts.iter().map(|n| host_of(n).unwrap_or(n).to_ascii_lowercase()).collect();
        // A blank key is no key, as `bind` sees it too.
        let key = secrets.api_key.as_ref().map(|k| k.expose_secret().trim()).filter(|k| !k.is_empty()).map(digest);
        Self { names, address: server.address.ip(), key }
    }

    fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
        let host = self.check_host(uri, headers)?;
        self.check_origin(host, headers)?;
        if uri.path() != HEALTH_PATH {
            self.check_key(headers)?;
        }
        check_announced_size(headers)
    }

    /// The `Host` that was checked, with its port.
    fn check_host<'a>(&self, uri: &'a Uri, headers: &'a HeaderMap) -> Result<&'a str, ApiError> {
        let refused = || {
            ApiError::new(
                StatusCode::FORBIDDEN,
                "this server does not answer to the name in `Host`; use its address, or add the name to `allowed_hosts` under [server] in config.toml",
            )
        };
        let mut checked = None;
        let named = headers.get_all(header::HOST).iter().map(|h| h.to_str().unwrap_or_default());
        for host in named.chain(uri.authority().map(Authority::as_str)) {
            if !host_of(host).is_some_and(|name| self.answers_to(name)) {
                return Err(refused());
            }
            checked = Some(host);
        }
        checked.ok_or_else(refused)
    }

    fn check_origin(&self, host: &str, headers: &HeaderMap) -> Result<(), ApiError> {
        for origin in headers.get_all(header::ORIGIN) {
            let authority = origin.to_str().ok().and_then(|o| o.strip_prefix("http://").or(o.strip_prefix("https://")));
            let known = authority.is_some_and(|a| a == host || host_of(a).is_some_and(|name| self.lists(name)));
            if !known {
                return Err(ApiError::new(
                    StatusCode::FORBIDDEN,
                    "web pages of other sites may not use this server; add the page's host to `allowed_hosts` under [server] in config.toml if it should",
                ));
            }
        }
        Ok(())
    }

    fn check_key(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Some(key) = &self.key else { return Ok(()) };
        let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| {
            let (scheme, token) = v.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let plain = headers.get(X_API_KEY).and_then(|v| v.to_str().ok());
        let known = |presented: &str| bool::from(digest(presented).ct_eq(key));
        if bearer.into_iter().chain(plain).any(known) {
            return Ok(());
        }
        Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "send the key of this server (FEEDBACK_API_KEY where it runs) as `Authorization: Bearer KEY` or `X-API-Key: KEY`",
        ))
    }

    fn answers_to(&self, name: &str) -> bool {
        // Bound to every address, any of them may be in `Host`; a number can't have been rebound.
        self.lists(name) || (self.address.is_unspecified() && ip(name).is_some())
    }

    fn lists(&self, name: &str) -> bool {
        if let Some(ip) = ip(name) {
            return ip.is_loopback()
                || (ip == self.address && !ip.is_unspecified())
                || self.names.iter().any(|n| n == name);
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        name.eq_ignore_ascii_case("localhost") || self.names.iter().any(|n| n.eq_ignore_ascii_case(name))
    }
}

/// `host`, `host:port` or `[v6]:port` without the port; `None` for anything else.
fn host_of(authority: &str) -> Option<&str> {
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (v6, after) = rest.split_once(']')?;
            (v6, after)
        }
        None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
    };
    let port_fits = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()),
        None => port.is_empty(),
    };
    let name_fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:%".contains(&b));
    (port_fits && name_fits).then_some(name)
}

fn ip(name: &str) -> Option<IpAddr> {
    name.parse().ok()
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// A body that announces itself as too large is refused before a byte of it is read.
fn check_announced_size(headers: &HeaderMap) -> Result<(), ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    if announced.is_some_and(|n: u64| n > MAX_BODY_BYTES as u64) { Err(ApiError::too_large()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(address: &str, names: &[&str]) -> Access {
        let server = ServerConfig {
            address: address.parse().unwrap(),
            allowed_hosts: names.iter().map(|n| (*n).to_owned()).collect(),
            ..ServerConfig::default()
        };
        Access::new(&server, &Secrets::default())
    }

    fn admits(access: &Access, host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        access.admit(&Uri::from_static("/healthz"), &headers).is_ok()
    }

    #[test]
    fn hosts_by_name_and_number() {
        let a = access("10.1.2.3:8099", &["Box.Example", "proxy:443"]);
        for good in
            ["localhost", "LOCALHOST:1", "127.0.0.1:8099", "127.9.9.9", "[::1]:8099", "10.1.2.3", "box.example:80"]
        {
            assert!(admits(&a, good, None), "{good}");
        }
        assert!(admits(&a, "proxy", None), "a port in the configuration does not matter");
        for bad in
            ["evil.example", "localhost.evil.example", "10.1.2.4", "", "localhost:x", "a@localhost", "[::1", "::1", "1"]
        {
            assert!(!admits(&a, bad, None), "{bad}");
        }
    }

    #[test]
    fn origins_are_known_pages_only() {
        let a = access("127.0.0.1:8099", &[]);
        assert!(admits(&a, "localhost", Some("http://localhost:3000")));
        for bad in [
            "null",
            "http://evil.example",
            "https://localhost.evil.example",
            "file://localhost",
            "http://",
            "localhost",
        ] {
            assert!(!admits(&a, "localhost", Some(bad)), "{bad}");
        }
    }

    #[test]
    fn bound_everywhere_a_number_is_a_host_but_not_an_origin() {
        let a = access("0.0.0.0:8099", &[]);
        assert!(admits(&a, "192.168.1.7:8099", None));
        assert!(admits(&a, "192.168.1.7:8099", Some("http://192.168.1.7:8099")), "its own page");
        assert!(!admits(&a, "192.168.1.7:8099", Some("http://6.6.6.6")));
        assert!(!admits(&a, "evil.example", None));
    }
}
