//! The room, pure: members and their rights, chat, presence, typing.
//!
//! The one invariant: a room's state is a fold over its log. [`Room::decide`] turns a command into the facts that
//! would follow and changes nothing; [`Room::apply`] takes a fact that the store has committed and cannot refuse it.
//! Nothing here reads a clock, a random source or a socket: time comes in as an argument.

mod rights;

pub use rights::{Capabilities, Grant};
