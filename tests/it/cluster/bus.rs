//! What becomes of delivery between nodes while Redis is away, or loses what it is told.

use super::{Cluster, PACE, nobody_left};
use crate::{
    harness::{Client, Dice, Proxy, commands::*, is_long, redis_cli, room, user, within},
    load::Load,
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use stoa_protocol::{Command, Role, RoomKind};

/// The channel of one of the load's rooms.
const ROOM: &str = "stoa:r:room-0";
/// How long Redis is away, in the short form and in the long one.
const AWAY: [Duration; 2] = [Duration::from_secs(4), Duration::from_secs(30)];

fn away() -> Duration {
    AWAY[usize::from(is_long())]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_killed_flushed_frozen_and_overrun_under_load_and_nothing_is_lost() {
    let mut dice = Dice::new("Redis");
    let mut cluster = Cluster::start(2).await;
    let load = Load::start(&cluster.nodes, PACE, &mut dice).await;
    load.goes_on_for(Duration::from_secs(2)).await;

    load.stage("Redis is dead");
    cluster.redis.kill();
    load.goes_on_for(away()).await;
    load.stage("Redis was started again");
    cluster.redis.restart().await;
    load.goes_on_for(Duration::from_secs(3)).await;

    load.stage("Redis was flushed");
    redis_cli(&cluster.redis.url(), &["FLUSHALL"]);
    load.goes_on_for(Duration::from_secs(1)).await;

    load.stage("Redis is frozen");
    cluster.redis.freeze();
    load.goes_on_for(away()).await;
    load.stage("Redis was thawed");
    cluster.redis.thaw();
    load.goes_on_for(Duration::from_secs(3)).await;

    load.stage("Redis cuts its listeners off");
    overrun(&cluster.redis.url()).await;
    load.goes_on_for(Duration::from_secs(2)).await;

    let outcome = load.finish().await;
    println!("Redis away for {:?} twice: {}", away(), outcome.summary());
    cluster.is_flawless(&outcome).await;
}

/// More is said than Redis holds for anybody who listens: it hangs up on them. Three times, each when both nodes listen
/// again.
async fn overrun(url: &str) {
    redis_cli(url, &["CONFIG", "SET", "client-output-buffer-limit", "pubsub 65536 32768 1"]);
    let junk = "x".repeat(100_000);
    let mut cut_off = BTreeSet::new();
    for _ in 0..3 {
        let listens =
            || redis_cli(url, &["PUBSUB", "NUMSUB", ROOM]).ends_with('2') && listeners(url).is_disjoint(&cut_off);
        becomes("both nodes to listen", listens).await;
        let before = listeners(url);
        redis_cli(url, &["PUBLISH", ROOM, &junk]);
        becomes("Redis to hang up on both", || listeners(url).is_disjoint(&before)).await;
        cut_off.extend(before);
    }
}

/// The connections that listen to anything.
fn listeners(url: &str) -> BTreeSet<String> {
    let list = redis_cli(url, &["CLIENT", "LIST", "TYPE", "pubsub"]);
    list.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
}

/// Asks until it is so: Redis gives no sign.
async fn becomes(what: &str, fits: impl Fn() -> bool) {
    let asked = async {
        while !fits() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(what, String::new, asked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fifth_message_of_the_bus_is_lost_under_load_and_arrives_all_the_same() {
    let mut dice = Dice::new("messages that are lost");
    let (mut cluster, proxies) = lossy_cluster().await;
    for proxy in &proxies {
        let mut dice = Dice::from(dice.below(u64::MAX));
        proxy.lose(move |channel| is_rooms(channel) && dice.below(5) == 0);
    }
    let load = Load::start(&cluster.nodes, PACE, &mut dice).await;
    load.stage("one in five messages is lost");
    load.goes_on_for(if is_long() { Duration::from_secs(60) } else { Duration::from_secs(4) }).await;
    let outcome = load.finish().await;
    let lost: u64 = proxies.iter().map(Proxy::lost).sum();
    println!("{lost} messages between nodes lost: {}", outcome.summary());
    assert!(lost > 0, "nothing was lost");
    nobody_left(&outcome);
    cluster.is_flawless(&outcome).await;
}

#[tokio::test]
async fn the_last_message_of_a_quiet_room_arrives_though_redis_was_never_told() {
    let (cluster, proxies) = lossy_cluster().await;
    let id = room("r");
    let mut ada = cluster.nodes[0].client("ada").await;
    ada.commit(Command::RoomCreate(create(&id, RoomKind::Group))).await;
    ada.commit(add(&id, &user("ben"), Role::Member)).await;
    ada.open(&id).await;
    let mut ben: Client = cluster.nodes[1].client("ben").await;
    ben.open(&id).await;
    for proxy in &proxies {
        proxy.lose(is_rooms);
    }
    for n in 0..if is_long() { 30 } else { 3 } {
        let lost = proxies[0].lost();
        let began = Instant::now();
        let seq = ada.commit(say(&id, &format!("word {n}"))).await;
        ben.reach(&id, seq).await;
        println!("the last message came after {} ms", began.elapsed().as_millis());
        assert!(proxies[0].lost() > lost, "it was not lost on the way");
    }
    assert_eq!(ben.journal.faults(), Vec::<String>::new());
}

fn is_rooms(channel: &[u8]) -> bool {
    channel.starts_with(b"stoa:r:")
}

/// Two nodes, each with a relay of its own before Redis.
async fn lossy_cluster() -> (Cluster, Vec<Proxy>) {
    let mut cluster = Cluster::start(0).await;
    let mut proxies = Vec::new();
    for _ in 0..2 {
        let proxy = Proxy::before_redis(cluster.redis.port).await;
        cluster.add_node_by(&format!("redis://127.0.0.1:{}", proxy.port())).await;
        proxies.push(proxy);
    }
    (cluster, proxies)
}
