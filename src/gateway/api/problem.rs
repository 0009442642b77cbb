//! Refusals as problems (RFC 9457).

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use stoa_protocol::{ErrorCode, Fault, http::Problem};

/// A refusal as an answer.
pub fn response(fault: Fault) -> Response {
    let status = match (fault.code, fault.field.as_deref()) {
        // RFC 9110, section 15.5.16: the code has no status of its own for this.
        (ErrorCode::Unsupported, Some("Content-Type")) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        (code, _) => StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    with_status(status, fault)
}

/// There is such a thing, but not in this way. Which ways there are is in `Allow`.
pub fn method_not_allowed() -> Response {
    let fault = Fault::new(ErrorCode::Unsupported, "this method is not for this address; see the header Allow");
    with_status(StatusCode::METHOD_NOT_ALLOWED, fault)
}

fn with_status(status: StatusCode, fault: Fault) -> Response {
    let problem = Problem { status: status.as_u16(), ..Problem::from(fault) };
    let json = serde_json::to_vec(&problem).expect("a problem has string keys only");
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(millis) = problem.retry_after_ms {
        // Whole seconds (RFC 9110, section 10.2.3); zero would be an invitation to try at once.
        headers.insert(header::RETRY_AFTER, HeaderValue::from(millis.div_ceil(1_000).max(1)));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
