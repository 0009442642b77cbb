//! The server about itself: what it is, whether it lives, whether it takes work, and who it lets in by name.

use crate::UserId;
use serde::{Deserialize, Serialize};

bodies! {
    /// What the server says about itself.
    Info {
        /// Whether anybody may log in by name.
        dev: bool,
        /// The server's version.
        version: String,
        /// The protocol's version.
        protocol: u32,
        /// Where browsers find the server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        public_url: Option<String>,
        /// Where to log in by name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login_url: Option<String>,
    }
    /// The process lives.
    Alive {
        /// Always true.
        alive: bool,
        /// Shared documents whose last edits could not be saved and are tried again.
        #[serde(default)]
        unsaved_documents: u64,
    }
    /// Whether the server takes work.
    Readiness {
        /// Whether it does; the status says the same.
        ready: bool,
        /// The server is stopping.
        draining: bool,
        /// What the store is and how it keeps what it has acknowledged; absent when it does not answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store: Option<String>,
        /// The operator vouches for the store, whose settings alone would have been refused.
        vouched: bool,
        /// Whether other nodes are heard; absent where there is one node only. Without it the server goes on, and what
        /// others commit comes up to a second later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bus: Option<BusReadiness>,
        /// Key sets that never gave a key: their issuers' users cannot log in.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing_key_sets: Vec<String>,
        /// Shared documents whose last edits could not be saved and are tried again. A server with such is still ready.
        #[serde(default)]
        unsaved_documents: u64,
    }
    /// How nodes hear each other.
    BusReadiness {
        /// Whether they do.
        up: bool,
        /// What carries it, and what is wrong.
        says: String,
    }
    /// Somebody was let in by name.
    LoggedIn {
        /// Who.
        user: UserId,
        /// Their token.
        token: String,
    }
}
