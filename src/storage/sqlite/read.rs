//! Reads. Each that needs one view of the database is one statement, which in SQLite sees one snapshot.

use super::error;
use crate::storage::{
    CallQuery, ListQuery, ListRow, ListScope, MessagePage, MessageQuery, Result, SearchQuery, SearchScope, StoredEvent,
    StoredRoom, UserState,
    paging::{ATTENDANCES, CALLS, Picked, Window, cut, now, words},
    projection::{json, millis, seq},
    rows,
};
use sqlx::{SqliteConnection, query};
use std::collections::HashMap;
use stoa_protocol::{CallRecord, Message, Profile, ReadMarker, RoomId, Seq, UserEvent, UserId};

macro_rules! info {
    () => {
        "r.id, r.kind, r.title, r.topic, r.history, r.slow_mode_s, r.archived, r.retention_days, r.data, r.created_at"
    };
}

const ROOM: &str = concat!(
    "SELECT ",
    info!(),
    ", r.epoch, r.head_seq, r.creator,
        (SELECT json_group_array(json_array(user_id, role, capabilities, muted_until, joined_seq, joined_at, data))
           FROM members WHERE room = r.id),
        (SELECT json_group_array(json_array(user_id, until_ms, reason)) FROM bans WHERE room = r.id),
        (SELECT json_group_array(seq ORDER BY place) FROM pins WHERE room = r.id),
        (SELECT json_group_array(json_array(document, kind, title, edit, locked, data, created_at) ORDER BY document)
           FROM documents WHERE room = r.id),
        (SELECT json_array(json_array(call, started_at, started_by, media, carried, locked, lobby),
            json((SELECT json_group_array(json_array(session, user_id, joined, joined_at, device)) FROM call_participants p
              WHERE p.room = c.room AND p.call = c.call AND p.left_at IS NULL AND p.user_id IS NOT NULL)),
            json((SELECT json_group_array(json_array(kind, name, user_id, at)) FROM call_marks m
              WHERE m.room = c.room AND m.call = c.call)),
            json((SELECT json_group_array(value) FROM call_retained x WHERE x.room = c.room AND x.call = c.call)))
           FROM calls c WHERE c.room = r.id AND c.ended_at IS NULL ORDER BY call DESC LIMIT 1)
       FROM rooms r WHERE r.id = ?1 AND r.kind IS NOT NULL"
);

/// See [`crate::storage::Store::room`].
pub async fn room(conn: &mut SqliteConnection, room: &RoomId) -> Result<Option<StoredRoom>> {
    let row = query(ROOM).bind(room.as_str()).fetch_optional(conn).await.map_err(error)?;
    row.as_ref().map(rows::room).transpose()
}

/// See [`crate::storage::Store::events`].
pub async fn events(conn: &mut SqliteConnection, room: &RoomId, after: Seq, limit: u32) -> Result<Vec<StoredEvent>> {
    const SQL: &str = "SELECT seq, at, sender, kind, v, body FROM events
        WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    let found = query(SQL).bind(room.as_str()).bind(seq(after)).bind(limit).fetch_all(conn).await.map_err(error)?;
    found.iter().map(rows::event).collect()
}

/// See [`crate::storage::Store::calls`].
pub async fn calls(conn: &mut SqliteConnection, page: &CallQuery) -> Result<(Vec<CallRecord>, bool)> {
    let (after, before) = (seq(page.after), seq(page.before.unwrap_or(Seq::MAX)));
    let rows = query(CALLS).bind(page.room.as_str()).bind(after).bind(before).bind(i64::from(page.limit) + 1);
    let found = rows.fetch_all(&mut *conn).await.map_err(error)?;
    let mut calls = found.iter().map(rows::call_record).collect::<Result<Vec<_>>>()?;
    let more = cut(&mut calls, page.limit);
    let Some(oldest) = calls.last() else { return Ok((calls, more)) };
    let found = query(ATTENDANCES).bind(page.room.as_str()).bind(seq(oldest.call)).bind(before).fetch_all(conn);
    let found = found.await.map_err(error)?;
    let attendances = found.iter().map(rows::attendance).collect::<Result<_>>()?;
    Ok((rows::attended(calls, attendances), more))
}

