//! Leases and moves.
//!
//! A transaction of a node has a shared advisory lock on its boot id, whoever acts for a dead one the exclusive lock: a
//! row lock would have every batch write the row that the lease's renewal updates.
//!
//! A look at moves sees, of the transactions of before, those that its last one did not: numbers above the newest that
//! it saw, and lower ones that were still running then. A number above the newest seen is never taken for seen because
//! its transaction had ended: a server that crashed may give it out again.

use super::{PgStore, conn::Conn};
use crate::{
    node::BootId,
    storage::{
        Head, HeadsMark, Lease, MARK_MS, Moved, NodeRow, Nodes, Result, StoreError, Timeline,
        nodes::{DEAD_KEPT_MS, LEASE_MS},
        projection::millis,
        rows,
    },
};
use async_trait::async_trait;
use sqlx::query;
use std::collections::HashMap;
use stoa_protocol::{Millis, RoomId};

/// The database's clock, milliseconds.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}
/// The advisory lock of a boot id.
macro_rules! lock_of {
    () => {
        "hashtextextended($1, 6083219874)"
    };
}

/// See [`crate::storage::WriteTx::fence`].
pub async fn fence(conn: &mut Conn, boot: BootId) -> Result<()> {
    // The lock first, for what is in front is evaluated first.
    const SQL: &str = concat!(
        "SELECT pg_advisory_xact_lock_shared(",
        lock_of!(),
        ")::text, NOT dead AND expires_at > ",
        now!(),
        " FROM nodes WHERE boot = $1"
    );
    match conn.maybe(query(SQL).bind(boot.to_string())).await? {
        Some(row) if rows::Cells::flag(&row, 1)? => Ok(()),
        Some(_) | None => Err(StoreError::Fenced),
    }
}

/// See [`crate::storage::WriteTx::expired`].
pub async fn expired(conn: &mut Conn, boot: BootId) -> Result<bool> {
    const LOOK: &str = concat!("SELECT dead, expires_at <= ", now!(), " FROM nodes WHERE boot = $1");
    const LOCK: &str = concat!("SELECT pg_advisory_xact_lock(", lock_of!(), ")::text");
    const END: &str = concat!("UPDATE nodes SET dead = true WHERE boot = $1 AND NOT dead AND expires_at <= ", now!());
    const DEAD: &str = "SELECT dead FROM nodes WHERE boot = $1";
    let boot = boot.to_string();
    let Some(row) = conn.maybe(query(LOOK).bind(&boot)).await? else { return Ok(true) };
    // Whoever found it dead had the lock: no transaction of the node is open.
    if rows::Cells::flag(&row, 0)? {
        return Ok(true);
    }
    if !rows::Cells::flag(&row, 1)? {
        return Ok(false);
    }
    conn.one(query(LOCK).bind(&boot)).await?;
    conn.run(query(END).bind(&boot)).await?;
    conn.maybe(query(DEAD).bind(&boot)).await?.map_or(Ok(true), |row| rows::Cells::flag(&row, 0))
}

/// Writes down that retained rows of these rooms moved.
pub async fn retained_moved(conn: &mut Conn, rooms: Vec<&str>) -> Result<()> {
    const SQL: &str = "INSERT INTO moves (retained) VALUES ($1)";
    match rooms.is_empty() {
        true => Ok(()),
        false => conn.run(query(SQL).bind(rooms)).await.map(drop),
    }
}

/// What a mark says: the newest transaction whose moves were seen, which were visible, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    newest: u64,
    /// As `pg_snapshot` writes itself: `xmin:xmax:xip,xip`.
    snapshot: String,
    /// Milliseconds of the database's clock.
    at: Millis,
}

impl Mark {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let (newest, snapshot, at) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { newest: newest.parse().ok()?, snapshot: snapshot.into(), at: at.parse().ok()? })
    }

    fn write(&self) -> HeadsMark {
        HeadsMark(format!("{} {} {}", self.newest, self.snapshot, self.at))
    }

    /// Whether a server whose next transaction has the number `end` may have given it: one that was set back, or another
    /// one, does not know its newest yet.
    fn is_of(&self, end: u64) -> bool {
        self.newest < end
    }

    /// Moves of transactions below were all seen.
    fn low(&self) -> u64 {
        let running = self.snapshot.split(':').next().and_then(|xmin| xmin.parse().ok()).unwrap_or_default();
        self.newest.saturating_add(1).min(running)
    }
}

