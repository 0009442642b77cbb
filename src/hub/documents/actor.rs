//! One document's task: it alone has the replica, so nothing is locked while yrs works.

mod renewal;
mod saving;
mod upkeep;

pub(super) use upkeep::heavy;

use super::{
    super::Hub,
    Ask, Line, Replica, Said,
    attachment::{Attachment, Has},
    awareness::Awareness,
    elsewhere::Beyond,
    opened, wire,
};
use crate::storage::{DocumentKey, Saved, StoreError};
use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc, time::Duration};
use stoa_protocol::{DocumentVersion, Epoch, Fault, Millis, Refusal, UserId, limits, wire as codes};
use stoa_rooms::document::{Walked, read_awareness, read_state_vector};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

/// The least time between two tellings of who is there.
const AWARE: Duration = Duration::from_millis(30);
/// How long a document stays in memory that nobody uses.
const IDLE: Duration = Duration::from_secs(30);
/// The same when its last edits could not be saved: their authors were not told that they are.
const IDLE_UNSAVED: Duration = Duration::from_secs(120);
/// Bytes that wait for their save while the store does not answer; then edits are refused.
const UNSAVED_BYTES: usize = 8 * 1024 * 1024;
/// Most structs of a document: some 150 bytes of memory each.
const DOCUMENT_STRUCTS: u32 = 1_000_000;
/// The connection of the server's own edits; those of others have numbers from one on.
const OWN: u64 = 0;
/// Updates above this are worked on where they hold up no other task.
const HEAVY: usize = 16 * 1024;
/// Time between two versions that are kept by themselves.
pub(super) const VERSION_EVERY: Duration = Duration::from_secs(600);

/// An edit that is in the replica and waits for its save.
struct Accepted {
    conn: u64,
    batch: Option<u64>,
    user: UserId,
    update: Vec<u8>,
    walked: Walked,
    /// Whoever waits for its save; nobody is told when it is dropped, and takes that for a failure.
    then: Option<Then>,
}

/// What is answered, and to whom, when an edit is on disk.
pub(super) struct Then {
    pub(super) kept: DocumentVersion,
    pub(super) reply: oneshot::Sender<Result<DocumentVersion, Fault>>,
}

type Saving = Pin<Box<dyn Future<Output = Result<Saved, StoreError>> + Send>>;

/// What is sent when everything that was accepted before it is saved.
struct Owed {
    after: u64,
    conn: u64,
    message: Vec<u8>,
    had: HashMap<u64, u32>,
    then: HashMap<u64, u32>,
    /// Asks the client for what the server lacks.
    asks: bool,
}

/// The state of a document's task.
pub(super) struct Actor {
    pub(super) hub: Arc<Hub>,
    pub(super) key: DocumentKey,
    pub(super) epoch: Epoch,
    pub(super) replica: Replica,
    pub(super) attachments: Vec<Attachment>,
    pub(super) awareness: Awareness,
    /// Saves of other nodes that wait for those before them.
    pub(super) beyond: Beyond,
    aware_at: Instant,
    pending: Vec<Accepted>,
    flying: Vec<Accepted>,
    flying_update: Vec<u8>,
    saving: Option<Saving>,
    save_at: Instant,
    failing: Option<saving::Failing>,
    /// Edits that were accepted, and those of them that are on disk.
    accepted: u64,
    committed: u64,
    /// The clocks that are on disk.
    pub(super) saved: HashMap<u64, u32>,
    owed: Vec<Owed>,
    /// The state of now for those who have nothing, as long as nothing changes.
    full: Option<(u64, Vec<u8>)>,
    pub(super) head: u64,
    rows: u32,
    unfolded: usize,
    size: usize,
    /// A state that is written when everything in it is saved: the edits, and the head.
    folding: Option<(u64, u64, Vec<u8>)>,
    /// The last change that this node has kept no version of.
    pub(super) changed_at: Option<Millis>,
    /// When it is to be kept.
    pub(super) version_at: Instant,
    idle_at: Instant,
    /// How full it is, as it was told last; and when that is measured again, after something was deleted.
    told_fill: Option<u8>,
    measure_at: Option<Instant>,
    /// The replica is not what the store has, or yrs failed on it: it is to be built anew, and asked nothing before.
    pub(super) broken: bool,
    over: bool,
}

