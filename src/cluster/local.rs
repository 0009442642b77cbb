//! No other nodes.

use super::{BootId, Bus, BusHealth, Topic};
use bytes::Bytes;
use tokio::sync::watch;

/// The bus of a node that is alone: nobody to say anything to.
pub struct Local {
    generation: watch::Sender<u64>,
}

impl Local {
    /// A bus that nothing is ever heard from.
    pub fn new() -> Self {
        Self { generation: watch::Sender::new(0) }
    }
}

impl Default for Local {
    fn default() -> Self {
        Self::new()
    }
}

impl Bus for Local {
    fn publish(&self, _: Topic, _: Bytes) {}

    fn subscribe(&self, _: Topic) {}

    fn unsubscribe(&self, _: Topic) {}

    fn speak_as(&self, _: BootId) {}

    fn health(&self) -> BusHealth {
        BusHealth { up: true, wedged: false, says: "one node".into() }
    }

    fn generation(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }
}
