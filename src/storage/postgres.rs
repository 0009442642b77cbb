//! Postgres, for any number of nodes.
//!
//! Writers lock the rooms of a batch in id order, so that commit order is sequence order on every node; a batch of
//! messages is one statement over arrays. A writer's connection is given up by the server when it idles in a
//! transaction for a second, so that a frozen node does not hold a room for the others.
//!
//! Erased words leave the tables at once. Dead row versions stay in the files until vacuum; the search index keeps
//! single words, without the places where they stood, until it is rebuilt (`REINDEX`); the write-ahead log, its
//! archives and backups keep what they were written with.

mod admin;
mod conn;
mod documents;
mod hot;
mod links;
mod nodes;
mod origin;
mod read;
mod tx;
mod upkeep;
mod write;

use super::{
    CallQuery, ListQuery, ListRow, MessagePage, MessageQuery, Result, SearchQuery, SharedStore, Store, StoreError,
    StoredEvent, StoredRoom, UserState, WriteTx,
    links::{CodeHash, LinkKind, NewGuest, StoredLink},
    migrations,
};
use async_trait::async_trait;
pub(super) use conn::error;
use conn::{Conn, Pools};
pub(super) use hot::index_words;
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::{collections::HashMap, str::FromStr, sync::Arc, time::Duration};
use stoa_protocol::{CallRecord, LinkId, Message, Millis, Profile, ReadMarker, RoomId, Seq, UserEvent, UserId};
use tokio::time::timeout;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long migrations may take, the wait for another node's included.
const MIGRATE: Duration = Duration::from_secs(600);

/// How to use a server.
#[derive(Debug, Clone)]
pub struct PgOptions {
    /// Connections for the writer's lanes. Two more write what goes beside them.
    pub writers: u32,
    /// Connections that read.
    pub readers: u32,
    /// Whether the operator vouches that the server keeps promise 1 in another way than by its settings.
    pub vouched: bool,
    /// Whether missing migrations are to be applied.
    pub migrate: bool,
    /// Between two passes of the upkeep.
    pub upkeep: Duration,
}

impl Default for PgOptions {
    fn default() -> Self {
        Self { writers: 4, readers: 6, vouched: false, migrate: false, upkeep: upkeep::PAUSE }
    }
}

/// A Postgres database.
pub struct PgStore {
    pools: Pools,
    about: String,
    upkeep: tokio::task::JoinHandle<()>,
}

/// Opens a database.
///
/// # Errors
/// [`StoreError::Refused`] when migrations are missing, when the server does not keep promise 1 and nobody vouches for
/// it, or when its text is not UTF-8; [`StoreError::Unavailable`] when it cannot be reached.
pub async fn open(url: &str, options: PgOptions) -> Result<SharedStore> {
    let connect = connect_options(url)?;
    let mut conn = bounded(CONNECT, PgConnection::connect_with(&connect)).await?;
    let keeps = examine(&mut conn, options.vouched).await?;
    let newest = prepare(&mut conn, options.migrate).await?;
    // Nothing depends on a polite end of a connection that did its work.
    let _ = bounded(CONNECT, conn.close()).await;
    let pools = Pools::open(&connect, &options).await?;
    let upkeep = tokio::spawn(upkeep::run(pools.clone(), options.upkeep));
    let about = format!("Postgres {keeps}, {}", migrations::describe(&migrations::postgres(), newest));
    Ok(Arc::new(PgStore { pools, about, upkeep }))
}

/// Reads a URL. Its errors do not repeat it, for it may hold a password.
pub(super) fn connect_options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::Refused("the database URL is not a legal postgres:// URL".into()))?;
    Ok(options.application_name("stoa").disable_statement_logging())
}

async fn bounded<T>(limit: Duration, call: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match timeout(limit, call).await {
        Ok(outcome) => outcome.map_err(error),
        Err(_) => Err(StoreError::Unavailable(format!("no answer within {} s", limit.as_secs()))),
    }
}

