//! Deletion and erasure beyond a single message. Each locks the rooms that it touches, in id order, as writers do.

use super::{
    conn::{Conn, Pools},
    write::{Name, each, erase, unlink},
};
use crate::storage::{
    Result, StoreError,
    erasure::{self, DAY_MS, new_epoch, rights_without, without_editor, without_mention, without_user},
    projection::{millis, seq},
    rows,
};
use sqlx::query;
use stoa_protocol::{Millis, RoomId, Seq, UserId};

/// How often an erasure begins anew because the user wrote into a further room meanwhile.
const TRIES: usize = 5;

/// Ends a long transaction: commits it, or takes it back and passes the error on.
async fn end<T>(mut conn: Conn, outcome: Result<T>) -> Result<T> {
    match outcome {
        Ok(value) => {
            conn.simple("COMMIT").await?;
            Ok(value)
        }
        Err(error) => {
            conn.roll_back();
            Err(error)
        }
    }
}

/// See [`crate::storage::Store::delete_room`].
pub async fn delete_room(pools: &Pools, room: &RoomId) -> Result<bool> {
    let mut conn = pools.begin_long().await?;
    let outcome = delete(&mut conn, room).await;
    end(conn, outcome).await
}

async fn delete(conn: &mut Conn, room: &RoomId) -> Result<bool> {
    // Its guests' tokens are revoked with it.
    const MOVED: &str = "INSERT INTO moves (rooms, users) SELECT ARRAY[$1], array_agg(g.user_id)
        FROM guests g JOIN links l ON l.id = g.link WHERE l.room = $1";
    conn.run(query("SELECT 1 FROM rooms WHERE id = $1 FOR UPDATE").bind(room.as_str())).await?;
    conn.run(query(MOVED).bind(room.as_str())).await?;
    let mut gone = 0;
    for sql in erasure::DELETE_ROOM {
        gone = conn.run(query(sql).bind(room.as_str())).await?;
    }
    Ok(gone > 0)
}

/// See [`crate::storage::Store::expire_messages`].
pub async fn expire(pools: &Pools, now: Millis, limit: u32) -> Result<Vec<(RoomId, Seq)>> {
    let mut conn = pools.begin_long().await?;
    let outcome = expire_in(&mut conn, now, limit).await;
    end(conn, outcome).await
}

async fn expire_in(conn: &mut Conn, now: Millis, limit: u32) -> Result<Vec<(RoomId, Seq)>> {
    // The oldest messages of a room are its lowest places, so that a room without old ones costs one look. Another
    // node that expires the same rooms is passed by.
    const ROOMS: &str = "SELECT id, $1 - retention_days * $2 FROM rooms r WHERE retention_days > 0
        AND (SELECT at FROM messages m WHERE m.room = r.id ORDER BY seq LIMIT 1) < $1 - retention_days * $2
        ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED";
    const OLD: &str = "SELECT room, seq FROM unnest($1::text[], $2::bigint[]) AS r (id, before)
        CROSS JOIN LATERAL (SELECT room, seq, at FROM messages WHERE room = r.id ORDER BY seq LIMIT $3) AS m
        WHERE m.at < r.before ORDER BY room, seq LIMIT $3";
    const SENT: &str = "UPDATE events e SET body = NULL, stub = NULL
        FROM json_to_recordset($1::json) AS t (room text, seq bigint)
        WHERE e.kind = 'chat.sent' AND e.room = t.room AND e.seq = t.seq";
    const EDITS: &str = "UPDATE events e SET body = NULL FROM json_to_recordset($1::json) AS t (room text, seq bigint)
        WHERE e.kind = 'chat.edited' AND e.room = t.room AND e.target = t.seq";
    const MESSAGES: &str = "DELETE FROM messages m USING json_to_recordset($1::json) AS t (room text, seq bigint)
        WHERE m.room = t.room AND m.seq = t.seq";
    const MOVED: &str = "INSERT INTO moves (changed)
        SELECT array_agg(DISTINCT id) FROM unnest($1::text[]) AS x (id) HAVING count(*) > 0";
    let found = conn.all(query(ROOMS).bind(millis(now)).bind(DAY_MS).bind(erasure::EXPIRY_ROOMS)).await?;
    let rooms = found.iter().map(|row| rows::text(row, 0)).collect::<Result<Vec<_>>>()?;
    let before = found.iter().map(|row| rows::int(row, 1)).collect::<Result<Vec<_>>>()?;
    let gone = conn.all(query(OLD).bind(rooms).bind(before).bind(i64::from(limit))).await?;
    let gone = gone.iter().map(rows::name).collect::<Result<Vec<_>>>()?;
    let names: Vec<_> = gone.iter().map(|(room, place)| Name::new(room, seq(*place))).collect();
    for sql in [SENT, EDITS, MESSAGES] {
        each(conn, sql, &names).await?;
    }
    unlink(conn, &names).await?;
    conn.run(query(MOVED).bind(gone.iter().map(|(room, _)| room.as_str()).collect::<Vec<_>>())).await?;
    Ok(gone)
}

