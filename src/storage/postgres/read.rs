//! Reads. Each that needs one view of the database is one statement, which sees one snapshot.

use super::conn::Conn;
use crate::storage::{
    CallQuery, ListQuery, ListRow, ListScope, MessagePage, MessageQuery, Result, SearchQuery, SearchScope, StoredEvent,
    StoredRoom, UserState,
    paging::{ATTENDANCES, CALLS, Picked, Window, cut, lexemes, now},
    projection::{millis, seq},
    rows,
};
use sqlx::query;
use std::collections::HashMap;
use stoa_protocol::{CallRecord, Message, Profile, ReadMarker, RoomId, Seq, UserEvent, UserId};

/// Most rooms that a search names to the index; with more the words alone choose rows, and rooms are compared after.
const INDEXED_ROOMS: usize = 256;

macro_rules! info {
    () => {
        "r.id, r.kind, r.title, r.topic, r.history, r.slow_mode_s, r.archived, r.retention_days, r.data, r.created_at"
    };
}

const ROOM: &str = concat!(
    "SELECT ",
    info!(),
    ", r.epoch, r.head_seq, r.creator,
        (SELECT coalesce(json_agg(json_build_array(user_id, role, capabilities, muted_until, joined_seq, joined_at, data)
            ORDER BY user_id), '[]')::text FROM members WHERE room = r.id),
        (SELECT coalesce(json_agg(json_build_array(user_id, until_ms, reason) ORDER BY user_id), '[]')::text
           FROM bans WHERE room = r.id),
        (SELECT coalesce(json_agg(seq ORDER BY place), '[]')::text FROM pins WHERE room = r.id),
        (SELECT coalesce(json_agg(json_build_array(document, kind, title, edit, locked::int, data, created_at)
            ORDER BY document), '[]')::text FROM documents WHERE room = r.id),
        (SELECT json_build_array(json_build_array(call, started_at, started_by, media, carried, locked, lobby),
            (SELECT coalesce(json_agg(json_build_array(session, user_id, joined, joined_at, device)), '[]')
               FROM call_participants p
              WHERE p.room = c.room AND p.call = c.call AND p.left_at IS NULL AND p.user_id IS NOT NULL),
            (SELECT coalesce(json_agg(json_build_array(kind, name, user_id, at)), '[]') FROM call_marks m
              WHERE m.room = c.room AND m.call = c.call),
            (SELECT coalesce(json_agg(value), '[]') FROM call_retained x
              WHERE x.room = c.room AND x.call = c.call))::text
           FROM calls c WHERE c.room = r.id AND c.ended_at IS NULL ORDER BY call DESC LIMIT 1)
       FROM rooms r WHERE r.id = $1 AND r.kind IS NOT NULL"
);

/// See [`crate::storage::Store::room`].
pub async fn room(conn: &mut Conn, room: &RoomId) -> Result<Option<StoredRoom>> {
    conn.maybe(query(ROOM).bind(room.as_str())).await?.as_ref().map(rows::room).transpose()
}

/// See [`crate::storage::Store::events`].
pub async fn events(conn: &mut Conn, room: &RoomId, after: Seq, limit: u32) -> Result<Vec<StoredEvent>> {
    const SQL: &str = "SELECT seq, at, sender, kind, v::bigint, body FROM events
        WHERE room = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    let found = conn.all(query(SQL).bind(room.as_str()).bind(seq(after)).bind(i64::from(limit))).await?;
    found.iter().map(rows::event).collect()
}

/// See [`crate::storage::Store::calls`].
pub async fn calls(conn: &mut Conn, page: &CallQuery) -> Result<(Vec<CallRecord>, bool)> {
    let (after, before) = (seq(page.after), seq(page.before.unwrap_or(Seq::MAX)));
    let rows = query(CALLS).bind(page.room.as_str()).bind(after).bind(before).bind(i64::from(page.limit) + 1);
    let found = conn.all(rows).await?;
    let mut calls = found.iter().map(rows::call_record).collect::<Result<Vec<_>>>()?;
    let more = cut(&mut calls, page.limit);
    let Some(oldest) = calls.last() else { return Ok((calls, more)) };
    let rows = query(ATTENDANCES).bind(page.room.as_str()).bind(seq(oldest.call)).bind(before);
    let found = conn.all(rows).await?;
    let attendances = found.iter().map(rows::attendance).collect::<Result<_>>()?;
    Ok((rows::attended(calls, attendances), more))
}

