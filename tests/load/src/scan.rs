//! Reads from a server's frame what the journal needs, without parsing the JSON.
//!
//! A quote inside a JSON string travels as `\"`, so `"seq":` with its bare quotes is always a key; and a frame of a
//! log names `room`, `seq` and `type` before anything that a user wrote. Searching the bytes is therefore exact for
//! the few frames that are read this way; all others are handed on as [`Seen::Other`].

use memchr::memmem;
use std::fmt::Write as _;

/// What identifies a message: it opens the text as `L<sender>.<n>.<due_us>` and a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// The connection that sent it.
    pub sender: u32,
    /// The how manieth of this sender, from 0.
    pub n: u32,
    /// When it was due, microseconds since the engine's start.
    pub due_us: u64,
}

/// A message as the journal names it: its sender and its number, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u64);

impl MessageId {
    /// Names the `n`th message of a sender.
    pub fn new(sender: u32, n: u32) -> Self {
        Self((u64::from(sender) + 1) << 32 | u64::from(n))
    }

    /// As one number, for compact tables; never 0.
    pub fn packed(self) -> u64 {
        self.0
    }
}

impl Tag {
    /// The message's name.
    pub fn id(self) -> MessageId {
        MessageId::new(self.sender, self.n)
    }

    /// Writes a text of at least `bytes` bytes that begins with the tag.
    pub fn write_text(self, text: &mut String, bytes: usize) {
        let from = text.len();
        // Writing to a string cannot fail.
        let _ = write!(text, "L{}.{}.{} ", self.sender, self.n, self.due_us);
        for _ in text.len() - from..bytes {
            text.push('x');
        }
    }

    /// Reads a tag at the start of a text.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let rest = text.strip_prefix(b"L")?;
        let (sender, rest) = number(rest)?;
        let (n, rest) = number(rest.strip_prefix(b".")?)?;
        let (due_us, rest) = number(rest.strip_prefix(b".")?)?;
        if rest.first() != Some(&b' ') {
            return None;
        }
        Some(Self { sender: u32::try_from(sender).ok()?, n: u32::try_from(n).ok()?, due_us })
    }
}

/// A frame, as far as it was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// A message.
    Message {
        /// The room.
        room: &'a [u8],
        /// Its place.
        seq: u64,
        /// The tag of its text; `None` for a text that the generator did not write.
        tag: Option<Tag>,
    },
    /// Another durable event of a room.
    Event {
        /// The room.
        room: &'a [u8],
        /// Its place.
        seq: u64,
    },
    /// The cursor moves over what the reader does not get.
    Skip {
        /// The room.
        room: &'a [u8],
        /// The cursor now.
        seq: u64,
    },
    /// An acknowledgement without a result.
    Ack {
        /// The command.
        id: u64,
        /// The place of its event.
        seq: Option<u64>,
    },
    /// Anything else: its `type`, or nothing.
    Other(&'a [u8]),
}

/// Reads one text frame.
pub fn scan(frame: &[u8]) -> Seen<'_> {
    let kind = string(frame, b"\"type\":\"").unwrap_or_default();
    let place = || Some((string(frame, b"\"room\":\"")?, value(frame, b"\"seq\":")?));
    let seen = match kind {
        b"chat.sent" => place().map(|(room, seq)| {
            let text = string(frame, b"\"text\":\"").unwrap_or_default();
            Seen::Message { room, seq, tag: Tag::parse(text) }
        }),
        b"ack" if memmem::find(frame, b"\"result\":").is_none() => {
            value(frame, b"\"id\":").map(|id| Seen::Ack { id, seq: value(frame, b"\"seq\":") })
        }
        b"skip" => place().map(|(room, seq)| Seen::Skip { room, seq }),
        b"app" => place().map(|(room, seq)| Seen::Event { room, seq }),
        _ if is_event(kind) => place().map(|(room, seq)| Seen::Event { room, seq }),
        _ => None,
    };
    seen.unwrap_or(Seen::Other(kind))
}

/// Durable kinds, by their first word; the passing frames of that family are named.
fn is_event(kind: &[u8]) -> bool {
    let passing = matches!(kind, b"room.reset" | b"room.closed" | b"room.access");
    !passing && [&b"room."[..], b"member.", b"chat."].iter().any(|family| kind.starts_with(family))
}

