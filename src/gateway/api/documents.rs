//! Shared documents.

use super::call::{Call, json};
use crate::hub::{DocumentKey, content_json};
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use stoa_protocol::{
    Fault,
    http::{DocumentPage, DocumentTicket, VersionBody, VersionPage, VersionsQuery},
    limits,
};

fn key(call: &Call) -> Result<DocumentKey, Fault> {
    Ok(DocumentKey { room: call.room()?, document: call.path("document")? })
}

/// The records of a room's documents.
pub async fn list(call: Call) -> Result<Response, Fault> {
    let documents = call.hub().document_list(call.who()?, &call.room()?).await?;
    json(StatusCode::OK, &DocumentPage { documents })
}

/// What opens a document for a plain Yjs provider.
pub async fn ticket(call: Call) -> Result<Response, Fault> {
    let (ticket, expires_at) = call.hub().ticket(call.who()?, &key(&call)?).await?;
    json(StatusCode::CREATED, &DocumentTicket { ticket, expires_at })
}

/// The content of now.
pub async fn content(call: Call) -> Result<Response, Fault> {
    Ok(update(call.hub().document_content(call.who()?, &key(&call)?).await?))
}

/// The content of now as JSON.
pub async fn content_as_json(call: Call) -> Result<Response, Fault> {
    let content = call.hub().document_content(call.who()?, &key(&call)?).await?;
    content_json(&content).map(text)
}

/// A page of versions.
pub async fn versions(call: Call) -> Result<Response, Fault> {
    let VersionsQuery { before, limit } = call.query()?;
    if limit.is_some_and(|limit| !(1..=limits::PAGE).contains(&limit)) {
        return Err(Fault::bad_request("limit", format!("is not between 1 and {}", limits::PAGE)));
    }
    let (versions, more) = call.hub().versions(call.who()?, &key(&call)?, before, limit).await?;
    let next = versions.last().filter(|_| more).map(|version| version.version);
    json(StatusCode::OK, &VersionPage { versions, next })
}

/// Keeps a version.
pub async fn keep(call: Call) -> Result<Response, Fault> {
    let VersionBody { title } = call.body()?;
    if title.len() > limits::TITLE_BYTES || title.contains('\0') {
        return Err(Fault::bad_request("title", format!("is longer than {} bytes", limits::TITLE_BYTES)));
    }
    let version = call.hub().keep_version(call.who()?, &key(&call)?, title).await?;
    json(StatusCode::CREATED, &version)
}

/// A version's content.
pub async fn version(call: Call) -> Result<Response, Fault> {
    Ok(update(call.hub().version_content(call.who()?, &key(&call)?, call.path("version")?).await?))
}

/// A version's content as JSON.
pub async fn version_as_json(call: Call) -> Result<Response, Fault> {
    let content = call.hub().version_content(call.who()?, &key(&call)?, call.path("version")?).await?;
    content_json(&content).map(text)
}

/// Sets a document back.
pub async fn restore(call: Call) -> Result<Response, Fault> {
    let version = call.path("version")?;
    let kept = call.hub().restore_document(call.who()?, &key(&call)?, version).await?;
    json(StatusCode::OK, &kept)
}

fn update(content: Vec<u8>) -> Response {
    typed("application/octet-stream", content)
}

fn text(json: String) -> Response {
    typed("application/json", json.into_bytes())
}

/// What people wrote is never taken for a page, whatever it says.
fn typed(media: &'static str, content: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(content));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    response
}
