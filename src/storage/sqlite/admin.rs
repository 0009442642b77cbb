//! Deletion and erasure beyond a single message.

use super::{
    error,
    write::{each, erase, unlink},
};
use crate::storage::{
    Result,
    erasure::{DAY_MS, without_mention},
    projection::{millis, seq},
    rows,
};
use sqlx::{Row, Sqlite, SqliteConnection, Transaction, query};
use stoa_protocol::{Millis, RoomId, Seq, UserId};

/// See [`crate::storage::Store::delete_room`].
pub async fn delete_room(mut tx: Transaction<'static, Sqlite>, room: &RoomId) -> Result<bool> {
    // Children before the parent; the messages' trigger empties the search index.
    const CHILDREN: [&str; 8] = [
        "DELETE FROM markers WHERE room = ?1",
        "DELETE FROM bans WHERE room = ?1",
        "DELETE FROM members WHERE room = ?1",
        "DELETE FROM pins WHERE room = ?1",
        "DELETE FROM mentions WHERE room = ?1",
        "DELETE FROM reactions WHERE room = ?1",
        "DELETE FROM messages WHERE room = ?1",
        "DELETE FROM events WHERE room = ?1",
    ];
    for sql in CHILDREN {
        query(sql).bind(room.as_str()).execute(&mut *tx).await.map_err(error)?;
    }
    let gone = query("DELETE FROM rooms WHERE id = ?1").bind(room.as_str()).execute(&mut *tx).await.map_err(error)?;
    tx.commit().await.map_err(error)?;
    Ok(gone.rows_affected() > 0)
}

/// See [`crate::storage::Store::expire_messages`].
pub async fn expire(mut tx: Transaction<'static, Sqlite>, now: Millis, limit: u32) -> Result<Vec<(RoomId, Seq)>> {
    const ROOMS: &str = "SELECT id, retention_days FROM rooms WHERE retention_days > 0";
    // The oldest messages of a room are its lowest places, so that a room without old ones costs one look.
    const OLD: &str = "SELECT seq FROM (SELECT seq, at FROM messages WHERE room = ?1 ORDER BY seq LIMIT ?2)
        WHERE at < ?3 ORDER BY seq";
    let rooms = query(ROOMS).fetch_all(&mut *tx).await.map_err(error)?;
    let mut gone: Vec<(RoomId, Seq)> = Vec::new();
    for row in &rooms {
        let room: RoomId = rows::id(row, 0)?;
        let before = millis(now) - row.try_get::<i64, _>(1).map_err(error)?.saturating_mul(DAY_MS);
        let rest = i64::from(limit) - gone.len() as i64;
        let old = query(OLD).bind(room.as_str()).bind(rest).bind(before).fetch_all(&mut *tx).await.map_err(error)?;
        for row in &old {
            gone.push((room.clone(), rows::seq(row, 0)?));
        }
        if gone.len() as i64 >= i64::from(limit) {
            break;
        }
    }
    let places: Vec<_> = gone.iter().map(|(room, place)| (room, seq(*place))).collect();
    remove(&mut tx, &places).await?;
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
    const ROOMS: &str = "SELECT room FROM events WHERE sender = ?1 UNION SELECT room FROM events WHERE subject = ?1
        UNION SELECT room FROM members WHERE user_id = ?1 UNION SELECT room FROM bans WHERE user_id = ?1
        UNION SELECT room FROM markers WHERE user_id = ?1 UNION SELECT room FROM mentions WHERE user_id = ?1
        UNION SELECT room FROM reactions WHERE user_id = ?1 UNION SELECT id FROM rooms WHERE creator = ?1
        ORDER BY 1";
    const SENT: &str = "SELECT m.room, m.seq FROM events e JOIN messages m ON m.room = e.room AND m.seq = e.seq
        WHERE e.sender = ?1 AND e.kind = 'chat.sent' ORDER BY 1, 2";
    let rooms = query(ROOMS).bind(user.as_str()).fetch_all(&mut *tx).await.map_err(error)?;
    let rooms = rooms.iter().map(|row| rows::id(row, 0)).collect::<Result<Vec<RoomId>>>()?;
    let sent = query(SENT).bind(user.as_str()).fetch_all(&mut *tx).await.map_err(error)?;
    let sent = sent
        .iter()
        .map(|row| Ok((rows::id(row, 0)?, seq(rows::seq(row, 1)?))))
        .collect::<Result<Vec<(RoomId, _)>>>()?;
    let places: Vec<_> = sent.iter().map(|(room, place)| (room, *place)).collect();
    erase(&mut tx, &places).await?;
    unmention(&mut tx, user).await?;
    for sql in ERASE {
        query(*sql).bind(user.as_str()).execute(&mut *tx).await.map_err(error)?;
    }
    const EPOCHS: &str = "UPDATE rooms SET epoch = lower(hex(randomblob(8)))
        WHERE id IN (SELECT value FROM json_each(?1))";
    each(&mut tx, EPOCHS, &rooms).await?;
    tx.commit().await.map_err(error)?;
    Ok(rooms)
}

