//! The bus between simulated nodes: what the true one may do to messages, and no more.
//!
//! Two connections of each node publish, by topic, and each keeps its order; one listens. Messages are lost, delayed,
//! and come again late; nodes are cut off, which they notice or do not; whoever comes back is told that it has missed
//! something.

use super::{
    process::{Harm, Point, Process},
    trace::Trace,
};
use crate::cluster::{BootId, Bus, BusHealth, Heard, Topic};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

/// Messages that wait for one node: beyond it they are lost.
const WAITING: usize = 4_096;
/// Publishing connections of a node.
const LANES: usize = 2;
/// After this long without the canary a node knows that nothing comes through.
const CANARY: Duration = Duration::from_secs(3);

/// How the wires behave while nobody is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Weather {
    /// Of a thousand messages so many are lost.
    pub lost: u64,
    /// Of a thousand so many come once more, late.
    pub again: u64,
    /// A message takes up to so long, milliseconds.
    pub delay_ms: u64,
}

impl Weather {
    /// Nothing is lost.
    pub const FAIR: Self = Self { lost: 0, again: 0, delay_ms: 2 };
}

/// The wires between all nodes.
pub struct Wires {
    lines: Mutex<Vec<Arc<Line>>>,
    weather: Mutex<Weather>,
    trace: Arc<Trace>,
}

/// One process' end.
struct Line {
    process: Arc<Process>,
    state: Mutex<LineState>,
    /// What is on its way here, by whose and which connection it comes.
    heard: mpsc::Sender<Heard>,
    generation: watch::Sender<u64>,
}

struct LineState {
    boot: BootId,
    topics: BTreeSet<Topic>,
    /// Nothing comes through.
    is_cut: bool,
    /// It knows.
    is_up: bool,
    /// Messages that are lost next.
    losing: u64,
    /// Where each connection's messages wait for their time, by listener.
    lanes: Vec<[Lane; LANES]>,
}

/// One publishing connection's way to one listener.
type Lane = Option<mpsc::UnboundedSender<(Instant, Heard)>>;

impl Wires {
    /// Nobody is there.
    pub fn new(trace: Arc<Trace>) -> Arc<Self> {
        Arc::new(Self { lines: Mutex::default(), weather: Mutex::new(Weather::FAIR), trace })
    }

    /// A process' end, and what it hears.
    pub fn join(self: &Arc<Self>, process: &Arc<Process>, boot: BootId) -> (Arc<WireBus>, mpsc::Receiver<Heard>) {
        let (heard, receiver) = mpsc::channel(WAITING);
        let state =
            LineState { boot, topics: BTreeSet::new(), is_cut: false, is_up: true, losing: 0, lanes: Vec::new() };
        let line =
            Line { process: process.clone(), state: Mutex::new(state), heard, generation: watch::Sender::new(0) };
        let line = Arc::new(line);
        self.lines.lock().push(line.clone());
        (Arc::new(WireBus { wires: self.clone(), line }), receiver)
    }

    /// From now on it is like this.
    pub fn turn(&self, weather: Weather) {
        *self.weather.lock() = weather;
    }

    fn of(&self, node: usize) -> Option<Arc<Line>> {
        self.lines.lock().iter().rev().find(|line| line.process.node == node && !line.process.is_dead()).cloned()
    }

    /// Cuts a node off. It notices at once when its connection breaks, and by its canary when packets vanish.
    pub fn cut(&self, node: usize, silently: bool) {
        let Some(line) = self.of(node) else { return };
        {
            let mut state = line.state.lock();
            state.is_cut = true;
            state.is_up &= silently;
        }
        tokio::spawn(async move {
            sleep(CANARY).await;
            let mut state = line.state.lock();
            state.is_up &= !state.is_cut;
        });
    }

    /// Takes a node back: it is told that it may have missed something.
    pub fn heal(&self, node: usize) {
        let Some(line) = self.of(node) else { return };
        let was_cut = {
            let mut state = line.state.lock();
            state.is_up = true;
            std::mem::take(&mut state.is_cut)
        };
        if was_cut {
            line.generation.send_modify(|generation| *generation += 1);
        }
    }

    /// The next messages of a node are lost.
    pub fn lose(&self, node: usize, count: u64) {
        if let Some(line) = self.of(node) {
            line.state.lock().losing = count;
        }
    }

