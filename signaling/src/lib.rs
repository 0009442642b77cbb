//! Calls, pure: who is in one, what is decided about it, how signals find their way.
//!
//! The one invariant: a call is what its events and retained rows fold to, so every node and every late joiner sees
//! the same one. Links follow from the fold; what passes over them is never kept, only its numbers.
//!
//! ```
//! use std::sync::Arc;
//! use stoa_protocol::{CallMedia, RoomId, Seq, SessionId, UserId};
//! use stoa_signaling::{Call, Caller, Intent, Place, decide};
//!
//! let place = Place { head: Seq::new(7).unwrap(), ..Place::of(RoomId::new("cohort").unwrap()) };
//! let ada = Caller::new(UserId::new("ada").unwrap(), SessionId::new("tab").unwrap());
//! let start = Intent::Start { media: CallMedia::Video, ring: vec![], ring_all: false, lobby: false };
//! let facts = decide(None, &place, &ada, &start, 1_000).unwrap();
//! let mut running = None;
//! for (at, event) in facts.bodies.iter().enumerate() {
//!     Call::apply(&mut running, Seq::new(8 + at as u64).unwrap(), 1_000, Some(&ada.user), event);
//! }
//! assert_eq!(running.unwrap().participants().count(), 1);
//! ```
//!
//! The crate knows no rooms: who may what is told to it. It reads no clock and does no IO.

mod call;
mod decide;
pub mod negotiation;
mod quality;
mod relay;
mod retained;
pub mod sdp;
pub mod turn;

pub use call::{Call, Mark, RING_MS, Seat, StoredCall, is_end, other_end, session_of};
pub use decide::{Caller, Facts, Intent, Place, archive, decide, expel};
pub use quality::{REPORT_EVERY_MS, Tally, judge};
pub use relay::{CONFIRM_MS, Relay, Taken, Unconfirmed, end_of};
pub use retained::{Change, Retained};

/// How long a session stays in a call without a connection, milliseconds: media goes on between the peers, and a
/// server that restarts is back within it.
pub const GRACE_MS: stoa_protocol::Millis = 30_000;

/// The same for a session whose page said that it is being left, milliseconds: to be loaded anew takes a few seconds, and
/// after that nobody shall see who has closed it.
pub const LEAVING_GRACE_MS: stoa_protocol::Millis = 10_000;
