//! What a client says about calls.

use crate::{
    CallLinkId, CallMedia, Fault, Key, LinkReport, MuteState, RoomId, Seq, SessionId, Signal, Track, TrackSource,
    UserId, limits, records::records,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

records! {
    /// Starts a call in a room and joins it. Where one runs it is joined: two who press Call at once meet.
    CallStart {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// What it is about.
        #[serde(default)]
        media: CallMedia,
        /// Members whose devices ring. In a direct room the other one's always do.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ring: Vec<UserId>,
        /// Every member's devices ring, up to 50.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ring_all: bool,
        /// Who comes waits to be admitted; needs `moderate`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lobby: bool,
    }
    /// Lets more devices ring.
    CallRing {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which call.
        call: Seq,
        /// Whose, at most 50.
        users: Vec<UserId>,
    }
    /// Says no to a ring, for all of the user's devices.
    CallDecline {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which call.
        call: Seq,
    }
    /// Comes in, and so answers a ring; waits in the lobby where there is one.
    CallJoin {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which call.
        call: Seq,
    }
    /// Goes, out of the call or out of the lobby.
    CallLeave {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which call.
        call: Seq,
    }
    /// Ends the call for all.
    CallEnd {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which call.
        call: Seq,
    }
    /// Locks, unlocks, puts a lobby in front; absent fields stay.
    CallUpdate {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which call.
        call: Seq,
        /// Nobody new comes in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        locked: Option<bool>,
        /// Who comes waits to be admitted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lobby: Option<bool>,
    }
    /// Lets somebody in, for the rest of the call: who waits, who was removed, and who is yet to come.
    CallAdmit {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which call.
        call: Seq,
        /// Whom.
        user: UserId,
    }
    /// Sends somebody away who waits.
    CallRefuse {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which call.
        call: Seq,
        /// Whom.
        user: UserId,
    }
    /// Mutes others.
    CallMute {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which call.
        call: Seq,
        /// Whom, at most 50; nobody named means everybody in the call who does not moderate.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        users: Vec<UserId>,
        /// Which source.
        source: TrackSource,
        /// How.
        state: MuteState,
    }
    /// Removes somebody with all their devices.
    CallRemove {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which call.
        call: Seq,
        /// Whom.
        user: UserId,
    }
    /// What this session sends now, whole: tracks come, go and are muted by it.
    CallTracks {
        /// Where.
        room: RoomId,
        /// Which call.
        call: Seq,
        /// The tracks, at most 8.
        tracks: Vec<Track>,
    }
    /// Raises or lowers a hand.
    CallHand {
        /// Where.
        room: RoomId,
        /// Which call.
        call: Seq,
        /// Raised, or lowered.
        on: bool,
        /// Another's, to be lowered by a host; one's own without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
    }
    /// Asks for a new epoch of a link whose connection cannot be saved.
    CallRelink {
        /// Where.
        room: RoomId,
        /// Which call.
        call: Seq,
        /// Which link.
        link: CallLinkId,
        /// The epoch that is given up. Where a newer one exists already nothing happens.
        epoch: u32,
    }
    /// Says something to the other end of a link.
    CallSignal {
        /// Where.
        room: RoomId,
        /// Which call.
        call: Seq,
        /// Which link.
        link: CallLinkId,
        /// In which life of it.
        epoch: u32,
        /// Its number: 1, 2, 3, … per end and epoch. Sent again under the same number until it is confirmed.
        n: u32,
        /// What is said.
        signal: Signal,
    }
    /// Confirms that everything up to `n` was handled.
    CallConfirm {
        /// Where.
        room: RoomId,
        /// Which call.
        call: Seq,
        /// Which link.
        link: CallLinkId,
        /// In which life of it.
        epoch: u32,
        /// Up to here.
        n: u32,
    }
    /// The page of this session is being left. Without a connection it stays in the call for 10 s from then on and not
    /// for 30 s: enough to be loaded anew.
    CallAway {
        /// Where.
        room: RoomId,
        /// Which call.
        call: Seq,
    }
    /// The running call as it is now.
    CallGet {
        /// Where.
        room: RoomId,
    }
    /// ICE servers with fresh credentials.
    CallIce {
        /// Where.
        room: RoomId,
        /// Which call.
        call: Seq,
    }
    /// What was measured since the last report; some times a minute.
    CallReport {
        /// Where.
        room: RoomId,
        /// Which call.
        call: Seq,
        /// Per link, at most 16.
        links: Vec<LinkReport>,
    }
    /// A page of calls, the newest first.
    CallHistory {
        /// Where.
        room: RoomId,
        /// Older than this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Seq>,
        /// Rows, at most 50.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    }
}

impl CallTracks {
    pub(crate) fn check(&self) -> Result<(), Fault> {
        crate::check::at_most("tracks", self.tracks.len(), limits::TRACKS)?;
        let ids: BTreeSet<_> = self.tracks.iter().map(|track| &track.track).collect();
        match ids.len() == self.tracks.len() {
            true => Ok(()),
            false => Err(Fault::bad_request("tracks", "names a track twice")),
        }
    }
}

impl CallSignal {
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.n == 0 {
            return Err(Fault::bad_request("n", "counts from 1"));
        }
        match &self.signal {
            Signal::Offer { tracks, .. } | Signal::Answer { tracks, .. } => {
                crate::check::at_most("signal.tracks", tracks.len(), limits::SDP_SECTIONS)
            }
            Signal::Candidate { .. } => Ok(()),
            Signal::Dropped => Err(Fault::bad_request("signal", "is the server's to say")),
        }
    }
}

impl CallReport {
    pub(crate) fn check(&self) -> Result<(), Fault> {
        crate::check::at_most("links", self.links.len(), limits::REPORTED_LINKS)?;
        let sane = |link: &LinkReport| {
            let range = |value: Option<f64>, most: f64| value.is_none_or(|value| (0.0..=most).contains(&value));
            range(link.rtt_ms, 600_000.0) && range(link.jitter_ms, 600_000.0) && range(link.loss, 1.0)
        };
        match self.links.iter().all(sane) {
            true => Ok(()),
            false => Err(Fault::bad_request("links", "has a number that cannot be")),
        }
    }
}

impl CallHistory {
    pub(crate) fn check(&self) -> Result<(), Fault> {
        match self.limit {
            None | Some(1..=limits::CALLS_PAGE) => Ok(()),
            Some(_) => Err(Fault::bad_request("limit", format!("is not between 1 and {}", limits::CALLS_PAGE))),
        }
    }
}
