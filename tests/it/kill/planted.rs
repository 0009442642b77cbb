//! A server that acknowledges before it commits must be found out. Runs with `--features planted-bugs`.

use super::trace;
use crate::{
    harness::{Backend, Dice, Setup},
    load::{Load, Pace, verdict},
};
use std::slice;

fn planted(backend: Backend) -> Setup {
    Setup::new(backend).without_rates().variable("STOA_PLANT", "ack-before-commit")
}

/// Kills within which the bug must show. It shows in nearly every one, since something is always on its way.
const KILLS: u32 = 10;

async fn is_found(backend: Backend) {
    let mut dice = Dice::new("planted");
    let mut server = planted(backend).start().await;
    let load = Load::start(slice::from_ref(&server), Pace::Flood, &mut dice).await;
    for _ in 0..KILLS {
        load.acknowledged_beyond(20 + dice.below(100)).await;
        server.kill().await;
        server.restart().await;
        load.next_life();
    }
    // The rooms end beyond everything that was lost: more than can be on its way at once.
    load.acknowledged_beyond(500).await;
    let outcome = load.finish().await;
    let wrong = verdict::judge(&outcome);
    assert!(wrong.iter().any(|fault| fault.starts_with("lost: ")), "{KILLS} kills found nothing: {wrong:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kill_test_finds_an_acknowledgement_before_the_commit_on_sqlite() {
    is_found(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kill_test_finds_an_acknowledgement_before_the_commit_on_postgres() {
    is_found(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trace_finds_an_acknowledgement_before_the_commit() {
    let wrong = trace::run(planted(Backend::Sqlite)).await;
    assert!(!wrong.is_empty(), "the trace found nothing");
}