/// See [`crate::storage::Store::running_calls`].
pub async fn running_calls(conn: &mut Conn) -> Result<Vec<RoomId>> {
    let found = conn.all(query("SELECT room FROM calls WHERE ended_at IS NULL")).await?;
    found.iter().map(|row| rows::id(row, 0)).collect()
}

const MAIN: &str = "
    SELECT 0::bigint, seq FROM (SELECT seq FROM messages WHERE room = $1 AND thread IS NULL AND seq > $2 AND seq < $3
        ORDER BY seq DESC LIMIT $4) AS older
    UNION ALL
    SELECT 1::bigint, seq FROM (SELECT seq FROM messages WHERE room = $1 AND thread IS NULL AND seq > $2 AND seq >= $3
        ORDER BY seq LIMIT $5) AS newer";

const THREAD: &str = "
    SELECT 0::bigint, seq FROM (
        (SELECT seq FROM messages WHERE room = $1 AND seq = $6 AND seq > $2 AND seq < $3)
        UNION ALL
        (SELECT seq FROM messages WHERE room = $1 AND thread = $6 AND seq > $2 AND seq < $3
            ORDER BY seq DESC LIMIT $4)
        ORDER BY seq DESC LIMIT $4) AS older
    UNION ALL
    SELECT 1::bigint, seq FROM (
        (SELECT seq FROM messages WHERE room = $1 AND seq = $6 AND seq > $2 AND seq >= $3)
        UNION ALL
        (SELECT seq FROM messages WHERE room = $1 AND thread = $6 AND seq > $2 AND seq >= $3
            ORDER BY seq LIMIT $5)
        ORDER BY seq LIMIT $5) AS newer";

/// See [`crate::storage::Store::messages`].
pub async fn page(conn: &mut Conn, page: &MessageQuery) -> Result<MessagePage> {
    let window = Window::of(page.place, page.limit);
    let picks = query(if page.thread.is_some() { THREAD } else { MAIN })
        .bind(page.room.as_str())
        .bind(seq(page.visible_after))
        .bind(window.border)
        .bind(window.older)
        .bind(window.newer);
    let picks = match page.thread {
        Some(thread) => picks.bind(seq(thread)),
        None => picks,
    };
    let picks = conn.all(picks).await?;
    let Picked { seqs, more_before, more_after } = window.balance(&picks, page.limit)?;
    let names: Vec<_> = seqs.into_iter().map(|seq| (page.room.clone(), seq)).collect();
    Ok(MessagePage { messages: load(conn, &names, &page.reader).await?, more_before, more_after })
}

const LOAD: &str = "
    SELECT m.room, m.seq, m.at, m.sender, m.text, m.mentions, m.mention_all, m.reply_to, m.thread, m.announcement,
        m.data, m.edited_at, m.deleted,
        EXISTS (SELECT 1 FROM pins p WHERE p.room = m.room AND p.seq = m.seq),
        (SELECT count(*) FROM messages t WHERE t.room = m.room AND t.thread = m.seq AND NOT t.deleted),
        (SELECT json_agg(json_build_array(emoji, people, user_id, mine, rank <= 20) ORDER BY first, rank)::text
           FROM (SELECT emoji, user_id, user_id = $3 AS mine,
                    count(*) OVER (PARTITION BY emoji) AS people,
                    row_number() OVER (PARTITION BY emoji ORDER BY place) AS rank,
                    min(place) OVER (PARTITION BY emoji) AS first
                   FROM reactions x WHERE x.room = m.room AND x.seq = m.seq) AS reaction
          WHERE rank <= 20 OR mine)
      FROM unnest($1::text[], $2::bigint[]) AS pick (room, seq)
      JOIN messages m ON m.room = pick.room AND m.seq = pick.seq";

