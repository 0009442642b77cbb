//! Which pages may speak to the server from a browser (RFC 6454).

use axum::http::Uri;
use std::str::FromStr;

/// The origins that are let in. A request without an `Origin` does not come from a page and is let in too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    allowed: Vec<String>,
}

/// It is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an origin: write scheme://host or scheme://host:port, with nothing behind it")]
pub struct NotAnOrigin(String);

impl Origins {
    /// Those of the list, each `scheme://host` or `scheme://host:port`. A slash at the end, capitals and the
    /// scheme's own port are taken away, as browsers do.
    ///
    /// # Errors
    /// [`NotAnOrigin`] names the one that has a path, a wildcard or no host.
    pub fn new<S: AsRef<str>>(list: impl IntoIterator<Item = S>) -> Result<Self, NotAnOrigin> {
        let mut allowed = list.into_iter().map(|origin| serialized(origin.as_ref())).collect::<Result<Vec<_>, _>>()?;
        allowed.sort();
        allowed.dedup();
        Ok(Self { allowed })
    }

    /// Whether a page with this `Origin` header may speak to the server: only when it is on the list, letter for
    /// letter. `null` (sandboxed frames, files) never is.
    pub fn allows(&self, origin: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == origin)
    }
}

/// The serialization that browsers send (RFC 6454, section 6.2).
fn serialized(origin: &str) -> Result<String, NotAnOrigin> {
    let not_one = || NotAnOrigin(origin.to_owned());
    let uri = Uri::from_str(origin.strip_suffix('/').unwrap_or(origin)).map_err(|_| not_one())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(not_one()) };
    let host = authority.host().to_ascii_lowercase();
    let is_plain = uri.path() == "/" && uri.query().is_none() && !origin.contains(['@', '*', '#']);
    if host.is_empty() || !is_plain || origin.ends_with("//") {
        return Err(not_one());
    }
    let scheme = scheme.to_ascii_lowercase();
    Ok(match (scheme.as_str(), authority.port_u16()) {
        (_, None) | ("http", Some(80)) | ("https", Some(443)) => format!("{scheme}://{host}"),
        (_, Some(port)) => format!("{scheme}://{host}:{port}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_origin_is_let_in_and_no_look_alike() {
        let origins = Origins::new(["https://Example.com:443/", "http://localhost:8080"]).expect("origins");
        for allowed in ["https://example.com", "http://localhost:8080"] {
            assert!(origins.allows(allowed), "{allowed}");
        }
        for refused in [
            "null",
            "",
            "http://example.com",
            "https://example.com:444",
            "https://example.com.evil.org",
            "https://evil-example.com",
            "https://evil.org/https://example.com",
            "https://example.com@evil.org",
            "https://sub.example.com",
            "https://example.com/",
            "http://localhost",
            "http://localhost:80800",
        ] {
            assert!(!origins.allows(refused), "{refused}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_by_name() {
        for wrong in ["*", "example.com", "https://", "https://*.example.com", "https://a/b", "https://u@a", "null", ""]
        {
            assert_eq!(Origins::new([wrong]), Err(NotAnOrigin(wrong.to_owned())));
        }
    }
}
