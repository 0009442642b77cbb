//! The walk over an update (Yjs, v1 encoding): everything is compared with what is there and with what the server has,
//! before a decoder that reserves what counts declare, or keeps what it cannot place, sees the bytes.

use super::{
    bytes::{Bad, Reader, put_varuint},
    places::{Place, Places},
    structs::{Id, Struct, read_struct},
};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use stoa_protocol::Refusal;

/// Most structs of one update that are new to the server: integrating them is bounded work.
pub const STRUCTS: u32 = 50_000;
/// Most Yjs client ids that one update claims: those of a user's tabs and reloads while offline.
pub const CLAIMS: usize = 16;
/// Most client ids under which one update brings something new.
const SECTIONS: usize = 64;
/// Deepest nesting of shared types. Whatever deletes, collects or shows one recurses, here and in browsers, and a stack
/// that overflows ends the process.
const NESTING: u8 = 100;

/// What the server has of a document.
pub trait Known {
    /// The first clock of a client that the server lacks.
    fn clock(&self, client: u64) -> u32;
    /// Whose a client id is, seen from whoever sent the update.
    fn claim(&self, client: u64) -> Claim;
    /// Where a struct is that the server has.
    fn place(&self, client: u64, clock: u32) -> Place;
}

/// Whose a Yjs client id is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The sender's.
    Own,
    /// Nobody's.
    Free,
    /// Somebody else's.
    Foreign,
}

/// Clocks of one client that are new to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The Yjs client id.
    pub client: u64,
    /// The first.
    pub from: u32,
    /// The one behind the last.
    pub to: u32,
}

/// What an update brings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Walked {
    /// What is new, by client.
    pub new: Vec<Span>,
    /// Client ids that become the sender's.
    pub claims: Vec<u64>,
    /// Structs that are new.
    pub structs: u32,
    /// Ranges that it deletes, known deletions included.
    pub deletes: u32,
    /// Where the new structs are.
    pub places: Places,
}

impl Walked {
    /// Whether the server learns nothing: no struct is new and nothing is deleted.
    pub fn is_idle(&self) -> bool {
        self.new.is_empty() && self.deletes == 0
    }
}

/// A struct that waits for others of the same update.
struct Waiting {
    from: u32,
    to: u32,
    what: Struct,
}

struct Walk<'k, K> {
    known: &'k K,
    /// What is bounded in somebody's edit is not in what the server itself has stored.
    stored: bool,
    /// How far each client is, with what of the update can be placed.
    ends: HashMap<u64, u32>,
    /// Structs that cannot be placed yet, in order. Few clients: an update is one user's.
    waiting: BTreeMap<u64, VecDeque<Waiting>>,
    walked: Walked,
}

/// Walks an update.
///
/// # Errors
/// Why it is not to be taken: then nothing of it is.
pub fn walk(bytes: &[u8], known: &impl Known) -> Result<Walked, Refusal> {
    walk_as(bytes, known, false)
}

/// Walks an update that the server has stored: whose it is and how large was looked at when it came.
///
/// # Errors
/// Why nothing can be said of it.
pub fn survey(bytes: &[u8], known: &impl Known) -> Result<Walked, Refusal> {
    walk_as(bytes, known, true)
}

fn walk_as(bytes: &[u8], known: &impl Known, stored: bool) -> Result<Walked, Refusal> {
    let mut walk = Walk { known, stored, ends: HashMap::new(), waiting: BTreeMap::new(), walked: Walked::default() };
    let mut reader = Reader::new(bytes);
    walk.structs(&mut reader)?;
    walk.place()?;
    walk.deletions(&mut reader)?;
    if !reader.is_empty() {
        return Err(Refusal::Malformed);
    }
    Ok(walk.walked)
}

impl From<Bad> for Refusal {
    fn from(_: Bad) -> Self {
        Self::Malformed
    }
}

