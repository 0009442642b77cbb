//! The database as one process reaches it: the Store contract, with the ways there and back, and what goes wrong on
//! them.

use super::{
    database::{Change, Database, Tables, not_simulated},
    process::{Harm, Point, Process},
};
use crate::{
    node::BootId,
    storage::{
        BlobInfo, Blobs, CallQuery, DocumentBatch, DocumentKey, Documents, Head, HeadsMark, KeyHit, Lease, ListQuery,
        ListRow, MessageMeta, MessagePage, MessageQuery, Moved, NewEvent, NewUserEvent, NewVersion, NodeRow, Nodes,
        Put, Result, Saved, SearchQuery, Store, StoreError, StoredDocument, StoredEvent, StoredRoom, Swept, UserState,
        WriteTx,
        links::{CodeHash, LinkKind, NewGuest, StoredLink},
    },
};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, HashMap},
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use stoa_protocol::{
    CallRecord, DocumentVersion, Epoch, Key, LinkId, Message, Millis, Profile, ReadMarker, RoomId, Seq, UserEvent,
    UserId,
};
use stoa_signaling::Retained;
use tokio::{
    sync::OwnedMutexGuard,
    time::{sleep, timeout},
};

/// How long a transaction waits for a row (`lock_timeout` of the true store).
const LOCK: Duration = Duration::from_secs(1);

/// The database as a process reaches it.
pub struct Reached {
    /// The one database.
    pub database: Arc<Database>,
    /// Who reaches it.
    pub process: Arc<Process>,
}

fn lost() -> StoreError {
    StoreError::Unavailable("the connection is lost".into())
}

/// One question and its answer.
async fn asked<T>(
    database: &Database,
    process: &Process,
    point: Point,
    act: impl FnOnce(&mut Tables) -> Result<T>,
) -> Result<T> {
    process.gate().await;
    process.travel().await;
    let harm = process.harm(point);
    match harm {
        Some(Harm::DiesBefore) => {
            process.die();
            return pending().await;
        }
        Some(Harm::Refused) => return Err(lost()),
        Some(Harm::Slow(for_ms)) => sleep(Duration::from_millis(for_ms)).await,
        Some(Harm::AnswerLost | Harm::DiesAfter) | None => {}
    }
    if process.is_dead() {
        return pending().await;
    }
    let answer = act(&mut database.tables.lock());
    if harm == Some(Harm::DiesAfter) {
        process.die();
        return pending().await;
    }
    process.travel().await;
    process.gate().await;
    if harm == Some(Harm::AnswerLost) { Err(lost()) } else { answer }
}

impl Reached {
    async fn ask<T>(&self, point: Point, act: impl FnOnce(&mut Tables) -> Result<T>) -> Result<T> {
        asked(&self.database, &self.process, point, act).await
    }

    async fn read<T>(&self, act: impl FnOnce(&Tables) -> T) -> Result<T> {
        self.ask(Point::Read, |tables| Ok(act(tables))).await
    }

    async fn write(&self, act: impl FnOnce(&mut Tables)) -> Result<()> {
        self.ask(Point::Read, |tables| {
            act(tables);
            Ok(())
        })
        .await
    }

