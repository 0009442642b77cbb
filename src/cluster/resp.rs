//! Redis' protocol, as far as publishing and subscribing need it (RESP2,
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! The one invariant: nothing is allocated from a declared length. What a server may make this node hold is bounded by
//! [`BULK`] and [`LINE`]; whoever sends more is not spoken to any longer.

use super::{BODY_BYTES, wire};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Most bytes of a string: a message with its header, and some room for what a later version puts there.
const BULK: usize = BODY_BYTES + wire::HEADER + 1024;
/// Most bytes of a line: errors are sentences.
const LINE: usize = 4 * 1024;
/// Most elements of a list: a message has three.
const LIST: usize = 8;

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`
    Simple(Bytes),
    /// `-ERR …`
    Error(String),
    /// `:1`
    Number(i64),
    /// A string; `None` is the null one.
    Bulk(Option<Bytes>),
    /// A list of anything but lists: nothing that is asked for answers with a list of lists.
    List(Vec<Reply>),
}

/// The server speaks another language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not speak Redis' protocol, or says more than it may")]
pub struct Garbled;

/// Takes one reply out of what was read; `None` when it is not all there yet.
///
/// # Errors
/// [`Garbled`]; the connection is of no use any more.
pub fn take(buffer: &mut BytesMut) -> Result<Option<Reply>, Garbled> {
    let Some(end) = end_of(buffer, 0, true)? else { return Ok(None) };
    let mut whole = buffer.split_to(end).freeze();
    Ok(Some(read(&mut whole)))
}

/// Where the reply that begins at `from` ends, if it is all there.
fn end_of(buffer: &[u8], from: usize, lists: bool) -> Result<Option<usize>, Garbled> {
    let Some(line_end) = line_end(buffer, from)? else { return Ok(None) };
    let (kind, rest) = (buffer[from], &buffer[from + 1..line_end - 2]);
    match kind {
        b'+' | b'-' => Ok(Some(line_end)),
        b':' => number(rest).map(|_| Some(line_end)),
        b'$' => match number(rest)? {
            -1 => Ok(Some(line_end)),
            length => {
                let length = usize::try_from(length).ok().filter(|length| *length <= BULK).ok_or(Garbled)?;
                let end = line_end + length + 2;
                match buffer.get(line_end + length..end) {
                    Some(b"\r\n") => Ok(Some(end)),
                    Some(_) => Err(Garbled),
                    None => Ok(None),
                }
            }
        },
        b'*' if lists => {
            let count = usize::try_from(number(rest)?).ok().filter(|count| *count <= LIST).ok_or(Garbled)?;
            let mut end = line_end;
            for _ in 0..count {
                match end_of(buffer, end, false)? {
                    Some(next) => end = next,
                    None => return Ok(None),
                }
            }
            Ok(Some(end))
        }
        _ => Err(Garbled),
    }
}

/// Behind the line that begins at `from`, its end mark included.
fn line_end(buffer: &[u8], from: usize) -> Result<Option<usize>, Garbled> {
    let rest = buffer.get(from..).unwrap_or_default();
    let seen = &rest[..rest.len().min(LINE)];
    match seen.windows(2).position(|pair| pair == b"\r\n") {
        // A line has at least the character of its kind.
        Some(0) => Err(Garbled),
        Some(at) => Ok(Some(from + at + 2)),
        None if seen.len() == LINE => Err(Garbled),
        None => Ok(None),
    }
}

fn number(digits: &[u8]) -> Result<i64, Garbled> {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(Garbled)
}

/// Reads a reply that is known to be whole.
fn read(whole: &mut Bytes) -> Reply {
    let line = whole.windows(2).position(|pair| pair == b"\r\n").expect("its end was found");
    let kind = whole.get_u8();
    let rest = whole.split_to(line - 1);
    whole.advance(2);
    let count = || number(&rest).expect("it was looked at");
    match kind {
        b'+' => Reply::Simple(rest),
        b'-' => Reply::Error(String::from_utf8_lossy(&rest).into_owned()),
        b':' => Reply::Number(count()),
        b'*' => Reply::List((0..count()).map(|_| read(whole)).collect()),
        _ => Reply::Bulk(usize::try_from(count()).ok().map(|length| {
            let text = whole.split_to(length);
            whole.advance(2);
            text
        })),
    }
}

/// Writes a command: a list of strings.
pub fn command(out: &mut BytesMut, parts: &[&[u8]]) {
    head(out, b'*', parts.len());
    parts.iter().for_each(|part| bulk(out, part));
}

/// Writes a string.
pub fn bulk(out: &mut BytesMut, text: &[u8]) {
    head(out, b'$', text.len());
    out.put_slice(text);
    out.put_slice(b"\r\n");
}

/// Writes the head of a list or a string.
pub fn head(out: &mut BytesMut, kind: u8, length: usize) {
    out.put_u8(kind);
    out.put_slice(length.to_string().as_bytes());
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bulk_of(text: &'static [u8]) -> Reply {
        Reply::Bulk(Some(Bytes::from_static(text)))
    }

    /// What each prefix of some bytes gives: nothing, until all is there.
    fn taken(bytes: &[u8]) -> Result<Option<Reply>, Garbled> {
        for length in 0..bytes.len() {
            assert_eq!(take(&mut BytesMut::from(&bytes[..length]))?, None, "{length} bytes");
        }
        let mut buffer = BytesMut::from(bytes);
        buffer.put_slice(b"+next");
        let reply = take(&mut buffer)?;
        assert_eq!(&buffer[..], b"+next");
        Ok(reply)
    }

    #[test]
    fn replies_are_read_when_they_are_whole() {
        let message = b"*3\r\n$7\r\nmessage\r\n$3\r\na\r\n\r\n$0\r\n\r\n";
        let read = [bulk_of(b"message"), bulk_of(b"a\r\n"), bulk_of(b"")];
        for (bytes, want) in [
            (&b"+OK\r\n"[..], Reply::Simple(Bytes::from_static(b"OK"))),
            (b"-NOPERM no\r\n", Reply::Error("NOPERM no".into())),
            (b":-7\r\n", Reply::Number(-7)),
            (b"$-1\r\n", Reply::Bulk(None)),
            (b"*0\r\n", Reply::List(vec![])),
            (message, Reply::List(read.to_vec())),
            (b"*2\r\n$1\r\nx\r\n:1\r\n", Reply::List(vec![bulk_of(b"x"), Reply::Number(1)])),
        ] {
            assert_eq!(taken(bytes), Ok(Some(want)));
        }
    }

    #[test]
    fn what_is_no_reply_or_too_large_is_refused_before_it_is_held() {
        let long = [b"+", &[b'x'; LINE][..]].concat();
        for bytes in [
            &b"\r\n"[..],
            b"hello\r\n",
            b"$x\r\n",
            b"$-2\r\n",
            b"$9223372036854775807\r\n",
            b"$1\r\nxy\r\n",
            b"*9\r\n",
            b"*-1\r\n",
            b"*1\r\n*1\r\n:1\r\n",
            b":1x\r\n",
            &long,
        ] {
            assert_eq!(take(&mut BytesMut::from(bytes)), Err(Garbled), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_command_is_a_list_of_strings() {
        let mut out = BytesMut::new();
        command(&mut out, &[b"PUBLISH", b"a", b"\r\n"]);
        assert_eq!(&out[..], b"*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$2\r\n\r\n\r\n");
        assert_eq!(take(&mut out), Ok(Some(Reply::List(vec![bulk_of(b"PUBLISH"), bulk_of(b"a"), bulk_of(b"\r\n")]))));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'$'), Just(b'*'), Just(b'1'), Just(b'-'), any::<u8>()], 0..64)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = take(&mut buffer) {}
        }
    }
}
