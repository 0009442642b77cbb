//! Prometheus metrics (OpenMetrics text).

mod bus;

use crate::{cluster::Redis, gateway::Counters};
use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use std::sync::{Arc, atomic::Ordering};
use stoa_protocol::{ErrorCode, Verdict};

/// What the gateway counted, read when Prometheus asks.
#[derive(Debug)]
struct Edge(Arc<Counters>);

impl Collector for Edge {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Counters {
            accepted,
            refused_address,
            accept_errors,
            refused_handshakes,
            opened,
            ended,
            violations,
            slow_consumers,
            timeouts,
        } = &*self.0;
        for (name, help, counter) in [
            ("accepted", "Sockets that were accepted", accepted),
            ("refused_address", "Sockets of addresses with too many strangers", refused_address),
            ("accept_errors", "Times that no socket could be accepted", accept_errors),
            ("refused_handshakes", "WebSocket handshakes that were refused", refused_handshakes),
            ("opened", "WebSockets that were opened", opened),
            ("ended", "WebSockets that are over", ended),
            ("violations", "WebSockets closed for illegal frames", violations),
            ("slow_consumers", "WebSockets closed because their peer did not read", slow_consumers),
            ("timeouts", "WebSockets closed because nothing was heard", timeouts),
        ] {
            let counter = ConstCounter::new(counter.load(Ordering::Relaxed));
            let name = format!("edge_{name}");
            let metric = encoder.encode_descriptor(&name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        Ok(())
    }
}

/// What the process counts.
pub struct Metrics {
    /// Locked while Prometheus reads, and once when the gateway's counters are added.
    registry: Mutex<Registry>,
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
    /// Shared documents in memory.
    pub documents: Gauge,
    /// Those whose last save failed and is tried again.
    pub documents_unsaved: Gauge,
    /// Edits of documents that are on disk.
    pub documents_saved: Counter,
    /// Updates that were refused.
    pub documents_refused: Counter,
    /// Bytes that wait in mailboxes.
    pub queued_bytes: Gauge,
    /// Calls that run.
    pub calls: Gauge,
    /// Sessions that joined a call.
    pub call_joins: Counter,
    /// Signals that were relayed.
    pub signals: Counter,
    /// Seconds from a signal's arrival to its way out.
    pub signal_seconds: Histogram,
    /// New verdicts over participants' connections.
    pub verdicts: Family<VerdictLabel, Counter>,
    /// Nodes whose lease holds, this one included; 0 where there is one node only.
    pub nodes: Gauge,
    /// Users who are connected to other nodes.
    pub users_elsewhere: Gauge,
    /// How often this node's lease ran out.
    pub leases_lost: Counter,
    /// What other nodes said that this version does not know.
    pub news_unknown: Counter,
    drops: Family<ClassLabel, Counter>,
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

/// What a full mailbox refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Class {
    /// A durable event: its reader catches up from its cursor.
    Durable,
    /// A passing one: it is gone.
    Passing,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabel {
    class: Class,
}

/// How well somebody is connected.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VerdictLabel {
    verdict: &'static str,
}

impl VerdictLabel {
    /// The label of a verdict.
    pub fn of(verdict: Verdict) -> Self {
        let verdict = match verdict {
            Verdict::Good => "good",
            Verdict::Fair => "fair",
            Verdict::Poor => "poor",
        };
        Self { verdict }
    }
}

/// An HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StatusLabel {
    /// The number.
    pub status: u16,
}

impl Metrics {
    /// Adds what the gateway counts. Called once.
    pub fn add_edge(&self, counters: Arc<Counters>) {
        self.registry.lock().register_collector(Box::new(Edge(counters)));
    }

    /// Adds what the bus counts. Called once, where there is more than one node.
    pub fn add_bus(&self, bus: Arc<Redis>) {
        self.registry.lock().register_collector(Box::new(bus::BusMetrics(bus)));
    }

