//! A scripted client with a Yjs replica, over the one WebSocket, as `docs/protocol.md` describes it.

use crate::harness::{Server, Token, within};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use stoa_protocol::{Refusal, RoomId, wire};
use stoa_rooms::document::{Reader, put_bytes, put_varuint};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};
use yrs::{
    Doc, Map, Out, ReadTxn, StateVector, Transact, Update,
    updates::{decoder::Decode, encoder::Encode},
};

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

/// A client with the board of a room open.
pub struct Peer {
    socket: Option<WebSocketStream<TcpStream>>,
    user: String,
    room: RoomId,
    doc: Doc,
    channel: u64,
    batch: u64,
    saved: u64,
    parts: Vec<u8>,
    told: VecDeque<Value>,
    synced: bool,
    /// How full it was when it was opened.
    pub opened_fill: Option<u64>,
}

impl Peer {
    /// A client without anything, synchronised with the server.
    pub async fn open(server: &Server, user: &str, room: &RoomId) -> Self {
        let mut peer = Self {
            socket: None,
            user: user.into(),
            room: room.clone(),
            doc: Doc::new(),
            channel: 0,
            batch: 0,
            saved: 0,
            parts: vec![],
            told: VecDeque::new(),
            synced: false,
            opened_fill: None,
        };
        peer.reopen(server).await;
        peer
    }

    /// Connects anew, with the replica that it has.
    pub async fn reopen(&mut self, server: &Server) {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        let request = crate::harness::request(server.port());
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("an upgrade");
        self.socket = Some(socket);
        (self.parts, self.synced) = (vec![], false);
        self.say(json!({"type": "hello", "id": 1, "token": Token::of(&self.user).sign()})).await;
        self.answer(1).await;
        self.say(json!({"type": "room.open", "id": 2, "room": self.room})).await;
        self.answer(2).await;
        self.say(json!({"type": "doc.open", "id": 3, "room": self.room, "document": "board"})).await;
        let opened = self.answer(3).await;
        self.channel = opened["result"]["channel"].as_u64().expect("a channel");
        self.opened_fill = opened["result"]["fill"].as_u64();
        let vector = self.doc.transact().state_vector().encode_v1();
        self.send(&[&[wire::SYNC as u8, wire::STEP1 as u8][..], &with_length(&vector)].concat()).await;
        self.settle().await;
    }

    /// The connection is gone.
    pub async fn close(&mut self) {
        self.socket = None;
    }

    /// Sets a key, and sends it.
    pub async fn draw(&mut self, key: &str, value: u32) {
        let update = self.change(key, value);
        self.send_edit(&update).await;
    }

    /// Sets a key; nobody hears of it yet.
    pub fn draw_offline(&mut self, key: &str, value: u32) {
        self.change(key, value);
    }

    fn change(&mut self, key: &str, value: u32) -> Vec<u8> {
        let map = self.doc.get_or_insert_map("elements");
        let mut txn = self.doc.transact_mut();
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
        self.send(&message).await;
    }

    async fn send(&mut self, message: &[u8]) {
        let mut frame = Vec::new();
        put_varuint(&mut frame, self.channel);
        frame.extend_from_slice(message);
        if let Some(socket) = &mut self.socket {
            // A connection that is gone is noticed by whoever reads.
            let _gone = socket.send(Message::binary(frame)).await;
        }
    }

    async fn say(&mut self, command: Value) {
        let socket = self.socket.as_mut().expect("connected");
        socket.send(Message::text(command.to_string())).await.expect("the server reads");
    }

