//! From rows to values, once for both databases. Every statement names its columns in the order that is read here.

use super::{
    BlobInfo, EVENT_VERSION, Head, KeyHit, ListRow, MessageMeta, NodeRow, Result, StoreError, StoredEvent, StoredRoom,
    UserState,
};
use serde::de::DeserializeOwned;
use std::{collections::HashMap, fmt::Display, str::FromStr};
use stoa_protocol::{
    Ban, CallAttendance, CallEvent, CallMedia, CallRecord, Carried, DeviceId, DocumentId, DocumentInfo,
    DocumentVersion, Member, Message, Millis, MuteLock, Participant, ParticipantState, Profile, Reaction, RoomId,
    RoomInfo, Seq, SessionId, UserEvent, UserId, limits,
};
use stoa_signaling::{Mark, Seat, StoredCall};

/// A row of either database. Columns are numbered from 0.
pub trait Cells {
    /// Text that may be NULL.
    fn text(&self, column: usize) -> Result<Option<&str>>;
    /// A number that may be NULL.
    fn int(&self, column: usize) -> Result<Option<i64>>;
    /// A truth value.
    fn flag(&self, column: usize) -> Result<bool>;
    /// Bytes that may be NULL.
    fn bytes(&self, column: usize) -> Result<Option<&[u8]>>;
}

fn damaged(what: impl Display) -> StoreError {
    StoreError::Damaged(what.to_string())
}

fn must<T>(value: Option<T>, column: usize) -> Result<T> {
    value.ok_or_else(|| damaged(format_args!("column {column} is NULL")))
}

/// A name that checks itself.
pub fn id<T: FromStr<Err: Display>>(row: &impl Cells, column: usize) -> Result<T> {
    optional_id(row, column).and_then(|id| must(id, column))
}

/// A name that may be NULL.
pub fn optional_id<T: FromStr<Err: Display>>(row: &impl Cells, column: usize) -> Result<Option<T>> {
    row.text(column)?.map(|text| text.parse().map_err(|error| damaged(format_args!("an id {error}")))).transpose()
}

/// Text that is not NULL.
pub fn text(row: &impl Cells, column: usize) -> Result<String> {
    must(row.text(column)?.map(str::to_owned), column)
}

/// A place that may be NULL.
pub fn optional_seq(row: &impl Cells, column: usize) -> Result<Option<Seq>> {
    let number = row.int(column)?;
    number.map(|n| u64::try_from(n).ok().and_then(Seq::new).ok_or_else(|| damaged("a place out of range"))).transpose()
}

/// A place.
pub fn seq(row: &impl Cells, column: usize) -> Result<Seq> {
    must(optional_seq(row, column)?, column)
}

/// A time that may be NULL.
pub fn optional_millis(row: &impl Cells, column: usize) -> Result<Option<Millis>> {
    row.int(column)?.map(|at| Millis::try_from(at).map_err(|_| damaged("a time before 1970"))).transpose()
}

/// A time.
pub fn millis(row: &impl Cells, column: usize) -> Result<Millis> {
    must(optional_millis(row, column)?, column)
}

/// A number that is not NULL.
pub fn int(row: &impl Cells, column: usize) -> Result<i64> {
    must(row.int(column)?, column)
}

/// `room, seq`: a message's name.
pub fn name(row: &impl Cells) -> Result<(RoomId, Seq)> {
    Ok((id(row, 0)?, seq(row, 1)?))
}

/// `id, epoch, head_seq`: the end of a room's log.
pub fn head(row: &impl Cells) -> Result<(RoomId, Head)> {
    Ok((id(row, 0)?, Head { epoch: id(row, 1)?, seq: seq(row, 2)? }))
}

/// `boot, name, alive, expired_for_ms`.
pub fn node(row: &impl Cells) -> Result<NodeRow> {
    Ok(NodeRow { boot: id(row, 0)?, name: text(row, 1)?, alive: row.flag(2)?, expired_for_ms: millis(row, 3)? })
}

fn small(row: &impl Cells, column: usize) -> Result<u32> {
    int(row, column).and_then(|n| u32::try_from(n).map_err(damaged))
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| damaged(format_args!("stored JSON: {error}")))
}

fn optional_json<T: DeserializeOwned>(row: &impl Cells, column: usize) -> Result<Option<T>> {
    row.text(column)?.map(json).transpose()
}

/// A unit variant by its name on the wire.
pub fn word<T: DeserializeOwned>(row: &impl Cells, column: usize) -> Result<T> {
    let name = text(row, column)?;
    serde_json::from_value(name.into()).map_err(|error| damaged(format_args!("column {column}: {error}")))
}

