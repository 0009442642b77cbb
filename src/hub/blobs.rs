//! Images beside the documents of a room: who may add and who may see them.

use super::Hub;
use crate::{
    identity::Identity,
    picture,
    storage::{BlobInfo, Put},
};
use sha2::{Digest, Sha256};
use std::{fmt::Write, sync::Arc};
use stoa_protocol::{ErrorCode, Fault, RoomId, limits};

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
