//! Writes other than a batch of messages, as statements over JSON lists, and small ones beside the batches.

use super::{
    conn::Conn,
    documents,
    hot::{digests, index_words},
};
use crate::storage::{
    EVENT_VERSION, NewUserEvent, Result, StoreError,
    projection::{Arg, Changes, EventRow, MessageRow, Numbered, Numbering, Statement, hex, json, millis, number, seq},
    rows,
};
use serde::Serialize;
use sqlx::query;
use std::collections::{BTreeMap, BTreeSet};
use stoa_protocol::{Key, Millis, Profile, RoomId, UserId};

/// Runs one statement over a list of rows; tells how many rows it changed. Nothing is run for an empty list.
pub async fn each<T: Serialize + Sync>(conn: &mut Conn, sql: &'static str, rows: &[T]) -> Result<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    conn.run(query(sql).bind(json(rows))).await
}

const EVENTS: &str = "
    INSERT INTO events (room, seq, at, kind, v, sender, key, digest, target, subject, body)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::smallint[], $6::text[], $7::text[],
        $8::bytea[], $9::bigint[], $10::text[], $11::text[])";
const MESSAGES: &str = "
    INSERT INTO messages (room, seq, at, sender, text, mentions, mention_all, reply_to, thread, announcement, data,
        edited_at, words)
    SELECT room, seq, at, sender, text, mentions, mention_all, reply_to, thread, announcement, data, edited_at,
        string_to_array(words, ' ')
      FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::boolean[],
        $8::bigint[], $9::bigint[], $10::boolean[], $11::text[], $12::bigint[], $13::text[])
        AS d (room, seq, at, sender, text, mentions, mention_all, reply_to, thread, announcement, data, edited_at,
            words)";
