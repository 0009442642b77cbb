//! Deletion and erasure beyond a single message.

use super::{
    error,
    nodes::{self, Moves},
    write::{each, erase, unlink},
};
use crate::storage::{
    Result,
    erasure::{self, DAY_MS, new_epoch, rights_without, without_editor, without_mention, without_user},
    projection::{millis, seq},
    rows,
};
use sqlx::{Sqlite, SqliteConnection, Transaction, query};
use stoa_protocol::{Millis, RoomId, Seq, UserId};

/// See [`crate::storage::Store::delete_room`].
pub async fn delete_room(mut tx: Transaction<'static, Sqlite>, room: &RoomId) -> Result<bool> {
    const GUESTS: &str = "SELECT g.user_id FROM guests g JOIN links l ON l.id = g.link WHERE l.room = ?1";
    let guests = guests_of(&mut tx, GUESTS, room.as_str()).await?;
    let moves = Moves { rooms: [room].into(), users: guests.iter().collect(), ..Moves::default() };
    nodes::moved(&mut tx, &moves).await?;
    let mut gone = 0;
    // The messages' trigger empties the search index.
    for sql in erasure::DELETE_ROOM {
        gone = query(sql).bind(room.as_str()).execute(&mut *tx).await.map_err(error)?.rows_affected();
    }
    tx.commit().await.map_err(error)?;
    Ok(gone > 0)
}

/// Guests whose tokens are about to be revoked.
async fn guests_of(conn: &mut SqliteConnection, sql: &'static str, of: &str) -> Result<Vec<UserId>> {
    let found = query(sql).bind(of).fetch_all(conn).await.map_err(error)?;
    found.iter().map(|row| rows::id(row, 0)).collect()
}

/// See [`crate::storage::Store::expire_messages`].
pub async fn expire(mut tx: Transaction<'static, Sqlite>, now: Millis, limit: u32) -> Result<Vec<(RoomId, Seq)>> {
    // The oldest messages of a room are its lowest places, so that a room without old ones costs one look.
    const ROOMS: &str = "SELECT id, $1 - retention_days * $2 FROM rooms r WHERE retention_days > 0
        AND (SELECT at FROM messages m WHERE m.room = r.id ORDER BY seq LIMIT 1) < $1 - retention_days * $2
        ORDER BY id LIMIT $3";
    const OLD: &str = "SELECT seq FROM (SELECT seq, at FROM messages WHERE room = $1 ORDER BY seq LIMIT $2)
        WHERE at < $3 ORDER BY seq";
    let rooms = query(ROOMS).bind(millis(now)).bind(DAY_MS).bind(erasure::EXPIRY_ROOMS);
    let rooms = rooms.fetch_all(&mut *tx).await.map_err(error)?;
    let mut gone: Vec<(RoomId, Seq)> = Vec::new();
    for row in &rooms {
        let room: RoomId = rows::id(row, 0)?;
        let rest = i64::from(limit) - gone.len() as i64;
        let old = query(OLD).bind(room.as_str()).bind(rest).bind(rows::int(row, 1)?);
        for row in &old.fetch_all(&mut *tx).await.map_err(error)? {
            gone.push((room.clone(), rows::seq(row, 0)?));
        }
    }
    let places: Vec<_> = gone.iter().map(|(room, place)| (room, seq(*place))).collect();
    remove(&mut tx, &places).await?;
    if !gone.is_empty() {
        let moves = Moves { changed: gone.iter().map(|(room, _)| room).collect(), ..Moves::default() };
        nodes::moved(&mut tx, &moves).await?;
    }
    tx.commit().await.map_err(error)?;
    Ok(gone)
}

/// Removes messages without a tombstone; their numbers stay in the log.
async fn remove(conn: &mut SqliteConnection, places: &[(&RoomId, i64)]) -> Result<()> {
    const SENT: &str = "UPDATE events SET body = NULL, stub = NULL WHERE kind = 'chat.sent'
        AND (room, seq) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";
    const EDITS: &str = "UPDATE events SET body = NULL WHERE kind = 'chat.edited'
        AND (room, target) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";
    const MESSAGES: &str =
        "DELETE FROM messages WHERE (room, seq) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";
    for sql in [SENT, EDITS, MESSAGES] {
        each(conn, sql, places).await?;
    }
    unlink(conn, places).await
}

