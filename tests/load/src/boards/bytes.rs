//! Numbers and byte strings as lib0 writes them, and updates of the Yjs v1 encoding, written by hand: a replica for
//! each of two hundred editors would cost more than the server that is measured.

/// Writes a number, seven bits a byte, the least significant first.
pub fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Writes bytes behind their length.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes a number from the front; `None` when there is none.
pub fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Takes a byte string from the front.
pub fn bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(from)?).ok()?;
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

/// A struct's place in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    pub client: u64,
    pub clock: u32,
}

/// One update of one client. The structs follow each other without a gap.
pub struct Update {
    first: Id,
    structs: Vec<u8>,
    count: u32,
    deleted: Vec<Id>,
}

const HAS_ORIGIN: u8 = 0x80;
const HAS_KEY: u8 = 0x20;
const TYPE: u8 = 7;
const ANY: u8 = 8;
const MAP: u8 = 1;
/// A text among the values of `Any`.
const TEXT: u8 = 119;

impl Update {
    /// An update that begins at a clock of its client.
    pub fn at(first: Id) -> Self {
        Self { first, structs: Vec::new(), count: 0, deleted: Vec::new() }
    }

    fn next(&mut self) -> Id {
        let id = Id { client: self.first.client, clock: self.first.clock + self.count };
        self.count += 1;
        id
    }

    fn origin(&mut self, kind: u8, origin: Id) {
        self.structs.push(kind | HAS_KEY | HAS_ORIGIN);
        put_number(&mut self.structs, origin.client);
        put_number(&mut self.structs, u64::from(origin.clock));
    }

    fn text(&mut self, text: &str) {
        self.structs.extend([1, TEXT]);
        put_bytes(&mut self.structs, text.as_bytes());
    }

    /// Sets a key of a root map to an empty map; `before` is what stood there.
    pub fn map(&mut self, root: &str, key: &str, before: Option<Id>) -> Id {
        let id = self.next();
        match before {
            Some(before) => self.origin(TYPE, before),
            None => {
                self.structs.extend([TYPE | HAS_KEY, 1]);
                put_bytes(&mut self.structs, root.as_bytes());
                put_bytes(&mut self.structs, key.as_bytes());
            }
        }
        self.structs.push(MAP);
        id
    }

    /// Sets a key of a new map to a text.
    pub fn set(&mut self, map: Id, key: &str, text: &str) -> Id {
        let id = self.next();
        self.structs.extend([ANY | HAS_KEY, 0]);
        put_number(&mut self.structs, map.client);
        put_number(&mut self.structs, u64::from(map.clock));
        put_bytes(&mut self.structs, key.as_bytes());
        self.text(text);
        id
    }

    /// Sets a key to another text; `before` is what stood there.
    pub fn replace(&mut self, before: Id, text: &str) -> Id {
        let id = self.next();
        self.origin(ANY, before);
        self.text(text);
        self.delete(before);
        id
    }

    /// Deletes what stands there, with everything in it.
    pub fn delete(&mut self, id: Id) {
        self.deleted.push(id);
    }

    /// The update's bytes, and the clock behind its last struct.
    pub fn finish(mut self) -> (Vec<u8>, u32) {
        let mut out = Vec::with_capacity(self.structs.len() + 24 + 8 * self.deleted.len());
        put_number(&mut out, u64::from(self.count > 0));
        if self.count > 0 {
            put_number(&mut out, u64::from(self.count));
            put_number(&mut out, self.first.client);
            put_number(&mut out, u64::from(self.first.clock));
            out.append(&mut self.structs);
        }
        self.deleted.sort_unstable();
        let clients: Vec<&[Id]> = self.deleted.chunk_by(|one, other| one.client == other.client).collect();
        put_number(&mut out, clients.len() as u64);
        for ids in clients {
            put_number(&mut out, ids[0].client);
            put_number(&mut out, ids.len() as u64);
            for id in ids {
                put_number(&mut out, u64::from(id.clock));
                put_number(&mut out, 1);
            }
        }
        (out, self.first.clock + self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yrs::{Doc, Map as _, Out, ReadTxn as _, Transact as _, updates::decoder::Decode as _};

    #[test]
    fn numbers_and_byte_strings_come_out_as_they_went_in() {
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        let mut out = Vec::new();
        numbers.iter().for_each(|number| put_number(&mut out, *number));
        put_bytes(&mut out, b"abc");
        let mut rest = &out[..];
        numbers.iter().for_each(|wanted| assert_eq!(number(&mut rest), Some(*wanted)));
        assert_eq!((bytes(&mut rest), rest), (Some(&b"abc"[..]), &b""[..]));
        assert_eq!((number(&mut &b"\x80"[..]), bytes(&mut &b"\x05ab"[..])), (None, None));
    }

    #[test]
    fn an_update_says_what_was_meant() {
        let doc = Doc::new();
        let mut clock = 0;
        let mut apply = |write: &mut dyn FnMut(&mut Update)| {
            let mut update = Update::at(Id { client: 7, clock });
            write(&mut update);
            let (bytes, end) = update.finish();
            clock = end;
            let update = yrs::Update::decode_v1(&bytes).expect("legal");
            doc.transact_mut().apply_update(update).expect("legal");
        };
        let shown = || {
            let elements = doc.get_or_insert_map("elements");
            let txn = doc.transact();
            let Some(Out::YMap(shape)) = elements.get(&txn, "s1") else { return None };
            assert!(!txn.has_missing_updates());
            shape.get(&txn, "at").map(|at| at.to_string(&txn))
        };
        let (mut map, mut at) = (Id { client: 0, clock: 0 }, Id { client: 0, clock: 0 });
        apply(&mut |update| {
            map = update.map("elements", "s1", None);
            update.set(map, "type", "rectangle");
            at = update.set(map, "at", "[1,2,0]");
        });
        assert_eq!(shown().as_deref(), Some("[1,2,0]"));
        apply(&mut |update| at = update.replace(at, "[3,4,0]"));
        assert_eq!(shown().as_deref(), Some("[3,4,0]"));
        apply(&mut |update| update.delete(map));
        assert_eq!(shown(), None);
        apply(&mut |update| {
            map = update.map("elements", "s1", Some(map));
            update.set(map, "at", "[5,6,0]");
        });
        assert_eq!(shown().as_deref(), Some("[5,6,0]"));
    }
}
