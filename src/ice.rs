//! The ICE servers of this deployment: the configured ones, with credentials for each user.

use crate::hub::IceSource;
use stoa_protocol::{IceServers, Millis, UserId};
use stoa_signaling::turn::IceSet;

/// Longest life of the credentials of a connection check, seconds: it takes some ten, and whoever asks is in no call.
const CHECK_TTL_S: u64 = 120;

/// The configured servers.
pub struct Ice {
    set: IceSet,
    /// Makes the pseudonyms: the deployment's secret, so that they are the same on every node.
    key: [u8; 32],
}

impl Ice {
    /// The servers of a configuration, and the deployment's secret.
    pub fn new(set: IceSet, key: [u8; 32]) -> Self {
        Self { set, key }
    }

    /// The servers for a look at what works, with credentials that end soon.
    pub fn for_check(&self, user: &UserId, now: Millis) -> IceServers {
        self.set.servers_for(&self.key, user, now, CHECK_TTL_S)
    }
}

impl IceSource for Ice {
    fn servers(&self, user: &UserId, now: Millis) -> IceServers {
        self.set.servers(&self.key, user, now)
    }
}
