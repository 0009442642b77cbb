//! Walks the frames that a peer sends (RFC 6455, section 5) before the parser sees them.
//!
//! tungstenite reserves what a header declares, keeps a buffer as large as the largest frame it saw, and counts no
//! fragments. So a frame is given to it only once it is whole and found legal here. The walk allocates nothing:
//! what a header declares is compared with the limit, never reserved.

/// Most frames of one message. Clients that fragment send a few large pieces; what sends more wastes the server's
/// time on headers.
pub(super) const FRAGMENTS: u32 = 64;

/// Longest payload of a control frame (RFC 6455, section 5.5).
const CONTROL_BYTES: u8 = 125;

/// Why the peer is sent away: a close code of RFC 6455, section 7.4.1, and a reason for its developer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Violation {
    pub code: u16,
    pub reason: &'static str,
}

impl Violation {
    pub(super) const fn protocol(reason: &'static str) -> Self {
        Self { code: 1002, reason }
    }

    pub(super) const fn not_utf8() -> Self {
        Self { code: 1007, reason: "the text is not UTF-8" }
    }

    pub(super) const fn policy(reason: &'static str) -> Self {
        Self { code: 1008, reason }
    }

    pub(super) const fn too_big() -> Self {
        Self { code: 1009, reason: "the message is larger than the limit" }
    }
}

/// Largest message, bytes of payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Most {
    pub text: usize,
    pub binary: usize,
}

impl From<usize> for Most {
    fn from(both: usize) -> Self {
        Self { text: both, binary: both }
    }
}

/// Where the peer's stream stands between two frames.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Guard {
    /// The message that is not finished yet is a binary one.
    is_binary: bool,
    /// Frames of the message that is not finished yet; 0 between messages.
    fragments: u32,
    /// Their payload, bytes.
    message_bytes: usize,
}

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The first or only frame of a message.
    Start,
    Continuation,
    Control,
}

impl Guard {
    /// Bytes of the frame at the front of `bytes`, header included, when it is whole; `None` when more has to come.
    /// `most` bounds the payload of a message, bytes.
    ///
    /// # Errors
    /// A [`Violation`] as soon as the bytes that have arrived show one.
    pub(super) fn next(&mut self, bytes: &[u8], most: impl Into<Most>) -> Result<Option<usize>, Violation> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let is_final = first & 0x80 != 0;
        let kind = self.kind(first)?;
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        if second & 0x80 == 0 {
            return Err(Violation::protocol("the frame is not masked"));
        }
        let short = second & 0x7f;
        if kind == Kind::Control && short > CONTROL_BYTES {
            return Err(Violation::protocol("a control frame is longer than 125 bytes"));
        }
        let Some((header, declared)) = length(short, &bytes[2..])? else { return Ok(None) };
        let is_binary = if kind == Kind::Start { first & 0x0f == 2 } else { self.is_binary };
        if kind != Kind::Control {
            let most = most.into();
            self.check_message(declared, if is_binary { most.binary } else { most.text })?;
        }
        // Fits: a control frame has 125 bytes at most, a data frame no more than the limit.
        let payload = declared as usize;
        let whole = header + payload;
        if bytes.len() < whole {
            return Ok(None);
        }
        match (kind, is_final) {
            (Kind::Control, _) => {}
            (Kind::Start | Kind::Continuation, true) => *self = Self::default(),
            (Kind::Start | Kind::Continuation, false) => {
                self.is_binary = is_binary;
                self.fragments += 1;
                self.message_bytes += payload;
            }
        }
        Ok(Some(whole))
    }

    /// Whether a message has begun and is not finished.
    pub(super) fn is_within_message(&self) -> bool {
        self.fragments > 0
    }

    fn kind(&self, first: u8) -> Result<Kind, Violation> {
        if first & 0x70 != 0 {
            return Err(Violation::protocol("reserved bits are set, and no extension was agreed on"));
        }
        let is_final = first & 0x80 != 0;
        match (first & 0x0f, self.is_within_message()) {
            (0, true) => Ok(Kind::Continuation),
            (0, false) => Err(Violation::protocol("a continuation of nothing")),
            (1 | 2, false) => Ok(Kind::Start),
            (1 | 2, true) => Err(Violation::protocol("a new message within a fragmented one")),
            (8..=10, _) if is_final => Ok(Kind::Control),
            (8..=10, _) => Err(Violation::protocol("a control frame is fragmented")),
            _reserved => Err(Violation::protocol("a reserved opcode")),
        }
    }

    fn check_message(&self, declared: u64, limit: usize) -> Result<(), Violation> {
        if declared > limit.saturating_sub(self.message_bytes) as u64 {
            return Err(Violation::too_big());
        }
        if self.fragments >= FRAGMENTS {
            return Err(Violation::policy("the message has too many fragments"));
        }
        Ok(())
    }
}

