//! The sequencer: drafts of many rooms and connections share one transaction.
//!
//! The one invariant: an acknowledgement is pushed only after [`WriteTx::commit`] has returned. Under the rooms' row
//! locks a batch answers keys that are stored, decides each draft again on the state that its predecessors in the
//! batch left, and only then numbers. An unknown outcome is never acknowledged: the client sends the same key again.

mod jobs;

pub use jobs::*;

use super::{
    Hub,
    state::{Asked, Facts, RoomState},
};
use crate::storage::{
    Digest, KeyHit, MessageMeta, NewEvent, NewUserEvent, Result as StoreResult, StoreError, StoredEvent, WriteTx,
    links::StoredLink,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque, btree_map::Entry},
    sync::Arc,
};
use stoa_protocol::{Epoch, Fault, Key, LinkId, RoomEventBody, RoomId, Seq, UserEvent, UserId};
use stoa_rooms::{Room, Target};
use stoa_signaling::Retained;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// Most drafts of one transaction: beyond some hundred rows a batch gets no cheaper per row and its first waits longer.
const BATCH: usize = 256;
/// Told with `overloaded`, milliseconds: a full lane is worked off in about this time.
const RETRY_MS: u64 = 500;

/// Hands jobs to the lanes.
#[derive(Clone)]
pub struct Writer {
    lanes: Arc<[mpsc::Sender<Job>]>,
    /// One permit per lane, held while its task runs.
    busy: Arc<Semaphore>,
}

/// The receiving end of a lane.
pub struct LaneTask {
    jobs: mpsc::Receiver<Job>,
    _busy: OwnedSemaphorePermit,
}

impl Writer {
    /// Lanes by room hash; SQLite has one. `waiting` jobs at most wait in all of them together.
    pub fn new(lanes: usize, waiting: usize) -> (Self, Vec<LaneTask>) {
        let each = (waiting / lanes.max(1)).max(1);
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..lanes.max(1)).map(|_| mpsc::channel(each)).unzip();
        let busy = Arc::new(Semaphore::new(senders.len()));
        let task = |jobs| {
            let permit = busy.clone().try_acquire_owned().expect("there is a permit for each lane");
            LaneTask { jobs, _busy: permit }
        };
        let tasks = receivers.into_iter().map(task).collect();
        (Self { lanes: senders.into(), busy }, tasks)
    }

    /// Queues a job.
    ///
    /// # Errors
    /// `overloaded`; nothing was accepted.
    pub fn submit(&self, job: Job) -> Result<(), Fault> {
        let lane = &self.lanes[lane_of(job.lane_key(), self.lanes.len())];
        lane.try_send(job).map_err(|_| Fault::overloaded(RETRY_MS))
    }

    /// Completes when every lane has stopped and written what it had.
    pub async fn ended(&self) {
        for lane in self.lanes.iter() {
            lane.closed().await;
        }
        // A closed lane may still be writing its last batches: each holds a permit until its task ends.
        let _all = self.busy.acquire_many(self.lanes.len() as u32).await;
    }

    /// Jobs that wait in all lanes.
    pub fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.max_capacity() - lane.capacity()).sum()
    }
}

fn lane_of(key: &str, lanes: usize) -> usize {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish() % lanes as u64) as usize
}

impl LaneTask {
    /// Runs until `stop`; what was accepted before is still written.
    pub async fn run(mut self, hub: Arc<Hub>, stop: CancellationToken) {
        let mut jobs = Vec::new();
        loop {
            let got = tokio::select! {
                biased;
                got = self.jobs.recv_many(&mut jobs, BATCH) => got,
                () = stop.cancelled(), if !self.jobs.is_closed() => {
                    self.jobs.close();
                    continue;
                }
            };
            if got == 0 {
                return;
            }
            hub.metrics.batch_jobs.observe(got as f64);
            write(&hub, std::mem::take(&mut jobs)).await;
        }
    }
}

