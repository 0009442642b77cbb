//! A client that speaks the protocol's types over a real socket.

use super::{Entry, Journal, Server, within};
use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};
use stoa_protocol::{
    Ack, ClientFrame, Command, Control, Cursor, Epoch, ErrorCode, Fault, Hello, Opened, Reply, RoomId, RoomOpen, Seq,
    ServerFrame, SessionResume, Welcome,
};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest, handshake::client::Request},
};

/// Frames that a failure shows.
const REMEMBERED: usize = 40;

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The close code; `None` when the socket just ended.
    pub code: Option<u16>,
    /// The reason.
    pub reason: String,
}

/// What a client keeps from one connection to the next.
#[derive(Default)]
pub struct Memory {
    /// What was told of the rooms.
    pub journal: Journal,
    epochs: HashMap<RoomId, Epoch>,
}

/// One connection.
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    next_id: u64,
    /// Frames that were read while something else was waited for, in order.
    inbox: VecDeque<ServerFrame>,
    /// What was told of the rooms, across everything that was waited for.
    pub journal: Journal,
    /// The epochs of opened rooms.
    epochs: HashMap<RoomId, Epoch>,
    welcome: Option<Box<Welcome>>,
    recent: VecDeque<String>,
    log: Arc<Mutex<String>>,
}

impl Client {
    /// Connects and upgrades, without saying hello.
    pub async fn dial(server: &Server) -> Self {
        let log = server.shared_log();
        let context = || log.lock().clone();
        match within("a connection", context, Self::try_dial(server.port(), server.shared_log())).await {
            Ok(client) => client,
            Err(error) => panic!("the server refused a connection: {error}\n{}", server.log()),
        }
    }

