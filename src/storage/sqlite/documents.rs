//! Shared documents and images.

use super::{
    CALL, SqliteStore, error,
    nodes::{self, Moves},
    within,
    write::each,
};
use crate::storage::{
    BlobInfo, Blobs, DocumentBatch, DocumentKey, Documents, NewVersion, Put, Result, Saved, StoreError, StoredDocument,
    Swept,
    projection::{Changes, millis, word},
    rows,
};
use async_trait::async_trait;
use sqlx::{SqliteConnection, query};
use stoa_protocol::{DocumentVersion, Epoch, Millis, RoomId, UserId};

/// Writes a batch's changes of documents' records. A deleted document takes its content along.
pub async fn records(conn: &mut SqliteConnection, changes: &Changes) -> Result<()> {
    // The row that a save locks goes first.
    const GONE: [&str; 5] = [
        "DELETE FROM document_states
          WHERE (room, document) IN (SELECT value ->> 'room', value ->> 'document' FROM json_each(?1))",
        "DELETE FROM document_updates
          WHERE (room, document) IN (SELECT value ->> 'room', value ->> 'document' FROM json_each(?1))",
        "DELETE FROM document_clients
          WHERE (room, document) IN (SELECT value ->> 'room', value ->> 'document' FROM json_each(?1))",
        "DELETE FROM document_versions
          WHERE (room, document) IN (SELECT value ->> 'room', value ->> 'document' FROM json_each(?1))",
        "DELETE FROM documents
          WHERE (room, document) IN (SELECT value ->> 'room', value ->> 'document' FROM json_each(?1))",
    ];
    const PUT: &str = "
        INSERT OR REPLACE INTO documents (room, document, kind, title, edit, locked, data, created_at)
        SELECT value ->> 'room', value ->> 'document', value ->> 'kind', value ->> 'title', value ->> 'edit',
            value ->> 'locked', value ->> 'data', value ->> 'created_at'
          FROM json_each(?1)";
    for sql in GONE {
        each(conn, sql, &changes.undocuments).await?;
    }
    each(conn, PUT, &changes.documents).await.map(drop)
}

const BEGIN: &str = "INSERT INTO document_states (room, document, epoch)
    SELECT id, ?2, ?3 FROM rooms WHERE id = ?1 AND kind IS NOT NULL ON CONFLICT (room, document) DO NOTHING";
const STATE: &str = "SELECT epoch, head, folded, content FROM document_states WHERE room = ?1 AND document = ?2";
const UPDATES: &str =
    "SELECT content FROM document_updates WHERE room = ?1 AND document = ?2 AND seq > ?3 ORDER BY seq";
const CLIENTS: &str = "SELECT client, user_id FROM document_clients WHERE room = ?1 AND document = ?2";
const MOVE: &str = "UPDATE document_states SET head = head + 1 WHERE room = ?1 AND document = ?2 AND epoch = ?3
    RETURNING head";
const ADD: &str = "INSERT INTO document_updates (room, document, seq, content) VALUES (?1, ?2, ?3, ?4)";
const CLAIM: &str = "INSERT INTO document_clients (room, document, client, user_id) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (room, document, client) DO NOTHING";
const FOLD: &str = "UPDATE document_states SET folded = ?4, content = ?5
    WHERE room = ?1 AND document = ?2 AND epoch = ?3 AND folded <= ?4";
const FOLDED: &str = "DELETE FROM document_updates WHERE room = ?1 AND document = ?2 AND seq <= ?3";
const PUT_VERSION: &str = "
    INSERT INTO document_versions (room, document, version, at, reason, title, user_id, size, content)
    SELECT room, document, 1 + coalesce((SELECT max(version) FROM document_versions WHERE room = ?1 AND document = ?2), 0),
        ?3, ?4, ?5, ?6, ?7, ?8
      FROM document_states WHERE room = ?1 AND document = ?2
    RETURNING version, at, reason, title, user_id, size";
const THIN: &str = "DELETE FROM document_versions WHERE room = ?1 AND document = ?2 AND reason = ?3 AND version NOT IN
    (SELECT version FROM document_versions WHERE room = ?1 AND document = ?2 AND reason = ?3
      ORDER BY version DESC LIMIT ?4)";
