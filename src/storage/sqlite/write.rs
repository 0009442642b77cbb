//! Writes: the transaction of the group-commit writer, and small ones beside it.

use super::{
    documents, error, links,
    nodes::{self, Moves},
    read, within,
};
use crate::{
    node::BootId,
    storage::{
        EVENT_VERSION, Head, KeyHit, MessageMeta, NewEvent, NewUserEvent, Result, StoreError, StoredRoom, WriteTx,
        links::StoredLink,
        projection::{self, Arg, Changes, Numbered, Numbering, Statement, hex, json, millis, number, retained, seq},
        rows,
    },
};
use async_trait::async_trait;
use serde::Serialize;
use sqlx::{Row, Sqlite, SqliteConnection, Transaction, query};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};
use stoa_protocol::{Epoch, Key, LinkId, Millis, Profile, RoomId, Seq, UserId};
use stoa_signaling::Retained;
use tokio::sync::Notify;

/// A transaction of the one connection that writes. Dropping it rolls back.
pub struct SqliteTx {
    tx: Transaction<'static, Sqlite>,
    /// A statement failed: what is there is not a whole batch, so it must not be committed.
    failed: bool,
    /// Words were erased: the write-ahead log has to lose them too.
    erases: bool,
    erased: Arc<Notify>,
}

/// Runs a part of the transaction within the time limit and remembers its failure.
macro_rules! step {
    ($self:ident, $call:expr) => {{
        let outcome = within(super::CALL, $call).await;
        $self.failed |= outcome.is_err();
        outcome
    }};
}

impl SqliteTx {
    /// Wraps a transaction that holds the write lock.
    pub fn new(tx: Transaction<'static, Sqlite>, erased: Arc<Notify>) -> Self {
        Self { tx, failed: false, erases: false, erased }
    }
}

#[async_trait]
impl WriteTx for SqliteTx {
    async fn fence(&mut self, boot: BootId, now: Millis) -> Result<()> {
        step!(self, nodes::fence(&mut self.tx, boot, now))
    }

    async fn expired(&mut self, boot: BootId, now: Millis) -> Result<bool> {
        step!(self, nodes::expired(&mut self.tx, boot, now))
    }

    async fn reserve(&mut self, rooms: &[(RoomId, Epoch)]) -> Result<()> {
        const SQL: &str = "INSERT INTO rooms (id, epoch) SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true
            ON CONFLICT (id) DO NOTHING";
        step!(self, each(&mut self.tx, SQL, rooms)).map(drop)
    }

    async fn lock(&mut self, rooms: &[RoomId]) -> Result<HashMap<RoomId, Head>> {
        // BEGIN IMMEDIATE locked everything.
        step!(self, heads(&mut self.tx, rooms))
    }

    async fn room(&mut self, room: &RoomId) -> Result<Option<StoredRoom>> {
        step!(self, read::room(&mut self.tx, room))
    }

    async fn keys(&mut self, keys: &[(RoomId, UserId, Key)]) -> Result<Vec<Option<KeyHit>>> {
        step!(self, hits(&mut self.tx, keys))
    }

    async fn targets(&mut self, targets: &[(RoomId, Seq)]) -> Result<HashMap<(RoomId, Seq), MessageMeta>> {
        step!(self, metas(&mut self.tx, targets))
    }

    async fn append(&mut self, events: &[NewEvent]) -> Result<()> {
        let changes = projection::project(events).inspect_err(|_| self.failed = true)?;
        self.erases |= !changes.deletes.is_empty() || !changes.edits.is_empty();
        step!(self, write(&mut self.tx, &changes))
    }

    async fn append_user(&mut self, events: &[NewUserEvent]) -> Result<Vec<Numbered>> {
        step!(self, append_user(&mut self.tx, events))
    }

    async fn renew(&mut self, room: &RoomId, epoch: &Epoch) -> Result<()> {
        const SQL: &str = "UPDATE rooms SET epoch = ?2 WHERE id = ?1";
        let renewed = query(SQL).bind(room.as_str().to_owned()).bind(epoch.as_str().to_owned());
        let moves = Moves { rooms: [room].into(), ..Moves::default() };
        step!(self, async {
            renewed.execute(&mut *self.tx).await.map_err(error)?;
            nodes::moved(&mut self.tx, &moves).await
        })
    }

