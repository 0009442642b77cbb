//! From a command on the wire to what it wants of a room.

use super::{state::Wish, writer::Answer};
use stoa_protocol::{
    CallUpdated, ChatBody, Command, DocCreate, DocUpdate, DocumentInfo, Key, MemberJoined, MemberUpdated, RoomCreate,
    RoomCreated, RoomId, RoomUpdated,
};
use stoa_rooms::{DocumentIntent, Intent};

/// A durable command about one room.
pub struct Durable {
    /// Where.
    pub room: RoomId,
    /// Makes it idempotent.
    pub key: Key,
    /// What is wanted.
    pub intent: Wish,
    /// What the acknowledgement carries.
    pub answer: Answer,
}

/// A durable command as what it wants; one that is not durable comes back as it was.
pub fn durable(command: Command) -> Result<Durable, Box<Command>> {
    let command = match durable_call(command) {
        Ok(durable) => return Ok(durable),
        Err(command) => *command,
    };
    let (room, key, intent) = match command {
        Command::RoomUpdate(c) => {
            let change = RoomUpdated {
                title: c.title,
                topic: c.topic,
                history: c.history,
                slow_mode_s: c.slow_mode_s,
                retention_days: c.retention_days,
                data: c.data,
            };
            (c.room, c.key, Intent::Update(change))
        }
        Command::RoomArchive(c) => (c.room, c.key, Intent::Archive(c.archived)),
        Command::RoomLeave(c) => (c.room, c.key, Intent::Leave),
        Command::MemberAdd(c) => {
            let joined = MemberJoined { user: c.user, role: c.role, capabilities: c.capabilities, data: c.data };
            (c.room, c.key, Intent::AddMember(joined))
        }
        Command::MemberUpdate(c) => {
            let change = MemberUpdated {
                user: c.user,
                role: c.role,
                capabilities: c.capabilities,
                muted_until: c.muted_until,
                data: c.data,
            };
            (c.room, c.key, Intent::UpdateMember(change))
        }
        Command::MemberRemove(c) => (c.room, c.key, Intent::RemoveMember(c.user)),
        Command::MemberBan(c) => (c.room, c.key, Intent::Ban { user: c.user, until: c.until, reason: c.reason }),
        Command::MemberUnban(c) => (c.room, c.key, Intent::Unban(c.user)),
        Command::ChatSend(c) => {
            let body = ChatBody {
                text: c.text,
                mentions: c.mentions,
                mention_all: c.mention_all,
                reply_to: c.reply_to,
                thread: c.thread,
                announcement: c.announcement,
                data: c.data,
            };
            (c.room, c.key, Intent::Send(body))
        }
        Command::ChatEdit(c) => {
            (c.room, c.key, Intent::Edit { target: c.target, text: c.text, mentions: c.mentions, data: c.data })
        }
        Command::ChatDelete(c) => (c.room, c.key, Intent::Delete { target: c.target }),
        Command::ChatReact(c) => (c.room, c.key, Intent::React { target: c.target, emoji: c.emoji, on: c.on }),
        Command::ChatPin(c) => (c.room, c.key, Intent::Pin { target: c.target, on: c.on }),
        Command::DocCreate(c) => {
            let DocCreate { room, key, document, kind, title, edit, locked, data } = c;
            // The time is the commit's.
            let info = DocumentInfo { document, kind, title, edit, locked, data, created_at: 0 };
            (room, key, Intent::Document(DocumentIntent::Create(info)))
        }
        Command::DocUpdate(c) => {
            let DocUpdate { room, key, document, title, edit, locked, data } = c;
            (room, key, Intent::Document(DocumentIntent::Update { document, title, edit, locked, data }))
        }
        Command::DocDelete(c) => (c.room, c.key, Intent::Document(DocumentIntent::Delete(c.document))),
        Command::AppSend(c) => match (c.room.clone(), c.key.clone()) {
            (Some(room), Some(key)) => (room, key, Intent::App { name: c.name, data: c.data }),
            (Some(_) | None, _) => return Err(Box::new(Command::AppSend(c))),
        },
        Command::Hello(_)
        | Command::TokenRefresh(_)
        | Command::Ping(_)
        | Command::RoomCreate(_)
        | Command::RoomDirect(_)
        | Command::RoomOpen(_)
        | Command::RoomClose(_)
        | Command::RoomList(_)
        | Command::MemberList(_)
        | Command::ChatRead(_)
        | Command::ChatHistory(_)
        | Command::ChatSearch(_)
        | Command::Typing(_)
        | Command::PresenceSet(_)
        | Command::PresenceList(_)
        | Command::ProfileList(_)
        | Command::DocOpen(_)
        | Command::DocClose(_)
        | Command::DocList(_)
        | Command::DocVersions(_)
        | Command::DocVersionSave(_)
        | Command::DocVersionDelete(_)
        | Command::DocRestore(_)
        | Command::CallStart(_)
        | Command::CallRing(_)
        | Command::CallDecline(_)
        | Command::CallJoin(_)
        | Command::CallLeave(_)
        | Command::CallEnd(_)
        | Command::CallUpdate(_)
        | Command::CallAdmit(_)
        | Command::CallRefuse(_)
        | Command::CallMute(_)
        | Command::CallRemove(_)
        | Command::CallTracks(_)
        | Command::CallHand(_)
        | Command::CallRelink(_)
        | Command::CallSignal(_)
        | Command::CallConfirm(_)
        | Command::CallAway(_)
        | Command::CallGet(_)
        | Command::CallIce(_)
        | Command::CallReport(_)
        | Command::CallHistory(_) => return Err(Box::new(command)),
    };
    Ok(Durable { room, key, intent: intent.into(), answer: Answer::Nothing })
}

