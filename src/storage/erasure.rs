//! Deletion and erasure beyond a single message, as far as both databases say it in the same words.

use super::{Result, StoreError};
use serde_json::Value;
use stoa_protocol::{EditRight, Epoch, UserId};

/// Milliseconds of a day; retention counts days of 24 hours.
pub const DAY_MS: i64 = 24 * 3600 * 1000;
/// Rooms that one pass of expiry looks into.
pub const EXPIRY_ROOMS: i64 = 100;

/// A room's rows, children before the parent.
pub const DELETE_ROOM: [&str; 22] = [
    // The row that a save locks goes first, so that nothing is added behind what is deleted.
    "DELETE FROM document_states WHERE room = $1",
    "DELETE FROM document_updates WHERE room = $1",
    "DELETE FROM document_clients WHERE room = $1",
    "DELETE FROM document_versions WHERE room = $1",
    "DELETE FROM documents WHERE room = $1",
    "DELETE FROM blobs WHERE room = $1",
    // A room of the same name later is not theirs. The number is `links::FOR_EVER`.
    "UPDATE users SET revoked_before = 253402300799000 WHERE id IN
        (SELECT g.user_id FROM guests g JOIN links l ON l.id = g.link WHERE l.room = $1)",
    "DELETE FROM guests WHERE link IN (SELECT id FROM links WHERE room = $1)",
    "DELETE FROM links WHERE room = $1",
    "DELETE FROM call_retained WHERE room = $1",
    "DELETE FROM call_marks WHERE room = $1",
    "DELETE FROM call_participants WHERE room = $1",
    "DELETE FROM calls WHERE room = $1",
    "DELETE FROM markers WHERE room = $1",
    "DELETE FROM bans WHERE room = $1",
    "DELETE FROM members WHERE room = $1",
    "DELETE FROM pins WHERE room = $1",
    "DELETE FROM mentions WHERE room = $1",
    "DELETE FROM reactions WHERE room = $1",
    "DELETE FROM messages WHERE room = $1",
    "DELETE FROM events WHERE room = $1",
    "DELETE FROM rooms WHERE id = $1",
];