/// Writes a batch. A statement that the database refuses is found by halving: it fails alone.
fn write(hub: &Arc<Hub>, jobs: Vec<Job>) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
    Box::pin(async move {
        let (started, asked) = (std::time::Instant::now(), hub.clock.now());
        match attempt(hub, &jobs).await {
            Ok(done) => {
                hub.reach.answered(asked);
                hub.metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
                publish(hub, jobs, done).await;
            }
            Err(Failure::Before(StoreError::Refused(reason))) if jobs.len() > 1 => {
                tracing::warn!(reason, jobs = jobs.len(), "a batch was refused and is halved");
                let mut first = jobs;
                let second = first.split_off(first.len() / 2);
                write(hub, first).await;
                write(hub, second).await;
            }
            Err(Failure::Before(error)) => fail(hub, jobs, &error),
            Err(Failure::Unknown(error)) => {
                for job in &jobs {
                    if let Job::Draft(draft) = job {
                        hub.suspect(&draft.room);
                    }
                }
                fail(hub, jobs, &error);
            }
        }
    })
}

fn fail(hub: &Arc<Hub>, jobs: Vec<Job>, error: &StoreError) {
    tracing::error!(%error, jobs = jobs.len(), "a batch failed");
    let fault = match error {
        StoreError::Unavailable(_) | StoreError::Fenced => Fault::unavailable(),
        StoreError::Refused(_) | StoreError::Damaged(_) => Fault::internal(),
    };
    let told = jobs.into_iter().filter_map(|job| job.into_reply().tell(Err(fault.clone()), true));
    hub.flusher.flush_conns(told.collect());
}

enum Failure {
    /// Nothing was written.
    Before(StoreError),
    /// The commit was not answered: it may or may not have happened.
    Unknown(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Before(error)
    }
}

/// What a committed batch did.
#[derive(Default)]
struct Done {
    /// Per job, in order.
    outcomes: Vec<Result<Seq, Fault>>,
    /// Per room, in order, with the life of its log.
    events: BTreeMap<RoomId, (Epoch, Vec<StoredEvent>)>,
    /// Events of users' own logs.
    notices: Vec<(UserId, UserEvent)>,
    /// Retained rows.
    retained: Vec<(RoomId, Seq, Retained)>,
    /// Rooms whose log is not the one in memory.
    strangers: BTreeSet<RoomId>,
}

async fn attempt(hub: &Arc<Hub>, jobs: &[Job]) -> Result<Done, Failure> {
    let mut tx = hub.store.begin().await?;
    if let Some(boot) = hub.nodes.boot().filter(|_| !super::planted("stale-lease")) {
        tx.fence(boot, hub.clock.now()).await?;
    }
    let mut batch = Batch::load(hub, tx.as_mut(), jobs).await?;
    for job in jobs {
        batch.take(hub, job);
    }
    let Batch { new, notices, markers, used, rooms, mut done, .. } = batch;
    if !new.is_empty() {
        tx.append(&new).await?;
    }
    if !used.is_empty() {
        tx.use_links(&used.into_iter().collect::<Vec<_>>()).await?;
    }
    if !notices.is_empty() {
        let (places, events): (Vec<_>, Vec<_>) = notices.into_iter().unzip();
        let numbered = tx.append_user(&events).await?;
        for ((place, event), number) in places.into_iter().zip(events).zip(numbered) {
            done.number_notice(place, event, number);
        }
    }
    if !markers.is_empty() {
        tx.mark(&markers).await?;
    }
    if !done.retained.is_empty() {
        tx.retain(&done.retained).await?;
    }
    for event in new {
        let stored = StoredEvent { seq: event.seq, at: event.at, from: event.from, body: Some(event.body) };
        let epoch = || rooms.get(&event.room).and_then(|state| Some(state.as_ref()?.room.epoch().clone()));
        match done.events.entry(event.room.clone()) {
            Entry::Occupied(mut entry) => entry.get_mut().1.push(stored),
            Entry::Vacant(entry) => {
                let epoch = epoch().expect("what was decided was decided on a room");
                entry.insert((epoch, vec![stored]));
            }
        }
    }
    #[cfg(feature = "planted-bugs")]
    if super::planted("ack-before-commit") {
        publish_early(hub, jobs, &done);
    }
    tx.commit().await.map_err(|error| match error {
        StoreError::Unavailable(_) => Failure::Unknown(error),
        StoreError::Refused(_) | StoreError::Fenced | StoreError::Damaged(_) => Failure::Before(error),
    })?;
    Ok(done)
}