/// Runs a document until nobody uses it.
pub(super) async fn run(hub: &Arc<Hub>, key: DocumentKey, mut asks: mpsc::Receiver<Ask>) {
    let mut actor = match Actor::load(hub, &key).await {
        Ok(actor) => actor,
        Err(fault) => {
            asks.close();
            while let Some(ask) = asks.recv().await {
                ask.fail(&fault);
            }
            return;
        }
    };
    hub.metrics.documents.inc();
    hub.ask_aware(&actor.key);
    while !actor.over {
        let wake = actor.wake_at();
        tokio::select! {
            outcome = async { actor.saving.as_mut().expect("asked only while there is one").await }, if actor.saving.is_some() => {
                actor.after_save(outcome).await;
            }
            ask = asks.recv() => match ask {
                Some(ask) => actor.handle(ask).await,
                None => break,
            },
            () = sleep_until(wake) => actor.tick().await,
            () = hub.stop_documents.cancelled() => break,
        }
        while actor.broken && !actor.over {
            actor.reload().await;
        }
    }
    hub.metrics.documents.dec();
    asks.close();
    // Whoever came in the last moment asks again, and begins a new task.
    while asks.recv().await.is_some() {}
    // A replica that has failed would not answer.
    if !actor.broken {
        actor.keep_time_version(Duration::ZERO).await;
    }
}

impl Actor {
    async fn load(hub: &Arc<Hub>, key: &DocumentKey) -> Result<Self, Fault> {
        let stored = hub.store.load_document(key, &hub.fresh_epoch()).await;
        let stored = stored.map_err(|error| hub.store_fault(error))?.ok_or_else(|| Fault::not_found("document"))?;
        let size = stored.folded.as_ref().map_or(0, Vec::len);
        let unfolded: usize = stored.updates.iter().map(Vec::len).sum();
        let replica = heavy(size + unfolded, || {
            let owners = stored.clients.iter().cloned().collect();
            Replica::build(stored.folded.iter().chain(&stored.updates).map(Vec::as_slice), owners)
        });
        let replica = replica.map_err(|error| {
            tracing::error!(%error, room = %key.room, document = %key.document, "a stored document cannot be read");
            Fault::internal()
        })?;
        let now = Instant::now();
        Ok(Self {
            hub: hub.clone(),
            key: key.clone(),
            epoch: stored.epoch,
            saved: replica.clocks().clone(),
            replica,
            attachments: vec![],
            awareness: Awareness::default(),
            beyond: Beyond::default(),
            aware_at: now,
            pending: vec![],
            flying: vec![],
            flying_update: vec![],
            saving: None,
            save_at: now,
            failing: None,
            accepted: 0,
            committed: 0,
            owed: vec![],
            full: None,
            head: stored.head,
            rows: stored.updates.len() as u32,
            unfolded,
            size: size + unfolded,
            folding: None,
            changed_at: None,
            version_at: now + VERSION_EVERY,
            idle_at: now + IDLE,
            told_fill: None,
            measure_at: None,
            broken: false,
            over: false,
        })
    }

    fn wake_at(&self) -> Instant {
        let save = (self.saving.is_none() && !self.pending.is_empty()).then_some(self.save_at);
        let aware = self.awareness.is_dirty().then_some(self.aware_at);
        let idle = self.attachments.is_empty().then_some(self.idle_at);
        let version = self.changed_at.map(|_| self.version_at);
        let far = Instant::now() + Duration::from_secs(3_600);
        [save, aware, idle, version, self.measure_at].into_iter().flatten().min().unwrap_or(far)
    }

