//! Plain Yjs connections: what a ticket opens, for how long, and what ends it.

use super::{a_room, honest::Editor, lock, notes, peer::Peer};
use crate::{
    harness::{Backend, Server, Setup, Token, commands::*, now_ms, user, within},
    http::Asker,
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use stoa_protocol::{RoomId, wire};
use stoa_rooms::document::{Reader, put_bytes, put_varuint};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};
use yrs::{ClientID, Map, StateVector, Transact, updates::decoder::Decode};

/// A connection in the y-websocket protocol.
struct Plain {
    socket: WebSocketStream<TcpStream>,
    editor: Editor,
    denied: Vec<String>,
    /// Updates that came.
    updates: u32,
}

/// Something that came, or how the connection ended.
enum Heard {
    Step1,
    Other,
    Closed(u16),
}

async fn ticket(server: &Server, token: &Token, room: &RoomId, document: &str) -> String {
    let path = format!("/v1/rooms/{room}/documents/{document}/ticket");
    let answer: Value = Asker::with(server, token).post(&path, json!({})).await.json(201);
    answer["ticket"].as_str().expect("a ticket").to_owned()
}

impl Plain {
    async fn connect(server: &Server, room: &RoomId, document: &str, ticket: &str) -> Self {
        let port = server.port();
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens");
        let url = format!("ws://127.0.0.1:{port}/v1/yjs/{room}/{document}?ticket={ticket}");
        let request = url.into_client_request().expect("a legal address");
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("an upgrade");
        Self { socket, editor: Editor::new(ClientID::random().get()), denied: vec![], updates: 0 }
    }

    /// Connects, and has what the server has.
    async fn open(server: &Server, room: &RoomId, document: &str, ticket: &str) -> Self {
        let mut plain = Self::connect(server, room, document, ticket).await;
        let vector = plain.editor.encoded_vector();
        plain.say(wire::STEP1, &vector).await;
        while plain.updates == 0 {
            assert!(!matches!(plain.heard("the state").await, Heard::Closed(_)), "the ticket opens the document");
        }
        plain
    }

    async fn say(&mut self, kind: u64, payload: &[u8]) {
        let mut frame = vec![];
        put_varuint(&mut frame, wire::SYNC);
        put_varuint(&mut frame, kind);
        put_bytes(&mut frame, payload);
        // A connection that is gone is noticed by whoever reads.
        let _gone = self.socket.send(Message::binary(frame)).await;
    }

    async fn draw(&mut self, key: &str, value: u32) {
        let map = self.editor.doc.get_or_insert_map("elements");
        let update = {
            let mut txn = self.editor.doc.transact_mut();
            map.insert(&mut txn, key, value.to_string());
            txn.encode_update_v1()
        };
        self.say(wire::UPDATE, &update).await;
    }

    async fn heard(&mut self, what: &str) -> Heard {
        let message = within(what, String::new, self.socket.next()).await;
        let bytes = match message {
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Close(Some(frame)))) => return Heard::Closed(frame.code.into()),
            Some(Ok(_)) => return Heard::Other,
            other => panic!("waited for {what}, and got {other:?}"),
        };
        let mut reader = Reader::new(&bytes);
        match reader.varuint().expect("a kind") {
            wire::AUTH => {
                assert_eq!(reader.varuint(), Ok(0), "permission denied");
                self.denied.push(reader.text().expect("words").to_owned());
                Heard::Other
            }
            wire::SYNC => {
                let kind = reader.varuint().expect("a kind");
                let payload = reader.bytes().expect("a payload");
                if kind == wire::STEP1 {
                    StateVector::decode_v1(payload).expect("a state vector");
                    return Heard::Step1;
                }
                self.editor.apply(payload);
                self.updates += 1;
                Heard::Other
            }
            _ => Heard::Other,
        }
    }

    async fn closed(&mut self) -> u16 {
        loop {
            if let Heard::Closed(code) = self.heard("the end of the connection").await {
                return code;
            }
        }
    }

    async fn is_denied(&mut self) -> String {
        while self.denied.is_empty() {
            assert!(!matches!(self.heard("a refusal").await, Heard::Closed(_)), "refused, and not closed");
        }
        self.denied.remove(0)
    }
}

/// Waits until a moment has passed, as whoever's token expires does.
async fn until(moment_ms: u64) {
    let left = moment_ms.saturating_sub(now_ms());
    tokio::time::sleep(std::time::Duration::from_millis(left)).await;
}

