//! From events to rows, once for both databases.
//!
//! [`project`] is pure: it folds a batch to its net effect, so that a database carries a batch out as a handful of
//! statements over sets, in the order of the fields of [`Changes`]. What a message was before the batch is the
//! database's knowledge: rows about a message (edits, reactions, pins) take effect only where it is there and no
//! tombstone.

mod calls;
mod changes;

pub use calls::{Arg, Statement, retained};
pub use changes::*;

use super::{EVENT_VERSION, KeyHit, NewEvent, NewUserEvent, Result, StoreError};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use stoa_protocol::{
    CallEvent, ChatBody, Data, DocumentId, HistoryVisibility, MemberJoined, MemberUpdated, Millis, Role, RoomCreated,
    RoomEventBody, RoomId, RoomKind, RoomUpdated, Seq, UserId,
};

/// The kinds that this version reads, beside those of calls; rows of other kinds come without a body.
pub const KINDS: [&str; 17] = [
    "room.created",
    "room.updated",
    "room.archived",
    "member.joined",
    "member.left",
    "member.updated",
    "member.banned",
    "member.unbanned",
    "chat.sent",
    "chat.edited",
    "chat.deleted",
    "chat.reacted",
    "chat.pinned",
    "document.created",
    "document.updated",
    "document.deleted",
    "app",
];

/// Folds a batch to its net effect.
///
/// # Errors
/// [`StoreError::Refused`] when a room's numbers have a gap within the batch.
pub fn project(events: &[NewEvent]) -> Result<Changes> {
    let mut fold = Fold::default();
    for event in events {
        fold.event(event)?;
    }
    Ok(fold.finish())
}

/// A place as the databases keep it. Places end at 2^53 - 1.
pub fn seq(place: Seq) -> i64 {
    place.value() as i64
}

/// A time as the databases keep it; what lies past the end of 64-bit time is its end.
pub fn millis(at: Millis) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

/// JSON of a value of ours. Ids, strings, numbers and [`Data`] always can be written.
pub fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("strings, numbers and maps with string keys serialise")
}

/// A unit variant's name on the wire, without quotes.
pub fn word<T: Serialize>(value: T) -> String {
    json(&value).trim_matches('"').to_owned()
}

fn users(users: &[UserId]) -> Option<String> {
    (!users.is_empty()).then(|| json(users))
}

fn data(data: Option<&Data>) -> Option<String> {
    data.map(json)
}

type MessageKey = (RoomId, i64);
type ReactionKey = (RoomId, i64, String, UserId);

enum MemberChange {
    Whole(MemberRow),
    Patch(MemberPatch),
    Gone,
}

/// The batch so far. Ordered maps, so that both databases touch rows in one order.
#[derive(Default)]
struct Fold {
    changes: Changes,
    heads: BTreeMap<RoomId, HeadRow>,
    rooms: BTreeMap<RoomId, RoomPatch>,
    messages: BTreeMap<MessageKey, MessageRow>,
    edits: BTreeMap<MessageKey, EditRow>,
    mentions: BTreeMap<MessageKey, BTreeMap<UserId, bool>>,
    /// The last word on each reaction, and whether it has to be taken away before.
    reactions: BTreeMap<ReactionKey, (Option<i64>, bool)>,
    pins: BTreeMap<MessageKey, Option<i64>>,
    deleted: BTreeSet<MessageKey>,
    members: BTreeMap<(RoomId, UserId), MemberChange>,
    bans: BTreeMap<(RoomId, UserId), Option<BanRow>>,
    documents: BTreeMap<(RoomId, DocumentId), Option<DocumentRow>>,
}