/// See [`crate::storage::Store::running_calls`].
pub async fn running_calls(conn: &mut SqliteConnection) -> Result<Vec<RoomId>> {
    let found = query("SELECT room FROM calls WHERE ended_at IS NULL").fetch_all(conn).await.map_err(error)?;
    found.iter().map(|row| rows::id(row, 0)).collect()
}

const MAIN: &str = "
    SELECT 0, seq FROM (SELECT seq FROM messages WHERE room = ?1 AND thread IS NULL AND seq > ?2 AND seq < ?3
        ORDER BY seq DESC LIMIT ?4)
    UNION ALL
    SELECT 1, seq FROM (SELECT seq FROM messages WHERE room = ?1 AND thread IS NULL AND seq > ?2 AND seq >= ?3
        ORDER BY seq LIMIT ?5)";

const THREAD: &str = "
    SELECT 0, seq FROM (
        SELECT seq FROM messages WHERE room = ?1 AND seq = ?6 AND seq > ?2 AND seq < ?3
        UNION ALL
        SELECT seq FROM (SELECT seq FROM messages WHERE room = ?1 AND thread = ?6 AND seq > ?2 AND seq < ?3
            ORDER BY seq DESC LIMIT ?4)
        ORDER BY seq DESC LIMIT ?4)
    UNION ALL
    SELECT 1, seq FROM (
        SELECT seq FROM messages WHERE room = ?1 AND seq = ?6 AND seq > ?2 AND seq >= ?3
        UNION ALL
        SELECT seq FROM (SELECT seq FROM messages WHERE room = ?1 AND thread = ?6 AND seq > ?2 AND seq >= ?3
            ORDER BY seq LIMIT ?5)
        ORDER BY seq LIMIT ?5)";

/// See [`crate::storage::Store::messages`].
pub async fn page(conn: &mut SqliteConnection, page: &MessageQuery) -> Result<MessagePage> {
    let window = Window::of(page.place, page.limit);
    let sql = if page.thread.is_some() { THREAD } else { MAIN };
    let picks = query(sql)
        .bind(page.room.as_str())
        .bind(seq(page.visible_after))
        .bind(window.border)
        .bind(window.older)
        .bind(window.newer)
        .bind(page.thread.map(seq));
    let picks = picks.fetch_all(&mut *conn).await.map_err(error)?;
    let Picked { seqs, more_before, more_after } = window.balance(&picks, page.limit)?;
    let names: Vec<_> = seqs.into_iter().map(|seq| (page.room.clone(), seq)).collect();
    Ok(MessagePage { messages: load(conn, &names, &page.reader).await?, more_before, more_after })
}

const LOAD: &str = "
    SELECT m.room, m.seq, m.at, m.sender, m.text, m.mentions, m.mention_all, m.reply_to, m.thread, m.announcement,
        m.data, m.edited_at, m.deleted,
        EXISTS (SELECT 1 FROM pins p WHERE p.room = m.room AND p.seq = m.seq),
        (SELECT count(*) FROM messages t WHERE t.room = m.room AND t.thread = m.seq AND t.deleted = 0),
        (SELECT json_group_array(json_array(emoji, people, user_id, json(iif(mine, 'true', 'false')),
                json(iif(rank <= 20, 'true', 'false'))) ORDER BY first, rank)
           FROM (SELECT emoji, user_id, user_id = ?2 AS mine,
                    count(*) OVER (PARTITION BY emoji) AS people,
                    row_number() OVER (PARTITION BY emoji ORDER BY place) AS rank,
                    min(place) OVER (PARTITION BY emoji) AS first
                   FROM reactions x WHERE x.room = m.room AND x.seq = m.seq)
          WHERE rank <= 20 OR mine)
      FROM json_each(?1) AS pick JOIN messages m ON m.room = pick.value ->> 0 AND m.seq = pick.value ->> 1";