/// What follows `key` up to the closing quote. Escapes are left as they are: ids have none.
fn string<'a>(frame: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let from = memmem::find(frame, key)? + key.len();
    let length = memchr::memchr(b'"', &frame[from..])?;
    Some(&frame[from..from + length])
}

fn value(frame: &[u8], key: &[u8]) -> Option<u64> {
    let from = memmem::find(frame, key)? + key.len();
    number(&frame[from..]).map(|(value, _)| value)
}

/// Digits at the start, and what is after them.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || digits > 19 {
        return None;
    }
    let value = bytes[..digits].iter().fold(0u64, |value, digit| value * 10 + u64::from(digit - b'0'));
    Some((value, &bytes[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_protocol::{Ack, ChatBody, Control, MemberJoined, Role, RoomEvent, RoomEventBody, RoomId, Seq, UserId};

    fn event(body: RoomEventBody) -> Vec<u8> {
        let room = RoomId::new("room-7").expect("legal");
        let from = Some(UserId::new("u").expect("legal"));
        serde_json::to_vec(&RoomEvent { room, seq: Seq::new(41).expect("small"), at: 9, from, body }).expect("json")
    }

    #[test]
    fn a_tag_survives_its_text() {
        let tag = Tag { sender: 12, n: 345, due_us: 6_789_012 };
        let mut text = String::new();
        tag.write_text(&mut text, 128);
        assert_eq!(text.len(), 128);
        assert_eq!(Tag::parse(text.as_bytes()), Some(tag));
        assert_ne!(MessageId::new(0, 0).packed(), 0);
        for foreign in ["", "L", "L1.2", "L1.2.3", "hello", "Lx.2.3 ", "L1.2.99999999999999999999 "] {
            assert_eq!(Tag::parse(foreign.as_bytes()), None, "{foreign}");
        }
    }

    #[test]
    fn a_message_is_read_as_the_protocol_writes_it() {
        let tag = Tag { sender: 3, n: 4, due_us: 5 };
        let mut text = String::new();
        tag.write_text(&mut text, 64);
        let frame = event(RoomEventBody::ChatSent(ChatBody { text, ..ChatBody::default() }));
        assert_eq!(scan(&frame), Seen::Message { room: b"room-7", seq: 41, tag: Some(tag) });
    }

    #[test]
    fn words_that_look_like_keys_are_not_taken_for_them() {
        let text = r#""seq":7,"type":"ack","room":"other","text":"L1.2.3 ""#.to_owned();
        let frame = event(RoomEventBody::ChatSent(ChatBody { text, ..ChatBody::default() }));
        assert_eq!(scan(&frame), Seen::Message { room: b"room-7", seq: 41, tag: None });
    }

    #[test]
    fn other_events_keep_their_place() {
        let user = UserId::new("v").expect("legal");
        let frame = event(RoomEventBody::MemberJoined(MemberJoined {
            user,
            role: Role::Member,
            capabilities: None,
            data: None,
        }));
        assert_eq!(scan(&frame), Seen::Event { room: b"room-7", seq: 41 });
    }

    #[test]
    fn acknowledgements_and_skips_are_read_and_results_are_handed_on() {
        let ack = |seq| {
            serde_json::to_vec(&Control::Ack(Box::new(Ack { id: 17, seq: Seq::new(seq), result: None }))).expect("json")
        };
        assert_eq!(scan(&ack(8)), Seen::Ack { id: 17, seq: Some(8) });
        assert_eq!(scan(br#"{"type":"ack","id":17}"#), Seen::Ack { id: 17, seq: None });
        assert_eq!(scan(br#"{"type":"ack","id":2,"result":{"kind":"opened","seq":1}}"#), Seen::Other(b"ack"));
        assert_eq!(scan(br#"{"type":"skip","room":"r","seq":9}"#), Seen::Skip { room: b"r", seq: 9 });
        assert_eq!(scan(br#"{"type":"room.access","room":"r"}"#), Seen::Other(b"room.access"));
        assert_eq!(scan(b"nonsense"), Seen::Other(b""));
    }
}