/// Bytes of the header with the mask, and the declared length of the payload; `None` when the length has not arrived.
fn length(short: u8, extended: &[u8]) -> Result<Option<(usize, u64)>, Violation> {
    let (header, declared, least) = match (short, extended) {
        (126, [high, low, ..]) => (8, u64::from(u16::from_be_bytes([*high, *low])), 126),
        (127, [a, b, c, d, e, f, g, h, ..]) => (14, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 1 << 16),
        (126 | 127, _) => return Ok(None),
        (short, _) => (6, u64::from(short), 0),
    };
    if declared < least || declared > i64::MAX as u64 {
        return Err(Violation::protocol("the length is not written in its shortest form, or negative"));
    }
    Ok(Some((header, declared)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 64 * 1024;

    /// A masked frame as a client sends it.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..126 => bytes.push(0x80 | short as u8),
            medium @ 126..65_536 => {
                bytes.push(0x80 | 126);
                bytes.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            long => {
                bytes.push(0x80 | 127);
                bytes.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&[1, 2, 3, 4]);
        bytes.extend(payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    fn refusal(guard: &mut Guard, bytes: &[u8]) -> u16 {
        guard.next(bytes, LIMIT).expect_err("a violation").code
    }

    #[test]
    fn a_whole_frame_is_told_with_its_length_and_nothing_before() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let bytes = frame(0x81, &vec![b'x'; length]);
            let mut guard = Guard::default();
            for cut in [0, 1, 2, 5, bytes.len() - 1] {
                assert_eq!(guard.next(&bytes[..cut], LIMIT), Ok(None), "length {length}, {cut} bytes there");
            }
            assert_eq!(guard.next(&bytes, LIMIT), Ok(Some(bytes.len())));
            assert_eq!(guard, Guard::default(), "at a message border again");
        }
    }

    #[test]
    fn what_is_illegal_is_refused_by_the_first_byte_that_shows_it() {
        let mut guard = Guard::default();
        for reserved in [0x40, 0x20, 0x10] {
            assert_eq!(refusal(&mut guard, &[0x81 | reserved]), 1002, "reserved bit {reserved:x}");
        }
        for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            assert_eq!(refusal(&mut guard, &[0x80 | opcode]), 1002, "opcode {opcode}");
        }
        assert_eq!(refusal(&mut guard, &[0x80]), 1002, "a continuation of nothing");
        assert_eq!(refusal(&mut guard, &[0x08]), 1002, "a fragmented close");
        assert_eq!(refusal(&mut guard, &[0x81, 0x05]), 1002, "unmasked");
        assert_eq!(refusal(&mut guard, &[0x89, 0x80 | 126]), 1002, "a long ping");
        assert_eq!(refusal(&mut guard, &[0x81, 0x80 | 126, 0, 125]), 1002, "not the shortest form");
        assert_eq!(refusal(&mut guard, &[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), 1002, "not the shortest form");
        assert_eq!(refusal(&mut guard, &[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]), 1002, "negative");
        assert_eq!(refusal(&mut guard, &[0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255]), 1009);
        assert_eq!(refusal(&mut guard, &[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1]), 1009, "one byte over");
    }

    #[test]
    fn fragments_are_counted_and_their_payload_is_summed() {
        let mut guard = Guard::default();
        assert!(guard.next(&frame(0x01, b"x"), LIMIT).expect("legal").is_some());
        assert_eq!(refusal(&mut guard, &frame(0x81, b"y")), 1002, "a new message within");
        assert!(guard.next(&frame(0x89, b"ping"), LIMIT).expect("control frames may come between").is_some());
        for _ in 1..FRAGMENTS {
            assert!(guard.next(&frame(0x00, b""), LIMIT).expect("legal").is_some());
        }
        assert_eq!(refusal(&mut guard, &frame(0x00, b"")), 1008);
        assert_eq!(refusal(&mut guard, &frame(0x00, &vec![0; LIMIT])), 1009, "with the first byte it is too much");
    }
}
