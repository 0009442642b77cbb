//! What the database would otherwise do in a writer's transaction.

use super::conn::Pools;
use crate::storage::Result;
use std::time::Duration;

/// Between two looks. Merging in larger portions costs less; a search reads what is not merged.
const PAUSE: Duration = Duration::from_secs(2);

/// Merges new words into the search index, on one node at a time. Where the role does not own the index, autovacuum
/// does it.
pub async fn run(pools: Pools) {
    loop {
        tokio::time::sleep(PAUSE).await;
        if let Err(error) = merge(&pools).await {
            tracing::debug!(%error, "the search index was not merged");
        }
    }
}

async fn merge(pools: &Pools) -> Result<()> {
    const MERGE: &str = "SELECT CASE WHEN pg_try_advisory_xact_lock(7310578122416275310)
        THEN gin_clean_pending_list('messages_words'::regclass) ELSE 0 END";
    let mut conn = pools.begin_long().await?;
    let merged = conn.one(sqlx::query(MERGE)).await;
    match merged {
        Ok(_) => conn.simple("COMMIT").await,
        Err(error) => {
            conn.roll_back();
            Err(error)
        }
    }
}
