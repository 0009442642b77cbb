//! What the bus counted, read when Prometheus asks.

use crate::cluster::{Bus, Redis, redis::Counters};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

/// A bus over Redis.
pub struct BusMetrics(pub Arc<Redis>);

impl fmt::Debug for BusMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BusMetrics")
    }
}

impl Collector for BusMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Counters { published, dropped, heard, forged, unknown, reconnects } = &**self.0.counters();
        for (name, help, counter) in [
            ("published", "Messages that were given to Redis", published),
            ("dropped", "Messages that were not: Redis was away, or the queue was full", dropped),
            ("heard", "Messages of other nodes", heard),
            ("forged", "Messages that nobody with the cluster's key wrote", forged),
            ("unknown", "Messages in another version's format", unknown),
            ("reconnects", "Connections to Redis that were made anew", reconnects),
        ] {
            let counter = ConstCounter::new(counter.load(Ordering::Relaxed));
            let name = format!("bus_{name}");
            let metric = encoder.encode_descriptor(&name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        let up = ConstGauge::new(i64::from(self.0.health().up));
        let help = "Whether messages between nodes come through";
        up.encode(encoder.encode_descriptor("bus_up", help, None, up.metric_type())?)?;
        // Before the first one there is no age to tell.
        let Some(age_ms) = self.0.canary_age_ms() else { return Ok(()) };
        let age = ConstGauge::new(age_ms as f64 / 1_000.0);
        let help = "Seconds since a message of this node came back to it";
        age.encode(encoder.encode_descriptor("bus_canary_age_seconds", help, None, age.metric_type())?)
    }
}
