//! Invites, join links and guests.

use super::{
    error,
    nodes::{self, Moves},
};
use crate::storage::{
    Result,
    links::{self, CodeHash, FOR_EVER, LinkKind, NewGuest, StoredLink},
    projection::{json, millis},
    rows,
};
use sqlx::{Sqlite, SqliteConnection, Transaction, query};
use stoa_protocol::{LinkId, Millis, RoomId, UserId};

/// See [`crate::storage::Store::put_link`].
pub async fn put(mut tx: Transaction<'static, Sqlite>, link: &StoredLink, code: &CodeHash) -> Result<bool> {
    let long_ago = link.created_at.saturating_sub(links::REMEMBERED_MS);
    for sql in links::FORGET {
        query(sql).bind(link.room.as_str()).bind(millis(long_ago)).execute(&mut *tx).await.map_err(error)?;
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
    let kept = put.execute(&mut *tx).await.map_err(error)?.rows_affected();
    tx.commit().await.map_err(error)?;
    Ok(kept > 0)
}

/// See [`crate::storage::Store::link`].
pub async fn by_id(conn: &mut SqliteConnection, id: &LinkId) -> Result<Option<StoredLink>> {
    let row = query(links::BY_ID).bind(id.as_str()).fetch_optional(conn).await.map_err(error)?;
    row.as_ref().map(links::link).transpose()
}

/// See [`crate::storage::Store::link_by_code`].
pub async fn by_code(conn: &mut SqliteConnection, code: &CodeHash) -> Result<Option<StoredLink>> {
    let row = query(links::BY_CODE).bind(&code[..]).fetch_optional(conn).await.map_err(error)?;
    row.as_ref().map(links::link).transpose()
}

/// See [`crate::storage::Store::guest`].
pub async fn guest(conn: &mut SqliteConnection, secret: &CodeHash) -> Result<Option<(UserId, StoredLink)>> {
    let row = query(links::BY_GUEST).bind(&secret[..]).fetch_optional(conn).await.map_err(error)?;
    row.as_ref().map(|row| Ok((rows::id(row, 12)?, links::link(row)?))).transpose()
}

/// See [`crate::storage::Store::links`].
pub async fn of_room(
    conn: &mut SqliteConnection,
    room: &RoomId,
    kind: LinkKind,
    after: Option<&LinkId>,
    limit: u32,
) -> Result<Vec<StoredLink>> {
    let page = query(links::OF_ROOM).bind(room.as_str()).bind(kind.as_str());
    let page = page.bind(after.map_or("", LinkId::as_str)).bind(i64::from(limit));
    page.fetch_all(conn).await.map_err(error)?.iter().map(links::link).collect()
}

/// See [`crate::storage::Store::revoke_link`].
pub async fn revoke(mut tx: Transaction<'static, Sqlite>, id: &LinkId, now: Millis) -> Result<()> {
    const GUESTS: &str = "SELECT user_id FROM guests WHERE link = ?1";
    query(links::REVOKE).bind(id.as_str()).bind(millis(now)).execute(&mut *tx).await.map_err(error)?;
    query(links::REFUSE_GUESTS).bind(id.as_str()).bind(millis(FOR_EVER)).execute(&mut *tx).await.map_err(error)?;
    let guests = query(GUESTS).bind(id.as_str()).fetch_all(&mut *tx).await.map_err(error)?;
    let guests = guests.iter().map(|row| rows::id(row, 0)).collect::<Result<Vec<UserId>>>()?;
    if !guests.is_empty() {
        nodes::moved(&mut tx, &Moves { users: guests.iter().collect(), ..Moves::default() }).await?;
    }
    tx.commit().await.map_err(error)
}

/// See [`crate::storage::Store::admit_guest`].
pub async fn admit(mut tx: Transaction<'static, Sqlite>, link: &LinkId, guest: &NewGuest) -> Result<bool> {
    let used = query(links::USE).bind(link.as_str()).bind(millis(guest.at));
    if used.execute(&mut *tx).await.map_err(error)?.rows_affected() == 0 {
        return Ok(false);
    }
    let put = query(links::PUT_GUEST).bind(guest.user.as_str()).bind(link.as_str());
    put.bind(&guest.secret[..]).bind(millis(guest.at)).execute(&mut *tx).await.map_err(error)?;
    let named = query(links::PUT_GUEST_NAME).bind(guest.user.as_str()).bind(&guest.name);
    named.execute(&mut *tx).await.map_err(error)?;
    tx.commit().await.map_err(error)?;
    Ok(true)
}

/// See [`crate::storage::Store::guests_of`].
pub async fn guests_of(
    conn: &mut SqliteConnection,
    link: &LinkId,
    after: Option<&UserId>,
    limit: u32,
) -> Result<Vec<UserId>> {
    let page = query(links::GUESTS_OF).bind(link.as_str()).bind(after.map_or("", UserId::as_str));
    let found = page.bind(i64::from(limit)).fetch_all(conn).await.map_err(error)?;
    found.iter().map(|row| rows::id(row, 0)).collect()
}

/// See [`crate::storage::WriteTx::links`].
pub async fn several(conn: &mut SqliteConnection, ids: &[LinkId]) -> Result<Vec<StoredLink>> {
    let mut found = Vec::new();
    for id in ids {
        found.extend(by_id(conn, id).await?);
    }
    Ok(found)
}

/// See [`crate::storage::WriteTx::use_links`].
pub async fn count(conn: &mut SqliteConnection, uses: &[(LinkId, u32)]) -> Result<()> {
    const SQL: &str = "UPDATE links SET used = used + (value ->> 1) FROM json_each(?1) WHERE links.id = value ->> 0";
    query(SQL).bind(json(uses)).execute(conn).await.map_err(error).map(drop)
}