const VERSIONS: &str = "SELECT version, at, reason, title, user_id, size FROM document_versions
    WHERE room = ?1 AND document = ?2 AND version < ?3 ORDER BY version DESC LIMIT ?4";
const VERSION: &str = "SELECT version, at, reason, title, user_id, size, content FROM document_versions
    WHERE room = ?1 AND document = ?2 AND version = ?3";
const DROP_VERSION: &str = "DELETE FROM document_versions WHERE room = ?1 AND document = ?2 AND version = ?3";
const USED: &str = "SELECT (SELECT coalesce(sum(size), 0) FROM blobs WHERE room = r.id AND hash <> ?2) FROM rooms r
    WHERE r.id = ?1 AND r.kind IS NOT NULL";
const PUT_BLOB: &str = "INSERT INTO blobs (room, hash, media, size, width, height, at, user_id, content)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (room, hash) DO UPDATE SET unused_since = NULL";
const BLOB: &str = "SELECT hash, media, size, width, height, content FROM blobs WHERE room = ?1 AND hash = ?2";
const DROP_BLOB: &str = "DELETE FROM blobs WHERE room = ?1 AND hash = ?2";
const UNCHECKED: &str = "SELECT room, hash FROM blobs WHERE checked_at < ?1 ORDER BY checked_at LIMIT ?2";
// Names stand in content as they are. What is used is mostly found in the first table.
const NAMED: &str = "SELECT 1 WHERE
    EXISTS (SELECT 1 FROM document_states WHERE room = ?1 AND instr(content, ?2) > 0)
    OR EXISTS (SELECT 1 FROM document_updates WHERE room = ?1 AND instr(content, ?2) > 0)
    OR EXISTS (SELECT 1 FROM document_versions WHERE room = ?1 AND instr(content, ?2) > 0)";
const USED_NOW: &str = "UPDATE blobs SET checked_at = ?3, unused_since = NULL WHERE room = ?1 AND hash = ?2";
const UNUSED_NOW: &str = "UPDATE blobs SET checked_at = ?3, unused_since = coalesce(unused_since, ?3)
    WHERE room = ?1 AND hash = ?2";
const DROP_UNUSED: &str = "DELETE FROM blobs WHERE room = ?1 AND hash = ?2 AND unused_since < ?3";

/// Runs a statement.
macro_rules! run {
    ($conn:expr, $sql:expr $(, $bind:expr)*) => {
        query($sql)$(.bind($bind))*.execute(&mut *$conn).await.map_err(error)?.rows_affected()
    };
}
macro_rules! maybe {
    ($conn:expr, $sql:expr $(, $bind:expr)*) => {
        query($sql)$(.bind($bind))*.fetch_optional(&mut *$conn).await.map_err(error)?
    };
}
macro_rules! all {
    ($conn:expr, $sql:expr $(, $bind:expr)*) => {
        query($sql)$(.bind($bind))*.fetch_all(&mut *$conn).await.map_err(error)?
    };
}

/// A number as the databases keep it.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

async fn load(tx: &mut SqliteConnection, key: &DocumentKey, fresh: &Epoch) -> Result<Option<StoredDocument>> {
    let (room, document) = (key.room.as_str(), key.document.as_str());
    let mut state = maybe!(tx, STATE, room, document);
    if state.is_none() {
        run!(tx, BEGIN, room, document, fresh.as_str());
        state = maybe!(tx, STATE, room, document);
    }
    let Some(state) = state else { return Ok(None) };
    let updates = all!(tx, UPDATES, room, document, rows::int(&state, 2)?);
    let clients = all!(tx, CLIENTS, room, document);
    Ok(Some(StoredDocument {
        epoch: rows::id(&state, 0)?,
        head: rows::int(&state, 1)?.unsigned_abs(),
        folded: rows::Cells::bytes(&state, 3)?.map(<[u8]>::to_vec),
        updates: updates.iter().map(|row| rows::content(row, 0)).collect::<Result<_>>()?,
        clients: clients.iter().map(rows::client).collect::<Result<_>>()?,
    }))
}