    async fn answer(&mut self, id: u64) -> Value {
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
    async fn read(&mut self, what: &str) {
        let socket = self.socket.as_mut().expect("connected");
        let user = self.user.clone();
        match within(what, || user.clone(), socket.next()).await {
            Some(Ok(Message::Text(text))) => {
                let frame: Value = serde_json::from_str(text.as_str()).expect("JSON");
                match frame["type"].as_str() {
                    Some("doc.saved") => self.saved = frame["batch"].as_u64().expect("a number"),
                    _ => self.told.push_back(frame),
                }
            }
            Some(Ok(Message::Binary(bytes))) => self.hear(&bytes).await,
            Some(Ok(_)) => {}
            other => panic!("{user}: the connection ended while waiting for {what}: {other:?}"),
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
            if more == 1 {
                return;
            }
            message = std::mem::take(&mut self.parts);
        }
        let mut reader = Reader::new(&message);
        if reader.varuint() != Ok(wire::SYNC) {
            return;
        }
        let kind = reader.varuint().expect("a kind");
        let payload = reader.bytes().expect("a payload").to_vec();
        if kind == wire::STEP1 {
            let vector = StateVector::decode_v1(&payload).expect("a state vector");
            let lacking = self.doc.transact().encode_diff_v1(&vector);
            self.synced = true;
            if lacking.first() != Some(&0) {
                self.send_edit(&lacking).await;
            }
        } else {
            let update = Update::decode_v1(&payload).expect("an update");
            self.doc.transact_mut().apply_update(update).expect("the server's updates are whole");
            assert!(!self.doc.transact().has_missing_updates(), "nothing is kept pending");
        }
    }

    /// Reads until the server has answered and asked.
    pub async fn settle(&mut self) {
        while !self.synced {
            self.read("the synchronisation").await;
        }
    }

    /// Reads until everything of one's own is saved.
    pub async fn all_saved(&mut self) {
        while self.saved < self.batch {
            let what = format!("batch {} to be saved, {} is; told {:?}", self.batch, self.saved, self.told);
            self.read(&what).await;
        }
    }

    /// Reads until an edit is refused.
    pub async fn refused(&mut self) -> Refusal {
        let frame = self.until("a refusal", |frame| frame["type"] == "doc.refused").await;
        serde_json::from_value(frame["reason"].clone()).expect("a reason")
    }

    /// Reads until the rights are told.
    pub async fn told_rights(&mut self) -> bool {
        self.until("rights", |frame| frame["type"] == "doc.rights").await["may_edit"].as_bool().expect("a flag")
    }

    /// Reads until the document is closed.
    pub async fn told_closed(&mut self) {
        self.until("the end", |frame| frame["type"] == "doc.closed").await;
    }

    /// Sets a key to so many bytes that cannot be told shorter, and sends it.
    pub async fn draw_bytes(&mut self, key: &str, bytes: usize) {
        let update = {
            let map = self.doc.get_or_insert_map("elements");
            let mut txn = self.doc.transact_mut();
            map.insert(&mut txn, key, "x".repeat(bytes));
            txn.encode_update_v1()
        };
        self.send_edit(&update).await;
    }

    /// Removes a key, and sends it.
    pub async fn erase(&mut self, key: &str) {
        let update = {
            let map = self.doc.get_or_insert_map("elements");
            let mut txn = self.doc.transact_mut();
            map.remove(&mut txn, key);
            txn.encode_update_v1()
        };
        self.send_edit(&update).await;
    }

    /// Reads until the last edit is saved or refused.
    pub async fn saved_or_refused(&mut self) -> Result<(), Refusal> {
        while self.saved < self.batch {
            if self.told.iter().any(|frame| frame["type"] == "doc.refused") {
                return Err(self.refused().await);
            }
            self.read("an answer").await;
        }
        Ok(())
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
        let map = self.doc.get_or_insert_map("elements");
        let txn = self.doc.transact();
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
        let client = self.doc.client_id();
        (client.get(), self.doc.transact().state_vector().get(&client))
    }

    /// The whole state as an update.
    pub fn everything(&self) -> Vec<u8> {
        self.doc.transact().encode_diff_v1(&StateVector::default())
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
        self.doc.transact().state_vector()
    }
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, bytes);
    out
}
