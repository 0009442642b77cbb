//! Calls: what they look like, what their log says, what passes between two ends of a link.
//!
//! A call is named by its room and the `seq` of its `call.started`. A participant is a session: a user on two devices
//! is two. A peer connection is a link between two named ends; signals and tracks know links and never assume who or
//! what is at the other end.

use crate::{CallLinkId, DeviceId, Millis, Seq, SessionId, TrackId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a call is about; participants may send more or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallMedia {
    /// Voices.
    Audio,
    /// Voices and pictures.
    #[default]
    Video,
}

/// How media travels. It may change while a call runs: old links are closed and new ones told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Carried {
    /// Every participant has a link to every other.
    #[default]
    Mesh,
}

/// What a track shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrackSource {
    /// A voice.
    Microphone,
    /// A face.
    Camera,
    /// A shared screen or window.
    Screen,
    /// What the shared screen plays.
    ScreenAudio,
}

/// A track that a participant offers, apart from the links that carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Track {
    /// Its id, of its sender's choosing; the same on every link.
    pub track: TrackId,
    /// What it shows.
    pub source: TrackSource,
    /// Whether it is silent or dark now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
}

/// How well a participant is connected, by what its client measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nobody notices anything.
    Good,
    /// Noticeable now and then.
    Fair,
    /// Talking is hard.
    Poor,
}

/// A participant's connection over the whole call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Quality {
    /// The verdict over the call: `poor` when a fifth of the reports were, `fair` when a fifth were fair or worse.
    pub verdict: Verdict,
    /// Reports behind it.
    pub reports: u32,
    /// Of them, those that were fair.
    pub fair: u32,
    /// Of them, those that were poor.
    pub poor: u32,
    /// Mean round trip, milliseconds.
    pub rtt_ms: f64,
    /// Mean share of packets lost, 0 to 1.
    pub loss: f64,
    /// Frozen pictures in all, milliseconds.
    pub frozen_ms: Millis,
    /// Whether a relay carried it at any time.
    pub relayed: bool,
}

/// Somebody in a call: one session of a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Participant {
    /// The session.
    pub session: SessionId,
    /// Whose.
    pub user: UserId,
    /// The `seq` of its `call.joined`.
    pub joined: Seq,
    /// When it joined.
    pub joined_at: Millis,
    /// Its retained state.
    #[serde(flatten)]
    pub state: ParticipantState,
}

/// What a participant says of itself; retained, the newest `version` is the truth.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct ParticipantState {
    /// Grows with every change; a state whose version is not above the known one is old.
    #[serde(default)]
    pub version: u64,
    /// What it sends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tracks: Vec<Track>,
    /// Since when its hand is raised: hands are called in this order, ties by session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand: Option<Millis>,
    /// Its newest verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

/// Somebody in the lobby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Knock {
    /// The session.
    pub session: SessionId,
    /// Whose.
    pub user: UserId,
    /// Since when.
    pub at: Millis,
}

/// A source that a user may not unmute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct MuteLock {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub source: TrackSource,
}

/// An end of a link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LinkEnd {
    /// A participant.
    Session {
        /// Which.
        session: SessionId,
    },
    /// The server's media plane.
    Server,
}

/// A peer connection between two ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct CallLink {
    /// Its name; never used again in the room.
    pub link: CallLinkId,
    /// The life of the connection, from 1. A higher one means: close the old `RTCPeerConnection`, make a new one,
    /// count signals from 1.
    pub epoch: u32,
    /// The end that gives way when offers collide. It makes the first offer of an epoch.
    pub polite: LinkEnd,
    /// The end whose offer stands when offers collide.
    pub impolite: LinkEnd,
}

/// A running call, as of the room's head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct CallNow {
    /// Its name: the `seq` of its `call.started`.
    pub call: Seq,
    /// When it started.
    pub started_at: Millis,
    /// Who started it; absent after their erasure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<UserId>,
    /// What it is about.
    pub media: CallMedia,
    /// How media travels.
    pub carried: Carried,
    /// Nobody new comes in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
    /// Who comes waits to be admitted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lobby: bool,
    /// Who is in it, in the order in which they joined.
    pub participants: Vec<Participant>,
    /// Who waits in the lobby, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Knock>,
    /// Whose devices ring.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ringing: Vec<UserId>,
    /// What may not be unmuted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mute_locks: Vec<MuteLock>,
    /// The links of the reader's own session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<CallLink>,
}