    async fn tick(&mut self) {
        let now = Instant::now();
        if self.saving.is_none() && !self.pending.is_empty() && now >= self.save_at {
            self.begin_save();
        }
        if self.awareness.is_dirty() && now >= self.aware_at {
            self.tell_awareness(false);
            self.awareness.tell(&mut self.attachments);
            self.aware_at = now + AWARE;
        }
        if self.changed_at.is_some() && now >= self.version_at {
            self.keep_time_version(VERSION_EVERY).await;
        }
        if self.measure_at.is_some_and(|at| now >= at) {
            self.measure();
            self.tell_fill(false);
        }
        if self.attachments.is_empty() && now >= self.idle_at {
            let unsaved = !self.pending.is_empty() || self.saving.is_some();
            if unsaved && now < self.idle_at + IDLE_UNSAVED {
                self.idle_at = now + Duration::from_secs(1);
            } else {
                if unsaved {
                    tracing::error!(room = %self.key.room, document = %self.key.document, "given up with unsaved edits");
                }
                self.over = true;
            }
        }
    }

    async fn handle(&mut self, ask: Ask) {
        match ask {
            Ask::Attach { conn, line, name, reply } => {
                let rights = self.hub.document_rights(&conn, &self.key).await;
                let outcome = rights.map(|(info, may_edit)| {
                    self.attachments.retain(|a| a.conn.id != conn.id || a.line != line);
                    let mut attachment = Attachment::new(conn.clone(), line, name, may_edit);
                    attachment.told = Some(info.clone());
                    self.attachments.push(attachment);
                    opened(&self.key, line, self.epoch.clone(), info, may_edit, self.fill())
                });
                let attached = outcome.is_ok();
                // Who does not wait any more detaches.
                let _ = reply.send(outcome);
                if attached && line == Line::Plain {
                    self.welcome(conn.id);
                }
            }
            Ask::Welcome { conn } => self.welcome(conn),
            Ask::Detach { conn } => self.detach(conn),
            Ask::Said { conn, said } => self.hear(conn, said).await,
            Ask::Drained { conn } => self.catch_up(conn),
            Ask::Reconsider => {
                self.reconsider().await;
                self.look_beyond().await;
            }
            Ask::Content { reply } => {
                // Whoever asked may have gone.
                let _ = reply.send(self.content());
            }
            Ask::Keep { title, by, reply } => {
                let kept = self.keep_named(title, by).await;
                let _ = reply.send(kept);
            }
            Ask::Restore { version, by, reply } => self.restore(version, by, reply).await,
            Ask::Reload => self.broken = true,
            Ask::Heard(news) => self.heard(*news).await,
            Ask::HeardAware { from, states } => self.awareness.heard(from, states),
            Ask::TellAware => self.tell_awareness(true),
            Ask::NodesGone(nodes) => self.awareness.nodes_gone(&nodes),
            Ask::Reread => self.reread().await,
        }
    }

    /// What the server says first: who is there; to a plain provider also what it has.
    pub(super) fn welcome(&mut self, conn: u64) {
        let Some(attachment) = self.attachments.iter_mut().find(|a| a.conn.id == conn) else { return };
        attachment.welcomed = true;
        if attachment.line == Line::Plain {
            let _full = attachment.push(&wire::sync(codes::STEP1, &self.replica.vector()));
        }
        if let Some(states) = self.awareness.everybody() {
            let _full = attachment.push(&states);
        }
        attachment.conn.mailbox.flush();
    }

    fn detach(&mut self, conn: u64) {
        while let Some(at) = self.attachments.iter().position(|a| a.conn.id == conn) {
            let gone = self.attachments.swap_remove(at);
            self.awareness.gone(&gone);
        }
        if self.attachments.is_empty() {
            self.idle_at = Instant::now() + IDLE;
        }
    }

    fn attachment(&mut self, conn: u64) -> Option<&mut Attachment> {
        self.attachments.iter_mut().find(|a| a.conn.id == conn)
    }

    async fn hear(&mut self, conn: u64, said: Said) {
        match said {
            Said::Step1(vector) => match read_state_vector(&vector) {
                Ok(had) => self.answer(conn, had, true),
                Err(_) => self.refuse(conn, None, Refusal::Malformed),
            },
            Said::Edit { batch, update } => self.edit(conn, batch, update).await,
            Said::Awareness(states) => self.aware(conn, &states),
            Said::QueryAwareness => {
                let states = self.awareness.everybody();
                if let (Some(states), Some(attachment)) = (states, self.attachment(conn)) {
                    let _full = attachment.push(&states);
                    attachment.conn.mailbox.flush();
                }
            }
        }
    }

