//! What an operator does to a store.

use super::flags::StoreFlags;
use crate::{
    config::{ConfigError, Database, LogFormat, StoreConfig},
    storage::{Result, ops},
    telemetry,
};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Where a backup goes.
#[derive(Args, Debug)]
pub(super) struct BackupFlags {
    #[command(flatten)]
    store: StoreFlags,
    /// The file to write; it must not exist
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Where a backup is.
#[derive(Args, Debug)]
pub(super) struct RestoreFlags {
    #[command(flatten)]
    store: StoreFlags,
    /// The backup
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

/// Between which databases to copy.
#[derive(Args, Debug)]
pub(super) struct CopyFlags {
    /// The database to read, sqlite://… ; stop its server first [env: STOA_COPY_FROM]
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// The database to write, postgres://… , without rooms; with a password better by the variable
    /// [env: STOA_COPY_TO]
    #[arg(long, value_name = "URL")]
    to: Option<String>,
}

#[derive(Subcommand, Debug)]
pub(super) enum StoreCommand {
    /// Tell the store that it was set back, by a restore or an asynchronous failover: every room and user gets a new
    /// epoch, so that clients start over instead of trusting places that are not there any more. Stop the servers first.
    Rewound(StoreFlags),
}

/// A change of a store, with where it is.
#[derive(Debug)]
pub(super) enum Operation {
    Migrate(Database),
    Backup(Database, PathBuf),
    Restore(PathBuf, Database),
    Rewound(Database),
    Copy(Database, Database),
}

impl Operation {
    pub(super) fn migrate(flags: &StoreFlags) -> Result<Self, ConfigError> {
        database(flags).map(Self::Migrate)
    }

    pub(super) fn backup(flags: BackupFlags) -> Result<Self, ConfigError> {
        Ok(Self::Backup(database(&flags.store)?, flags.to))
    }

    pub(super) fn restore(flags: RestoreFlags) -> Result<Self, ConfigError> {
        Ok(Self::Restore(flags.from, database(&flags.store)?))
    }

    pub(super) fn store(command: &StoreCommand) -> Result<Self, ConfigError> {
        match command {
            StoreCommand::Rewound(flags) => database(flags).map(Self::Rewound),
        }
    }

    pub(super) fn copy(flags: CopyFlags) -> Result<Self, ConfigError> {
        let from = end_of_copy("from", "STOA_COPY_FROM", flags.from)?;
        Ok(Self::Copy(from, end_of_copy("to", "STOA_COPY_TO", flags.to)?))
    }

    /// Does it, and says what was done on standard output.
    pub(super) fn run(self) -> anyhow::Result<()> {
        telemetry::init(LogFormat::Human)?;
        let done = super::block_on(async { Ok(self.perform().await?) })?;
        super::say(&format!("{done}\n"))
    }

    async fn perform(&self) -> Result<String> {
        match self {
            Self::Migrate(database) => ops::migrate(database).await,
            Self::Backup(database, file) => ops::backup(database, file).await,
            Self::Restore(file, database) => ops::restore(file, database).await,
            Self::Rewound(database) => ops::rewound(database).await,
            Self::Copy(from, to) => ops::copy(from, to).await,
        }
    }
}

fn database(flags: &StoreFlags) -> Result<Database, ConfigError> {
    Ok(StoreConfig::of(flags.layers()?)?.database)
}

fn end_of_copy(key: &str, variable: &str, flag: Option<String>) -> Result<Database, ConfigError> {
    let given = flag.or_else(|| std::env::var(variable).ok()).filter(|url| !url.is_empty());
    let url = given.ok_or_else(|| ConfigError::new(key, format!("is missing: give --{key} or {variable}")))?;
    url.parse().map_err(|message: String| ConfigError::new(key, message))
}
