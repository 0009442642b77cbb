//! A database of its own for every test, and the small words that the cases are written in.

use sqlx::{AssertSqlSafe, Connection};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};
use stoa::storage::{
    Digest, ListQuery, ListScope, MessageQuery, NewEvent, Place, SearchQuery, SearchScope, SharedStore, Store,
    postgres, sqlite,
};
use stoa_protocol::{
    ChatBody, Epoch, Key, LeaveReason, MemberJoined, Message, Millis, Role, RoomCreated, RoomEventBody, RoomId,
    RoomKind, Seq, UserId,
};

/// A store over a fresh database.
pub struct Bed {
    pub store: SharedStore,
    pub place: Database,
}

/// Where it is.
pub enum Database {
    Sqlite(Folder),
    Postgres { url: String, admin: String, name: String },
}

impl Database {
    /// One on the tests' server that nobody has migrated.
    pub async fn empty_postgres() -> Self {
        let admin = std::env::var("STOA_TEST_POSTGRES")
            .expect("STOA_TEST_POSTGRES names no server: run `make test`, which starts one");
        let name = format!("stoa_test_{}_{}", std::process::id(), unique());
        raw(&admin, &format!("CREATE DATABASE {name}")).await;
        let (base, _) = admin.rsplit_once('/').expect("a URL with a database");
        Self::Postgres { url: format!("{base}/{name}"), admin, name }
    }
}

impl Bed {
    pub async fn sqlite() -> Self {
        let folder = Folder::new();
        let store = sqlite::open(&folder.file(), true).await.expect("opens");
        Self { store, place: Database::Sqlite(folder) }
    }

    pub async fn postgres() -> Self {
        let place = Database::empty_postgres().await;
        let Database::Postgres { url, .. } = &place else { unreachable!("it is Postgres") };
        let store = postgres::open(url, options(true)).await.expect("opens");
        Self { store, place }
    }

    /// Another node on the same database.
    pub async fn another(&self) -> SharedStore {
        match &self.place {
            Database::Sqlite(folder) => sqlite::open(&folder.file(), false).await,
            Database::Postgres { url, .. } => postgres::open(url, options(false)).await,
        }
        .expect("opens")
    }

    /// Runs SQL that no store runs.
    pub async fn sql(&self, sql: &str) {
        match &self.place {
            Database::Sqlite(folder) => {
                let url = format!("sqlite://{}", folder.file().display());
                let mut conn = sqlx::SqliteConnection::connect(&url).await.expect("connects");
                // What a test takes away is to be gone as what the store takes away.
                sqlx::raw_sql("PRAGMA secure_delete = ON").execute(&mut conn).await.expect("runs");
                sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.expect("runs");
                conn.close().await.expect("closes");
            }
            Database::Postgres { url, .. } => raw(url, sql).await,
        }
    }

    /// A whole table in the order of its rows' names, in one form for both databases.
    pub async fn dump(&self, table: &str) -> Vec<serde_json::Value> {
        let (_, columns, flags) = *TABLES.iter().find(|(name, ..)| *name == table).expect("a table of ours");
        let plain = columns.split(' ').map(|name| format!("'{name}', {name}"));
        let rows: Vec<(String,)> = match &self.place {
            Database::Sqlite(folder) => {
                let flags = flags.split(' ').filter(|name| !name.is_empty());
                let flags = flags.map(|name| match name {
                    "digest" | "code" | "secret" => format!("'{name}', lower(hex({name}))"),
                    _ => format!("'{name}', json(iif({name}, 'true', 'false'))"),
                });
                let all: Vec<_> = plain.chain(flags).collect();
                let sql = format!("SELECT json_object({}) FROM {table}", all.join(", "));
                let url = format!("sqlite://{}", folder.file().display());
                let mut conn = sqlx::SqliteConnection::connect(&url).await.expect("connects");
                sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut conn).await.expect("reads")
            }
            Database::Postgres { url, .. } => {
                let flags = flags.split(' ').filter(|name| !name.is_empty());
                let flags = flags.map(|name| match name {
                    "digest" | "code" | "secret" => format!("'{name}', coalesce(encode({name}, 'hex'), '')"),
                    _ => format!("'{name}', {name}"),
                });
                let all: Vec<_> = plain.chain(flags).collect();
                let sql = format!("SELECT json_build_object({})::text FROM {table}", all.join(", "));
                let mut conn = sqlx::PgConnection::connect(url).await.expect("connects");
                sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut conn).await.expect("reads")
            }
        };
        let mut rows: Vec<serde_json::Value> =
            rows.iter().map(|(row,)| serde_json::from_str(row).expect("JSON")).collect();
        let names: Vec<_> = columns.split(' ').collect();
        rows.sort_by_key(|row| names.iter().map(|name| sortable(&row[*name])).collect::<Vec<_>>());
        rows
    }

    pub async fn drop(self) {
        self.store.close().await;
        match self.place {
            Database::Sqlite(folder) => drop(folder),
            Database::Postgres { admin, name, .. } => {
                raw(&admin, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
            }
        }
    }
}