    async fn links(&mut self, ids: &[LinkId]) -> Result<Vec<StoredLink>> {
        step!(self, links::several(&mut self.tx, ids))
    }

    async fn use_links(&mut self, uses: &[(LinkId, u32)]) -> Result<()> {
        step!(self, links::count(&mut self.tx, uses))
    }

    async fn mark(&mut self, markers: &[(RoomId, UserId, Seq)]) -> Result<()> {
        const SQL: &str = "INSERT INTO markers (room, user_id, seq)
            SELECT r.id, value ->> 1, max(value ->> 2) FROM json_each(?1) JOIN rooms r ON r.id = value ->> 0
             WHERE true GROUP BY 1, 2
            ON CONFLICT (room, user_id) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > markers.seq";
        if markers.is_empty() {
            return Ok(());
        }
        let moves = Moves { markers: markers.iter().map(|(room, user, _)| (room, user)).collect(), ..Moves::default() };
        step!(self, async {
            each(&mut self.tx, SQL, markers).await?;
            nodes::moved(&mut self.tx, &moves).await
        })
    }

    async fn retain(&mut self, rows: &[(RoomId, Seq, Retained)]) -> Result<()> {
        let statements: Vec<_> = rows.iter().flat_map(|(room, call, row)| retained(room, *call, row)).collect();
        if statements.is_empty() {
            return Ok(());
        }
        let moves = Moves { retained: rows.iter().map(|(room, ..)| room).collect(), ..Moves::default() };
        step!(self, async {
            run(&mut self.tx, &statements).await?;
            nodes::moved(&mut self.tx, &moves).await
        })
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        let Self { tx, failed, erases, erased } = *self;
        if failed {
            return Err(StoreError::Refused("a statement of this transaction failed".into()));
        }
        within(super::CALL, async { tx.commit().await.map_err(error) }).await?;
        if erases {
            erased.notify_one();
        }
        Ok(())
    }
}

/// Runs one statement over a list of rows; tells how many rows it changed. Nothing is run for an empty list.
pub(super) async fn each<T: Serialize + Sync>(
    conn: &mut SqliteConnection,
    sql: &'static str,
    rows: &[T],
) -> Result<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    Ok(query(sql).bind(json(rows)).execute(conn).await.map_err(error)?.rows_affected())
}

/// The ends of these rooms' logs.
pub(super) async fn heads(conn: &mut SqliteConnection, rooms: &[RoomId]) -> Result<HashMap<RoomId, Head>> {
    const SQL: &str = "SELECT r.id, r.epoch, r.head_seq FROM json_each(?1) AS name JOIN rooms r ON r.id = name.value";
    let found = query(SQL).bind(json(rooms)).fetch_all(conn).await.map_err(error)?;
    found.iter().map(rows::head).collect()
}

async fn hits(conn: &mut SqliteConnection, keys: &[(RoomId, UserId, Key)]) -> Result<Vec<Option<KeyHit>>> {
    const SQL: &str = "SELECT e.seq, e.digest FROM json_each(?1) AS k LEFT JOIN events e
        ON e.sender = k.value ->> 1 AND e.room = k.value ->> 0 AND e.key = k.value ->> 2 ORDER BY k.key";
    let found = query(SQL).bind(json(keys)).fetch_all(conn).await.map_err(error)?;
    found.iter().map(|row| rows::hit(row, 0)).collect()
}

async fn metas(conn: &mut SqliteConnection, targets: &[(RoomId, Seq)]) -> Result<HashMap<(RoomId, Seq), MessageMeta>> {
    const SQL: &str = "SELECT m.room, m.seq, m.sender, m.deleted, m.thread,
            EXISTS (SELECT 1 FROM pins p WHERE p.room = m.room AND p.seq = m.seq), m.mentions,
            (SELECT json_group_array(json_array(x.emoji, x.user_id) ORDER BY x.place) FROM reactions x
              WHERE x.room = m.room AND x.seq = m.seq)
        FROM json_each(?1) AS t JOIN messages m ON m.room = t.value ->> 0 AND m.seq = t.value ->> 1";
    let found = query(SQL).bind(json(targets)).fetch_all(conn).await.map_err(error)?;
    found.iter().map(rows::meta).collect()
}

