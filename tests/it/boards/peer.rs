//! A scripted client with a Yjs replica, over the one WebSocket, as `docs/protocol.md` describes it.

use super::honest::Editor;
use crate::harness::{Server, Token, within};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};
use stoa_protocol::{Refusal, RoomId, wire};
use stoa_rooms::document::{Reader, put_bytes, put_varuint, read_awareness, write_awareness};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};
use yrs::{ClientID, Map, Out, ReadTxn, Snapshot, StateVector, Transact, Update, updates::decoder::Decode};

/// An update with one item of text, at any place.
pub fn item(client: u64, clock: u32, text: &[u8]) -> Vec<u8> {
    let mut out = vec![1, 1];
    put_varuint(&mut out, client);
    put_varuint(&mut out, u64::from(clock));
    out.extend([4, 1, 1, b'r']);
    put_bytes(&mut out, text);
    out.push(0);
    out
}

/// A client with a document of a room open.
pub struct Peer {
    socket: Option<WebSocketStream<TcpStream>>,
    user: String,
    room: RoomId,
    document: String,
    /// The replica.
    pub editor: Editor,
    channel: u64,
    /// The epoch that was told at the last opening.
    pub epoch: String,
    batch: u64,
    /// What was sent and neither saved nor refused.
    on_way: BTreeMap<u64, Vec<u8>>,
    /// Something was edited that the server may lack.
    owes: bool,
    /// What was reported saved.
    pub saved: Vec<Vec<u8>>,
    parts: Vec<u8>,
    /// Pieces of large messages, so far.
    pub pieces: u32,
    told: VecDeque<Value>,
    synced: bool,
    /// How full it was when it was opened.
    pub opened_fill: Option<u64>,
    /// What others say of themselves, by Yjs client id.
    pub there: HashMap<u64, Value>,
}

impl Peer {
    /// A client without anything, synchronised with the server.
    pub async fn open(server: &Server, user: &str, room: &RoomId) -> Self {
        Self::open_document(server, user, room, "board").await
    }

    /// The same for any document.
    pub async fn open_document(server: &Server, user: &str, room: &RoomId, document: &str) -> Self {
        let mut peer = Self {
            socket: None,
            user: user.into(),
            room: room.clone(),
            document: document.into(),
            editor: Editor::new(ClientID::random().get()),
            channel: 0,
            epoch: String::new(),
            batch: 0,
            on_way: BTreeMap::new(),
            owes: false,
            saved: vec![],
            parts: vec![],
            pieces: 0,
            told: VecDeque::new(),
            synced: false,
            opened_fill: None,
            there: HashMap::new(),
        };
        peer.reopen(server).await;
        peer
    }

    /// Connects anew, with the replica that it has.
    pub async fn reopen(&mut self, server: &Server) {
        self.connect(server).await;
        self.open_channel(3).await;
        self.synchronise().await;
        self.settle().await;
    }

    /// Connects and opens the room.
    pub async fn connect(&mut self, server: &Server) {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        let request = crate::harness::request(server.port());
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("an upgrade");
        self.socket = Some(socket);
        (self.parts, self.there) = (vec![], HashMap::new());
        self.say(json!({"type": "hello", "id": 1, "token": Token::of(&self.user).sign()})).await;
        self.answer(1).await;
        self.say(json!({"type": "room.open", "id": 2, "room": self.room})).await;
        self.answer(2).await;
    }

    /// Opens the document, under this number of the command.
    pub async fn open_channel(&mut self, id: u64) {
        self.say(json!({"type": "doc.open", "id": id, "room": self.room, "document": self.document})).await;
        let opened = self.answer(id).await;
        self.channel = opened["result"]["channel"].as_u64().expect("a channel");
        self.opened_fill = opened["result"]["fill"].as_u64();
        self.epoch = opened["result"]["epoch"].as_str().expect("an epoch").to_owned();
    }

    /// Tells the server what there is, and so asks for the rest. What was on its way is sent again when it is lacking.
    pub async fn synchronise(&mut self) {
        self.synced = false;
        self.owes |= !std::mem::take(&mut self.on_way).is_empty();
        let vector = self.editor.encoded_vector();
        self.send(&[&[wire::SYNC as u8, wire::STEP1 as u8][..], &with_length(&vector)].concat()).await;
    }