/// What is left of a user after their messages, in an order that needs no row twice. The user's row stays with its id
/// and the revocation alone, or a token issued before would open the door again; its log begins anew.
const ERASE: &[&str] = &[
    "UPDATE messages SET sender = NULL WHERE sender = ?1",
    "UPDATE events SET body = NULL WHERE subject = ?1",
    "UPDATE events SET body = NULL WHERE sender = ?1 AND kind IN ('chat.sent', 'chat.edited', 'chat.reacted', 'app')",
    "UPDATE events SET subject = NULL WHERE subject = ?1",
    "UPDATE events SET sender = NULL, key = NULL, digest = NULL WHERE sender = ?1",
    "DELETE FROM reactions WHERE user_id = ?1",
    "DELETE FROM mentions WHERE user_id = ?1",
    "DELETE FROM members WHERE user_id = ?1",
    "DELETE FROM bans WHERE user_id = ?1",
    "DELETE FROM markers WHERE user_id = ?1",
    "UPDATE rooms SET creator = NULL WHERE creator = ?1",
    "DELETE FROM user_events WHERE user_id = ?1",
    "UPDATE user_events SET body = NULL WHERE sender = ?1 AND kind = 'user.app'",
    "UPDATE user_events SET sender = NULL, key = NULL, digest = NULL WHERE sender = ?1",
    "UPDATE users SET epoch = lower(hex(randomblob(8))), head_seq = 0, name = NULL, avatar = NULL, status = '',
        last_seen = NULL WHERE id = ?1",
];

/// Takes the user out of the mentions of others' messages, earlier versions included.
async fn unmention(conn: &mut SqliteConnection, user: &UserId) -> Result<()> {
    const BODIES: &str = "SELECT e.room, e.seq, e.body FROM mentions x
        JOIN events e ON e.room = x.room AND (e.seq = x.seq OR e.target = x.seq)
        WHERE x.user_id = ?1 AND e.kind IN ('chat.sent', 'chat.edited') AND e.body IS NOT NULL
          AND (e.room, e.seq) > (?2, ?3) ORDER BY e.room, e.seq LIMIT 500";
    const SHOWN: &str = "UPDATE messages SET mentions = (
            SELECT nullif(json_group_array(value), '[]') FROM json_each(messages.mentions) WHERE value <> ?1)
        WHERE (room, seq) IN (SELECT room, seq FROM mentions WHERE user_id = ?1 AND shown = 1)";
    let mut after = (String::new(), 0);
    loop {
        let found = query(BODIES).bind(user.as_str()).bind(&after.0).bind(after.1);
        let found = found.fetch_all(&mut *conn).await.map_err(error)?;
        for row in &found {
            let body = without_mention(&rows::text(row, 2)?, user)?;
            let put = query("UPDATE events SET body = ?3 WHERE room = ?1 AND seq = ?2");
            after = (rows::text(row, 0)?, seq(rows::seq(row, 1)?));
            put.bind(&after.0).bind(after.1).bind(body).execute(&mut *conn).await.map_err(error)?;
        }
        if found.is_empty() {
            break;
        }
    }
    query(SHOWN).bind(user.as_str()).execute(conn).await.map_err(error)?;
    Ok(())
}