/// A role as it is stored: its name on the wire.
pub fn role(role: stoa_protocol::Role) -> &'static str {
    match role {
        stoa_protocol::Role::Viewer => "viewer",
        stoa_protocol::Role::Member => "member",
        stoa_protocol::Role::Host => "host",
    }
}

/// `room, kind, title, topic, history, slow_mode_s, archived, retention_days, data, created_at`, from `base`.
pub fn info(row: &impl Cells, base: usize) -> Result<RoomInfo> {
    Ok(RoomInfo {
        room: id(row, base)?,
        kind: word(row, base + 1)?,
        title: text(row, base + 2)?,
        topic: text(row, base + 3)?,
        history: word(row, base + 4)?,
        slow_mode_s: small(row, base + 5)?,
        archived: row.flag(base + 6)?,
        retention_days: row.int(base + 7)?.map(|days| u32::try_from(days).map_err(damaged)).transpose()?,
        data: optional_json(row, base + 8)?,
        created_at: millis(row, base + 9)?,
        url: String::new(),
    })
}

/// [`info`], then `epoch, head_seq, creator, members, bans, pins, documents`, the last four as JSON lists, then the running
/// call.
pub fn room(row: &impl Cells) -> Result<StoredRoom> {
    let members: Vec<MemberCells> = json(&text(row, 13)?)?;
    let bans: Vec<(UserId, Option<i64>, String)> = json(&text(row, 14)?)?;
    Ok(StoredRoom {
        info: info(row, 0)?,
        epoch: id(row, 10)?,
        head: seq(row, 11)?,
        creator: optional_id(row, 12)?,
        members: members.into_iter().map(member).collect::<Result<_>>()?,
        bans: bans.into_iter().map(|(user, until, reason)| Ban { user, until: until.map(past), reason }).collect(),
        pins: json(&text(row, 15)?)?,
        documents: documents(&text(row, 16)?)?,
        call: optional_json::<CallCells>(row, 17)?.map(call).transpose()?,
    })
}

/// A running call: `call, started_at, started_by, media, carried, locked, lobby`, then lists of seats (`session,
/// user_id, joined, joined_at, device`), marks (`kind, name, user_id, at`) and retained values.
type CallCells = (
    (Seq, Millis, Option<UserId>, CallMedia, Carried, i64, i64),
    Vec<(SessionId, UserId, Seq, Millis, Option<DeviceId>)>,
    Vec<(String, String, UserId, Millis)>,
    Vec<String>,
);

fn call((own, seats, marks, retained): CallCells) -> Result<StoredCall> {
    let (call, started_at, started_by, media, carried, locked, lobby) = own;
    let seat = |(session, user, joined, joined_at, device)| {
        let state = ParticipantState::default();
        Seat { participant: Participant { session, user, joined, joined_at, state }, device }
    };
    let mut seats: Vec<_> = seats.into_iter().map(seat).collect();
    seats.sort_by_key(|seat| seat.participant.joined);
    Ok(StoredCall {
        call,
        started_at,
        started_by,
        media,
        carried,
        locked: locked != 0,
        lobby: lobby != 0,
        seats,
        marks: marks.into_iter().map(mark).collect::<Result<_>>()?,
        retained: retained.iter().map(|value| json(value)).collect::<Result<_>>()?,
    })
}

fn mark((kind, name, user, at): (String, String, UserId, Millis)) -> Result<Mark> {
    match kind.as_str() {
        "ringing" => Ok(Mark::Ringing(user, at)),
        "waiting" => Ok(Mark::Waiting(at, name.parse().map_err(|error| damaged(format_args!("{error}")))?, user)),
        "admitted" => Ok(Mark::Admitted(user)),
        "removed" => Ok(Mark::Removed(user)),
        other => match other.strip_prefix("locked.") {
            Some(source) => {
                let source = serde_json::from_value(source.into()).map_err(damaged)?;
                Ok(Mark::Locked(MuteLock { user, source }))
            }
            None => Err(damaged(format_args!("a mark {other}"))),
        },
    }
}

/// `call, started_at, started_by, media, ended_at, reason`: a call without its participants.
pub fn call_record(row: &impl Cells) -> Result<CallRecord> {
    Ok(CallRecord {
        call: seq(row, 0)?,
        started_at: millis(row, 1)?,
        started_by: optional_id(row, 2)?,
        media: word(row, 3)?,
        ended_at: optional_millis(row, 4)?,
        reason: row.text(5)?.map(|_| word(row, 5)).transpose()?,
        participants: vec![],
    })
}

/// `call, user_id, joined_at, left_at, reason, quality`.
pub fn attendance(row: &impl Cells) -> Result<(Seq, CallAttendance)> {
    let attendance = CallAttendance {
        user: optional_id(row, 1)?,
        joined_at: millis(row, 2)?,
        left_at: optional_millis(row, 3)?,
        reason: row.text(4)?.map(|_| word(row, 4)).transpose()?,
        quality: optional_json(row, 5)?,
    };
    Ok((seq(row, 0)?, attendance))
}

