//! Roles, capabilities and grants.

use serde::{Deserialize, Serialize};
use stoa_protocol::{AccessView, Capability, Millis, Role, Seq, UserId};

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u32);

/// Every capability, in the order in which sets are told.
const ALL: [Capability; 9] = [
    Capability::Send,
    Capability::React,
    Capability::Pin,
    Capability::Announce,
    Capability::Invite,
    Capability::Moderate,
    Capability::Manage,
    Capability::App,
    Capability::Call,
];

impl Capabilities {
    /// No capability.
    pub const NONE: Self = Self(0);

    /// What a role stands for.
    pub fn of(role: Role) -> Self {
        use Capability::{Announce, App, Call, Invite, Manage, Moderate, Pin, React, Send};
        match role {
            Role::Viewer => [React].into_iter().collect(),
            Role::Member => [Send, React, Call].into_iter().collect(),
            Role::Host => [Send, React, Pin, Announce, Invite, Moderate, Manage, App, Call].into_iter().collect(),
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

/// Somebody who wants something of a room, as their token has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub user: UserId,
    /// What the token says about this room.
    pub grant: Option<Grant>,
    /// The token names rooms and opens those alone: without a grant there is no access.
    pub confined: bool,
    /// The token lets its user join any room but direct ones.
    pub join: bool,
    /// The host application itself.
    pub service: bool,
}

impl Actor {
    /// The host application, acting as `user`.
    pub fn service(user: UserId) -> Self {
        Self { user, grant: None, confined: false, join: false, service: true }
    }

    /// Somebody whose token says nothing about the room.
    pub fn plain(user: UserId) -> Self {
        Self { user, grant: None, confined: false, join: false, service: false }
    }

    /// Somebody with a grant for the room.
    pub fn granted(user: UserId, grant: Grant) -> Self {
        Self { user, grant: Some(grant), confined: true, join: false, service: false }
    }
}

/// What somebody may do in a room now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Their role.
    pub role: Role,
    /// What it allows.
    pub capabilities: Capabilities,
    /// Whether a logged membership is behind it.
    pub member: bool,
    /// Events up to here are not for them.
    pub visible_after: Seq,
    /// When the grant's window ends; then access is to be looked at again.
    pub until: Option<Millis>,
    /// Until when they may not send.
    pub muted_until: Option<Millis>,
}

impl Access {
    /// Whether they have a capability.
    pub fn has(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }

    /// As it travels.
    pub fn view(&self) -> AccessView {
        AccessView {
            role: self.role,
            capabilities: self.capabilities.to_vec(),
            member: self.member,
            muted_until: self.muted_until,
            until: self.until,
        }
    }
}

/// Why somebody has no access. Told to nobody but the log: outside it is `not_found` in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// A ban is in force.
    Banned,
    /// The token names rooms, and not this one.
    Confined,
    /// The grant's window is not open.
    Window,
    /// Neither member nor granted.
    Stranger,
}
