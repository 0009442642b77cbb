//! The load of boards against the real server: a short one, with every edit accounted for.

use std::{path::PathBuf, time::Duration};
use stoa_load::{
    boards::{Boards, Soak},
    commands::Source,
    spawn::Stoa,
};

/// Beside the programs of the tests, where `cargo build` puts it.
fn stoa() -> Source {
    let own = std::env::current_exe().expect("the test's own path");
    let built = own.ancestors().nth(2).expect("target/debug").join("stoa");
    let binary = std::env::var_os("STOA_BIN").map_or(built, PathBuf::from);
    assert!(binary.exists(), "{} is missing: cargo build --package stoa", binary.display());
    Source::Stoa(Stoa { binary, nodes: 1, database_url: None, redis_url: None, args: vec![], env: vec![] })
}

fn seed() -> u64 {
    let seed = getrandom::u64().expect("randomness");
    eprintln!("seed {seed}");
    seed
}

#[test]
fn every_edit_of_a_few_editors_reaches_everybody_and_is_saved_and_all_end_equal() {
    let boards = Boards {
        editors: 10,
        boards: 2,
        rate: 5.0,
        shapes: 0,
        joins: 2.0,
        warmup: Duration::from_millis(300),
        measured: Duration::from_secs(3),
        drain: Duration::from_secs(30),
        seed: seed(),
    };
    let report = boards.run(&stoa()).expect("the run ends");
    assert_eq!(report.findings, [""; 0], "{report}");
    // 300 edits, most of which bring clocks, to 9 others each; a slow machine is late, and owes the rest.
    assert!(report.delivery.count >= 900, "{report}");
    assert!(report.saved.as_ref().is_some_and(|saved| saved.count >= 100), "{report}");
    assert!(report.refused.is_empty(), "{report}");
}

#[test]
fn a_short_session_of_writing_erasing_and_undoing_ends_equal() {
    let soak = Soak { people: 3, hours: 0.15, speed: 80.0, shapes: 50, looks: 2, stored: false, seed: seed() };
    let report = soak.run(&stoa()).expect("the run ends");
    assert_eq!(report.findings, [""; 0], "{report}");
    assert_eq!(report.looks.len(), 3);
    assert!(report.looks.iter().all(|look| look.join.bytes > 0), "{report}");
    let picture = report.picture();
    assert!(picture.starts_with("<svg") && picture.contains("Server memory"));
}
