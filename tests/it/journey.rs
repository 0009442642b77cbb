//! What people do in rooms, from the first hello on, over the socket.

mod chat;
mod people;
mod rights;

use crate::harness::{Backend, Client, Server, Setup, Token, commands::*, fresh_key, room, seq, user};
use serde_json::json;
use stoa_protocol::{
    AppSend, Capability, ChatSearch, ChatSend, Command, Control, Data, ErrorCode, LeaveReason, MemberList, Message,
    NewMember, PresenceList, PresenceSet, PresenceState, ProfileList, Reply, Role, RoomArchive, RoomCreate, RoomDirect,
    RoomEntry, RoomEventBody, RoomId, RoomKind, RoomLeave, RoomList, Seq, ServerFrame, TokenRefresh, Typing,
    UserEventBody,
};

/// Ada's room with Ben as a member; both have it open.
async fn two(server: &Server, name: &str) -> (Client, Client, RoomId) {
    let id = room(name);
    let mut ada = server.client("ada").await;
    let mut ben = server.client("ben").await;
    ada.commit(with_members(create(&id, RoomKind::Group), &[("ben", Role::Member)])).await;
    ada.open(&id).await;
    ben.open(&id).await;
    (ada, ben, id)
}

fn with_members(mut create: RoomCreate, members: &[(&str, Role)]) -> Command {
    create.members = members
        .iter()
        .map(|(id, role)| NewMember { user: user(id), role: *role, capabilities: None, data: None })
        .collect();
    Command::RoomCreate(create)
}

/// Reads up to an event and gives its body.
async fn event(client: &mut Client, room: &RoomId, seq: Seq) -> RoomEventBody {
    client.reach(room, seq).await;
    client.journal.events(room).find(|event| event.seq == seq).expect("the event was told").body.clone()
}

async fn messages(client: &mut Client, command: Command) -> Vec<Message> {
    match client.ask(command).await {
        Reply::Messages { messages, .. } => messages,
        other => panic!("{other:?}"),
    }
}

async fn list(client: &mut Client) -> Vec<RoomEntry> {
    match client.ask(Command::RoomList(RoomList { after: None, limit: None, archived: false })).await {
        Reply::Rooms { rooms, .. } => rooms,
        other => panic!("{other:?}"),
    }
}

async fn user_event(client: &mut Client, what: &str) -> UserEventBody {
    client
        .expect(what, |frame| match frame {
            ServerFrame::User(event) => Some(event.body.clone()),
            ServerFrame::Room(_) | ServerFrame::Control(_) | ServerFrame::Document(_) => None,
        })
        .await
}

async fn closed_room(client: &mut Client, room: &RoomId) -> ErrorCode {
    client
        .expect_control("the room to be closed", |control| match control {
            Control::RoomClosed { room: of, reason } if of == room => Some(reason.code),
            _ => None,
        })
        .await
}

async fn access(client: &mut Client, room: &RoomId) -> Vec<Capability> {
    client
        .expect_control("new rights", |control| match control {
            Control::RoomAccess { room: of, access } if of == room => Some(access.capabilities.clone()),
            _ => None,
        })
        .await
}

fn text_of(body: &RoomEventBody) -> &str {
    match body {
        RoomEventBody::ChatSent(sent) => &sent.text,
        other => panic!("not a message: {other:?}"),
    }
}
