//! Images of a room. What people send is handed out as what its first bytes are, and as nothing that could run.

use super::{
    Shared,
    call::{Call, json, located},
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use futures_util::stream;
use std::{convert::Infallible, sync::Arc};
use stoa_protocol::{Fault, RoomId, http::Blob, http::Operation};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Images in memory at once, on their way in or out, each 5 MiB at most.
const AT_ONCE: usize = 48;
/// Bytes that are handed to the socket at once.
const PIECE: usize = 64 * 1024;

/// How many images may be on their way.
pub struct Transfers(Arc<Semaphore>);

impl Default for Transfers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Transfers {
    /// Waits for a place; who waits too long is told so as for any slow request.
    async fn begin(&self) -> Result<OwnedSemaphorePermit, Fault> {
        self.0.clone().acquire_owned().await.map_err(|_| Fault::internal())
    }
}

/// Looks at the rights of whoever sends an image before it is read, and waits for a place in memory.
///
/// # Errors
/// As those of the operation.
pub async fn admit(shared: &Arc<Shared>, call: &Call) -> Result<Option<OwnedSemaphorePermit>, Fault> {
    if call.operation != Operation::BlobPost {
        return Ok(None);
    }
    call.hub().may_put_blobs(call.who()?, &call.room()?).await?;
    shared.transfers.begin().await.map(Some)
}

/// Keeps an image.
pub async fn put(call: Call) -> Result<Response, Fault> {
    let room = call.room()?;
    let info = call.hub().put_blob(call.who()?, &room, &call.body).await?;
    let place = call.location(&format!("/v1/rooms/{room}/blobs/{}", info.hash));
    let (hash, media, size) = (info.hash, info.media, info.size);
    let blob = Blob { hash, media, size, width: info.width, height: info.height };
    Ok(located(json(StatusCode::CREATED, &blob)?, place))
}

/// An image.
pub async fn get(call: Call) -> Result<Response, Fault> {
    let (room, hash): (RoomId, String) = (call.room()?, call.path("hash")?);
    call.hub().may_see_blobs(call.who()?, &room).await?;
    let is_name = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_name {
        return Err(Fault::not_found("image"));
    }
    let permit = call.shared.transfers.begin().await?;
    let (info, content) = call.hub().blob(call.who()?, &room, &hash).await?;
    let tag = HeaderValue::try_from(format!("\"{hash}\"")).map_err(|_| Fault::internal())?;
    let is_known = call.headers.get_all(header::IF_NONE_MATCH).iter().any(|known| known == tag);
    let mut response = match is_known {
        true => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        false => whole(content, permit),
    };
    let media = HeaderValue::try_from(&info.media).map_err(|_| Fault::internal())?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media);
    headers.insert(header::ETAG, tag);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    let kind = info.media.rsplit('/').next().unwrap_or("bin");
    let disposition = HeaderValue::try_from(format!("inline; filename=\"image.{kind}\""));
    headers.insert(header::CONTENT_DISPOSITION, disposition.map_err(|_| Fault::internal())?);
    // The content never changes, but who may see it does: each use is asked for, and answered in a line.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// The whole content with its length; its place is free when the last piece has been taken or the reader is gone.
fn whole(content: Vec<u8>, permit: OwnedSemaphorePermit) -> Response {
    let length = content.len();
    let content = Bytes::from(content);
    let pieces = stream::unfold((content, permit), |(mut left, permit)| async move {
        let piece = left.split_to(left.len().min(PIECE));
        (!piece.is_empty()).then_some((Ok::<_, Infallible>(piece), (left, permit)))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}