/// Whether the server keeps what it acknowledges; tells how.
async fn examine(conn: &mut PgConnection, vouched: bool) -> Result<String> {
    const SQL: &str = "SELECT current_setting('server_version_num')::bigint, current_setting('server_version'),
        current_setting('server_encoding'), current_setting('fsync'), current_setting('synchronous_commit'),
        current_setting('full_page_writes')";
    type Settings = (i64, String, String, String, String, String);
    let found: Settings = bounded(CONNECT, sqlx::query_as(SQL).fetch_one(conn)).await?;
    let (number, version, encoding, fsync, commit, pages) = found;
    if number < 130_000 {
        return Err(StoreError::Refused(format!("Postgres {version} is too old: 13 or later is needed")));
    }
    if encoding != "UTF8" {
        return Err(StoreError::Refused(format!("the database's encoding is {encoding}: UTF8 is needed")));
    }
    let settings = format!("fsync={fsync} synchronous_commit={commit} full_page_writes={pages}");
    let keeps = fsync == "on" && commit != "off" && pages == "on";
    match (keeps, vouched) {
        (true, _) => Ok(format!("{version} with {settings}")),
        (false, true) => Ok(format!("{version} with {settings}, for whose durability the operator vouches")),
        (false, false) => Err(StoreError::Refused(format!(
            "Postgres runs with {settings}: an acknowledged event could be lost. Switch them on, or vouch by \
             configuration that the service keeps commits in another way"
        ))),
    }
}

/// Migrates or checks the migrations; tells the newest.
async fn prepare(conn: &mut PgConnection, migrate: bool) -> Result<i64> {
    let migrator = migrations::postgres();
    if migrate {
        // sqlx takes an advisory lock, so that of several nodes one migrates and the others find everything done.
        let run = timeout(MIGRATE, migrator.run(&mut *conn)).await;
        run.map_err(|_| StoreError::Unavailable("migrations did not end in time".into()))?
            .map_err(|error| StoreError::Damaged(error.to_string()))?;
    }
    let there = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL");
    let applied = match bounded(CONNECT, there.fetch_one(&mut *conn)).await? {
        true => {
            let all = sqlx::query_as("SELECT version, success, checksum FROM _sqlx_migrations");
            bounded(CONNECT, all.fetch_all(conn)).await?
        }
        false => Vec::new(),
    };
    migrations::check(&migrator, &applied)
}

impl PgStore {
    async fn reader(&self) -> Result<Conn> {
        self.pools.reader().await
    }

    async fn writer(&self) -> Result<Conn> {
        self.pools.writer().await
    }
}

impl Drop for PgStore {
    fn drop(&mut self) {
        self.upkeep.abort();
    }
}

#[async_trait]
impl Store for PgStore {
    async fn begin(&self) -> Result<Box<dyn WriteTx>> {
        Ok(Box::new(tx::PgTx::begin(&self.pools).await?))
    }

    async fn room(&self, room: &RoomId) -> Result<Option<StoredRoom>> {
        read::room(&mut self.reader().await?, room).await
    }

    async fn events(&self, room: &RoomId, after: Seq, limit: u32) -> Result<Vec<StoredEvent>> {
        read::events(&mut self.reader().await?, room, after, limit).await
    }

    async fn messages(&self, query: &MessageQuery) -> Result<MessagePage> {
        read::page(&mut self.reader().await?, query).await
    }

    async fn search(&self, query: &SearchQuery) -> Result<(Vec<Message>, bool)> {
        read::search(&mut self.reader().await?, query).await
    }

    async fn list(&self, query: &ListQuery) -> Result<(Vec<ListRow>, bool)> {
        read::list(&mut self.reader().await?, query).await
    }

    async fn markers(&self, room: &RoomId, own: &UserId, limit: u32) -> Result<Vec<ReadMarker>> {
        read::markers(&mut self.reader().await?, room, own, limit).await
    }

    async fn calls(&self, query: &CallQuery) -> Result<(Vec<CallRecord>, bool)> {
        read::calls(&mut self.reader().await?, query).await
    }