    /// All counters at zero.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("stoa")),
            connections: Gauge::default(),
            authenticated: Gauge::default(),
            rooms: Gauge::default(),
            users: Gauge::default(),
            deliveries: Counter::default(),
            // 0.25 ms to 4 s.
            commit_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 15)),
            batch_jobs: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
            writer_waiting: Gauge::default(),
            documents: Gauge::default(),
            documents_unsaved: Gauge::default(),
            documents_saved: Counter::default(),
            documents_refused: Counter::default(),
            queued_bytes: Gauge::default(),
            calls: Gauge::default(),
            call_joins: Counter::default(),
            signals: Counter::default(),
            signal_seconds: Histogram::new(exponential_buckets(0.000_02, 2.0, 14)),
            verdicts: Family::default(),
            nodes: Gauge::default(),
            users_elsewhere: Gauge::default(),
            leases_lost: Counter::default(),
            news_unknown: Counter::default(),
            drops: Family::default(),
            errors: Family::default(),
            http: Family::default(),
        };
        metrics.registered()
    }

    fn registered(self) -> Self {
        let mut registry = self.registry.lock();
        registry.register("connections", "Open WebSocket connections", self.connections.clone());
        registry.register("authenticated", "Connections that have said hello", self.authenticated.clone());
        registry.register("rooms", "Rooms in memory", self.rooms.clone());
        registry.register("users", "Users in memory", self.users.clone());
        registry.register("deliveries", "Durable events times attached connections", self.deliveries.clone());
        let help = "From the beginning of a batch to its commit";
        registry.register_with_unit("commit", help, Unit::Seconds, self.commit_seconds.clone());
        registry.register("batch_jobs", "Jobs of a batch", self.batch_jobs.clone());
        registry.register("writer_waiting", "Jobs that wait for the writer", self.writer_waiting.clone());
        registry.register("documents", "Shared documents in memory", self.documents.clone());
        let help = "Shared documents whose last save failed and is tried again";
        registry.register("documents_unsaved", help, self.documents_unsaved.clone());
        registry.register("documents_saved", "Edits of documents that are on disk", self.documents_saved.clone());
        registry.register("documents_refused", "Updates that were refused", self.documents_refused.clone());
        registry.register_with_unit("queued", "Bytes that wait in mailboxes", Unit::Bytes, self.queued_bytes.clone());
        registry.register("calls", "Calls that run", self.calls.clone());
        registry.register("call_joins", "Sessions that joined a call", self.call_joins.clone());
        registry.register("signals", "Signals that were relayed", self.signals.clone());
        let help = "From a signal's arrival to its way out";
        registry.register_with_unit("signal", help, Unit::Seconds, self.signal_seconds.clone());
        registry.register("call_verdicts", "New verdicts over participants' connections", self.verdicts.clone());
        registry.register("nodes", "Nodes whose lease holds", self.nodes.clone());
        registry.register("users_elsewhere", "Users connected to other nodes", self.users_elsewhere.clone());
        registry.register("leases_lost", "How often this node's lease ran out", self.leases_lost.clone());
        registry.register(
            "news_unknown",
            "What other nodes said and this version does not know",
            self.news_unknown.clone(),
        );
        registry.register("drops", "Pushes that a full mailbox refused", self.drops.clone());
        registry.register("errors", "Refused commands by code", self.errors.clone());
        registry.register("http_requests", "HTTP requests by status", self.http.clone());
        drop(registry);
        self
    }

    /// A command was refused.
    pub fn error(&self, code: ErrorCode) {
        self.errors.get_or_create(&CodeLabel { code: CodeValue(code) }).inc();
    }

    /// A full mailbox refused a push.
    pub fn dropped(&self, class: Class) {
        self.drops.get_or_create(&ClassLabel { class }).inc();
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry.lock()).expect("a string takes all text");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_in_the_text() {
        let metrics = Metrics::new();
        let counters = Arc::new(Counters::default());
        metrics.add_edge(counters.clone());
        counters.timeouts.fetch_add(3, Ordering::Relaxed);
        metrics.error(ErrorCode::Overloaded);
        metrics.dropped(Class::Durable);
        metrics.commit_seconds.observe(0.001);
        let text = metrics.text();
        for line in [
            "stoa_errors_total{code=\"overloaded\"} 1",
            "stoa_drops_total{class=\"Durable\"} 1",
            "stoa_edge_timeouts_total 3",
            "stoa_commit_seconds_count 1",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
    }
}