/// Moves that a mark has not seen: `$1` is its lowest, `$2` its newest, `$3` its snapshot.
macro_rules! unseen {
    () => {
        "xact >= $1::text::xid8
           AND (xact > $2::text::xid8 OR NOT pg_visible_in_snapshot(xact, $3::text::pg_snapshot))"
    };
}

/// The newest transaction with moves, the snapshot, its upper end, and the clock.
macro_rules! place {
    () => {
        concat!(
            "coalesce((SELECT moves.xact::text FROM moves ORDER BY moves.xact DESC LIMIT 1), '0'), pg_current_snapshot()::text,
             pg_snapshot_xmax(pg_current_snapshot())::text, ",
            now!(),
            ", 0::bigint"
        )
    };
}

/// What rows with the place are marked with.
const PLACE: i64 = 0;
const BEGIN: &str = concat!("SELECT 0::bigint, ", place!());

/// One statement is one snapshot. The rows behind names are looked up one by one, for which `LIMIT` keeps the planner.
const LOOK: &str = concat!(
    "WITH m AS MATERIALIZED (SELECT * FROM moves WHERE ",
    unseen!(),
    ")
    SELECT 0::bigint, ",
    place!(),
    "
    UNION ALL
    SELECT 1, x.id, r.epoch, NULL, r.head_seq, NULL FROM (SELECT DISTINCT unnest(rooms) AS id FROM m) AS x
      LEFT JOIN LATERAL (SELECT epoch, head_seq FROM rooms WHERE id = x.id LIMIT 1) AS r ON true
    UNION ALL
    SELECT 2, x.id, NULL, NULL, NULL, NULL FROM (SELECT DISTINCT unnest(changed) AS id FROM m) AS x
    UNION ALL
    SELECT 3, x.id, NULL, NULL, NULL, NULL FROM (SELECT DISTINCT unnest(retained) AS id FROM m) AS x
    UNION ALL
    SELECT 4, x.id, u.epoch, NULL, u.head_seq, u.revoked_before FROM (SELECT DISTINCT unnest(users) AS id FROM m) AS x
     CROSS JOIN LATERAL (SELECT epoch, head_seq, revoked_before FROM users WHERE id = x.id LIMIT 1) AS u
    UNION ALL
    SELECT 5, x.room, x.who, NULL, k.seq, NULL
      FROM (SELECT DISTINCT p.room, p.who FROM m, unnest(m.marker_rooms, m.marker_users) AS p (room, who)) AS x
     CROSS JOIN LATERAL (SELECT seq FROM markers WHERE room = x.room AND user_id = x.who LIMIT 1) AS k
    UNION ALL
    SELECT 6, x.room, x.document, d.epoch, d.head, NULL
      FROM (SELECT DISTINCT p.room, p.document
              FROM m, unnest(m.document_rooms, m.documents) AS p (room, document)) AS x
     CROSS JOIN LATERAL (SELECT epoch, head FROM document_states WHERE room = x.room AND document = x.document LIMIT 1)
        AS d"
);

/// A place in the moves, as rows of [`PLACE`] tell it, and the first number that no transaction had then.
fn place(row: &impl rows::Cells) -> Result<(Mark, u64)> {
    let number = |column| rows::text(row, column)?.parse().map_err(|_| StoreError::Damaged("a transaction id".into()));
    let mark = Mark { newest: number(1)?, snapshot: rows::text(row, 2)?, at: rows::millis(row, 4)? };
    Ok((mark, number(3)?))
}

async fn look(conn: &mut Conn, since: Option<&HeadsMark>) -> Result<Moved> {
    let Some(since) = since.and_then(|mark| Mark::read(&mark.0)) else {
        let (mark, _) = place(&conn.one(query(BEGIN)).await?)?;
        return Ok(Moved::nothing(mark.write(), true));
    };
    let asked = query(LOOK).bind(since.low().to_string()).bind(since.newest.to_string()).bind(&since.snapshot);
    let found = conn.all(asked).await?;
    let (mut places, mut news) = (None, Vec::new());
    for row in &found {
        match rows::int(row, 0)? {
            PLACE => places = Some(place(row)?),
            kind => news.push((kind, row)),
        }
    }
    let (mut mark, end) = places.ok_or_else(|| StoreError::Damaged("a look without a place".into()))?;
    if mark.at.abs_diff(since.at) > MARK_MS || !since.is_of(end) {
        return Ok(Moved::nothing(mark.write(), true));
    }
    // The newest may have been dropped since.
    mark.newest = mark.newest.max(since.newest);
    let mut moved = Moved::nothing(mark.write(), false);
    for (kind, row) in news {
        moved.take(kind, row)?;
    }
    Ok(moved)
}