impl Fold {
    fn event(&mut self, event: &NewEvent) -> Result<()> {
        self.head(event)?;
        let NewEvent { room, seq: place, at, from, body, .. } = event;
        match body {
            RoomEventBody::RoomCreated(created) => self.create(event, created),
            RoomEventBody::RoomUpdated(change) => self.update(room, change),
            RoomEventBody::RoomArchived { archived } => self.room(room).archived = Some(*archived),
            RoomEventBody::MemberJoined(joined) => self.join(event, joined),
            RoomEventBody::MemberLeft { user, .. } => {
                self.members.insert((room.clone(), user.clone()), MemberChange::Gone);
            }
            RoomEventBody::MemberUpdated(change) => self.update_member(room, change),
            RoomEventBody::MemberBanned { user, until, reason } => {
                let until = until.map(millis);
                let ban = BanRow { room: room.clone(), user: user.clone(), until, reason: reason.clone() };
                self.bans.insert((room.clone(), user.clone()), Some(ban));
            }
            RoomEventBody::MemberUnbanned { user } => {
                self.bans.insert((room.clone(), user.clone()), None);
            }
            RoomEventBody::ChatSent(body) => self.send(event, body),
            RoomEventBody::ChatEdited { target, text, mentions, data: own } => {
                let edit = EditRow {
                    room: room.clone(),
                    seq: seq(*target),
                    text: text.clone(),
                    mentions: users(mentions),
                    data: data(own.as_ref()),
                    edited_at: millis(*at),
                };
                self.edit(edit, mentions);
            }
            RoomEventBody::ChatDeleted { target, .. } => self.delete((room.clone(), seq(*target))),
            RoomEventBody::ChatReacted { target, emoji, on } => {
                if let Some(user) = from {
                    let key = (room.clone(), seq(*target), emoji.clone(), user.clone());
                    self.react(key, on.then_some(seq(*place)));
                }
            }
            RoomEventBody::ChatPinned { target, on } => {
                let key = (room.clone(), seq(*target));
                if !self.deleted.contains(&key) {
                    self.pins.insert(key, on.then_some(seq(*place)));
                }
            }
            RoomEventBody::DocumentCreated(info) | RoomEventBody::DocumentUpdated(info) => {
                let row = DocumentRow::new(room, info);
                self.documents.insert((room.clone(), info.document.clone()), Some(row));
            }
            RoomEventBody::DocumentDeleted { document } => {
                self.documents.insert((room.clone(), document.clone()), None);
            }
            RoomEventBody::App { .. } => {}
            RoomEventBody::Call(body) => self.changes.calls.extend(calls::call_event(event, body)),
        }
        self.changes.events.push(row(event));
        Ok(())
    }

    fn head(&mut self, event: &NewEvent) -> Result<()> {
        let (place, at) = (seq(event.seq), millis(event.at));
        let head = self.heads.entry(event.room.clone()).or_insert_with(|| HeadRow {
            room: event.room.clone(),
            from: place - 1,
            head: place - 1,
            at,
        });
        if head.head + 1 != place {
            return Err(StoreError::Refused(format!("{} follows {} in {}", place, head.head, event.room)));
        }
        head.head = place;
        head.at = at;
        Ok(())
    }

    fn create(&mut self, event: &NewEvent, created: &RoomCreated) {
        let RoomCreated { kind, title, topic, history, slow_mode_s, retention_days, data: own } = created;
        self.changes.created.push(CreatedRow {
            room: event.room.clone(),
            kind: word::<RoomKind>(*kind),
            title: title.clone(),
            topic: topic.clone(),
            history: word::<HistoryVisibility>(*history),
            slow_mode_s: *slow_mode_s,
            retention_days: *retention_days,
            data: data(own.as_ref()),
            created_at: millis(event.at),
            creator: event.from.clone(),
        });
    }

    fn room(&mut self, room: &RoomId) -> &mut RoomPatch {
        let unchanged = || RoomPatch { room: room.to_string(), ..RoomPatch::default() };
        self.rooms.entry(room.clone()).or_insert_with(unchanged)
    }

