//! The structs of an update, one by one: how long each is and what it needs, without what it holds.

use super::bytes::{Bad, Reader};

/// Deepest nesting of values; decoders recurse.
const DEPTH: u32 = 32;

/// One struct's identity: a Yjs client id and the clock of its first element.
#[derive(Debug, Clone, Copy)]
pub struct Id {
    /// The Yjs client id.
    pub client: u64,
    /// The clock.
    pub clock: u32,
}

/// What the walk has to know of a struct.
pub struct Struct {
    /// How many clocks it takes, never none.
    pub length: u32,
    /// Its left and right neighbours when it was made.
    pub origins: [Option<Id>; 2],
    /// The shared type that it says it is in, when that is no root.
    pub parent: Option<Id>,
    /// It stands for clocks that are not in the update.
    pub is_gap: bool,
    /// Whether others may be in it: it is a shared type, or was one perhaps.
    pub holds: bool,
}

impl Struct {
    /// What must be there before it can be placed.
    pub fn needs(&self) -> impl Iterator<Item = Id> {
        self.origins.into_iter().chain([self.parent]).flatten()
    }
}

const GC: u8 = 0;
const SKIP: u8 = 10;
const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_PARENT_SUB: u8 = 0x20;
const DELETED: u8 = 1;
const TYPE: u8 = 7;

/// Reads a struct.
///
/// # Errors
/// [`Bad`] when it is none, or one that is not served.
pub fn read_struct(reader: &mut Reader<'_>) -> Result<Struct, Bad> {
    let info = reader.byte()?;
    if info == GC || info == SKIP {
        let length = reader.clock()?;
        return match length {
            0 => Err(Bad),
            _ => Ok(Struct { length, origins: [None; 2], parent: None, is_gap: info == SKIP, holds: info == GC }),
        };
    }
    let origin = if info & HAS_ORIGIN != 0 { Some(read_id(reader)?) } else { None };
    let right = if info & HAS_RIGHT_ORIGIN != 0 { Some(read_id(reader)?) } else { None };
    let mut parent = None;
    if origin.is_none() && right.is_none() {
        match reader.varuint()? {
            1 => drop(reader.text()?),
            0 => parent = Some(read_id(reader)?),
            _ => return Err(Bad),
        }
        if info & HAS_PARENT_SUB != 0 {
            reader.text()?;
        }
    }
    let kind = info & 0x1f;
    let length = read_content(reader, kind)?;
    let holds = kind == TYPE || kind == DELETED;
    Ok(Struct { length, origins: [origin, right], parent, is_gap: false, holds })
}

fn read_id(reader: &mut Reader<'_>) -> Result<Id, Bad> {
    Ok(Id { client: reader.varuint()?, clock: reader.clock()? })
}

/// Passes over a struct's content; how many clocks it takes, never none.
fn read_content(reader: &mut Reader<'_>, kind: u8) -> Result<u32, Bad> {
    let length = match kind {
        // What was deleted before it was sent.
        DELETED => reader.clock()?,
        3 => reader.bytes().map(|_| 1)?,
        // A character beyond the basic plane is two clocks.
        4 => reader.text()?.encode_utf16().count() as u32,
        5 => reader.text().and_then(check_json).map(|()| 1)?,
        6 => {
            reader.text()?;
            reader.text().and_then(check_json).map(|()| 1)?
        }
        TYPE => read_type(reader).map(|()| 1)?,
        8 => {
            let count = reader.count(1)?;
            for _ in 0..count {
                pass_any(reader, 0)?;
            }
            count
        }
        // JSON values (2) are of versions that nobody has any more, and decoders differ in how many there are: what
        // one takes for text is a struct to another. Documents within documents (9) are not served: each would cost
        // a document's memory for some bytes.
        _ => return Err(Bad),
    };
    if length == 0 { Err(Bad) } else { Ok(length) }
}

/// A shared type: array, map, text, XML element (with its name), XML fragment, XML text.
fn read_type(reader: &mut Reader<'_>) -> Result<(), Bad> {
    match reader.byte()? {
        0 | 1 | 2 | 4 | 6 => Ok(()),
        3 => reader.text().map(drop),
        _ => Err(Bad),
    }
}

/// What a browser could not parse must not reach it, nor whole numbers that the server's decoder does not hold. The
/// parser bounds depth by itself.
fn check_json(text: &str) -> Result<(), Bad> {
    let value = serde_json::from_str(text).map_err(|_| Bad)?;
    if holds_huge(&value) { Err(Bad) } else { Ok(()) }
}

fn holds_huge(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::Number(number) => number.as_i64().is_none() && number.is_u64(),
        Value::Array(items) => items.iter().any(holds_huge),
        Value::Object(fields) => fields.values().any(holds_huge),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// Passes over a value in lib0's binary encoding.
fn pass_any(reader: &mut Reader<'_>, depth: u32) -> Result<(), Bad> {
    if depth > DEPTH {
        return Err(Bad);
    }
    match reader.byte()? {
        // Undefined, null, false, true.
        127 | 126 | 121 | 120 => Ok(()),
        125 => reader.pass_varint(),
        124 => reader.take(4).map(drop),
        123 | 122 => reader.take(8).map(drop),
        119 => reader.text().map(drop),
        118 => {
            for _ in 0..reader.count(2)? {
                // In a browser it would be the object's prototype.
                if reader.text()? == "__proto__" {
                    return Err(Bad);
                }
                pass_any(reader, depth + 1)?;
            }
            Ok(())
        }
        117 => {
            for _ in 0..reader.count(1)? {
                pass_any(reader, depth + 1)?;
            }
            Ok(())
        }
        116 => reader.bytes().map(drop),
        _ => Err(Bad),
    }
}

/// How many structs an update has, whatever it builds on: what a document costs in memory follows it.
///
/// # Errors
/// [`Bad`] when it is no update.
pub fn count_structs(bytes: &[u8]) -> Result<u32, Bad> {
    let mut reader = Reader::new(bytes);
    let mut structs = 0;
    for _ in 0..reader.count(3)? {
        let count = reader.count(2)?;
        reader.varuint()?;
        reader.clock()?;
        for _ in 0..count {
            read_struct(&mut reader)?;
        }
        structs += count;
    }
    Ok(structs)
}
