//! One connection: how it comes, goes and comes back.

use super::Worker;
use crate::{
    engine::Shared,
    journal::MemberLog,
    ws::{self, Opcode},
};
use mio::{Interest, Token, net::TcpStream};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::{
    collections::VecDeque,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};
use stoa_protocol::{ClientFrame, Command, Cursor, Hello, RoomId, RoomOpen, SessionResume};

/// How long a connection that failed waits before it tries again, microseconds; a random wait of as much again is
/// added.
const BACKOFF_US: u64 = 300_000;
/// The id of `hello`.
pub(super) const HELLO: u64 = 1;
/// The id of `room.open`.
pub(super) const OPEN: u64 = 2;
/// The id of a connection's first message; the `n`th has this plus n.
pub(super) const FIRST_SEND: u64 = 16;
/// Until `welcome` says otherwise, something is said this often, microseconds.
const PING_US: u64 = 20_000_000;

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not there.
    Away,
    /// TCP is on its way.
    Connecting,
    /// The WebSocket was asked for.
    Upgrading,
    /// `hello` was said.
    Greeting,
    /// `room.open` was said.
    Opening,
    /// In its room.
    Joined,
}

/// A message that waits for its acknowledgement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub n: u32,
    pub due_us: u64,
}

pub(super) struct Conn {
    /// Its number in the whole run.
    pub user: usize,
    pub room: u32,
    pub stage: Stage,
    pub stream: Option<TcpStream>,
    /// The start of a frame whose rest has not arrived.
    pub partial: Vec<u8>,
    /// Fragments of a message.
    pub fragments: Vec<u8>,
    /// What the socket has not taken.
    pub out: Vec<u8>,
    pub log: Option<MemberLog>,
    /// Where the client is, to come back.
    pub epoch: Option<String>,
    pub session: Option<SessionResume>,
    pub user_cursor: Option<Cursor>,
    /// Oldest first.
    pub pending: VecDeque<Pending>,
    pub sent: u32,
    /// Closed plans: nothing is sent before, because the server asked to come back later.
    pub paused_us: u64,
    pub said_us: u64,
    pub ping_us: u64,
    pub joined_us: u64,
    /// When it was lost; 0 for one that was never joined.
    pub lost_us: u64,
    /// When it wanted to be back.
    pub back_us: u64,
    /// The end of the log at the time of its return; 0 when it is caught up.
    pub goal: u64,
    pub slow: bool,
    /// Bytes received since it was started.
    pub bytes: u64,
}

impl Conn {
    pub fn new(user: usize, shared: &Shared) -> Self {
        let (shape, options) = (shared.shape, &shared.options);
        let room = shape.room_of(user);
        // Slow readers are spread over the rooms, and taken from the end of each, where no senders are.
        let from_end = shape.members - 1 - user % shape.members;
        Self {
            user,
            room: room as u32,
            stage: Stage::Away,
            stream: None,
            partial: Vec::new(),
            fragments: Vec::new(),
            out: Vec::new(),
            log: None,
            epoch: None,
            session: None,
            user_cursor: None,
            pending: VecDeque::new(),
            sent: 0,
            paused_us: 0,
            said_us: 0,
            ping_us: PING_US,
            joined_us: 0,
            lost_us: 0,
            back_us: 0,
            goal: 0,
            slow: from_end * shape.rooms + room < options.slow,
            bytes: 0,
        }
    }
}

impl Worker {
    /// Starts a connection.
    pub(super) fn connect(&mut self, at: usize) {
        let source = self.source(self.conns[at].user);
        match dial(self.shared.target.addr_of(self.conns[at].user), source) {
            Ok(mut stream) => {
                let interest = Interest::READABLE | Interest::WRITABLE;
                if let Err(error) = self.poll.registry().register(&mut stream, Token(at), interest) {
                    self.shared.note(format!("epoll: {error}"));
                }
                let conn = &mut self.conns[at];
                conn.stream = Some(stream);
                conn.stage = Stage::Connecting;
                conn.bytes = 0;
                self.handshakes += 1;
            }
            Err(error) => {
                self.counts.failed += 1;
                self.shared.note(format!("connect: {error}"));
                self.retry(at);
            }
        }
    }

