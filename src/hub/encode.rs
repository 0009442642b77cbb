//! Frames, encoded once however many read them.

use crate::{gateway::Frame, storage::StoredEvent};
use serde::Serialize;
use stoa_protocol::{
    Ack, Audience, Capability, Control, ErrorFrame, Fault, Reply, RoomEvent, RoomEventBody, RoomId, Seq, UserEvent,
};
use stoa_rooms::Access;

/// An event for the two kinds of readers.
#[derive(Clone)]
pub struct Encoded {
    full: Frame,
    /// What those get who may not see it; `None` when everybody may.
    bare: Option<Frame>,
    /// The message whose words an edit carries, so that its deletion finds it.
    pub edits: Option<Seq>,
}

impl Encoded {
    /// What this reader gets.
    pub fn for_reader(&self, access: &Access) -> Frame {
        match &self.bare {
            Some(bare) if !access.has(Capability::Moderate) => bare.clone(),
            Some(_) | None => self.full.clone(),
        }
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.full.len() + self.bare.as_ref().map_or(0, Frame::len)
    }
}

/// A durable event of a room.
pub fn room_event(room: &RoomId, event: &StoredEvent) -> Encoded {
    let Some(body) = &event.body else { return erased(room, event.seq) };
    let bare = match body.audience() {
        Audience::Everybody => None,
        Audience::Moderators => Some(skip(room, event.seq)),
    };
    let edits = match body {
        RoomEventBody::ChatEdited { target, .. } => Some(*target),
        RoomEventBody::RoomCreated(_)
        | RoomEventBody::RoomUpdated(_)
        | RoomEventBody::RoomArchived { .. }
        | RoomEventBody::MemberJoined(_)
        | RoomEventBody::MemberLeft { .. }
        | RoomEventBody::MemberUpdated(_)
        | RoomEventBody::MemberBanned { .. }
        | RoomEventBody::MemberUnbanned { .. }
        | RoomEventBody::ChatSent(_)
        | RoomEventBody::ChatDeleted { .. }
        | RoomEventBody::ChatReacted { .. }
        | RoomEventBody::ChatPinned { .. }
        | RoomEventBody::DocumentCreated(_)
        | RoomEventBody::DocumentUpdated(_)
        | RoomEventBody::DocumentDeleted { .. }
        | RoomEventBody::App { .. }
        | RoomEventBody::Call(_) => None,
    };
    let wire =
        RoomEvent { room: room.clone(), seq: event.seq, at: event.at, from: event.from.clone(), body: body.clone() };
    Encoded { full: frame(&wire), bare, edits }
}

/// An event whose words are gone.
pub fn erased(room: &RoomId, seq: Seq) -> Encoded {
    Encoded { full: skip(room, seq), bare: None, edits: None }
}

/// The cursor moves over what is not for the reader.
pub fn skip(room: &RoomId, seq: Seq) -> Frame {
    control(&Control::Skip { room: room.clone(), seq })
}

/// An event of a user's own log.
pub fn user_event(event: &UserEvent) -> Frame {
    frame(event)
}

/// A reply or a passing event.
pub fn control(control: &Control) -> Frame {
    frame(control)
}

/// Something about an open document.
pub fn document(told: &stoa_protocol::DocumentFrame) -> Frame {
    frame(told)
}

/// A command was accepted.
pub fn ack(id: u64, seq: Option<Seq>, result: Option<Reply>) -> Frame {
    control(&Control::Ack(Box::new(Ack { id, seq, result })))
}

/// A command was refused.
pub fn error(id: Option<u64>, fault: Fault) -> Frame {
    control(&Control::Error(ErrorFrame { id, fault }))
}

fn frame(value: &impl Serialize) -> Frame {
    Frame::text_with(|buffer| {
        serde_json::to_writer(buffer, value)
            .expect("protocol types have string keys only and a buffer takes all bytes");
    })
}
