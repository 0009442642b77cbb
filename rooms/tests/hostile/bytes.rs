//! Updates that nobody honest makes: mutated ones, and ones that are legal to the letter.

use crate::{dice::Dice, server::Server};
use stoa_rooms::document::{put_bytes, put_varuint};

impl Dice {
    fn place(&mut self, bytes: &[u8]) -> usize {
        self.below(bytes.len() as u64 + 1) as usize
    }

    fn range(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let from = self.place(bytes);
        let most = (bytes.len() - from).min(24) as u64;
        from..from + self.below(most + 1) as usize
    }
}

/// Numbers at which something ends: a byte, 32 bits, the exact integers of JavaScript, more than there are.
const EXTREMES: [u64; 12] =
    [0, 1, 127, 128, 16_384, i32::MAX as u64, 1 << 31, u32::MAX as u64, 1 << 32, (1 << 53) - 1, 1 << 53, u64::MAX];

/// Changes bytes in one to three places.
pub fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], dice: &mut Dice) {
    for _ in 0..=dice.below(3) {
        if bytes.is_empty() {
            bytes.push(dice.below(256) as u8);
        }
        let at = dice.below(bytes.len() as u64) as usize;
        match dice.below(9) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = dice.below(256) as u8,
            2 => bytes[at] = bytes[at].wrapping_add(1),
            3 => bytes.truncate(at),
            4 => {
                let mut number = vec![];
                put_varuint(&mut number, EXTREMES[dice.below(EXTREMES.len() as u64) as usize]);
                let over = dice.below(2) as usize;
                bytes.splice(at..(at + over).min(bytes.len()), number);
            }
            5 => {
                let range = dice.range(bytes);
                let (piece, to) = (bytes[range].to_vec(), dice.place(bytes));
                bytes.splice(to..to, piece);
            }
            6 => {
                let other = &others[dice.below(others.len() as u64) as usize];
                let (piece, over) = (other[dice.range(other)].to_vec(), dice.range(bytes));
                bytes.splice(over, piece);
            }
            7 => {
                let to = dice.below(bytes.len() as u64) as usize;
                bytes.swap(at, to);
            }
            _ => drop(bytes.drain(dice.range(bytes))),
        }
    }
}

/// An update whose every struct is legal to the letter, and whose neighbours, parents and deletions are anything.
pub fn forge(server: &Server, dice: &mut Dice) -> Vec<u8> {
    let mut out = vec![];
    let sections = 1 + dice.below(3);
    let mut clients: Vec<u64> = vec![];
    for _ in 0..sections {
        let client = match dice.below(4) {
            0 => server.any_id(dice).0,
            1 | 2 => server.own(dice),
            _ => 1_000 + dice.below(5),
        };
        if !clients.contains(&client) {
            clients.push(client);
        }
    }
    put_varuint(&mut out, clients.len() as u64);
    for client in clients {
        let count = 1 + dice.below(10);
        let had = u64::from(server.clock_of(client));
        let first = match dice.below(8) {
            0 => had.saturating_sub(dice.below(6)),
            1 if dice.below(6) == 0 => had + 1,
            _ => had,
        };
        put_varuint(&mut out, count);
        put_varuint(&mut out, client);
        put_varuint(&mut out, first);
        let mut clock = first;
        for _ in 0..count {
            clock += forge_struct(&mut out, server, (client, clock), dice);
        }
    }
    forge_deletions(&mut out, server, dice);
    out
}

/// Somewhere that is known, or earlier in the update.
fn some_id(server: &Server, (client, clock): (u64, u64), dice: &mut Dice) -> (u64, u64) {
    match dice.below(5) {
        0 if clock > 0 => (client, clock - 1),
        1 if clock > 0 => (client, dice.below(clock)),
        _ => server.any_id(dice),
    }
}

fn forge_struct(out: &mut Vec<u8>, server: &Server, own: (u64, u64), dice: &mut Dice) -> u64 {
    let kind = [0u8, 1, 3, 4, 4, 4, 5, 6, 7, 7, 7, 8, 8][dice.below(13) as usize];
    if kind == 0 {
        let length = 1 + dice.below(4);
        out.push(0);
        put_varuint(out, length);
        return length;
    }
    let flags = [0u8, 0x20, 0x80, 0x40, 0xc0, 0xa0, 0x60, 0xe0][dice.below(8) as usize];
    out.push(kind | flags);
    for flag in [0x80, 0x40] {
        if flags & flag != 0 {
            let (client, clock) = some_id(server, own, dice);
            put_varuint(out, client);
            put_varuint(out, clock);
        }
    }
    if flags & 0xc0 == 0 {
        if dice.below(3) == 0 {
            put_varuint(out, 1);
            put_bytes(out, [&b"text"[..], b"map", b"array", b"xml", b"other"][dice.below(5) as usize]);
        } else {
            let (client, clock) = match dice.below(8) {
                0 => some_id(server, own, dice),
                1 if own.1 > 0 => (own.0, own.1 - 1),
                _ => server.any_holder(dice),
            };
            put_varuint(out, 0);
            put_varuint(out, client);
            put_varuint(out, clock);
        }
        if flags & 0x20 != 0 {
            put_bytes(out, format!("k{}", dice.below(8)).as_bytes());
        }
    }
    forge_content(out, kind, dice)
}

fn forge_content(out: &mut Vec<u8>, kind: u8, dice: &mut Dice) -> u64 {
    match kind {
        1 => {
            let length = 1 + dice.below(5);
            put_varuint(out, length);
            length
        }
        3 => {
            put_bytes(out, b"bytes");
            1
        }
        4 => {
            let text = ["x", "abc", "😀", "a😀b", "formatted"][dice.below(5) as usize];
            put_bytes(out, text.as_bytes());
            text.encode_utf16().count() as u64
        }
        5 => {
            put_bytes(out, b"{\"a\":1}");
            1
        }
        6 => {
            put_bytes(out, [&b"bold"[..], b"color"][dice.below(2) as usize]);
            put_bytes(out, [&b"true"[..], b"null", b"\"red\""][dice.below(3) as usize]);
            1
        }
        7 => {
            let what = [0u8, 1, 2, 3, 4, 6][dice.below(6) as usize];
            out.push(what);
            if what == 3 {
                put_bytes(out, b"p");
            }
            1
        }
        _ => {
            let count = 1 + dice.below(4);
            put_varuint(out, count);
            for _ in 0..count {
                let value: &[u8] =
                    [&[126][..], &[120], &[125, 5], &[119, 1, b'x'], &[117, 1, 127]][dice.below(5) as usize];
                out.extend_from_slice(value);
            }
            count
        }
    }
}

fn forge_deletions(out: &mut Vec<u8>, server: &Server, dice: &mut Dice) {
    let mut clients: Vec<u64> = (0..dice.below(3)).map(|_| server.any_id(dice).0).collect();
    clients.sort_unstable();
    clients.dedup();
    put_varuint(out, clients.len() as u64);
    for client in clients {
        let had = u64::from(server.clock_of(client));
        let (mut ranges, mut at) = (vec![], dice.below(4));
        while at < had && ranges.len() < 4 {
            let length = 1 + dice.below(6.min(had - at));
            ranges.push((at, length));
            at += length + dice.below(20);
        }
        put_varuint(out, ranges.len() as u64);
        for (from, length) in ranges {
            put_varuint(out, from);
            put_varuint(out, length);
        }
    }
}
