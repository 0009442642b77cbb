//! Commands with the fields that a test does not care about filled in.

use super::fresh_key;
use stoa_protocol::{
    ChatDelete, ChatEdit, ChatHistory, ChatPin, ChatReact, ChatRead, ChatSend, Command, HistoryVisibility, MemberAdd,
    MemberBan, MemberRemove, MemberUnban, MemberUpdate, Role, RoomCreate, RoomId, RoomKind, RoomUpdate, Seq, UserId,
};

/// A room to create.
pub fn create(room: &RoomId, kind: RoomKind) -> RoomCreate {
    RoomCreate {
        key: fresh_key(),
        room: Some(room.clone()),
        kind,
        title: String::new(),
        topic: String::new(),
        history: HistoryVisibility::All,
        slow_mode_s: 0,
        retention_days: None,
        members: vec![],
        data: None,
    }
}

/// A member to add.
pub fn add(room: &RoomId, user: &UserId, role: Role) -> Command {
    let (room, user) = (room.clone(), user.clone());
    Command::MemberAdd(MemberAdd { room, key: fresh_key(), user, role, capabilities: None, data: None })
}

/// A change of a member that changes nothing yet.
pub fn change(room: &RoomId, user: &UserId) -> MemberUpdate {
    let (room, user) = (room.clone(), user.clone());
    MemberUpdate { room, key: fresh_key(), user, role: None, capabilities: None, muted_until: None, data: None }
}

/// A change of a room that changes nothing yet.
pub fn update(room: &RoomId) -> RoomUpdate {
    RoomUpdate {
        room: room.clone(),
        key: fresh_key(),
        title: None,
        topic: None,
        history: None,
        slow_mode_s: None,
        retention_days: None,
        data: None,
    }
}

/// A member to remove.
pub fn remove(room: &RoomId, user: &UserId) -> Command {
    Command::MemberRemove(MemberRemove { room: room.clone(), key: fresh_key(), user: user.clone() })
}

/// A ban for ever.
pub fn ban(room: &RoomId, user: &UserId) -> Command {
    let (room, user) = (room.clone(), user.clone());
    Command::MemberBan(MemberBan { room, key: fresh_key(), user, until: None, reason: "spam".into() })
}

/// The end of a ban.
pub fn unban(room: &RoomId, user: &UserId) -> Command {
    Command::MemberUnban(MemberUnban { room: room.clone(), key: fresh_key(), user: user.clone() })
}

/// A message of words alone.
pub fn words(room: &RoomId, text: &str) -> ChatSend {
    ChatSend {
        room: room.clone(),
        key: fresh_key(),
        text: text.to_owned(),
        mentions: vec![],
        mention_all: false,
        reply_to: None,
        thread: None,
        announcement: false,
        data: None,
    }
}

/// A message of words alone, as a command.
pub fn say(room: &RoomId, text: &str) -> Command {
    Command::ChatSend(words(room, text))
}

/// New words for a message.
pub fn edit(room: &RoomId, target: Seq, text: &str) -> Command {
    let (room, text) = (room.clone(), text.to_owned());
    Command::ChatEdit(ChatEdit { room, key: fresh_key(), target, text, mentions: vec![], data: None })
}

/// A deletion.
pub fn delete(room: &RoomId, target: Seq) -> Command {
    Command::ChatDelete(ChatDelete { room: room.clone(), key: fresh_key(), target })
}

/// A reaction.
pub fn react(room: &RoomId, target: Seq, emoji: &str, on: bool) -> Command {
    Command::ChatReact(ChatReact { room: room.clone(), key: fresh_key(), target, emoji: emoji.to_owned(), on })
}

/// A pin.
pub fn pin(room: &RoomId, target: Seq, on: bool) -> Command {
    Command::ChatPin(ChatPin { room: room.clone(), key: fresh_key(), target, on })
}

/// A read marker.
pub fn read(room: &RoomId, seq: Seq) -> Command {
    Command::ChatRead(ChatRead { room: room.clone(), seq })
}

/// The newest page of messages.
pub fn history(room: &RoomId) -> ChatHistory {
    ChatHistory { room: room.clone(), before: None, after: None, around: None, thread: None, limit: None }
}