const EVENTS: &str = "
    INSERT INTO events (room, seq, at, kind, v, sender, key, digest, target, subject, body)
    SELECT value ->> 'room', value ->> 'seq', value ->> 'at', value ->> 'kind', value ->> 'v', value ->> 'sender',
        value ->> 'key', unhex(value ->> 'digest'), value ->> 'target', value ->> 'subject', value ->> 'body'
      FROM json_each(?1)";
const HEADS: &str = "
    UPDATE rooms SET head_seq = h.head, last_at = h.at
      FROM (SELECT value ->> 'room' AS room, value ->> 'from' AS was, value ->> 'head' AS head, value ->> 'at' AS at
              FROM json_each(?1)) AS h
     WHERE id = h.room AND head_seq = h.was";
const CREATED: &str = "
    UPDATE rooms SET kind = c.kind, title = c.title, topic = c.topic, history = c.history, slow_mode_s = c.slow_mode_s,
        archived = 0, retention_days = c.retention_days, data = c.data, created_at = c.created_at, creator = c.creator
      FROM (SELECT value ->> 'room' AS room, value ->> 'kind' AS kind, value ->> 'title' AS title,
                value ->> 'topic' AS topic, value ->> 'history' AS history, value ->> 'slow_mode_s' AS slow_mode_s,
                value ->> 'retention_days' AS retention_days, value ->> 'data' AS data,
                value ->> 'created_at' AS created_at, value ->> 'creator' AS creator
              FROM json_each(?1)) AS c
     WHERE id = c.room";
const ROOMS: &str = "
    UPDATE rooms SET title = coalesce(c.change ->> 'title', title), topic = coalesce(c.change ->> 'topic', topic),
        history = coalesce(c.change ->> 'history', history),
        slow_mode_s = coalesce(c.change ->> 'slow_mode_s', slow_mode_s),
        retention_days = nullif(coalesce(c.change ->> 'retention_days', retention_days), 0),
        data = coalesce(c.change ->> 'data', data), archived = coalesce(c.change ->> 'archived', archived)
      FROM (SELECT value AS change FROM json_each(?1)) AS c
     WHERE id = c.change ->> 'room'";
const MESSAGES: &str = "
    INSERT INTO messages (room, seq, at, sender, text, mentions, mention_all, reply_to, thread, announcement, data,
        edited_at)
    SELECT value ->> 'room', value ->> 'seq', value ->> 'at', value ->> 'sender', value ->> 'text',
        value ->> 'mentions', value ->> 'mention_all', value ->> 'reply_to', value ->> 'thread',
        value ->> 'announcement', value ->> 'data', value ->> 'edited_at'
      FROM json_each(?1)";
const EDITS: &str = "
    UPDATE messages SET text = c.text, mentions = c.mentions, data = c.data, edited_at = c.edited_at
      FROM (SELECT value ->> 'room' AS room, value ->> 'seq' AS seq, value ->> 'text' AS text,
                value ->> 'mentions' AS mentions, value ->> 'data' AS data, value ->> 'edited_at' AS edited_at
              FROM json_each(?1)) AS c
     WHERE messages.room = c.room AND messages.seq = c.seq AND messages.deleted = 0";
const HIDE_MENTIONS: &str = "
    UPDATE mentions SET shown = 0
     WHERE (room, seq) IN (SELECT value ->> 'room', value ->> 'seq' FROM json_each(?1))";
const MENTIONS: &str = "
    INSERT INTO mentions (user_id, room, seq, shown)
    SELECT c.value ->> 'user', m.room, m.seq, c.value ->> 'shown'
      FROM json_each(?1) AS c JOIN messages m
        ON m.room = c.value ->> 'room' AND m.seq = c.value ->> 'seq' AND m.deleted = 0
     WHERE true ON CONFLICT (user_id, room, seq) DO UPDATE SET shown = excluded.shown";
