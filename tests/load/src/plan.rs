//! Who is where, and when what is due.

use crate::scan::Tag;
use std::{fmt::Write as _, time::Duration};

/// Rooms, their members, and what is sent. Connections are numbered from 0, room by room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Shape {
    /// Rooms.
    pub rooms: usize,
    /// Members of each, one connection per member.
    pub members: usize,
    /// Members of each room that send, the first ones.
    pub senders: usize,
    /// Bytes of a message's text.
    pub payload: usize,
}

impl Shape {
    /// Connections in all.
    pub fn connections(&self) -> usize {
        self.rooms * self.members
    }

    /// The room of a connection.
    pub fn room_of(&self, connection: usize) -> usize {
        connection / self.members
    }

    /// Whether a connection sends.
    pub fn is_sender(&self, connection: usize) -> bool {
        connection % self.members < self.senders
    }

    /// Who sends the `k`th message: the rooms in turn, and in each room its senders in turn.
    pub fn sender(&self, k: u64) -> usize {
        let rooms = self.rooms as u64;
        let (room, turn) = (k % rooms, k / rooms);
        (room * self.members as u64 + turn % self.senders as u64) as usize
    }
}

/// Names of rooms and users; those of two runs never meet.
#[derive(Debug, Clone)]
pub struct Names {
    run: String,
}

impl Names {
    /// Names of a new run.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new() -> anyhow::Result<Self> {
        let random = getrandom::u32().map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        Ok(Self { run: format!("{random:08x}") })
    }

    /// A room.
    pub fn room(&self, room: usize) -> String {
        format!("load-{}-{room}", self.run)
    }

    /// The user of a connection.
    pub fn user(&self, connection: usize) -> String {
        format!("load-{}-u{connection}", self.run)
    }

    /// The host application.
    pub fn service(&self) -> String {
        format!("load-{}-service", self.run)
    }
}

/// The frame that sends a message. `id` names the reply; the key is the message's own, so that sending it again is
/// no second message.
pub fn write_send(out: &mut String, id: u64, room: &str, tag: Tag, payload: usize) {
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "{{\"type\":\"chat.send\",\"id\":{id},\"room\":\"{room}\",\"key\":\"L{}.{}\",\"text\":\"",
        tag.sender, tag.n
    );
    tag.write_text(out, payload);
    out.push_str("\"}");
}

/// When messages are due: a rate in all, after a ramp in which it grows evenly from nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Messages per second.
    pub rate: f64,
    /// How long the rate grows.
    pub ramp: Duration,
}

impl Schedule {
    /// When the `k`th message (from 0) is due, microseconds since the schedule began.
    pub fn due_us(&self, k: u64) -> u64 {
        let (k, ramp) = (k as f64, self.ramp.as_secs_f64());
        // The rate grows as rate * t / ramp, so k = rate * t^2 / (2 ramp) until the ramp's end.
        let in_ramp = self.rate * ramp / 2.0;
        let seconds = if k < in_ramp { (2.0 * ramp * k / self.rate).sqrt() } else { ramp + (k - in_ramp) / self.rate };
        (seconds * 1e6) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_protocol::{Command, parse_client};

    #[test]
    fn a_schedule_keeps_its_rate_after_an_even_ramp() {
        let schedule = Schedule { rate: 1_000.0, ramp: Duration::from_secs(4) };
        assert_eq!(schedule.due_us(0), 0);
        // Half of the rate over the ramp is 2,000 messages, a quarter of which fall into its first half.
        assert_eq!(schedule.due_us(500), 2_000_000);
        assert_eq!(schedule.due_us(2_000), 4_000_000);
        assert_eq!(schedule.due_us(3_000), 5_000_000);
        assert!((0..5_000).all(|k| schedule.due_us(k) <= schedule.due_us(k + 1)));
        let flat = Schedule { rate: 500.0, ramp: Duration::ZERO };
        assert_eq!((flat.due_us(0), flat.due_us(500)), (0, 1_000_000));
    }

    #[test]
    fn rooms_take_turns_and_so_do_their_senders() {
        let shape = Shape { rooms: 3, members: 5, senders: 2, payload: 1 };
        let senders: Vec<usize> = (0..8).map(|k| shape.sender(k)).collect();
        assert_eq!(senders, [0, 5, 10, 1, 6, 11, 0, 5]);
        assert!(senders.iter().all(|sender| shape.is_sender(*sender)));
        assert!(!shape.is_sender(7));
        assert_eq!((shape.room_of(4), shape.room_of(5), shape.connections()), (0, 1, 15));
    }

    #[test]
    fn a_message_is_a_legal_frame_and_carries_its_tag() {
        let mut out = String::new();
        let tag = Tag { sender: 7, n: 8, due_us: 9 };
        write_send(&mut out, 24, &Names::new().expect("randomness").room(3), tag, 128);
        let (id, command) = parse_client(&out).expect("legal");
        let Command::ChatSend(send) = command else { panic!("{command:?}") };
        assert_eq!((id, send.text.len(), Tag::parse(send.text.as_bytes())), (24, 128, Some(tag)));
    }
}
