//! Stoa: rooms, presence, boards and calls for mentoring, in one process.
//!
//! The pure crates decide (`stoa-protocol`, `stoa-rooms`, `stoa-signaling`); this one does the IO around them:
//! [`gateway`] speaks to sockets, [`hub`] keeps rooms in memory, [`storage`] sequences and keeps, [`cluster`] rings,
//! [`server`] owns it all.

pub mod auth;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod gateway;
pub mod hub;
pub mod ice;
pub mod identity;
pub mod metrics;
pub mod node;
mod picture;
mod random;
pub mod server;
pub mod storage;
pub mod telemetry;
