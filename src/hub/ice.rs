//! Where the ICE servers of a call come from.

use stoa_protocol::{IceServers, Millis, UserId};

/// Gives participants the servers that help them to find each other. Asked for each user who is in a call, so that
/// credentials can be their own and end.
pub trait IceSource: Send + Sync + 'static {
    /// The servers for one user from now on.
    fn servers(&self, user: &UserId, now: Millis) -> IceServers;
}

/// No servers: peers in one network connect without any.
pub struct NoIce;

impl IceSource for NoIce {
    fn servers(&self, _: &UserId, _: Millis) -> IceServers {
        IceServers::default()
    }
}
