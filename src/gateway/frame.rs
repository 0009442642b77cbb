//! One WebSocket frame as it leaves the server: whole, unmasked, header and payload in one shared buffer.

use bytes::Bytes;

/// Longest header of a server's frame: two bytes, and eight of extended length (RFC 6455, section 5.2).
const HEADER_MAX: usize = 10;
/// The first byte of a whole text frame: FIN, opcode 1.
const TEXT: u8 = 0x81;
/// FIN, opcode 2.
const BINARY: u8 = 0x82;
/// FIN, opcode 8.
const CLOSE: u8 = 0x88;
/// FIN, opcode 9.
const PING: u8 = 0x89;
/// FIN, opcode 10.
const PONG: u8 = 0x8a;

/// A frame with its header, framed once however many mailboxes it goes to: a clone shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// A text frame. The payload must be UTF-8; what the server sends is its own JSON.
    pub fn text(payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref();
        Self::build(TEXT, payload.len(), |buffer| buffer.extend_from_slice(payload))
    }

    /// A text frame whose payload `write` appends, so that it is encoded where it will be sent from.
    /// `write` must only append, and UTF-8.
    pub fn text_with(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::build(TEXT, 256, write)
    }

    /// A binary frame whose payload `write` appends.
    pub fn binary_with(payload_hint: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::build(BINARY, payload_hint, write)
    }

    /// A close frame with a code and a reason (at most 123 bytes; a longer one is cut at a character).
    pub(super) fn close(code: u16, reason: &str) -> Self {
        let reason = &reason[..reason.floor_char_boundary(123)];
        Self::build(CLOSE, 2 + reason.len(), |buffer| {
            buffer.extend_from_slice(&code.to_be_bytes());
            buffer.extend_from_slice(reason.as_bytes());
        })
    }

    /// A ping without payload.
    pub(super) fn ping() -> Self {
        Self(Bytes::from_static(&[PING, 0]))
    }

    /// The answer to a ping that carried `payload`, at most 125 bytes.
    pub(super) fn pong(payload: &[u8]) -> Self {
        debug_assert!(payload.len() <= 125);
        Self::build(PONG, payload.len(), |buffer| buffer.extend_from_slice(payload))
    }

    /// The payload goes behind room for the longest header; the header that it got is put right before it.
    fn build(first: u8, payload_hint: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut buffer = Vec::with_capacity(HEADER_MAX + payload_hint);
        buffer.resize(HEADER_MAX, 0);
        write(&mut buffer);
        let length = buffer.len() - HEADER_MAX;
        let start = if length < 126 {
            buffer[8] = first;
            buffer[9] = length as u8;
            8
        } else if let Ok(short) = u16::try_from(length) {
            buffer[6] = first;
            buffer[7] = 126;
            buffer[8..10].copy_from_slice(&short.to_be_bytes());
            6
        } else {
            buffer[0] = first;
            buffer[1] = 127;
            buffer[2..10].copy_from_slice(&(length as u64).to_be_bytes());
            0
        };
        Self(Bytes::from(buffer).slice(start..))
    }

    /// Bytes on the wire, header included.
    #[expect(clippy::len_without_is_empty, reason = "a frame has at least its header")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The bytes behind the header.
    pub fn payload(&self) -> &[u8] {
        let header = match self.0[1] {
            127 => 10,
            126 => 4,
            _short => 2,
        };
        &self.0[header..]
    }

    /// Splits the first whole frame of the server's off `bytes`.
    pub(super) fn split_from(bytes: &mut Bytes) -> Option<Self> {
        let (header, length) = match (*bytes.get(1)?, bytes.get(2..)?) {
            (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
            (127, extended) => (10, u64::from_be_bytes(extended.get(..8)?.try_into().ok()?)),
            (short, _payload) => (2, u64::from(short)),
        };
        let whole = header + usize::try_from(length).ok()?;
        (bytes.len() >= whole).then(|| Self(bytes.split_to(whole)))
    }

    /// The code of a close frame.
    pub(super) fn close_code(&self) -> Option<u16> {
        match (self.0[0], self.payload()) {
            (CLOSE, [high, low, ..]) => Some(u16::from_be_bytes([*high, *low])),
            _other => None,
        }
    }

    /// Whether it is a text frame.
    pub(super) fn is_text(&self) -> bool {
        self.0[0] == TEXT
    }

    /// The bytes as they travel.
    pub(super) fn into_bytes(self) -> Bytes {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_the_shortest_that_holds_the_length() {
        for (length, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let frame = Frame::text(vec![b'x'; length]);
            assert_eq!(frame.len(), header + length, "length {length}");
            assert_eq!(frame.payload().len(), length);
            assert!(frame.is_text());
        }
    }

    #[test]
    fn what_is_written_in_place_is_what_is_sent() {
        let frame = Frame::text_with(|buffer| serde_json::to_writer(buffer, &[1, 2, 3]).expect("plain numbers"));
        assert_eq!(frame.into_bytes(), Bytes::from_static(b"\x81\x07[1,2,3]"));
    }

    #[test]
    fn a_close_frame_carries_its_code_and_a_reason_that_fits() {
        let frame = Frame::close(4001, "slow_consumer");
        assert_eq!(frame.close_code(), Some(4001));
        assert_eq!(&frame.payload()[2..], b"slow_consumer");
        let long = Frame::close(1002, &"ü".repeat(100));
        assert_eq!(long.payload().len(), 2 + 122, "cut between two characters");
        assert_eq!(Frame::text("x").close_code(), None);
    }
}