/// See [`crate::storage::Store::erase_user`].
pub async fn erase_user(mut tx: Transaction<'static, Sqlite>, user: &UserId) -> Result<Vec<RoomId>> {
    const GUESTS: &str = "SELECT g.user_id FROM guests g JOIN links l ON l.id = g.link WHERE l.creator = ?1";
    const EPOCHS: &str = "UPDATE rooms SET epoch = ?1 WHERE id IN (SELECT value FROM json_each(?2))";
    let rooms = query(erasure::ROOMS_OF_USER).bind(user.as_str()).fetch_all(&mut *tx).await.map_err(error)?;
    let rooms = rooms.iter().map(|row| rows::id(row, 0)).collect::<Result<Vec<RoomId>>>()?;
    let guests = guests_of(&mut tx, GUESTS, user.as_str()).await?;
    nodes::forget(&mut tx, user).await?;
    let moves =
        Moves { rooms: rooms.iter().collect(), users: guests.iter().chain([user]).collect(), ..Moves::default() };
    nodes::moved(&mut tx, &moves).await?;
    let sent = query(erasure::SENT_BY_USER).bind(user.as_str()).fetch_all(&mut *tx).await.map_err(error)?;
    let sent = sent.iter().map(rows::name).collect::<Result<Vec<_>>>()?;
    let places: Vec<_> = sent.iter().map(|(room, place)| (room, seq(*place))).collect();
    erase(&mut tx, &places).await?;
    undo_rights(&mut tx, user).await?;
    unmention(&mut tx, user).await?;
    let epoch = new_epoch()?;
    for sql in erasure::ERASE_USER {
        query(sql).bind(user.as_str()).execute(&mut *tx).await.map_err(error)?;
    }
    let reset = query(erasure::RESET_USER).bind(user.as_str()).bind(epoch.as_str());
    reset.execute(&mut *tx).await.map_err(error)?;
    let put = query(EPOCHS).bind(epoch.as_str()).bind(crate::storage::projection::json(&rooms));
    put.execute(&mut *tx).await.map_err(error)?;
    tx.commit().await.map_err(error)?;
    Ok(rooms)
}

/// Takes the user out of the rights to documents.
async fn undo_rights(conn: &mut SqliteConnection, user: &UserId) -> Result<()> {
    const PUT: &str = "UPDATE documents SET edit = ?3 WHERE room = ?1 AND document = ?2";
    loop {
        let found = query(erasure::RIGHTS_WITH_USER).bind(user.as_str());
        let found = found.fetch_all(&mut *conn).await.map_err(error)?;
        for row in &found {
            let edit = rights_without(&rows::text(row, 2)?, user)?;
            let put = query(PUT).bind(rows::text(row, 0)?).bind(rows::text(row, 1)?).bind(edit);
            put.execute(&mut *conn).await.map_err(error)?;
        }
        if found.is_empty() {
            return Ok(());
        }
    }
}

/// Takes the user out of the mentions of others' messages, earlier versions included, and out of what was logged about
/// documents.
async fn unmention(conn: &mut SqliteConnection, user: &UserId) -> Result<()> {
    const BODY: &str = "UPDATE events SET body = ?3 WHERE room = ?1 AND seq = ?2";
    const SHOWN: &str = "UPDATE messages SET mentions = ?3 WHERE room = ?1 AND seq = ?2";
    type Without = fn(&str, &UserId) -> Result<Option<String>>;
    let finds: [(&str, &str, Without); 3] = [
        (erasure::BODIES_WITH_USER, BODY, |body, user| without_mention(body, user).map(Some)),
        (erasure::DOCUMENTS_WITH_USER, BODY, |body, user| without_editor(body, user).map(Some)),
        (erasure::MENTIONS_WITH_USER, SHOWN, without_user),
    ];
    for (find, put, without) in finds {
        let mut after = (String::new(), 0);
        loop {
            let found = query(find).bind(user.as_str()).bind(&after.0).bind(after.1);
            let found = found.fetch_all(&mut *conn).await.map_err(error)?;
            for row in &found {
                let text = rows::text(row, 2)?;
                let text = without(&text, user)?;
                after = (rows::text(row, 0)?, seq(rows::seq(row, 1)?));
                let put = query(put).bind(&after.0).bind(after.1).bind(text);
                put.execute(&mut *conn).await.map_err(error)?;
            }
            if found.is_empty() {
                break;
            }
        }
    }
    Ok(())
}