async fn save(tx: &mut SqliteConnection, batches: &[DocumentBatch]) -> Result<Vec<Saved>> {
    let mut saved = vec![Saved::Void; batches.len()];
    // In the order of names, so that two nodes that save the same documents do not wait for each other.
    let mut order: Vec<_> = batches.iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| a.key.cmp(&b.key));
    for (place, batch) in order {
        let (room, document) = (batch.key.room.as_str(), batch.key.document.as_str());
        let Some(moved) = maybe!(tx, MOVE, room, document, batch.epoch.as_str()) else { continue };
        run!(tx, ADD, room, document, rows::int(&moved, 0)?, batch.update.as_slice());
        for (client, user) in &batch.claims {
            run!(tx, CLAIM, room, document, int(*client), user.as_str());
        }
        saved[place] = Saved::Yes(rows::int(&moved, 0)?.unsigned_abs());
    }
    let told =
        batches.iter().zip(&saved).filter(|(_, saved)| matches!(saved, Saved::Yes(_))).map(|(batch, _)| &batch.key);
    let moves = Moves { documents: told.collect(), ..Moves::default() };
    if !moves.documents.is_empty() {
        nodes::moved(tx, &moves).await?;
    }
    Ok(saved)
}

async fn fold(tx: &mut SqliteConnection, key: &DocumentKey, epoch: &Epoch, upto: u64, content: &[u8]) -> Result<()> {
    let (room, document) = (key.room.as_str(), key.document.as_str());
    if run!(tx, FOLD, room, document, epoch.as_str(), int(upto), content) > 0 {
        run!(tx, FOLDED, room, document, int(upto));
    }
    Ok(())
}

async fn put_version(
    tx: &mut SqliteConnection,
    key: &DocumentKey,
    version: &NewVersion,
    most: u32,
) -> Result<DocumentVersion> {
    let (room, document) = (key.room.as_str(), key.document.as_str());
    let NewVersion { at, reason, title, by, content } = version;
    let (reason, size) = (word(*reason), int(content.len() as u64));
    let by = by.as_ref().map(UserId::as_str);
    let put = maybe!(
        tx,
        PUT_VERSION,
        room,
        document,
        millis(*at),
        reason.as_str(),
        title.as_str(),
        by,
        size,
        content.as_slice()
    );
    let put = put.ok_or_else(|| StoreError::Refused("there is no such document".into()))?;
    run!(tx, THIN, room, document, reason.as_str(), i64::from(most));
    rows::version(&put)
}

async fn put_blob(
    tx: &mut SqliteConnection,
    room: &RoomId,
    info: &BlobInfo,
    content: &[u8],
    by: &UserId,
    at: Millis,
    quota: u64,
) -> Result<Put> {
    let Some(used) = maybe!(tx, USED, room.as_str(), info.hash.as_str()) else { return Ok(Put::NoRoom) };
    if rows::int(&used, 0)?.unsigned_abs() + info.size > quota {
        return Ok(Put::Full);
    }
    let (width, height) = (i64::from(info.width), i64::from(info.height));
    run!(
        tx,
        PUT_BLOB,
        room.as_str(),
        info.hash.as_str(),
        info.media.as_str(),
        int(info.size),
        width,
        height,
        millis(at),
        by.as_str(),
        content
    );
    Ok(Put::Kept)
}

#[async_trait]
impl Documents for SqliteStore {
    async fn load_document(&self, key: &DocumentKey, fresh: &Epoch) -> Result<Option<StoredDocument>> {
        within(CALL, async {
            let mut tx = self.writer().await?;
            let loaded = load(&mut tx, key, fresh).await?;
            tx.commit().await.map_err(error)?;
            Ok(loaded)
        })
        .await
    }

    async fn save_documents(&self, batches: &[DocumentBatch]) -> Result<Vec<Saved>> {
        within(CALL, async {
            let mut tx = self.writer().await?;
            let saved = save(&mut tx, batches).await?;
            tx.commit().await.map_err(error)?;
            Ok(saved)
        })
        .await
    }

    async fn fold_document(&self, key: &DocumentKey, epoch: &Epoch, upto: u64, content: &[u8]) -> Result<()> {
        within(CALL, async {
            let mut tx = self.writer().await?;
            fold(&mut tx, key, epoch, upto, content).await?;
            tx.commit().await.map_err(error)
        })
        .await
    }

