//! A blocking client for what is not hot: setting a run up, and tests.

use crate::{
    scan::{Seen, scan},
    target::Target,
    ws::{self, Opcode},
};
use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};
use stoa_protocol::{ClientFrame, Command, Hello, Key, NewMember, Role, RoomCreate, RoomId, RoomKind, UserId, limits};

/// Commands that are sent before the first of them is answered.
const IN_FLIGHT: usize = 32;
/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A whole message of the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(Vec<u8>),
    /// Bytes.
    Binary(Vec<u8>),
}

/// One authenticated connection.
pub struct Client {
    stream: TcpStream,
    /// What was received and not read; frames before `at` are done with.
    received: Vec<u8>,
    at: usize,
    /// Bytes that were received in all.
    bytes: u64,
    next_id: u64,
    /// The reply to `hello`.
    pub welcome: Value,
}

impl Client {
    /// Connects and says hello.
    ///
    /// # Errors
    /// Nobody answers, or the server refuses.
    pub fn connect(target: &Target, token: &str) -> anyhow::Result<Self> {
        let mut client = Self::upgrade(target, &target.path)?;
        let hello = Hello {
            token: token.to_owned(),
            session: None,
            user: None,
            list: false,
            device: None,
            client: Some("stoa-load".into()),
        };
        let id = client.send(Command::Hello(hello))?;
        client.welcome = client.reply(id)?;
        ensure!(client.welcome["type"] == "welcome", "hello was answered with {}", client.welcome);
        Ok(client)
    }

    /// Connects to a path, and says nothing.
    ///
    /// # Errors
    /// Nobody answers, or with something that is no WebSocket.
    pub fn upgrade(target: &Target, path: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect_timeout(&target.node.addr, PATIENCE)
            .with_context(|| format!("{} does not listen at {}", target.name, target.node.addr))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self { stream, received: Vec::new(), at: 0, bytes: 0, next_id: 1, welcome: Value::Null };
        client.stream.write_all(&ws::request(&target.node.addr.to_string(), path))?;
        loop {
            if let Some(taken) = ws::response(&client.received)? {
                client.at = taken;
                return Ok(client);
            }
            client.receive()?;
        }
    }

