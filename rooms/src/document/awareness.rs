//! Who is there in a document: y-protocols' awareness updates.

use super::bytes::{Bad, Reader, put_bytes, put_varuint};

/// What one Yjs client says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwarenessState<'a> {
    /// The Yjs client id.
    pub client: u64,
    /// The newest is the highest.
    pub clock: u32,
    /// JSON; `null` is gone.
    pub state: &'a str,
}

/// Reads an awareness update.
///
/// # Errors
/// [`Bad`] when it is none.
pub fn read_awareness(bytes: &[u8]) -> Result<Vec<AwarenessState<'_>>, Bad> {
    let mut reader = Reader::new(bytes);
    // A client, a clock, and text of one byte at least.
    let count = reader.count(4)?;
    let mut states = Vec::with_capacity(count.min(64) as usize);
    for _ in 0..count {
        let (client, clock, state) = (reader.varuint()?, reader.clock()?, reader.text()?);
        states.push(AwarenessState { client, clock, state });
    }
    if reader.is_empty() { Ok(states) } else { Err(Bad) }
}

/// Writes an awareness update.
pub fn write_awareness<'a>(states: impl ExactSizeIterator<Item = (u64, u32, &'a str)>) -> Vec<u8> {
    let mut out = Vec::new();
    put_varuint(&mut out, states.len() as u64);
    for (client, clock, state) in states {
        put_varuint(&mut out, client);
        put_varuint(&mut out, u64::from(clock));
        put_bytes(&mut out, state.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_come_back_and_cut_ones_do_not() {
        let states = [(7, 1, "{\"x\":1}"), (1 << 40, 2, "null")];
        let bytes = write_awareness(states.into_iter());
        let read = read_awareness(&bytes).expect("as written");
        assert_eq!(read.iter().map(|s| (s.client, s.clock, s.state)).collect::<Vec<_>>(), states);
        for cut in 0..bytes.len() {
            assert!(read_awareness(&bytes[..cut]).is_err());
        }
        assert!(read_awareness(&[0xff, 0xff, 0xff, 0x7f]).is_err());
    }
}
