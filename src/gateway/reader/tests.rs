use super::*;
use crate::gateway::guard::FRAGMENTS;
use proptest::prelude::*;

const LIMIT: usize = 64 * 1024;

/// A masked frame as a client sends it.
fn frame(is_final: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::from(is_final) << 7 | opcode];
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
    let mask = [7, 77, 177, 217];
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Everything that `bytes` say when they arrive in pieces of these sizes, in turn.
fn read_in_pieces(bytes: &[u8], pieces: &[usize]) -> Result<Vec<Incoming>, Violation> {
    let mut reader = Reader::default();
    let mut read = Vec::new();
    let mut rest = bytes;
    for size in pieces.iter().cycle() {
        let (piece, behind) = rest.split_at((*size).min(rest.len()));
        reader.append(piece);
        rest = behind;
        while let Some(incoming) = reader.next(LIMIT)? {
            read.push(incoming);
        }
        assert!(reader.pending.capacity() <= 2 * (LIMIT + READ_BYTES), "bounded whatever is declared");
        if rest.is_empty() {
            break;
        }
    }
    Ok(read)
}

#[test]
fn an_idle_reader_owns_no_buffer() {
    let mut reader = Reader::default();
    for payload in [10, 5_000, LIMIT] {
        reader.append(&frame(true, 1, &vec![b'x'; payload]));
        assert!(matches!(reader.next(LIMIT), Ok(Some(Incoming::Text(text))) if text.len() == payload));
        assert_eq!(reader.next(LIMIT), Ok(None));
        assert_eq!(reader.pending.capacity(), 0);
        assert!(reader.parser.is_none());
    }
}

#[test]
fn nothing_is_reserved_for_a_declared_length() {
    let mut reader = Reader::default();
    let declared = frame(true, 2, &vec![0; LIMIT]);
    reader.append(&declared[..14]);
    assert_eq!(reader.next(LIMIT), Ok(None));
    assert!(reader.pending.capacity() < 64, "14 bytes have arrived");
    assert!(reader.parser.is_none());
}

#[test]
fn text_may_be_cut_anywhere_but_must_be_utf8_in_the_end() {
    let smile = "a😀".as_bytes();
    let mut good = frame(false, 1, &smile[..3]);
    good.extend(frame(true, 0, &smile[3..]));
    assert_eq!(read_in_pieces(&good, &[1]), Ok(vec![Incoming::Text("a😀".into())]));
    let mut bad = frame(false, 1, &smile[..3]);
    bad.extend(frame(true, 0, b"b"));
    assert_eq!(read_in_pieces(&bad, &[1]), Err(Violation::not_utf8()));
    assert_eq!(read_in_pieces(&frame(true, 1, &smile[..3]), &[1]), Err(Violation::not_utf8()));
}

#[test]
fn a_close_frame_is_answered_with_its_code_and_an_impossible_one_with_a_protocol_error() {
    let close = |code: u16| frame(true, 8, &code.to_be_bytes());
    assert_eq!(read_in_pieces(&close(1001), &[100]), Ok(vec![Incoming::Close(1001)]));
    assert_eq!(read_in_pieces(&frame(true, 8, b""), &[100]), Ok(vec![Incoming::Close(1000)]));
    for impossible in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        assert_eq!(read_in_pieces(&close(impossible), &[100]), Ok(vec![Incoming::Close(1002)]), "{impossible}");
    }
    assert_eq!(read_in_pieces(&frame(true, 8, b"x"), &[100]).expect_err("one byte").code, 1002);
    assert_eq!(read_in_pieces(&frame(true, 8, b"\x03\xe8\xff"), &[100]).expect_err("not UTF-8").code, 1007);
}

/// What a peer may say in one go: a message in fragments, with control frames between them.
#[derive(Debug, Clone)]
struct Said {
    text: bool,
    payload: String,
    cuts: Vec<usize>,
    pings: Vec<(usize, Vec<u8>)>,
}

fn said() -> impl Strategy<Value = Said> {
    (
        any::<bool>(),
        "[a-zé😀]{0,300}",
        1usize..20,
        proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        proptest::collection::vec((0usize..6, proptest::collection::vec(any::<u8>(), 0..125)), 0..3),
    )
        .prop_map(|(text, payload, times, cuts, pings)| {
            let payload = payload.repeat(times);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
            cuts.sort_unstable();
            Said { text, payload, cuts, pings }
        })
}

impl Said {
    fn bytes(&self) -> Vec<u8> {
        let payload = self.payload.as_bytes();
        let mut bytes = Vec::new();
        let mut from = 0;
        for (number, to) in self.cuts.iter().copied().chain([payload.len()]).enumerate() {
            let opcode = if number > 0 { 0 } else { 2 - u8::from(self.text) };
            bytes.extend(frame(number == self.cuts.len(), opcode, &payload[from..to]));
            from = to;
            for (_, ping) in self.pings.iter().filter(|(after, _)| *after == number) {
                bytes.extend(frame(true, 9, ping));
            }
        }
        bytes
    }

    fn heard(&self) -> Vec<Incoming> {
        let message = if self.text {
            Incoming::Text(self.payload.as_str().into())
        } else {
            Incoming::Binary(Bytes::from(self.payload.clone()))
        };
        let last = self.cuts.len();
        let mut heard = Vec::new();
        for number in 0..=last {
            if number == last {
                heard.push(message.clone());
            }
            let pings = self.pings.iter().filter(|(after, _)| *after == number);
            heard.extend(pings.map(|(_, ping)| Incoming::Ping(Bytes::from(ping.clone()))));
        }
        heard
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn legal_streams_are_heard_the_same_however_they_are_cut(
        said in proptest::collection::vec(said(), 1..6),
        pieces in proptest::collection::vec(1usize..3000, 1..8),
    ) {
        let bytes: Vec<u8> = said.iter().flat_map(Said::bytes).collect();
        let heard: Vec<Incoming> = said.iter().flat_map(Said::heard).collect();
        prop_assert_eq!(read_in_pieces(&bytes, &pieces), Ok(heard));
    }

    #[test]
    fn mutated_streams_are_heard_or_refused_and_never_panic(
        said in proptest::collection::vec(said(), 1..4),
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..10),
        pieces in proptest::collection::vec(1usize..3000, 1..4),
    ) {
        let mut bytes: Vec<u8> = said.iter().flat_map(Said::bytes).collect();
        for (place, byte) in mutations {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Err(violation) = read_in_pieces(&bytes, &pieces) {
            prop_assert!([1002, 1007, 1008, 1009].contains(&violation.code));
        }
    }

    #[test]
    fn noise_is_heard_or_refused_and_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        if let Err(violation) = read_in_pieces(&bytes, &[100]) {
            prop_assert!([1002, 1007, 1008, 1009].contains(&violation.code));
        }
    }
}

#[test]
fn as_many_fragments_as_are_allowed_are_one_message() {
    let mut bytes = frame(false, 1, b"x");
    for _ in 1..FRAGMENTS {
        bytes.extend(frame(false, 0, b"x"));
    }
    let heard = read_in_pieces(&bytes, &[9]).expect("not too many yet");
    assert_eq!(heard, [], "and not finished");
    bytes.extend(frame(true, 0, b"x"));
    assert_eq!(read_in_pieces(&bytes, &[9]).expect_err("one too many").code, 1008);
}
