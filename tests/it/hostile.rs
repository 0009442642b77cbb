//! What a socket may be sent after the handshake, and what it must get back. Each row of the list of hostile inputs
//! is a test: JSON, identity, content, storms. Handshakes, frames and tokens have files of their own.

mod content;
mod identity;
mod json;
mod storms;

use crate::harness::{Backend, Client, Server, Setup, commands::*, room, user};
use stoa_protocol::{Command, Control, ErrorCode, ErrorFrame, RoomId, RoomKind, ServerFrame};

/// Bytes by which a server may grow under one attack: what its bounded queues and caches hold, many times over.
const GROWTH_KIB: u64 = 96 * 1024;

/// People who do nothing wrong, in a room of their own: they must not notice an attack.
struct Bystanders {
    ada: Client,
    ben: Client,
    room: RoomId,
    rss_kib: u64,
}

impl Bystanders {
    async fn of(server: &Server) -> Self {
        let id = room("bystanders");
        let mut ada = server.client("ada").await;
        let mut ben = server.client("ben").await;
        ada.commit(Command::RoomCreate(create(&id, RoomKind::Group))).await;
        ada.commit(add(&id, &user("ben"), stoa_protocol::Role::Member)).await;
        ada.open(&id).await;
        ben.open(&id).await;
        Self { ada, ben, room: id, rss_kib: server.rss_kib() }
    }

    /// They talk.
    async fn talk(&mut self) {
        let hi = self.ada.commit(say(&self.room, "hi")).await;
        self.ben.reach(&self.room, hi).await;
        let answer = self.ben.commit(say(&self.room, "hello")).await;
        self.ada.reach(&self.room, answer).await;
    }

    /// After the attack they talk as before, nothing panicked, and memory stayed bounded.
    async fn are_unaffected(mut self, server: &Server) {
        self.talk().await;
        for client in [&self.ada, &self.ben] {
            assert_eq!(client.journal.faults(), Vec::<String>::new());
        }
        assert!(!server.log().contains("panicked"), "{}", server.log());
        let grown = server.rss_kib().saturating_sub(self.rss_kib);
        assert!(grown < GROWTH_KIB, "the server grew by {grown} KiB");
    }
}

/// A server whose limits are the default ones.
async fn server() -> Server {
    Setup::new(Backend::Sqlite).start().await
}

/// The next refusal.
async fn refusal(client: &mut Client, what: &str) -> ErrorFrame {
    client
        .expect(&format!("the refusal of {what}"), |frame| match frame {
            ServerFrame::Control(control) => match control.as_ref() {
                Control::Error(error) => Some(error.clone()),
                _ => None,
            },
            ServerFrame::Room(_) | ServerFrame::User(_) | ServerFrame::Document(_) => None,
        })
        .await
}

/// The refusal must be `bad_request` and name this field.
async fn bad_request(client: &mut Client, what: &str, field: &str) {
    let refused = refusal(client, what).await;
    let named = refused.fault.field.clone().unwrap_or_default();
    assert_eq!(refused.fault.code, ErrorCode::BadRequest, "{what}: {refused:?}");
    assert!(named.starts_with(field), "{what}: {refused:?} names `{named}`, not `{field}`");
}