    fn publish(self: &Arc<Self>, from: &Arc<Line>, topic: &Topic, body: &Bytes) {
        let lines = self.lines.lock().clone();
        let (boot, lost) = {
            let mut own = from.state.lock();
            let lost = own.is_cut || own.losing > 0;
            own.losing = own.losing.saturating_sub(1);
            (own.boot, lost)
        };
        if lost {
            return self.trace.say(|| format!("node {} rings {topic:?} in vain", from.process.node));
        }
        let weather = *self.weather.lock();
        for (at, to) in lines.iter().enumerate() {
            let hears = {
                let state = to.state.lock();
                !state.is_cut && state.topics.contains(topic)
            };
            if Arc::ptr_eq(to, from) || to.process.is_dead() || !hears {
                continue;
            }
            let (lost, again) = (from.process.chance(1_000), from.process.chance(1_000));
            if lost < weather.lost {
                self.trace.say(|| format!("node {} does not hear {topic:?}", to.process.node));
                continue;
            }
            let heard = Heard { from: boot, topic: topic.clone(), body: body.clone() };
            if again < weather.again {
                let (to, heard, wait) = (to.clone(), heard.clone(), from.process.chance(2_000));
                tokio::spawn(async move {
                    sleep(Duration::from_millis(wait)).await;
                    to.hear(heard).await;
                });
            }
            let due = Instant::now() + Duration::from_millis(from.process.chance(weather.delay_ms + 1));
            from.send(at, to, due, heard);
        }
    }
}

impl Line {
    /// Puts a message on its connection's way, behind those before it.
    fn send(&self, at: usize, to: &Arc<Self>, due: Instant, heard: Heard) {
        let lane = lane_of(&heard.topic);
        let mut state = self.state.lock();
        while state.lanes.len() <= at {
            state.lanes.push([None, None]);
        }
        let sender = state.lanes[at][lane].get_or_insert_with(|| {
            let (sender, mut waiting) = mpsc::unbounded_channel::<(Instant, Heard)>();
            let to = to.clone();
            tokio::spawn(async move {
                while let Some((due, heard)) = waiting.recv().await {
                    sleep_until(due).await;
                    to.hear(heard).await;
                }
            });
            sender
        });
        // Its task runs as long as the runtime.
        let _sent = sender.send((due, heard));
    }

    async fn hear(&self, heard: Heard) {
        self.process.gate().await;
        if !self.state.lock().is_cut {
            // What does not fit is lost.
            let _fits = self.heard.try_send(heard);
        }
    }
}

fn lane_of(topic: &Topic) -> usize {
    let mut hasher = DefaultHasher::new();
    topic.hash(&mut hasher);
    (hasher.finish() % LANES as u64) as usize
}

/// The Bus contract over the wires.
pub struct WireBus {
    wires: Arc<Wires>,
    line: Arc<Line>,
}

impl Bus for WireBus {
    fn publish(&self, topic: Topic, body: Bytes) {
        if self.line.process.is_dead() {
            return;
        }
        let harm = match topic {
            Topic::Room(_) => self.line.process.harm(Point::Publish),
            Topic::User(_) | Topic::Nodes => None,
        };
        if harm == Some(Harm::DiesBefore) {
            return self.line.process.die();
        }
        if !matches!(harm, Some(Harm::Refused | Harm::AnswerLost)) {
            self.wires.publish(&self.line, &topic, &body);
        }
        if harm == Some(Harm::DiesAfter) {
            self.line.process.die();
        }
    }

    fn subscribe(&self, topic: Topic) {
        let line = self.line.clone();
        // It takes a moment.
        let wait = line.process.chance(20);
        tokio::spawn(async move {
            sleep(Duration::from_millis(wait)).await;
            line.state.lock().topics.insert(topic);
        });
    }

    fn unsubscribe(&self, topic: Topic) {
        self.line.state.lock().topics.remove(&topic);
    }

    fn speak_as(&self, boot: BootId) {
        self.line.state.lock().boot = boot;
    }

    fn health(&self) -> BusHealth {
        BusHealth { up: self.line.state.lock().is_up, wedged: false, says: "wires".into() }
    }

    fn generation(&self) -> watch::Receiver<u64> {
        self.line.generation.subscribe()
    }
}