    /// As [`Client::dial`], for whoever expects that it may fail.
    pub async fn try_dial(port: u16, log: Arc<Mutex<String>>) -> Result<Self, Error> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (socket, response) = tokio_tungstenite::client_async(request(port), stream).await?;
        assert_eq!(response.headers()["sec-websocket-protocol"], stoa_protocol::SUBPROTOCOL);
        Ok(Self {
            socket,
            next_id: 1,
            inbox: VecDeque::new(),
            journal: Journal::default(),
            epochs: HashMap::new(),
            welcome: None,
            recent: VecDeque::new(),
            log,
        })
    }

    /// Says hello with a token; the session and the user's stream begin anew.
    pub async fn hello(&mut self, token: &str) -> Welcome {
        let hello = Hello { token: token.into(), session: None, user: None, list: false, device: None, client: None };
        self.hello_with(hello).await
    }

    /// Says hello with a token; tells whether it was welcomed before the connection ended.
    pub async fn try_hello(&mut self, token: &str) -> bool {
        let hello = Hello { token: token.into(), session: None, user: None, list: false, device: None, client: None };
        self.send(Command::Hello(hello)).await;
        while let Ok(frame) = self.next("welcome").await {
            if let ServerFrame::Control(control) = &frame
                && let Control::Welcome(welcome) = control.as_ref()
            {
                self.welcome = Some(welcome.clone());
                return true;
            }
        }
        false
    }

    /// Says hello; it must be welcomed.
    pub async fn hello_with(&mut self, hello: Hello) -> Welcome {
        self.send(Command::Hello(hello)).await;
        let welcome = self
            .expect("welcome", |frame| match frame {
                ServerFrame::Control(control) => match control.as_ref() {
                    Control::Welcome(welcome) => Some((**welcome).clone()),
                    _ => None,
                },
                ServerFrame::Room(_) | ServerFrame::User(_) | ServerFrame::Document(_) => None,
            })
            .await;
        self.welcome = Some(Box::new(welcome.clone()));
        welcome
    }

    /// What `hello` needs to go on with this session.
    pub fn session(&self) -> SessionResume {
        let welcome = self.welcome.as_ref().expect("hello was said");
        SessionResume { id: welcome.session.clone(), secret: welcome.secret.clone() }
    }

    /// Where the user's own stream began on this connection.
    pub fn stream(&self) -> Cursor {
        self.welcome.as_ref().expect("hello was said").cursor.clone()
    }

    /// Where the client is in a room.
    pub fn cursor(&self, room: &RoomId) -> Cursor {
        Cursor { epoch: self.epochs.get(room).expect("the room was opened").clone(), seq: self.journal.cursor(room) }
    }

    /// Whether the client has ever had a room open.
    pub fn is_open(&self, room: &RoomId) -> bool {
        self.epochs.contains_key(room)
    }

    /// Hangs up, without a word to the server, and keeps what was told.
    pub fn hang_up(self) -> Memory {
        Memory { journal: self.journal, epochs: self.epochs }
    }

    /// Goes on with what an earlier connection of this client was told.
    pub fn carry_on(&mut self, memory: Memory) {
        let Memory { journal, epochs } = memory;
        self.journal = journal;
        self.epochs = epochs;
    }

    /// Sends a command and tells its id.
    pub async fn send(&mut self, command: Command) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let text = serde_json::to_string(&ClientFrame { id, command }).expect("frames are JSON");
        self.send_text(&text).await;
        id
    }

    /// Sends a command; an error when the connection is gone.
    pub async fn try_send(&mut self, command: Command) -> Result<u64, Error> {
        let id = self.next_id;
        self.next_id += 1;
        let text = serde_json::to_string(&ClientFrame { id, command }).expect("frames are JSON");
        self.socket.send(Message::text(text)).await?;
        Ok(id)
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text.to_owned())).await;
    }

    /// Sends any message. A connection that the server has closed is noticed by whoever reads.
    pub async fn send_message(&mut self, message: Message) {
        let sent = within("a frame to be sent", String::new, self.socket.send(message)).await;
        match sent {
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_) | Error::Io(_)) => {}
            Err(error) => panic!("sending failed: {error}"),
        }
    }

    /// A command and its reply.
    pub async fn call(&mut self, command: Command) -> Result<Ack, Fault> {
        let name = command.name();
        let id = self.send(command).await;
        self.reply(id, name).await
    }

    /// A command that must be accepted; its sequence.
    pub async fn commit(&mut self, command: Command) -> Seq {
        let shown = format!("{command:?}");
        match self.call(command).await {
            Ok(ack) => ack.seq.unwrap_or_else(|| panic!("{shown} was acknowledged without a sequence")),
            Err(fault) => panic!("{shown} was refused: {fault}\n{}", self.context()),
        }
    }

    /// A command that must be accepted; what was asked for.
    pub async fn ask(&mut self, command: Command) -> Reply {
        let shown = format!("{command:?}");
        match self.call(command).await {
            Ok(ack) => ack.result.unwrap_or_else(|| panic!("{shown} was acknowledged without a result")),
            Err(fault) => panic!("{shown} was refused: {fault}\n{}", self.context()),
        }
    }

    /// A command that must be refused with this code.
    pub async fn refused(&mut self, command: Command, code: ErrorCode) -> Fault {
        let shown = format!("{command:?}");
        match self.call(command).await {
            Ok(ack) => panic!("{shown} was accepted: {ack:?}\n{}", self.context()),
            Err(fault) => {
                assert_eq!(fault.code, code, "{shown}: {fault}\n{}", self.context());
                fault
            }
        }
    }

    /// The reply to a command that was sent.
    pub async fn reply(&mut self, id: u64, what: &str) -> Result<Ack, Fault> {
        self.expect(&format!("the reply to {what} ({id})"), |frame| match frame {
            ServerFrame::Control(control) => match control.as_ref() {
                Control::Ack(ack) if ack.id == id => Some(Ok((**ack).clone())),
                Control::Error(error) if error.id == Some(id) => Some(Err(error.fault.clone())),
                _ => None,
            },
            ServerFrame::Room(_) | ServerFrame::User(_) | ServerFrame::Document(_) => None,
        })
        .await
    }

    /// The reply to a command; `None` when the connection ends before it.
    pub async fn try_reply(&mut self, id: u64) -> Option<Result<Ack, Fault>> {
        let reply = |frame: &ServerFrame| match frame {
            ServerFrame::Control(control) => match control.as_ref() {
                Control::Ack(ack) if ack.id == id => Some(Ok((**ack).clone())),
                Control::Error(error) if error.id == Some(id) => Some(Err(error.fault.clone())),
                _ => None,
            },
            ServerFrame::Room(_) | ServerFrame::User(_) | ServerFrame::Document(_) => None,
        };
        loop {
            match self.next(&format!("the reply to {id}")).await {
                Ok(frame) => match reply(&frame) {
                    Some(reply) => return Some(reply),
                    None => self.inbox.push_back(frame),
                },
                Err(_) => return None,
            }
        }
    }

    /// Opens a room from the beginning of what its snapshot does not have.
    pub async fn open(&mut self, room: &RoomId) -> Opened {
        self.open_since(room, None).await
    }

    /// Opens a room at a cursor.
    pub async fn open_since(&mut self, room: &RoomId, since: Option<Cursor>) -> Opened {
        match self.ask(Command::RoomOpen(RoomOpen { room: room.clone(), since })).await {
            Reply::Opened(opened) => *opened,
            other => panic!("room.open was answered by {other:?}"),
        }
    }

    /// The first frame, of those that wait and those that come, that `pick` takes. The others stay in their order.
    pub async fn expect<T>(&mut self, what: &str, mut pick: impl FnMut(&ServerFrame) -> Option<T>) -> T {
        for at in 0..self.inbox.len() {
            if let Some(picked) = pick(&self.inbox[at]) {
                self.inbox.remove(at);
                return picked;
            }
        }
        loop {
            match self.next(what).await {
                Ok(frame) => match pick(&frame) {
                    Some(picked) => return picked,
                    None => self.inbox.push_back(frame),
                },
                Err(closed) => panic!("waited for {what}, but the connection ended: {closed:?}\n{}", self.context()),
            }
        }
    }

    /// The first control frame that `pick` takes.
    pub async fn expect_control<T>(&mut self, what: &str, mut pick: impl FnMut(&Control) -> Option<T>) -> T {
        self.expect(what, |frame| match frame {
            ServerFrame::Control(control) => pick(control),
            ServerFrame::Room(_) | ServerFrame::User(_) | ServerFrame::Document(_) => None,
        })
        .await
    }

    /// Reads until the client is at this place in a room.
    pub async fn reach(&mut self, room: &RoomId, seq: Seq) {
        while self.journal.cursor(room) < seq {
            let at = self.journal.cursor(room);
            match self.next(&format!("{room} to reach {seq}, it is at {at}")).await {
                Ok(frame) => self.inbox.push_back(frame),
                Err(closed) => panic!("at {at} of {seq} in {room}: {closed:?}\n{}", self.context()),
            }
        }
    }

    /// How the connection ends; frames before that are kept.
    pub async fn closed(&mut self) -> Closed {
        loop {
            match self.next("the connection to be closed").await {
                Ok(frame) => self.inbox.push_back(frame),
                Err(closed) => return closed,
            }
        }
    }

    /// Everything that has been told and not picked.
    pub fn told(&self) -> impl Iterator<Item = &ServerFrame> {
        self.inbox.iter()
    }

    /// Whether a control frame has been told and not picked.
    pub fn hears(&self, is_it: impl Fn(&Control) -> bool) -> bool {
        self.told().any(|frame| matches!(frame, ServerFrame::Control(control) if is_it(control)))
    }

    /// Forgets what has been told and not picked.
    pub fn forget_told(&mut self) {
        self.inbox.clear();
    }

    /// A round trip: whatever the server pushed before it answers has been read after this.
    pub async fn settle(&mut self) {
        let id = self.send(Command::Ping(stoa_protocol::Ping {})).await;
        self.expect_control("pong", |control| match control {
            Control::Pong { id: of, .. } if *of == id => Some(()),
            _ => None,
        })
        .await;
    }

    /// The next frame, or how the connection ended.
    pub async fn next(&mut self, what: &str) -> Result<ServerFrame, Closed> {
        let (log, recent) = (self.log.clone(), &self.recent);
        let context = || context(recent, &log.lock());
        let text = within(what, context, next_text(&mut self.socket)).await?;
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(text.clone());
        let frame: ServerFrame =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("not a frame of the server: {error}\n{text}"));
        self.note(&frame);
        Ok(frame)
    }

    fn note(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::Room(event) => self.journal.push(&event.room, Entry::Event((**event).clone())),
            ServerFrame::User(_) | ServerFrame::Document(_) => {}
            ServerFrame::Control(control) => match control.as_ref() {
                Control::Skip { room, seq } => self.journal.push(room, Entry::Skip(*seq)),
                Control::RoomReset(opened) => self.note_opened(opened),
                Control::Ack(ack) => {
                    if let Some(Reply::Opened(opened)) = &ack.result {
                        self.note_opened(opened);
                    }
                }
                _ => {}
            },
        }
    }

    /// A snapshot begins the room anew; a cursor that was taken up must be the one that the client has.
    fn note_opened(&mut self, opened: &Opened) {
        self.epochs.insert(opened.room.clone(), opened.epoch.clone());
        match opened.snapshot {
            Some(_) => self.journal.push(&opened.room, Entry::Reset(opened.seq)),
            None if self.journal.entries(&opened.room).is_empty() => {
                self.journal.push(&opened.room, Entry::Reset(opened.seq));
            }
            None => assert_eq!(opened.seq, self.journal.cursor(&opened.room), "the cursor was taken up"),
        }
    }

    fn context(&self) -> String {
        context(&self.recent, &self.log.lock())
    }
}

