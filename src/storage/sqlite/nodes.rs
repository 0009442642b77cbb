//! Leases and moves. The caller's clock is the clock: one process serves a file.

use super::{SqliteStore, error, within};
use crate::{
    node::BootId,
    storage::{
        DocumentKey, Head, HeadsMark, Lease, Moved, NodeRow, Nodes, Result, StoreError,
        nodes::{DEAD_KEPT_MS, LEASE_MS},
        projection::{json, millis},
        rows,
    },
};
use async_trait::async_trait;
use sqlx::{SqliteConnection, query};
use std::collections::{BTreeSet, HashMap};
use stoa_protocol::{Millis, RoomId, UserId};

/// Moves that are kept: looks are a second apart, and nobody commits as often within it.
const KEPT: i64 = 10_000;

/// See [`crate::storage::WriteTx::fence`].
pub async fn fence(conn: &mut SqliteConnection, boot: BootId, now: Millis) -> Result<()> {
    const SQL: &str = "SELECT 1 FROM nodes WHERE boot = ?1 AND NOT dead AND expires_at > ?2";
    let held = query(SQL).bind(boot.to_string()).bind(millis(now)).fetch_optional(conn).await.map_err(error)?;
    held.map(drop).ok_or(StoreError::Fenced)
}

/// See [`crate::storage::WriteTx::expired`].
pub async fn expired(conn: &mut SqliteConnection, boot: BootId, now: Millis) -> Result<bool> {
    const END: &str = "UPDATE nodes SET dead = 1 WHERE boot = ?1 AND NOT dead AND expires_at <= ?2";
    const ALIVE: &str = "SELECT 1 FROM nodes WHERE boot = ?1 AND NOT dead";
    let boot = boot.to_string();
    query(END).bind(&boot).bind(millis(now)).execute(&mut *conn).await.map_err(error)?;
    let alive = query(ALIVE).bind(&boot).fetch_optional(conn).await.map_err(error)?;
    Ok(alive.is_none())
}

/// What a transaction moved.
#[derive(Debug, Default)]
pub struct Moves<'a> {
    /// Logs that grew, began anew or are gone.
    pub rooms: BTreeSet<&'a RoomId>,
    /// Rooms in which something changed that has no number.
    pub changed: BTreeSet<&'a RoomId>,
    /// Rooms with retained rows.
    pub retained: BTreeSet<&'a RoomId>,
    /// Users.
    pub users: BTreeSet<&'a UserId>,
    /// Read markers.
    pub markers: BTreeSet<(&'a RoomId, &'a UserId)>,
    /// Documents.
    pub documents: BTreeSet<&'a DocumentKey>,
}

/// Writes down what a transaction moved, and drops what is old.
pub async fn moved(conn: &mut SqliteConnection, moves: &Moves<'_>) -> Result<()> {
    const PUT: &str = "INSERT INTO moves (rooms, changed, retained, users, markers, documents)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    const DROP: &str = "DELETE FROM moves WHERE id <= (SELECT max(id) FROM moves) - ?1";
    let documents: Vec<_> = moves.documents.iter().map(|key| (&key.room, &key.document)).collect();
    let put = query(PUT)
        .bind(json(&moves.rooms))
        .bind(json(&moves.changed))
        .bind(json(&moves.retained))
        .bind(json(&moves.users))
        .bind(json(&moves.markers))
        .bind(json(&documents));
    put.execute(&mut *conn).await.map_err(error)?;
    query(DROP).bind(KEPT).execute(conn).await.map_err(error).map(drop)
}

/// Takes an erased user out of what moved before: where they read is nobody's business any more.
pub async fn forget(conn: &mut SqliteConnection, user: &UserId) -> Result<()> {
    const SQL: &str = "UPDATE moves SET
        users = (SELECT json_group_array(value) FROM json_each(users) WHERE value <> ?1),
        markers = (SELECT json_group_array(json(value)) FROM json_each(markers) WHERE value ->> 1 <> ?1)";
    query(SQL).bind(user.as_str()).execute(conn).await.map_err(error).map(drop)
}

