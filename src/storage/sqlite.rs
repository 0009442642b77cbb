//! SQLite in a data folder: nothing to install.
//!
//! WAL with `synchronous=FULL`: a commit returns after the fsync of the log. One connection writes, a few read. Every
//! batch is a handful of statements over `json_each`, not one per row.
//!
//! Erased words are overwritten in the file (`secure_delete`, and FTS5's `secure-delete`). The write-ahead log keeps
//! older page versions until it is checkpointed: that is done at once for erasures of users, expiry and the deletion of
//! rooms, and some seconds after a message was deleted or edited. Backups keep what they were taken with.

mod admin;
mod documents;
mod links;
mod nodes;
mod read;
mod write;

use super::{
    CallQuery, ListQuery, ListRow, MessagePage, MessageQuery, Result, SearchQuery, SharedStore, Store, StoreError,
    StoredEvent, StoredRoom, UserState, WriteTx,
    links::{CodeHash, LinkKind, NewGuest, StoredLink},
    migrations,
    rows::Cells,
};
use async_trait::async_trait;
use sqlx::{
    ConnectOptions, Row, Sqlite, SqlitePool, Transaction,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use std::{collections::HashMap, future::Future, path::Path, sync::Arc, time::Duration};
use stoa_protocol::{CallRecord, LinkId, Message, Millis, Profile, ReadMarker, RoomId, Seq, UserEvent, UserId};
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// How long a call may take; a disk that needs longer is gone.
const CALL: Duration = Duration::from_secs(10);
/// How long an erasure or a deletion may take.
const ADMIN: Duration = Duration::from_secs(600);
/// How long another process may hold the write lock; a backup holds it for moments only.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// How long after a deletion the write-ahead log is emptied; several deletions share it.
const SCRUB: Duration = Duration::from_secs(5);
/// Connections that read: SQLite's readers share one page cache per connection.
const READERS: u32 = 4;

/// A SQLite database.
pub struct SqliteStore {
    write: SqlitePool,
    read: SqlitePool,
    about: String,
    /// Rung when words were erased, so that they leave the write-ahead log too.
    erased: Arc<Notify>,
    scrubber: JoinHandle<()>,
}

/// Opens a database file, and makes it when `migrate` is set.
///
/// # Errors
/// [`StoreError::Refused`] when migrations are missing or the file system cannot keep promise 1 (no WAL).
pub async fn open(path: &Path, migrate: bool) -> Result<SharedStore> {
    Ok(Arc::new(SqliteStore::open(path, migrate).await?))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

impl SqliteStore {
    /// As [`open`].
    pub(super) async fn open(path: &Path, migrate: bool) -> Result<Self> {
        if !migrate && !path.exists() {
            return Err(StoreError::Refused(format!("{} does not exist: run `stoa migrate` first", path.display())));
        }
        let writer = SqlitePoolOptions::new().max_connections(1).acquire_timeout(CALL).test_before_acquire(false);
        let write = writer.connect_with(options(path).create_if_missing(migrate)).await.map_err(error)?;
        let newest = prepare(&write, migrate).await?;
        let reader = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(CALL).test_before_acquire(false);
        let read = reader.connect_with(options(path).pragma("query_only", "ON")).await.map_err(error)?;
        let schema = migrations::describe(&migrations::sqlite(), newest);
        let about = format!("SQLite in WAL with synchronous=FULL, {schema}");
        let erased = Arc::new(Notify::new());
        let scrubber = tokio::spawn(scrub(write.clone(), erased.clone()));
        Ok(Self { write, read, about, erased, scrubber })
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>> {
        self.read.acquire().await.map_err(error)
    }

    /// Empties the write-ahead log, so that erased words leave it too; later, when a reader is in the way.
    async fn scrub_now(&self) {
        if !checkpoint(&self.write).await {
            self.erased.notify_one();
        }
    }

    async fn writer(&self) -> Result<Transaction<'static, Sqlite>> {
        self.write.begin_with("BEGIN IMMEDIATE").await.map_err(error)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.scrubber.abort();
    }
}

/// Empties the write-ahead log some seconds after it was told that words were erased.
async fn scrub(write: SqlitePool, erased: Arc<Notify>) {
    loop {
        erased.notified().await;
        sleep(SCRUB).await;
        if !checkpoint(&write).await {
            // A reader was in the middle of a page.
            erased.notify_one();
        }
    }
}

/// Moves the write-ahead log into the file and empties it; tells whether nobody was in the way.
async fn checkpoint(write: &SqlitePool) -> bool {
    match sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(write).await {
        Ok(row) => row.try_get::<i64, _>(0).is_ok_and(|busy| busy == 0),
        Err(error) => {
            tracing::warn!(%error, "the write-ahead log keeps erased words until the next checkpoint");
            false
        }
    }
}

/// Migrates or checks the migrations, and checks that the database keeps promise 1.
async fn prepare(write: &SqlitePool, migrate: bool) -> Result<i64> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(write).await.map_err(error)?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(write).await.map_err(error)?;
    if mode != "wal" || synchronous != 2 {
        let found = format!("journal_mode={mode} synchronous={synchronous}");
        return Err(StoreError::Refused(format!("{found}: an acknowledged event needs WAL with FULL (2)")));
    }
    let migrator = migrations::sqlite();
    if migrate {
        // Its own transaction, so that of two processes one waits for the other and finds everything done.
        let mut tx = write.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
        migrator.run(&mut *tx).await.map_err(|error| StoreError::Damaged(error.to_string()))?;
        tx.commit().await.map_err(error)?;
    }
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'")
        .fetch_one(write)
        .await
        .map_err(error)?;
    let applied = match there {
        0 => Vec::new(),
        _ => sqlx::query_as("SELECT version, success, checksum FROM _sqlx_migrations")
            .fetch_all(write)
            .await
            .map_err(error)?,
    };
    migrations::check(&migrator, &applied)
}

/// What a failure of SQLite means. Codes: <https://www.sqlite.org/rescode.html>.
pub(super) fn error(error: sqlx::Error) -> StoreError {
    let text = error.to_string();
    match &error {
        sqlx::Error::Database(database) => {
            let code = database.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or_default();
            match code & 0xff {
                // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL.
                5..=10 | 13 | 14 | 15 => StoreError::Unavailable(text),
                // TOOBIG, CONSTRAINT, MISMATCH, RANGE.
                18 | 19 | 20 | 25 => StoreError::Refused(text),
                _ => StoreError::Damaged(text),
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => StoreError::Unavailable(text),
        _ => StoreError::Damaged(text),
    }
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
    match timeout(limit, call).await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::Unavailable(format!("no answer within {} s", limit.as_secs()))),
    }
}

impl Cells for SqliteRow {
    fn text(&self, column: usize) -> Result<Option<&str>> {
        self.try_get(column).map_err(error)
    }
    fn int(&self, column: usize) -> Result<Option<i64>> {
        self.try_get(column).map_err(error)
    }
    fn flag(&self, column: usize) -> Result<bool> {
        self.try_get::<i64, _>(column).map(|value| value != 0).map_err(error)
    }
    fn bytes(&self, column: usize) -> Result<Option<&[u8]>> {
        self.try_get(column).map_err(error)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn begin(&self) -> Result<Box<dyn WriteTx>> {
        Ok(Box::new(write::SqliteTx::new(within(CALL, self.writer()).await?, self.erased.clone())))
    }

    async fn room(&self, room: &RoomId) -> Result<Option<StoredRoom>> {
        within(CALL, async { read::room(&mut *self.reader().await?, room).await }).await
    }

    async fn events(&self, room: &RoomId, after: Seq, limit: u32) -> Result<Vec<StoredEvent>> {
        within(CALL, async { read::events(&mut *self.reader().await?, room, after, limit).await }).await
    }

    async fn messages(&self, query: &MessageQuery) -> Result<MessagePage> {
        within(CALL, async { read::page(&mut *self.reader().await?, query).await }).await
    }

    async fn search(&self, query: &SearchQuery) -> Result<(Vec<Message>, bool)> {
        within(CALL, async { read::search(&mut *self.reader().await?, query).await }).await
    }

    async fn list(&self, query: &ListQuery) -> Result<(Vec<ListRow>, bool)> {
        within(CALL, async { read::list(&mut *self.reader().await?, query).await }).await
    }

    async fn markers(&self, room: &RoomId, own: &UserId, limit: u32) -> Result<Vec<ReadMarker>> {
        within(CALL, async { read::markers(&mut *self.reader().await?, room, own, limit).await }).await
    }

    async fn calls(&self, query: &CallQuery) -> Result<(Vec<CallRecord>, bool)> {
        within(CALL, async { read::calls(&mut *self.reader().await?, query).await }).await
    }

    async fn running_calls(&self) -> Result<Vec<RoomId>> {
        within(CALL, async { read::running_calls(&mut *self.reader().await?).await }).await
    }

    async fn users(&self, users: &[UserId]) -> Result<Vec<UserState>> {
        within(CALL, async { read::users(&mut *self.reader().await?, users).await }).await
    }

    async fn user_events(&self, user: &UserId, after: Seq, limit: u32) -> Result<Vec<UserEvent>> {
        within(CALL, async { read::user_events(&mut *self.reader().await?, user, after, limit).await }).await
    }

    async fn profiles(&self, users: &[UserId]) -> Result<HashMap<UserId, Profile>> {
        within(CALL, async { read::profiles(&mut *self.reader().await?, users).await }).await
    }

    async fn put_profiles(&self, profiles: &[(UserId, Profile)]) -> Result<()> {
        within(CALL, async { write::put_profiles(self.writer().await?, profiles).await }).await
    }

    async fn put_seen(&self, seen: &[(UserId, Millis, String)]) -> Result<()> {
        within(CALL, async { write::put_seen(self.writer().await?, seen).await }).await
    }

    async fn revoke(&self, user: &UserId, before: Millis) -> Result<()> {
        within(CALL, async { write::revoke(self.writer().await?, user, before).await }).await
    }

    async fn setting(&self, name: &str, default: &str) -> Result<String> {
        within(CALL, async { write::setting(self.writer().await?, name, default).await }).await
    }

    async fn put_link(&self, link: &StoredLink, code: &CodeHash) -> Result<bool> {
        within(CALL, async { links::put(self.writer().await?, link, code).await }).await
    }

    async fn link(&self, id: &LinkId) -> Result<Option<StoredLink>> {
        within(CALL, async { links::by_id(&mut *self.reader().await?, id).await }).await
    }

    async fn link_by_code(&self, code: &CodeHash) -> Result<Option<StoredLink>> {
        within(CALL, async { links::by_code(&mut *self.reader().await?, code).await }).await
    }

    async fn links(
        &self,
        room: &RoomId,
        kind: LinkKind,
        after: Option<&LinkId>,
        limit: u32,
    ) -> Result<Vec<StoredLink>> {
        within(CALL, async { links::of_room(&mut *self.reader().await?, room, kind, after, limit).await }).await
    }

    async fn revoke_link(&self, id: &LinkId, now: Millis) -> Result<()> {
        within(CALL, async { links::revoke(self.writer().await?, id, now).await }).await
    }

    async fn admit_guest(&self, link: &LinkId, guest: &NewGuest) -> Result<bool> {
        within(CALL, async { links::admit(self.writer().await?, link, guest).await }).await
    }

    async fn guest(&self, secret: &CodeHash) -> Result<Option<(UserId, StoredLink)>> {
        within(CALL, async { links::guest(&mut *self.reader().await?, secret).await }).await
    }

    async fn guests_of(&self, link: &LinkId, after: Option<&UserId>, limit: u32) -> Result<Vec<UserId>> {
        within(CALL, async { links::guests_of(&mut *self.reader().await?, link, after, limit).await }).await
    }

    async fn delete_room(&self, room: &RoomId) -> Result<bool> {
        let deleted = within(ADMIN, async { admin::delete_room(self.writer().await?, room).await }).await?;
        self.scrub_now().await;
        Ok(deleted)
    }

    async fn expire_messages(&self, now: Millis, limit: u32) -> Result<Vec<(RoomId, Seq)>> {
        let gone = within(ADMIN, async { admin::expire(self.writer().await?, now, limit).await }).await?;
        if !gone.is_empty() {
            self.scrub_now().await;
        }
        Ok(gone)
    }

    async fn erase_user(&self, user: &UserId) -> Result<Vec<RoomId>> {
        let rooms = within(ADMIN, async { admin::erase_user(self.writer().await?, user).await }).await?;
        self.scrub_now().await;
        Ok(rooms)
    }

    async fn messages_of(&self, user: &UserId, after: Option<(RoomId, Seq)>, limit: u32) -> Result<Vec<Message>> {
        within(CALL, async { read::messages_of(&mut *self.reader().await?, user, after, limit).await }).await
    }

    async fn health(&self) -> Result<String> {
        let answer = async {
            let mut reader = self.reader().await?;
            sqlx::query("SELECT name FROM settings LIMIT 1").execute(&mut *reader).await.map_err(error)?;
            // Taking the write lock and giving it back tells that nobody else holds it and that the disk is writable.
            self.writer().await?.rollback().await.map_err(error)?;
            Ok(self.about.clone())
        };
        within(CALL, answer).await
    }

    async fn close(&self) {
        self.scrubber.abort();
        self.read.close().await;
        self.write.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn outcome(name: &str, options: fn(SqliteConnectOptions) -> SqliteConnectOptions) -> Result<i64> {
        let path = std::env::temp_dir().join(format!("stoa-{}-{name}.db", std::process::id()));
        let options = options(super::options(&path).create_if_missing(true));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(error)?;
        let outcome = prepare(&pool, true).await;
        pool.close().await;
        std::fs::remove_file(&path).expect("was made");
        outcome
    }

    #[tokio::test]
    async fn a_database_that_does_not_sync_its_log_is_refused() {
        assert!(outcome("full", |o| o).await.is_ok());
        let normal = outcome("normal", |o| o.synchronous(SqliteSynchronous::Normal)).await;
        assert!(matches!(normal, Err(StoreError::Refused(_))), "{normal:?}");
        let delete = outcome("delete", |o| o.journal_mode(SqliteJournalMode::Delete)).await;
        assert!(matches!(delete, Err(StoreError::Refused(_))), "{delete:?}");
    }
}
