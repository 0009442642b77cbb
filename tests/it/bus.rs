//! The bus over a real Redis.

use crate::harness::{Redis, redis_cli, within};
use bytes::Bytes;
use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use stoa::{
    clock::{Clock, SystemClock, VirtualClock},
    cluster::{self, BODY_BYTES, BootId, Bus, ClusterKey, Heard, Topic, redis::Options},
};
use stoa_protocol::{RoomId, UserId};
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const KEY: &[u8] = b"what all nodes of these tests know";

/// A node's bus.
struct Node {
    bus: Arc<cluster::Redis>,
    heard: mpsc::Receiver<Heard>,
    generation: watch::Receiver<u64>,
    boot: BootId,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

fn options(url: &str) -> Options {
    Options {
        address: url.parse().expect("an address"),
        tls: None,
        prefix: "stoa".parse().expect("legal"),
        key: ClusterKey::new(KEY),
        boot: BootId::fresh(),
        clock: Arc::new(SystemClock::new()),
    }
}

/// Channels of a test's own on the Redis that all tests share.
fn shared() -> Options {
    let url =
        std::env::var("STOA_TEST_REDIS").expect("STOA_TEST_REDIS names no server: run `make test`, which starts one");
    let prefix = format!("test:{}", BootId::fresh());
    Options { prefix: prefix.parse().expect("legal"), ..options(&url) }
}

/// The same as another node has them.
fn another(of: &Options) -> Options {
    let Options { address, tls, prefix, key, boot: _, clock } = of;
    let (address, tls, prefix, key) = (address.clone(), tls.clone(), prefix.clone(), key.clone());
    Options { address, tls, prefix, key, boot: BootId::fresh(), clock: clock.clone() }
}

impl Node {
    fn start(options: Options) -> Self {
        Self::with_room_for(options, 1_024)
    }

    /// A node that holds its connection back when more than this was not taken.
    fn with_room_for(options: Options, messages: usize) -> Self {
        let (sender, heard) = mpsc::channel(messages);
        let (tasks, shutdown, boot) = (TaskTracker::new(), CancellationToken::new(), options.boot);
        let bus = cluster::Redis::start(options, sender, &tasks, &shutdown);
        let generation = bus.generation();
        Self { bus, heard, generation, boot, shutdown, tasks }
    }

    async fn up(options: Options) -> Self {
        let mut node = Self::start(options);
        node.comes_up().await;
        node
    }

    /// Waits until messages come through that did not.
    async fn comes_up(&mut self) {
        let (bus, generation) = (&self.bus, &mut self.generation);
        within("the bus", || format!("{:?}", bus.health()), generation.changed()).await.expect("the bus lives");
        assert!(self.bus.health().up, "{:?}", self.bus.health());
    }

