//! Postgres is killed, and fails over to its standby.

use super::{Cluster, PACE, nobody_left};
use crate::{
    harness::{Dice, Postgres, Proxy, is_long, within},
    load::Load,
};
use std::time::Duration;

/// Kills of the short form and of the long one.
const KILLS: [u32; 2] = [2, 20];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_postgres_is_killed_and_started_again_under_load() {
    let mut dice = Dice::new("Postgres that is killed");
    let mut postgres = Postgres::start().await;
    let mut cluster = Cluster::on(postgres.database(postgres.port()).await, 2).await;
    let load = Load::start(&cluster.nodes, PACE, &mut dice).await;
    load.stage("Postgres was killed");
    let kills = KILLS[usize::from(is_long())];
    for _ in 0..kills {
        load.acknowledged_beyond(20 + dice.below(150)).await;
        postgres.kill();
        postgres.restart().await;
    }
    load.acknowledged_beyond(50).await;
    let outcome = load.finish().await;
    println!("{kills} kills of Postgres: {}", outcome.summary());
    nobody_left(&outcome);
    cluster.is_flawless(&outcome).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_on_the_standby_and_the_old_primary_is_refused() {
    let mut dice = Dice::new("failover");
    let mut old = Postgres::start().await;
    let address = Proxy::start(old.port()).await;
    let url = old.database(address.port()).await;
    let new = old.standby().await;
    let mut cluster = Cluster::on(url, 2).await;
    let load = Load::start(&cluster.nodes, PACE, &mut dice).await;
    load.acknowledged_beyond(150).await;

    load.stage("Postgres failed over");
    old.kill();
    new.promote().await;
    address.lead_to(Some(new.port()));
    load.acknowledged_beyond(150).await;

    // The old primary comes back, and whoever dials anew is led to it: there is nothing to be had there.
    load.stage("the old primary was refused");
    old.restart().await;
    // Without the standby that it would wait for, it would take whatever it is told.
    old.sql("ALTER SYSTEM RESET synchronous_standby_names").await;
    old.sql("SELECT pg_reload_conf()").await;
    address.lead_to(Some(old.port()));
    // A node that starts has seen nothing, and is told by the others.
    cluster.add_node_by(&cluster.redis.url()).await;
    for node in &cluster.nodes {
        let log = node.shared_log();
        let says = async {
            while !log.lock().contains("an old primary") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within("a node to refuse the old primary", || node.log(), says).await;
    }
    address.lead_to(Some(new.port()));
    load.acknowledged_beyond(150).await;
    let outcome = load.finish().await;
    println!("a failover: {}", outcome.summary());
    nobody_left(&outcome);
    cluster.is_flawless(&outcome).await;
}