const UNREACTIONS: &str = "
    DELETE FROM reactions WHERE (room, seq, emoji, user_id) IN
        (SELECT value ->> 'room', value ->> 'seq', value ->> 'emoji', value ->> 'user' FROM json_each(?1))";
const REACTIONS: &str = "
    INSERT INTO reactions (room, seq, emoji, user_id, place)
    SELECT m.room, m.seq, c.value ->> 'emoji', c.value ->> 'user', c.value ->> 'place'
      FROM json_each(?1) AS c JOIN messages m
        ON m.room = c.value ->> 'room' AND m.seq = c.value ->> 'seq' AND m.deleted = 0
     WHERE true ON CONFLICT (room, seq, emoji, user_id) DO NOTHING";
const UNPINS: &str = "
    DELETE FROM pins WHERE (room, seq) IN (SELECT value ->> 'room', value ->> 'seq' FROM json_each(?1))";
const PINS: &str = "
    INSERT INTO pins (room, seq, place)
    SELECT m.room, m.seq, c.value ->> 'place' FROM json_each(?1) AS c JOIN messages m
        ON m.room = c.value ->> 'room' AND m.seq = c.value ->> 'seq' AND m.deleted = 0";
const UNMEMBERS: &str = "
    DELETE FROM members WHERE (room, user_id) IN (SELECT value ->> 'room', value ->> 'user' FROM json_each(?1))";
const MEMBERS: &str = "
    INSERT OR REPLACE INTO members (room, user_id, role, capabilities, muted_until, joined_seq, joined_at, data)
    SELECT value ->> 'room', value ->> 'user', value ->> 'role', value ->> 'capabilities', value ->> 'muted_until',
        value ->> 'joined_seq', value ->> 'joined_at', value ->> 'data'
      FROM json_each(?1)";
const MEMBER_PATCHES: &str = "
    UPDATE members SET role = coalesce(c.change ->> 'role', role),
        capabilities = iif(c.change ->> 'set_capabilities', c.change ->> 'capabilities', capabilities),
        muted_until = iif(c.change ->> 'set_muted', c.change ->> 'muted_until', muted_until),
        data = coalesce(c.change ->> 'data', data)
      FROM (SELECT value AS change FROM json_each(?1)) AS c
     WHERE room = c.change ->> 'room' AND user_id = c.change ->> 'user'";
const UNBANS: &str = "
    DELETE FROM bans WHERE (room, user_id) IN (SELECT value ->> 'room', value ->> 'user' FROM json_each(?1))";
const BANS: &str = "
    INSERT OR REPLACE INTO bans (room, user_id, until_ms, reason)
    SELECT value ->> 'room', value ->> 'user', value ->> 'until', value ->> 'reason' FROM json_each(?1)";

/// Writes a batch's changes, table by table.
async fn write(conn: &mut SqliteConnection, changes: &Changes) -> Result<()> {
    if each(conn, HEADS, &changes.heads).await? != changes.heads.len() as u64 {
        return Err(StoreError::Refused("a room's head is not where the batch continues from".into()));
    }
    let moves = Moves { rooms: changes.heads.iter().map(|head| &head.room).collect(), ..Moves::default() };
    nodes::moved(conn, &moves).await?;
    each(conn, EVENTS, &changes.events).await?;
    each(conn, CREATED, &changes.created).await?;
    each(conn, ROOMS, &changes.rooms).await?;
    each(conn, MESSAGES, &changes.messages).await?;
    each(conn, EDITS, &changes.edits).await?;
    each(conn, HIDE_MENTIONS, &changes.edits).await?;
    each(conn, MENTIONS, &changes.mentions).await?;
    each(conn, UNREACTIONS, &changes.unreactions).await?;
    each(conn, REACTIONS, &changes.reactions).await?;
    each(conn, UNPINS, &changes.unpins).await?;
    each(conn, PINS, &changes.pins).await?;
    let deletes: Vec<_> = changes.deletes.iter().map(|place| (&place.room, place.seq)).collect();
    erase(conn, &deletes).await?;
    each(conn, UNMEMBERS, &changes.unmembers).await?;
    each(conn, MEMBERS, &changes.members).await?;
    each(conn, MEMBER_PATCHES, &changes.member_patches).await?;
    each(conn, UNBANS, &changes.unbans).await?;
    each(conn, BANS, &changes.bans).await?;
    documents::records(conn, changes).await?;
    run(conn, &changes.calls).await
}

