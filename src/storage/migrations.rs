//! The migrations that this binary knows, embedded. They are additive: an older binary runs on a newer database, so
//! that nodes are replaced one by one.

use super::{Result, StoreError};
use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// One migration: number, name, SQL.
type Source = (i64, &'static str, &'static str);

const SQLITE: &[Source] = &[
    (1, "first", include_str!("../../migrations/sqlite/0001_first.sql")),
    (2, "links", include_str!("../../migrations/sqlite/0002_links.sql")),
    (3, "calls", include_str!("../../migrations/sqlite/0003_calls.sql")),
    (4, "documents", include_str!("../../migrations/sqlite/0004_documents.sql")),
    (5, "nodes", include_str!("../../migrations/sqlite/0005_nodes.sql")),
    (6, "upkeep", include_str!("../../migrations/sqlite/0006_upkeep.sql")),
];
const POSTGRES: &[Source] = &[
    (1, "first", include_str!("../../migrations/postgres/0001_first.sql")),
    (2, "links", include_str!("../../migrations/postgres/0002_links.sql")),
    (3, "calls", include_str!("../../migrations/postgres/0003_calls.sql")),
    (4, "documents", include_str!("../../migrations/postgres/0004_documents.sql")),
    (5, "nodes", include_str!("../../migrations/postgres/0005_nodes.sql")),
    (6, "upkeep", include_str!("../../migrations/postgres/0006_upkeep.sql")),
];

/// Those of SQLite.
pub fn sqlite() -> Migrator {
    migrator(SQLITE)
}

/// Those of Postgres.
pub fn postgres() -> Migrator {
    migrator(POSTGRES)
}

fn migrator(sources: &[Source]) -> Migrator {
    let migration = |&(version, name, sql): &Source| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(sources.iter().map(migration).collect());
    // A newer database has migrations that this binary does not know; they are additive.
    migrator.set_ignore_missing(true);
    migrator
}

/// A migration that a database has: number, whether it went through, checksum.
pub type Applied = (i64, bool, Vec<u8>);

/// Compares what a database has with what this binary needs; the answer is the database's newest migration.
///
/// # Errors
/// [`StoreError::Refused`] when some are missing, [`StoreError::Damaged`] when one differs or did not finish.
pub fn check(migrator: &Migrator, applied: &[Applied]) -> Result<i64> {
    if let Some((version, ..)) = applied.iter().find(|(_, success, _)| !success) {
        return Err(StoreError::Damaged(format!("migration {version} did not finish")));
    }
    for known in migrator.iter() {
        match applied.iter().find(|(version, ..)| *version == known.version) {
            Some((_, _, checksum)) if *checksum == *known.checksum => {}
            Some((version, ..)) => {
                return Err(StoreError::Damaged(format!("migration {version} is not the one that was applied")));
            }
            None => {
                let missing = format!("migration {} is missing: run `stoa migrate` first", known.version);
                return Err(StoreError::Refused(missing));
            }
        }
    }
    Ok(applied.iter().map(|(version, ..)| *version).max().unwrap_or_default())
}

/// How a database's newest migration relates to this binary.
pub fn describe(migrator: &Migrator, newest: i64) -> String {
    match migrator.iter().map(|known| known.version).max() {
        Some(known) if known < newest => {
            format!("schema {newest}, newer than this binary's {known}, which it can work with")
        }
        Some(_) | None => format!("schema {newest}"),
    }
}
