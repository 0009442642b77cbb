//! Which pages may call the API (the Fetch standard, section 3.3). There are no cookies, so credentials are never
//! allowed; the token is a header that a page adds itself.

use crate::config::Origins;
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use stoa_protocol::{
    Fault,
    http::{self, Access, Operation},
};

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, idempotency-key");
const EXPOSED: HeaderValue = HeaderValue::from_static("location, retry-after");
/// Seconds for which a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The answer to a preflight; `None` when the request is none.
pub fn preflight(origins: &Origins, request: &Request) -> Option<Response> {
    let headers = request.headers();
    if request.method() != Method::OPTIONS || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let origin = headers.get(header::ORIGIN)?;
    if !allows(origins, origin) {
        return Some(super::problem::response(refused()));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    Some(response)
}

/// Lets a page of an allowed origin read the answer. What lets every page read it has said so itself.
pub fn allow(origins: &Origins, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    // What has a policy of its own says there who may show it (Content Security Policy, level 3, section 6.4.2).
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        return;
    }
    // Caches must not hand one origin's answer to another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.filter(|origin| allows(origins, origin)) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

/// Refuses pages of other origins before anything is done: not every request of a page is preceded by a preflight.
///
/// # Errors
/// `forbidden`.
pub fn check(origins: &Origins, operation: Operation, headers: &HeaderMap) -> Result<(), Fault> {
    let harmless = operation.access() == Access::Open && operation.method() == http::Method::Get;
    match headers.get(header::ORIGIN) {
        Some(origin) if !harmless && !allows(origins, origin) => Err(refused()),
        Some(_) | None => Ok(()),
    }
}

fn allows(origins: &Origins, origin: &HeaderValue) -> bool {
    origin.to_str().is_ok_and(|origin| origins.allows(origin))
}

fn refused() -> Fault {
    Fault::forbidden("pages of this origin may not call the server; see the key allowed_origin")
}