fn context(recent: &VecDeque<String>, log: &str) -> String {
    let frames: Vec<_> = recent.iter().map(|frame| frame.chars().take(400).collect::<String>()).collect();
    let tail: Vec<_> = log.lines().rev().take(30).collect();
    let tail: Vec<_> = tail.into_iter().rev().collect();
    format!("newest frames:\n{}\nend of the server's log:\n{}", frames.join("\n"), tail.join("\n"))
}

/// The handshake of a client.
pub fn request(port: u16) -> Request {
    let mut request = format!("ws://127.0.0.1:{port}/v1/ws").into_client_request().expect("a legal address");
    let protocol = stoa_protocol::SUBPROTOCOL.parse().expect("a legal header");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    request
}

/// The next text; pings are answered by the library.
async fn next_text(socket: &mut WebSocketStream<TcpStream>) -> Result<String, Closed> {
    let gone = |reason: String| Closed { code: None, reason };
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Close(Some(frame)))) => {
                return Err(Closed { code: Some(frame.code.into()), reason: frame.reason.as_str().to_owned() });
            }
            Some(Ok(Message::Close(None))) => return Err(gone("closed without a code".into())),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(other)) => panic!("the server sends text alone, and not {other:?}"),
            Some(Err(error)) => return Err(gone(error.to_string())),
            None => return Err(gone("the stream ended".into())),
        }
    }
}
