//! What the database would otherwise do in a writer's transaction.

use super::{conn::Pools, nodes};
use crate::storage::{HeadsMark, MARK_MS, Result};
use std::time::Duration;

/// Between two passes. Merging in larger portions costs less; a search reads what is not merged.
pub const PAUSE: Duration = Duration::from_secs(2);
/// Moves are kept for this many passes at least and twice as many at most: for twice as long as a mark is good.
const KEPT: u32 = (2 * MARK_MS / 1_000 / PAUSE.as_secs()) as u32;

/// Keeps what grows with every write in its bounds.
pub async fn run(pools: Pools, pause: Duration) {
    let mut before = None;
    for turn in (1..=KEPT).cycle() {
        tokio::time::sleep(pause).await;
        if let Err(error) = merge(&pools).await {
            tracing::debug!(%error, "the search index was not merged");
        }
        if turn == KEPT {
            before = prune(&pools, before.as_ref()).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "old moves were not dropped");
                None
            });
        }
    }
}

async fn prune(pools: &Pools, before: Option<&HeadsMark>) -> Result<Option<HeadsMark>> {
    let mut conn = pools.begin_long().await?;
    match nodes::prune(&mut conn, before).await {
        Ok(place) => conn.simple("COMMIT").await.map(|()| place),
        Err(error) => {
            conn.roll_back();
            Err(error)
        }
    }
}

/// Merges new words into the search index, on one node at a time. Where the role does not own the index, autovacuum
/// does it.
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