/// Messages by name, in the order of the names.
async fn load(conn: &mut SqliteConnection, names: &[(RoomId, Seq)], reader: &UserId) -> Result<Vec<Message>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let found = query(LOAD).bind(json(names)).bind(reader.as_str()).fetch_all(conn).await.map_err(error)?;
    let found = found.iter().map(|row| rows::message(row, 0).map(|m| ((m.room.clone(), m.seq), m)));
    Ok(rows::in_order(names, found.collect::<Result<HashMap<_, _>>>()?))
}

macro_rules! search {
    ($scope:literal) => {
        concat!(
            "SELECT m.room, m.seq FROM search JOIN messages m ON m.id = search.rowid ",
            $scope,
            " WHERE search.text MATCH ?1 AND m.deleted = 0 AND m.seq > floor.seq
                AND (?2 IS NULL OR m.sender = ?2) AND (?3 IS NULL OR (m.at, m.room, m.seq) < (?3, ?4, ?5))
              ORDER BY m.at DESC, m.room DESC, m.seq DESC LIMIT ?6"
        )
    };
}

const SEARCH_ROOMS: &str = search!(
    "JOIN (SELECT value ->> 0 AS room, min(value ->> 1) AS seq FROM json_each(?7) GROUP BY 1) floor
       ON floor.room = m.room"
);
const SEARCH_MEMBER: &str = search!(
    "JOIN (SELECT b.room, iif(r.history = 'since_join', b.joined_seq, 0) AS seq
             FROM members b JOIN rooms r ON r.id = b.room
            WHERE b.user_id = ?7 AND NOT EXISTS (SELECT 1 FROM bans x WHERE x.room = b.room AND x.user_id = b.user_id
                AND (x.until_ms IS NULL OR x.until_ms > ?8))) floor
       ON floor.room = m.room"
);
const SEARCH_ALL: &str = search!("JOIN (SELECT 0 AS seq) floor");

/// See [`crate::storage::Store::search`].
pub async fn search(conn: &mut SqliteConnection, search: &SearchQuery) -> Result<(Vec<Message>, bool)> {
    let Some(words) = phrases(&search.query) else { return Ok((Vec::new(), false)) };
    let (sql, scope) = match &search.scope {
        SearchScope::Rooms(rooms) => (SEARCH_ROOMS, json(rooms)),
        SearchScope::MemberOf(user) => (SEARCH_MEMBER, user.to_string()),
        SearchScope::All => (SEARCH_ALL, String::new()),
    };
    let (at, room, place) = match &search.after {
        Some((at, room, place)) => (Some(millis(*at)), Some(room.as_str()), Some(seq(*place))),
        None => (None, None, None),
    };
    let picks = query(sql)
        .bind(words)
        .bind(search.from.as_ref().map(UserId::as_str))
        .bind(at)
        .bind(room)
        .bind(place)
        .bind(i64::from(search.limit) + 1);
    let picks = match search.scope {
        SearchScope::Rooms(_) => picks.bind(scope),
        SearchScope::MemberOf(_) => picks.bind(scope).bind(now()),
        SearchScope::All => picks,
    };
    let picks = picks.fetch_all(&mut *conn).await.map_err(error)?;
    let mut names = picks.iter().map(rows::name).collect::<Result<Vec<_>>>()?;
    let more = cut(&mut names, search.limit);
    Ok((load(conn, &names, &search.reader).await?, more))
}

/// A query of plain words in FTS5's language: each word a string, so that nothing in it is an operator.
fn phrases(query: &str) -> Option<String> {
    let quoted: Vec<_> = words(query).map(|word| format!("\"{word}\"")).collect();
    (!quoted.is_empty()).then(|| quoted.join(" "))
}

