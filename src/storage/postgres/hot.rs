//! The common batch, messages alone, in one statement over arrays: one round trip, and no row is parsed from JSON.

use super::conn::Conn;
use crate::storage::{
    EVENT_VERSION, Result, StoreError,
    paging::lexemes,
    projection::{Changes, EventRow, MentionRow, MessageRow},
    rows,
};
use sqlx::query;
use stoa_protocol::UserId;

/// Messages and their events are the same rows. `lock` holds the rooms; the answer counts heads that were where the
/// batch continues from.
const SENT: &str = "
    WITH d AS MATERIALIZED (
        SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bytea[], $7::text[],
            $8::text[], $9::text[], $10::boolean[], $11::bigint[], $12::bigint[], $13::boolean[], $14::text[],
            $15::text[])
        AS d (room, seq, at, sender, key, digest, body, text, mentions, mention_all, reply_to, thread, announcement,
            data, words)),
    e AS (
        INSERT INTO events (room, seq, at, kind, v, sender, key, digest, body)
        SELECT room, seq, at, 'chat.sent', $16, sender, key, digest, body FROM d),
    m AS (
        INSERT INTO messages (room, seq, at, sender, text, mentions, mention_all, reply_to, thread, announcement, data,
            words)
        SELECT room, seq, at, sender, text, mentions, mention_all, reply_to, thread, announcement, data,
            string_to_array(words, ' ') FROM d),
    n AS (
        INSERT INTO mentions (room, seq, user_id, shown)
        SELECT room, seq, user_id, true FROM unnest($17::text[], $18::bigint[], $19::text[]) AS n (room, seq, user_id)),
    v AS (INSERT INTO moves (rooms) VALUES ($20)),
    h AS (
        UPDATE rooms SET head_seq = x.head, last_at = x.at
          FROM unnest($20::text[], $21::bigint[], $22::bigint[], $23::bigint[]) AS x (room, was, head, at)
         WHERE id = x.room AND head_seq = x.was RETURNING 1)
    SELECT count(*) FROM h";

/// Writes a batch that [`Changes::is_messages_only`].
pub async fn write(conn: &mut Conn, changes: &Changes) -> Result<()> {
    let Changes { events, messages, mentions, heads, .. } = changes;
    debug_assert!(events.iter().zip(messages).all(|(e, m)| (&e.room, e.seq) == (&m.room, m.seq)), "one order");
    let words: Vec<_> = messages.iter().map(|m| index_words(m.room.as_str(), &m.text)).collect();
    let of = |message: fn(&MessageRow) -> Option<&str>| messages.iter().map(message).collect::<Vec<_>>();
    let mentioned = |mention: fn(&MentionRow) -> &str| mentions.iter().map(mention).collect::<Vec<_>>();
    let statement = query(SENT)
        .bind(messages.iter().map(|m| m.room.as_str()).collect::<Vec<_>>())
        .bind(messages.iter().map(|m| m.seq).collect::<Vec<_>>())
        .bind(messages.iter().map(|m| m.at).collect::<Vec<_>>())
        .bind(of(|m| m.sender.as_ref().map(UserId::as_str)))
        .bind(events.iter().map(|e| e.key.as_deref()).collect::<Vec<_>>())
        .bind(digests(events))
        .bind(events.iter().map(|e| e.body.as_str()).collect::<Vec<_>>())
        .bind(of(|m| Some(&m.text)))
        .bind(of(|m| m.mentions.as_deref()))
        .bind(messages.iter().map(|m| m.mention_all).collect::<Vec<_>>())
        .bind(messages.iter().map(|m| m.reply_to).collect::<Vec<_>>())
        .bind(messages.iter().map(|m| m.thread).collect::<Vec<_>>())
        .bind(messages.iter().map(|m| m.announcement).collect::<Vec<_>>())
        .bind(of(|m| m.data.as_deref()))
        .bind(words)
        .bind(EVENT_VERSION)
        .bind(mentioned(|m| m.room.as_str()))
        .bind(mentions.iter().map(|m| m.seq).collect::<Vec<_>>())
        .bind(mentioned(|m| m.user.as_str()))
        .bind(heads.iter().map(|h| h.room.as_str()).collect::<Vec<_>>())
        .bind(heads.iter().map(|h| h.from).collect::<Vec<_>>())
        .bind(heads.iter().map(|h| h.head).collect::<Vec<_>>())
        .bind(heads.iter().map(|h| h.at).collect::<Vec<_>>());
    let moved = rows::int(&conn.one(statement).await?, 0)?;
    match moved == heads.len() as i64 {
        true => Ok(()),
        false => Err(StoreError::Refused("a room's head is not where the batch continues from".into())),
    }
}

/// Digests as the driver takes them.
pub fn digests(events: &[EventRow]) -> Vec<Option<&[u8]>> {
    events.iter().map(|e| e.digest.as_ref().map(|digest| digest.as_slice())).collect()
}

/// What the search index has of a message: its room and its words, apart by spaces, which neither has.
pub fn index_words(room: &str, text: &str) -> String {
    lexemes(text).into_iter().fold(format!("@{room}"), |all, word| all + " " + &word)
}
