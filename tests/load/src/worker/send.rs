//! Messages: when they are due, how they are sent and sent again.

use super::{
    Worker,
    conn::{FIRST_SEND, Pending, Stage},
};
use crate::{engine::Plan, plan::write_send, scan::Tag, ws::Opcode};

/// Messages that one sender keeps without an acknowledgement; what is due beyond is counted as unsent.
const PENDING: usize = 16_384;
/// Bytes that one connection's queue holds before its sender counts as stuck.
const OUT: usize = 4 * 1024 * 1024;

impl Worker {
    pub(super) fn begin(&mut self, plan: Plan) {
        self.plan = Some(plan);
        self.plan_from_us = self.shared.now_us();
        self.next_k = 0;
        if let Plan::Closed(most) = plan {
            for at in 0..self.conns.len() {
                self.refill(at, most);
                self.flush(at);
            }
        }
    }

    /// Sends what is due by an open plan.
    pub(super) fn send_due(&mut self) {
        let Some(Plan::Open(schedule)) = self.plan else { return };
        let threads = self.shared.options.threads.max(1);
        let now = self.shared.now_us();
        loop {
            let due_us = self.plan_from_us + schedule.due_us(self.next_k);
            if due_us > now {
                return;
            }
            let sender = self.shared.shape.sender(self.next_k);
            self.next_k += 1;
            if sender % threads == self.index {
                let at = sender / threads;
                self.send(at, due_us, now);
                self.flush(at);
            }
        }
    }

    /// Sends a new message, or keeps it for when the sender is back.
    fn send(&mut self, at: usize, due_us: u64, now: u64) {
        let conn = &mut self.conns[at];
        self.counts.due += 1;
        if conn.pending.len() >= PENDING || conn.out.len() >= OUT {
            self.counts.unsent += 1;
            return;
        }
        let pending = Pending { n: conn.sent, due_us };
        conn.sent += 1;
        conn.pending.push_back(pending);
        self.counts.pending += 1;
        if conn.stage == Stage::Joined {
            if self.shared.is_measured(due_us) {
                self.outcome.lateness.record(now.saturating_sub(due_us));
            }
            self.write(at, pending);
        }
    }

    fn write(&mut self, at: usize, pending: Pending) {
        let conn = &self.conns[at];
        let tag = Tag { sender: conn.user as u32, n: pending.n, due_us: pending.due_us };
        let room = &self.shared.rooms[conn.room as usize];
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        write_send(&mut frame, FIRST_SEND + u64::from(pending.n), room, tag, self.shared.shape.payload);
        self.say(at, Opcode::Text, frame.as_bytes());
        self.frame = frame;
    }

    /// Sends again what was not acknowledged before the connection was lost, under the same keys.
    pub(super) fn send_again(&mut self, at: usize) {
        for index in 0..self.conns[at].pending.len() {
            if let Some(pending) = self.conns[at].pending.get(index).copied() {
                self.write(at, pending);
            }
        }
        if let Some(Plan::Closed(most)) = self.plan {
            self.refill(at, most);
        }
        self.flush(at);
    }

    /// Closed plans: as many unacknowledged messages as there may be. The caller flushes.
    pub(super) fn refill(&mut self, at: usize, most: usize) {
        let now = self.shared.now_us();
        let conn = &self.conns[at];
        if conn.stage != Stage::Joined || !self.shared.shape.is_sender(conn.user) || conn.paused_us > now {
            return;
        }
        for _ in conn.pending.len()..most {
            self.send(at, now, now);
        }
    }

    /// Closed plans: who was asked to wait and has.
    pub(super) fn refill_paused(&mut self, most: usize, now: u64) {
        for at in 0..self.conns.len() {
            let conn = &mut self.conns[at];
            if conn.paused_us != 0 && conn.paused_us <= now {
                conn.paused_us = 0;
                self.refill(at, most);
                self.flush(at);
            }
        }
    }

    /// Takes a message out of those that wait; `None` when it is not among them.
    pub(super) fn settle(&mut self, at: usize, id: u64) -> Option<Pending> {
        let n = u32::try_from(id.checked_sub(FIRST_SEND)?).ok()?;
        let pending = &mut self.conns[at].pending;
        // Acknowledgements come nearly in order, so it is at the front or close to it.
        let index = pending.iter().position(|pending| pending.n == n)?;
        let found = pending.remove(index);
        self.counts.pending -= u64::from(found.is_some());
        found
    }
}