/// Messages by name, in the order of the names.
async fn load(conn: &mut Conn, names: &[(RoomId, Seq)], reader: &UserId) -> Result<Vec<Message>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let rooms: Vec<_> = names.iter().map(|(room, _)| room.as_str()).collect();
    let seqs: Vec<_> = names.iter().map(|(_, place)| seq(*place)).collect();
    let found = conn.all(query(LOAD).bind(rooms).bind(seqs).bind(reader.as_str())).await?;
    let found = found.iter().map(|row| rows::message(row, 0).map(|m| ((m.room.clone(), m.seq), m)));
    Ok(rows::in_order(names, found.collect::<Result<HashMap<_, _>>>()?))
}

macro_rules! search {
    ($scope:literal) => {
        concat!(
            "SELECT m.room, m.seq FROM messages m ",
            $scope,
            "   AND m.words @> $1 AND NOT m.deleted AND ($2::text IS NULL OR m.sender = $2)
                AND ($3::bigint IS NULL OR (m.at, m.room, m.seq) < ($3, $4::text, $5::bigint))
              ORDER BY m.at DESC, m.room DESC, m.seq DESC LIMIT $6"
        )
    };
}

const SEARCH_ALL: &str = search!("WHERE true");
const SEARCH_MANY: &str = search!(
    "JOIN (SELECT room, min(seq) AS seq FROM unnest($7::text[], $8::bigint[]) AS f (room, seq) GROUP BY 1) AS floor
       ON floor.room = m.room WHERE m.seq > floor.seq"
);
const SEARCH_ROOMS: &str = search!(
    "JOIN (SELECT room, min(seq) AS seq FROM unnest($7::text[], $8::bigint[]) AS f (room, seq) GROUP BY 1) AS floor
       ON floor.room = m.room WHERE m.seq > floor.seq AND m.words && $9"
);

/// See [`crate::storage::Store::search`].
pub async fn search(conn: &mut Conn, search: &SearchQuery) -> Result<(Vec<Message>, bool)> {
    let words: Vec<_> = lexemes(&search.query).into_iter().collect();
    if words.is_empty() {
        return Ok((Vec::new(), false));
    }
    let rooms = match &search.scope {
        SearchScope::Rooms(rooms) => Some(rooms.clone()),
        SearchScope::MemberOf(user) => Some(member_of(conn, user).await?),
        SearchScope::All => None,
    };
    let sql = match &rooms {
        None => SEARCH_ALL,
        Some(rooms) if rooms.is_empty() => return Ok((Vec::new(), false)),
        Some(rooms) if rooms.len() > INDEXED_ROOMS => SEARCH_MANY,
        Some(_) => SEARCH_ROOMS,
    };
    let (at, room, place) = match &search.after {
        Some((at, room, place)) => (Some(millis(*at)), Some(room.as_str()), Some(seq(*place))),
        None => (None, None, None),
    };
    let mut picks = query(sql)
        .bind(words)
        .bind(search.from.as_ref().map(UserId::as_str))
        .bind(at)
        .bind(room)
        .bind(place)
        .bind(i64::from(search.limit) + 1);
    if let Some(rooms) = &rooms {
        picks = picks
            .bind(rooms.iter().map(|(room, _)| room.as_str()).collect::<Vec<_>>())
            .bind(rooms.iter().map(|(_, floor)| seq(*floor)).collect::<Vec<_>>());
        if rooms.len() <= INDEXED_ROOMS {
            picks = picks.bind(rooms.iter().map(|(room, _)| format!("@{room}")).collect::<Vec<_>>());
        }
    }
    let picks = conn.all(picks).await?;
    let mut names = picks.iter().map(rows::name).collect::<Result<Vec<_>>>()?;
    let more = cut(&mut names, search.limit);
    Ok((load(conn, &names, &search.reader).await?, more))
}