/// Whether a list somewhere in a JSON text names the user. In compact JSON only what stands in a list has a bracket or a
/// comma on both sides; brackets are taken for commas, the id is written as JSON writes it, and `replace` knows no
/// patterns.
macro_rules! listed {
    ($json:literal) => {
        concat!(
            r#" replace(replace(replace("#,
            $json,
            r#", '["', ',"'), '"]', '",'), ',"' || replace(replace($1, '\', '\\'), '"', '\"') || '",', '')
            <> replace(replace("#,
            $json,
            r#", '["', ',"'), '"]', '",') "#
        )
    };
}

/// The rooms in which something is kept about a user, in id order.
pub const ROOMS_OF_USER: &str = concat!(
    "
    SELECT room FROM events WHERE sender = $1 UNION SELECT room FROM events WHERE subject = $1
    UNION SELECT room FROM members WHERE user_id = $1 UNION SELECT room FROM bans WHERE user_id = $1
    UNION SELECT room FROM markers WHERE user_id = $1 UNION SELECT room FROM mentions WHERE user_id = $1
    UNION SELECT room FROM reactions WHERE user_id = $1 UNION SELECT id FROM rooms WHERE creator = $1
    UNION SELECT room FROM call_participants WHERE user_id = $1 UNION SELECT room FROM call_marks WHERE user_id = $1
    UNION SELECT room FROM calls WHERE started_by = $1
    UNION SELECT room FROM documents WHERE",
    listed!("edit"),
    "UNION SELECT room FROM events WHERE kind IN ('document.created', 'document.updated') AND",
    listed!("body"),
    "ORDER BY 1"
);

/// Records of documents whose rights name a user: fewer after each has been written anew.
pub const RIGHTS_WITH_USER: &str =
    concat!("SELECT room, document, edit FROM documents WHERE", listed!("edit"), "LIMIT 500");

/// Events about documents that name a user, a page at a time.
pub const DOCUMENTS_WITH_USER: &str = concat!(
    "SELECT room, seq, body FROM events WHERE kind IN ('document.created', 'document.updated') AND",
    listed!("body"),
    "AND (room, seq) > ($2, $3) ORDER BY room, seq LIMIT 500"
);

/// A user's messages, tombstones included.
pub const SENT_BY_USER: &str = "
    SELECT m.room, m.seq FROM events e JOIN messages m ON m.room = e.room AND m.seq = e.seq
     WHERE e.sender = $1 AND e.kind = 'chat.sent' ORDER BY 1, 2";

/// Bodies that mention a user, a page at a time.
pub const BODIES_WITH_USER: &str = "
    SELECT e.room, e.seq, e.body FROM mentions x
      JOIN events e ON e.room = x.room AND (e.seq = x.seq OR e.target = x.seq)
     WHERE x.user_id = $1 AND e.kind IN ('chat.sent', 'chat.edited') AND e.body IS NOT NULL
       AND (e.room, e.seq) > ($2, $3) ORDER BY e.room, e.seq LIMIT 500";

/// Lists of mentions that name a user now.
pub const MENTIONS_WITH_USER: &str = "
    SELECT m.room, m.seq, m.mentions FROM mentions x JOIN messages m ON m.room = x.room AND m.seq = x.seq
     WHERE x.user_id = $1 AND m.mentions IS NOT NULL AND (m.room, m.seq) > ($2, $3)
     ORDER BY m.room, m.seq LIMIT 500";

/// What is left of a user after their messages and the mentions of them.
pub const ERASE_USER: [&str; 23] = [
    "UPDATE document_clients SET user_id = NULL WHERE user_id = $1",
    "UPDATE document_versions SET user_id = NULL WHERE user_id = $1",
    "UPDATE blobs SET user_id = NULL WHERE user_id = $1",
    // Whom they let in goes with them. The number is `links::FOR_EVER`.
    "UPDATE users SET revoked_before = 253402300799000 WHERE id IN
        (SELECT g.user_id FROM guests g JOIN links l ON l.id = g.link WHERE l.creator = $1)",
    "DELETE FROM guests WHERE user_id = $1 OR link IN (SELECT id FROM links WHERE creator = $1)",
    "DELETE FROM links WHERE creator = $1",
    // Lists of people in events of calls.
    concat!(
        "UPDATE events SET body = NULL WHERE kind IN ('call.started', 'call.rang', 'call.muted') AND",
        listed!("body"),
        "AND room IN (SELECT room FROM events WHERE subject = $1 UNION SELECT room FROM members WHERE user_id = $1)"
    ),
    "UPDATE calls SET started_by = NULL WHERE started_by = $1",
    "UPDATE call_participants SET user_id = NULL, session = '', device = NULL WHERE user_id = $1",
    "DELETE FROM call_marks WHERE user_id = $1",
    "UPDATE messages SET sender = NULL WHERE (room, seq) IN (SELECT room, seq FROM events WHERE sender = $1)",
    "UPDATE events SET body = NULL WHERE sender = $1
        AND kind IN ('chat.sent', 'chat.edited', 'chat.reacted', 'app')",
    "UPDATE events SET body = NULL, subject = NULL WHERE subject = $1",
    "UPDATE events SET sender = NULL, key = NULL, digest = NULL WHERE sender = $1",
    "DELETE FROM reactions WHERE user_id = $1",
    "DELETE FROM mentions WHERE user_id = $1",
    "DELETE FROM members WHERE user_id = $1",
    "DELETE FROM bans WHERE user_id = $1",
    "DELETE FROM markers WHERE user_id = $1",
    "UPDATE rooms SET creator = NULL WHERE creator = $1",
    "DELETE FROM user_events WHERE user_id = $1",
    "UPDATE user_events SET body = NULL WHERE sender = $1 AND kind = 'user.app'",
    "UPDATE user_events SET sender = NULL, key = NULL, digest = NULL WHERE sender = $1",
];

/// The user's row stays with its id and the revocation alone, or a token issued before would open the door again; its
/// log begins anew. `$2` is its epoch.
pub const RESET_USER: &str = "
    UPDATE users SET epoch = $2, head_seq = 0, name = NULL, avatar = NULL, status = '', last_seen = NULL WHERE id = $1";

/// A new life of a log: 64 random bits in hexadecimal.
///
/// # Errors
/// [`StoreError::Unavailable`] when the system has no randomness.
pub fn new_epoch() -> Result<Epoch> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Epoch::new(super::projection::hex(&bytes)).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// A list of mentions without the user; `None` when nobody is left.
///
/// # Errors
/// [`StoreError::Damaged`] when it is not a list of strings.
pub fn without_user(mentions: &str, user: &UserId) -> Result<Option<String>> {
    let mut users: Vec<String> =
        serde_json::from_str(mentions).map_err(|error| StoreError::Damaged(format!("stored mentions: {error}")))?;
    users.retain(|mentioned| mentioned != user.as_str());
    Ok((!users.is_empty()).then(|| super::projection::json(&users)))
}

/// A stored body whose `mentions` do not name the user.
///
/// # Errors
/// [`StoreError::Damaged`] when the body is not JSON.
pub fn without_mention(body: &str, user: &UserId) -> Result<String> {
    let mut body: Value =
        serde_json::from_str(body).map_err(|error| StoreError::Damaged(format!("a stored body: {error}")))?;
    if let Some(Value::Array(mentions)) = body.get_mut("mentions") {
        mentions.retain(|mentioned| mentioned.as_str() != Some(user.as_str()));
    }
    Ok(body.to_string())
}

/// A stored event about a document whose rights do not name the user.
///
/// # Errors
/// [`StoreError::Damaged`] when the body is not JSON.
pub fn without_editor(body: &str, user: &UserId) -> Result<String> {
    let mut body: Value =
        serde_json::from_str(body).map_err(|error| StoreError::Damaged(format!("a stored body: {error}")))?;
    if let Some(Value::Object(edit)) = body.get_mut("edit") {
        for list in ["allow", "deny"] {
            if let Some(Value::Array(people)) = edit.get_mut(list) {
                people.retain(|one| one.as_str() != Some(user.as_str()));
            }
        }
    }
    Ok(body.to_string())
}

/// A document's rights that do not name the user.
///
/// # Errors
/// [`StoreError::Damaged`] when they are none.
pub fn rights_without(edit: &str, user: &UserId) -> Result<String> {
    let mut edit: EditRight =
        serde_json::from_str(edit).map_err(|error| StoreError::Damaged(format!("stored rights: {error}")))?;
    edit.allow.retain(|one| one != user);
    edit.deny.retain(|one| one != user);
    Ok(super::projection::json(&edit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_taken_out_and_nothing_else() {
        let ann = UserId::new("ann").expect("legal");
        let body = r#"{"type":"chat.sent","text":"ann","mentions":["ben","ann"],"data":{"mentions":["ann"]}}"#;
        let left: Value = serde_json::from_str(&without_mention(body, &ann).expect("JSON")).expect("JSON");
        let want = serde_json::json!({
            "type": "chat.sent", "text": "ann", "mentions": ["ben"], "data": {"mentions": ["ann"]}
        });
        assert_eq!(left, want);
    }
}
