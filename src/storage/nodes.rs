//! The contract for many nodes on one store: who lives, and what moved. Both databases pass one suite.
//!
//! A lease is a row that its node renews, timed by the database's clock where it has one (Postgres); on SQLite the
//! caller's `now` is the clock. A lease that ran out is never taken up again: whoever lost it comes back under a new
//! boot id. So what one transaction found expired stays so, and acting for a dead node and writing as that node exclude
//! each other ([`super::WriteTx::expired`], [`super::WriteTx::fence`]).
//!
//! What moved is told by a list of moves that every write adds to in its own transaction, not by a column of the rows:
//! a deleted room has no row, and an index over a column that every message changes would cost each of them a new
//! entry in all indexes of the table.

use super::{
    DocumentKey, Head, Result, StoreError,
    rows::{self, Cells},
};
use crate::node::BootId;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use stoa_protocol::{Epoch, Millis, RoomId, Seq, UserId};

/// How long a lease holds without being renewed, milliseconds.
pub const LEASE_MS: Millis = 5_000;
/// Between two renewals, milliseconds: four may fail.
pub const RENEW_MS: Millis = 1_000;
/// How long the row of a dead node is kept, milliseconds: the longest that others may wait with acting for it.
pub const DEAD_KEPT_MS: Millis = 3_600_000;
/// How long a mark is good, milliseconds. Moves are kept for longer than that.
pub const MARK_MS: Millis = 30_000;

/// What became of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It holds for [`LEASE_MS`] from when it was asked for.
    Held,
    /// It ran out: others may have acted for this boot id, under which nothing can be written any more.
    Lost,
}

/// A node, as its lease tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Which life of it.
    pub boot: BootId,
    /// What its operator calls it.
    pub name: String,
    /// Whether its lease holds.
    pub alive: bool,
    /// For how long it has not, milliseconds; zero while it holds.
    pub expired_for_ms: Millis,
}

/// Up to where a look at what moved has seen, good for [`MARK_MS`]. Its text is the database's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadsMark(pub String);

/// What moved since a mark. Nothing is left out, however late it was committed; of rows that moved often there is one,
/// as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Where the next look goes on.
    pub mark: HeadsMark,
    /// There was no mark, or it is too old: the rest is empty, and everything in memory is to be compared
    /// ([`Nodes::heads_of`], [`super::Store::users`]).
    pub everything: bool,
    /// Logs of rooms that grew or began anew; `None` is a room that is gone.
    pub rooms: Vec<(RoomId, Option<Head>)>,
    /// Rooms in which something changed that has no number: messages that expired. What is in memory of them is to be
    /// read again.
    pub changed: Vec<RoomId>,
    /// Rooms with new retained rows of their call.
    pub retained: Vec<RoomId>,
    /// Users whose log grew or began anew, or whose tokens were revoked.
    pub users: Vec<MovedUser>,
    /// Read markers.
    pub markers: Vec<(RoomId, UserId, Seq)>,
    /// Documents that were saved, with the life of their content and the last save.
    pub documents: Vec<(DocumentKey, Epoch, u64)>,
}

impl Moved {
    /// Nothing, up to this mark.
    pub(crate) fn nothing(mark: HeadsMark, everything: bool) -> Self {
        Self {
            mark,
            everything,
            rooms: vec![],
            changed: vec![],
            retained: vec![],
            users: vec![],
            markers: vec![],
            documents: vec![],
        }
    }

    /// Takes a row in: a kind from 1 on, two names, an epoch, and two numbers. Both databases have them in this order.
    pub(super) fn take(&mut self, kind: i64, row: &impl Cells) -> Result<()> {
        match kind {
            1 => {
                let epoch = rows::optional_id(row, 2)?;
                let head = epoch.map(|epoch| Ok(Head { epoch, seq: rows::seq(row, 4)? })).transpose()?;
                self.rooms.push((rows::id(row, 1)?, head));
            }
            2 => self.changed.push(rows::id(row, 1)?),
            3 => self.retained.push(rows::id(row, 1)?),
            4 => self.users.push(MovedUser {
                user: rows::id(row, 1)?,
                head: Head { epoch: rows::id(row, 2)?, seq: rows::seq(row, 4)? },
                revoked_before: rows::millis(row, 5)?,
            }),
            5 => self.markers.push((rows::id(row, 1)?, rows::id(row, 2)?, rows::seq(row, 4)?)),
            6 => {
                let key = DocumentKey { room: rows::id(row, 1)?, document: rows::id(row, 2)? };
                self.documents.push((key, rows::id(row, 3)?, rows::int(row, 4)?.unsigned_abs()));
            }
            unknown => return Err(StoreError::Damaged(format!("a move of kind {unknown}"))),
        }
        Ok(())
    }
}

/// A user about whom something moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedUser {
    /// Who.
    pub user: UserId,
    /// The end of their own log.
    pub head: Head,
    /// Tokens issued before this are refused.
    pub revoked_before: Millis,
}

/// One life of a database whose copies share an identifier: each promotion of a copy begins one with a higher number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// The identifier.
    pub system: i64,
    /// The number.
    pub number: i64,
}

/// Leases and moves, as the rest of the server sees them.
#[async_trait]
pub trait Nodes: Send + Sync {
    /// Renews a lease, and takes it when it is the `first` time under this boot id. A first time whose outcome is
    /// unknown may be tried again. Forgets nodes that died long ago.
    async fn renew(&self, boot: BootId, name: &str, first: bool, now: Millis) -> Result<Lease>;
    /// The nodes that live and those that died within [`DEAD_KEPT_MS`], by boot id.
    async fn nodes(&self, now: Millis) -> Result<Vec<NodeRow>>;
    /// What moved since a mark; without one, where to begin. Costs by what was written since, or since the oldest
    /// transaction began that is still open, and not by what there is.
    async fn heads(&self, since: Option<&HeadsMark>) -> Result<Moved>;
    /// The ends of these rooms' logs; missing ones are absent.
    async fn heads_of(&self, rooms: &[RoomId]) -> Result<HashMap<RoomId, Head>>;
    /// The newest timeline that was seen, where the database has such.
    fn timeline(&self) -> Option<Timeline> {
        None
    }
    /// Another node has seen this one: what is on an older one is refused from now on.
    fn learn_timeline(&self, _seen: Timeline) {}
}
