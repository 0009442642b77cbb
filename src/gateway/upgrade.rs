//! The opening handshake (RFC 6455, section 4.2), on the request that hyper has parsed.

use super::{Origins, Wanted, WsEndpoint};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha1::{Digest, Sha1};
use stoa_protocol::{DocumentId, RoomId, SUBPROTOCOL};

/// What the accept key is hashed with (RFC 6455, section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why there is no upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: StatusCode,
    pub detail: &'static str,
    headers: &'static [(&'static str, &'static str)],
}

impl Refusal {
    pub(super) const fn new(status: StatusCode, detail: &'static str) -> Self {
        Self { status, detail, headers: &[] }
    }

    const fn bad_request(detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The address has too many connections that have not said who they are.
    pub(super) const fn too_many() -> Self {
        Self {
            headers: &[("retry-after", "5")],
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too many connections of this address have not authenticated")
        }
    }

    /// The address names no document, or has no ticket.
    pub(super) const fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "a document is opened at /v1/yjs/{room}/{document} with a ticket")
    }

    /// The server is stopping.
    pub(super) const fn stopping() -> Self {
        Self {
            headers: &[("retry-after", "1"), ("connection", "close")],
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping")
        }
    }

    /// The request took too long.
    pub(super) const fn too_slow() -> Self {
        Self {
            headers: &[("retry-after", "1"), ("connection", "close")],
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "the request was not finished in time")
        }
    }

    /// Problem details (RFC 9457).
    pub(super) fn into_response(self) -> Response<Body> {
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = Response::new(Body::from(problem.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in self.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        response
    }
}

/// Checks a request for the endpoint's path; the answer switches protocols. A plain Yjs provider names no subprotocol.
///
/// # Errors
/// A [`Refusal`] that tells the client's developer what is missing.
pub(super) fn agree<B>(request: &Request<B>, endpoint: &WsEndpoint, plain: bool) -> Result<Response<Body>, Refusal> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(Refusal {
            headers: &[("allow", "GET")],
            ..Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "a WebSocket is opened with GET")
        });
    }
    if request.version() != Version::HTTP_11 {
        return Err(Refusal::bad_request("a WebSocket is opened with HTTP/1.1"));
    }
    if !has_token(headers, header::UPGRADE, "websocket") || !has_token(headers, header::CONNECTION, "upgrade") {
        return Err(Refusal {
            headers: &[("upgrade", "websocket"), ("connection", "Upgrade")],
            ..Refusal::new(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket: send Upgrade and Connection headers")
        });
    }
    check_origin(headers, &endpoint.origins)?;
    if single(headers, header::SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(Refusal {
            headers: &[("sec-websocket-version", "13"), ("upgrade", "websocket"), ("connection", "Upgrade")],
            ..Refusal::new(StatusCode::UPGRADE_REQUIRED, "only version 13 of the WebSocket protocol is spoken")
        });
    }
    let accept = accept_key(headers)?;
    if !plain {
        check_subprotocol(headers)?;
    }
    let has_length = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_length || headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Refusal::bad_request("the request of a WebSocket has no body"));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if !plain {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    Ok(response)
}

/// The document that an address behind `/v1/yjs/` names, and the ticket in its query.
pub(super) fn wanted(uri: &Uri, endpoint: &WsEndpoint) -> Option<Wanted> {
    let (room, document) = uri.path().strip_prefix(&endpoint.documents)?.split_once('/')?;
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let ticket = query.into_iter().find(|(name, _)| name == "ticket")?.1.into_owned();
    Some(Wanted { room: RoomId::new(room).ok()?, document: DocumentId::new(document).ok()?, ticket })
}

/// A browser tells which page asks, and cannot be made to lie; a request without an origin comes from no browser.
fn check_origin(headers: &HeaderMap, origins: &Origins) -> Result<(), Refusal> {
    let mut given = headers.get_all(header::ORIGIN).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(()),
        (Some(origin), None) if origin.to_str().is_ok_and(|origin| origins.allows(origin)) => Ok(()),
        (Some(_), _) => Err(Refusal::new(StatusCode::FORBIDDEN, "this origin is not allowed")),
    }
}

/// `Sec-WebSocket-Accept` (RFC 6455, section 4.2.2).
fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    let key = single(headers, header::SEC_WEBSOCKET_KEY)
        .filter(|key| BASE64_STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16))
        .ok_or(Refusal::bad_request("Sec-WebSocket-Key must be 16 bytes in base64, once"))?;
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    Ok(HeaderValue::try_from(BASE64_STANDARD.encode(digest)).expect("base64 is ASCII"))
}

fn check_subprotocol(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut offered = false;
    for value in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        let value = value.to_str().map_err(|_| Refusal::bad_request("Sec-WebSocket-Protocol must be ASCII"))?;
        offered |= value.split(',').any(|protocol| protocol.trim() == SUBPROTOCOL);
    }
    if offered {
        Ok(())
    } else {
        Err(Refusal::bad_request("offer the subprotocol `stoa.v1` in Sec-WebSocket-Protocol"))
    }
}

/// The value of a header that is there exactly once.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::trim),
        (None, _) | (Some(_), Some(_)) => None,
    }
}

/// Whether a comma-separated header names `token`, in whatever case.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|there| there.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_key_is_that_of_the_rfc() {
        let mut headers = HeaderMap::new();
        headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        assert_eq!(accept_key(&headers).expect("the example of section 1.3"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn the_refusal_names_the_subprotocol_as_it_is() {
        let refusal = check_subprotocol(&HeaderMap::new()).expect_err("none is offered");
        assert!(refusal.detail.contains(SUBPROTOCOL));
    }
}