impl Done {
    /// A notice of a job of its own is that job's outcome; one that follows from an event has none.
    fn number_notice(&mut self, place: Option<usize>, event: NewUserEvent, number: Result<Seq, KeyHit>) {
        let outcome = match number {
            Ok(user_seq) => {
                let NewUserEvent { user, at, from, key: _, body } = event;
                self.notices.push((user, UserEvent { user_seq, at, from, body }));
                Ok(user_seq)
            }
            Err(hit) => match event.key {
                Some((_, digest)) => answer_hit(hit, digest),
                None => Ok(hit.seq),
            },
        };
        if let Some(place) = place {
            self.outcomes[place] = outcome;
        }
    }
}

fn answer_hit(hit: KeyHit, digest: Digest) -> Result<Seq, Fault> {
    if hit.digest == digest { Ok(hit.seq) } else { Err(Fault::conflict("this key was used for another command")) }
}

/// A batch in the making.
struct Batch {
    now: u64,
    rooms: HashMap<RoomId, Option<RoomState>>,
    keys: HashMap<(RoomId, UserId, Key), KeyHit>,
    targets: HashMap<(RoomId, Seq), MessageMeta>,
    new: Vec<NewEvent>,
    notices: Vec<(Option<usize>, NewUserEvent)>,
    markers: Vec<(RoomId, UserId, Seq)>,
    invites: HashMap<LinkId, StoredLink>,
    /// How often each invite is used by this batch.
    used: BTreeMap<LinkId, u32>,
    done: Done,
}

impl Batch {
    /// Locks the rooms and reads what deciding needs.
    async fn load(hub: &Arc<Hub>, tx: &mut dyn WriteTx, jobs: &[Job]) -> StoreResult<Self> {
        let drafts: Vec<&Draft> = jobs.iter().filter_map(Job::draft).collect();
        let births: BTreeMap<&RoomId, Epoch> =
            drafts.iter().filter(|d| d.intent.creates()).map(|d| (&d.room, hub.fresh_epoch())).collect();
        if !births.is_empty() {
            let births: Vec<_> = births.into_iter().map(|(room, epoch)| (room.clone(), epoch)).collect();
            tx.reserve(&births).await?;
        }
        let retains = jobs.iter().filter_map(Job::retain).map(|retain| &retain.room);
        let names: BTreeSet<&RoomId> = drafts.iter().map(|d| &d.room).chain(retains).collect();
        let names: Vec<RoomId> = names.into_iter().cloned().collect();
        let heads = if names.is_empty() { HashMap::new() } else { tx.lock(&names).await? };
        let mut done = Done::default();
        let mut rooms = HashMap::new();
        for name in names {
            let Some(head) = heads.get(&name) else {
                rooms.insert(name, None);
                continue;
            };
            let known = hub.loaded(&name).map(|cell| cell.lock().state());
            let room = match known {
                Some(state) if state.room.epoch() == &head.epoch && state.room.head() == head.seq => Some(state),
                // Another node wrote, or the log began anew: memory catches up from the store after this batch.
                known => {
                    let other = known.as_ref().is_some_and(|known| known.room.epoch() != &head.epoch);
                    let back = !other && known.is_some_and(|known| known.room.head() > head.seq);
                    if back {
                        // What was delivered is gone. A new epoch voids every cursor above the new head, or clients
                        // would take later events of the same numbers for those that they have.
                        tx.renew(&name, &hub.fresh_epoch()).await?;
                    }
                    if back || other {
                        done.strangers.insert(name.clone());
                    }
                    match tx.room(&name).await? {
                        Some(stored) => Some(RoomState::restore(stored)),
                        None => {
                            let room = Room::unborn(name.clone(), head.epoch.clone());
                            Some(RoomState { room, call: None })
                        }
                    }
                }
            };
            rooms.insert(name, room);
        }
        let keys = read_keys(tx, &drafts).await?;
        let targets = read_targets(tx, &drafts).await?;
        let invites: BTreeSet<&LinkId> = drafts.iter().filter_map(|d| d.intent.invite()).collect();
        let invites = match invites.is_empty() {
            true => vec![],
            false => tx.links(&invites.into_iter().cloned().collect::<Vec<_>>()).await?,
        };
        let invites = invites.into_iter().map(|invite| (invite.id.clone(), invite)).collect();
        let now = hub.clock.now();
        let (new, notices, markers, used) = (vec![], vec![], vec![], BTreeMap::new());
        Ok(Self { now, rooms, keys, targets, new, notices, markers, invites, used, done })
    }

