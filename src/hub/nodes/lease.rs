//! This node's lease, and what follows from the others'.

use super::*;
use crate::storage::{LEASE_MS, Lease as Outcome, RENEW_MS};

/// Nobody's time yet.
const NEVER: u64 = u64::MAX;

/// The lease under which this node writes.
pub(super) struct Lease {
    boot: Mutex<BootId>,
    name: String,
    /// Since when every renewal was answered; what the store did not hear of others before may be the store's fault.
    steady_since: AtomicU64,
    /// Whether the row is there.
    taken: AtomicBool,
}

impl Lease {
    pub(super) fn new(boot: BootId, name: String) -> Self {
        Self { boot: Mutex::new(boot), name, steady_since: AtomicU64::new(NEVER), taken: AtomicBool::new(false) }
    }

    pub(super) fn boot(&self) -> BootId {
        *self.boot.lock()
    }

    /// Whether the store has answered for a whole lease: then others could have renewed theirs too.
    fn is_steady(&self, now: Millis) -> bool {
        let since = self.steady_since.load(Ordering::Acquire);
        since != NEVER && since + LEASE_MS <= now
    }
}

impl Hub {
    /// Takes the lease, before which nothing can be written, and notes from where on moves are looked at: whatever
    /// moves from now on is found, also what is in memory before the first look.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn join(&self) -> crate::storage::Result<()> {
        if !self.nodes.alone {
            self.renew().await?;
            let mark = self.store.heads(None).await?.mark;
            *self.nodes.mark.lock() = Some(mark);
        }
        Ok(())
    }

    /// This node goes: the others know at once, and need not wait for its lease to run out.
    pub fn leave(&self) {
        self.ring_leaving();
    }

    /// Renews the lease, or takes one under a new boot id when it ran out.
    async fn renew(&self) -> crate::storage::Result<()> {
        let lease = &self.nodes.lease;
        for _ in 0..2 {
            let (boot, first) = (lease.boot(), !lease.taken.load(Ordering::Acquire));
            let now = self.clock.now();
            match self.store.renew(boot, &lease.name, first, now).await {
                Ok(Outcome::Held) => {
                    lease.taken.store(true, Ordering::Release);
                    let _first = lease.steady_since.compare_exchange(NEVER, now, Ordering::AcqRel, Ordering::Acquire);
                    return Ok(());
                }
                Ok(Outcome::Lost) => {
                    let fresh = if super::super::planted("lease-kept") { boot } else { BootId::fresh() };
                    tracing::warn!(%boot, %fresh, "the lease ran out; this node goes on as another");
                    *lease.boot.lock() = fresh;
                    lease.taken.store(false, Ordering::Release);
                    self.nodes.bus.speak_as(fresh);
                    self.metrics.leases_lost.inc();
                }
                Err(error) => {
                    lease.steady_since.store(NEVER, Ordering::Release);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Every second: the lease, the others' leases, and a sign of life.
    async fn look_at_nodes(self: &Arc<Self>) {
        let now = self.clock.now();
        self.nodes.asked.lock().clear();
        if let Err(error) = self.renew().await {
            tracing::warn!(%error, "the lease could not be renewed");
        } else {
            match self.store.nodes(now).await {
                Ok(rows) => self.settle_nodes(&rows, now),
                Err(error) => tracing::warn!(%error, "the nodes' leases could not be read"),
            }
        }
        let (gone, changed) = self.nodes.others.lock().tick(now);
        if !gone.is_empty() {
            self.forget_nodes(&gone);
        }
        self.moved_elsewhere(changed);
        let (n, timeline) = (self.nodes.said.load(Ordering::Acquire), self.store.timeline());
        self.nodes.say_to_nodes(|| OfNodes::Beat { n, timeline });
    }

    /// Who has no lease is dead, unless the store was away lately and nobody could renew.
    fn settle_nodes(self: &Arc<Self>, rows: &[crate::storage::NodeRow], now: Millis) {
        self.metrics.nodes.set(rows.iter().filter(|row| row.alive).count() as i64);
        if !self.nodes.lease.is_steady(now) {
            return;
        }
        let known: Vec<BootId> = self.nodes.others.lock().nodes().collect();
        for boot in known {
            let alive = rows.iter().any(|row| row.boot == boot && row.alive);
            if !alive && self.nodes.others.lock().dead(boot, now) {
                tracing::warn!(%boot, "a node is dead: its people are held for a grace");
                let hub = self.clone();
                // Somebody has to end the rings and graces of calls that it alone had in memory.
                self.tasks.spawn(async move {
                    if let Err(fault) = hub.resume_calls().await {
                        tracing::warn!(%fault, "running calls could not be read");
                    }
                });
            }
        }
    }

    /// Nodes are gone for good: what they said of rooms is void.
    fn forget_nodes(self: &Arc<Self>, gone: &[BootId]) {
        let cells: Vec<_> = self.rooms.iter().map(|cell| cell.clone()).collect();
        for cell in cells {
            let moved = {
                let mut live = cell.lock();
                // Each of them, also behind the first that had people here.
                gone.iter().filter(|node| live.forget_node(**node)).count() > 0
            };
            if moved {
                self.tick_later(&cell);
            }
        }
        self.forget_awareness(gone);
    }
}

/// Renews, until shutdown.
pub async fn run(hub: Arc<Hub>, shutdown: CancellationToken) {
    if hub.nodes.alone {
        return;
    }
    loop {
        let deadline = hub.clock.now() + RENEW_MS;
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = hub.clock.sleep_until(deadline) => {}
        }
        hub.look_at_nodes().await;
    }
}