/// A durable event of a call; they stand in the room's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum CallEvent {
    /// A call began; its `seq` is the call's name.
    #[serde(rename = "call.started")]
    Started(CallStarted),
    /// More devices ring.
    #[serde(rename = "call.rang")]
    Rang {
        /// Which call.
        call: Seq,
        /// Whose.
        users: Vec<UserId>,
    },
    /// Somebody who was rung does not come.
    #[serde(rename = "call.declined")]
    Declined {
        /// Which call.
        call: Seq,
        /// Who.
        user: UserId,
        /// Why.
        reason: DeclineReason,
    },
    /// A session came in.
    #[serde(rename = "call.joined")]
    Joined {
        /// Which call.
        call: Seq,
        /// Which session.
        session: SessionId,
        /// Whose.
        user: UserId,
        /// A name of the user's device that tells others nothing: a newer session of the same device takes the place
        /// of an older one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<DeviceId>,
    },
    /// A session went, out of the call or out of the lobby.
    #[serde(rename = "call.left")]
    Left {
        /// Which call.
        call: Seq,
        /// Which session.
        session: SessionId,
        /// Whose.
        user: UserId,
        /// Why.
        reason: CallLeaveReason,
    },
    /// A session waits in the lobby.
    #[serde(rename = "call.knocked")]
    Knocked {
        /// Which call.
        call: Seq,
        /// Which session.
        session: SessionId,
        /// Whose.
        user: UserId,
    },
    /// A user may come in, for the rest of the call. Their client joins again.
    #[serde(rename = "call.admitted")]
    Admitted {
        /// Which call.
        call: Seq,
        /// Who.
        user: UserId,
    },
    /// A user who waited may not come in.
    #[serde(rename = "call.refused")]
    Refused {
        /// Which call.
        call: Seq,
        /// Who.
        user: UserId,
    },
    /// The call changed; absent fields stay.
    #[serde(rename = "call.updated")]
    Updated(CallUpdated),
    /// A host muted people, or lets them unmute again.
    #[serde(rename = "call.muted")]
    Muted {
        /// Which call.
        call: Seq,
        /// Whom.
        users: Vec<UserId>,
        /// Which of their sources.
        source: TrackSource,
        /// How.
        state: MuteState,
    },
    /// The call is over.
    #[serde(rename = "call.ended")]
    Ended {
        /// Which call.
        call: Seq,
        /// Why.
        reason: CallEndReason,
        /// How long it ran, milliseconds.
        duration_ms: Millis,
    },
}

impl CallEvent {
    /// The kinds that this version knows.
    pub const KINDS: [&'static str; 11] = [
        "call.started",
        "call.rang",
        "call.declined",
        "call.joined",
        "call.left",
        "call.knocked",
        "call.admitted",
        "call.refused",
        "call.updated",
        "call.muted",
        "call.ended",
    ];

    /// The stored kind, the same as the `type` on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Started(_) => "call.started",
            Self::Rang { .. } => "call.rang",
            Self::Declined { .. } => "call.declined",
            Self::Joined { .. } => "call.joined",
            Self::Left { .. } => "call.left",
            Self::Knocked { .. } => "call.knocked",
            Self::Admitted { .. } => "call.admitted",
            Self::Refused { .. } => "call.refused",
            Self::Updated(_) => "call.updated",
            Self::Muted { .. } => "call.muted",
            Self::Ended { .. } => "call.ended",
        }
    }

    /// The call that it is about, when it stands at `seq`.
    pub fn call(&self, seq: Seq) -> Seq {
        match self {
            Self::Started(_) => seq,
            Self::Updated(change) => change.call,
            Self::Rang { call, .. }
            | Self::Declined { call, .. }
            | Self::Joined { call, .. }
            | Self::Left { call, .. }
            | Self::Knocked { call, .. }
            | Self::Admitted { call, .. }
            | Self::Refused { call, .. }
            | Self::Muted { call, .. }
            | Self::Ended { call, .. } => *call,
        }
    }
}