    /// A transaction of one change.
    async fn put(&self, change: Change) -> Result<()> {
        let now = self.database.now();
        self.ask(Point::Commit, |tables| {
            tables.commit(vec![change], now);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Store for Reached {
    async fn begin(&self) -> Result<Box<dyn WriteTx>> {
        self.ask(Point::Begin, |_| Ok(())).await?;
        let held = Arc::new(Held::default());
        // A server that has lost its client takes back what it began; a client that is silent in the middle of a
        // transaction loses it (`idle_in_transaction_session_timeout`), see `World::freeze`.
        self.process.begun(&held);
        let (database, process) = (self.database.clone(), self.process.clone());
        Ok(Box::new(Tx {
            database,
            process,
            held,
            changes: vec![],
            heads: HashMap::new(),
            failed: false,
            fenced: false,
        }))
    }

    async fn room(&self, room: &RoomId) -> Result<Option<StoredRoom>> {
        self.read(|tables| tables.room(room)).await
    }

    async fn events(&self, room: &RoomId, after: Seq, limit: u32) -> Result<Vec<StoredEvent>> {
        self.ask(Point::Events, |tables| Ok(tables.events(room, after, limit))).await
    }

    async fn messages(&self, query: &MessageQuery) -> Result<MessagePage> {
        self.ask(Point::Read, |tables| tables.messages(query)).await
    }

    async fn search(&self, _: &SearchQuery) -> Result<(Vec<Message>, bool)> {
        Err(not_simulated())
    }

    async fn list(&self, _: &ListQuery) -> Result<(Vec<ListRow>, bool)> {
        Err(not_simulated())
    }

    async fn markers(&self, room: &RoomId, own: &UserId, limit: u32) -> Result<Vec<ReadMarker>> {
        self.read(|tables| tables.markers(room, own, limit)).await
    }

    async fn calls(&self, _: &CallQuery) -> Result<(Vec<CallRecord>, bool)> {
        Err(not_simulated())
    }

    async fn running_calls(&self) -> Result<Vec<RoomId>> {
        self.read(|_| vec![]).await
    }

    async fn users(&self, users: &[UserId]) -> Result<Vec<UserState>> {
        self.read(|tables| users.iter().map(|user| tables.user(user)).collect()).await
    }

    async fn user_events(&self, user: &UserId, after: Seq, limit: u32) -> Result<Vec<UserEvent>> {
        self.ask(Point::Events, |tables| Ok(tables.user_events(user, after, limit))).await
    }

    async fn profiles(&self, users: &[UserId]) -> Result<HashMap<UserId, Profile>> {
        self.read(|tables| tables.profiles(users)).await
    }

    async fn put_profiles(&self, profiles: &[(UserId, Profile)]) -> Result<()> {
        self.write(|tables| tables.put_profiles(profiles)).await
    }

    async fn put_seen(&self, seen: &[(UserId, Millis, String)]) -> Result<()> {
        self.write(|tables| tables.put_seen(seen)).await
    }

    async fn revoke(&self, user: &UserId, before: Millis) -> Result<()> {
        self.put(Change::Revoke(user.clone(), before)).await
    }

    async fn setting(&self, _: &str, _: &str) -> Result<String> {
        Err(not_simulated())
    }

    async fn put_link(&self, _: &StoredLink, _: &CodeHash) -> Result<bool> {
        Err(not_simulated())
    }

    async fn link(&self, _: &LinkId) -> Result<Option<StoredLink>> {
        Err(not_simulated())
    }

    async fn link_by_code(&self, _: &CodeHash) -> Result<Option<StoredLink>> {
        Err(not_simulated())
    }

    async fn links(&self, _: &RoomId, _: LinkKind, _: Option<&LinkId>, _: u32) -> Result<Vec<StoredLink>> {
        Err(not_simulated())
    }

    async fn revoke_link(&self, _: &LinkId, _: Millis) -> Result<()> {
        Err(not_simulated())
    }

    async fn admit_guest(&self, _: &LinkId, _: &NewGuest) -> Result<bool> {
        Err(not_simulated())
    }

    async fn guest(&self, _: &CodeHash) -> Result<Option<(UserId, StoredLink)>> {
        Err(not_simulated())
    }

    async fn guests_of(&self, _: &LinkId, _: Option<&UserId>, _: u32) -> Result<Vec<UserId>> {
        Err(not_simulated())
    }

    async fn delete_room(&self, _: &RoomId) -> Result<bool> {
        Err(not_simulated())
    }

    async fn expire_messages(&self, _: Millis, _: u32) -> Result<Vec<(RoomId, Seq)>> {
        self.read(|_| vec![]).await
    }

    async fn erase_user(&self, _: &UserId) -> Result<Vec<RoomId>> {
        Err(not_simulated())
    }

    async fn messages_of(&self, _: &UserId, _: Option<(RoomId, Seq)>, _: u32) -> Result<Vec<Message>> {
        Err(not_simulated())
    }

    async fn health(&self) -> Result<String> {
        self.read(|_| "simulated".into()).await
    }

    async fn close(&self) {}
}

#[async_trait]
impl Nodes for Reached {
    async fn renew(&self, boot: BootId, name: &str, first: bool, _: Millis) -> Result<Lease> {
        self.ask(Point::Renew, |tables| Ok(tables.renew(boot, name, first, self.database.now()))).await
    }

    async fn nodes(&self, _: Millis) -> Result<Vec<NodeRow>> {
        let leases = self.read(|tables| tables.leases(self.database.now())).await?;
        let row = |(boot, name, alive, expired_for_ms)| NodeRow { boot, name, alive, expired_for_ms };
        Ok(leases.into_iter().map(row).collect())
    }

    async fn heads(&self, since: Option<&HeadsMark>) -> Result<Moved> {
        self.ask(Point::Look, |tables| Ok(tables.moved(since, self.database.now()))).await
    }

    async fn heads_of(&self, rooms: &[RoomId]) -> Result<HashMap<RoomId, Head>> {
        let heads = |tables: &Tables| rooms.iter().filter_map(|r| Some((r.clone(), tables.head(r)?))).collect();
        self.read(heads).await
    }
}

#[async_trait]
impl Documents for Reached {
    async fn load_document(&self, _: &DocumentKey, _: &Epoch) -> Result<Option<StoredDocument>> {
        Err(not_simulated())
    }

    async fn save_documents(&self, _: &[DocumentBatch]) -> Result<Vec<Saved>> {
        Err(not_simulated())
    }

    async fn fold_document(&self, _: &DocumentKey, _: &Epoch, _: u64, _: &[u8]) -> Result<()> {
        Err(not_simulated())
    }

    async fn put_version(&self, _: &DocumentKey, _: &NewVersion, _: u32) -> Result<DocumentVersion> {
        Err(not_simulated())
    }

    async fn versions(&self, _: &DocumentKey, _: Option<u64>, _: u32) -> Result<Vec<DocumentVersion>> {
        Err(not_simulated())
    }

    async fn version(&self, _: &DocumentKey, _: u64) -> Result<Option<(DocumentVersion, Vec<u8>)>> {
        Err(not_simulated())
    }

    async fn drop_version(&self, _: &DocumentKey, _: u64) -> Result<bool> {
        Err(not_simulated())
    }
}

#[async_trait]
impl Blobs for Reached {
    async fn put_blob(&self, _: &RoomId, _: &BlobInfo, _: &[u8], _: &UserId, _: Millis, _: u64) -> Result<Put> {
        Err(not_simulated())
    }

    async fn blob(&self, _: &RoomId, _: &str) -> Result<Option<(BlobInfo, Vec<u8>)>> {
        Err(not_simulated())
    }

    async fn drop_blob(&self, _: &RoomId, _: &str) -> Result<bool> {
        Err(not_simulated())
    }

    async fn sweep_blobs(&self, _: Millis, _: Millis, _: Millis, _: u32) -> Result<Swept> {
        self.read(|_| Swept::default()).await
    }
}

/// The rows that a transaction has locked, and whether the server took it back.
#[derive(Default)]
pub struct Held {
    rows: Mutex<Vec<OwnedMutexGuard<()>>>,
    is_over: AtomicBool,
}

impl Held {
    /// The server takes the transaction back: its rows are free.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.rows.lock().clear();
    }
}

/// A transaction.
struct Tx {
    database: Arc<Database>,
    process: Arc<Process>,
    held: Arc<Held>,
    changes: Vec<Change>,
    /// The rows that are locked, as they were then.
    heads: HashMap<RoomId, Head>,
    failed: bool,
    fenced: bool,
}

impl Drop for Tx {
    fn drop(&mut self) {
        self.held.end();
    }
}

impl Tx {
    async fn step<T>(&mut self, point: Point, act: impl FnOnce(&mut Tables) -> Result<T>) -> Result<T> {
        let held = self.held.clone();
        let living = move |tables: &mut Tables| match held.is_over.load(Ordering::Relaxed) {
            true => Err(lost()),
            false => act(tables),
        };
        let answer = match self.failed {
            true => Err(StoreError::Refused("the transaction has failed".into())),
            false => asked(&self.database, &self.process, point, living).await,
        };
        self.failed |= answer.is_err();
        answer
    }

    /// Waits for rows, in the order of their names.
    async fn lock_rows(&mut self, names: BTreeSet<String>) -> Result<()> {
        for name in names {
            let row = self.database.row(name);
            match timeout(LOCK, row.lock_owned()).await {
                Ok(guard) if !self.held.is_over.load(Ordering::Relaxed) => self.held.rows.lock().push(guard),
                Ok(_) | Err(_) => {
                    self.failed = true;
                    return Err(StoreError::Unavailable("waited too long for a row".into()));
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl WriteTx for Tx {
    async fn fence(&mut self, boot: BootId, _: Millis) -> Result<()> {
        let now = self.database.now();
        let held = self.step(Point::Fence, |tables| Ok(tables.holds(boot, now))).await?;
        self.fenced = held;
        self.failed |= !held;
        if held { Ok(()) } else { Err(StoreError::Fenced) }
    }

    async fn expired(&mut self, boot: BootId, _: Millis) -> Result<bool> {
        let now = self.database.now();
        self.step(Point::Fence, |tables| Ok(tables.expired(boot, now))).await
    }

    async fn reserve(&mut self, rooms: &[(RoomId, Epoch)]) -> Result<()> {
        self.changes.extend(rooms.iter().map(|(room, epoch)| Change::Reserve(room.clone(), epoch.clone())));
        self.step(Point::Lock, |_| Ok(())).await
    }

    async fn lock(&mut self, rooms: &[RoomId]) -> Result<HashMap<RoomId, Head>> {
        self.step(Point::Lock, |_| Ok(())).await?;
        self.lock_rows(rooms.iter().map(|room| format!("room {room}")).collect()).await?;
        let mut heads: HashMap<RoomId, Head> = HashMap::new();
        for change in &self.changes {
            if let Change::Reserve(room, epoch) = change {
                heads.insert(room.clone(), Head { epoch: epoch.clone(), seq: Seq::ZERO });
            }
        }
        let stored = |tables: &mut Tables| rooms.iter().filter_map(|r| Some((r.clone(), tables.head(r)?))).collect();
        heads.extend::<HashMap<_, _>>(self.step(Point::Lock, |tables| Ok(stored(tables))).await?);
        self.heads.clone_from(&heads);
        Ok(heads)
    }

    async fn renew(&mut self, room: &RoomId, epoch: &Epoch) -> Result<()> {
        self.changes.push(Change::Renew(room.clone(), epoch.clone()));
        self.step(Point::Read, |_| Ok(())).await
    }

    async fn room(&mut self, room: &RoomId) -> Result<Option<StoredRoom>> {
        let mut stored = self.step(Point::Read, |tables| Ok(tables.room(room))).await?;
        for change in &self.changes {
            if let (Change::Renew(renewed, epoch), Some(stored)) = (change, &mut stored)
                && renewed == room
            {
                stored.epoch.clone_from(epoch);
            }
        }
        Ok(stored)
    }

    async fn keys(&mut self, keys: &[(RoomId, UserId, Key)]) -> Result<Vec<Option<KeyHit>>> {
        self.step(Point::Read, |tables| Ok(tables.hits(keys))).await
    }

    async fn targets(&mut self, targets: &[(RoomId, Seq)]) -> Result<HashMap<(RoomId, Seq), MessageMeta>> {
        self.step(Point::Read, |tables| Ok(tables.metas(targets))).await
    }

    async fn append(&mut self, events: &[NewEvent]) -> Result<()> {
        if !self.fenced {
            self.database.trace.wrong("unfenced", format!("node {} writes without its lease", self.process.node));
        }
        let mut heads = self.heads.clone();
        let mut keys = BTreeSet::new();
        for event in events {
            let head = heads.get_mut(&event.room).filter(|head| event.seq == head.seq.next());
            let head =
                head.ok_or_else(|| StoreError::Refused("a head is not where the batch continues from".into()))?;
            head.seq = event.seq;
            let key = event.key.as_ref().map(|(key, _)| (event.room.clone(), event.from.clone(), key.clone()));
            if key.is_some_and(|key| !keys.insert(key)) {
                return Err(StoreError::Refused("a key is there twice".into()));
            }
        }
        let named = |event: &NewEvent| Some((event.room.clone(), event.from.clone()?, event.key.clone()?.0));
        let names: Vec<_> = events.iter().filter_map(named).collect();
        let change = Change::Events(events.to_vec());
        self.step(Point::Append, |tables| match tables.hits(&names).into_iter().flatten().next() {
            Some(_) => Err(StoreError::Refused("a key is there already".into())),
            None => Ok(()),
        })
        .await?;
        self.changes.push(change);
        Ok(())
    }

    async fn append_user(&mut self, events: &[NewUserEvent]) -> Result<Vec<Result<Seq, KeyHit>>> {
        self.lock_rows(events.iter().map(|event| format!("user {}", event.user)).collect()).await?;
        let (numbered, fresh) = self.step(Point::Append, |tables| Ok(tables.number(events))).await?;
        self.changes.push(Change::UserEvents(fresh));
        Ok(numbered)
    }

    async fn links(&mut self, _: &[LinkId]) -> Result<Vec<StoredLink>> {
        Err(not_simulated())
    }

    async fn use_links(&mut self, _: &[(LinkId, u32)]) -> Result<()> {
        Err(not_simulated())
    }

    async fn mark(&mut self, markers: &[(RoomId, UserId, Seq)]) -> Result<()> {
        // As in the true stores, where two who move one marker wait for each other's row.
        self.lock_rows(markers.iter().map(|(room, user, _)| format!("marker {room} {user}")).collect()).await?;
        let marks = markers.iter().cloned().map(|(room, user, seq)| Change::Mark(room, user, seq));
        self.changes.extend(marks);
        self.step(Point::Read, |_| Ok(())).await
    }

    async fn retain(&mut self, _: &[(RoomId, Seq, Retained)]) -> Result<()> {
        Err(not_simulated())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        if self.failed {
            return Err(StoreError::Refused("a statement of this transaction failed".into()));
        }
        let changes = std::mem::take(&mut self.changes);
        let (now, trace, node) = (self.database.now(), self.database.trace.clone(), self.process.node);
        let held = self.held.clone();
        self.step(Point::Commit, move |tables| {
            trace.say(|| format!("node {node} commits {}", told(&changes)));
            tables.commit(changes, now);
            // The server frees the rows, whether or not anybody hears its answer.
            held.end();
            Ok(())
        })
        .await
    }
}

fn told(changes: &[Change]) -> String {
    let one = |change: &Change| match change {
        Change::Events(events) => {
            let each = events.iter().map(|e| format!("{}#{} {}", e.room, e.seq.value(), e.body.kind()));
            each.collect::<Vec<_>>().join(", ")
        }
        Change::UserEvents(events) => {
            let each = events.iter().map(|(seq, e)| format!("{}'s #{}", e.user, seq.value()));
            each.collect::<Vec<_>>().join(", ")
        }
        Change::Mark(room, user, seq) => format!("{user} read {room}#{}", seq.value()),
        other => format!("{other:?}"),
    };
    changes.iter().map(one).collect::<Vec<_>>().join("; ")
}
