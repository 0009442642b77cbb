//! What needs no Redis; the rest is in `tests/it/bus.rs`.

use super::*;
use crate::clock::VirtualClock;
use std::time::Duration;
use stoa_protocol::{RoomId, UserId};

/// A bus whose tasks do not run: connections are played by hand.
fn world() -> (Arc<Redis>, VirtualClock) {
    let clock = VirtualClock::new(1_000_000);
    let options = Options {
        address: "redis://:hunter2@127.0.0.1:1".parse().expect("legal"),
        tls: None,
        prefix: "stoa:x".parse().expect("legal"),
        key: ClusterKey::new(&[1; 32]),
        boot: BootId::fresh(),
        clock: Arc::new(clock.clone()),
    };
    let ended = CancellationToken::new();
    ended.cancel();
    (Redis::start(options, mpsc::channel(1).0, &TaskTracker::new(), &ended), clock)
}

fn stand(shared: &Shared) -> Vec<u64> {
    let numbers = (0..LINES).map(|line| shared.line_stands(line)).collect();
    shared.listens();
    numbers
}

fn canaries(shared: &Shared, numbers: &[u64]) {
    numbers.iter().enumerate().for_each(|(line, number)| shared.canary(line, *number));
}

#[tokio::test]
async fn a_topic_is_found_again_by_its_channel() {
    let (bus, _) = world();
    let shared = &bus.shared;
    let room = RoomId::new("a.b-c").expect("legal");
    for topic in [Topic::Room(room), Topic::User(UserId::new("stoa-guest:x").expect("legal")), Topic::Nodes] {
        assert_eq!(shared.topic(&shared.channel(&topic)), Some(topic));
    }
    for other in ["stoa:x", "stoa:x:", "stoa:x:q:a", "stoa:xr:a", "other:r:a", "stoa:x:r:", "stoa:x:nn"] {
        assert_eq!(shared.topic(other), None, "{other}");
    }
}

#[tokio::test]
async fn the_bus_is_up_while_canaries_come_back_through_every_line() {
    let (bus, clock) = world();
    let (shared, generation) = (&bus.shared, bus.generation());
    let is = |up: bool, number: u64| {
        let health = bus.health();
        assert_eq!((health.up, *generation.borrow()), (up, number), "{health:?}");
        assert!(!health.says.contains("hunter2"), "{health:?}");
    };
    is(false, 0);
    let numbers = stand(shared);
    is(false, 0);
    shared.canary(0, numbers[0]);
    is(false, 0);
    shared.canary(1, numbers[1]);
    is(true, 1);
    clock.advance(Duration::from_millis(CANARY_MS));
    canaries(shared, &numbers);
    is(true, 1);
    // One line's stay away.
    clock.advance(Duration::from_millis(CANARY_MS));
    shared.canary(0, numbers[0]);
    clock.advance(Duration::from_millis(1));
    is(false, 1);
    assert!(shared.line_is_silent(1) && !shared.line_is_silent(0) && !shared.listener_is_deaf());
    shared.trouble("publishing", &Trouble::Silent);
    assert!(bus.health().wedged, "connections stand and are silent");
    shared.line_fell(1);
    let fresh = shared.line_stands(1);
    shared.canary(1, numbers[1]);
    is(false, 1);
    shared.canary(1, fresh);
    is(true, 2);
    // Nothing comes back at all.
    clock.advance(Duration::from_millis(CANARY_MS + 1));
    is(false, 2);
    assert!(shared.line_is_silent(0) && shared.listener_is_deaf());
    shared.trouble("listening", &Trouble::Silent);
    assert!(bus.health().wedged);
    shared.trouble(DIAL, &Trouble::Silent);
    assert!(!bus.health().wedged, "it cannot be reached: no node is better off");
    // A new connection that listens is asked for canaries of its own.
    shared.listens_no_more();
    canaries(shared, &[numbers[0], fresh]);
    is(false, 2);
    shared.listens();
    is(false, 2);
    canaries(shared, &[numbers[0], fresh]);
    is(true, 3);
}

#[tokio::test]
async fn what_does_not_fit_is_dropped_and_counted_and_nobody_waits() {
    let (bus, _) = world();
    let line = &bus.shared.lines[line_of(&Topic::Nodes)];
    let dropped = || bus.counters().dropped.load(Ordering::Relaxed);
    bus.publish(Topic::Nodes, Bytes::from_static(b"x"));
    assert_eq!(dropped(), 1, "there is no connection");
    line.open.store(true, Ordering::Release);
    bus.publish(Topic::Nodes, vec![0; BODY_BYTES + 1].into());
    assert_eq!((dropped(), line.waiting.load(Ordering::Relaxed)), (2, 0), "too large");
    // Nobody takes from the queue here, and whoever did has ended.
    bus.publish(Topic::Nodes, Bytes::from_static(b"x"));
    assert_eq!(line.waiting.load(Ordering::Relaxed), usize::from(dropped() == 2));
}

#[tokio::test]
async fn a_node_knows_itself_under_its_former_names() {
    let (bus, _) = world();
    let mut names = vec![bus.shared.boots.read().now];
    for _ in 0..FORMER {
        names.push(BootId::fresh());
        bus.speak_as(*names.last().expect("there is one"));
    }
    assert!(names.iter().all(|name| bus.shared.is_own(name)));
    bus.speak_as(BootId::fresh());
    assert!(!bus.shared.is_own(&names[0]), "no list grows for ever");
    assert!(!bus.shared.is_own(&BootId::fresh()));
}
