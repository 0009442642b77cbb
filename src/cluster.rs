//! The Bus contract: how nodes ring each other.
//!
//! The one invariant: nothing depends on a message's arrival. The store has what is durable and each node asks it once
//! a second what moved; the bus makes it fast. So a bus may drop whatever does not fit, and never makes anybody wait.
//! What arrives is from a node of this deployment, whole, and in its sender's order per topic; it may lack messages
//! in between, and after a reconnect some may come that are older than what the store says.
//!
//! Bodies are opaque here: the hub encodes and decodes them. Format version, boot id, message authentication and the
//! canary are the bus's own.

mod local;
pub mod redis;
mod resp;
mod wire;

pub use crate::node::BootId;
pub use local::Local;
pub use redis::Redis;
pub use wire::ClusterKey;

use bytes::Bytes;
use std::sync::Arc;
use stoa_protocol::{RoomId, UserId};
use tokio::sync::watch;

/// What a message is about; who listens to it hears it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// A room, listened to while the node has it in memory.
    Room(RoomId),
    /// A user, listened to while they are connected to the node.
    User(UserId),
    /// All nodes.
    Nodes,
}

/// What another node said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Which life of which node said it. Never this node's own, whatever its boot ids were.
    pub from: BootId,
    /// About what.
    pub topic: Topic,
    /// As it was given to [`Bus::publish`].
    pub body: Bytes,
}

/// Whether messages come through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusHealth {
    /// Whether they do, now.
    pub up: bool,
    /// Connections stand and nothing comes through them: this node is at fault, and not fit for more clients until they
    /// are made anew. Never set while the bus cannot be reached, for then no node is better off.
    pub wedged: bool,
    /// What the bus is, and what keeps messages from coming through; one line without secrets and addresses.
    pub says: String,
}

/// A bus, shared by the whole process.
pub type SharedBus = Arc<dyn Bus>;

/// The bus, as the hub sees it. What is heard comes through the bounded channel that the bus was made with; a node that
/// is slow to take it holds its own connection back, which in the end is cut and healed, and nobody else.
pub trait Bus: Send + Sync + 'static {
    /// Says something to every other node that listens to the topic. Never waits: what does not fit into the bounded
    /// queue, or is larger than a message may be ([`BODY_BYTES`]), is dropped and counted. Bodies of one topic keep
    /// their order.
    fn publish(&self, topic: Topic, body: Bytes);
    /// Listens to a topic from now on. Again is no harm: nobody counts.
    fn subscribe(&self, topic: Topic);
    /// Listens no more, some while later: a new [`Bus::subscribe`] until then costs nothing. Messages may still come.
    fn unsubscribe(&self, topic: Topic);
    /// Says everything from now on under another boot id: the node's lease ran out.
    fn speak_as(&self, boot: BootId);
    /// Whether messages come through now.
    fn health(&self) -> BusHealth;
    /// A number that grows whenever messages may have been missed for longer than between two looks at the store: the
    /// bus came up or came back, or a subscription took effect more than a second after it was asked for. What is in
    /// memory is to be compared with the store at once. Subscribing takes a moment, during which the one-second look
    /// heals what is missed.
    fn generation(&self) -> watch::Receiver<u64>;
}

/// Most bytes of a body. Larger ones are not sent: ring instead, and let the others read the store.
pub const BODY_BYTES: usize = 256 * 1024;
