//! Nodes die under load, and are put in each other's place.

use super::{Cluster, PACE, nobody_left};
use crate::{
    harness::{Dice, is_long},
    load::Load,
};

/// Kills of the short form and of the long one.
const KILLS: [u32; 2] = [8, 120];
/// How often every node is put in its own place by the long form.
const ROUNDS: [usize; 2] = [1, 6];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_moved_when_nodes_are_killed_under_load() {
    let mut dice = Dice::new("nodes that are killed");
    let mut cluster = Cluster::start(3).await;
    let load = Load::start(&cluster.nodes, PACE, &mut dice).await;
    load.stage("a node was killed");
    let kills = KILLS[usize::from(is_long())];
    let mut killed = 0;
    while killed < kills {
        load.acknowledged_beyond(20 + dice.below(150)).await;
        let first = dice.below(3) as usize;
        // Now and then two at once: one is left.
        let second = (dice.below(4) == 0).then(|| (first + 1 + dice.below(2) as usize) % 3);
        let dead: Vec<_> = [first].into_iter().chain(second).collect();
        for at in &dead {
            cluster.nodes[*at].kill().await;
            killed += 1;
        }
        load.acknowledged_beyond(20 + dice.below(80)).await;
        for at in &dead {
            cluster.nodes[*at].restart().await;
            load.next_life();
        }
    }
    let outcome = load.finish().await;
    println!("{killed} kills of nodes: {}", outcome.summary());
    nobody_left(&outcome);
    cluster.is_flawless(&outcome).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_seen_to_leave_when_all_nodes_are_restarted_one_after_the_other_under_load() {
    let mut dice = Dice::new("nodes that are restarted");
    let mut cluster = Cluster::start(3).await;
    let load = Load::start(&cluster.nodes, PACE, &mut dice).await;
    load.stage("a node was restarted");
    let rounds = ROUNDS[usize::from(is_long())];
    for _ in 0..rounds {
        for at in 0..cluster.nodes.len() {
            load.acknowledged_beyond(40).await;
            load.remark(&format!("node {at} is stopped"));
            let status = cluster.nodes[at].stop().await;
            load.remark(&format!("node {at} has stopped"));
            assert!(status.success(), "{status}\n{}", cluster.nodes[at].log());
            load.acknowledged_beyond(40).await;
            cluster.nodes[at].restart().await;
            load.remark(&format!("node {at} is back"));
            load.next_life();
        }
    }
    // Longer than anybody is held for who is thought to be gone.
    load.goes_on_for(super::GRACE).await;
    let outcome = load.finish().await;
    println!("{rounds} rounds of restarts: {}", outcome.summary());
    nobody_left(&outcome);
    cluster.is_flawless(&outcome).await;
}