    /// Begins anew with nothing, as whoever was refused does.
    pub async fn begin_anew(&mut self) {
        self.editor = Editor::new(ClientID::random().get());
        (self.owes, self.on_way) = (false, BTreeMap::new());
        self.synchronise().await;
        self.settle().await;
    }

    /// The connection is gone.
    pub async fn close(&mut self) {
        self.socket = None;
    }

    /// The connection is gone, in the middle of a frame.
    pub async fn break_off(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            // A binary frame of a thousand bytes, of which some come.
            let begun = [&[0x82, 0xfe, 0x03, 0xe8, 1, 2, 3, 4][..], &[7; 100]].concat();
            // The server may have been faster.
            let _gone = socket.get_mut().write_all(&begun).await;
        }
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Sets a key, and sends it.
    pub async fn draw(&mut self, key: &str, value: u32) {
        let update = self.change(key, value);
        self.send_edit(&update).await;
    }

    /// Sets a key; nobody hears of it yet.
    pub fn draw_offline(&mut self, key: &str, value: u32) {
        self.change(key, value);
        self.owes = true;
    }

    fn change(&mut self, key: &str, value: u32) -> Vec<u8> {
        let map = self.editor.doc.get_or_insert_map("elements");
        let mut txn = self.editor.doc.transact_mut();
        map.insert(&mut txn, key, value.to_string());
        txn.encode_update_v1()
    }

    /// Sends bytes as an edit.
    pub async fn send_edit(&mut self, update: &[u8]) {
        self.batch += 1;
        let mut message = Vec::new();
        put_varuint(&mut message, wire::EDIT);
        put_varuint(&mut message, self.batch);
        put_bytes(&mut message, update);
        match self.is_connected() {
            true => drop(self.on_way.insert(self.batch, update.to_vec())),
            false => self.owes = true,
        }
        self.send(&message).await;
    }

    /// Says something of a Yjs client: JSON.
    pub async fn appear(&mut self, client: u64, clock: u32, state: &str) {
        let states = write_awareness([(client, clock, state)].into_iter());
        let mut message = vec![];
        put_varuint(&mut message, wire::AWARENESS);
        put_bytes(&mut message, &states);
        self.send(&message).await;
    }

    async fn send(&mut self, message: &[u8]) {
        let mut frame = Vec::new();
        put_varuint(&mut frame, self.channel);
        frame.extend_from_slice(message);
        self.send_frame(frame).await;
    }

    /// Sends a binary frame of any bytes.
    pub async fn send_frame(&mut self, frame: Vec<u8>) {
        if let Some(socket) = &mut self.socket {
            // A connection that is gone is noticed by whoever reads.
            let _gone = socket.send(Message::binary(frame)).await;
        }
    }

    /// Sends a command.
    pub async fn say(&mut self, command: Value) {
        let socket = self.socket.as_mut().expect("connected");
        socket.send(Message::text(command.to_string())).await.expect("the server reads");
    }

    /// The answer to a command.
    pub async fn answer(&mut self, id: u64) -> Value {
        self.until("a reply", |frame| frame["id"] == id).await
    }

