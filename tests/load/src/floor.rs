//! The floor: a bare broadcast server on one thread and one epoll instance, one write per delivery. It keeps nothing,
//! checks nobody and numbers in memory: what a delivery costs below it is the kernel's. The generator compares Stoa
//! with it in the same run.
//!
//! It speaks as much of the protocol as a reader needs: `hello`, `room.create`, `room.open`, `chat.send`.

use crate::ws::{self, Opcode};
use anyhow::Context as _;
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use serde::Deserialize;
use std::{
    borrow::Cow,
    collections::HashMap,
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

const LISTENER: Token = Token(usize::MAX);
/// Bytes that one read takes at most.
const READ: usize = 64 * 1024;
/// Bytes that wait for a reader before it is cut off.
const QUEUE: usize = 4 * 1024 * 1024;

/// A client's frame, as far as it is used.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    id: u64,
    #[serde(borrow)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

#[derive(Default)]
struct Conn {
    stream: Option<TcpStream>,
    upgraded: bool,
    partial: Vec<u8>,
    out: Vec<u8>,
    room: Option<usize>,
}

#[derive(Default)]
struct Room {
    name: String,
    seq: u64,
    members: Vec<usize>,
}

/// The server.
pub struct Floor {
    poll: Poll,
    listener: TcpListener,
    conns: Vec<Conn>,
    free: Vec<usize>,
    rooms: Vec<Room>,
    by_name: HashMap<String, usize>,
    buffer: Vec<u8>,
}

impl Floor {
    /// Listens.
    ///
    /// # Errors
    /// The address is taken.
    pub fn bind(addr: SocketAddr) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(addr).with_context(|| format!("cannot listen on {addr}"))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            conns: Vec::new(),
            free: Vec::new(),
            rooms: Vec::new(),
            by_name: HashMap::new(),
            buffer: vec![0; READ],
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// The system's epoll fails.
    pub fn run(mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    Token(at) => {
                        if event.is_writable() && !self.conns[at].out.is_empty() {
                            self.flush(at);
                        }
                        if event.is_readable() {
                            self.read(at);
                        }
                    }
                }
            }
        }
    }

    fn accept(&mut self) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            let at = self.free.pop().unwrap_or_else(|| {
                self.conns.push(Conn::default());
                self.conns.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            let ready =
                stream.set_nodelay(true).and_then(|()| self.poll.registry().register(&mut stream, Token(at), interest));
            match ready {
                Ok(()) => self.conns[at] = Conn { stream: Some(stream), ..Conn::default() },
                Err(_) => self.free.push(at),
            }
        }
    }

    fn drop(&mut self, at: usize) {
        let conn = std::mem::take(&mut self.conns[at]);
        if conn.stream.is_some() {
            self.free.push(at);
        }
        if let Some(room) = conn.room {
            self.rooms[room].members.retain(|member| *member != at);
        }
    }

    fn read(&mut self, at: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(stream) = &mut self.conns[at].stream {
            match stream.read(&mut buffer) {
                Ok(0) => self.drop(at),
                Ok(count) => self.take_in(at, &buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.drop(at),
            }
        }
        self.buffer = buffer;
    }

    fn take_in(&mut self, at: usize, bytes: &[u8]) {
        let mut bytes = [std::mem::take(&mut self.conns[at].partial).as_slice(), bytes].concat();
        match self.digest(at, &mut bytes) {
            Ok(used) => {
                if used < bytes.len() && self.conns[at].stream.is_some() {
                    self.conns[at].partial = bytes[used..].to_vec();
                }
            }
            Err(_) => self.drop(at),
        }
    }

    fn digest(&mut self, at: usize, bytes: &mut [u8]) -> Result<usize, ws::WsError> {
        let mut used = 0;
        if !self.conns[at].upgraded {
            let Some((key, end)) = ws::asked(bytes)? else { return Ok(0) };
            used = end;
            self.conns[at].upgraded = true;
            self.write(at, &ws::answer(&key));
        }
        while let Some(frame) = ws::frame(&bytes[used..])? {
            let payload = &mut bytes[used + frame.from..used + frame.to];
            used += frame.to;
            if let Some(mask) = frame.mask {
                ws::apply_mask(payload, mask);
            }
            match frame.opcode {
                Opcode::Text => self.said(at, payload),
                Opcode::Ping => self.tell(at, Opcode::Pong, payload),
                Opcode::Close => self.drop(at),
                Opcode::Continuation | Opcode::Binary | Opcode::Pong => {}
            }
            if self.conns[at].stream.is_none() {
                break;
            }
        }
        Ok(used)
    }

    fn said(&mut self, at: usize, payload: &[u8]) {
        let Ok(said) = serde_json::from_slice::<Said<'_>>(payload) else { return self.drop(at) };
        let id = said.id;
        let room = said.room.map(|name| self.room(&name));
        let reply = match (&*said.kind, room) {
            ("hello", _) => format!(
                r#"{{"type":"welcome","id":{id},"version":1,"features":[],"session":"s","secret":"s","idle_ms":60000}}"#
            ),
            ("room.open", Some(room)) => {
                if self.conns[at].room.replace(room).is_none() {
                    self.rooms[room].members.push(at);
                }
                let seq = self.rooms[room].seq;
                format!(
                    r#"{{"type":"ack","id":{id},"result":{{"kind":"opened","epoch":"e","seq":{seq},"head":{seq}}}}}"#
                )
            }
            ("chat.send", Some(room)) => {
                let seq = self.broadcast(room, at, said.text.as_deref().unwrap_or_default());
                format!(r#"{{"type":"ack","id":{id},"seq":{seq}}}"#)
            }
            (_, _) => format!(r#"{{"type":"ack","id":{id}}}"#),
        };
        self.tell(at, Opcode::Text, reply.as_bytes());
    }

    fn room(&mut self, name: &str) -> usize {
        if let Some(room) = self.by_name.get(name) {
            return *room;
        }
        self.rooms.push(Room { name: name.to_owned(), ..Room::default() });
        self.by_name.insert(name.to_owned(), self.rooms.len() - 1);
        self.rooms.len() - 1
    }

    /// One write for each member, of the same bytes.
    fn broadcast(&mut self, room: usize, from: usize, text: &str) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        self.rooms[room].seq += 1;
        let Room { name, seq, members } = &self.rooms[room];
        // A copy, since a write may end a membership.
        let (seq, members) = (*seq, members.clone());
        let text = serde_json::to_string(text).unwrap_or_default();
        let event =
            format!(r#"{{"room":"{name}","seq":{seq},"at":{now},"from":"c{from}","type":"chat.sent","text":{text}}}"#);
        let mut frame = Vec::with_capacity(event.len() + 4);
        ws::write_frame(&mut frame, Opcode::Text, event.as_bytes(), None);
        for member in members {
            self.write(member, &frame);
        }
        seq
    }

    fn tell(&mut self, at: usize, opcode: Opcode, payload: &[u8]) {
        let mut frame = Vec::with_capacity(payload.len() + 4);
        ws::write_frame(&mut frame, opcode, payload, None);
        self.write(at, &frame);
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        let conn = &mut self.conns[at];
        let mut written = 0;
        if conn.out.is_empty()
            && let Some(stream) = &mut conn.stream
        {
            match stream.write(bytes) {
                Ok(count) => written = count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return self.drop(at),
            }
        }
        if written < bytes.len() {
            conn.out.extend_from_slice(&bytes[written..]);
            if conn.out.len() > QUEUE {
                self.drop(at);
            }
        }
    }

    fn flush(&mut self, at: usize) {
        let conn = &mut self.conns[at];
        let Some(stream) = &mut conn.stream else { return };
        let mut written = 0;
        while written < conn.out.len() {
            match stream.write(&conn.out[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.drop(at),
            }
        }
        conn.out.drain(..written);
        if conn.out.is_empty() {
            conn.out = Vec::new();
        }
    }
}