/// Drops moves that were visible to everybody when `before` was taken; tells the place of now. Of several nodes one
/// does it at a time, and those that do not, begin anew.
pub async fn prune(conn: &mut Conn, before: Option<&HeadsMark>) -> Result<Option<HeadsMark>> {
    const MINE: &str = "SELECT pg_try_advisory_xact_lock(7310578122416275311)";
    const DROP: &str = "DELETE FROM moves WHERE xact <= $1::text::xid8
        AND pg_visible_in_snapshot(xact, $2::text::pg_snapshot)";
    if !rows::Cells::flag(&conn.one(query(MINE)).await?, 0)? {
        return Ok(None);
    }
    let (mark, end) = place(&conn.one(query(BEGIN)).await?)?;
    if let Some(before) = before.and_then(|mark| Mark::read(&mark.0)).filter(|before| before.is_of(end)) {
        conn.run(query(DROP).bind(before.newest.to_string()).bind(before.snapshot)).await?;
    }
    Ok(Some(mark.write()))
}

#[async_trait]
impl Nodes for PgStore {
    async fn renew(&self, boot: BootId, name: &str, first: bool, _: Millis) -> Result<Lease> {
        const TAKE: &str = concat!(
            "INSERT INTO nodes (boot, name, expires_at) VALUES ($1, $2, $3 + ",
            now!(),
            ") ON CONFLICT (boot) DO UPDATE SET expires_at = excluded.expires_at
                WHERE NOT nodes.dead AND nodes.expires_at > ",
            now!()
        );
        const RENEW: &str = concat!(
            "UPDATE nodes SET name = $2, expires_at = $3 + ",
            now!(),
            " WHERE boot = $1 AND NOT dead AND expires_at > ",
            now!()
        );
        // Rows that another node forgets just now are passed by.
        const FORGET: &str = concat!(
            "DELETE FROM nodes WHERE boot IN
                (SELECT boot FROM nodes WHERE expires_at < ",
            now!(),
            " - $1 FOR UPDATE SKIP LOCKED)"
        );
        let mut conn = self.writer().await?;
        let renewed = query(if first { TAKE } else { RENEW });
        let renewed = renewed.bind(boot.to_string()).bind(name.to_owned()).bind(millis(LEASE_MS));
        let held = conn.run(renewed).await? > 0;
        conn.run(query(FORGET).bind(millis(DEAD_KEPT_MS))).await?;
        Ok(if held { Lease::Held } else { Lease::Lost })
    }

    async fn nodes(&self, _: Millis) -> Result<Vec<NodeRow>> {
        const SQL: &str = concat!(
            "SELECT boot, name, NOT dead AND expires_at > n.now, greatest(n.now - expires_at, 0)
               FROM nodes, (SELECT ",
            now!(),
            " AS now) AS n ORDER BY boot"
        );
        self.reader().await?.all(query(SQL)).await?.iter().map(rows::node).collect()
    }

    async fn heads(&self, since: Option<&HeadsMark>) -> Result<Moved> {
        look(&mut self.reader().await?, since).await
    }

    async fn heads_of(&self, rooms: &[RoomId]) -> Result<HashMap<RoomId, Head>> {
        const SQL: &str = "SELECT r.id, r.epoch, r.head_seq FROM unnest($1::text[]) AS x (id)
            CROSS JOIN LATERAL (SELECT id, epoch, head_seq FROM rooms WHERE id = x.id LIMIT 1) AS r";
        if rooms.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<_> = rooms.iter().map(RoomId::as_str).collect();
        self.reader().await?.all(query(SQL).bind(ids)).await?.iter().map(rows::head).collect()
    }

    fn timeline(&self) -> Option<Timeline> {
        self.pools.origin().newest()
    }

    fn learn_timeline(&self, seen: Timeline) {
        self.pools.origin().learn(seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_is_written_and_begins_where_something_was_unseen() {
        let mark = Mark { newest: 40, snapshot: "38:42:38,41".into(), at: 1_700_000_000_000 };
        assert_eq!(Mark::read(&mark.write().0), Some(mark.clone()));
        assert_eq!(mark.low(), 38, "the oldest that was running");
        assert_eq!(Mark { snapshot: "90:90:".into(), ..mark.clone() }.low(), 41, "what follows the newest");
        assert!(mark.is_of(41) && !mark.is_of(40));
        assert_eq!(Mark::read("40"), None);
    }
}
