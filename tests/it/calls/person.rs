//! Somebody in a call, and what they say.

use crate::harness::{Client, Server, Token, fresh_key};
use std::collections::BTreeMap;
use stoa_protocol::{
    CallConfirm, CallEvent, CallJoin, CallLink, CallMedia, CallReply, CallSignal, CallStart, Command, Control,
    DeviceId, ErrorCode, Hello, Reply, RoomEventBody, RoomId, Seq, ServerFrame, SessionId, SessionResume, Signal,
};

pub fn description(extra: &[&str]) -> String {
    let print = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";
    let print = format!("a=fingerprint:sha-256 {print}");
    let lines = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", &print, "m=audio 9 UDP/TLS/RTP/SAVPF 111"];
    lines.iter().chain(extra).flat_map(|line| [*line, "\r\n"]).collect()
}

pub fn offer() -> Signal {
    Signal::Offer { sdp: description(&[]), tracks: BTreeMap::new() }
}

pub fn candidate(address: &str) -> Signal {
    let candidate = format!("candidate:1 1 udp 2122260223 {address} 51000 typ host");
    Signal::Candidate { candidate, mid: Some("0".into()), mline: Some(0), ufrag: None }
}

/// Somebody on a device.
pub struct Person {
    pub client: Client,
    pub room: RoomId,
    pub session: SessionId,
}

impl Person {
    pub async fn enter(server: &Server, name: &str, device: &str, room: &RoomId) -> Self {
        Self::hello(server, name, Some(device), None, room).await
    }

    pub async fn hello(
        server: &Server,
        name: &str,
        device: Option<&str>,
        session: Option<SessionResume>,
        room: &RoomId,
    ) -> Self {
        let mut client = Client::dial(server).await;
        let token = Token::of(name).sign();
        let device = device.map(|device| DeviceId::new(device).expect("legal"));
        let hello = Hello { token, session, user: None, list: false, device, client: None };
        let welcome = client.hello_with(hello).await;
        assert!(welcome.features.iter().any(|feature| feature == "calls"));
        Self { client, room: room.clone(), session: welcome.session }
    }

    pub async fn start(&mut self) -> CallReply {
        let (room, key) = (self.room.clone(), fresh_key());
        let start = CallStart { room, key, media: CallMedia::Video, ring: vec![], ring_all: false, lobby: false };
        self.reply(Command::CallStart(start)).await
    }

    pub fn joining(&self, call: Seq) -> Command {
        Command::CallJoin(CallJoin { room: self.room.clone(), key: fresh_key(), call })
    }

    pub async fn join(&mut self, call: Seq) -> CallReply {
        let join = self.joining(call);
        self.reply(join).await
    }

    pub async fn reply(&mut self, command: Command) -> CallReply {
        match self.client.ask(command).await {
            Reply::Call(reply) => *reply,
            other => panic!("{other:?}"),
        }
    }

    pub fn say(&self, call: Seq, link: &CallLink, n: u32, signal: Signal) -> Command {
        let (room, link, epoch) = (self.room.clone(), link.link.clone(), link.epoch);
        Command::CallSignal(CallSignal { room, call, link, epoch, n, signal })
    }

    /// Waits until a signal was taken, and sends it again when the server asks for that.
    pub async fn insist(&mut self, mut id: u64, said: Command) {
        while let Err(fault) = self.client.reply(id, "an answer").await {
            assert_eq!(fault.code, ErrorCode::RateLimited, "{fault}");
            let wait = fault.retry_after_ms.expect("when to come again");
            tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
            id = self.client.send(said.clone()).await;
        }
    }

    pub async fn signal(&mut self) -> CallSignal {
        self.client
            .expect_control("a signal", |control| match control {
                Control::CallSignal(signal) => Some((**signal).clone()),
                _ => None,
            })
            .await
    }

    pub async fn confirm(&mut self, call: Seq, link: &CallLink, n: u32) {
        let (room, link, epoch) = (self.room.clone(), link.link.clone(), link.epoch);
        let confirm = Command::CallConfirm(CallConfirm { room, call, link, epoch, n });
        self.client.call(confirm).await.expect("taken");
    }

    pub async fn confirmed(&mut self) -> u32 {
        self.client
            .expect_control("a confirmation", |control| match control {
                Control::CallConfirmed { n, .. } => Some(*n),
                _ => None,
            })
            .await
    }

    pub async fn link(&mut self) -> CallLink {
        self.client
            .expect_control("a link", |control| match control {
                Control::CallLink { link, .. } => Some(link.clone()),
                _ => None,
            })
            .await
    }

    pub async fn event(&mut self, what: &str, is_it: impl Fn(&CallEvent) -> bool) -> CallEvent {
        self.client
            .expect(what, |frame| match frame {
                ServerFrame::Room(event) => match &event.body {
                    RoomEventBody::Call(body) if is_it(body) => Some(body.clone()),
                    _ => None,
                },
                ServerFrame::Control(_) | ServerFrame::User(_) | ServerFrame::Document(_) => None,
            })
            .await
    }
}