    async fn running_calls(&self) -> Result<Vec<RoomId>> {
        read::running_calls(&mut self.reader().await?).await
    }

    async fn users(&self, users: &[UserId]) -> Result<Vec<UserState>> {
        read::users(&mut self.reader().await?, users).await
    }

    async fn user_events(&self, user: &UserId, after: Seq, limit: u32) -> Result<Vec<UserEvent>> {
        read::user_events(&mut self.reader().await?, user, after, limit).await
    }

    async fn profiles(&self, users: &[UserId]) -> Result<HashMap<UserId, Profile>> {
        read::profiles(&mut self.reader().await?, users).await
    }

    async fn put_profiles(&self, profiles: &[(UserId, Profile)]) -> Result<()> {
        write::put_profiles(&mut self.writer().await?, profiles).await
    }

    async fn put_seen(&self, seen: &[(UserId, Millis, String)]) -> Result<()> {
        write::put_seen(&mut self.writer().await?, seen).await
    }

    async fn revoke(&self, user: &UserId, before: Millis) -> Result<()> {
        write::revoke(&mut self.writer().await?, user, before).await
    }

    async fn setting(&self, name: &str, default: &str) -> Result<String> {
        write::setting(&mut self.writer().await?, name, default).await
    }

    async fn put_link(&self, link: &StoredLink, code: &CodeHash) -> Result<bool> {
        links::put(&self.pools, link, code).await
    }

    async fn link(&self, id: &LinkId) -> Result<Option<StoredLink>> {
        links::by_id(&mut self.reader().await?, id).await
    }

    async fn link_by_code(&self, code: &CodeHash) -> Result<Option<StoredLink>> {
        links::by_code(&mut self.reader().await?, code).await
    }

    async fn links(
        &self,
        room: &RoomId,
        kind: LinkKind,
        after: Option<&LinkId>,
        limit: u32,
    ) -> Result<Vec<StoredLink>> {
        links::of_room(&mut self.reader().await?, room, kind, after, limit).await
    }

    async fn revoke_link(&self, id: &LinkId, now: Millis) -> Result<()> {
        links::revoke(&self.pools, id, now).await
    }

    async fn admit_guest(&self, link: &LinkId, guest: &NewGuest) -> Result<bool> {
        links::admit(&self.pools, link, guest).await
    }

    async fn guest(&self, secret: &CodeHash) -> Result<Option<(UserId, StoredLink)>> {
        links::guest(&mut self.reader().await?, secret).await
    }

    async fn guests_of(&self, link: &LinkId, after: Option<&UserId>, limit: u32) -> Result<Vec<UserId>> {
        links::guests_of(&mut self.reader().await?, link, after, limit).await
    }

    async fn delete_room(&self, room: &RoomId) -> Result<bool> {
        admin::delete_room(&self.pools, room).await
    }

    async fn expire_messages(&self, now: Millis, limit: u32) -> Result<Vec<(RoomId, Seq)>> {
        admin::expire(&self.pools, now, limit).await
    }

    async fn erase_user(&self, user: &UserId) -> Result<Vec<RoomId>> {
        admin::erase_user(&self.pools, user).await
    }

    async fn messages_of(&self, user: &UserId, after: Option<(RoomId, Seq)>, limit: u32) -> Result<Vec<Message>> {
        read::messages_of(&mut self.reader().await?, user, after, limit).await
    }

    async fn health(&self) -> Result<String> {
        // A reader's connection, for under load the writers' are busy; a server in recovery cannot write.
        let row =
            self.reader().await?.one(sqlx::query("SELECT pg_is_in_recovery(), name FROM settings LIMIT 1")).await?;
        match super::rows::Cells::flag(&row, 0)? {
            true => Err(StoreError::Unavailable("the server is a standby and cannot write".into())),
            false => Ok(self.about.clone()),
        }
    }

    async fn close(&self) {
        self.upkeep.abort();
        self.pools.close().await;
    }
}