/// What rows with the place are marked with.
const PLACE: i64 = 0;
/// The newest move, and the oldest that is kept. In the order that [`Moved::take`] reads.
const LOOK: &str = "
    WITH m AS MATERIALIZED (SELECT * FROM moves WHERE id > ?1)
    SELECT 0, NULL, NULL, NULL, (SELECT coalesce(max(id), 0) FROM moves), (SELECT coalesce(min(id), 1) FROM moves)
    UNION ALL
    SELECT 1, x.id, r.epoch, NULL, r.head_seq, NULL FROM (SELECT DISTINCT value AS id FROM m, json_each(m.rooms)) AS x
      LEFT JOIN rooms r ON r.id = x.id
    UNION ALL
    SELECT DISTINCT 2, value, NULL, NULL, NULL, NULL FROM m, json_each(m.changed)
    UNION ALL
    SELECT DISTINCT 3, value, NULL, NULL, NULL, NULL FROM m, json_each(m.retained)
    UNION ALL
    SELECT 4, u.id, u.epoch, NULL, u.head_seq, u.revoked_before
      FROM (SELECT DISTINCT value AS id FROM m, json_each(m.users)) AS x CROSS JOIN users u ON u.id = x.id
    UNION ALL
    SELECT 5, k.room, k.user_id, NULL, k.seq, NULL
      FROM (SELECT DISTINCT value ->> 0 AS room, value ->> 1 AS who FROM m, json_each(m.markers)) AS x
     CROSS JOIN markers k ON k.room = x.room AND k.user_id = x.who
    UNION ALL
    SELECT 6, d.room, d.document, d.epoch, max(d.head, coalesce((SELECT max(u.seq) FROM document_updates u
        WHERE u.room = d.room AND u.document = d.document), 0)), NULL
      FROM (SELECT DISTINCT value ->> 0 AS room, value ->> 1 AS document FROM m, json_each(m.documents)) AS x
     CROSS JOIN document_states d ON d.room = x.room AND d.document = x.document";

async fn look(conn: &mut SqliteConnection, since: Option<&HeadsMark>) -> Result<Moved> {
    let since = since.and_then(|mark| mark.0.parse::<i64>().ok());
    let found = query(LOOK).bind(since.unwrap_or(i64::MAX)).fetch_all(conn).await.map_err(error)?;
    let (mut place, mut news) = (None, Vec::new());
    for row in &found {
        match rows::int(row, 0)? {
            PLACE => place = Some((rows::int(row, 4)?, rows::int(row, 5)?)),
            kind => news.push((kind, row)),
        }
    }
    let (newest, oldest) = place.ok_or_else(|| StoreError::Damaged("a look without a place".into()))?;
    let mark = HeadsMark(newest.to_string());
    // A file that does not know the mark yet was put in the place of another.
    if since.is_none_or(|since| since > newest || since.saturating_add(1) < oldest) {
        return Ok(Moved::nothing(mark, true));
    }
    let mut moved = Moved::nothing(mark, false);
    for (kind, row) in news {
        moved.take(kind, row)?;
    }
    Ok(moved)
}

#[async_trait]
impl Nodes for SqliteStore {
    async fn renew(&self, boot: BootId, name: &str, first: bool, now: Millis) -> Result<Lease> {
        const TAKE: &str = "INSERT INTO nodes (boot, name, expires_at) VALUES (?1, ?2, ?3 + ?4)
            ON CONFLICT (boot) DO UPDATE SET expires_at = excluded.expires_at WHERE NOT dead AND nodes.expires_at > ?4";
        const RENEW: &str =
            "UPDATE nodes SET name = ?2, expires_at = ?3 + ?4 WHERE boot = ?1 AND NOT dead AND expires_at > ?4";
        const FORGET: &str = "DELETE FROM nodes WHERE expires_at < ?1 - ?2";
        let renewed = async {
            let mut tx = self.writer().await?;
            let renewed = query(if first { TAKE } else { RENEW });
            let renewed = renewed.bind(boot.to_string()).bind(name.to_owned()).bind(millis(LEASE_MS)).bind(millis(now));
            let held = renewed.execute(&mut *tx).await.map_err(error)?.rows_affected() > 0;
            let forget = query(FORGET).bind(millis(now)).bind(millis(DEAD_KEPT_MS));
            forget.execute(&mut *tx).await.map_err(error)?;
            tx.commit().await.map_err(error)?;
            Ok(if held { Lease::Held } else { Lease::Lost })
        };
        within(super::CALL, renewed).await
    }

    async fn nodes(&self, now: Millis) -> Result<Vec<NodeRow>> {
        const SQL: &str =
            "SELECT boot, name, NOT dead AND expires_at > ?1, max(?1 - expires_at, 0) FROM nodes ORDER BY boot";
        let read = async {
            let found = query(SQL).bind(millis(now)).fetch_all(&mut *self.reader().await?).await.map_err(error)?;
            found.iter().map(rows::node).collect()
        };
        within(super::CALL, read).await
    }

    async fn heads(&self, since: Option<&HeadsMark>) -> Result<Moved> {
        within(super::CALL, async { look(&mut *self.reader().await?, since).await }).await
    }

    async fn heads_of(&self, rooms: &[RoomId]) -> Result<HashMap<RoomId, Head>> {
        within(super::CALL, async { super::write::heads(&mut *self.reader().await?, rooms).await }).await
    }
}
