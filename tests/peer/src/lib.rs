//! A participant of calls without a browser: an independent WebRTC stack (the `webrtc` crate) that joins through
//! Stoa's signaling alone. It is a test of the protocol, and a tool to call into a room.
//!
//! The one invariant: everything that it knows of the others came through the socket. One task owns all its state;
//! what the connections report reaches it through one queue.

mod handle;
mod link;
mod media;
mod numbers;
mod participant;
mod sdp;
mod socket;

pub use handle::{Options, Peer, Report};
