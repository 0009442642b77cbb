//! Postgres.

use super::{Result, SharedStore, StoreError};

/// How to use a server.
#[derive(Debug, Clone)]
pub struct PgOptions {
    /// Connections that write.
    pub writers: u32,
    /// Connections that read.
    pub readers: u32,
    /// Whether the operator vouches that the server keeps promise 1 in another way than by its settings.
    pub vouched: bool,
    /// Whether missing migrations are to be applied.
    pub migrate: bool,
}

/// Opens a database.
///
/// # Errors
/// Always, until it is there.
pub async fn open(_url: &str, _options: PgOptions) -> Result<SharedStore> {
    Err(StoreError::Refused("Postgres is not supported yet".into()))
}
