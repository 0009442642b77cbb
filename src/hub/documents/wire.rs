//! Messages of documents as binary frames: behind a channel on the one WebSocket, plain for any Yjs provider.

use super::Line;
use crate::gateway::Frame;
use stoa_protocol::{Channel, wire};
use stoa_rooms::document::{Bad, Reader, put_bytes, put_varuint};

/// Bytes of one piece of a large message: small enough that replies find room between two of them.
pub const PART_BYTES: usize = 32 * 1024;

/// What a client says in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Asks for what a state vector lacks.
    Step1(Vec<u8>),
    /// An edit, under the number of its batch where it has one.
    Edit {
        /// The number.
        batch: Option<u64>,
        /// The update.
        update: Vec<u8>,
    },
    /// What clients say of themselves.
    Awareness(Vec<u8>),
    /// Asks for everybody's state.
    QueryAwareness,
}

/// Reads a frame of the one WebSocket.
pub fn read_frame(bytes: &[u8]) -> Result<(Channel, Said), Bad> {
    let mut reader = Reader::new(bytes);
    let channel = Channel::try_from(reader.varuint()?).map_err(|_| Bad)?;
    Ok((channel, read_message(reader.rest())?))
}

/// Reads a message without a channel.
pub fn read_message(bytes: &[u8]) -> Result<Said, Bad> {
    let mut reader = Reader::new(bytes);
    let said = match reader.varuint()? {
        wire::SYNC => match reader.varuint()? {
            wire::STEP1 => Said::Step1(reader.bytes()?.to_vec()),
            wire::STEP2 | wire::UPDATE => Said::Edit { batch: None, update: reader.bytes()?.to_vec() },
            _ => return Err(Bad),
        },
        wire::AWARENESS => Said::Awareness(reader.bytes()?.to_vec()),
        wire::QUERY_AWARENESS => Said::QueryAwareness,
        wire::EDIT => Said::Edit { batch: Some(reader.varuint()?), update: reader.bytes()?.to_vec() },
        _ => return Err(Bad),
    };
    if reader.is_empty() { Ok(said) } else { Err(Bad) }
}

/// A message of the sync protocol, without its frame.
pub fn sync(kind: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 12);
    put_varuint(&mut out, wire::SYNC);
    put_varuint(&mut out, kind);
    put_bytes(&mut out, payload);
    out
}

/// An awareness message, without its frame.
pub fn awareness(states: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(states.len() + 8);
    put_varuint(&mut out, wire::AWARENESS);
    put_bytes(&mut out, states);
    out
}

/// A refusal in the words of y-protocols (auth, permission denied).
pub fn denied(reason: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_varuint(&mut out, wire::AUTH);
    put_varuint(&mut out, 0);
    put_bytes(&mut out, reason.as_bytes());
    out
}

/// A message as a frame of this line.
pub fn frame(line: Line, message: &[u8]) -> Frame {
    Frame::binary_with(message.len() + 8, |out| {
        if let Line::Channel(channel) = line {
            put_varuint(out, u64::from(channel));
        }
        out.extend_from_slice(message);
    })
}

/// A piece of a message.
pub fn part(channel: Channel, piece: &[u8], more: bool) -> Frame {
    Frame::binary_with(piece.len() + 24, |out| {
        put_varuint(out, u64::from(channel));
        put_varuint(out, wire::PART);
        put_varuint(out, u64::from(more));
        put_bytes(out, piece);
    })
}