    /// Decides one job on the state that its predecessors left.
    fn take(&mut self, hub: &Hub, job: &Job) {
        let place = self.done.outcomes.len();
        match job {
            Job::Draft(draft) => {
                let outcome = self.decide(hub, draft);
                self.done.outcomes.push(outcome);
            }
            Job::Mark { room, user, seq, reply: _ } => {
                self.markers.push((room.clone(), user.clone(), *seq));
                self.done.outcomes.push(Ok(*seq));
            }
            Job::Retain(retain) => {
                let outcome = self.retain(retain);
                self.done.outcomes.push(outcome);
            }
            Job::Notice { event, reply: _ } => {
                self.notices.push((Some(place), event.clone()));
                self.done.outcomes.push(Ok(Seq::ZERO));
            }
        }
    }

    fn decide(&mut self, hub: &Hub, draft: &Draft) -> Result<Seq, Fault> {
        let name = draft.key.as_ref().map(|key| (draft.room.clone(), draft.actor.user.clone(), key.clone()));
        if let Some(hit) = name.as_ref().and_then(|name| self.keys.get(name)) {
            return answer_hit(*hit, draft.digest);
        }
        let Some(Some(state)) = self.rooms.get_mut(&draft.room) else { return Err(Fault::not_found("room")) };
        let target = draft.intent.target().and_then(|seq| self.targets.get(&(draft.room.clone(), seq)));
        let target = target.map(to_target);
        let asked = Asked { id: &draft.room, actor: &draft.actor, origin: draft.origin.as_ref(), now: self.now };
        let Facts { bodies, mut notices, mut retained } = state.decide(hub, &asked, &draft.intent, target.as_ref())?;
        let call = state.call.as_ref().map(|call| call.id());
        if bodies.is_empty() {
            return Ok(state.room.head());
        }
        if let Some(id) = draft.intent.invite() {
            // Its uses are counted under the room's lock, so that nobody else takes the last one.
            let invite = self.invites.get_mut(id).filter(|invite| invite.room == draft.room);
            if let Some(refused) = super::links::invite_refused(invite.as_deref(), self.now) {
                return Err(refused);
            }
            if let Some(invite) = invite {
                invite.used += 1;
                *self.used.entry(id.clone()).or_default() += 1;
            }
        }
        let first = state.room.head().next();
        let mut key = draft.key.clone().map(|key| (key, draft.digest));
        let from = Some(draft.actor.user.clone()).filter(|_| !draft.intent.is_servers());
        let mut bodies = VecDeque::from(bodies);
        while let Some(body) = bodies.pop_front() {
            let seq = state.room.head().next();
            state.apply(seq, self.now, from.as_ref(), &body);
            let follows = state.consequences(&body, self.now);
            // At once, before the next body: or that would find the call as it was.
            follows.bodies.into_iter().rev().for_each(|body| bodies.push_front(body));
            notices.extend(follows.notices);
            retained.extend(follows.retained);
            if let RoomEventBody::MemberJoined(joined) = &body {
                // What was said before somebody came is not news to them.
                self.markers.push((draft.room.clone(), joined.user.clone(), seq));
            }
            remember(&mut self.targets, &draft.room, seq, from.as_ref(), &body);
            let event =
                NewEvent { room: draft.room.clone(), seq, at: self.now, from: from.clone(), key: key.take(), body };
            self.new.push(event);
        }
        for row in retained {
            let Some(call) = call else { continue };
            state.retain(call, &row);
            self.done.retained.push((draft.room.clone(), call, row));
        }
        for (user, body) in notices {
            let event = NewUserEvent { user, at: self.now, from: from.clone(), key: None, body };
            self.notices.push((None, event));
        }
        if let Some(name) = name {
            self.keys.insert(name, KeyHit { seq: first, digest: draft.digest });
        }
        Ok(first)
    }