/// Runs statements one after another.
async fn run(conn: &mut SqliteConnection, statements: &[Statement]) -> Result<()> {
    for Statement { sql, args } in statements {
        let bound = args.iter().fold(query(*sql), |bound, arg| match arg {
            Arg::Text(text) => bound.bind(text.clone()),
            Arg::Int(int) => bound.bind(*int),
        });
        bound.execute(&mut *conn).await.map_err(error)?;
    }
    Ok(())
}

/// Erases messages: a tombstone with its links stays in the table and in the log.
pub(super) async fn erase(conn: &mut SqliteConnection, places: &[(&RoomId, i64)]) -> Result<()> {
    const STUBS: &str = "
        UPDATE events SET body = NULL,
            stub = json_object('thread', m.thread, 'reply_to', m.reply_to, 'announcement', m.announcement)
          FROM json_each(?1) AS t JOIN messages m ON m.room = t.value ->> 0 AND m.seq = t.value ->> 1
         WHERE events.room = m.room AND events.seq = m.seq AND events.kind = 'chat.sent'";
    const EDITS: &str = "
        UPDATE events SET body = NULL WHERE kind = 'chat.edited'
           AND (room, target) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";
    const MESSAGES: &str = "
        UPDATE messages SET deleted = 1, text = '', mentions = NULL, mention_all = 0, data = NULL, edited_at = NULL
         WHERE (room, seq) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";
    for sql in [STUBS, EDITS, MESSAGES] {
        each(conn, sql, places).await?;
    }
    unlink(conn, places).await
}

/// Removes what hangs on messages.
pub(super) async fn unlink(conn: &mut SqliteConnection, places: &[(&RoomId, i64)]) -> Result<()> {
    const MENTIONS: &str =
        "DELETE FROM mentions WHERE (room, seq) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";
    const REACTIONS: &str =
        "DELETE FROM reactions WHERE (room, seq) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";
    const PINS: &str = "DELETE FROM pins WHERE (room, seq) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";
    for sql in [MENTIONS, REACTIONS, PINS] {
        each(conn, sql, places).await?;
    }
    Ok(())
}

/// Makes rows for users that have none.
const USERS: &str = "
    INSERT INTO users (id, epoch)
    SELECT DISTINCT value, (SELECT value FROM settings WHERE name = 'user_epoch') FROM json_each(?1) WHERE true
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

async fn append_user(conn: &mut SqliteConnection, events: &[NewUserEvent]) -> Result<Vec<Numbered>> {
    const HEADS: &str = "SELECT u.id, u.head_seq FROM json_each(?1) AS who JOIN users u ON u.id = who.value";
    const KEYS: &str = "SELECT e.seq, e.digest FROM json_each(?1) AS k LEFT JOIN user_events e
        ON e.user_id = k.value ->> 0 AND coalesce(e.sender, '') = coalesce(k.value ->> 1, '')
           AND e.key = k.value ->> 2 ORDER BY k.key";
    const INSERT: &str = "INSERT INTO user_events (user_id, seq, at, kind, v, sender, key, digest, body)
        SELECT value ->> 'user', value ->> 'seq', value ->> 'at', value ->> 'kind', value ->> 'v',
            value ->> 'sender', value ->> 'key', unhex(value ->> 'digest'), value ->> 'body' FROM json_each(?1)";
    const MOVE: &str = "UPDATE users SET head_seq = h.head
        FROM (SELECT value ->> 0 AS id, value ->> 1 AS head FROM json_each(?1)) AS h WHERE users.id = h.id";
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let who: BTreeSet<_> = events.iter().map(|event| &event.user).collect();
    let who: Vec<_> = who.into_iter().collect();
    each(conn, USERS, &who).await?;
    let found = query(HEADS).bind(json(&who)).fetch_all(&mut *conn).await.map_err(error)?;
    let mut heads = found.iter().map(|row| Ok((rows::id(row, 0)?, rows::seq(row, 1)?))).collect::<Result<_>>()?;
    let keys: Vec<_> = events.iter().map(|e| (&e.user, &e.from, e.key.as_ref().map(|(key, _)| key))).collect();
    let known = query(KEYS).bind(json(&keys)).fetch_all(&mut *conn).await.map_err(error)?;
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
    if !fresh.is_empty() {
        let moves = Moves { users: fresh.iter().map(|row| row.user).collect(), ..Moves::default() };
        nodes::moved(conn, &moves).await?;
    }
    each(conn, INSERT, &fresh).await?;
    let heads: Vec<_> = heads.iter().map(|(user, head)| (user, seq(*head))).collect();
    each(conn, MOVE, &heads).await?;
    Ok(numbered)
}