impl<K: Known> Walk<'_, K> {
    fn end(&self, client: u64) -> u32 {
        self.ends.get(&client).copied().unwrap_or_else(|| self.known.clock(client))
    }

    fn structs(&mut self, reader: &mut Reader<'_>) -> Result<(), Refusal> {
        // A section has a count, a client, a clock, and its structs.
        let sections = reader.count(3)?;
        let mut seen = HashSet::new();
        for _ in 0..sections {
            let count = reader.count(2)?;
            let (client, first) = (reader.varuint()?, reader.clock()?);
            // Decoders differ in what a second section of a client means.
            if !seen.insert(client) {
                return Err(Refusal::Malformed);
            }
            self.section(reader, count, client, first)?;
        }
        Ok(())
    }

    fn section(&mut self, reader: &mut Reader<'_>, count: u32, client: u64, first: u32) -> Result<(), Refusal> {
        let had = self.known.clock(client);
        let (mut clock, mut end) = (first, had);
        for _ in 0..count {
            let what = read_struct(reader)?;
            let to = clock.checked_add(what.length).filter(|to| i32::try_from(*to).is_ok());
            let to = to.ok_or(Refusal::Malformed)?;
            if to > had {
                if clock > end || what.is_gap {
                    return Err(Refusal::Gap);
                }
                self.count_new(client)?;
                self.take(client, Waiting { from: clock, to, what })?;
                end = to;
            }
            clock = to;
        }
        if end > had {
            if self.walked.new.len() >= SECTIONS && !self.stored {
                return Err(Refusal::TooLarge);
            }
            self.walked.new.push(Span { client, from: had, to: end });
            self.claim(client)?;
        }
        Ok(())
    }

    fn count_new(&mut self, client: u64) -> Result<(), Refusal> {
        self.walked.structs += 1;
        if self.stored {
            return Ok(());
        }
        // Told before the work, and as what it is.
        if self.known.claim(client) == Claim::Foreign {
            return Err(Refusal::Foreign);
        }
        if self.walked.structs > STRUCTS { Err(Refusal::TooLarge) } else { Ok(()) }
    }

    fn claim(&mut self, client: u64) -> Result<(), Refusal> {
        if self.stored {
            return Ok(());
        }
        match self.known.claim(client) {
            Claim::Own => Ok(()),
            Claim::Foreign => Err(Refusal::Foreign),
            Claim::Free if self.walked.claims.len() >= CLAIMS => Err(Refusal::TooLarge),
            Claim::Free => {
                self.walked.claims.push(client);
                Ok(())
            }
        }
    }

    /// Places a struct, or lets it wait for others of the update.
    fn take(&mut self, client: u64, one: Waiting) -> Result<(), Refusal> {
        // What needs itself, or what follows it, can never be placed.
        if one.what.needs().any(|id| id.client == client && id.clock >= one.from) {
            return Err(Refusal::Gap);
        }
        if self.waiting.contains_key(&client) || !self.can_place(&one) {
            self.waiting.entry(client).or_default().push_back(one);
            return Ok(());
        }
        self.put(client, &one)
    }

    fn can_place(&self, one: &Waiting) -> bool {
        one.what.needs().all(|id| id.clock < self.end(id.client))
    }

    fn put(&mut self, client: u64, one: &Waiting) -> Result<(), Refusal> {
        let place = self.place_of(&one.what)?;
        self.walked.places.add(client, one.from.max(self.known.clock(client)), place);
        self.ends.insert(client, one.to);
        Ok(())
    }

    /// Where a struct comes to be. What it needs is there.
    fn place_of(&self, what: &Struct) -> Result<Place, Refusal> {
        let depth = match what.parent.map(|parent| self.place_at(parent)) {
            // Decoders fail on what is put into something that holds nothing.
            Some(place) if !place.holds => return Err(Refusal::Malformed),
            Some(place) => place.depth.saturating_add(1),
            // Beside its neighbours; a root's own have none when they come first.
            None => what.origins.into_iter().flatten().map(|id| self.place_at(id).depth).max().unwrap_or(1),
        };
        if depth > NESTING && !self.stored {
            return Err(Refusal::TooLarge);
        }
        Ok(Place { depth, holds: what.holds })
    }

    fn place_at(&self, id: Id) -> Place {
        match id.clock < self.known.clock(id.client) {
            true => self.known.place(id.client, id.clock),
            false => self.walked.places.at(id.client, id.clock),
        }
    }

    /// Places what waits, in whatever order it can be. What is left needs something that is nowhere, or itself.
    fn place(&mut self) -> Result<(), Refusal> {
        let mut waiting = std::mem::take(&mut self.waiting);
        while !waiting.is_empty() {
            let mut moved = false;
            for (client, queue) in &mut waiting {
                while queue.front().is_some_and(|one| self.can_place(one)) {
                    let placed = queue.pop_front().expect("looked at");
                    self.put(*client, &placed)?;
                    moved = true;
                }
            }
            if !moved {
                return Err(Refusal::Gap);
            }
            waiting.retain(|_, queue| !queue.is_empty());
        }
        Ok(())
    }

    fn deletions(&mut self, reader: &mut Reader<'_>) -> Result<(), Refusal> {
        let clients = reader.count(2)?;
        let mut seen = HashSet::new();
        for _ in 0..clients {
            let client = reader.varuint()?;
            if !seen.insert(client) {
                return Err(Refusal::Malformed);
            }
            let ranges = reader.count(2)?;
            let mut last = 0;
            for _ in 0..ranges {
                let (from, length) = (reader.clock()?, reader.clock()?);
                let to = from.checked_add(length).ok_or(Refusal::Malformed)?;
                if length == 0 || from < last {
                    return Err(Refusal::Malformed);
                }
                last = to;
            }
            if last > self.end(client) {
                return Err(Refusal::Gap);
            }
            self.walked.deletes += ranges;
        }
        Ok(())
    }
}

