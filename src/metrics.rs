//! Prometheus metrics (OpenMetrics text).

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use stoa_protocol::ErrorCode;

/// What the process counts. Cloning shares the counters.
pub struct Metrics {
    registry: Registry,
    /// Open WebSocket connections.
    pub connections: Gauge,
    /// Those that have said `hello`.
    pub authenticated: Gauge,
    /// Rooms in memory.
    pub rooms: Gauge,
    /// Users in memory.
    pub users: Gauge,
    /// Durable events times attached connections.
    pub deliveries: Counter,
    /// Seconds from the beginning of a batch to its commit.
    pub commit_seconds: Histogram,
    /// Jobs of a batch.
    pub batch_jobs: Histogram,
    /// Jobs that wait for the writer.
    pub writer_waiting: Gauge,
    /// Bytes that wait in mailboxes.
    pub queued_bytes: Gauge,
    /// Pushes that a full mailbox refused, by delivery class.
    pub drops: Family<ClassLabel, Counter>,
    errors: Family<CodeLabel, Counter>,
    /// HTTP requests by status.
    pub http: Family<StatusLabel, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: CodeValue,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct CodeValue(ErrorCode);

impl EncodeLabelValue for CodeValue {
    fn encode(&self, encoder: &mut prometheus_client::encoding::LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&self.0.as_str(), encoder)
    }
}

/// A delivery class.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ClassLabel {
    /// Its name.
    pub class: &'static str,
}

/// An HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StatusLabel {
    /// The number.
    pub status: u16,
}

impl Metrics {
    /// All counters at zero.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("stoa"),
            connections: Gauge::default(),
            authenticated: Gauge::default(),
            rooms: Gauge::default(),
            users: Gauge::default(),
            deliveries: Counter::default(),
            // 0.25 ms to 4 s.
            commit_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 15)),
            batch_jobs: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
            writer_waiting: Gauge::default(),
            queued_bytes: Gauge::default(),
            drops: Family::default(),
            errors: Family::default(),
            http: Family::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("connections", "Open WebSocket connections", self.connections.clone());
        registry.register("authenticated", "Connections that have said hello", self.authenticated.clone());
        registry.register("rooms", "Rooms in memory", self.rooms.clone());
        registry.register("users", "Users in memory", self.users.clone());
        registry.register("deliveries", "Durable events times attached connections", self.deliveries.clone());
        let help = "From the beginning of a batch to its commit";
        registry.register_with_unit("commit", help, Unit::Seconds, self.commit_seconds.clone());
        registry.register("batch_jobs", "Jobs of a batch", self.batch_jobs.clone());
        registry.register("writer_waiting", "Jobs that wait for the writer", self.writer_waiting.clone());
        registry.register_with_unit("queued", "Bytes that wait in mailboxes", Unit::Bytes, self.queued_bytes.clone());
        registry.register("drops", "Pushes that a full mailbox refused", self.drops.clone());
        registry.register("errors", "Refused commands by code", self.errors.clone());
        registry.register("http_requests", "HTTP requests by status", self.http.clone());
        self
    }

    /// A command was refused.
    pub fn error(&self, code: ErrorCode) {
        self.errors.get_or_create(&CodeLabel { code: CodeValue(code) }).inc();
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("a string takes all text");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