/// Tables: their columns, and those that the two databases keep in different forms.
const TABLES: [(&str, &str, &str); 18] = [
    ("settings", "name value", ""),
    (
        "rooms",
        "id epoch head_seq kind title topic history slow_mode_s retention_days data created_at creator last_at",
        "archived",
    ),
    ("events", "room seq at kind v sender key target subject body stub", "digest"),
    ("messages", "room seq at sender text mentions reply_to thread data edited_at", "mention_all announcement deleted"),
    ("reactions", "room seq emoji user_id place", ""),
    ("mentions", "user_id room seq", "shown"),
    ("pins", "room seq place", ""),
    ("members", "room user_id role capabilities muted_until joined_seq joined_at data", ""),
    ("bans", "room user_id until_ms reason", ""),
    ("links", "id room kind role name creator created_at not_before expires_at uses used revoked_at", "code"),
    ("guests", "user_id link created_at", "secret"),
    ("markers", "room user_id seq", ""),
    ("calls", "room call started_at started_by media carried locked lobby ended_at reason", ""),
    ("call_participants", "room joined call session user_id device joined_at left_at reason quality", ""),
    ("call_marks", "room call kind name user_id at", ""),
    ("call_retained", "room call key value", ""),
    ("users", "id epoch head_seq revoked_before name avatar status last_seen", ""),
    ("user_events", "user_id seq at kind v sender key body", "digest"),
];

/// Text by its letters, numbers by their size.
fn sortable(value: &serde_json::Value) -> (u64, String) {
    (value.as_u64().unwrap_or_default(), value.as_str().unwrap_or_default().to_owned())
}

/// Every table.
pub fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, ..)| *name)
}

/// Small pools: many tests share one server.
pub fn options(migrate: bool) -> postgres::PgOptions {
    postgres::PgOptions { writers: 3, readers: 3, vouched: true, migrate, ..postgres::PgOptions::default() }
}

/// Runs SQL that only tests run.
pub async fn raw(url: &str, sql: &str) {
    let mut conn = sqlx::PgConnection::connect(url).await.expect("connects");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.expect("runs");
    conn.close().await.expect("closes");
}

fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A temporary folder that goes with its value.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("stoa-store-{}-{}", std::process::id(), unique()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self) -> PathBuf {
        self.0.join("stoa.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn room(id: &str) -> RoomId {
    RoomId::new(id).expect("legal")
}

pub fn user(id: &str) -> UserId {
    UserId::new(id).expect("legal")
}

pub fn key(id: &str) -> Key {
    Key::new(id).expect("legal")
}

pub fn at(number: u64) -> Seq {
    Seq::new(number).expect("small")
}

pub fn epoch(id: &str) -> Epoch {
    Epoch::new(id).expect("legal")
}

/// When the cases happen: each event a second after the one before.
pub const START: Millis = 1_700_000_000_000;

pub fn time(seq: Seq) -> Millis {
    START + seq.value() * 1_000
}

pub fn said(text: &str) -> RoomEventBody {
    RoomEventBody::ChatSent(ChatBody { text: text.into(), ..ChatBody::default() })
}

pub fn joined(who: &str) -> RoomEventBody {
    let user = user(who);
    RoomEventBody::MemberJoined(MemberJoined { user, role: Role::Member, capabilities: None, data: None })
}

pub fn left(who: &str) -> RoomEventBody {
    RoomEventBody::MemberLeft { user: user(who), reason: LeaveReason::Left }
}

pub fn edited(target: u64, text: &str, mentions: &[&str]) -> RoomEventBody {
    let mentions = mentions.iter().map(|who| user(who)).collect();
    RoomEventBody::ChatEdited { target: at(target), text: text.into(), mentions, data: None }
}

pub fn deleted(target: u64) -> RoomEventBody {
    RoomEventBody::ChatDeleted { target: at(target), thread: None }
}

pub fn reacted(target: u64, emoji: &str, on: bool) -> RoomEventBody {
    RoomEventBody::ChatReacted { target: at(target), emoji: emoji.into(), on }
}

pub fn pinned(target: u64, on: bool) -> RoomEventBody {
    RoomEventBody::ChatPinned { target: at(target), on }
}

/// Makes a room with these members, as one batch: numbers 1 to 1 + members.
pub async fn found(store: &dyn Store, id: &str, members: &[&str]) {
    let created = RoomEventBody::RoomCreated(RoomCreated::new(RoomKind::Group));
    let first = [("ann", created)].into_iter().chain(members.iter().map(|who| ("ann", joined(who))));
    let mut tx = store.begin().await.expect("begins");
    tx.reserve(&[(room(id), epoch(&format!("e-{id}")))]).await.expect("reserves");
    append(tx, id, first.collect()).await;
}

/// Appends as one batch; tells the places.
pub async fn put(store: &dyn Store, id: &str, events: Vec<(&str, RoomEventBody)>) -> Vec<u64> {
    append(store.begin().await.expect("begins"), id, events).await
}

async fn append(mut tx: Box<dyn stoa::storage::WriteTx>, id: &str, events: Vec<(&str, RoomEventBody)>) -> Vec<u64> {
    let heads = tx.lock(&[room(id)]).await.expect("locks");
    let events = numbered(id, heads[&room(id)].seq, events);
    tx.append(&events).await.expect("appends");
    tx.commit().await.expect("commits");
    events.iter().map(|event| event.seq.value()).collect()
}

/// Numbers events from a head. An empty sender is nobody.
pub fn numbered(id: &str, head: Seq, events: Vec<(&str, RoomEventBody)>) -> Vec<NewEvent> {
    let mut head = head;
    let number = |(from, body): (&str, RoomEventBody)| {
        head = head.next();
        let from = (!from.is_empty()).then(|| user(from));
        NewEvent { room: room(id), seq: head, at: time(head), from, key: None, body }
    };
    events.into_iter().map(number).collect()
}

/// One event under a key.
pub fn keyed(mut event: NewEvent, id: &str, digest: u8) -> NewEvent {
    event.key = Some((key(id), print(digest)));
    event
}

pub fn print(of: u8) -> Digest {
    [of; 16]
}

pub fn page(id: &str, reader: &str, place: Place, limit: u32) -> MessageQuery {
    MessageQuery { room: room(id), reader: user(reader), visible_after: Seq::ZERO, place, thread: None, limit }
}

pub async fn message(store: &dyn Store, id: &str, seq: u64) -> Message {
    let thread = None;
    for thread in [thread, Some(at(seq))] {
        let query = MessageQuery { thread, ..page(id, "nobody", Place::Around(at(seq)), 1) };
        let found = store.messages(&query).await.expect("reads").messages;
        if let Some(message) = found.into_iter().find(|message| message.seq == at(seq)) {
            return message;
        }
    }
    panic!("no message {seq} in {id}")
}

pub fn seqs(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.seq.value()).collect()
}

pub fn search(words: &str) -> SearchQuery {
    let scope = SearchScope::All;
    SearchQuery { query: words.into(), scope, reader: user("ann"), from: None, after: None, limit: 50 }
}

pub async fn hits(store: &dyn Store, words: &str) -> Vec<u64> {
    seqs(&store.search(&search(words)).await.expect("searches").0)
}

pub fn list(reader: &str, scope: ListScope) -> ListQuery {
    ListQuery { reader: user(reader), scope, after: None, archived: true, limit: 50 }
}