    /// Bytes that the server has sent.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send_binary(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        self.write(Opcode::Binary, payload)
    }

    /// The socket, and what was received and not read.
    pub fn into_parts(self) -> (TcpStream, Vec<u8>) {
        let rest = self.received[self.at..].to_vec();
        (self.stream, rest)
    }

    /// Sends a command; the number names its reply.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send(&mut self, command: Command) -> anyhow::Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        self.write(Opcode::Text, &serde_json::to_vec(&ClientFrame { id, command })?)?;
        Ok(id)
    }

    fn write(&mut self, opcode: Opcode, payload: &[u8]) -> anyhow::Result<()> {
        let mut out = Vec::with_capacity(payload.len() + 14);
        ws::write_frame(&mut out, opcode, payload, Some([0x5a, 0x17, 0xc3, 0x88]));
        Ok(self.stream.write_all(&out)?)
    }

    fn receive(&mut self) -> anyhow::Result<()> {
        self.received.drain(..std::mem::take(&mut self.at));
        let mut buffer = [0; 64 * 1024];
        let count = self.stream.read(&mut buffer).context("the server does not answer")?;
        ensure!(count > 0, "the server closed the connection");
        self.bytes += count as u64;
        self.received.extend_from_slice(&buffer[..count]);
        Ok(())
    }

    /// The next text message.
    ///
    /// # Errors
    /// The server closed the connection, or said nothing for a minute.
    pub fn frame(&mut self) -> anyhow::Result<Vec<u8>> {
        loop {
            if let Message::Text(text) = self.message()? {
                return Ok(text);
            }
        }
    }

    /// The next message.
    ///
    /// # Errors
    /// The server closed the connection, or said nothing for a minute.
    pub fn message(&mut self) -> anyhow::Result<Message> {
        let (mut message, mut is_binary) = (Vec::new(), false);
        loop {
            let Some(frame) = ws::frame(&self.received[self.at..])? else {
                self.receive()?;
                continue;
            };
            let payload = self.received[self.at + frame.from..self.at + frame.to].to_vec();
            self.at += frame.to;
            match frame.opcode {
                Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                    is_binary |= frame.opcode == Opcode::Binary;
                    message.extend_from_slice(&payload);
                    if frame.fin {
                        return Ok(if is_binary { Message::Binary(message) } else { Message::Text(message) });
                    }
                }
                Opcode::Ping => self.write(Opcode::Pong, &payload)?,
                Opcode::Close => bail!("the server closed with {:?}", ws::close_code(&payload)),
                Opcode::Pong => {}
            }
        }
    }

    /// The reply to a command; events before it are passed over.
    ///
    /// # Errors
    /// As [`Client::frame`].
    pub fn reply(&mut self, id: u64) -> anyhow::Result<Value> {
        loop {
            let frame = self.frame()?;
            if matches!(scan(&frame), Seen::Message { .. } | Seen::Event { .. } | Seen::Skip { .. }) {
                continue;
            }
            let value: Value = serde_json::from_slice(&frame).context("a frame that is no JSON")?;
            if value["id"] == json!(id) {
                return Ok(value);
            }
        }
    }

    /// Sends a command and waits for its acknowledgement, again as often as the server asks to come back later.
    ///
    /// # Errors
    /// It was refused.
    pub fn command(&mut self, command: &Command) -> anyhow::Result<Value> {
        loop {
            let id = self.send(command.clone())?;
            let reply = self.reply(id)?;
            match (reply["type"].as_str(), reply["retry_after_ms"].as_u64()) {
                (Some("ack"), _) => return Ok(reply),
                (_, Some(wait_ms)) => std::thread::sleep(Duration::from_millis(wait_ms)),
                (_, None) => bail!("{} was answered with {reply}", command.name()),
            }
        }
    }

    /// Creates rooms, some at a time. Their members are granted with them, as far as one command takes them; the
    /// others come by the grant of their token.
    ///
    /// # Errors
    /// A room was refused.
    pub fn create_rooms(&mut self, rooms: &[(String, Vec<String>)], kind: RoomKind) -> anyhow::Result<()> {
        let mut waiting: VecDeque<Command> = VecDeque::with_capacity(rooms.len());
        for (room, members) in rooms {
            waiting.push_back(room_create(room, members, kind)?);
        }
        let mut sent: HashMap<u64, Command> = HashMap::with_capacity(IN_FLIGHT);
        while !(waiting.is_empty() && sent.is_empty()) {
            while sent.len() < IN_FLIGHT
                && let Some(command) = waiting.pop_front()
            {
                sent.insert(self.send(command.clone())?, command);
            }
            let reply: Value = serde_json::from_slice(&self.frame()?).context("a frame that is no JSON")?;
            let Some(command) = reply["id"].as_u64().and_then(|id| sent.remove(&id)) else { continue };
            match (reply["type"].as_str(), reply["retry_after_ms"].as_u64()) {
                (Some("ack"), _) => {}
                (_, Some(wait_ms)) => {
                    waiting.push_back(command);
                    std::thread::sleep(Duration::from_millis(wait_ms));
                }
                (_, None) => bail!("room.create was answered with {reply}"),
            }
        }
        Ok(())
    }
}

fn room_create(room: &str, members: &[String], kind: RoomKind) -> anyhow::Result<Command> {
    let member = |user: &String| {
        let user = UserId::new(user)?;
        anyhow::Ok(NewMember { user, role: Role::Member, capabilities: None, data: None })
    };
    Ok(Command::RoomCreate(RoomCreate {
        key: Key::new(format!("create-{room}"))?,
        room: Some(RoomId::new(room)?),
        kind,
        title: "Load".into(),
        topic: String::new(),
        history: stoa_protocol::HistoryVisibility::All,
        slow_mode_s: 0,
        retention_days: None,
        members: members.iter().take(limits::BULK_MEMBERS).map(member).collect::<anyhow::Result<_>>()?,
        data: None,
    }))
}
