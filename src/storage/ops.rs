//! What an operator does to a store: migrate it, back it up, put it back, tell it that it was set back, move it to
//! Postgres. Each tells in a sentence what it did.

mod copy;

use super::{
    Result, SharedStore, StoreError, migrations,
    postgres::{self, PgOptions},
    sqlite,
};
use crate::config::Database;
use sqlx::{
    Connection, Executor, PgConnection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

pub use copy::copy;

/// Opens a store, wherever it is. SQLite has no use for connection counts.
///
/// # Errors
/// As [`sqlite::open`] and [`postgres::open`].
pub async fn open(database: &Database, options: PgOptions) -> Result<SharedStore> {
    match database {
        Database::Sqlite(path) => sqlite::open(path, options.migrate).await,
        Database::Postgres(url) => postgres::open(url.expose(), options).await,
    }
}

/// Brings a database to this binary's schema; makes a SQLite file that is not there.
///
/// # Errors
/// As [`open`].
pub async fn migrate(database: &Database) -> Result<String> {
    // Whether the server keeps its commits is asked when it is to be served from.
    let options = PgOptions { writers: 1, readers: 1, vouched: true, migrate: true, ..PgOptions::default() };
    if let Database::Sqlite(path) = database {
        create_folder(path)?;
    }
    let store = open(database, options).await?;
    let about = store.health().await?;
    store.close().await;
    Ok(format!("{database} is ready: {about}"))
}

/// Writes a consistent copy of a SQLite store into a new file, while the server runs. What was erased before is not in
/// it.
///
/// # Errors
/// [`StoreError::Refused`] for Postgres, which has `pg_dump`, when there is no store, or when the file exists.
pub async fn backup(database: &Database, file: &Path) -> Result<String> {
    let Database::Sqlite(path) = database else {
        return Err(StoreError::Refused(
            "a Postgres store is backed up by Postgres: use pg_dump, or the service's own snapshots".into(),
        ));
    };
    must_exist(path)?;
    must_not_exist(file)?;
    let half = beside(file, "half");
    remove(&half)?;
    let mut conn = connect(path, SqliteJournalMode::Wal).await?;
    let written = sqlx::query("VACUUM INTO ?1").bind(half.display().to_string()).execute(&mut conn).await;
    written.map_err(sqlite::error)?;
    conn.close().await.map_err(sqlite::error)?;
    put_in_place(&half, file)?;
    let bytes = std::fs::metadata(file).map_err(io_error(file))?.len();
    Ok(format!("{database} is backed up in {} ({bytes} bytes)", file.display()))
}

/// Puts a backup into the place of a SQLite store that is not there. Every log begins a new life, so that clients with
/// a cursor past the backup are told to start over.
///
/// # Errors
/// [`StoreError::Refused`] for Postgres, when a store is in the place, or when the backup is none;
/// [`StoreError::Damaged`] when it does not pass SQLite's integrity check.
pub async fn restore(file: &Path, database: &Database) -> Result<String> {
    let Database::Sqlite(path) = database else {
        return Err(StoreError::Refused(
            "a Postgres store is restored by Postgres (pg_restore); run `stoa store rewound` after it".into(),
        ));
    };
    must_exist(file)?;
    must_not_exist(path)?;
    for left in ["-wal", "-shm"].map(|end| with_end(path, end)) {
        // They would be read as the restored file's own.
        must_not_exist(&left)?;
    }
    create_folder(path)?;
    let half = beside(path, "half");
    remove(&half)?;
    std::fs::copy(file, &half).map_err(io_error(file))?;
    let outcome = renew(&half).await;
    if outcome.is_err() {
        remove(&half)?;
    }
    let (rooms, users) = outcome?;
    put_in_place(&half, path)?;
    Ok(format!("{database} is restored from {}: {rooms} rooms and {users} users have new epochs", file.display()))
}

/// Checks a copied file, migrates it and gives its logs new epochs. Without a write-ahead log, so that it is one file.
async fn renew(path: &Path) -> Result<(u64, u64)> {
    let mut conn = connect(path, SqliteJournalMode::Delete).await?;
    let verdict: String =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut conn).await.map_err(sqlite::error)?;
    if verdict != "ok" {
        return Err(StoreError::Damaged(format!("the backup is damaged: {verdict}")));
    }
    must_be_ours(&mut conn).await?;
    migrations::sqlite().run(&mut conn).await.map_err(|error| StoreError::Damaged(error.to_string()))?;
    let renewed = new_sqlite_epochs(&mut conn).await?;
    conn.close().await.map_err(sqlite::error)?;
    Ok(renewed)
}

