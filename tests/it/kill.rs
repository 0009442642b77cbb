//! SIGKILL in the middle of load: what was acknowledged is there, once, in one order, for everybody.

#[cfg(feature = "planted-bugs")]
mod planted;
mod trace;

use crate::{
    harness::{Backend, Dice, Setup, is_long},
    load::{Load, Pace, verdict},
};
use std::slice;

/// Kills of the short form and of the long one.
const KILLS: [u32; 2] = [6, 40];

fn kills() -> u32 {
    KILLS[usize::from(is_long())]
}

async fn killed_under_load(backend: Backend) {
    let mut dice = Dice::new("kill");
    let mut server = Setup::new(backend).without_rates().start().await;
    let load = Load::start(slice::from_ref(&server), Pace::Flood, &mut dice).await;
    for kill in 1..=kills() {
        let acknowledged = load.acknowledged_beyond(20 + dice.below(400)).await;
        server.kill().await;
        server.restart().await;
        load.next_life();
        println!("{backend:?}: kill {kill} at {acknowledged} acknowledged messages");
    }
    let outcome = load.finish().await;
    let wrong = verdict::judge(&outcome);
    assert!(wrong.is_empty(), "{} things are wrong:\n{}\n{}", wrong.len(), wrong.join("\n"), server.log());
    let wrong = verdict::compare_with_history(&outcome, &server).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    server.stop().await;
    let wrong = verdict::compare_with_tables(&outcome, &server.database_url(), backend).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{backend:?}: {}", outcome.summary());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_doubled_or_moved_when_sqlite_is_killed_under_load() {
    killed_under_load(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_doubled_or_moved_when_a_server_on_postgres_is_killed_under_load() {
    killed_under_load(Backend::Postgres).await;
}
