//! The transaction of the group-commit writer.

use super::{
    conn::{Conn, Pools},
    hot, links, nodes, read, write,
};
use crate::{
    node::BootId,
    storage::{
        Head, KeyHit, MessageMeta, NewEvent, NewUserEvent, Result, StoreError, StoredRoom, WriteTx,
        links::StoredLink,
        projection::{self, Numbered, json},
        rows,
    },
};
use async_trait::async_trait;
use sqlx::query;
use std::collections::{BTreeSet, HashMap};
use stoa_protocol::{Epoch, Key, LinkId, Millis, RoomId, Seq, UserId};
use stoa_signaling::Retained;

/// A transaction. Dropping it rolls back in the background.
pub struct PgTx {
    /// `None` once it is committed or given back.
    conn: Option<Conn>,
    /// A statement failed: Postgres would answer a commit with success and roll back (its manual, COMMIT).
    failed: bool,
}

/// Runs a part of the transaction and remembers its failure.
macro_rules! step {
    ($self:ident, |$conn:ident| $call:expr) => {{
        let outcome = match $self.conn.as_mut() {
            Some($conn) => $call.await,
            None => Err(StoreError::Refused("the transaction has ended".into())),
        };
        $self.failed |= outcome.is_err();
        outcome
    }};
}

impl PgTx {
    /// Begins.
    pub async fn begin(pools: &Pools) -> Result<Self> {
        Ok(Self { conn: Some(pools.begin().await?), failed: false })
    }
}

impl Drop for PgTx {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            conn.roll_back();
        }
    }
}

#[async_trait]
impl WriteTx for PgTx {
    async fn fence(&mut self, boot: BootId, _: Millis) -> Result<()> {
        step!(self, |conn| nodes::fence(conn, boot))
    }

    async fn expired(&mut self, boot: BootId, _: Millis) -> Result<bool> {
        step!(self, |conn| nodes::expired(conn, boot))
    }

