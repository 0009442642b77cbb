//! A participant from the outside: what it is told to do, and what it tells.

use crate::participant::Participant;
use anyhow::bail;
use stoa_protocol::RoomId;
use tokio::{sync::mpsc, task::JoinHandle};

/// Reports that may wait; who does not read them stops the participant.
pub const REPORTS: usize = 1024;

/// Who joins what.
#[derive(Debug, Clone)]
pub struct Options {
    /// Host and port of the server.
    pub server: String,
    /// Its user's token.
    pub token: String,
    /// The room.
    pub room: RoomId,
    /// Starts a call where none runs; without it, one is waited for.
    pub start: bool,
    /// The address of the sockets for media, with port 0.
    pub local: String,
}

/// What the participant has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It is in the call.
    Joined {
        /// The call.
        call: u64,
        /// Its session.
        session: String,
    },
    /// A link is there, in this epoch.
    Linked {
        /// The link.
        link: String,
        /// The epoch.
        epoch: u32,
        /// Whether this end gives way.
        polite: bool,
    },
    /// Its connection is up.
    Up {
        /// The link.
        link: String,
    },
    /// Words came over the data channel.
    Words {
        /// The link.
        link: String,
        /// They.
        words: String,
    },
    /// The data channel can be written to.
    Open {
        /// The link.
        link: String,
    },
    /// Packets of media that have come so far; told with every tenth.
    Packets {
        /// The link.
        link: String,
        /// Of pictures.
        video: u64,
        /// Of sound.
        audio: u64,
    },
    /// Nothing is being negotiated and everything is confirmed; told in answer to [`Peer::renegotiate`].
    Settled {
        /// The link.
        link: String,
    },
    /// The link is no more.
    Unlinked {
        /// The link.
        link: String,
    },
    /// The socket was lost, and is there again.
    Back,
    /// The call is over, or this participant was taken out of it.
    Over,
}

/// What a participant is told to do.
pub enum Order {
    /// To say something over every data channel.
    Say(String),
    /// To negotiate every link again.
    Renegotiate {
        /// With new ICE names.
        restart: bool,
    },
    /// To ask for a new epoch of every link.
    Relink,
    /// To lose the socket.
    Cut,
    /// To leave and end.
    Leave,
}

/// A participant.
pub struct Peer {
    orders: mpsc::Sender<Order>,
    reports: mpsc::Receiver<Report>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Peer {
    /// Connects and opens the room; the call is joined as soon as there is one.
    ///
    /// # Errors
    /// When the server is not there, or refuses the token or the room.
    pub async fn join(options: Options) -> anyhow::Result<Self> {
        let (orders, inbox) = mpsc::channel(REPORTS);
        let (outbox, reports) = mpsc::channel(REPORTS);
        let participant = Participant::connect(options, outbox).await?;
        Ok(Self { orders, reports, task: tokio::spawn(participant.run(inbox)) })
    }

    /// What happens next.
    ///
    /// # Errors
    /// Why the participant ended.
    pub async fn next(&mut self) -> anyhow::Result<Report> {
        match self.reports.recv().await {
            Some(report) => Ok(report),
            None => match (&mut self.task).await {
                Ok(Ok(())) => bail!("the participant has left"),
                Ok(Err(error)) => Err(error),
                Err(error) => Err(error.into()),
            },
        }
    }

    /// Says something over every open data channel.
    pub async fn say(&self, words: &str) {
        self.order(Order::Say(words.to_owned())).await;
    }

    /// Negotiates every link again, with new ICE names if `restart`.
    pub async fn renegotiate(&self, restart: bool) {
        self.order(Order::Renegotiate { restart }).await;
    }

    /// Gives every connection up for a new one: asks the server for the next epoch of every link.
    pub async fn relink(&self) {
        self.order(Order::Relink).await;
    }

    /// Loses the socket, without a word; media goes on.
    pub async fn cut(&self) {
        self.order(Order::Cut).await;
    }

    /// Leaves the call and ends.
    ///
    /// # Errors
    /// Why it had ended before.
    pub async fn leave(self) -> anyhow::Result<()> {
        self.order(Order::Leave).await;
        // Whoever waits for the end reads no more reports.
        drop(self.reports);
        self.task.await?
    }

    async fn order(&self, order: Order) {
        // A participant that has ended says so in `next`.
        let _ = self.orders.send(order).await;
    }
}