macro_rules! list {
    ($scope:literal) => {
        concat!(
            "WITH page AS MATERIALIZED (SELECT r.* FROM rooms r WHERE r.kind IS NOT NULL AND ",
            $scope,
            "    AND (?3 OR r.archived = 0) AND (?4 IS NULL OR r.last_at < ?4 OR (r.last_at = ?4 AND r.id > ?5))
                 ORDER BY r.last_at DESC, r.id LIMIT ?6),
             seen AS MATERIALIZED (SELECT r.id,
                iif(r.history = 'since_join', coalesce(b.joined_seq, 0), 0) AS floor, coalesce(k.seq, 0) AS read
               FROM page r LEFT JOIN members b ON b.room = r.id AND b.user_id = ?1
               LEFT JOIN markers k ON k.room = r.id AND k.user_id = ?1)
             SELECT ",
            info!(),
            ", r.head_seq, r.last_at,
                b.user_id, b.role, b.capabilities, b.muted_until, b.joined_seq, b.joined_at, b.data, s.read,
                (SELECT count(*) FROM (SELECT 1 FROM messages m WHERE m.room = r.id AND m.seq > max(s.floor, s.read)
                    AND m.deleted = 0 AND m.sender IS NOT ?1 LIMIT 100)),
                (SELECT count(*) FROM (
                    SELECT m.seq FROM mentions x JOIN messages m ON m.room = x.room AND m.seq = x.seq
                     WHERE x.user_id = ?1 AND x.room = r.id AND x.seq > max(s.floor, s.read) AND x.shown = 1
                       AND m.deleted = 0 AND m.sender IS NOT ?1
                    UNION
                    SELECT m.seq FROM messages m WHERE m.room = r.id AND m.seq > max(s.floor, s.read)
                       AND m.mention_all = 1 AND m.deleted = 0 AND m.sender IS NOT ?1
                    LIMIT 100)),
                (SELECT o.user_id FROM members o WHERE r.kind = 'direct' AND o.room = r.id AND o.user_id <> ?1 LIMIT 1),
                (SELECT m.seq FROM messages m WHERE m.room = r.id AND m.thread IS NULL AND m.deleted = 0
                    AND m.seq > s.floor ORDER BY m.seq DESC LIMIT 1),
                EXISTS (SELECT 1 FROM calls c WHERE c.room = r.id AND c.ended_at IS NULL)
               FROM page r JOIN seen s ON s.id = r.id LEFT JOIN members b ON b.room = r.id AND b.user_id = ?1
              ORDER BY r.last_at DESC, r.id"
        )
    };
}

const LIST_MEMBER: &str = list!(
    "r.id IN (SELECT b.room FROM members b WHERE b.user_id = ?1 AND NOT EXISTS (SELECT 1 FROM bans x
        WHERE x.room = b.room AND x.user_id = b.user_id AND (x.until_ms IS NULL OR x.until_ms > ?2)))"
);
const LIST_ROOMS: &str = list!("r.id IN (SELECT value FROM json_each(?2))");
const LIST_ALL: &str = list!("?2 IS NULL");

/// See [`crate::storage::Store::list`].
pub async fn list(conn: &mut SqliteConnection, list: &ListQuery) -> Result<(Vec<ListRow>, bool)> {
    let found = match &list.scope {
        ListScope::MemberOf => query(LIST_MEMBER).bind(list.reader.as_str()).bind(now()),
        ListScope::Rooms(rooms) => query(LIST_ROOMS).bind(list.reader.as_str()).bind(json(rooms)),
        ListScope::All => query(LIST_ALL).bind(list.reader.as_str()).bind(None::<i64>),
    };
    let found = found
        .bind(list.archived)
        .bind(list.after.as_ref().map(|(at, _)| millis(*at)))
        .bind(list.after.as_ref().map(|(_, room)| room.as_str()))
        .bind(i64::from(list.limit) + 1);
    let found = found.fetch_all(&mut *conn).await.map_err(error)?;
    let mut entries = found.iter().map(rows::list).collect::<Result<Vec<_>>>()?;
    let more = cut(&mut entries, list.limit);
    let names: Vec<_> =
        entries.iter().filter_map(|(entry, last)| last.map(|seq| (entry.info.room.clone(), seq))).collect();
    let mut last: HashMap<_, _> =
        load(conn, &names, &list.reader).await?.into_iter().map(|m| (m.room.clone(), m)).collect();
    let filled = entries.into_iter().map(|(entry, _)| ListRow { last: last.remove(&entry.info.room), ..entry });
    Ok((filled.collect(), more))
}