    async fn put_version(&self, key: &DocumentKey, version: &NewVersion, most: u32) -> Result<DocumentVersion> {
        within(CALL, async {
            let mut tx = self.writer().await?;
            let put = put_version(&mut tx, key, version, most).await?;
            tx.commit().await.map_err(error)?;
            Ok(put)
        })
        .await
    }

    async fn versions(&self, key: &DocumentKey, before: Option<u64>, limit: u32) -> Result<Vec<DocumentVersion>> {
        within(CALL, async {
            let mut conn = self.reader().await?;
            let (room, document) = (key.room.as_str(), key.document.as_str());
            let found = all!(conn, VERSIONS, room, document, int(before.unwrap_or(u64::MAX)), i64::from(limit));
            found.iter().map(rows::version).collect()
        })
        .await
    }

    async fn version(&self, key: &DocumentKey, version: u64) -> Result<Option<(DocumentVersion, Vec<u8>)>> {
        within(CALL, async {
            let mut conn = self.reader().await?;
            let row = maybe!(conn, VERSION, key.room.as_str(), key.document.as_str(), int(version));
            row.map(|row| Ok((rows::version(&row)?, rows::content(&row, 6)?))).transpose()
        })
        .await
    }

    async fn drop_version(&self, key: &DocumentKey, version: u64) -> Result<bool> {
        within(CALL, async {
            let mut tx = self.writer().await?;
            let gone = run!(tx, DROP_VERSION, key.room.as_str(), key.document.as_str(), int(version));
            tx.commit().await.map_err(error)?;
            Ok(gone > 0)
        })
        .await
    }
}

#[async_trait]
impl Blobs for SqliteStore {
    async fn put_blob(
        &self,
        room: &RoomId,
        info: &BlobInfo,
        content: &[u8],
        by: &UserId,
        at: Millis,
        quota: u64,
    ) -> Result<Put> {
        within(CALL, async {
            let mut tx = self.writer().await?;
            let put = put_blob(&mut tx, room, info, content, by, at, quota).await?;
            tx.commit().await.map_err(error)?;
            Ok(put)
        })
        .await
    }

    async fn blob(&self, room: &RoomId, hash: &str) -> Result<Option<(BlobInfo, Vec<u8>)>> {
        within(CALL, async {
            let mut conn = self.reader().await?;
            let row = maybe!(conn, BLOB, room.as_str(), hash);
            row.map(|row| Ok((rows::blob(&row)?, rows::content(&row, 5)?))).transpose()
        })
        .await
    }

    async fn drop_blob(&self, room: &RoomId, hash: &str) -> Result<bool> {
        within(CALL, async {
            let mut tx = self.writer().await?;
            let gone = run!(tx, DROP_BLOB, room.as_str(), hash);
            tx.commit().await.map_err(error)?;
            Ok(gone > 0)
        })
        .await
    }

    async fn sweep_blobs(&self, now: Millis, checked: Millis, unused: Millis, limit: u32) -> Result<Swept> {
        let images = within(CALL, async {
            let mut conn = self.reader().await?;
            Ok(all!(conn, UNCHECKED, millis(checked), i64::from(limit)))
        })
        .await?;
        let mut swept = Swept::default();
        for image in &images {
            let (room, hash) = (rows::text(image, 0)?, rows::text(image, 1)?);
            // Read apart from what writes: there is one writer, and large content takes its time.
            let named = within(CALL, async {
                let mut conn = self.reader().await?;
                Ok(maybe!(conn, NAMED, &room, hash.as_bytes()).is_some())
            })
            .await?;
            let dropped = within(CALL, async {
                let mut tx = self.writer().await?;
                run!(tx, if named { USED_NOW } else { UNUSED_NOW }, &room, &hash, millis(now));
                let dropped = if named { 0 } else { run!(tx, DROP_UNUSED, &room, &hash, millis(unused)) };
                tx.commit().await.map_err(error)?;
                Ok(dropped)
            })
            .await?;
            swept.looked += 1;
            swept.dropped += u32::from(dropped > 0);
        }
        Ok(swept)
    }
}