/// A durable command about a call as what it wants.
fn durable_call(command: Command) -> Result<Durable, Box<Command>> {
    use stoa_signaling::Intent;
    let (room, key, intent) = match command {
        Command::CallStart(c) => {
            let intent = Intent::Start { media: c.media, ring: c.ring, ring_all: c.ring_all, lobby: c.lobby };
            (c.room, c.key, intent)
        }
        Command::CallRing(c) => (c.room, c.key, Intent::Ring(c.call, c.users)),
        Command::CallDecline(c) => (c.room, c.key, Intent::Decline(c.call)),
        Command::CallJoin(c) => (c.room, c.key, Intent::Join(c.call)),
        Command::CallLeave(c) => (c.room, c.key, Intent::Leave(c.call)),
        Command::CallEnd(c) => (c.room, c.key, Intent::End(c.call)),
        Command::CallUpdate(c) => {
            let change = CallUpdated { call: c.call, locked: c.locked, lobby: c.lobby, carried: None };
            (c.room, c.key, Intent::Update(change))
        }
        Command::CallAdmit(c) => (c.room, c.key, Intent::Admit(c.call, c.user)),
        Command::CallRefuse(c) => (c.room, c.key, Intent::Refuse(c.call, c.user)),
        Command::CallMute(c) => (c.room, c.key, Intent::Mute(c.call, c.users, c.source, c.state)),
        Command::CallRemove(c) => (c.room, c.key, Intent::Remove(c.call, c.user)),
        other => return Err(Box::new(other)),
    };
    let joins = matches!(intent, Intent::Start { .. } | Intent::Join(_));
    let answer = if joins { Answer::Call } else { Answer::Nothing };
    Ok(Durable { room, key, intent: intent.into(), answer })
}

/// What creating a room wants.
pub fn creation(create: RoomCreate) -> (Option<RoomId>, Key, Intent) {
    let RoomCreate { key, room, kind, title, topic, history, slow_mode_s, retention_days, members, data } = create;
    let created = RoomCreated { kind, title, topic, history, slow_mode_s, retention_days, data };
    (room, key, Intent::Create { room: created, members })
}
