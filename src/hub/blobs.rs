//! Images beside the documents of a room: who may add and who may see them.

use super::Hub;
use crate::{
    identity::Identity,
    picture,
    storage::{BlobInfo, Put},
};
use sha2::{Digest, Sha256};
use std::{fmt::Write, sync::Arc};
use stoa_protocol::{ErrorCode, Fault, Millis, RoomId, limits};
use tokio_util::sync::CancellationToken;

const DAY_MS: Millis = 24 * 3600 * 1000;
/// How long an image stays that nothing names: somebody may take back what removed it, or come back from a week offline
/// with an edit that names it.
const GRACE_MS: Millis = 14 * DAY_MS;
/// Time between two looks at the same image.
const LOOK_MS: Millis = DAY_MS;
/// Time between two passes, and images that one looks at: each costs the store a look at its room's documents.
const PASS_MS: Millis = 60_000;
const PASS: u32 = 50;

/// Drops images that no document and no version names any more, until shutdown.
pub async fn sweep(hub: Arc<Hub>, shutdown: CancellationToken) {
    loop {
        let deadline = hub.clock.now() + PASS_MS;
        tokio::select! {
            () = hub.clock.sleep_until(deadline) => {}
            () = shutdown.cancelled() => return,
        }
        let now = hub.clock.now();
        match hub.store.sweep_blobs(now, now.saturating_sub(LOOK_MS), now.saturating_sub(GRACE_MS), PASS).await {
            Ok(swept) if swept.dropped > 0 => tracing::info!(dropped = swept.dropped, "images that nothing names"),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "images could not be looked at"),
        }
    }
}

impl Hub {
    /// Whoever is in the room may see its images.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn may_see_blobs(self: &Arc<Self>, who: &Identity, room: &RoomId) -> Result<(), Fault> {
        let cell = self.room(room).await?;
        let live = cell.lock();
        let access = live.room.access(&who.actor(room), self.clock.now());
        access.map(|_| ()).map_err(|_| Fault::not_found("room"))
    }

    /// Whoever may edit one of the room's documents may add images.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `unavailable`.
    pub async fn may_put_blobs(self: &Arc<Self>, who: &Identity, room: &RoomId) -> Result<(), Fault> {
        let cell = self.room(room).await?;
        let live = cell.lock();
        let access = live.room.access(&who.actor(room), self.clock.now()).map_err(|_| Fault::not_found("room"))?;
        match live.room.documents().iter().any(|info| live.room.may_edit(&who.user, &access, info)) {
            true => Ok(()),
            false => Err(Fault::forbidden("you may not edit a document of this room")),
        }
    }

    /// Keeps an image, once however often it is put.
    ///
    /// # Errors
    /// `bad_request` when it is no raster image, `too_large` when it is too large or the room has no space for it,
    /// `not_found`, `forbidden`, `unavailable`.
    pub async fn put_blob(self: &Arc<Self>, who: &Identity, room: &RoomId, content: &[u8]) -> Result<BlobInfo, Fault> {
        self.may_put_blobs(who, room).await?;
        let too_large = |words: String| Fault::new(ErrorCode::TooLarge, words);
        if content.len() > limits::BLOB_BYTES {
            return Err(too_large(format!("an image has {} bytes at most", limits::BLOB_BYTES)));
        }
        let picture = picture::look(content)
            .ok_or_else(|| Fault::bad_request(".", "is no image: PNG, JPEG, GIF and WebP are taken"))?;
        let (width, height) = (picture.width, picture.height);
        let pixels = u64::from(width) * u64::from(height);
        if width.max(height) > limits::IMAGE_SIDE || pixels > limits::IMAGE_PIXELS {
            let (side, most) = (limits::IMAGE_SIDE, limits::IMAGE_PIXELS);
            return Err(too_large(format!("{width} × {height} pixels: a side has {side} at most, an image {most}")));
        }
        let size = content.len() as u64;
        let info = BlobInfo { hash: name(content), media: picture.media.into(), size, width, height };
        let quota = u64::from(self.limits.room_images_mib) * 1024 * 1024;
        let put = self.store.put_blob(room, &info, content, &who.user, self.clock.now(), quota).await;
        match put.map_err(|error| self.store_fault(error))? {
            Put::Kept => Ok(info),
            Put::Full => Err(too_large(format!("the room's images may have {quota} bytes together"))),
            Put::NoRoom => Err(Fault::not_found("room")),
        }
    }

    /// An image with its content.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn blob(
        self: &Arc<Self>,
        who: &Identity,
        room: &RoomId,
        hash: &str,
    ) -> Result<(BlobInfo, Vec<u8>), Fault> {
        self.may_see_blobs(who, room).await?;
        let found = self.store.blob(room, hash).await.map_err(|error| self.store_fault(error))?;
        found.ok_or_else(|| Fault::not_found("image"))
    }
}

/// The name of a content.
fn name(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