    fn aware(&mut self, conn: u64, states: &[u8]) {
        let Ok(states) = read_awareness(states) else { return self.refuse(conn, None, Refusal::Malformed) };
        let Some(attachment) = self.attachments.iter_mut().find(|a| a.conn.id == conn) else { return };
        for state in states {
            if self.replica.may_appear(state.client, &attachment.conn.user) {
                self.awareness.set(attachment, state.client, state.clock, state.state);
            }
        }
    }

    fn refuse(&mut self, conn: u64, batch: Option<u64>, reason: Refusal) {
        self.hub.metrics.documents_refused.inc();
        if let Some(attachment) = self.attachment(conn) {
            tracing::debug!(user = %attachment.conn.user, ?reason, "an update was refused");
            attachment.refuse(batch, reason);
        }
    }

    async fn edit(&mut self, conn: u64, batch: Option<u64>, update: Vec<u8>) {
        let Some(user) = self.attachment(conn).map(|a| a.conn.clone()) else { return };
        if self.hub.is_cut_off() {
            return self.refuse(conn, batch, Refusal::Unavailable);
        }
        match self.hub.document_rights(&user, &self.key).await {
            Ok((_, true)) => {}
            Ok((_, false)) => return self.refuse_edit(conn, batch, &update),
            Err(_) => return self.refuse(conn, batch, Refusal::Forbidden),
        }
        let user = user.user.clone();
        let mut taken = self.take(conn, batch, user.clone(), update.clone());
        if taken == Err(Refusal::Gap) && !self.hub.has_no_others() {
            // What it builds on may have been saved on another node.
            self.reread().await;
            taken = self.take(conn, batch, user, update);
        }
        match taken {
            Ok(()) => self.attachment(conn).into_iter().for_each(Attachment::whole),
            Err(Refusal::Gap) if batch.is_none() && self.ask_for_more(conn) => {}
            Err(reason) => self.refuse(conn, batch, reason),
        }
    }

    /// Whoever only reads answers the server's question too, with nothing.
    fn refuse_edit(&mut self, conn: u64, batch: Option<u64>, update: &[u8]) {
        let Some(user) = self.attachment(conn).map(|a| a.conn.user.clone()) else { return };
        match self.replica.examine(update, &user) {
            Ok(walked) if walked.new.is_empty() && batch.is_none() => {}
            Ok(_) | Err(_) => self.refuse(conn, batch, Refusal::Forbidden),
        }
    }

    /// Takes an edit into the replica, to be saved.
    pub(super) fn take(&mut self, conn: u64, batch: Option<u64>, user: UserId, update: Vec<u8>) -> Result<(), Refusal> {
        if update.len() > limits::UPDATE_BYTES {
            return Err(Refusal::TooLarge);
        }
        let walked = heavy(update.len(), || self.replica.examine(&update, &user))?;
        self.admit(&update, &walked, &user)?;
        self.accept(Accepted { conn, batch, user, update, walked, then: None });
        Ok(())
    }

    /// Takes an edit of the server's own, made for somebody; it may be as large as the document.
    pub(super) fn take_own(&mut self, user: UserId, update: Vec<u8>, then: Then) {
        let walked = heavy(update.len(), || self.replica.examine_own(&update));
        let admitted = walked.and_then(|walked| self.admit(&update, &walked, &user).map(|()| walked));
        match admitted {
            Ok(walked) => {
                self.accept(Accepted { conn: OWN, batch: None, user, update, walked, then: Some(then) });
            }
            // Whoever asked may have gone.
            Err(reason) => drop(then.reply.send(Err(Fault::conflict(reason.words())))),
        }
    }