/// Tells a store that it was set back (a restore, an asynchronous failover): every log begins a new life. Stop the
/// servers first, for they hold the old one in memory.
///
/// # Errors
/// [`StoreError::Refused`] when there is no store, or its migrations are missing.
pub async fn rewound(database: &Database) -> Result<String> {
    let (rooms, users) = match database {
        Database::Sqlite(path) => {
            must_exist(path)?;
            let mut conn = connect(path, SqliteJournalMode::Wal).await?;
            must_be_ours(&mut conn).await?;
            let renewed = new_sqlite_epochs(&mut conn).await?;
            conn.close().await.map_err(sqlite::error)?;
            renewed
        }
        Database::Postgres(url) => {
            let connect = postgres::connect_options(url.expose())?;
            let mut conn = PgConnection::connect_with(&connect).await.map_err(postgres::error)?;
            let renewed = new_postgres_epochs(&mut conn).await.map_err(postgres::error)?;
            conn.close().await.map_err(postgres::error)?;
            renewed
        }
    };
    Ok(format!("{database}: {rooms} rooms and {users} users have new epochs"))
}

async fn new_sqlite_epochs(conn: &mut SqliteConnection) -> Result<(u64, u64)> {
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.map_err(sqlite::error)?;
    let rooms = tx.execute("UPDATE rooms SET epoch = lower(hex(randomblob(8)))").await.map_err(sqlite::error)?;
    let users = tx.execute("UPDATE users SET epoch = lower(hex(randomblob(8)))").await.map_err(sqlite::error)?;
    tx.execute("UPDATE document_states SET epoch = lower(hex(randomblob(8)))").await.map_err(sqlite::error)?;
    tx.execute("UPDATE settings SET value = lower(hex(randomblob(8))) WHERE name = 'user_epoch'")
        .await
        .map_err(sqlite::error)?;
    tx.commit().await.map_err(sqlite::error)?;
    Ok((rooms.rows_affected(), users.rows_affected()))
}

async fn new_postgres_epochs(conn: &mut PgConnection) -> sqlx::Result<(u64, u64)> {
    let mut tx = conn.begin().await?;
    // A writer locks rooms one by one; the whole table is locked here, and writers wait or give up.
    tx.execute("LOCK TABLE rooms, users IN EXCLUSIVE MODE").await?;
    let rooms = tx.execute("UPDATE rooms SET epoch = substr(md5(gen_random_uuid()::text), 1, 16)").await?;
    let users = tx.execute("UPDATE users SET epoch = substr(md5(gen_random_uuid()::text), 1, 16)").await?;
    tx.execute("UPDATE document_states SET epoch = substr(md5(gen_random_uuid()::text), 1, 16)").await?;
    tx.execute("UPDATE settings SET value = substr(md5(gen_random_uuid()::text), 1, 16) WHERE name = 'user_epoch'")
        .await?;
    tx.commit().await?;
    Ok((rooms.rows_affected(), users.rows_affected()))
}

async fn connect(path: &Path, mode: SqliteJournalMode) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(mode)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(sqlite::BUSY)
        .pragma("secure_delete", "ON");
    SqliteConnection::connect_with(&options).await.map_err(sqlite::error)
}

/// A SQLite file of something else is not touched.
async fn must_be_ours(conn: &mut SqliteConnection) -> Result<()> {
    const SQL: &str = "SELECT count(*) FROM sqlite_master
        WHERE name IN ('_sqlx_migrations', 'rooms', 'events', 'messages', 'user_events')";
    let tables: i64 = sqlx::query_scalar(SQL).fetch_one(conn).await.map_err(sqlite::error)?;
    match tables {
        5 => Ok(()),
        _ => Err(StoreError::Refused("the file is not a store of Stoa's".into())),
    }
}

fn must_exist(path: &Path) -> Result<()> {
    match path.is_file() {
        true => Ok(()),
        false => Err(StoreError::Refused(format!("{} is not there", path.display()))),
    }
}

fn must_not_exist(path: &Path) -> Result<()> {
    match path.exists() {
        false => Ok(()),
        true => Err(StoreError::Refused(format!("{} exists already: move it away first", path.display()))),
    }
}

fn create_folder(path: &Path) -> Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder).map_err(io_error(folder)),
        None => Ok(()),
    }
}

/// A file that is not complete yet, in the folder in which it will be.
fn beside(path: &Path, end: &str) -> PathBuf {
    with_end(path, &format!(".{end}"))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Syncs a complete file and gives it its name, so that a power loss leaves either none or all of it.
fn put_in_place(half: &Path, file: &Path) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(half).and_then(|half| half.sync_all()).map_err(io_error(half))?;
    std::fs::rename(half, file).map_err(io_error(file))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error(folder))
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> StoreError + '_ {
    |error| StoreError::Unavailable(format!("{}: {error}", path.display()))
}