    /// Where a connection comes from: ports are counted per pair of addresses, so ten thousands of connections from
    /// one machine need several of the loopback's.
    fn source(&self, user: usize) -> Option<Ipv4Addr> {
        let IpAddr::V4(to) = self.shared.target.addr_of(user).ip() else { return None };
        let sources = self.shared.options.sources.clamp(1, 1 << 16);
        let number = user as u32 % sources;
        to.is_loopback().then(|| Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + number))
    }

    fn retry(&mut self, at: usize) {
        let wait = BACKOFF_US + self.random() % BACKOFF_US;
        self.retries.push((self.shared.now_us() + wait, at));
    }

    /// A socket is ready for something.
    pub(super) fn ready(&mut self, at: usize, writable: bool, readable: bool, closed: bool) {
        if self.conns[at].stage == Stage::Connecting && (writable || closed) {
            self.connected(at);
        }
        if readable && !(self.conns[at].slow && self.conns[at].stage == Stage::Joined) {
            self.read(at, self.buffer.len(), closed);
        }
        if writable && !self.conns[at].out.is_empty() {
            self.flush(at);
        }
    }

    fn connected(&mut self, at: usize) {
        let Some(stream) = &self.conns[at].stream else { return };
        let outcome = match stream.take_error() {
            Ok(None) => stream.peer_addr().map(|_| ()),
            Ok(Some(error)) | Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => {
                let target = &self.shared.target;
                let request = ws::request(&target.addr_of(self.conns[at].user).to_string(), &target.path);
                let conn = &mut self.conns[at];
                conn.stage = Stage::Upgrading;
                conn.out.extend_from_slice(&request);
                self.flush(at);
            }
            // Writable before it is connected: epoll tells again.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
            Err(error) => self.gone(at, Some(format!("connect: {error}")), None),
        }
    }

    /// The WebSocket is there.
    pub(super) fn greet(&mut self, at: usize) {
        let (mint, names) = (&self.shared.target.mint, &self.shared.names);
        let conn = &mut self.conns[at];
        conn.stage = Stage::Greeting;
        let hello = Hello {
            token: mint.member(&names.user(conn.user), &self.shared.rooms[conn.room as usize]),
            session: conn.session.clone(),
            user: conn.user_cursor.clone(),
            list: false,
            device: None,
            client: Some("stoa-load".into()),
        };
        self.command(at, HELLO, Command::Hello(hello));
    }

    /// The server knows who this is.
    pub(super) fn open(&mut self, at: usize) {
        let conn = &mut self.conns[at];
        conn.stage = Stage::Opening;
        let seq = conn.log.as_ref().and_then(|log| stoa_protocol::Seq::new(log.next() - 1));
        let epoch = conn.epoch.as_ref().and_then(|epoch| stoa_protocol::Epoch::new(epoch).ok());
        let since = epoch.zip(seq).map(|(epoch, seq)| Cursor { epoch, seq });
        let room = RoomId::new(&self.shared.rooms[conn.room as usize]).expect("the generator's names are legal");
        self.command(at, OPEN, Command::RoomOpen(RoomOpen { room, since }));
    }

    fn command(&mut self, at: usize, id: u64, command: Command) {
        let payload = serde_json::to_vec(&ClientFrame { id, command }).expect("frames of the protocol are JSON");
        self.say(at, Opcode::Text, &payload);
        self.flush(at);
    }

    /// Takes a frame into the connection's queue.
    pub(super) fn say(&mut self, at: usize, opcode: Opcode, payload: &[u8]) {
        let mask = self.mask();
        let now = self.shared.now_us();
        let conn = &mut self.conns[at];
        conn.said_us = now;
        ws::write_frame(&mut conn.out, opcode, payload, Some(mask));
    }

    /// Writes what waits, as far as the socket takes it.
    pub(super) fn flush(&mut self, at: usize) {
        let conn = &mut self.conns[at];
        let Some(stream) = &mut conn.stream else { return };
        let mut written = 0;
        let error = loop {
            if written == conn.out.len() {
                break None;
            }
            match stream.write(&conn.out[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error),
            }
        };
        conn.out.drain(..written);
        if let Some(error) = error {
            self.gone(at, Some(format!("write: {error}")), None);
        }
    }

    /// The connection ended by itself: it comes back, unless the close code says that it must not.
    pub(super) fn gone(&mut self, at: usize, reason: Option<String>, code: Option<u16>) {
        let stage = self.conns[at].stage;
        if stage == Stage::Away {
            return;
        }
        let name = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        *self.outcome.closes.entry(name).or_default() += 1;
        if let Some(reason) = reason {
            self.shared.note(format!("{stage:?}: {reason}"));
        }
        self.detach(at, self.shared.now_us());
        if code.is_some_and(|code| code >= 4500) {
            self.counts.dead += 1;
        } else {
            self.retry(at);
        }
    }

    /// Forgets the socket; the cursor and what is unacknowledged stay.
    pub(super) fn detach(&mut self, at: usize, now: u64) {
        let conn = &mut self.conns[at];
        match conn.stage {
            Stage::Away => return,
            Stage::Joined => {
                self.counts.joined -= 1;
                self.counts.lost += 1;
                conn.lost_us = now;
                conn.back_us = now;
            }
            Stage::Connecting | Stage::Upgrading | Stage::Greeting | Stage::Opening => {
                self.counts.failed += 1;
                self.handshakes -= 1;
            }
        }
        conn.stage = Stage::Away;
        conn.stream = None;
        conn.partial = Vec::new();
        conn.fragments = Vec::new();
        conn.out = Vec::new();
    }

    /// Says something where the server would else think that nobody is there.
    pub(super) fn ping(&mut self, now: u64) {
        for at in 0..self.conns.len() {
            let conn = &self.conns[at];
            if conn.stage == Stage::Joined && now - conn.said_us.min(now) >= conn.ping_us {
                self.say(at, Opcode::Ping, b"");
                self.flush(at);
            }
        }
    }
}

fn dial(to: SocketAddr, from: Option<Ipv4Addr>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(from) = from {
        socket.bind(&SockAddr::from(SocketAddr::from((from, 0))))?;
    }
    match socket.connect(&SockAddr::from(to)) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}