    fn update(&mut self, room: &RoomId, change: &RoomUpdated) {
        let RoomUpdated { title, topic, history, slow_mode_s, retention_days, data: own } = change;
        let patch = self.room(room);
        patch.title = title.clone().or_else(|| patch.title.take());
        patch.topic = topic.clone().or_else(|| patch.topic.take());
        patch.history = history.map(word::<HistoryVisibility>).or_else(|| patch.history.take());
        patch.slow_mode_s = slow_mode_s.or(patch.slow_mode_s);
        patch.retention_days = retention_days.or(patch.retention_days);
        patch.data = data(own.as_ref()).or_else(|| patch.data.take());
    }

    fn join(&mut self, event: &NewEvent, joined: &MemberJoined) {
        let MemberJoined { user, role, capabilities, data: own } = joined;
        let member = MemberRow {
            room: event.room.clone(),
            user: user.clone(),
            role: word::<Role>(*role),
            capabilities: capabilities.as_ref().map(json),
            muted_until: None,
            joined_seq: seq(event.seq),
            joined_at: millis(event.at),
            data: data(own.as_ref()),
        };
        self.members.insert((event.room.clone(), user.clone()), MemberChange::Whole(member));
    }

    fn update_member(&mut self, room: &RoomId, change: &MemberUpdated) {
        let MemberUpdated { user, role, capabilities, muted_until, data: own } = change;
        let unchanged = MemberPatch {
            room: room.clone(),
            user: user.clone(),
            role: None,
            set_capabilities: false,
            capabilities: None,
            set_muted: false,
            muted_until: None,
            data: None,
        };
        let entry = self.members.entry((room.clone(), user.clone()));
        let role = role.map(word::<Role>);
        // A new role takes capabilities of their own away, unless new ones come with it.
        let own_capabilities = match (capabilities, &role) {
            (Some(own), _) => Some(Some(json(own))),
            (None, Some(_)) => Some(None),
            (None, None) => None,
        };
        let muted = muted_until.map(|until| Some(millis(until)).filter(|until| *until > 0));
        match entry.or_insert(MemberChange::Patch(unchanged)) {
            MemberChange::Whole(row) => {
                row.role = role.unwrap_or_else(|| std::mem::take(&mut row.role));
                row.capabilities = own_capabilities.unwrap_or_else(|| row.capabilities.take());
                row.muted_until = muted.unwrap_or(row.muted_until);
                row.data = data(own.as_ref()).or_else(|| row.data.take());
            }
            MemberChange::Patch(patch) => {
                patch.role = role.or_else(|| patch.role.take());
                patch.set_capabilities |= own_capabilities.is_some();
                patch.capabilities = own_capabilities.unwrap_or_else(|| patch.capabilities.take());
                patch.set_muted |= muted.is_some();
                patch.muted_until = muted.unwrap_or(patch.muted_until);
                patch.data = data(own.as_ref()).or_else(|| patch.data.take());
            }
            MemberChange::Gone => {}
        }
    }

    fn send(&mut self, event: &NewEvent, body: &ChatBody) {
        let place = seq(event.seq);
        if !body.mentions.is_empty() {
            let mentioned = body.mentions.iter().map(|user| (user.clone(), true)).collect();
            self.mentions.insert((event.room.clone(), place), mentioned);
        }
        let message = MessageRow {
            room: event.room.clone(),
            seq: place,
            at: millis(event.at),
            sender: event.from.clone(),
            text: body.text.clone(),
            mentions: users(&body.mentions),
            mention_all: body.mention_all,
            reply_to: body.reply_to.map(seq),
            thread: body.thread.map(seq),
            announcement: body.announcement,
            data: data(body.data.as_ref()),
            edited_at: None,
        };
        self.messages.insert((event.room.clone(), place), message);
    }

    fn edit(&mut self, edit: EditRow, mentioned: &[UserId]) {
        let key = (edit.room.clone(), edit.seq);
        if self.deleted.contains(&key) {
            return;
        }
        let known = self.mentions.entry(key.clone()).or_default();
        known.values_mut().for_each(|shown| *shown = false);
        known.extend(mentioned.iter().map(|user| (user.clone(), true)));
        match self.messages.get_mut(&key) {
            Some(message) => {
                message.text = edit.text;
                message.mentions = edit.mentions;
                message.data = edit.data;
                message.edited_at = Some(edit.edited_at);
            }
            None => {
                self.edits.insert(key, edit);
            }
        }
    }

