//! Shared documents.

use super::{
    call::{Call, json, located, nothing},
    members::committed,
};
use crate::hub::{DocumentKey, content_json};
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use stoa_protocol::{
    Command, DocCreate, DocDelete, DocUpdate, DocumentInfo, ErrorCode, Fault,
    http::{DocumentBody, DocumentChange, DocumentPage, DocumentTicket, VersionBody, VersionPage, VersionsQuery},
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

/// Creates a document.
pub async fn put(call: Call) -> Result<Response, Fault> {
    let DocumentKey { room, document } = key(&call)?;
    let DocumentBody { kind, title, edit, locked, data } = call.body()?;
    let wanted = DocumentInfo { document: document.clone(), kind, title, edit, locked, data, created_at: 0 };
    let DocumentInfo { title, edit, data, .. } = wanted.clone();
    let key = call.key_or_fresh(None)?;
    let create = DocCreate { room: room.clone(), key, document: document.clone(), kind, title, edit, locked, data };
    let created = call.hub().command(call.who()?, Command::DocCreate(create)).await;
    let info = record(&call).await;
    let status = match (created, &info) {
        (Ok(_), _) => StatusCode::CREATED,
        // Whoever did not hear the answer asks again, and gets it.
        (Err(fault), Ok(there))
            if fault.code == ErrorCode::Conflict
                && *there == (DocumentInfo { created_at: there.created_at, ..wanted }) =>
        {
            StatusCode::OK
        }
        (Err(fault), _) => return Err(fault),
    };
    let place = call.location(&format!("/v1/rooms/{room}/documents/{document}"));
    Ok(located(json(status, &info?)?, place))
}

/// A document's record.
pub async fn get(call: Call) -> Result<Response, Fault> {
    json(StatusCode::OK, &record(&call).await?)
}

/// Changes a document's record.
pub async fn patch(call: Call) -> Result<Response, Fault> {
    let DocumentKey { room, document } = key(&call)?;
    let DocumentChange { title, edit, locked, data } = call.body()?;
    let update = DocUpdate { room, key: call.key_or_fresh(None)?, document, title, edit, locked, data };
    call.hub().command(call.who()?, Command::DocUpdate(update)).await?;
    json(StatusCode::OK, &record(&call).await?)
}

/// Deletes a document.
pub async fn delete(call: Call) -> Result<Response, Fault> {
    let DocumentKey { room, document } = key(&call)?;
    let delete = DocDelete { room: room.clone(), key: call.key_or_fresh(None)?, document };
    committed(room, call.hub().command(call.who()?, Command::DocDelete(delete)).await?)
}

async fn record(call: &Call) -> Result<DocumentInfo, Fault> {
    call.hub().document_access(call.who()?, &key(call)?).await.map(|(info, _)| info)
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

/// Deletes a version.
pub async fn forget(call: Call) -> Result<Response, Fault> {
    call.hub().delete_version(call.who()?, &key(&call)?, call.path("version")?).await?;
    Ok(nothing())
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
