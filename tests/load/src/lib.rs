//! The load generator of Stoa, and the parts of it that other tests use.
//!
//! The one invariant: a message carries its own due time and identity in its text (see [`scan::Tag`]), so what a
//! figure says never depends on what the server reports. Latency runs from when a message was due, not from when it
//! was sent, and every delivery goes through the [`journal`].
//!
//! ```
//! use stoa_load::journal::{Arrival, MemberLog};
//!
//! let mut log = MemberLog::starting_after(0);
//! assert_eq!(log.arrive(1), Arrival::InOrder);
//! assert_eq!(log.arrive(3), Arrival::Gap);
//! assert_eq!(log.arrive(2), Arrival::Late);
//! ```

pub mod boards;
pub mod calls;
pub mod cli;
pub mod client;
pub mod commands;
pub mod engine;
pub mod floor;
pub mod histogram;
pub mod journal;
pub mod metrics;
pub mod plan;
pub mod process;
pub mod report;
pub mod scan;
pub mod spawn;
pub mod target;
pub mod token;
mod worker;
pub mod ws;