const HEADS: &str = "
    WITH v AS (
        INSERT INTO moves (rooms)
        SELECT array_agg(room) FROM json_to_recordset($1::json) AS h (room text) HAVING count(*) > 0)
    UPDATE rooms SET head_seq = h.head, last_at = h.at
      FROM json_to_recordset($1::json) AS h (room text, \"from\" bigint, head bigint, at bigint)
     WHERE id = h.room AND head_seq = h.\"from\"";
const CREATED: &str = "
    UPDATE rooms SET kind = c.kind, title = c.title, topic = c.topic, history = c.history, slow_mode_s = c.slow_mode_s,
        archived = false, retention_days = c.retention_days, data = c.data, created_at = c.created_at,
        creator = c.creator
      FROM json_to_recordset($1::json) AS c (room text, kind text, title text, topic text, history text,
        slow_mode_s bigint, retention_days bigint, data text, created_at bigint, creator text)
     WHERE id = c.room";
const OLD_MARKERS: &str =
    "DELETE FROM markers x USING json_to_recordset($1::json) AS c (room text) WHERE x.room = c.room";
const ROOMS: &str = "
    UPDATE rooms r SET title = coalesce(c.title, r.title), topic = coalesce(c.topic, r.topic),
        history = coalesce(c.history, r.history), slow_mode_s = coalesce(c.slow_mode_s, r.slow_mode_s),
        retention_days = nullif(coalesce(c.retention_days, r.retention_days), 0), data = coalesce(c.data, r.data),
        archived = coalesce(c.archived, r.archived)
      FROM json_to_recordset($1::json) AS c (room text, title text, topic text, history text, slow_mode_s bigint,
        retention_days bigint, data text, archived boolean)
     WHERE r.id = c.room";
const EDITS: &str = "
    UPDATE messages m SET text = c.text, mentions = c.mentions, data = c.data, edited_at = c.edited_at,
        words = string_to_array(c.words, ' ')
      FROM json_to_recordset($1::json) AS c (room text, seq bigint, text text, mentions text, data text,
        edited_at bigint, words text)
     WHERE m.room = c.room AND m.seq = c.seq AND NOT m.deleted";
const HIDE_MENTIONS: &str = "
    UPDATE mentions x SET shown = false FROM json_to_recordset($1::json) AS c (room text, seq bigint)
     WHERE x.room = c.room AND x.seq = c.seq";
const MENTIONS: &str = "
    INSERT INTO mentions (user_id, room, seq, shown)
    SELECT c.\"user\", m.room, m.seq, c.shown
      FROM json_to_recordset($1::json) AS c (room text, seq bigint, \"user\" text, shown boolean)
      JOIN messages m ON m.room = c.room AND m.seq = c.seq AND NOT m.deleted
    ON CONFLICT (user_id, room, seq) DO UPDATE SET shown = excluded.shown";
const UNREACTIONS: &str = "
    DELETE FROM reactions x USING json_to_recordset($1::json) AS c (room text, seq bigint, emoji text, \"user\" text)
     WHERE x.room = c.room AND x.seq = c.seq AND x.emoji = c.emoji AND x.user_id = c.\"user\"";
const REACTIONS: &str = "
    INSERT INTO reactions (room, seq, emoji, user_id, place)
    SELECT m.room, m.seq, c.emoji, c.\"user\", c.place
      FROM json_to_recordset($1::json) AS c (room text, seq bigint, emoji text, \"user\" text, place bigint)
      JOIN messages m ON m.room = c.room AND m.seq = c.seq AND NOT m.deleted
    ON CONFLICT (room, seq, emoji, user_id) DO NOTHING";
const UNPINS: &str = "
    DELETE FROM pins x USING json_to_recordset($1::json) AS c (room text, seq bigint)
     WHERE x.room = c.room AND x.seq = c.seq";
const PINS: &str = "
    INSERT INTO pins (room, seq, place)
    SELECT m.room, m.seq, c.place FROM json_to_recordset($1::json) AS c (room text, seq bigint, place bigint)
      JOIN messages m ON m.room = c.room AND m.seq = c.seq AND NOT m.deleted";
const UNMEMBERS: &str = "
    DELETE FROM members x USING json_to_recordset($1::json) AS c (room text, \"user\" text)
     WHERE x.room = c.room AND x.user_id = c.\"user\"";
const MEMBERS: &str = "
    INSERT INTO members (room, user_id, role, capabilities, muted_until, joined_seq, joined_at, data)
    SELECT * FROM json_to_recordset($1::json) AS c (room text, \"user\" text, role text, capabilities text,
        muted_until bigint, joined_seq bigint, joined_at bigint, data text)
    ON CONFLICT (room, user_id) DO UPDATE SET role = excluded.role, capabilities = excluded.capabilities,
        muted_until = excluded.muted_until, joined_seq = excluded.joined_seq, joined_at = excluded.joined_at,
        data = excluded.data";
const MEMBER_PATCHES: &str = "
    UPDATE members x SET role = coalesce(c.role, x.role),
        capabilities = CASE WHEN c.set_capabilities THEN c.capabilities ELSE x.capabilities END,
        muted_until = CASE WHEN c.set_muted THEN c.muted_until ELSE x.muted_until END,
        data = coalesce(c.data, x.data)
      FROM json_to_recordset($1::json) AS c (room text, \"user\" text, role text, set_capabilities boolean,
        capabilities text, set_muted boolean, muted_until bigint, data text)
     WHERE x.room = c.room AND x.user_id = c.\"user\"";
const UNBANS: &str = "
    DELETE FROM bans x USING json_to_recordset($1::json) AS c (room text, \"user\" text)
     WHERE x.room = c.room AND x.user_id = c.\"user\"";
const BANS: &str = "
    INSERT INTO bans (room, user_id, until_ms, reason)
    SELECT c.room, c.\"user\", c.until, c.reason
      FROM json_to_recordset($1::json) AS c (room text, \"user\" text, until bigint, reason text)
    ON CONFLICT (room, user_id) DO UPDATE SET until_ms = excluded.until_ms, reason = excluded.reason";

/// An edit with the words that the search index gets.
#[derive(Serialize)]
struct IndexedEdit<'a> {
    #[serde(flatten)]
    edit: &'a crate::storage::projection::EditRow,
    words: String,
}

/// Writes a batch's changes, table by table.
pub async fn write(conn: &mut Conn, changes: &Changes) -> Result<()> {
    if each(conn, HEADS, &changes.heads).await? != changes.heads.len() as u64 {
        return Err(StoreError::Refused("a room's head is not where the batch continues from".into()));
    }
    events(conn, &changes.events).await?;
    each(conn, CREATED, &changes.created).await?;
    // A marker may have come in while the room before this one was deleted.
    each(conn, OLD_MARKERS, &changes.created).await?;
    each(conn, ROOMS, &changes.rooms).await?;
    messages(conn, &changes.messages).await?;
    let edit = |edit| IndexedEdit { edit, words: index_words(edit.room.as_str(), &edit.text) };
    each(conn, EDITS, &changes.edits.iter().map(edit).collect::<Vec<_>>()).await?;
    each(conn, HIDE_MENTIONS, &changes.edits).await?;
    each(conn, MENTIONS, &changes.mentions).await?;
    each(conn, UNREACTIONS, &changes.unreactions).await?;
    each(conn, REACTIONS, &changes.reactions).await?;
    each(conn, UNPINS, &changes.unpins).await?;
    each(conn, PINS, &changes.pins).await?;
    erase(conn, &changes.deletes).await?;
    each(conn, UNMEMBERS, &changes.unmembers).await?;
    each(conn, MEMBERS, &changes.members).await?;
    each(conn, MEMBER_PATCHES, &changes.member_patches).await?;
    each(conn, UNBANS, &changes.unbans).await?;
    each(conn, BANS, &changes.bans).await?;
    documents::records(conn, changes).await?;
    run(conn, &changes.calls).await
}

/// Runs statements one after another.
pub async fn run(conn: &mut Conn, statements: &[Statement]) -> Result<()> {
    for Statement { sql, args } in statements {
        let bound = args.iter().fold(query(*sql), |bound, arg| match arg {
            Arg::Text(text) => bound.bind(text.clone()),
            Arg::Int(int) => bound.bind(*int),
        });
        conn.run(bound).await?;
    }
    Ok(())
}

async fn events(conn: &mut Conn, rows: &[EventRow]) -> Result<()> {
    let statement = query(EVENTS)
        .bind(rows.iter().map(|e| e.room.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|e| e.seq).collect::<Vec<_>>())
        .bind(rows.iter().map(|e| e.at).collect::<Vec<_>>())
        .bind(rows.iter().map(|e| e.kind).collect::<Vec<_>>())
        .bind(rows.iter().map(|e| e.v).collect::<Vec<_>>())
        .bind(rows.iter().map(|e| e.sender.as_ref().map(UserId::as_str)).collect::<Vec<_>>())
        .bind(rows.iter().map(|e| e.key.as_deref()).collect::<Vec<_>>())
        .bind(digests(rows))
        .bind(rows.iter().map(|e| e.target).collect::<Vec<_>>())
        .bind(rows.iter().map(|e| e.subject.as_ref().map(UserId::as_str)).collect::<Vec<_>>())
        .bind(rows.iter().map(|e| e.body.as_str()).collect::<Vec<_>>());
    conn.run(statement).await.map(drop)
}

async fn messages(conn: &mut Conn, rows: &[MessageRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let statement = query(MESSAGES)
        .bind(rows.iter().map(|m| m.room.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|m| m.seq).collect::<Vec<_>>())
        .bind(rows.iter().map(|m| m.at).collect::<Vec<_>>())
        .bind(rows.iter().map(|m| m.sender.as_ref().map(UserId::as_str)).collect::<Vec<_>>())
        .bind(rows.iter().map(|m| m.text.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|m| m.mentions.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|m| m.mention_all).collect::<Vec<_>>())
        .bind(rows.iter().map(|m| m.reply_to).collect::<Vec<_>>())
        .bind(rows.iter().map(|m| m.thread).collect::<Vec<_>>())
        .bind(rows.iter().map(|m| m.announcement).collect::<Vec<_>>())
        .bind(rows.iter().map(|m| m.data.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|m| m.edited_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|m| index_words(m.room.as_str(), &m.text)).collect::<Vec<_>>());
    conn.run(statement).await.map(drop)
}

/// A message's name, as these statements read it.
#[derive(Debug, Serialize)]
pub struct Name<'a> {
    room: &'a RoomId,
    seq: i64,
}

impl<'a> Name<'a> {
    /// Names a message.
    pub fn new(room: &'a RoomId, seq: i64) -> Self {
        Self { room, seq }
    }
}

/// Erases messages: a tombstone with its links stays in the table and in the log.
pub async fn erase<T: Serialize + Sync>(conn: &mut Conn, names: &[T]) -> Result<()> {
    const STUBS: &str = "
        UPDATE events e SET body = NULL, stub =
            json_build_object('thread', m.thread, 'reply_to', m.reply_to, 'announcement', m.announcement)::text
          FROM json_to_recordset($1::json) AS t (room text, seq bigint)
          JOIN messages m ON m.room = t.room AND m.seq = t.seq
         WHERE e.room = m.room AND e.seq = m.seq AND e.kind = 'chat.sent'";
    const EDITS: &str = "
        UPDATE events e SET body = NULL FROM json_to_recordset($1::json) AS t (room text, seq bigint)
         WHERE e.kind = 'chat.edited' AND e.room = t.room AND e.target = t.seq";
    const MESSAGES: &str = "
        UPDATE messages m SET deleted = true, text = '', mentions = NULL, mention_all = false, data = NULL,
            edited_at = NULL, words = '{}'
          FROM json_to_recordset($1::json) AS t (room text, seq bigint) WHERE m.room = t.room AND m.seq = t.seq";
    for sql in [STUBS, EDITS, MESSAGES] {
        each(conn, sql, names).await?;
    }
    unlink(conn, names).await
}

/// Removes what hangs on messages.
pub async fn unlink<T: Serialize + Sync>(conn: &mut Conn, names: &[T]) -> Result<()> {
    const MENTIONS: &str = "DELETE FROM mentions x USING json_to_recordset($1::json) AS t (room text, seq bigint)
        WHERE x.room = t.room AND x.seq = t.seq";
    const REACTIONS: &str = "DELETE FROM reactions x USING json_to_recordset($1::json) AS t (room text, seq bigint)
        WHERE x.room = t.room AND x.seq = t.seq";
    for sql in [MENTIONS, REACTIONS, UNPINS] {
        each(conn, sql, names).await?;
    }
    Ok(())
}

/// Makes rows for users that have none, in id order.
const USERS: &str = "
    INSERT INTO users (id, epoch)
    SELECT DISTINCT id COLLATE \"C\", (SELECT value FROM settings WHERE name = 'user_epoch')
      FROM json_array_elements_text($1::json) AS x (id) ORDER BY 1
    ON CONFLICT (id) DO NOTHING";

#[derive(Serialize)]
struct UserEventRow<'a> {
    user: &'a UserId,
    seq: i64,
    at: i64,
    kind: &'static str,
    v: i16,
    sender: Option<&'a UserId>,
    key: Option<&'a Key>,
    digest: Option<String>,
    body: String,
}

/// See [`crate::storage::WriteTx::append_user`].
pub async fn append_user(conn: &mut Conn, events: &[NewUserEvent]) -> Result<Vec<Numbered>> {
    const LOCK: &str = "SELECT id, head_seq FROM users WHERE id = ANY($1) ORDER BY id FOR UPDATE";
    const KEYS: &str = "SELECT e.seq, e.digest
        FROM json_to_recordset($1::json) AS k (\"user\" text, sender text, key text, place bigint)
        LEFT JOIN user_events e ON e.user_id = k.\"user\" AND coalesce(e.sender, '') = coalesce(k.sender, '')
         AND e.key = k.key ORDER BY k.place";
    const WRITE: &str = "WITH e AS (
            INSERT INTO user_events (user_id, seq, at, kind, v, sender, key, digest, body)
            SELECT c.\"user\", c.seq, c.at, c.kind, c.v, c.sender, c.key, decode(c.digest, 'hex'), c.body
              FROM json_to_recordset($1::json) AS c (\"user\" text, seq bigint, at bigint, kind text, v smallint,
                sender text, key text, digest text, body text)),
            v AS (
            INSERT INTO moves (users)
            SELECT array_agg(DISTINCT \"user\") FROM json_to_recordset($1::json) AS c (\"user\" text))
        UPDATE users SET head_seq = h.head
          FROM (SELECT \"user\", max(seq) AS head FROM json_to_recordset($1::json) AS c (\"user\" text, seq bigint)
                 GROUP BY 1) AS h WHERE id = h.\"user\"";
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let who: BTreeSet<_> = events.iter().map(|event| event.user.as_str()).collect();
    let who: Vec<_> = who.into_iter().collect();
    each(conn, USERS, &who).await?;
    let found = conn.all(query(LOCK).bind(who)).await?;
    let mut heads = found.iter().map(|row| Ok((rows::id(row, 0)?, rows::seq(row, 1)?))).collect::<Result<_>>()?;
    let key = |(place, event): (usize, &'_ NewUserEvent)| {
        let name = event.key.as_ref().map(|(key, _)| key.to_string());
        serde_json::json!({"user": event.user, "sender": event.from, "key": name, "place": place})
    };
    let keys: Vec<_> = events.iter().enumerate().map(key).collect();
    let known = conn.all(query(KEYS).bind(json(&keys))).await?;
    let known = known.iter().map(|row| rows::hit(row, 0)).collect::<Result<Vec<_>>>()?;
    let Numbering { numbered, fresh } = number(events, &known, &mut heads)?;
    let fresh: Vec<_> = fresh
        .into_iter()
        .map(|(event, place)| UserEventRow {
            user: &event.user,
            seq: seq(place),
            at: millis(event.at),
            kind: event.body.kind(),
            v: EVENT_VERSION,
            sender: event.from.as_ref(),
            key: event.key.as_ref().map(|(key, _)| key),
            digest: event.key.as_ref().map(|(_, digest)| hex(digest)),
            body: json(&event.body),
        })
        .collect();
    each(conn, WRITE, &fresh).await?;
    Ok(numbered)
}

/// See [`crate::storage::Store::put_profiles`].
pub async fn put_profiles(conn: &mut Conn, profiles: &[(UserId, Profile)]) -> Result<()> {
    const SQL: &str = "
        INSERT INTO users (id, epoch, name, avatar)
        SELECT id, (SELECT value FROM settings WHERE name = 'user_epoch'), name, avatar
          FROM json_to_recordset($1::json) AS p (id text, name text, avatar text) ORDER BY id COLLATE \"C\"
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, avatar = excluded.avatar";
    // A statement may not touch a row twice; the last one counts.
    let rows: BTreeMap<_, _> = profiles.iter().map(|(user, profile)| (user, profile)).collect();
    let row = |(user, profile): (&UserId, &Profile)| serde_json::json!({"id": user, "name": profile.name, "avatar": profile.avatar});
    each(conn, SQL, &rows.into_iter().map(row).collect::<Vec<_>>()).await.map(drop)
}

/// See [`crate::storage::Store::put_seen`].
pub async fn put_seen(conn: &mut Conn, seen: &[(UserId, Millis, String)]) -> Result<()> {
    const SQL: &str = "
        INSERT INTO users (id, epoch, last_seen, status)
        SELECT id, (SELECT value FROM settings WHERE name = 'user_epoch'), at, status
          FROM json_to_recordset($1::json) AS p (id text, at bigint, status text) ORDER BY id COLLATE \"C\"
        ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen, status = excluded.status";
    let rows: BTreeMap<_, _> = seen.iter().map(|(user, at, status)| (user, (at, status))).collect();
    let row = |(user, (at, status)): (&UserId, (&Millis, &String))| serde_json::json!({"id": user, "at": millis(*at), "status": status});
    each(conn, SQL, &rows.into_iter().map(row).collect::<Vec<_>>()).await.map(drop)
}

/// See [`crate::storage::Store::revoke`].
pub async fn revoke(conn: &mut Conn, user: &UserId, before: Millis) -> Result<()> {
    const SQL: &str = "
        WITH v AS (INSERT INTO moves (users) VALUES (ARRAY[$1]))
        INSERT INTO users (id, epoch, revoked_before)
        SELECT $1, value, $2 FROM settings WHERE name = 'user_epoch'
        ON CONFLICT (id) DO UPDATE SET revoked_before = greatest(users.revoked_before, excluded.revoked_before)";
    conn.run(query(SQL).bind(user.as_str()).bind(millis(before))).await.map(drop)
}

/// See [`crate::storage::Store::setting`].
pub async fn setting(conn: &mut Conn, name: &str, default: &str) -> Result<String> {
    const PUT: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    const TAKE: &str = "SELECT value FROM settings WHERE name = $1";
    conn.run(query(PUT).bind(name).bind(default)).await?;
    rows::text(&conn.one(query(TAKE).bind(name)).await?, 0)
}
