//! What a board's binary messages say. The same bytes go to two hundred readers: they are looked into once.

use super::bytes;
use anyhow::{Context as _, bail};
use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};
use stoa_protocol::wire;
use yrs::updates::decoder::Decode as _;

/// Updates that are remembered: the readers of one board are never further apart.
const REMEMBERED: usize = 4_096;

/// Clocks of one client that an update brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub client: u64,
    pub from: u32,
    pub to: u32,
}

/// An update that was received.
#[derive(Debug)]
pub struct Seen {
    pub update: Vec<u8>,
    pub spans: Vec<Span>,
}

/// A message, without its channel.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// The server's state vector.
    Step1(&'a [u8]),
    /// What was lacking.
    Step2(&'a [u8]),
    /// An edit, or many in one.
    Update(&'a [u8]),
    /// A piece of a larger message, and whether more follow.
    Part { piece: &'a [u8], more: bool },
    /// Who is there, or a refusal to a plain provider.
    Other,
}

/// Reads a message.
///
/// # Errors
/// It is none.
pub fn message(mut rest: &[u8]) -> anyhow::Result<Message<'_>> {
    let mut number = || bytes::number(&mut rest).context("a message that ends early");
    let kind = number()?;
    let detail = if matches!(kind, wire::SYNC | wire::PART) { number()? } else { 0 };
    let mut payload = || bytes::bytes(&mut rest).context("a message that ends early");
    match (kind, detail) {
        (wire::SYNC, wire::STEP1) => Ok(Message::Step1(payload()?)),
        (wire::SYNC, wire::STEP2) => Ok(Message::Step2(payload()?)),
        (wire::SYNC, wire::UPDATE) => Ok(Message::Update(payload()?)),
        (wire::PART, more) => Ok(Message::Part { piece: payload()?, more: more == 1 }),
        (wire::AWARENESS, _) => Ok(Message::Other),
        (kind, _) => bail!("a message of the kind {kind}"),
    }
}

/// Updates that were looked into.
#[derive(Default)]
pub struct Readings {
    by_hash: HashMap<u64, Rc<Seen>>,
    order: VecDeque<u64>,
}

impl Readings {
    /// Looks into an update, unless it was looked into lately.
    ///
    /// # Errors
    /// It is no update.
    pub fn read(&mut self, update: &[u8]) -> anyhow::Result<Rc<Seen>> {
        let hash = hash(update);
        if let Some(seen) = self.by_hash.get(&hash).filter(|seen| seen.update == update) {
            return Ok(seen.clone());
        }
        let seen = Rc::new(Seen { spans: spans(update)?, update: update.to_vec() });
        if self.by_hash.insert(hash, seen.clone()).is_none() {
            self.order.push_back(hash);
        }
        if self.order.len() > REMEMBERED {
            self.order.pop_front().map(|oldest| self.by_hash.remove(&oldest));
        }
        Ok(seen)
    }
}

fn spans(update: &[u8]) -> anyhow::Result<Vec<Span>> {
    let update = yrs::Update::decode_v1(update).context("an update that cannot be read")?;
    let inserted = update.insertions(true);
    let spans = inserted.iter().flat_map(|(client, ranges)| {
        let client = client.get();
        ranges.into_iter().map(move |range| Span { client, from: range.start, to: range.end })
    });
    Ok(spans.collect())
}

/// Words of eight bytes, rotated, added and multiplied (as rustc's FxHash does): equality is looked at afterwards.
fn hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain(std::iter::once(&last)).map(|word| u64::from_le_bytes(*word));
    words.fold(bytes.len() as u64, |hash, word| (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boards::bytes::{Id, Update, put_bytes, put_number};

    #[test]
    fn an_update_tells_whose_clocks_it_brings_and_is_looked_into_once() {
        let mut update = Update::at(Id { client: 9, clock: 4 });
        let map = update.map("elements", "a", None);
        update.set(map, "at", "[0,0,0]");
        let (bytes, _) = update.finish();
        let mut readings = Readings::default();
        let first = readings.read(&bytes).expect("legal");
        assert_eq!(first.spans, [Span { client: 9, from: 4, to: 6 }]);
        assert!(Rc::ptr_eq(&first, &readings.read(&bytes).expect("legal")));
        assert!(readings.read(&bytes[1..]).is_err());
    }

    #[test]
    fn messages_are_told_apart() {
        let with = |numbers: &[u64], payload: &[u8]| {
            let mut out = Vec::new();
            numbers.iter().for_each(|number| put_number(&mut out, *number));
            put_bytes(&mut out, payload);
            out
        };
        assert_eq!(message(&with(&[0, 0], b"v")).expect("legal"), Message::Step1(b"v"));
        assert_eq!(message(&with(&[0, 1], b"u")).expect("legal"), Message::Step2(b"u"));
        assert_eq!(message(&with(&[0, 2], b"u")).expect("legal"), Message::Update(b"u"));
        assert_eq!(message(&with(&[101, 1], b"p")).expect("legal"), Message::Part { piece: b"p", more: true });
        assert_eq!(message(&with(&[1], b"a")).expect("legal"), Message::Other);
        assert!(message(b"\x00\x02\x09").is_err() && message(b"\x63").is_err());
    }
}
