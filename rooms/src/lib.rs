//! The room, pure: members and their rights, chat, presence, typing.
//!
//! The one invariant: a room's state is a fold over its log. [`Room::decide`] turns an intent into the facts that
//! would follow and changes nothing; [`Room::apply`] takes a fact that the store has committed and cannot refuse it.
//! Nothing here reads a clock, a random source or a socket: time comes in as an argument.
//!
//! ```
//! use stoa_protocol::{ChatBody, Epoch, RoomCreated, RoomId, RoomKind, UserId};
//! use stoa_rooms::{Actor, Intent, Room};
//!
//! let ada = Actor::service(UserId::new("ada").unwrap());
//! let created = RoomCreated::new(RoomKind::Group);
//! let intent = Intent::Create { room: created, members: vec![] };
//! let id = RoomId::new("r").unwrap();
//! let facts = Room::found(&id, &ada, &intent).unwrap();
//! let mut room = Room::unborn(id, Epoch::new("e1").unwrap());
//! for body in &facts.bodies {
//!     room.apply(room.head().next(), 1_000, Some(&ada.user), body);
//! }
//! let hello = ChatBody { text: "hello".into(), ..ChatBody::default() };
//! assert!(room.decide(&ada, &Intent::Send(hello), None, 1_001).is_ok());
//! ```

mod bucket;
mod decide;
pub mod document;
mod documents;
mod presence;
mod rights;
mod room;
mod typing;

pub use bucket::Bucket;
pub use decide::{Facts, Intent, Target};
pub use documents::{BOARD, DocumentIntent};
pub use presence::{Devices, GRACE_MS};
pub use rights::{Access, Actor, Capabilities, Denied, Grant};
pub use room::Room;
pub use typing::{TYPING_MS, Typing};