/// A token that ends in some seconds; tells when.
fn short(who: &str, seconds: u64) -> (Token, u64) {
    let end = now_ms() / 1_000 + seconds;
    (Token::of(who).claim("exp", json!(end)), end * 1_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_opens_its_document_for_its_user_and_nothing_else() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut host, id) = a_room(&server, "tickets").await;
    let (_other, elsewhere) = a_room(&server, "elsewhere").await;
    host.commit(notes(&id)).await;
    let bens = ticket(&server, &Token::of("ben"), &id, "board").await;
    let (said, mac) = bens.split_once('.').expect("two parts");
    let swapped = ticket(&server, &Token::of("ada"), &id, "board").await;
    let forged = format!("{}.{mac}", swapped.split_once('.').expect("two parts").0);
    for (what, room, document, ticket) in [
        ("another document", &id, "notes", bens.as_str()),
        ("another room", &elsewhere, "board", bens.as_str()),
        ("another's name under one's own signature", &id, "board", forged.as_str()),
        ("no signature", &id, "board", said),
        ("nothing", &id, "board", ""),
        ("a token in its place", &id, "board", &Token::of("ben").sign()),
    ] {
        let mut plain = Plain::connect(&server, room, document, ticket).await;
        assert_eq!(plain.closed().await, 4500, "{what}");
    }
    // Whoever carries it is its user: they write as Ben, and not under Ada's Yjs client id.
    let mut ada = Peer::open(&server, "ada", &id).await;
    ada.draw("adas", 1).await;
    ada.all_saved().await;
    let mut plain = Plain::open(&server, &id, "board", &bens).await;
    let (client, clock) = ada.own_end();
    plain.say(wire::UPDATE, &super::peer::item(client, clock, b"x")).await;
    assert!(plain.is_denied().await.contains("another user"));
    plain.draw("bens", 2).await;
    ada.has_drawn("bens", 2).await;
    // Whoever may not read the room gets none.
    let path = format!("/v1/rooms/{id}/documents/board/ticket");
    Asker::user(&server, "mallory").post(&path, json!({})).await.problem(404);
    assert!(!server.log().contains(&bens), "a ticket is in no log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_ends_with_its_token_and_a_renewed_one_carries_the_connection_on() {
    let server = Setup::new(Backend::Sqlite).variable("STOA_LEEWAY_SECONDS", 0).start().await;
    let (_host, id) = a_room(&server, "renewed").await;
    let (token, end) = short("ben", 4);
    let held = ticket(&server, &token, &id, "board").await;
    let mut left = Plain::open(&server, &id, "board", &held).await;
    let (token, _) = short("vic", 4);
    let mut renewed = Plain::open(&server, &id, "board", &ticket(&server, &token, &id, "board").await).await;
    // A ticket of the same user for the same document, got with a longer token, is enough.
    ticket(&server, &Token::of("vic"), &id, "board").await;
    assert_eq!(left.closed().await, 4501, "the token has expired");
    until(end + 100).await;
    let mut late = Plain::connect(&server, &id, "board", &held).await;
    assert_eq!(late.closed().await, 4500, "an expired ticket opens nothing");
    let mut ada = Peer::open(&server, "ada", &id).await;
    ada.draw("still", 1).await;
    ada.all_saved().await;
    let before = renewed.updates;
    while renewed.updates == before {
        assert!(!matches!(renewed.heard("an update").await, Heard::Closed(_)), "the renewed one goes on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_are_taken_away_from_a_plain_connection_too() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut host, id) = a_room(&server, "plain-rights").await;
    let mut ben = Plain::open(&server, &id, "board", &ticket(&server, &Token::of("ben"), &id, "board").await).await;
    let mut ada = Peer::open(&server, "ada", &id).await;
    ben.draw("bens", 1).await;
    ada.has_drawn("bens", 1).await;
    host.commit(lock(&id, true)).await;
    ben.draw("bens", 2).await;
    assert!(ben.is_denied().await.contains("may not edit"));
    ada.draw("adas", 3).await;
    let before = ben.updates;
    while ben.updates == before {
        assert!(!matches!(ben.heard("ada's edit").await, Heard::Closed(_)), "it reads on");
    }
    host.commit(ban(&id, &user("ben"))).await;
    assert_eq!(ben.closed().await, 4510);
    ada.all_saved().await;
    assert!(ada.entries().contains(&("bens".to_owned(), "1".to_owned())), "nothing of it was taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_connection_that_goes_on_sending_what_is_refused_is_closed() {
    let server = Server::start(Backend::Sqlite).await;
    let (_host, id) = a_room(&server, "plain-strikes").await;
    let mut vic = Plain::open(&server, &id, "board", &ticket(&server, &Token::of("vic"), &id, "board").await).await;
    for value in 0..20 {
        vic.draw("vics", value).await;
    }
    assert_eq!(vic.closed().await, 1008);
    assert_eq!(vic.denied.len(), 11);
}
