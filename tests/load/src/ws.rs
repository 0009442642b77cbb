//! The part of RFC 6455 that a load generator needs: the opening handshake, frame headers, masks. Frames are read in
//! place; whoever reads keeps the rest of a partial one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};
use stoa_protocol::SUBPROTOCOL;

/// Largest frame that is read, bytes: a board of ten thousand shapes, from a server that sends it in one.
pub const FRAME_MAX: u64 = 32 * 1024 * 1024;
/// Largest head of an HTTP message, bytes.
pub const HEAD_MAX: usize = 8 * 1024;
/// The generator's `Sec-WebSocket-Key`. RFC 6455 (section 1.3) wants it random against caches between the two ends;
/// over loopback there are none, and a constant spares a digest for each of ten thousand handshakes.
const KEY: &str = "c3RvYS1sb2FkLWdlbmVyYQ==";

/// What a frame carries (RFC 6455, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// A further fragment.
    Continuation,
    /// Text.
    Text,
    /// Bytes.
    Binary,
    /// The end.
    Close,
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
}

impl Opcode {
    fn of(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::Continuation),
            1 => Some(Self::Text),
            2 => Some(Self::Binary),
            8 => Some(Self::Close),
            9 => Some(Self::Ping),
            10 => Some(Self::Pong),
            _ => None,
        }
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }
}

/// What the other end did against the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WsError {
    /// A reserved opcode or bit.
    Reserved,
    /// A frame beyond [`FRAME_MAX`].
    TooLarge,
    /// The answer to the handshake is not a switch to the protocol that was asked for.
    Handshake,
}

impl std::fmt::Display for WsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Reserved => "a frame with a reserved opcode or bit",
            Self::TooLarge => "a frame that is too large",
            Self::Handshake => "an answer to the handshake that is no WebSocket",
        })
    }
}

impl std::error::Error for WsError {}

/// A whole frame at the start of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Whether the message ends with it.
    pub fin: bool,
    /// What it carries.
    pub opcode: Opcode,
    /// The mask, from clients.
    pub mask: Option<[u8; 4]>,
    /// Where the payload begins.
    pub from: usize,
    /// Where it ends, and the next frame begins.
    pub to: usize,
}

/// Finds the frame at the start of `bytes`; `None` while it is not whole.
///
/// # Errors
/// What the other end must not send.
pub fn frame(bytes: &[u8]) -> Result<Option<Frame>, WsError> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    let opcode = match (first & 0x70, Opcode::of(first & 0x0f)) {
        (0, Some(opcode)) => opcode,
        (_, _) => return Err(WsError::Reserved),
    };
    let (length, mut from) = match (second & 0x7f, bytes) {
        (126, &[_, _, a, b, ..]) => (u64::from(u16::from_be_bytes([a, b])), 4),
        (127, &[_, _, a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([a, b, c, d, e, f, g, h]), 10),
        (126 | 127, _) => return Ok(None),
        (short, _) => (u64::from(short), 2),
    };
    if length > FRAME_MAX {
        return Err(WsError::TooLarge);
    }
    let mut mask = None;
    if second & 0x80 != 0 {
        let Some(&[a, b, c, d]) = bytes.get(from..from + 4) else { return Ok(None) };
        mask = Some([a, b, c, d]);
        from += 4;
    }
    let to = from + length as usize;
    Ok((bytes.len() >= to).then_some(Frame { fin: first & 0x80 != 0, opcode, mask, from, to }))
}