    async fn reserve(&mut self, rooms: &[(RoomId, Epoch)]) -> Result<()> {
        // In id order, or two nodes that reserve the same rooms wait for each other.
        const SQL: &str = "INSERT INTO rooms (id, epoch)
            SELECT DISTINCT ON (id) id, epoch
              FROM (SELECT id COLLATE \"C\", epoch FROM unnest($1::text[], $2::text[]) AS x (id, epoch)) AS x (id, epoch)
             ORDER BY id ON CONFLICT (id) DO NOTHING";
        if rooms.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = rooms.iter().map(|(room, _)| room.as_str()).collect();
        let epochs: Vec<_> = rooms.iter().map(|(_, epoch)| epoch.as_str()).collect();
        step!(self, |conn| conn.run(query(SQL).bind(ids).bind(epochs))).map(drop)
    }

    async fn lock(&mut self, rooms: &[RoomId]) -> Result<HashMap<RoomId, Head>> {
        // Rows are locked after they are sorted.
        const SQL: &str = "SELECT id, epoch, head_seq FROM rooms WHERE id = ANY($1) ORDER BY id FOR UPDATE";
        let ids: Vec<_> = rooms.iter().map(RoomId::as_str).collect();
        let found = step!(self, |conn| conn.all(query(SQL).bind(ids)))?;
        found.iter().map(rows::head).collect()
    }

    async fn room(&mut self, room: &RoomId) -> Result<Option<StoredRoom>> {
        step!(self, |conn| read::room(conn, room))
    }

    async fn keys(&mut self, keys: &[(RoomId, UserId, Key)]) -> Result<Vec<Option<KeyHit>>> {
        const SQL: &str = "SELECT e.seq, e.digest
            FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k (room, sender, key, place)
            LEFT JOIN events e ON e.sender = k.sender AND e.room = k.room AND e.key = k.key ORDER BY k.place";
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let rooms: Vec<_> = keys.iter().map(|(room, ..)| room.as_str()).collect();
        let senders: Vec<_> = keys.iter().map(|(_, sender, _)| sender.as_str()).collect();
        let names: Vec<_> = keys.iter().map(|(.., key)| key.as_str()).collect();
        let found = step!(self, |conn| conn.all(query(SQL).bind(rooms).bind(senders).bind(names)))?;
        found.iter().map(|row| rows::hit(row, 0)).collect()
    }

    async fn targets(&mut self, targets: &[(RoomId, Seq)]) -> Result<HashMap<(RoomId, Seq), MessageMeta>> {
        const SQL: &str = "SELECT m.room, m.seq, m.sender, m.deleted, m.thread,
                EXISTS (SELECT 1 FROM pins p WHERE p.room = m.room AND p.seq = m.seq), m.mentions,
                (SELECT json_agg(json_build_array(x.emoji, x.user_id) ORDER BY x.place)::text FROM reactions x
                  WHERE x.room = m.room AND x.seq = m.seq)
            FROM json_to_recordset($1::json) AS t (room text, seq bigint)
            JOIN messages m ON m.room = t.room AND m.seq = t.seq";
        if targets.is_empty() {
            return Ok(HashMap::new());
        }
        let names: Vec<_> = targets.iter().map(|(room, seq)| serde_json::json!({"room": room, "seq": seq})).collect();
        let found = step!(self, |conn| conn.all(query(SQL).bind(json(&names))))?;
        found.iter().map(rows::meta).collect()
    }

    async fn append(&mut self, events: &[NewEvent]) -> Result<()> {
        let changes = projection::project(events).inspect_err(|_| self.failed = true)?;
        match changes.is_messages_only() {
            true => step!(self, |conn| hot::write(conn, &changes)),
            false => step!(self, |conn| write::write(conn, &changes)),
        }
    }

    async fn append_user(&mut self, events: &[NewUserEvent]) -> Result<Vec<Numbered>> {
        step!(self, |conn| write::append_user(conn, events))
    }

    async fn renew(&mut self, room: &RoomId, epoch: &Epoch) -> Result<()> {
        const SQL: &str = "WITH v AS (INSERT INTO moves (rooms) VALUES (ARRAY[$1]))
            UPDATE rooms SET epoch = $2 WHERE id = $1";
        step!(self, |conn| conn.run(query(SQL).bind(room.as_str()).bind(epoch.as_str()))).map(drop)
    }

    async fn links(&mut self, ids: &[LinkId]) -> Result<Vec<StoredLink>> {
        step!(self, |conn| links::several(conn, ids))
    }

    async fn use_links(&mut self, uses: &[(LinkId, u32)]) -> Result<()> {
        step!(self, |conn| links::count(conn, uses))
    }

    async fn mark(&mut self, markers: &[(RoomId, UserId, Seq)]) -> Result<()> {
        const SQL: &str = "WITH m AS (INSERT INTO markers (room, user_id, seq)
            SELECT r.id, x.user_id, max(x.seq)
              FROM unnest($1::text[], $2::text[], $3::bigint[]) AS x (room, user_id, seq) JOIN rooms r ON r.id = x.room
             GROUP BY 1, 2 ORDER BY r.id, x.user_id COLLATE \"C\"
            ON CONFLICT (room, user_id) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > markers.seq
            RETURNING room, user_id)
            INSERT INTO moves (marker_rooms, marker_users)
            SELECT array_agg(room), array_agg(user_id) FROM m HAVING count(*) > 0";
        if markers.is_empty() {
            return Ok(());
        }
        let rooms: Vec<_> = markers.iter().map(|(room, ..)| room.as_str()).collect();
        let users: Vec<_> = markers.iter().map(|(_, user, _)| user.as_str()).collect();
        let seqs: Vec<_> = markers.iter().map(|(.., seq)| projection::seq(*seq)).collect();
        step!(self, |conn| conn.run(query(SQL).bind(rooms).bind(users).bind(seqs))).map(drop)
    }

    async fn retain(&mut self, rows: &[(RoomId, Seq, Retained)]) -> Result<()> {
        let statements: Vec<_> =
            rows.iter().flat_map(|(room, call, row)| projection::retained(room, *call, row)).collect();
        let rooms: BTreeSet<_> = rows.iter().map(|(room, ..)| room.as_str()).collect();
        step!(self, |conn| write::run(conn, &statements))?;
        step!(self, |conn| nodes::retained_moved(conn, rooms.into_iter().collect()))
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        if self.failed {
            return Err(StoreError::Refused("a statement of this transaction failed".into()));
        }
        let outcome = step!(self, |conn| conn.simple("COMMIT"));
        if outcome.is_ok() {
            self.conn = None;
        }
        outcome
    }
}