/// See [`crate::storage::Store::erase_user`].
pub async fn erase_user(pools: &Pools, user: &UserId) -> Result<Vec<RoomId>> {
    for _ in 0..TRIES {
        let mut conn = pools.begin_long().await?;
        let outcome = erase_in(&mut conn, user).await;
        match outcome {
            Ok(None) => conn.roll_back(),
            Ok(Some(rooms)) => return end(conn, Ok(rooms)).await,
            Err(error) => return end(conn, Err(error)).await,
        }
    }
    Err(StoreError::Unavailable("the user went on writing into further rooms; revoke their tokens first".into()))
}

/// `None` when the user wrote into a further room before the locks were held.
async fn erase_in(conn: &mut Conn, user: &UserId) -> Result<Option<Vec<RoomId>>> {
    const LOCK: &str = "SELECT id FROM rooms WHERE id = ANY($1) ORDER BY id FOR UPDATE";
    const EPOCHS: &str = "UPDATE rooms SET epoch = $1 WHERE id = ANY($2)";
    // The tokens of whom they let in are revoked.
    const MOVED: &str = "INSERT INTO moves (rooms, users) SELECT $1, array_agg(g.user_id) || $2
        FROM guests g JOIN links l ON l.id = g.link WHERE l.creator = $2";
    let rooms = rooms_of(conn, user).await?;
    let ids: Vec<_> = rooms.iter().map(RoomId::as_str).collect();
    conn.run(query(LOCK).bind(&ids)).await?;
    if rooms_of(conn, user).await? != rooms {
        return Ok(None);
    }
    let sent = conn.all(query(erasure::SENT_BY_USER).bind(user.as_str())).await?;
    let sent = sent.iter().map(rows::name).collect::<Result<Vec<_>>>()?;
    conn.run(query(MOVED).bind(&ids).bind(user.as_str())).await?;
    // In portions: a statement's list of names stays small.
    for portion in sent.chunks(1_000) {
        let names: Vec<_> = portion.iter().map(|(room, place)| Name::new(room, seq(*place))).collect();
        erase(conn, &names).await?;
    }
    undo_rights(conn, user).await?;
    unmention(conn, user).await?;
    for sql in erasure::ERASE_USER {
        conn.run(query(sql).bind(user.as_str())).await?;
    }
    let epoch = new_epoch()?;
    conn.run(query(erasure::RESET_USER).bind(user.as_str()).bind(epoch.as_str())).await?;
    conn.run(query(EPOCHS).bind(epoch.as_str()).bind(&ids)).await?;
    Ok(Some(rooms))
}

async fn rooms_of(conn: &mut Conn, user: &UserId) -> Result<Vec<RoomId>> {
    conn.all(query(erasure::ROOMS_OF_USER).bind(user.as_str())).await?.iter().map(|row| rows::id(row, 0)).collect()
}

/// Takes the user out of the rights to documents.
async fn undo_rights(conn: &mut Conn, user: &UserId) -> Result<()> {
    const PUT: &str = "UPDATE documents SET edit = $3 WHERE room = $1 AND document = $2";
    loop {
        let found = conn.all(query(erasure::RIGHTS_WITH_USER).bind(user.as_str())).await?;
        for row in &found {
            let edit = rights_without(&rows::text(row, 2)?, user)?;
            conn.run(query(PUT).bind(rows::text(row, 0)?).bind(rows::text(row, 1)?).bind(edit)).await?;
        }
        if found.is_empty() {
            return Ok(());
        }
    }
}

/// Takes the user out of the mentions of others' messages, earlier versions included, and out of what was logged about
/// documents.
async fn unmention(conn: &mut Conn, user: &UserId) -> Result<()> {
    const BODY: &str = "UPDATE events SET body = $3 WHERE room = $1 AND seq = $2";
    const SHOWN: &str = "UPDATE messages SET mentions = $3 WHERE room = $1 AND seq = $2";
    type Without = fn(&str, &UserId) -> Result<Option<String>>;
    let finds: [(&str, &str, Without); 3] = [
        (erasure::BODIES_WITH_USER, BODY, |body, user| without_mention(body, user).map(Some)),
        (erasure::DOCUMENTS_WITH_USER, BODY, |body, user| without_editor(body, user).map(Some)),
        (erasure::MENTIONS_WITH_USER, SHOWN, without_user),
    ];
    for (find, put, without) in finds {
        let mut after = (String::new(), 0);
        loop {
            let found = conn.all(query(find).bind(user.as_str()).bind(&after.0).bind(after.1)).await?;
            for row in &found {
                let text = rows::text(row, 2)?;
                let text = without(&text, user)?;
                after = (rows::text(row, 0)?, seq(rows::seq(row, 1)?));
                conn.run(query(put).bind(&after.0).bind(after.1).bind(text)).await?;
            }
            if found.is_empty() {
                break;
            }
        }
    }
    Ok(())
}
