//! What travels between Stoa and its clients.
//!
//! The one invariant: a value of these types is legal. Ids, keys, sequences and bounded JSON check themselves
//! while they are read, so whatever got past [`parse_client`] needs no second look at its shape; only rights and
//! rules remain to be decided.
//!
//! ```
//! use stoa_protocol::{Command, parse_client};
//!
//! let (id, command) = parse_client(r#"{"type":"ping","id":7}"#).unwrap();
//! assert_eq!(id, 7);
//! assert!(matches!(command, Command::Ping(_)));
//! ```
//!
//! The crate knows no IO and no clock. Times are milliseconds since the Unix epoch.

mod call;
mod call_commands;
mod check;
mod client;
mod data;
mod document;
mod error;
mod event;
pub mod http;
mod ice;
mod ids;
pub mod limits;
mod model;
mod parse;
mod records;
mod server;

pub use call::*;
pub use call_commands::*;
pub use check::words;
pub use client::*;
pub use data::Data;
pub use document::*;
pub use error::{CloseCode, ErrorCode, Fault};
pub use event::*;
pub use ice::{ConnectionCheck, IceServer, IceServers};
pub use ids::{
    CallLinkId, DeviceId, DocumentId, Epoch, GUEST_REALM, IdError, Key, LinkId, Name, RoomId, Seq, SessionId, TrackId,
    UserId,
};
pub use model::*;
pub use parse::{fault_of, parse_client, read, read_body};
pub use server::*;

/// The WebSocket subprotocol that clients offer and the server selects.
pub const SUBPROTOCOL: &str = "stoa.v1";

/// The version that `welcome` tells. It grows when a client can notice.
pub const VERSION: u32 = 1;

/// Milliseconds since the Unix epoch.
pub type Millis = u64;
