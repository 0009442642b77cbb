//! A node that starts asks who is where before it lets anybody in: whoever came earlier would find those absent who are
//! on other nodes.

use super::*;

/// How long it waits for the bus and for what the others say, milliseconds. A node that died a moment ago still has its
/// lease and does not answer.
const ARRIVE_MS: Millis = 2_000;

impl Hub {
    /// Returns when every living node has told its slice, or after [`ARRIVE_MS`]: what is missing then comes later.
    pub async fn arrive(&self) {
        if self.nodes.alone {
            return;
        }
        let deadline = self.clock.now() + ARRIVE_MS;
        tokio::select! {
            biased;
            () = self.hear_slices() => {}
            () = self.clock.sleep_until(deadline) => tracing::info!("not every node has said yet who is there"),
        }
    }

    async fn hear_slices(&self) {
        let mut generation = self.nodes.bus.generation();
        while !self.nodes.hears() {
            if generation.changed().await.is_err() {
                return;
            }
        }
        let mut heard = self.nodes.heard_slice.subscribe();
        let own = self.nodes.lease.boot();
        let living: Vec<BootId> = match self.store.nodes(self.clock.now()).await {
            Ok(rows) => rows.into_iter().filter(|row| row.alive && row.boot != own).map(|row| row.boot).collect(),
            Err(error) => return tracing::warn!(%error, "the nodes' leases could not be read"),
        };
        for boot in &living {
            self.ask_slice(*boot);
        }
        while !living.iter().all(|boot| self.nodes.others.lock().has_slice_of(*boot)) {
            if heard.changed().await.is_err() {
                return;
            }
        }
    }
}