/// See [`crate::storage::Store::markers`].
pub async fn markers(conn: &mut SqliteConnection, room: &RoomId, own: &UserId, most: u32) -> Result<Vec<ReadMarker>> {
    const SQL: &str = "SELECT user_id, seq FROM markers WHERE room = ?1 ORDER BY user_id <> ?2, user_id LIMIT ?3";
    let found = query(SQL).bind(room.as_str()).bind(own.as_str()).bind(most).fetch_all(conn).await.map_err(error)?;
    found.iter().map(|row| Ok(ReadMarker { user: rows::id(row, 0)?, seq: rows::seq(row, 1)? })).collect()
}

/// See [`crate::storage::Store::users`].
pub async fn users(conn: &mut SqliteConnection, users: &[UserId]) -> Result<Vec<UserState>> {
    const SQL: &str = "SELECT who.value, coalesce(u.epoch, (SELECT value FROM settings WHERE name = 'user_epoch')),
            coalesce(u.head_seq, 0), coalesce(u.revoked_before, 0), u.name, u.avatar, coalesce(u.status, ''), u.last_seen
        FROM json_each(?1) AS who LEFT JOIN users u ON u.id = who.value ORDER BY who.key";
    let found = query(SQL).bind(json(users)).fetch_all(conn).await.map_err(error)?;
    found.iter().map(rows::user).collect()
}

/// See [`crate::storage::Store::user_events`].
pub async fn user_events(conn: &mut SqliteConnection, user: &UserId, after: Seq, most: u32) -> Result<Vec<UserEvent>> {
    const SQL: &str = "SELECT seq, at, sender, v, body FROM user_events
        WHERE user_id = ?1 AND seq > ?2 AND body IS NOT NULL ORDER BY seq LIMIT ?3";
    let (mut events, mut after) = (Vec::new(), seq(after));
    // What this version does not know is passed over; a page must not look like the end because of it.
    loop {
        let rest = i64::from(most) - events.len() as i64;
        let page = query(SQL).bind(user.as_str()).bind(after).bind(rest);
        let page = page.fetch_all(&mut *conn).await.map_err(error)?;
        let Some(last) = page.last() else { return Ok(events) };
        after = seq(rows::seq(last, 0)?);
        for row in &page {
            events.extend(rows::user_event(row)?);
        }
        if (page.len() as i64) < rest || events.len() as i64 >= i64::from(most) {
            return Ok(events);
        }
    }
}

/// See [`crate::storage::Store::profiles`].
pub async fn profiles(conn: &mut SqliteConnection, users: &[UserId]) -> Result<HashMap<UserId, Profile>> {
    const SQL: &str = "SELECT u.id, u.name, u.avatar FROM json_each(?1) AS who JOIN users u ON u.id = who.value
        WHERE u.name IS NOT NULL";
    let found = query(SQL).bind(json(users)).fetch_all(conn).await.map_err(error)?;
    let profiles = found.iter().map(|row| Ok((rows::id(row, 0)?, rows::profile(row, 1)?)));
    Ok(profiles.collect::<Result<Vec<_>>>()?.into_iter().filter_map(|(user, p)| p.map(|p| (user, p))).collect())
}

/// See [`crate::storage::Store::messages_of`].
pub async fn messages_of(
    conn: &mut SqliteConnection,
    user: &UserId,
    after: Option<(RoomId, Seq)>,
    limit: u32,
) -> Result<Vec<Message>> {
    const SQL: &str = "SELECT e.room, e.seq FROM events e
        WHERE e.sender = ?1 AND e.room >= ?2 AND (e.room, e.seq) > (?2, ?3) AND e.kind = 'chat.sent'
          AND e.body IS NOT NULL ORDER BY e.room, e.seq LIMIT ?4";
    let (room, place) = after.map_or((String::new(), 0), |(room, place)| (room.to_string(), seq(place)));
    let picks = query(SQL).bind(user.as_str()).bind(room).bind(place).bind(limit);
    let picks = picks.fetch_all(&mut *conn).await.map_err(error)?;
    let names = picks.iter().map(rows::name).collect::<Result<Vec<_>>>()?;
    load(conn, &names, user).await
}