    /// Reads until a text frame fits; the others are kept.
    async fn until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Some(at) = self.told.iter().position(&fits) {
                return self.told.remove(at).expect("found");
            }
            self.read(what).await;
        }
    }

    /// Reads one frame.
    pub async fn read(&mut self, what: &str) {
        let user = self.user.clone();
        let next = within(what, || user.clone(), self.next()).await;
        if let Err(end) = next {
            panic!("{user}: the connection ended while waiting for {what}: {end}");
        }
    }

    /// Reads the frames that are there. A connection that has ended is no more.
    pub async fn read_waiting(&mut self) {
        while self.socket.is_some() {
            match timeout(Duration::ZERO, self.next()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => self.socket = None,
                Err(_) => return,
            }
        }
    }

    /// Reads until the connection ends; tells the close code.
    pub async fn ended(&mut self) -> String {
        let user = self.user.clone();
        loop {
            if let Err(end) = within("the end of the connection", || user.clone(), self.next()).await {
                self.socket = None;
                return end;
            }
        }
    }

    async fn next(&mut self) -> Result<(), String> {
        let socket = self.socket.as_mut().expect("connected");
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let frame: Value = serde_json::from_str(text.as_str()).expect("JSON");
                self.note(frame);
            }
            Some(Ok(Message::Binary(bytes))) => self.hear(&bytes).await,
            Some(Ok(Message::Close(Some(frame)))) => return Err(u16::from(frame.code).to_string()),
            Some(Ok(_)) => {}
            other => return Err(format!("{other:?}")),
        }
        Ok(())
    }

    fn note(&mut self, frame: Value) {
        match (frame["type"].as_str(), frame["batch"].as_u64()) {
            (Some("doc.saved"), Some(batch)) => {
                let waiting = self.on_way.split_off(&(batch + 1));
                self.saved.extend(std::mem::replace(&mut self.on_way, waiting).into_values());
            }
            (Some("doc.refused"), Some(batch)) => {
                self.on_way.remove(&batch);
                self.told.push_back(frame);
            }
            (kind, _) => {
                if kind == Some("doc.reset") {
                    // Of a message that was on its way nothing more comes.
                    self.parts.clear();
                }
                self.told.push_back(frame);
            }
        }
    }

    async fn hear(&mut self, bytes: &[u8]) {
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.varuint(), Ok(self.channel));
        let mut message = reader.rest().to_vec();
        if u64::from(message[0]) == wire::PART {
            let mut part = Reader::new(&message[1..]);
            let more = part.varuint().expect("a number");
            self.parts.extend_from_slice(part.bytes().expect("a piece"));
            self.pieces += 1;
            if more == 1 {
                return;
            }
            message = std::mem::take(&mut self.parts);
        }
        let mut reader = Reader::new(&message);
        match reader.varuint() {
            Ok(wire::SYNC) => {}
            Ok(wire::AWARENESS) => return self.notice(reader.bytes().expect("states")),
            other => panic!("the server says {other:?}"),
        }
        let kind = reader.varuint().expect("a kind");
        let payload = reader.bytes().expect("a payload").to_vec();
        if kind == wire::STEP1 {
            let lacking = self.editor.lacking(&StateVector::decode_v1(&payload).expect("a state vector"));
            self.synced = true;
            if std::mem::take(&mut self.owes) {
                self.send_edit(&lacking).await;
            }
        } else {
            self.editor.apply(&payload);
        }
    }

    fn notice(&mut self, states: &[u8]) {
        for state in read_awareness(states).expect("states") {
            match serde_json::from_str(state.state).expect("JSON") {
                Value::Null => drop(self.there.remove(&state.client)),
                said => drop(self.there.insert(state.client, said)),
            }
        }
    }

    /// Reads until the server has answered and asked.
    pub async fn settle(&mut self) {
        while !self.synced {
            self.read("the synchronisation").await;
        }
    }

    /// Reads until everything of one's own is saved, or was refused.
    pub async fn all_saved(&mut self) {
        while !self.on_way.is_empty() {
            let what = format!("batches {:?} to be saved; told {:?}", self.on_way.keys(), self.told);
            self.read(&what).await;
        }
    }

    /// Whether everything of one's own was told to be saved, as far as was read.
    pub fn is_all_saved(&self) -> bool {
        self.on_way.is_empty()
    }

    /// Reads until an edit is refused.
    pub async fn refused(&mut self) -> Refusal {
        let frame = self.until("a refusal", |frame| frame["type"] == "doc.refused").await;
        serde_json::from_value(frame["reason"].clone()).expect("a reason")
    }

    /// The refusals that were told and not read yet.
    pub fn refusals(&mut self) -> Vec<Refusal> {
        let (refused, told): (Vec<Value>, _) = self.told.drain(..).partition(|frame| frame["type"] == "doc.refused");
        self.told = told.into();
        refused.into_iter().map(|frame| serde_json::from_value(frame["reason"].clone()).expect("a reason")).collect()
    }

    /// Reads until the rights are told.
    pub async fn told_rights(&mut self) -> bool {
        self.until("rights", |frame| frame["type"] == "doc.rights").await["may_edit"].as_bool().expect("a flag")
    }

    /// Reads until the document is closed.
    pub async fn told_closed(&mut self) {
        self.until("the end", |frame| frame["type"] == "doc.closed").await;
    }

    /// Reads until the content begins a new life; tells its epoch.
    pub async fn told_reset(&mut self) -> String {
        let frame = self.until("a new life", |frame| frame["type"] == "doc.reset").await;
        frame["epoch"].as_str().expect("an epoch").to_owned()
    }

    /// Reads until somebody has said something that fits.
    pub async fn sees(&mut self, what: &str, fits: impl Fn(&HashMap<u64, Value>) -> bool) {
        while !fits(&self.there) {
            self.read(what).await;
        }
    }

    /// Reads until a key is drawn.
    pub async fn has_drawn(&mut self, key: &str, value: u32) {
        let wanted = (key.to_owned(), value.to_string());
        while !self.entries().contains(&wanted) {
            self.read(&format!("{key} to be {value}")).await;
        }
    }

    /// Sets a key to so many bytes that cannot be told shorter, and sends it.
    pub async fn draw_bytes(&mut self, key: &str, bytes: usize) {
        let update = {
            let map = self.editor.doc.get_or_insert_map("elements");
            let mut txn = self.editor.doc.transact_mut();
            map.insert(&mut txn, key, "x".repeat(bytes));
            txn.encode_update_v1()
        };
        self.send_edit(&update).await;
    }

    /// Removes a key, and sends it.
    pub async fn erase(&mut self, key: &str) {
        let update = {
            let map = self.editor.doc.get_or_insert_map("elements");
            let mut txn = self.editor.doc.transact_mut();
            map.remove(&mut txn, key);
            txn.encode_update_v1()
        };
        self.send_edit(&update).await;
    }

    /// Reads until the last edit is saved or refused.
    pub async fn saved_or_refused(&mut self) -> Result<(), Refusal> {
        while !self.on_way.is_empty() {
            self.read("an answer").await;
        }
        match self.refusals().pop() {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }

    /// How full it is, as it was told until now.
    pub fn fills(&mut self) -> Vec<Option<u64>> {
        let (fills, others): (VecDeque<Value>, _) =
            self.told.drain(..).partition(|frame: &Value| frame["type"] == "doc.fill");
        self.told = others;
        fills.iter().map(|frame| frame["percent"].as_u64()).collect()
    }

    /// Reads until so many keys are drawn here: a large state comes in parts, and may come last.
    pub async fn has(&mut self, keys: usize) {
        while self.entries().len() < keys {
            self.read("the content").await;
        }
    }

    /// Reads until it is told that it is below what is told.
    pub async fn until_not_full(&mut self) {
        self.until("room", |frame| frame["type"] == "doc.fill" && frame["percent"].is_null()).await;
    }

    /// What is drawn, by key.
    pub fn entries(&self) -> Vec<(String, String)> {
        let map = self.editor.doc.get_or_insert_map("elements");
        let txn = self.editor.doc.transact();
        let mut all: Vec<_> = map
            .iter(&txn)
            .map(|(key, value)| match value {
                Out::Any(any) => (key.to_string(), any.to_string()),
                other => (key.to_string(), format!("{other:?}")),
            })
            .collect();
        all.sort();
        all
    }

    /// The client id and the first clock that it has not used.
    pub fn own_end(&self) -> (u64, u32) {
        let client = self.editor.doc.client_id();
        (client.get(), self.vector().get(&client))
    }

    /// The whole state as an update.
    pub fn everything(&self) -> Vec<u8> {
        self.editor.everything()
    }

    /// What there is and what was deleted.
    pub fn snapshot(&self) -> Snapshot {
        self.editor.doc.transact().snapshot()
    }

    /// Reads on both sides until both replicas are equal.
    pub async fn same_as(&mut self, other: &mut Peer) {
        loop {
            let (own, theirs) = (self.vector(), other.vector());
            if own == theirs {
                assert_eq!(self.entries(), other.entries());
                return;
            }
            // Who lacks something reads on.
            let lacks = theirs.iter().any(|(client, clock)| own.get(client) < *clock);
            match lacks {
                true => self.read("what others drew").await,
                false => other.read("what others drew").await,
            }
        }
    }

    fn vector(&self) -> StateVector {
        self.editor.vector()
    }

    /// Whether an update is in the replica whole, its deletions too.
    pub fn holds(&self, update: &[u8]) -> bool {
        let before = self.snapshot();
        let update = Update::decode_v1(update).expect("an update");
        let mut txn = self.editor.doc.transact_mut();
        txn.apply_update(update).expect("a legal update");
        !txn.has_missing_updates() && txn.snapshot() == before
    }
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, bytes);
    out
}
