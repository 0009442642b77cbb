//! What a connection says about calls beside what is durable: signals, and what is retained.

use super::{HubSession, IN_FLIGHT, State};
use crate::hub::{
    RoomCell, encode,
    writer::{Answer, ReplyTo, Retain},
};
use std::sync::Arc;
use stoa_protocol::{CloseCode, Command, Fault, RoomId, Seq, Signal};
use stoa_signaling::Change;

/// Descriptions of one session, per second and at once: twenty links that negotiate anew twice.
const DESCRIPTIONS: (u32, u32) = (20, 40);
/// Candidates and confirmations.
const CANDIDATES: (u32, u32) = (100, 200);
/// Changes of retained state: a switch that is played with.
const CHANGES: (u32, u32) = (10, 20);

impl HubSession {
    /// A signal, a confirmation, or a change of something retained.
    pub(super) fn call(&mut self, id: u64, command: Command) -> Result<(), CloseCode> {
        if let Err(fault) = self.pace_call(&command) {
            return self.refuse(Some(id), fault);
        }
        let done = match command {
            Command::CallSignal(say) => {
                let started = std::time::Instant::now();
                let done = self.call_room(&say.room).and_then(|(conn, cell)| self.hub.signal(&conn, &cell, say));
                self.hub.metrics.signal_seconds.observe(started.elapsed().as_secs_f64());
                done
            }
            Command::CallConfirm(say) => {
                self.call_room(&say.room).and_then(|(conn, cell)| self.hub.confirm(&conn, &cell, say))
            }
            Command::CallAway(c) => {
                self.call_room(&c.room).and_then(|(conn, cell)| cell.lock().leaves_soon(&conn.session, c.call))
            }
            Command::CallTracks(c) => {
                return self.retain(id, c.room, c.call, Change::Tracks(c.tracks), Answer::Nothing);
            }
            Command::CallHand(c) => {
                let change = Change::Hand { on: c.on, session: c.session };
                return self.retain(id, c.room, c.call, change, Answer::Nothing);
            }
            Command::CallRelink(c) => {
                let change = Change::Relink { link: c.link.clone(), epoch: c.epoch };
                return self.retain(id, c.room, c.call, change, Answer::Link(c.link));
            }
            Command::CallReport(c) => return self.retain(id, c.room, c.call, Change::Report(c.links), Answer::Nothing),
            _ => Err(Fault::internal()),
        };
        match done {
            Ok(()) => self.reply(encode::ack(id, None, None)),
            Err(fault) => self.refuse(Some(id), fault),
        }
    }

    fn pace_call(&self, command: &Command) -> Result<(), Fault> {
        let State::Known(known) = &self.state else { return Ok(()) };
        let (bucket, (rate, burst)) = match command {
            Command::CallSignal(say) => match say.signal {
                Signal::Offer { .. } | Signal::Answer { .. } => (0, DESCRIPTIONS),
                Signal::Candidate { .. } | Signal::Dropped => (1, CANDIDATES),
            },
            Command::CallConfirm(_) => (1, CANDIDATES),
            _ => (2, CHANGES),
        };
        let mut user = known.user.lock();
        let taken = user.signal_pace(&known.conn.session, bucket).take(self.hub.clock.now(), rate, burst);
        taken.map_err(|wait| Fault::rate_limited("too many signals", wait))
    }

    /// The room of a call, which this connection has open.
    fn call_room(&self, room: &RoomId) -> Result<(Arc<crate::hub::Conn>, Arc<RoomCell>), Fault> {
        let State::Known(known) = &self.state else { return Err(Fault::not_found("call")) };
        let cell = known.rooms.iter().find(|cell| cell.id == *room).ok_or_else(|| Fault::not_found("call"))?;
        // The right to the room may have been taken away since it was opened.
        match cell.lock().attachment(known.conn.id).is_some() {
            true => Ok((known.conn.clone(), cell.clone())),
            false => Err(Fault::not_found("call")),
        }
    }

    fn retain(&mut self, id: u64, room: RoomId, call: Seq, change: Change, answer: Answer) -> Result<(), CloseCode> {
        let State::Known(known) = &self.state else { return Ok(()) };
        let conn = known.conn.clone();
        if !conn.begin(IN_FLIGHT) {
            return self.refuse(Some(id), Fault::rate_limited("too many commands are unanswered", 100));
        }
        let (actor, origin) = (conn.actor(&room), conn.origin());
        let reply = ReplyTo::Conn { conn: conn.clone(), id, answer };
        if let Err(fault) = self.hub.retain(Retain { room, call, actor, origin, change, reply }) {
            conn.end();
            return self.refuse(Some(id), fault);
        }
        Ok(())
    }
}