/// Reads a state vector: the first clock that is lacking, by client.
///
/// # Errors
/// [`Bad`] when it is none.
pub fn read_state_vector(bytes: &[u8]) -> Result<HashMap<u64, u32>, Bad> {
    let mut reader = Reader::new(bytes);
    let count = reader.count(2)?;
    let mut vector = HashMap::new();
    for _ in 0..count {
        let (client, clock) = (reader.varuint()?, reader.clock()?);
        if vector.insert(client, clock).is_some() {
            return Err(Bad);
        }
    }
    if reader.is_empty() { Ok(vector) } else { Err(Bad) }
}

/// Writes a state vector.
pub fn write_state_vector(vector: impl ExactSizeIterator<Item = (u64, u32)>) -> Vec<u8> {
    let mut out = Vec::new();
    put_varuint(&mut out, vector.len() as u64);
    for (client, clock) in vector {
        put_varuint(&mut out, client);
        put_varuint(&mut out, u64::from(clock));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that has ten clocks of client 1 (the sender's) and five of client 2 (somebody else's).
    struct Server;

    impl Known for Server {
        fn clock(&self, client: u64) -> u32 {
            match client {
                1 => 10,
                2 => 5,
                _ => 0,
            }
        }
        fn claim(&self, client: u64) -> Claim {
            match client {
                1 => Claim::Own,
                2 => Claim::Foreign,
                _ => Claim::Free,
            }
        }
        fn place(&self, client: u64, clock: u32) -> Place {
            // The newest of the first client's is a shared type, deep in others.
            Place { depth: if client == 1 { 99 } else { 1 }, holds: client == 1 && clock == 9 }
        }
    }

    /// An update of one section and no deletions.
    fn update(client: u8, clock: u8, structs: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![1, structs.len() as u8, client, clock];
        bytes.extend(structs.concat());
        bytes.push(0);
        bytes
    }

    const FIRST: &[u8] = &[4, 1, 1, b'r', 1, b'x'];

    fn refused(bytes: &[u8]) -> Refusal {
        walk(bytes, &Server).expect_err("refused")
    }

    #[test]
    fn what_follows_on_ones_own_edits_is_taken_and_a_free_id_is_claimed() {
        let walked = walk(&update(1, 10, &[FIRST]), &Server).expect("taken");
        assert_eq!((walked.new, walked.claims), (vec![Span { client: 1, from: 10, to: 11 }], vec![]));
        let walked = walk(&update(9, 0, &[FIRST]), &Server).expect("taken");
        assert_eq!((walked.new, walked.claims), (vec![Span { client: 9, from: 0, to: 1 }], vec![9]));
        assert!(
            walk(&update(2, 4, &[FIRST]), &Server).expect("known").is_idle(),
            "others' known edits are passed over"
        );
    }

    #[test]
    fn nobody_writes_under_anothers_id() {
        assert_eq!(refused(&update(2, 5, &[FIRST])), Refusal::Foreign);
        assert_eq!(refused(&update(2, 4, &[FIRST, FIRST])), Refusal::Foreign);
    }

    #[test]
    fn gaps_are_refused_wherever_they_are() {
        assert_eq!(refused(&update(1, 11, &[FIRST])), Refusal::Gap, "of clocks");
        assert_eq!(refused(&update(1, 10, &[&[10, 3], FIRST])), Refusal::Gap, "said to be one");
        for origin in [[1, 10], [1, 11], [2, 5], [7, 0]] {
            let item = [0x84, origin[0], origin[1], 1, b'x'];
            assert_eq!(refused(&update(1, 10, &[&item])), Refusal::Gap, "origin {origin:?}");
            let item = [0x44, origin[0], origin[1], 1, b'x'];
            assert_eq!(refused(&update(1, 10, &[&item])), Refusal::Gap, "right origin {origin:?}");
            let item = [4, 0, origin[0], origin[1], 1, b'x'];
            assert_eq!(refused(&update(1, 10, &[&item])), Refusal::Gap, "parent {origin:?}");
        }
        let deletion = |client: u8, from: u8, length: u8| vec![0, 1, client, 1, from, length];
        assert_eq!(refused(&deletion(1, 9, 2)), Refusal::Gap);
        assert_eq!(refused(&deletion(7, 0, 1)), Refusal::Gap);
        assert_eq!(walk(&deletion(2, 0, 5), &Server).expect("deleting others' is editing").deletes, 1);
    }

    #[test]
    fn two_sections_that_need_each_other_are_taken_only_when_there_is_an_order() {
        // 9:0 needs 8:0, which comes later in the bytes.
        let mut bytes = vec![2, 1, 9, 0, 0x84, 8, 0, 1, b'x', 1, 8, 0];
        bytes.extend(FIRST);
        bytes.push(0);
        assert_eq!(walk(&bytes, &Server).expect("there is one").claims, [9, 8]);
        let cycle = [2, 1, 9, 0, 0x84, 8, 0, 1, b'x', 1, 8, 0, 0x84, 9, 0, 1, b'x', 0];
        assert_eq!(refused(&cycle), Refusal::Gap);
    }

    #[test]
    fn what_declares_more_than_it_holds_is_malformed() {
        // The seven bytes for which a decoder would reserve 328 MB.
        for bytes in [&[0xff, 0xff, 0xff, 0x7f, 1, 1, 0][..], &[1, 0xff, 0xff, 0xff, 0x7f, 1, 0], &[], &[0], &[0, 0, 0]]
        {
            assert_eq!(refused(bytes), Refusal::Malformed, "{bytes:?}");
        }
        let any = |value: &[u8]| update(1, 10, &[&[&[8, 1, 1, b'r', 1][..], value].concat()]);
        assert!(walk(&any(&[125, 5]), &Server).is_ok());
        for value in [&[118, 0xff, 0xff, 0x7f][..], &[117, 0xff, 0x7f], &[119, 9, b'x'], &[1], &[119, 1, 0xff]] {
            assert_eq!(refused(&any(value)), Refusal::Malformed, "{value:?}");
        }
        let deep = [[117, 1].repeat(100), vec![126]].concat();
        assert_eq!(refused(&any(&deep)), Refusal::Malformed, "nesting");
        let proto = [&[118, 1, 9][..], b"__proto__", &[126]].concat();
        assert_eq!(refused(&any(&proto)), Refusal::Malformed);
        assert_eq!(refused(&update(1, 10, &[&[4, 1, 1, b'r', 0]])), Refusal::Malformed, "no length");
        assert_eq!(refused(&update(1, 10, &[&[5, 1, 1, b'r', 1, b'{']])), Refusal::Malformed, "broken JSON");
        assert_eq!(refused(&[0, 1, 1, 2, 5, 1, 4, 1]), Refusal::Malformed, "ranges out of order");
    }

    #[test]
    fn surrogate_pairs_are_two_clocks() {
        let smile = [&[4, 1, 1, b'r', 4][..], "😀".as_bytes()].concat();
        let walked = walk(&update(1, 10, &[&smile]), &Server).expect("taken");
        assert_eq!(walked.new, [Span { client: 1, from: 10, to: 12 }]);
    }

    #[test]
    fn nothing_is_put_into_what_holds_nothing() {
        let inside = |client: u8, clock: u8| vec![4, 0, client, clock, 1, b'x'];
        assert!(walk(&update(9, 0, &[&inside(1, 9)]), &Server).is_ok(), "into a shared type");
        assert_eq!(refused(&update(9, 0, &[&inside(1, 8)])), Refusal::Malformed, "into a value");
        assert_eq!(refused(&update(9, 0, &[FIRST, &inside(9, 0)])), Refusal::Malformed, "into text of the same update");
        let (array, gone) = ([7, 1, 1, b'r', 0], [1, 1, 1, b'r', 1]);
        assert!(walk(&update(9, 0, &[&array, &inside(9, 0)]), &Server).is_ok(), "into an array of the same update");
        assert!(walk(&update(9, 0, &[&gone, &inside(9, 0)]), &Server).is_ok(), "into what was deleted");
    }

    #[test]
    fn shared_types_are_nested_so_deep_and_no_deeper() {
        let within = |client: u8, clock: u8| vec![7, 0, client, clock, 0];
        let one = within(1, 9);
        assert!(walk(&update(9, 0, &[&one]), &Server).is_ok(), "the hundredth");
        let beside = [0x87, 9, 0, 0];
        assert!(walk(&update(9, 0, &[&one, &beside]), &Server).is_ok(), "beside it");
        assert_eq!(refused(&update(9, 0, &[&one, &within(9, 0)])), Refusal::TooLarge);
        assert_eq!(refused(&update(9, 0, &[&one, &beside, &within(9, 1)])), Refusal::TooLarge, "in its neighbour");
        let chain: Vec<Vec<u8>> =
            (0..100).map(|at| if at == 0 { vec![7, 1, 1, b'r', 0] } else { within(9, at - 1) }).collect();
        let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
        assert!(walk(&update(9, 0, &chain), &Server).is_ok());
        assert_eq!(refused(&update(9, 0, &[&chain[..], &[&within(9, 99)]].concat())), Refusal::TooLarge);
    }

    #[test]
    fn contents_that_decoders_take_differently_are_malformed() {
        // One value to Yjs; to yrs two, the second of which is made of the deletions.
        assert_eq!(refused(&update(1, 10, &[&[2, 1, 1, b'r', 1, 1, b'1']])), Refusal::Malformed, "JSON values");
        let embed = |json: &str| update(1, 10, &[&[&[5, 1, 1, b'r', json.len() as u8][..], json.as_bytes()].concat()]);
        assert!(walk(&embed("[9223372036854775807,-9223372036854775808,1e300]"), &Server).is_ok());
        assert_eq!(refused(&embed("{\"a\":[9223372036854775808]}")), Refusal::Malformed, "beyond 63 bits");
    }

    #[test]
    fn what_was_stored_is_walked_without_bounds() {
        assert_eq!(survey(&update(2, 5, &[FIRST]), &Server).expect("whosever it is").structs, 1);
        assert_eq!(survey(&update(2, 6, &[FIRST]), &Server), Err(Refusal::Gap));
    }

    #[test]
    fn state_vectors_come_back() {
        let bytes = write_state_vector([(1, 10), (1 << 40, 5)].into_iter());
        assert_eq!(read_state_vector(&bytes), Ok(HashMap::from([(1, 10), (1 << 40, 5)])));
        assert!(read_state_vector(&[0xff, 0xff, 0x7f]).is_err());
    }
}
