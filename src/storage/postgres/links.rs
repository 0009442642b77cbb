//! Invites, join links and guests.

use super::conn::{Conn, Pools};
use crate::storage::{
    Result,
    links::{self, CodeHash, FOR_EVER, LinkKind, NewGuest, StoredLink},
    projection::{json, millis},
    rows,
};
use sqlx::query;
use stoa_protocol::{LinkId, Millis, RoomId, UserId};

/// Ends a transaction: commits it, or takes it back and passes the error on.
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

/// See [`crate::storage::Store::put_link`].
pub async fn put(pools: &Pools, link: &StoredLink, code: &CodeHash) -> Result<bool> {
    let mut conn = pools.begin().await?;
    let outcome = put_in(&mut conn, link, code).await;
    end(conn, outcome).await
}

async fn put_in(conn: &mut Conn, link: &StoredLink, code: &CodeHash) -> Result<bool> {
    // A room that is being deleted takes this link along, and links of one room are counted one after the other.
    conn.run(query("SELECT 1 FROM rooms WHERE id = $1 FOR UPDATE").bind(link.room.as_str())).await?;
    let long_ago = link.created_at.saturating_sub(links::REMEMBERED_MS);
    for sql in links::FORGET {
        conn.run(query(sql).bind(link.room.as_str()).bind(millis(long_ago))).await?;
    }
    let put = query(links::PUT)
        .bind(link.id.as_str())
        .bind(link.room.as_str())
        .bind(link.kind.as_str())
        .bind(&code[..])
        .bind(rows::role(link.role))
        .bind(link.name.as_deref())
        .bind(link.by.as_ref().map(UserId::as_str))
        .bind(millis(link.created_at))
        .bind(link.not_before.map(millis))
        .bind(link.expires_at.map(millis))
        .bind(link.uses.map(i64::from))
        .bind(links::LINKS_PER_ROOM);
    Ok(conn.run(put).await? > 0)
}

/// See [`crate::storage::Store::link`].
pub async fn by_id(conn: &mut Conn, id: &LinkId) -> Result<Option<StoredLink>> {
    let row = conn.maybe(query(links::BY_ID).bind(id.as_str())).await?;
    row.as_ref().map(links::link).transpose()
}

/// See [`crate::storage::Store::link_by_code`].
pub async fn by_code(conn: &mut Conn, code: &CodeHash) -> Result<Option<StoredLink>> {
    let row = conn.maybe(query(links::BY_CODE).bind(&code[..])).await?;
    row.as_ref().map(links::link).transpose()
}

/// See [`crate::storage::Store::guest`].
pub async fn guest(conn: &mut Conn, secret: &CodeHash) -> Result<Option<(UserId, StoredLink)>> {
    let row = conn.maybe(query(links::BY_GUEST).bind(&secret[..])).await?;
    row.as_ref().map(|row| Ok((rows::id(row, 12)?, links::link(row)?))).transpose()
}

/// See [`crate::storage::Store::links`].
pub async fn of_room(
    conn: &mut Conn,
    room: &RoomId,
    kind: LinkKind,
    after: Option<&LinkId>,
    limit: u32,
) -> Result<Vec<StoredLink>> {
    let page = query(links::OF_ROOM).bind(room.as_str()).bind(kind.as_str());
    let page = page.bind(after.map_or("", LinkId::as_str)).bind(i64::from(limit));
    conn.all(page).await?.iter().map(links::link).collect()
}

/// See [`crate::storage::Store::revoke_link`].
pub async fn revoke(pools: &Pools, id: &LinkId, now: Millis) -> Result<()> {
    const MOVED: &str = "INSERT INTO moves (users)
        SELECT array_agg(user_id) FROM guests WHERE link = $1 HAVING count(*) > 0";
    let mut conn = pools.begin().await?;
    let outcome = async {
        // The link's row first: whoever is being let in has its lock, and is seen by the second statement.
        conn.run(query("SELECT 1 FROM links WHERE id = $1 FOR UPDATE").bind(id.as_str())).await?;
        conn.run(query(links::REVOKE).bind(id.as_str()).bind(millis(now))).await?;
        conn.run(query(links::REFUSE_GUESTS).bind(id.as_str()).bind(millis(FOR_EVER))).await?;
        conn.run(query(MOVED).bind(id.as_str())).await.map(drop)
    }
    .await;
    end(conn, outcome).await
}

/// See [`crate::storage::Store::admit_guest`].
pub async fn admit(pools: &Pools, link: &LinkId, guest: &NewGuest) -> Result<bool> {
    let mut conn = pools.begin().await?;
    let outcome = admit_in(&mut conn, link, guest).await;
    end(conn, outcome).await
}

async fn admit_in(conn: &mut Conn, link: &LinkId, guest: &NewGuest) -> Result<bool> {
    if conn.run(query(links::USE).bind(link.as_str()).bind(millis(guest.at))).await? == 0 {
        return Ok(false);
    }
    let put = query(links::PUT_GUEST).bind(guest.user.as_str()).bind(link.as_str());
    conn.run(put.bind(&guest.secret[..]).bind(millis(guest.at))).await?;
    conn.run(query(links::PUT_GUEST_NAME).bind(guest.user.as_str()).bind(guest.name.as_str())).await?;
    Ok(true)
}

/// See [`crate::storage::Store::guests_of`].
pub async fn guests_of(conn: &mut Conn, link: &LinkId, after: Option<&UserId>, limit: u32) -> Result<Vec<UserId>> {
    let page = query(links::GUESTS_OF).bind(link.as_str()).bind(after.map_or("", UserId::as_str));
    conn.all(page.bind(i64::from(limit))).await?.iter().map(|row| rows::id(row, 0)).collect()
}

/// See [`crate::storage::WriteTx::links`].
pub async fn several(conn: &mut Conn, ids: &[LinkId]) -> Result<Vec<StoredLink>> {
    let mut found = Vec::new();
    for id in ids {
        found.extend(by_id(conn, id).await?);
    }
    Ok(found)
}

/// See [`crate::storage::WriteTx::use_links`].
pub async fn count(conn: &mut Conn, uses: &[(LinkId, u32)]) -> Result<()> {
    const SQL: &str = "UPDATE links l SET used = l.used + x.n
        FROM (SELECT value ->> 0 AS id, (value ->> 1)::bigint AS n FROM json_array_elements($1::json)) AS x
        WHERE l.id = x.id";
    conn.run(query(SQL).bind(json(uses))).await.map(drop)
}