    fn retain(&mut self, retain: &Retain) -> Result<Seq, Fault> {
        let Some(Some(state)) = self.rooms.get_mut(&retain.room) else { return Err(Fault::not_found("room")) };
        let caller = state.caller(&retain.actor, Some(&retain.origin), self.now)?;
        let call = state.call.clone().ok_or_else(|| Fault::not_found("call"))?;
        for row in call.retain_for(retain.call, &caller, &retain.change, self.now)? {
            state.retain(retain.call, &row);
            self.done.retained.push((retain.room.clone(), retain.call, row));
        }
        Ok(state.room.head())
    }
}

async fn read_keys(tx: &mut dyn WriteTx, drafts: &[&Draft]) -> StoreResult<HashMap<(RoomId, UserId, Key), KeyHit>> {
    let names: BTreeSet<(RoomId, UserId, Key)> = drafts
        .iter()
        .filter_map(|d| d.key.as_ref().map(|key| (d.room.clone(), d.actor.user.clone(), key.clone())))
        .collect();
    if names.is_empty() || super::planted("forgotten-key") {
        return Ok(HashMap::new());
    }
    let names: Vec<_> = names.into_iter().collect();
    let hits = tx.keys(&names).await?;
    Ok(names.into_iter().zip(hits).filter_map(|(name, hit)| hit.map(|hit| (name, hit))).collect())
}

async fn read_targets(tx: &mut dyn WriteTx, drafts: &[&Draft]) -> StoreResult<HashMap<(RoomId, Seq), MessageMeta>> {
    let targets: BTreeSet<(RoomId, Seq)> =
        drafts.iter().filter_map(|d| d.intent.target().map(|seq| (d.room.clone(), seq))).collect();
    if targets.is_empty() {
        return Ok(HashMap::new());
    }
    tx.targets(&targets.into_iter().collect::<Vec<_>>()).await
}

fn to_target(meta: &MessageMeta) -> Target {
    Target {
        from: meta.from.clone(),
        deleted: meta.deleted,
        thread: meta.thread,
        mentions: meta.mentions.clone(),
        reactions: meta.reactions.clone(),
    }
}