/// Appends a whole frame, masked when there is a mask.
pub fn write_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>) {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    out.push(0x80 | opcode.bits());
    match payload.len() {
        short @ 0..=125 => out.push(masked | short as u8),
        medium @ 126..=0xffff => {
            out.push(masked | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(masked | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    let from = out.len() + mask.map_or(0, |mask| mask.len());
    if let Some(mask) = mask {
        out.extend_from_slice(&mask);
    }
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply_mask(&mut out[from..], mask);
    }
}

/// Masks or unmasks (RFC 6455, section 5.3).
pub fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

/// The code of a close frame's payload; `None` when it has none.
pub fn close_code(payload: &[u8]) -> Option<u16> {
    payload.first_chunk::<2>().map(|code| u16::from_be_bytes(*code))
}

/// The client's request.
pub fn request(host: &str, path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
    )
    .into_bytes()
}

/// Reads the server's answer: the number of bytes that it takes, or `None` while it is not whole.
///
/// # Errors
/// An answer that does not switch to the protocol with the digest of our key, or that has no end.
pub fn response(bytes: &[u8]) -> Result<Option<usize>, WsError> {
    let Some(end) = head_end(bytes)? else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| WsError::Handshake)?;
    let switched = head.starts_with("HTTP/1.1 101 ");
    let accepted = header(head, "sec-websocket-accept").is_some_and(|value| value == accept(KEY));
    if switched && accepted { Ok(Some(end)) } else { Err(WsError::Handshake) }
}

/// Reads a client's request: its key and the bytes that it takes, or `None` while it is not whole.
///
/// # Errors
/// A request that asks for no WebSocket, or that has no end.
pub fn asked(bytes: &[u8]) -> Result<Option<(String, usize)>, WsError> {
    let Some(end) = head_end(bytes)? else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| WsError::Handshake)?;
    let key = header(head, "sec-websocket-key").ok_or(WsError::Handshake)?;
    Ok(Some((key.to_owned(), end)))
}

/// The server's answer to a key.
pub fn answer(key: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n",
        accept(key)
    )
    .into_bytes()
}

/// RFC 6455, section 4.2.2, step 5.
fn accept(key: &str) -> String {
    let mut digest = Sha1::new();
    digest.update(key.as_bytes());
    digest.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest.finalize())
}

fn head_end(bytes: &[u8]) -> Result<Option<usize>, WsError> {
    match memchr::memmem::find(bytes, b"\r\n\r\n") {
        Some(at) => Ok(Some(at + 4)),
        None if bytes.len() > HEAD_MAX => Err(WsError::Handshake),
        None => Ok(None),
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let named = head.lines().filter_map(|line| line.split_once(':'));
    named.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_rfc() {
        // RFC 6455, section 1.3.
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_frame_is_found_only_when_it_is_whole() {
        for length in [0usize, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
                let mut out = Vec::new();
                write_frame(&mut out, Opcode::Text, &payload, mask);
                for cut in [0, 1, 2, 3, 5, 9, out.len() - 1].into_iter().filter(|cut| *cut < out.len()) {
                    assert_eq!(frame(&out[..cut]), Ok(None), "{length} cut at {cut}");
                }
                out.push(0x81);
                let found = frame(&out).expect("legal").expect("whole");
                assert_eq!((found.fin, found.opcode, found.to), (true, Opcode::Text, out.len() - 1));
                let mut body = out[found.from..found.to].to_vec();
                if let Some(mask) = found.mask {
                    apply_mask(&mut body, mask);
                }
                assert_eq!(body, payload);
            }
        }
    }

    #[test]
    fn what_may_not_be_sent_is_refused() {
        assert_eq!(frame(&[0xc1, 0]), Err(WsError::Reserved));
        assert_eq!(frame(&[0x83, 0]), Err(WsError::Reserved));
        assert_eq!(frame(&[0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255]), Err(WsError::TooLarge));
    }

    #[test]
    fn both_sides_of_the_handshake_understand_each_other() {
        let request = request("127.0.0.1:1", "/v1/ws");
        assert_eq!(asked(&request[..request.len() - 1]), Ok(None));
        let (key, taken) = asked(&request).expect("legal").expect("whole");
        assert_eq!(taken, request.len());
        let mut answer = answer(&key);
        let end = answer.len();
        answer.extend_from_slice(b"\x81\x00");
        assert_eq!(response(&answer), Ok(Some(end)));
        assert_eq!(response(b"HTTP/1.1 403 Forbidden\r\n\r\n"), Err(WsError::Handshake));
        assert_eq!(response(&vec![b'x'; HEAD_MAX + 1]), Err(WsError::Handshake));
    }
}