/// Puts participants under their calls; those beyond what a record names are left out.
pub fn attended(mut calls: Vec<CallRecord>, attendances: Vec<(Seq, CallAttendance)>) -> Vec<CallRecord> {
    for (call, attendance) in attendances {
        if let Some(record) = calls.iter_mut().find(|record| record.call == call)
            && record.participants.len() < limits::CALL_ATTENDANCES as usize
        {
            record.participants.push(attendance);
        }
    }
    calls
}

fn past(at: i64) -> Millis {
    Millis::try_from(at).unwrap_or_default()
}

type MemberCells = (UserId, String, Option<String>, Option<i64>, Seq, Millis, Option<String>);

fn member((user, role, own, muted, joined_seq, joined_at, data): MemberCells) -> Result<Member> {
    Ok(Member {
        user,
        role: serde_json::from_value(role.into()).map_err(damaged)?,
        capabilities: own.as_deref().map(json).transpose()?,
        muted_until: muted.map(past),
        joined_seq,
        joined_at,
        data: data.as_deref().map(json).transpose()?,
    })
}

type DocumentCells = (DocumentId, String, String, String, i64, Option<String>, Millis);

fn documents(cells: &str) -> Result<Vec<DocumentInfo>> {
    let document = |(document, kind, title, edit, locked, data, created_at): DocumentCells| {
        Ok(DocumentInfo {
            document,
            kind: serde_json::from_value(kind.into()).map_err(damaged)?,
            title,
            edit: json(&edit)?,
            locked: locked != 0,
            data: data.as_deref().map(json).transpose()?,
            created_at,
        })
    };
    json::<Vec<DocumentCells>>(cells)?.into_iter().map(document).collect()
}

/// `seq, at, sender, kind, v, body`.
pub fn event(row: &impl Cells) -> Result<StoredEvent> {
    let kind = must(row.text(3)?, 3)?;
    let known = (super::projection::KINDS.contains(&kind) || CallEvent::KINDS.contains(&kind))
        && int(row, 4)? <= i64::from(EVENT_VERSION);
    Ok(StoredEvent {
        seq: seq(row, 0)?,
        at: millis(row, 1)?,
        from: optional_id(row, 2)?,
        body: if known { optional_json(row, 5)? } else { None },
    })
}

/// `seq, at, sender, v, body`; `None` for what this version does not know.
pub fn user_event(row: &impl Cells) -> Result<Option<UserEvent>> {
    if int(row, 3)? > i64::from(EVENT_VERSION) {
        return Ok(None);
    }
    // A kind of a later version cannot be told from damage here: both are passed over, and the cursor with them.
    let Ok(body) = serde_json::from_str(&text(row, 4)?) else { return Ok(None) };
    Ok(Some(UserEvent { user_seq: seq(row, 0)?, at: millis(row, 1)?, from: optional_id(row, 2)?, body }))
}

/// One reaction of one user: emoji, how many gave it, whose, whether this is the reader, whether it is named.
type ReactionCells = (String, u32, UserId, bool, bool);

/// `room, seq, at, sender, text, mentions, mention_all, reply_to, thread, announcement, data, edited_at, deleted,
/// pinned, replies, reactions`, from `base`.
pub fn message(row: &impl Cells, base: usize) -> Result<Message> {
    let reactions: Vec<ReactionCells> = optional_json(row, base + 15)?.unwrap_or_default();
    Ok(Message {
        room: id(row, base)?,
        seq: seq(row, base + 1)?,
        at: millis(row, base + 2)?,
        from: optional_id(row, base + 3)?,
        text: text(row, base + 4)?,
        mentions: optional_json(row, base + 5)?.unwrap_or_default(),
        mention_all: row.flag(base + 6)?,
        reply_to: optional_seq(row, base + 7)?,
        thread: optional_seq(row, base + 8)?,
        announcement: row.flag(base + 9)?,
        data: optional_json(row, base + 10)?,
        attachments: Vec::new(),
        edited_at: optional_millis(row, base + 11)?,
        deleted: row.flag(base + 12)?,
        pinned: row.flag(base + 13)?,
        replies: small(row, base + 14)?,
        reactions: group(reactions),
    })
}

/// Groups reactions by emoji; they come in the order in which they were given.
fn group(cells: Vec<ReactionCells>) -> Vec<Reaction> {
    let mut groups: Vec<Reaction> = Vec::new();
    for (emoji, count, user, mine, named) in cells {
        let group = match groups.iter_mut().position(|group| group.emoji == emoji) {
            Some(at) => &mut groups[at],
            None => {
                groups.push(Reaction { emoji, count, users: Vec::new(), mine: false });
                groups.last_mut().expect("pushed above")
            }
        };
        group.mine |= mine;
        if named && group.users.len() < limits::REACTION_USERS {
            group.users.push(user);
        }
    }
    groups
}