    fn react(&mut self, key: ReactionKey, on: Option<i64>) {
        if self.deleted.contains(&(key.0.clone(), key.1)) {
            return;
        }
        let (last, taken) = self.reactions.entry(key).or_insert((None, false));
        match (on, *last) {
            (Some(_), Some(_)) => {}
            (Some(place), None) => *last = Some(place),
            (None, _) => (*last, *taken) = (None, true),
        }
    }

    fn delete(&mut self, key: MessageKey) {
        self.pins.remove(&key);
        self.deleted.insert(key);
    }

    fn finish(self) -> Changes {
        let Self {
            mut changes,
            heads,
            rooms,
            messages,
            edits,
            mentions,
            reactions,
            pins,
            deleted,
            members,
            bans,
            documents,
        } = self;
        // In the order of the messages, and of the log's index.
        changes.events.sort_by(|a, b| (&a.room, a.seq).cmp(&(&b.room, b.seq)));
        changes.heads = heads.into_values().collect();
        changes.rooms = rooms.into_values().collect();
        changes.messages = messages.into_values().collect();
        changes.edits = edits.into_values().collect();
        for ((room, seq), users) in mentions {
            let row = |(user, shown)| MentionRow { room: room.clone(), seq, user, shown };
            changes.mentions.extend(users.into_iter().map(row));
        }
        for ((room, seq, emoji, user), (last, taken)) in reactions {
            let row = |place| ReactionRow { room: room.clone(), seq, emoji: emoji.clone(), user: user.clone(), place };
            changes.unreactions.extend(taken.then(|| row(0)));
            changes.reactions.extend(last.map(row));
        }
        for ((room, seq), last) in pins {
            changes.unpins.push(PinRow { room: room.clone(), seq, place: 0 });
            changes.pins.extend(last.map(|place| PinRow { room, seq, place }));
        }
        changes.deletes = deleted.into_iter().map(|(room, seq)| Place { room, seq }).collect();
        for ((room, user), change) in members {
            match change {
                MemberChange::Whole(row) => changes.members.push(row),
                MemberChange::Patch(patch) => changes.member_patches.push(patch),
                MemberChange::Gone => changes.unmembers.push(Person { room, user }),
            }
        }
        for ((room, user), ban) in bans {
            match ban {
                Some(row) => changes.bans.push(row),
                None => changes.unbans.push(Person { room, user }),
            }
        }
        for ((room, document), row) in documents {
            match row {
                Some(row) => changes.documents.push(row),
                None => changes.undocuments.push(DocumentName { room, document }),
            }
        }
        changes
    }
}

fn row(event: &NewEvent) -> EventRow {
    let (target, subject) = about(&event.body);
    EventRow {
        room: event.room.clone(),
        seq: seq(event.seq),
        at: millis(event.at),
        kind: event.body.kind(),
        v: EVENT_VERSION,
        sender: event.from.clone(),
        key: event.key.as_ref().map(|(key, _)| key.to_string()),
        digest: event.key.as_ref().map(|(_, digest)| *digest),
        target,
        subject: subject.cloned(),
        body: json(&event.body),
    }
}