/// How a call began.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct CallStarted {
    /// What it is about.
    pub media: CallMedia,
    /// How media travels.
    pub carried: Carried,
    /// Who comes waits to be admitted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lobby: bool,
    /// Whose devices ring.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ringing: Vec<UserId>,
}

/// A change of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct CallUpdated {
    /// Which call.
    pub call: Seq,
    /// Nobody new comes in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    /// Who comes waits to be admitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lobby: Option<bool>,
    /// How media travels from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<Carried>,
}

/// Why somebody who was rung does not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// They said no.
    Declined,
    /// They are in another call, or not to be disturbed.
    Busy,
    /// Nobody answered in time.
    Missed,
}

/// Why a session went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallLeaveReason {
    /// By itself.
    Left,
    /// It was not heard of for too long.
    Lost,
    /// A newer session of the same device took its place.
    Replaced,
    /// Removed by a host; the user comes back only when admitted.
    Removed,
    /// Its user lost the right to the call.
    Rights,
}

/// Why a call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallEndReason {
    /// Somebody ended it for all; in a direct room whoever hangs up does.
    Ended,
    /// The last one went.
    Empty,
    /// The only one who was asked declined.
    Declined,
    /// Nobody who was asked answered.
    Missed,
    /// Its room was archived.
    Archived,
}

/// How a host mutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MuteState {
    /// Muted now; they may unmute themselves.
    Muted,
    /// Muted, and the server refuses to let them unmute.
    Locked,
    /// They may unmute themselves again. Nobody is ever unmuted by somebody else.
    Free,
}

/// How a ring ended on the user's devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RingEnd {
    /// On one of the user's devices.
    Answered,
    /// On one of the user's devices.
    Declined,
    /// Nobody answered in time.
    Missed,
    /// The call was over before.
    Cancelled,
    /// It never rang: the user was in another call, or not to be disturbed.
    Busy,
}

/// What one end of a link says to the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Signal {
    /// An offer (RFC 9429). Its number names it.
    Offer {
        /// The description.
        sdp: String,
        /// The sender's tracks by the `mid` of the media section that carries them (RFC 8843).
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tracks: BTreeMap<String, TrackId>,
    },
    /// The answer to an offer.
    Answer {
        /// The description.
        sdp: String,
        /// The number of the offer that it answers. An answer to an offer that was given up is passed over.
        offer: u32,
        /// The sender's tracks by `mid`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tracks: BTreeMap<String, TrackId>,
    },
    /// A candidate (RFC 8838, RFC 8839 section 5.1).
    Candidate {
        /// `candidate:…` as the browser has it; empty is the end of candidates.
        candidate: String,
        /// Its media section.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mid: Option<String>,
        /// The index of its media section.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mline: Option<u32>,
        /// The ICE user name of the description that it belongs to: one of a description that was given up is passed
        /// over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ufrag: Option<String>,
    },
    /// What the server puts in the place of a candidate that it does not pass on: only the number counts.
    Dropped,
}

/// What a client measured on one of its links since its last report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct LinkReport {
    /// Which.
    pub link: CallLinkId,
    /// Round trip, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// Share of packets lost, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Jitter, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<f64>,
    /// Received, bits per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_bps: Option<u64>,
    /// Sent, bits per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_bps: Option<u64>,
    /// Frozen pictures, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_ms: Option<Millis>,
    /// Whether a relay carries it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub relayed: bool,
}

/// A call in the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct CallRecord {
    /// Its name.
    pub call: Seq,
    /// When it started.
    pub started_at: Millis,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<UserId>,
    /// What it was about.
    pub media: CallMedia,
    /// When it ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Millis>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CallEndReason>,
    /// Who was in it, in the order in which they joined; the first 200.
    pub participants: Vec<CallAttendance>,
}

/// One stay in a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct CallAttendance {
    /// Whose; absent after their erasure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// When it began.
    pub joined_at: Millis,
    /// When it ended; absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_at: Option<Millis>,
    /// Why it ended; absent when the call did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CallLeaveReason>,
    /// How well it was connected, when its client reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
}