/// `room, seq, sender, deleted, thread, pinned, mentions, reactions`, the last two as JSON lists.
pub fn meta(row: &impl Cells) -> Result<((RoomId, Seq), MessageMeta)> {
    let meta = MessageMeta {
        from: optional_id(row, 2)?,
        deleted: row.flag(3)?,
        thread: optional_seq(row, 4)?,
        pinned: row.flag(5)?,
        mentions: optional_json(row, 6)?.unwrap_or_default(),
        reactions: optional_json(row, 7)?.unwrap_or_default(),
    };
    Ok((name(row)?, meta))
}

/// [`info`], then `head_seq, last_at, user_id, role, capabilities, muted_until, joined_seq, joined_at, data, read,
/// unread, mentions, peer, last, call`: `last` is the place of a message that is fetched apart.
pub fn list(row: &impl Cells) -> Result<(ListRow, Option<Seq>)> {
    let member = match optional_id::<UserId>(row, 12)? {
        Some(user) => Some(Member {
            user,
            role: word(row, 13)?,
            capabilities: optional_json(row, 14)?,
            muted_until: optional_millis(row, 15)?,
            joined_seq: seq(row, 16)?,
            joined_at: millis(row, 17)?,
            data: optional_json(row, 18)?,
        }),
        None => None,
    };
    let entry = ListRow {
        info: info(row, 0)?,
        head: seq(row, 10)?,
        last_at: millis(row, 11)?,
        member,
        read: seq(row, 19)?,
        unread: small(row, 20)?,
        mentions: small(row, 21)?,
        peer: optional_id(row, 22)?,
        last: None,
        call: row.flag(24)?,
    };
    Ok((entry, optional_seq(row, 23)?))
}

/// `id, epoch, head_seq, revoked_before, name, avatar, status, last_seen`.
pub fn user(row: &impl Cells) -> Result<UserState> {
    Ok(UserState {
        head: super::Head { epoch: id(row, 1)?, seq: seq(row, 2)? },
        revoked_before: millis(row, 3)?,
        profile: profile(row, 4)?,
        status: text(row, 6)?,
        last_seen: optional_millis(row, 7)?,
    })
}

/// `name, avatar`, from `base`; the user's id is the first column.
pub fn profile(row: &impl Cells, base: usize) -> Result<Option<Profile>> {
    let Some(name) = row.text(base)? else { return Ok(None) };
    let avatar = row.text(base + 1)?.map(str::to_owned);
    Ok(Some(Profile { name: name.to_owned(), avatar, guest: id::<UserId>(row, 0)?.is_guest() }))
}

/// `seq, digest`, from `base`; `None` when there is no such event.
pub fn hit(row: &impl Cells, base: usize) -> Result<Option<KeyHit>> {
    let Some(seq) = optional_seq(row, base)? else { return Ok(None) };
    let digest = must(row.bytes(base + 1)?, base + 1)?;
    let digest = digest.try_into().map_err(|_| damaged("a digest that is not 16 bytes long"))?;
    Ok(Some(KeyHit { seq, digest }))
}

/// Puts messages that were fetched apart into the order in which they were named; missing ones are left out.
pub fn in_order(names: &[(RoomId, Seq)], mut found: HashMap<(RoomId, Seq), Message>) -> Vec<Message> {
    names.iter().filter_map(|name| found.remove(name)).collect()
}

/// `version, at, reason, title, user_id, size`.
pub fn version(row: &impl Cells) -> Result<DocumentVersion> {
    Ok(DocumentVersion {
        version: int(row, 0)?.unsigned_abs(),
        at: millis(row, 1)?,
        reason: word(row, 2)?,
        title: text(row, 3)?,
        by: optional_id(row, 4)?,
        size: int(row, 5)?.unsigned_abs(),
    })
}

/// `hash, media, size, width, height`.
pub fn blob(row: &impl Cells) -> Result<BlobInfo> {
    Ok(BlobInfo {
        hash: text(row, 0)?,
        media: text(row, 1)?,
        size: int(row, 2)?.unsigned_abs(),
        width: small(row, 3)?,
        height: small(row, 4)?,
    })
}

/// Bytes that are not NULL.
pub fn content(row: &impl Cells, column: usize) -> Result<Vec<u8>> {
    must(row.bytes(column)?.map(<[u8]>::to_vec), column)
}

/// `client, user_id`.
pub fn client(row: &impl Cells) -> Result<(u64, Option<UserId>)> {
    Ok((int(row, 0)?.unsigned_abs(), optional_id(row, 1)?))
}
