//! Images of a room. What people send is handed out as what its first bytes are, and as nothing that could run.

use super::{
    Shared,
    call::{Call, json, located},
    turns::{Turn, Turns},
};
use crate::identity::Identity;
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use futures_util::stream;
use std::{convert::Infallible, sync::Arc};
use stoa_protocol::{Fault, Millis, RoomId, http::Blob, http::Operation};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Images in memory at once, on their way in or out, each 5 MiB at most.
const AT_ONCE: usize = 48;
/// Those of one user: three pages with four each. Or one who reads slowly would keep everybody's places.
const AT_ONCE_OF_USER: usize = 12;
/// When a user who has too many may try again, milliseconds.
const RETRY_MS: Millis = 1_000;
/// Bytes that are handed to the socket at once.
const PIECE: usize = 64 * 1024;

/// How many images may be on their way.
pub struct Transfers {
    places: Arc<Semaphore>,
    turns: Turns,
}

impl Default for Transfers {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), turns: Turns::default() }
    }
}

/// An image is on its way until this is dropped.
pub struct Transfer {
    _turn: Turn,
    _place: OwnedSemaphorePermit,
}

impl Transfers {
    /// Waits for a place; who waits too long is told so as for any slow request.
    async fn begin(&self, who: &Identity) -> Result<Transfer, Fault> {
        // Beyond the places one waits; nobody is refused for what others do.
        let most = if who.grants.service { usize::MAX } else { AT_ONCE_OF_USER };
        let turn = self.turns.begin(&who.user, most, usize::MAX);
        let turn = turn.map_err(|_| Fault::rate_limited("too many images at once", RETRY_MS))?;
        let place = self.places.clone().acquire_owned().await.map_err(|_| Fault::internal())?;
        Ok(Transfer { _turn: turn, _place: place })
    }
}

/// Looks at the rights of whoever sends an image before it is read, and waits for a place in memory.
///
/// # Errors
/// As those of the operation.
pub async fn admit(shared: &Arc<Shared>, call: &Call) -> Result<Option<Transfer>, Fault> {
    if call.operation != Operation::BlobPost {
        return Ok(None);
    }
    call.hub().may_put_blobs(call.who()?, &call.room()?).await?;
    shared.transfers.begin(call.who()?).await.map(Some)
}

/// Keeps an image.
pub async fn put(call: Call) -> Result<Response, Fault> {
    let room = call.room()?;
    call.image(call.body.len())?;
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
    let transfer = call.shared.transfers.begin(call.who()?).await?;
    // Who has used up their share is not read for.
    call.image(0)?;
    let (info, content) = call.hub().blob(call.who()?, &room, &hash).await?;
    call.image(content.len())?;
    let tag = HeaderValue::try_from(format!("\"{hash}\"")).map_err(|_| Fault::internal())?;
    let is_known = call.headers.get_all(header::IF_NONE_MATCH).iter().any(|known| known == tag);
    let mut response = match is_known {
        true => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        false => whole(content, transfer),
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
fn whole(content: Vec<u8>, transfer: Transfer) -> Response {
    let length = content.len();
    let content = Bytes::from(content);
    let pieces = stream::unfold((content, transfer), |(mut left, transfer)| async move {
        let piece = left.split_to(left.len().min(PIECE));
        (!piece.is_empty()).then_some((Ok::<_, Infallible>(piece), (left, transfer)))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

impl Call {
    /// The user sends or fetches so many bytes.
    fn image(&self, bytes: usize) -> Result<(), Fault> {
        self.shared.limiter.image(self.who()?, bytes, self.hub().clock().now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_protocol::ErrorCode;

    fn somebody(name: &str, service: bool) -> Identity {
        Identity {
            user: stoa_protocol::UserId::new(name).expect("legal"),
            profile: None,
            grants: crate::identity::Grants { service, ..Default::default() },
            issued_at: 0,
            expires_at: Millis::MAX,
        }
    }

    #[tokio::test]
    async fn one_user_does_not_take_everybodys_places() {
        let transfers = Transfers::default();
        let (ada, ben) = (somebody("ada", false), somebody("ben", false));
        let mut running = Vec::new();
        for _ in 0..AT_ONCE_OF_USER {
            running.push(transfers.begin(&ada).await.expect("there is a place"));
        }
        assert_eq!(transfers.begin(&ada).await.err().map(|fault| fault.code), Some(ErrorCode::RateLimited));
        drop(transfers.begin(&ben).await.expect("others have theirs"));
        running.pop();
        drop(transfers.begin(&ada).await.expect("one has ended"));
        drop(running);
        let service = somebody("backend", true);
        let mut all = Vec::new();
        for _ in 0..AT_ONCE {
            all.push(transfers.begin(&service).await.expect("as many as there are"));
        }
    }
}