    async fn goes_down(&self) -> cluster::BusHealth {
        let down = async {
            while self.bus.health().up {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within("the bus to notice", String::new, down).await;
        self.bus.health()
    }

    async fn hears(&mut self) -> Heard {
        let bus = &self.bus;
        within("a message", || format!("{:?}", bus.health()), self.heard.recv()).await.expect("the bus lives")
    }

    fn say(&self, topic: &Topic, text: &str) {
        self.bus.publish(topic.clone(), Bytes::copy_from_slice(text.as_bytes()));
    }

    /// Waits until this node hears what the other one says about a topic: subscribing takes a moment.
    async fn hears_from(&mut self, other: &Node, topic: &Topic) {
        let heard = async {
            loop {
                other.say(topic, "are you there?");
                if let Ok(Some(heard)) = tokio::time::timeout(Duration::from_millis(50), self.heard.recv()).await
                    && heard.topic == *topic
                    && heard.body == "are you there?"
                {
                    return;
                }
            }
        };
        within("a subscription", String::new, heard).await;
        // What was asked more than once is over before anything else is said.
        other.say(topic, "good");
        while self.hears().await.body != "good" {}
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.tasks.close();
        within("the end of the tasks", String::new, self.tasks.wait()).await;
    }
}

fn room(name: &str) -> Topic {
    Topic::Room(RoomId::new(name).expect("legal"))
}

fn count(counter: &std::sync::atomic::AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

async fn becomes(what: &str, fits: impl Fn() -> bool) {
    let wait = async {
        while !fits() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(what, String::new, wait).await;
}

#[tokio::test]
async fn nodes_hear_each_other_by_topic_and_in_order_and_never_themselves() {
    let one = shared();
    let (one, mut two) = (Node::up(another(&one)).await, Node::up(another(&one)).await);
    let topics = [room("a"), room("b"), Topic::User(UserId::new("ann").expect("legal")), Topic::Nodes];
    for topic in &topics {
        one.bus.subscribe(topic.clone());
        two.bus.subscribe(topic.clone());
        two.hears_from(&one, topic).await;
    }
    for n in 0..500 {
        for topic in &topics {
            one.say(topic, &n.to_string());
            one.say(&room("nobody-listens"), "x");
        }
    }
    let large = Bytes::from(vec![7; BODY_BYTES]);
    one.bus.publish(room("a"), large.clone());
    let mut next = [0; 4];
    while next != [500; 4] {
        let Heard { from, topic, body } = two.hears().await;
        assert_eq!(from, one.boot);
        let place = topics.iter().position(|known| *known == topic).expect("was subscribed");
        if body != large {
            assert_eq!(body, next[place].to_string(), "{topic:?}");
            next[place] += 1;
        }
    }
    if let Ok(last) = two.heard.try_recv() {
        assert_eq!(last.body, large);
    }
    // Under another name it is itself all the same.
    let mut one = one;
    one.bus.speak_as(BootId::fresh());
    one.say(&Topic::Nodes, "as another");
    let said = two.hears().await;
    let said = if said.body == large { two.hears().await } else { said };
    assert_ne!(said.from, one.boot);
    two.say(&Topic::Nodes, "the last");
    assert_eq!(one.hears().await.body, "the last", "nothing else was heard before");
    let counters = one.bus.counters();
    assert!(count(&counters.published) >= 4_000 && count(&counters.dropped) == 0, "{counters:?}");
    one.end().await;
    two.end().await;
}

#[tokio::test]
async fn a_topic_is_listened_to_for_a_while_after_nobody_wants_it() {
    let clock = VirtualClock::new(1_000_000);
    let options = Options { clock: Arc::new(clock.clone()), ..shared() };
    let speaker = Node::up(Options { clock: Arc::new(SystemClock::new()), ..another(&options) }).await;
    let channel = format!("{}:r:a", options.prefix);
    let url = std::env::var("STOA_TEST_REDIS").expect("it was there");
    // The clock stands: nothing is sent but what is asked for.
    let mut node = Node::start(options);
    node.comes_up().await;
    node.bus.subscribe(room("a"));
    node.hears_from(&speaker, &room("a")).await;
    node.bus.unsubscribe(room("a"));
    let listens = || redis_cli(&url, &["PUBSUB", "NUMSUB", &channel]).ends_with('1');
    clock.advance(Duration::from_secs(29));
    speaker.say(&room("a"), "still there?");
    assert_eq!(node.hears().await.body, "still there?");
    node.bus.subscribe(room("a"));
    node.bus.unsubscribe(room("a"));
    clock.advance(Duration::from_secs(2));
    node.hears_from(&speaker, &room("a")).await;
    assert!(listens(), "whoever came back counts from then");
    let gone = async {
        while listens() {
            clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within("the end of listening", String::new, gone).await;
    assert!(clock.now() >= 1_000_000 + 29_000 + 30_000);
    node.bus.subscribe(room("a"));
    node.hears_from(&speaker, &room("a")).await;
}

#[tokio::test]
async fn what_nobody_with_the_key_said_is_dropped_and_counted() {
    let options = shared();
    let (mut node, speaker) = (Node::up(another(&options)).await, Node::up(another(&options)).await);
    node.bus.subscribe(room("a"));
    node.hears_from(&speaker, &room("a")).await;
    // A node of another deployment by mistake, or by somebody's will.
    let stranger = Node::up(Options { key: ClusterKey::new(b"another key"), ..another(&options) }).await;
    stranger.say(&room("a"), "let me in");
    let counters = node.bus.counters().clone();
    becomes("a forgery", || count(&counters.forged) == 1).await;
    // Whoever can write to Redis, without a key.
    let url = std::env::var("STOA_TEST_REDIS").expect("it was there");
    let channel = format!("{}:r:a", options.prefix);
    for (message, forged, unknown) in [("\u{1}junk", 2, 0), ("", 3, 0), ("{\"version\": 9}", 3, 1), ("\u{2}", 3, 2)] {
        redis_cli(&url, &["PUBLISH", &channel, message]);
        becomes("the count", || (count(&counters.forged), count(&counters.unknown)) == (forged, unknown)).await;
    }
    speaker.say(&room("a"), "the truth");
    assert_eq!(node.hears().await.body, "the truth", "nothing of that was heard");
    assert!(node.bus.health().up);
}

#[tokio::test]
async fn a_redis_that_is_killed_and_comes_back_is_found_again_with_every_subscription() {
    let mut redis = Redis::start(&[]).await;
    let (mut one, mut two) = (Node::up(options(&redis.url())).await, Node::up(options(&redis.url())).await);
    // More than one command's worth.
    let topics: Vec<_> = (0..1_000).map(|n| room(&format!("room-{n}"))).collect();
    topics.iter().for_each(|topic| two.bus.subscribe(topic.clone()));
    two.bus.subscribe(Topic::Nodes);
    two.hears_from(&one, &Topic::Nodes).await;
    redis.kill();
    let (first, second) = (one.goes_down().await, two.goes_down().await);
    assert!(!first.wedged && !second.wedged, "nobody is better off elsewhere: {first:?}");
    assert!(first.says.starts_with("Redis: "), "{first:?}");
    one.say(&topics[0], "lost");
    redis.restart().await;
    one.comes_up().await;
    two.comes_up().await;
    for topic in &topics {
        one.say(topic, "after");
    }
    let mut left: std::collections::HashSet<_> = topics.iter().cloned().collect();
    while !left.is_empty() {
        let heard = two.hears().await;
        assert_eq!(heard.body, "after");
        assert!(left.remove(&heard.topic), "{heard:?} twice");
    }
    let counters = one.bus.counters();
    assert!(count(&counters.reconnects) >= 3 && count(&counters.dropped) >= 1, "{counters:?}");
}

#[tokio::test]
async fn a_frozen_redis_is_noticed_by_the_canary_and_everything_is_made_anew_after_it() {
    let redis = Redis::start(&[]).await;
    let (mut one, mut two) = (Node::up(options(&redis.url())).await, Node::up(options(&redis.url())).await);
    two.bus.subscribe(Topic::Nodes);
    two.hears_from(&one, &Topic::Nodes).await;
    redis.freeze();
    one.goes_down().await;
    // Its connections stand and are silent: torn down, and Redis is found to be away.
    becomes("new connections", || one.bus.health().says.contains("no answer")).await;
    becomes("the cause", || !one.bus.health().wedged).await;
    let dropped = count(&one.bus.counters().dropped);
    for n in 0..10_000 {
        one.say(&Topic::Nodes, &n.to_string());
    }
    assert_eq!(count(&one.bus.counters().dropped), dropped + 10_000, "nothing is kept to be told late");
    redis.thaw();
    one.comes_up().await;
    becomes("the other node", || two.bus.health().up).await;
    two.generation.mark_unchanged();
    two.hears_from(&one, &Topic::Nodes).await;
}

#[tokio::test]
async fn a_node_that_does_not_listen_is_cut_off_alone_and_comes_back() {
    let limit = ["--client-output-buffer-limit", "pubsub 1mb 512kb 5"];
    let redis = Redis::start(&limit).await;
    let (one, mut fine) = (Node::up(options(&redis.url())).await, Node::up(options(&redis.url())).await);
    let mut slow = Node::with_room_for(options(&redis.url()), 4);
    slow.comes_up().await;
    for node in [&mut slow, &mut fine] {
        node.bus.subscribe(room("a"));
        node.hears_from(&one, &room("a")).await;
    }
    // Redis is told of each with a few KiB of room on the way; the slow one takes none.
    let body = Bytes::from(vec![b'x'; 64 * 1024]);
    let mut said = 0;
    let health = loop {
        one.bus.publish(room("a"), body.clone());
        said += 1;
        assert_eq!(fine.hears().await.body, body, "nobody else waits");
        let clients = redis_cli(&redis.url(), &["CLIENT", "LIST", "TYPE", "pubsub"]);
        if clients.lines().count() < 3 {
            break slow.goes_down().await;
        }
        assert!(said < 2_000, "Redis holds everything: {clients}");
    };
    assert!(!health.up);
    assert!(one.bus.health().up && fine.bus.health().up);
    // It takes what had come, finds itself cut off, and comes back.
    let back = async {
        loop {
            tokio::select! {
                changed = slow.generation.changed() => break changed.expect("the bus lives"),
                _ = slow.heard.recv() => {}
            }
        }
    };
    within("the slow node", String::new, back).await;
    slow.hears_from(&one, &room("a")).await;
    assert!(count(&slow.bus.counters().reconnects) >= 1);
}

#[tokio::test]
async fn a_user_with_the_rights_that_are_needed_and_no_others_is_enough() {
    let redis = Redis::start(&[]).await;
    let rights =
        ["ACL", "SETUSER", "stoa", "reset", "on", ">p@ss:w/rd", "&stoa:*", "+publish", "+subscribe", "+unsubscribe"];
    assert_eq!(redis_cli(&redis.url(), &rights), "OK");
    assert_eq!(redis_cli(&redis.url(), &["ACL", "SETUSER", "default", "off"]), "OK");
    let url = |password: &str| format!("redis://stoa:{password}@127.0.0.1:{}", redis.port);
    let (one, mut two) =
        (Node::up(options(&url("p%40ss:w%2Frd"))).await, Node::up(options(&url("p%40ss:w%2Frd"))).await);
    two.bus.subscribe(Topic::Nodes);
    two.hears_from(&one, &Topic::Nodes).await;
    // What is refused is said, and never the password.
    for (url, prefix, want) in [
        (url("wrong-secret"), "stoa", "WRONGPASS"),
        (url("p%40ss:w%2Frd"), "other", "NOPERM"),
        (redis.url(), "stoa", "NOAUTH"),
    ] {
        let node = Node::start(Options { prefix: prefix.parse().expect("legal"), ..options(&url) });
        becomes(want, || node.bus.health().says.contains(want)).await;
        let health = node.bus.health();
        assert!(!health.up && !health.says.contains("secret"), "{health:?}");
    }
}

/// Certificates of an authority of the test's own.
fn certificates(folder: &Path) -> Arc<rustls::ClientConfig> {
    let mut authority = rcgen::CertificateParams::new(vec![]).expect("legal");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let authority = rcgen::CertifiedIssuer::self_signed(authority, key).expect("a certificate");
    let key = rcgen::KeyPair::generate().expect("a key");
    let server = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("legal");
    let server = server.signed_by(&key, &authority).expect("a certificate");
    for (name, text) in [("ca.pem", authority.pem()), ("cert.pem", server.pem()), ("key.pem", key.serialize_pem())] {
        std::fs::write(folder.join(name), text).expect("writes");
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der().clone()).expect("a certificate");
    trusting(roots)
}

fn trusting(roots: rustls::RootCertStore) -> Arc<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(config.expect("versions").with_root_certificates(roots).with_no_client_auth())
}

#[tokio::test]
async fn a_redis_behind_tls_is_spoken_to_when_its_certificate_is_trusted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trust = certificates(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (authority, certificate, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
    let arguments = [
        "--port",
        "0",
        "--tls-port",
        "{port}",
        "--tls-auth-clients",
        "no",
        "--tls-ca-cert-file",
        &authority,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
    ];
    let redis = Redis::start(&arguments).await;
    let url = format!("rediss://127.0.0.1:{}", redis.port);
    let with = |tls: Arc<rustls::ClientConfig>| Options { tls: Some(tls), ..options(&url) };
    let (one, mut two) = (Node::up(with(trust.clone())).await, Node::up(with(trust)).await);
    two.bus.subscribe(room("a"));
    two.hears_from(&one, &room("a")).await;
    let large = Bytes::from(vec![7; BODY_BYTES]);
    for _ in 0..20 {
        one.bus.publish(room("a"), large.clone());
    }
    for _ in 0..20 {
        assert_eq!(two.hears().await.body, large);
    }
    let other = certificates(&tempfile::tempdir().expect("a temporary folder").keep());
    let stranger = Node::start(with(other));
    becomes("the refusal", || stranger.bus.health().says.to_lowercase().contains("certificate")).await;
    assert!(!stranger.bus.health().up);
}