/// See [`crate::storage::Store::put_profiles`].
pub async fn put_profiles(mut tx: Transaction<'static, Sqlite>, profiles: &[(UserId, Profile)]) -> Result<()> {
    const SQL: &str = "UPDATE users SET name = p.name, avatar = p.avatar
        FROM (SELECT value ->> 0 AS id, value ->> 1 AS name, value ->> 2 AS avatar FROM json_each(?1)) AS p
        WHERE users.id = p.id";
    // A statement takes one row of several for a user; the last one counts.
    let last: BTreeMap<_, _> = profiles.iter().map(|(user, profile)| (user, profile)).collect();
    let rows: Vec<_> = last.into_iter().map(|(user, p)| (user, &p.name, &p.avatar)).collect();
    let who: Vec<_> = profiles.iter().map(|(user, _)| user).collect();
    each(&mut tx, USERS, &who).await?;
    each(&mut tx, SQL, &rows).await?;
    tx.commit().await.map_err(error)
}

/// See [`crate::storage::Store::put_seen`].
pub async fn put_seen(mut tx: Transaction<'static, Sqlite>, seen: &[(UserId, Millis, String)]) -> Result<()> {
    const SQL: &str = "UPDATE users SET last_seen = p.at, status = p.status
        FROM (SELECT value ->> 0 AS id, value ->> 1 AS at, value ->> 2 AS status FROM json_each(?1)) AS p
        WHERE users.id = p.id";
    let last: BTreeMap<_, _> = seen.iter().map(|(user, at, status)| (user, (at, status))).collect();
    let rows: Vec<_> = last.into_iter().map(|(user, (at, status))| (user, millis(*at), status)).collect();
    let who: Vec<_> = seen.iter().map(|(user, ..)| user).collect();
    each(&mut tx, USERS, &who).await?;
    each(&mut tx, SQL, &rows).await?;
    tx.commit().await.map_err(error)
}

/// See [`crate::storage::Store::revoke`].
pub async fn revoke(mut tx: Transaction<'static, Sqlite>, user: &UserId, before: Millis) -> Result<()> {
    const SQL: &str = "UPDATE users SET revoked_before = max(revoked_before, ?2) WHERE id = ?1";
    each(&mut tx, USERS, &[user]).await?;
    query(SQL).bind(user.as_str()).bind(millis(before)).execute(&mut *tx).await.map_err(error)?;
    nodes::moved(&mut tx, &Moves { users: [user].into(), ..Moves::default() }).await?;
    tx.commit().await.map_err(error)
}

/// See [`crate::storage::Store::setting`].
pub async fn setting(mut tx: Transaction<'static, Sqlite>, name: &str, default: &str) -> Result<String> {
    const PUT: &str = "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
    const TAKE: &str = "SELECT value FROM settings WHERE name = ?1";
    query(PUT).bind(name).bind(default).execute(&mut *tx).await.map_err(error)?;
    let row = query(TAKE).bind(name).fetch_one(&mut *tx).await.map_err(error)?;
    let value = row.try_get(0).map_err(error)?;
    tx.commit().await.map_err(error)?;
    Ok(value)
}