/// The rooms of a member without bans in force, each with the place up to which its messages are not for them.
async fn member_of(conn: &mut Conn, user: &UserId) -> Result<Vec<(RoomId, Seq)>> {
    const SQL: &str = "SELECT b.room, CASE WHEN r.history = 'since_join' THEN b.joined_seq ELSE 0 END
        FROM members b JOIN rooms r ON r.id = b.room WHERE b.user_id = $1 AND NOT EXISTS (SELECT 1 FROM bans x
            WHERE x.room = b.room AND x.user_id = b.user_id AND (x.until_ms IS NULL OR x.until_ms > $2))";
    conn.all(query(SQL).bind(user.as_str()).bind(now())).await?.iter().map(rows::name).collect()
}

macro_rules! list {
    ($scope:literal) => {
        concat!(
            "WITH page AS MATERIALIZED (SELECT r.* FROM rooms r WHERE r.kind IS NOT NULL AND ",
            $scope,
            "    AND ($3 OR NOT r.archived)
                 AND ($4::bigint IS NULL OR r.last_at < $4 OR (r.last_at = $4 AND r.id > $5::text))
                 ORDER BY r.last_at DESC, r.id LIMIT $6)
             SELECT ",
            info!(),
            ", r.head_seq, r.last_at,
                b.user_id, b.role, b.capabilities, b.muted_until, b.joined_seq, b.joined_at, b.data, s.read,
                (SELECT count(*) FROM (SELECT 1 FROM messages m WHERE m.room = r.id
                    AND m.seq > greatest(s.floor, s.read)
                    AND NOT m.deleted AND m.sender IS DISTINCT FROM $1 LIMIT 100) AS unread),
                (SELECT count(*) FROM (
                    SELECT m.seq FROM mentions x JOIN messages m ON m.room = x.room AND m.seq = x.seq
                     WHERE x.user_id = $1 AND x.room = r.id AND x.seq > greatest(s.floor, s.read) AND x.shown
                       AND NOT m.deleted AND m.sender IS DISTINCT FROM $1
                    UNION
                    SELECT m.seq FROM messages m WHERE m.room = r.id AND m.seq > greatest(s.floor, s.read)
                       AND m.mention_all AND NOT m.deleted AND m.sender IS DISTINCT FROM $1
                    LIMIT 100) AS mentioned),
                (SELECT o.user_id FROM members o WHERE r.kind = 'direct' AND o.room = r.id AND o.user_id <> $1 LIMIT 1),
                (SELECT m.seq FROM messages m WHERE m.room = r.id AND m.thread IS NULL AND NOT m.deleted
                    AND m.seq > s.floor ORDER BY m.seq DESC LIMIT 1),
                EXISTS (SELECT 1 FROM calls c WHERE c.room = r.id AND c.ended_at IS NULL)
               FROM page r LEFT JOIN members b ON b.room = r.id AND b.user_id = $1
               LEFT JOIN markers k ON k.room = r.id AND k.user_id = $1
               CROSS JOIN LATERAL (SELECT coalesce(k.seq, 0) AS read,
                CASE WHEN r.history = 'since_join' THEN coalesce(b.joined_seq, 0) ELSE 0 END AS floor) AS s
              ORDER BY r.last_at DESC, r.id"
        )
    };
}

const LIST_MEMBER: &str = list!(
    "r.id IN (SELECT b.room FROM members b WHERE b.user_id = $1 AND NOT EXISTS (SELECT 1 FROM bans x
        WHERE x.room = b.room AND x.user_id = b.user_id AND (x.until_ms IS NULL OR x.until_ms > $2)))"
);
const LIST_ROOMS: &str = list!("r.id = ANY($2)");
const LIST_ALL: &str = list!("$2::bigint IS NULL");

