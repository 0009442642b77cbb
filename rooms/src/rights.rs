//! Roles, capabilities and grants.

use serde::{Deserialize, Serialize};
use stoa_protocol::{Capability, Millis, Role};

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u32);

/// Every capability, in the order in which sets are told.
const ALL: [Capability; 8] = [
    Capability::Send,
    Capability::React,
    Capability::Pin,
    Capability::Announce,
    Capability::Invite,
    Capability::Moderate,
    Capability::Manage,
    Capability::App,
];

impl Capabilities {
    /// No capability.
    pub const NONE: Self = Self(0);

    /// What a role stands for.
    pub fn of(role: Role) -> Self {
        use Capability::{Announce, App, Invite, Manage, Moderate, Pin, React, Send};
        match role {
            Role::Viewer => [React].into_iter().collect(),
            Role::Member => [Send, React].into_iter().collect(),
            Role::Host => [Send, React, Pin, Announce, Invite, Moderate, Manage, App].into_iter().collect(),
        }
    }

    /// Whether the set has it.
    pub fn has(self, capability: Capability) -> bool {
        self.0 & bit(capability) != 0
    }

    /// The set without one.
    #[must_use]
    pub fn without(self, capability: Capability) -> Self {
        Self(self.0 & !bit(capability))
    }

    /// Whether the set has everything that the other has.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The set as it travels.
    pub fn to_vec(self) -> Vec<Capability> {
        ALL.into_iter().filter(|c| self.has(*c)).collect()
    }
}

fn bit(capability: Capability) -> u32 {
    1 << (capability as u32)
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(items: I) -> Self {
        Self(items.into_iter().fold(0, |set, c| set | bit(c)))
    }
}

/// What a token says about one room. It gives the first role; from then on the room's record wins, and a ban always
/// wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Capabilities in place of the role's.
    pub capabilities: Option<Vec<Capability>>,
    /// When it begins to hold.
    pub from: Option<Millis>,
    /// When it ends.
    pub until: Option<Millis>,
}

impl Grant {
    /// A grant of a role without a window.
    pub fn of(role: Role) -> Self {
        Self { role, capabilities: None, from: None, until: None }
    }

    /// Whether `now` is inside the window; `until` is outside.
    pub fn is_open(&self, now: Millis) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }

    /// What it allows.
    pub fn capabilities(&self) -> Capabilities {
        match &self.capabilities {
            Some(own) => own.iter().copied().collect(),
            None => Capabilities::of(self.role),
        }
    }
}
