//! What is kept newest per key: what participants say of themselves, epochs of links, what was measured.

use crate::{Call, Caller, quality};
use serde::{Deserialize, Serialize};
use stoa_protocol::{
    CallLinkId, Fault, LinkReport, Millis, ParticipantState, Seq, SessionId, Track, TrackSource, UserId,
};

/// A retained row: the newest of its key counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retained {
    /// What a participant says of itself.
    State {
        /// Which.
        session: SessionId,
        /// What.
        state: ParticipantState,
    },
    /// The epoch of a link.
    Epoch {
        /// Which.
        link: CallLinkId,
        /// Its life.
        epoch: u32,
    },
    /// How a participant was connected so far.
    Quality {
        /// Which.
        session: SessionId,
        /// The sums.
        tally: quality::Tally,
    },
}

impl Retained {
    /// What it is the newest of, within its call.
    pub fn key(&self) -> String {
        match self {
            Self::State { session, .. } => format!("state.{session}"),
            Self::Epoch { link, .. } => format!("epoch.{link}"),
            Self::Quality { session, .. } => format!("quality.{session}"),
        }
    }
}

/// A wish about something retained.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// What the session sends, whole.
    Tracks(Vec<Track>),
    /// A hand; another's when it is to be lowered by a host.
    Hand {
        /// Raised, or lowered.
        on: bool,
        /// Whose; one's own without it.
        session: Option<SessionId>,
    },
    /// Give an epoch of a link up.
    Relink {
        /// Which link.
        link: CallLinkId,
        /// The epoch that is given up.
        epoch: u32,
    },
    /// What was measured.
    Report(Vec<LinkReport>),
}

impl Call {
    /// The rows that would follow now; none when nothing changes. Changes nothing.
    ///
    /// # Errors
    /// Why not, ready to be told to the caller.
    pub fn retain_for(&self, call: Seq, caller: &Caller, change: &Change, now: Millis) -> Result<Vec<Retained>, Fault> {
        let own = caller.session.as_ref().filter(|session| self.participant(session).is_some());
        let (Some(own), true) = (own, call == self.id()) else { return Err(Fault::not_found("call")) };
        match change {
            Change::Tracks(tracks) => self.tracks(own, &caller.user, tracks),
            Change::Hand { on, session } => {
                let whose = session.as_ref().unwrap_or(own);
                if whose != own && (*on || !caller.moderates) {
                    return Err(Fault::forbidden("another's hand is lowered by those who moderate"));
                }
                self.hand(whose, *on, now)
            }
            Change::Relink { link, epoch } => self.relink(own, link, *epoch),
            Change::Report(links) => self.report(own, links, now),
        }
    }

    fn tracks(&self, own: &SessionId, user: &UserId, tracks: &[Track]) -> Result<Vec<Retained>, Fault> {
        let locked = |source: TrackSource| self.locks.iter().any(|lock| lock.user == *user && lock.source == source);
        if tracks.iter().any(|track| !track.muted && locked(track.source)) {
            return Err(Fault::forbidden("a host has locked this source"));
        }
        Ok(self.change(own, |state| state.tracks = tracks.to_vec()))
    }

    fn hand(&self, whose: &SessionId, on: bool, now: Millis) -> Result<Vec<Retained>, Fault> {
        if self.participant(whose).is_none() {
            return Err(Fault::not_found("participant"));
        }
        // A hand that is up keeps its place in the order.
        Ok(self.change(whose, |state| state.hand = on.then(|| state.hand.unwrap_or(now))))
    }

    fn change(&self, session: &SessionId, change: impl FnOnce(&mut ParticipantState)) -> Vec<Retained> {
        let Some(participant) = self.participant(session) else { return vec![] };
        let mut state = participant.state.clone();
        change(&mut state);
        if state == participant.state {
            return vec![];
        }
        state.version += 1;
        vec![Retained::State { session: session.clone(), state }]
    }

    fn relink(&self, own: &SessionId, link: &CallLinkId, epoch: u32) -> Result<Vec<Retained>, Fault> {
        let known = self.links_of(own).into_iter().find(|known| known.link == *link);
        let known = known.ok_or_else(|| Fault::not_found("link"))?;
        match known.epoch == epoch {
            true => Ok(vec![Retained::Epoch { link: link.clone(), epoch: epoch + 1 }]),
            false if epoch > known.epoch => Err(Fault::bad_request("epoch", "has not come yet")),
            false => Ok(vec![]),
        }
    }

    fn report(&self, own: &SessionId, links: &[LinkReport], now: Millis) -> Result<Vec<Retained>, Fault> {
        let mut tally = self.tally(own);
        if tally.last_at > 0 && now < tally.last_at + quality::REPORT_EVERY_MS {
            let wait = tally.last_at + quality::REPORT_EVERY_MS - now;
            return Err(Fault::rate_limited("reports come too often", wait));
        }
        let verdict = tally.take(links, now);
        let mut rows = self.change(own, |state| state.verdict = Some(verdict));
        rows.push(Retained::Quality { session: own.clone(), tally });
        Ok(rows)
    }

    /// The states of those whose tracks of a source are silenced by somebody else.
    pub(crate) fn silenced(&self, named: impl Fn(&UserId) -> bool, source: TrackSource) -> Vec<Retained> {
        let sessions = self.participants().filter(|p| named(&p.user)).map(|p| p.session.clone());
        let silence = |state: &mut ParticipantState| {
            state.tracks.iter_mut().filter(|track| track.source == source).for_each(|track| track.muted = true);
        };
        sessions.flat_map(|session| self.change(&session, silence)).collect()
    }
}
