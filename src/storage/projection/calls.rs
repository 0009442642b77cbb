//! Calls in the state tables. Their events are rare beside messages, so each is carried out by statements of its own,
//! in the words that both databases share, in the order of the log.

use super::{json, millis, seq, word};
use crate::storage::NewEvent;
use stoa_protocol::{
    CallEvent, CallLeaveReason, CallStarted, CallUpdated, Millis, MuteState, RoomId, Seq, SessionId, TrackSource,
    UserId,
};
use stoa_signaling::{RING_MS, Retained};

/// A statement with its arguments, `$1` first.
#[derive(Debug)]
pub struct Statement {
    /// The words.
    pub sql: &'static str,
    /// The arguments.
    pub args: Vec<Arg>,
}

/// An argument.
#[derive(Debug)]
pub enum Arg {
    /// Text that may be NULL.
    Text(Option<String>),
    /// A number that may be NULL.
    Int(Option<i64>),
}

fn text(value: impl ToString) -> Arg {
    Arg::Text(Some(value.to_string()))
}

fn int(value: i64) -> Arg {
    Arg::Int(Some(value))
}

const START: &str = "INSERT INTO calls (room, call, started_at, started_by, media, carried, locked, lobby)
    VALUES ($1, $2, $3, $4, $5, $6, 0, $7)";
const UPDATE: &str = "UPDATE calls SET locked = coalesce($3, locked), lobby = coalesce($4, lobby),
    carried = coalesce($5, carried) WHERE room = $1 AND call = $2";
const END: &str = "UPDATE calls SET ended_at = $3, reason = $4 WHERE room = $1 AND call = $2";
const END_STAYS: &str = "UPDATE call_participants SET left_at = $3 WHERE room = $1 AND call = $2 AND left_at IS NULL";
const END_MARKS: &str = "DELETE FROM call_marks WHERE room = $1 AND call = $2";
const END_RETAINED: &str = "DELETE FROM call_retained WHERE room = $1 AND call = $2";
const JOIN: &str = "INSERT INTO call_participants (room, call, joined, session, user_id, device, joined_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const LEAVE: &str = "UPDATE call_participants SET left_at = $4, reason = $5
    WHERE room = $1 AND call = $2 AND session = $3 AND left_at IS NULL";
const LEAVE_RETAINED: &str = "DELETE FROM call_retained WHERE room = $1 AND call = $2 AND key IN ($3, $4)";
const MARK: &str = "INSERT INTO call_marks (room, call, kind, name, user_id, at) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (room, call, kind, name) DO UPDATE SET user_id = excluded.user_id, at = excluded.at";
const UNMARK: &str = "DELETE FROM call_marks WHERE room = $1 AND call = $2 AND kind = $3 AND name = $4";
const UNMARK_WAITING: &str =
    "DELETE FROM call_marks WHERE room = $1 AND call = $2 AND kind = 'waiting' AND user_id = $3";
const RETAIN: &str = "INSERT INTO call_retained (room, call, key, value)
    SELECT c.room, c.call, CAST($3 AS TEXT), CAST($4 AS TEXT) FROM calls c
     WHERE c.room = $1 AND c.call = $2 AND c.ended_at IS NULL
    ON CONFLICT (room, call, key) DO UPDATE SET value = excluded.value";
const QUALITY: &str = "UPDATE call_participants SET quality = $4
    WHERE room = $1 AND call = $2 AND session = $3 AND left_at IS NULL";