/// The message and the user that an event is about.
fn about(body: &RoomEventBody) -> (Option<i64>, Option<&UserId>) {
    match body {
        RoomEventBody::ChatEdited { target, .. }
        | RoomEventBody::ChatDeleted { target, .. }
        | RoomEventBody::ChatReacted { target, .. }
        | RoomEventBody::ChatPinned { target, .. } => (Some(seq(*target)), None),
        RoomEventBody::MemberLeft { user, .. }
        | RoomEventBody::MemberBanned { user, .. }
        | RoomEventBody::MemberUnbanned { user }
        | RoomEventBody::MemberJoined(MemberJoined { user, .. })
        | RoomEventBody::MemberUpdated(MemberUpdated { user, .. }) => (None, Some(user)),
        RoomEventBody::RoomCreated(_)
        | RoomEventBody::RoomUpdated(_)
        | RoomEventBody::RoomArchived { .. }
        | RoomEventBody::ChatSent(_)
        | RoomEventBody::DocumentCreated(_)
        | RoomEventBody::DocumentUpdated(_)
        | RoomEventBody::DocumentDeleted { .. }
        | RoomEventBody::App { .. } => (None, None),
        RoomEventBody::Call(body) => (None, about_call(body)),
    }
}

fn about_call(body: &CallEvent) -> Option<&UserId> {
    match body {
        CallEvent::Declined { user, .. }
        | CallEvent::Joined { user, .. }
        | CallEvent::Left { user, .. }
        | CallEvent::Knocked { user, .. }
        | CallEvent::Admitted { user, .. }
        | CallEvent::Refused { user, .. } => Some(user),
        CallEvent::Started(_)
        | CallEvent::Rang { .. }
        | CallEvent::Updated(_)
        | CallEvent::Muted { .. }
        | CallEvent::Ended { .. } => None,
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use std::fmt::Write;
        write!(text, "{byte:02x}").expect("a string takes what is written");
        text
    })
}

/// What one event of a user's log got: its place, or what is stored under its key.
pub type Numbered = std::result::Result<Seq, KeyHit>;

/// A batch of users' own logs, numbered.
#[derive(Debug)]
pub struct Numbering<'a> {
    /// What each event got, in order.
    pub numbered: Vec<Numbered>,
    /// Those that are to be written.
    pub fresh: Vec<(&'a NewUserEvent, Seq)>,
}

/// Numbers events of users' own logs from `heads`, which move. `known` is what is stored under the events' keys;
/// keys that repeat within the batch are known from their first event on.
///
/// # Errors
/// [`StoreError::Damaged`] when a user has no head.
pub fn number<'a>(
    events: &'a [NewUserEvent],
    known: &[Option<KeyHit>],
    heads: &mut BTreeMap<UserId, Seq>,
) -> Result<Numbering<'a>> {
    let mut batch = BTreeMap::new();
    let (mut numbered, mut fresh) = (Vec::with_capacity(events.len()), Vec::with_capacity(events.len()));
    for (event, known) in events.iter().zip(known) {
        let key = event.key.as_ref().map(|(key, _)| (&event.user, &event.from, key));
        let known = known.or_else(|| key.as_ref().and_then(|key| batch.get(key)).copied());
        if let Some(hit) = known {
            numbered.push(Err(hit));
            continue;
        }
        let head = heads.get_mut(&event.user).ok_or_else(|| StoreError::Damaged("a user without a row".into()))?;
        *head = head.next();
        if let (Some(key), Some((_, digest))) = (key, &event.key) {
            batch.insert(key, KeyHit { seq: *head, digest: *digest });
        }
        numbered.push(Ok(*head));
        fresh.push((event, *head));
    }
    Ok(Numbering { numbered, fresh })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_protocol_is_read() {
        // serde names every variant that there is when it is asked for one that there is not.
        let told = serde_json::from_str::<CallEvent>(r#"{"type":"?"}"#).expect_err("no such kind").to_string();
        let named: Vec<_> = told.split('`').skip(1).step_by(2).collect();
        assert_eq!(named[0], "?");
        assert_eq!(named[1..], CallEvent::KINDS);
        // With calls inside, it does not name those of rooms: they are read from where they stand.
        let source = include_str!("../../protocol/src/event.rs");
        let (_, body) = source.split_once("pub enum RoomEventBody {").expect("it is there");
        let (body, _) = body.split_once("impl RoomEventBody").expect("it is there");
        let named: Vec<_> = body.split("rename = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(named, KINDS);
    }
}