/// See [`crate::storage::Store::list`].
pub async fn list(conn: &mut Conn, list: &ListQuery) -> Result<(Vec<ListRow>, bool)> {
    let found = match &list.scope {
        ListScope::MemberOf => query(LIST_MEMBER).bind(list.reader.as_str()).bind(now()),
        ListScope::Rooms(rooms) => {
            query(LIST_ROOMS).bind(list.reader.as_str()).bind(rooms.iter().map(RoomId::as_str).collect::<Vec<_>>())
        }
        ListScope::All => query(LIST_ALL).bind(list.reader.as_str()).bind(None::<i64>),
    };
    let found = found
        .bind(list.archived)
        .bind(list.after.as_ref().map(|(at, _)| millis(*at)))
        .bind(list.after.as_ref().map(|(_, room)| room.as_str()))
        .bind(i64::from(list.limit) + 1);
    let found = conn.all(found).await?;
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
pub async fn markers(conn: &mut Conn, room: &RoomId, own: &UserId, most: u32) -> Result<Vec<ReadMarker>> {
    const SQL: &str = "SELECT user_id, seq FROM markers WHERE room = $1 ORDER BY user_id <> $2, user_id LIMIT $3";
    let found = conn.all(query(SQL).bind(room.as_str()).bind(own.as_str()).bind(i64::from(most))).await?;
    found.iter().map(|row| Ok(ReadMarker { user: rows::id(row, 0)?, seq: rows::seq(row, 1)? })).collect()
}

/// See [`crate::storage::Store::users`].
pub async fn users(conn: &mut Conn, users: &[UserId]) -> Result<Vec<UserState>> {
    const SQL: &str = "SELECT who.id, coalesce(u.epoch, (SELECT value FROM settings WHERE name = 'user_epoch')),
            coalesce(u.head_seq, 0), coalesce(u.revoked_before, 0), u.name, u.avatar, coalesce(u.status, ''), u.last_seen
        FROM unnest($1::text[]) WITH ORDINALITY AS who (id, place) LEFT JOIN users u ON u.id = who.id ORDER BY who.place";
    let ids: Vec<_> = users.iter().map(UserId::as_str).collect();
    conn.all(query(SQL).bind(ids)).await?.iter().map(rows::user).collect()
}

/// See [`crate::storage::Store::user_events`].
pub async fn user_events(conn: &mut Conn, user: &UserId, after: Seq, most: u32) -> Result<Vec<UserEvent>> {
    const SQL: &str = "SELECT seq, at, sender, v::bigint, body FROM user_events
        WHERE user_id = $1 AND seq > $2 AND body IS NOT NULL ORDER BY seq LIMIT $3";
    let (mut events, mut after) = (Vec::new(), seq(after));
    // What this version does not know is passed over; a page must not look like the end because of it.
    loop {
        let rest = i64::from(most) - events.len() as i64;
        let page = conn.all(query(SQL).bind(user.as_str()).bind(after).bind(rest)).await?;
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
pub async fn profiles(conn: &mut Conn, users: &[UserId]) -> Result<HashMap<UserId, Profile>> {
    const SQL: &str = "SELECT id, name, avatar FROM users WHERE id = ANY($1) AND name IS NOT NULL";
    let ids: Vec<_> = users.iter().map(UserId::as_str).collect();
    let found = conn.all(query(SQL).bind(ids)).await?;
    let profiles = found.iter().map(|row| Ok((rows::id(row, 0)?, rows::profile(row, 1)?)));
    Ok(profiles.collect::<Result<Vec<_>>>()?.into_iter().filter_map(|(user, p)| p.map(|p| (user, p))).collect())
}

/// See [`crate::storage::Store::messages_of`].
pub async fn messages_of(
    conn: &mut Conn,
    user: &UserId,
    after: Option<(RoomId, Seq)>,
    limit: u32,
) -> Result<Vec<Message>> {
    const SQL: &str = "SELECT e.room, e.seq FROM events e
        WHERE e.sender = $1 AND e.room >= $2 AND (e.room, e.seq) > ($2, $3) AND e.kind = 'chat.sent'
          AND e.body IS NOT NULL ORDER BY e.room, e.seq LIMIT $4";
    let (room, place) = after.map_or((String::new(), 0), |(room, place)| (room.to_string(), seq(place)));
    let picks = query(SQL).bind(user.as_str()).bind(room).bind(place).bind(i64::from(limit));
    let names = conn.all(picks).await?.iter().map(rows::name).collect::<Result<Vec<_>>>()?;
    load(conn, &names, user).await
}
