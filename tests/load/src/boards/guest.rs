//! One editor's way in, and what is asked of the server outside the measurement, over a blocking connection.

use super::{
    bytes::{number, put_bytes, put_number},
    read::{Message, message},
};
use crate::{
    client::{self, Client},
    target::Target,
};
use anyhow::{Context as _, bail, ensure};
use std::net::TcpStream;
use stoa_protocol::{Command, DocOpen, DocumentId, RoomId, RoomOpen, wire};
use yrs::{StateVector, updates::decoder::Decode as _};

/// The document that every room has.
const BOARD: &str = "board";

/// How boards are spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// On the room's WebSocket, behind a channel, with numbered edits.
    Stoa,
    /// As y-websocket has it: a connection for each board, at `/<board>`.
    Plain,
}

/// A connection to a board's server.
pub struct Guest {
    client: Client,
    room: String,
    wire: Wire,
    channel: Option<u64>,
    batch: u64,
}

/// What came when a board was opened.
pub struct Opened {
    /// The whole board, as one update.
    pub state: Vec<u8>,
    /// The clocks that the server has by client.
    pub vector: Vec<(u64, u32)>,
    /// Bytes that the server sent for it.
    pub bytes: u64,
}

/// A connection that goes on without blocking.
pub struct Seat {
    pub stream: TcpStream,
    /// What was received already and not read.
    pub received: Vec<u8>,
    pub channel: Option<u64>,
    /// The number of the last edit.
    pub batch: u64,
}

impl Guest {
    /// Connects, and goes into the room.
    ///
    /// # Errors
    /// The server refuses.
    pub fn enter(target: &Target, wire: Wire, user: &str, room: &str) -> anyhow::Result<Self> {
        let client = match wire {
            Wire::Stoa => {
                let mut client = Client::connect(target, &target.mint.member(user, room))?;
                client.command(&Command::RoomOpen(RoomOpen { room: RoomId::new(room)?, since: None }))?;
                client
            }
            Wire::Plain => Client::upgrade(target, &format!("/{room}"))?,
        };
        Ok(Self { client, room: room.to_owned(), wire, channel: None, batch: 0 })
    }

    /// Opens the board and gets all of it.
    ///
    /// # Errors
    /// The server refuses, or sends what is no board.
    pub fn open(&mut self) -> anyhow::Result<Opened> {
        let before = self.client.bytes();
        if self.wire == Wire::Stoa {
            let open = DocOpen { room: RoomId::new(&self.room)?, document: DocumentId::new(BOARD)? };
            let opened = self.client.command(&Command::DocOpen(open))?;
            self.channel = Some(opened["result"]["channel"].as_u64().context("a channel")?);
        }
        // Nothing is had: a state vector without clients.
        self.send(&[wire::SYNC as u8, wire::STEP1 as u8, 1, 0])?;
        let (mut state, mut vector, mut parts) = (None, None, Vec::new());
        while state.is_none() || vector.is_none() {
            let Some(mut frame) = self.binary()? else { continue };
            if let Message::Part { piece, more } = message(&frame)? {
                parts.extend_from_slice(piece);
                if more {
                    continue;
                }
                frame = std::mem::take(&mut parts);
            }
            match message(&frame)? {
                Message::Step1(clocks) => vector = Some(clocks_of(clocks)?),
                Message::Step2(update) => state = Some(update.to_vec()),
                Message::Update(_) | Message::Other => {}
                Message::Part { .. } => bail!("a part of a part"),
            }
        }
        let bytes = self.client.bytes() - before;
        Ok(Opened { state: state.unwrap_or_default(), vector: vector.unwrap_or_default(), bytes })
    }

    /// Sends an edit.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn draw(&mut self, update: &[u8]) -> anyhow::Result<()> {
        self.batch += 1;
        let message = edit(self.channel.map(|_| self.batch), update);
        self.send(&message)
    }

    /// Waits until everything that was drawn is saved; on a plain wire until it is there, as another one finds it.
    ///
    /// # Errors
    /// The server refused something, or does not answer.
    pub fn settle(&mut self) -> anyhow::Result<()> {
        match self.wire {
            Wire::Stoa => {
                while self.batch > 0 {
                    let client::Message::Text(text) = self.client.message()? else { continue };
                    let told: serde_json::Value = serde_json::from_slice(&text)?;
                    ensure!(told["type"] != "doc.refused" && told["type"] != "doc.closed", "the server says {told}");
                    if told["type"] == "doc.saved" && told["batch"].as_u64() == Some(self.batch) {
                        break;
                    }
                }
            }
            Wire::Plain => {
                // It answers in order: what it answers now was asked after everything that was drawn.
                self.send(&[wire::SYNC as u8, wire::STEP1 as u8, 1, 0])?;
                while !matches!(self.binary()?.as_deref().map(message).transpose()?, Some(Message::Step2(_))) {}
            }
        }
        Ok(())
    }

    /// Goes on without blocking.
    pub fn into_seat(self) -> Seat {
        let (stream, received) = self.client.into_parts();
        Seat { stream, received, channel: self.channel, batch: self.batch }
    }

    fn send(&mut self, message: &[u8]) -> anyhow::Result<()> {
        let mut frame = Vec::with_capacity(message.len() + 4);
        if let Some(channel) = self.channel {
            put_number(&mut frame, channel);
        }
        frame.extend_from_slice(message);
        self.client.send_binary(&frame)
    }

    /// The next binary message without its channel; `None` for anything else.
    fn binary(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        match self.client.message()? {
            client::Message::Binary(frame) => {
                let mut rest = &frame[..];
                if self.channel.is_some() {
                    number(&mut rest).context("a frame without a channel")?;
                }
                Ok(Some(rest.to_vec()))
            }
            client::Message::Text(text) => {
                let told = String::from_utf8_lossy(&text);
                ensure!(!told.contains(r#""type":"doc.closed""#), "the server says {told}");
                Ok(None)
            }
        }
    }
}

/// An edit as it travels, without its channel.
pub fn edit(batch: Option<u64>, update: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(update.len() + 16);
    match batch {
        Some(batch) => {
            put_number(&mut message, wire::EDIT);
            put_number(&mut message, batch);
        }
        None => message.extend([wire::SYNC as u8, wire::UPDATE as u8]),
    }
    put_bytes(&mut message, update);
    message
}

fn clocks_of(vector: &[u8]) -> anyhow::Result<Vec<(u64, u32)>> {
    let vector = StateVector::decode_v1(vector).context("a state vector that cannot be read")?;
    Ok(vector.iter().map(|(client, clock)| (client.get(), *clock)).collect())
}
