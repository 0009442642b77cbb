//! The load of calls against the real server: a short one, with every signal accounted for.

use std::{path::PathBuf, time::Duration};
use stoa_load::{
    calls::Calls,
    commands::Source,
    spawn::{Server, Stoa},
};

/// Beside the programs of the tests, where `cargo build` puts it.
fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("the test's own path");
    let built = own.ancestors().nth(2).expect("target/debug").join("stoa");
    let binary = std::env::var_os("STOA_BIN").map_or(built, PathBuf::from);
    assert!(binary.exists(), "{} is missing: cargo build --package stoa", binary.display());
    binary
}

#[test]
fn every_signal_of_a_few_calls_comes_once_and_in_order() {
    let stoa = Stoa { binary: binary(), nodes: 1, database_url: None, redis_url: None, args: vec![], env: vec![] };
    let server = Server::stoa(&stoa).expect("the server starts");
    let source = Source::Running(Box::new(server.target.clone()));
    let calls = Calls {
        calls: 3,
        participants: 3,
        rate: 100.0,
        offer_every: 5,
        warmup: Duration::from_millis(300),
        measured: Duration::from_secs(2),
        drain: Duration::from_secs(20),
    };
    let report = calls.run(&source).expect("the run ends");
    assert_eq!(report.findings, [""; 0], "{report}");
    assert_eq!((report.calls, report.participants), (3, 3));
    // 100 signals each second, and the answers to the offers among them; a slow machine is late, and owes the rest.
    assert!(report.relay.count >= 100, "{report}");
    assert!(report.refused.is_empty(), "{report}");
}