/// What later drafts of the batch must know of messages that earlier ones changed.
fn remember(
    targets: &mut HashMap<(RoomId, Seq), MessageMeta>,
    room: &RoomId,
    seq: Seq,
    from: Option<&UserId>,
    body: &RoomEventBody,
) {
    let mut change = |target: Seq, change: &mut dyn FnMut(&mut MessageMeta)| {
        if let Some(meta) = targets.get_mut(&(room.clone(), target)) {
            change(meta);
        }
    };
    match body {
        RoomEventBody::ChatSent(sent) => {
            let meta = MessageMeta {
                from: from.cloned(),
                deleted: false,
                thread: sent.thread,
                pinned: false,
                mentions: sent.mentions.clone(),
                reactions: vec![],
            };
            targets.insert((room.clone(), seq), meta);
        }
        RoomEventBody::ChatEdited { target, mentions, .. } => {
            change(*target, &mut |meta| meta.mentions = mentions.clone());
        }
        RoomEventBody::ChatDeleted { target, .. } => change(*target, &mut |meta| {
            meta.deleted = true;
            meta.reactions.clear();
        }),
        RoomEventBody::ChatReacted { target, emoji, on } => change(*target, &mut |meta| {
            let Some(user) = from else { return };
            meta.reactions.retain(|(e, u)| !(e == emoji && u == user));
            if *on {
                meta.reactions.push((emoji.clone(), user.clone()));
            }
        }),
        RoomEventBody::ChatPinned { target, on } => change(*target, &mut |meta| meta.pinned = *on),
        RoomEventBody::RoomCreated(_)
        | RoomEventBody::RoomUpdated(_)
        | RoomEventBody::RoomArchived { .. }
        | RoomEventBody::MemberJoined(_)
        | RoomEventBody::MemberLeft { .. }
        | RoomEventBody::MemberUpdated(_)
        | RoomEventBody::MemberBanned { .. }
        | RoomEventBody::MemberUnbanned { .. }
        | RoomEventBody::DocumentCreated(_)
        | RoomEventBody::DocumentUpdated(_)
        | RoomEventBody::DocumentDeleted { .. }
        | RoomEventBody::App { .. }
        | RoomEventBody::Call(_) => {}
    }
}

/// After the commit: everybody sees it, then the senders are told.
async fn publish(hub: &Arc<Hub>, jobs: Vec<Job>, done: Done) {
    // The others first: what follows here may wait for the store.
    for (room, (epoch, events)) in &done.events {
        hub.ring_room(room, epoch, events);
    }
    for (user, event) in &done.notices {
        hub.ring_user(user, event);
    }
    for room in &done.strangers {
        hub.reload(room).await;
    }
    for (room, (_, events)) in &done.events {
        hub.deliver(room, events).await;
    }
    for (room, call, row) in &done.retained {
        hub.retained(room, *call, std::slice::from_ref(row));
        hub.ring_retained(room, *call, std::slice::from_ref(row));
    }
    for (user, event) in &done.notices {
        hub.deliver_user(user, event).await;
    }
    let mut told = Vec::new();
    for (job, outcome) in jobs.into_iter().zip(done.outcomes) {
        if let (Job::Mark { room, user, seq, .. }, Ok(_)) = (&job, &outcome) {
            hub.marked(room, user, *seq);
        }
        let durable = !matches!(job, Job::Mark { .. } | Job::Retain(_));
        let reply = match job.room().cloned() {
            Some(room) if outcome.is_ok() => job.into_reply().resolved(hub, &room),
            Some(_) | None => job.into_reply(),
        };
        told.extend(reply.tell(outcome, durable));
    }
    hub.flusher.flush_conns(told);
}

/// A planted bug: the senders are told before the commit. The kill test must find it.
#[cfg(feature = "planted-bugs")]
fn publish_early(hub: &Arc<Hub>, jobs: &[Job], done: &Done) {
    for (job, outcome) in jobs.iter().zip(&done.outcomes) {
        if let (Job::Draft(Draft { reply: ReplyTo::Conn { conn, id, .. }, .. }), Ok(seq)) = (job, outcome)
            && conn.mailbox.push_reply(super::encode::ack(*id, Some(*seq), None)).is_ok()
        {
            conn.mailbox.flush();
        }
    }
    let _ = hub;
    #[cfg(not(test))]
    std::thread::sleep(std::time::Duration::from_millis(20));
}