/// What an event of a call changes.
pub fn call_event(event: &NewEvent, body: &CallEvent) -> Vec<Statement> {
    let call = body.call(event.seq);
    let on = Call { room: &event.room, call, at: event.at };
    match body {
        CallEvent::Started(started) => on.start(event.from.as_ref(), started),
        CallEvent::Rang { users, .. } => users.iter().map(|user| on.ring(user)).collect(),
        CallEvent::Declined { user, .. } => vec![on.unmark("ringing", user)],
        CallEvent::Joined { session, user, device, .. } => {
            let device = Arg::Text(device.as_ref().map(ToString::to_string));
            let stay = [int(seq(event.seq)), text(session), text(user), device, int(millis(event.at))];
            vec![
                on.with(JOIN, stay),
                on.unmark("ringing", user),
                on.unmark("waiting", session),
                on.mark("admitted", user, user, event.at),
            ]
        }
        CallEvent::Left { session, user, reason, .. } => on.leave(session, user, *reason),
        CallEvent::Knocked { session, user, .. } => vec![on.mark("waiting", session, user, event.at)],
        CallEvent::Admitted { user, .. } => vec![
            on.with(UNMARK_WAITING, [text(user)]),
            on.unmark("removed", user),
            on.mark("admitted", user, user, event.at),
        ],
        CallEvent::Refused { user, .. } => vec![on.with(UNMARK_WAITING, [text(user)])],
        CallEvent::Updated(change) => vec![on.update(change)],
        CallEvent::Muted { users, source, state, .. } => {
            users.iter().filter_map(|user| on.mute(user, *source, *state)).collect()
        }
        CallEvent::Ended { reason, .. } => vec![
            on.with(END, [int(millis(event.at)), text(word(*reason))]),
            on.with(END_STAYS, [int(millis(event.at))]),
            on.with(END_MARKS, []),
            on.with(END_RETAINED, []),
        ],
    }
}

/// What a retained row changes; nothing when its call is over.
pub fn retained(room: &RoomId, call: Seq, row: &Retained) -> Vec<Statement> {
    let on = Call { room, call, at: 0 };
    let mut statements = vec![on.with(RETAIN, [text(row.key()), text(json(row))])];
    if let Retained::Quality { session, tally } = row {
        let quality = Arg::Text(tally.quality().map(|quality| json(&quality)));
        statements.push(on.with(QUALITY, [text(session), quality]));
    }
    statements
}

/// A call, and when something happens to it.
struct Call<'a> {
    room: &'a RoomId,
    call: Seq,
    at: Millis,
}

impl Call<'_> {
    fn with<const N: usize>(&self, sql: &'static str, args: [Arg; N]) -> Statement {
        let args = [text(self.room), int(seq(self.call))].into_iter().chain(args).collect();
        Statement { sql, args }
    }

    fn mark(&self, kind: &str, name: impl ToString, user: &UserId, at: Millis) -> Statement {
        self.with(MARK, [text(kind), text(name), text(user), int(millis(at))])
    }

    fn unmark(&self, kind: &str, name: impl ToString) -> Statement {
        self.with(UNMARK, [text(kind), text(name)])
    }

    fn ring(&self, user: &UserId) -> Statement {
        self.mark("ringing", user, user, self.at + RING_MS)
    }

    fn start(&self, by: Option<&UserId>, started: &CallStarted) -> Vec<Statement> {
        let CallStarted { media, carried, lobby, ringing } = started;
        let by = Arg::Text(by.map(ToString::to_string));
        let args = [int(millis(self.at)), by, text(word(*media)), text(word(*carried)), int(i64::from(*lobby))];
        std::iter::once(self.with(START, args)).chain(ringing.iter().map(|user| self.ring(user))).collect()
    }

    fn leave(&self, session: &SessionId, user: &UserId, reason: CallLeaveReason) -> Vec<Statement> {
        let mut statements = vec![
            self.with(LEAVE, [text(session), int(millis(self.at)), text(word(reason))]),
            self.unmark("waiting", session),
            self.with(LEAVE_RETAINED, [text(format!("state.{session}")), text(format!("quality.{session}"))]),
        ];
        if reason == CallLeaveReason::Removed {
            statements.push(self.mark("removed", user, user, self.at));
            statements.push(self.unmark("admitted", user));
        }
        statements
    }

    fn update(&self, change: &CallUpdated) -> Statement {
        let CallUpdated { call: _, locked, lobby, carried } = change;
        let flag = |flag: &Option<bool>| Arg::Int(flag.map(i64::from));
        self.with(UPDATE, [flag(locked), flag(lobby), Arg::Text(carried.map(word))])
    }

    fn mute(&self, user: &UserId, source: TrackSource, state: MuteState) -> Option<Statement> {
        let kind = format!("locked.{}", word(source));
        match state {
            MuteState::Muted => None,
            MuteState::Locked => Some(self.mark(&kind, user, user, self.at)),
            MuteState::Free => Some(self.unmark(&kind, user)),
        }
    }
}