    fn admit(&mut self, update: &[u8], walked: &Walked, user: &UserId) -> Result<(), Refusal> {
        let waiting: usize = self.pending.iter().map(|edit| edit.update.len()).sum();
        if waiting > 0 && waiting + update.len() > UNSAVED_BYTES {
            return Err(Refusal::Unavailable);
        }
        if !walked.new.is_empty() {
            self.need_room(update.len())?;
        }
        if walked.is_idle() {
            return Ok(());
        }
        heavy(update.len(), || self.replica.take(update, walked, user)).map_err(|error| {
            let (room, document) = (&self.key.room, &self.key.document);
            tracing::error!(%error, %room, %document, %user, "an update that was examined broke the replica");
            self.broken = true;
            Refusal::Malformed
        })
    }

    fn accept(&mut self, edit: Accepted) {
        self.accepted += 1;
        self.pending.push(edit);
        self.save_at = self.save_at.max(Instant::now());
        if self.saving.is_none() && self.save_at <= Instant::now() {
            self.begin_save();
        }
    }

    /// Answers a state vector, when everything that the answer holds is on disk. Of several questions the last is
    /// answered.
    pub(super) fn answer(&mut self, conn: u64, had: HashMap<u64, u32>, asks: bool) {
        let Some(attachment) = self.attachments.iter_mut().find(|a| a.conn.id == conn) else { return };
        // Until the answer is sent it gets nothing: everything that is saved before then is in it. A message that is on
        // its way in pieces is sent to its end first, or its beginning would be joined with another's end.
        let in_pieces = attachment.is_in_pieces();
        if !in_pieces {
            attachment.has = Has::Nothing;
        }
        let asks = asks || self.owed.iter().any(|owed| owed.conn == conn && owed.asks);
        self.owed.retain(|owed| owed.conn != conn);
        let lacking = if in_pieces { Some(vec![]) } else { self.lacking(&had) };
        let Some(lacking) = lacking else {
            self.broken = true;
            return;
        };
        let message = wire::sync(if asks { codes::STEP2 } else { codes::UPDATE }, &lacking);
        let then = self.replica.clocks().clone();
        self.owed.push(Owed { after: self.accepted, conn, message, had, then, asks });
        self.settle();
    }

    fn lacking(&mut self, had: &HashMap<u64, u32>) -> Option<Vec<u8>> {
        if had.is_empty()
            && let Some((_, full)) = self.full.as_ref().filter(|(at, _)| *at == self.accepted)
        {
            return Some(full.clone());
        }
        let lacking = heavy(self.size, || self.replica.lacking(had)).ok()?;
        if had.is_empty() {
            self.full = Some((self.accepted, lacking.clone()));
        }
        Some(lacking)
    }

    /// Sends what is owed and may be sent.
    fn settle(&mut self) {
        let committed = self.committed;
        let attachments = &self.attachments;
        let is_due = |owed: &Owed| {
            owed.after <= committed && !attachments.iter().any(|a| a.conn.id == owed.conn && a.is_in_pieces())
        };
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.owed).into_iter().partition(is_due);
        self.owed = later;
        let vector = self.replica.vector();
        for Owed { conn, message, had, then, asks, .. } in due {
            let Some(attachment) = self.attachments.iter_mut().find(|a| a.conn.id == conn) else { continue };
            attachment.send(message.into(), had, then, asks.then_some(&vector));
            attachment.conn.mailbox.flush();
        }
    }

    /// A mailbox has room again.
    pub(super) fn catch_up(&mut self, conn: u64) {
        let mut upto = None;
        for attachment in self.attachments.iter_mut().filter(|a| a.conn.id == conn) {
            attachment.send_pieces();
            if let Has::Upto { had, asks } = &attachment.has {
                upto = Some((had.clone(), *asks));
            }
            attachment.conn.mailbox.flush();
        }
        let Some((had, asks)) = upto else { return };
        // What it asked for meanwhile is answered as of now.
        match self.owed.iter().position(|owed| owed.conn == conn) {
            Some(at) => {
                let Owed { had, asks, .. } = self.owed.swap_remove(at);
                self.answer(conn, had, asks);
            }
            None => self.answer(conn, had, asks),
        }
    }
}
