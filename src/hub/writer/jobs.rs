//! What the writer is asked to do, and who waits for it.

use crate::hub::{
    Hub,
    conn::Conn,
    encode,
    state::{Origin, Wish},
};
use crate::storage::{Digest, NewUserEvent};
use std::sync::Arc;
use stoa_protocol::{CallLinkId, Fault, Key, Reply, RoomId, Seq, UserId};
use stoa_rooms::Actor;
use stoa_signaling::Change;
use tokio::sync::oneshot;

/// What a lane is asked to do.
pub enum Job {
    /// A durable command.
    Draft(Draft),
    /// A read marker.
    Mark {
        /// Where.
        room: RoomId,
        /// Whose.
        user: UserId,
        /// Up to here.
        seq: Seq,
        /// Who waits.
        reply: ReplyTo,
    },
    /// A change of something that a call retains.
    Retain(Retain),
    /// An event of a user's own log, from the host application.
    Notice {
        /// The event.
        event: NewUserEvent,
        /// Who waits.
        reply: ReplyTo,
    },
}

/// A durable command that waits for its number.
pub struct Draft {
    /// Where.
    pub room: RoomId,
    /// By whom.
    pub actor: Actor,
    /// From which session; `None` over HTTP and for the server itself.
    pub origin: Option<Origin>,
    /// What is wanted.
    pub intent: Wish,
    /// Makes it idempotent.
    pub key: Option<Key>,
    /// The keyed digest of the intent.
    pub digest: Digest,
    /// Who waits.
    pub reply: ReplyTo,
}

/// A change of something that a call retains.
pub struct Retain {
    /// Where.
    pub room: RoomId,
    /// Of which call.
    pub call: Seq,
    /// By whom.
    pub actor: Actor,
    /// From which session.
    pub origin: Origin,
    /// What.
    pub change: Change,
    /// Who waits.
    pub reply: ReplyTo,
}

/// What an acknowledgement carries.
pub enum Answer {
    /// Nothing.
    Nothing,
    /// This.
    Fixed(Box<Reply>),
    /// The call as it is after the commit.
    Call,
    /// The link as it is after the commit.
    Link(CallLinkId),
}

/// Who waits for the outcome.
pub enum ReplyTo {
    /// A connection's command.
    Conn {
        /// The connection.
        conn: Arc<Conn>,
        /// The command's id.
        id: u64,
        /// What the acknowledgement carries.
        answer: Answer,
    },
    /// A task of this process.
    Task(oneshot::Sender<Result<Seq, Fault>>),
}

impl Job {
    pub(super) fn lane_key(&self) -> &str {
        match self {
            Self::Draft(draft) => draft.room.as_str(),
            Self::Mark { room, .. } => room.as_str(),
            Self::Retain(retain) => retain.room.as_str(),
            Self::Notice { event, .. } => event.user.as_str(),
        }
    }

    pub(super) fn into_reply(self) -> ReplyTo {
        match self {
            Self::Draft(draft) => draft.reply,
            Self::Retain(retain) => retain.reply,
            Self::Mark { reply, .. } | Self::Notice { reply, .. } => reply,
        }
    }
}

impl Job {
    pub(super) fn draft(&self) -> Option<&Draft> {
        match self {
            Self::Draft(draft) => Some(draft),
            Self::Mark { .. } | Self::Retain(_) | Self::Notice { .. } => None,
        }
    }

    pub(super) fn retain(&self) -> Option<&Retain> {
        match self {
            Self::Retain(retain) => Some(retain),
            Self::Draft(_) | Self::Mark { .. } | Self::Notice { .. } => None,
        }
    }

    pub(super) fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Draft(draft) => Some(&draft.room),
            Self::Retain(retain) => Some(&retain.room),
            Self::Mark { room, .. } => Some(room),
            Self::Notice { .. } => None,
        }
    }
}

impl ReplyTo {
    /// Looks up what is known only after the commit.
    pub(super) fn resolved(self, hub: &Hub, room: &RoomId) -> Self {
        match self {
            Self::Conn { conn, id, answer: Answer::Call } => {
                let answer = Answer::Fixed(Box::new(Reply::Call(Box::new(hub.call_reply(room, &conn)))));
                Self::Conn { conn, id, answer }
            }
            Self::Conn { conn, id, answer: Answer::Link(link) } => {
                let call = hub.loaded(room).and_then(|cell| cell.lock().call().cloned());
                let link = call.and_then(|call| call.link(&link));
                let answer = link.map_or(Answer::Nothing, |link| Answer::Fixed(Box::new(Reply::Link(link))));
                Self::Conn { conn, id, answer }
            }
            other => other,
        }
    }

    /// Tells the outcome; whoever gets frames is to be flushed by the caller.
    pub fn tell(self, outcome: Result<Seq, Fault>, durable: bool) -> Option<Arc<Conn>> {
        match self {
            Self::Task(waiting) => {
                // Whoever waited may have gone; what is committed stays committed.
                let _ = waiting.send(outcome);
                None
            }
            Self::Conn { conn, id, answer } => {
                let result = match answer {
                    Answer::Fixed(reply) => Some(*reply),
                    Answer::Nothing | Answer::Call | Answer::Link(_) => None,
                };
                let frame = match outcome {
                    Ok(seq) => encode::ack(id, durable.then_some(seq), result),
                    Err(fault) => encode::error(Some(id), fault),
                };
                conn.end();
                if conn.mailbox.push_reply(frame).is_err() {
                    conn.close_slow();
                }
                Some(conn)
            }
        }
    }
}
