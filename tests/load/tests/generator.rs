//! The generator against the floor, and against a floor that does wrong.

mod tamper;

use std::{path::Path, time::Duration};
use stoa_load::{
    commands::{Source, run::Run, storm::storm},
    engine::{Cut, Options, Plan},
    plan::{Schedule, Shape},
    report::RunReport,
    spawn::Server,
};
use tamper::{Fault, Proxy};

fn floor() -> Server {
    Server::floor(Some(Path::new(env!("CARGO_BIN_EXE_stoa-load")))).expect("the floor starts")
}

fn run(rooms: usize, members: usize, rate: f64) -> Run {
    Run {
        shape: Shape { rooms, members, senders: members, payload: 64 },
        plan: Plan::Open(Schedule { rate, ramp: Duration::from_millis(200) }),
        settle: Duration::ZERO,
        measured: Duration::from_secs(2),
        warmup: Duration::from_millis(200),
        drain: Duration::from_secs(20),
        storm: None,
        options: Options { threads: 2, ..Options::default() },
    }
}

fn drive(run: &Run, fault: Fault) -> RunReport {
    let floor = floor();
    let proxy = Proxy::start(floor.target.node.addr, fault);
    let mut target = floor.target.clone();
    target.node.addr = proxy.addr();
    run.drive(&target).expect("the run ends")
}

#[test]
fn a_sound_server_is_found_sound_and_every_delivery_is_counted() {
    let floor = floor();
    let run = run(4, 10, 300.0);
    let report = run.drive(&floor.target).expect("the run ends");
    assert_eq!(report.findings, [""; 0], "{report}");
    assert_eq!(report.audit.acked, report.due);
    assert_eq!(report.audit.owed, report.due * 10);
    // The window holds 2 s of 300 messages/s, each delivered to 10.
    assert!((5_000..7_000).contains(&report.delivery.count), "{report}");
    assert!(report.delivery.p50_ms <= report.delivery.p99_ms && report.delivery.p99_ms <= report.delivery.max_ms);
    assert!(report.usage.rss_bytes.is_some_and(|bytes| bytes > 500_000), "{report}");
    assert!(report.server_us_per_delivery.is_some(), "{report}");
}

#[test]
fn a_lost_delivery_is_found() {
    let report = drive(&run(1, 3, 100.0), Fault::Lose);
    assert_eq!((report.audit.losses, report.audit.gaps, report.audit.duplicates), (1, 1, 0), "{report}");
    assert_eq!(report.findings.len(), 2, "{report}");
}

#[test]
fn a_doubled_delivery_is_found() {
    let report = drive(&run(1, 3, 100.0), Fault::Double);
    assert_eq!((report.audit.losses, report.audit.gaps, report.audit.duplicates), (0, 0, 1), "{report}");
}

#[test]
fn two_deliveries_in_the_wrong_order_are_found() {
    let report = drive(&run(1, 3, 100.0), Fault::Swap);
    assert_eq!((report.audit.losses, report.audit.inversions, report.audit.gaps), (0, 1, 0), "{report}");
}

#[test]
fn other_words_for_one_reader_are_found() {
    let report = drive(&run(1, 3, 100.0), Fault::Rewrite);
    // Whoever saw the number first is believed, so the others count when the victim was the first.
    assert!((1..=3).contains(&report.audit.disagreements), "{report}");
    assert_eq!((report.audit.losses, report.findings.len()), (0, 1), "{report}");
}

#[test]
fn a_stall_shows_in_the_latency_of_everything_that_was_due_meanwhile() {
    // A second of standstill out of two and a bit: a generator that waits for replies before it sends, or that times
    // from when it sent, would see a few slow messages and a median of nothing.
    let report = drive(&run(1, 1, 100.0), Fault::Stall(Duration::from_secs(1)));
    assert_eq!(report.findings, [""; 0], "{report}");
    assert!(report.delivery.max_ms > 900.0 && report.delivery.p90_ms > 600.0, "{report}");
}

#[test]
fn what_was_said_while_a_reader_was_away_counts_as_lost_when_the_server_does_not_keep_it() {
    // The floor keeps nothing: whoever comes back has missed what was said meanwhile.
    let floor = floor();
    let storm = Cut { share: 0.5, spare_senders: false, away: Duration::from_millis(200) };
    let mut run = run(2, 20, 200.0);
    run.storm = Some((storm, Duration::from_millis(500)));
    let report = run.drive(&floor.target).expect("the run ends");
    assert!(report.audit.losses > 0 && report.audit.gaps > 0, "{report}");
    assert!(report.rejoined > 0 && report.lost == report.rejoined, "{report}");
    assert_eq!(report.audit.away, 0, "{report}");
}

#[test]
fn everybody_who_is_cut_in_a_storm_comes_back() {
    let floor = floor();
    let source = Source::Running(Box::new(floor.target.clone()));
    let mut run = run(4, 26, 50.0);
    run.shape.senders = 1;
    let report = storm(&run, &source, Duration::from_millis(300), Duration::from_secs(20)).expect("the run ends");
    assert_eq!((report.cut, report.audit.away), (100, 0), "{report}");
}

#[test]
fn a_closed_plan_keeps_its_senders_busy_and_loses_nothing() {
    let floor = floor();
    let mut run = run(5, 2, 1.0);
    run.plan = Plan::Closed(8);
    let report = run.drive(&floor.target).expect("the run ends");
    assert_eq!(report.findings, [""; 0], "{report}");
    assert_eq!(report.audit.acked, report.due);
    assert!(report.acks_per_s > 500.0, "{report}");
}

#[test]
fn a_slow_reader_is_timed_apart() {
    let floor = floor();
    let mut run = run(1, 4, 100.0);
    run.options.slow = 1;
    run.options.slow_bytes = 4_000;
    let report = run.drive(&floor.target).expect("the run ends");
    let slow = report.slow_delivery.expect("one reads slowly");
    assert!(slow.p50_ms > report.delivery.p99_ms, "{slow} beside {}", report.delivery);
}
