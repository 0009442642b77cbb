//! Runs plans: one, many, and smaller ones.

use super::{
    oracle,
    plan::{Plan, Step},
    trace::{Detail, Trace, Wrong},
    world::World,
};
use crate::random::seeded;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// After everything has healed so long passes until what is asked must be true: a lost network is found by then, and
/// every grace has ended.
const REST: Duration = Duration::from_secs(50);
/// Without the bus what is committed is with everybody after a second and what the store takes.
const LOOK: Duration = Duration::from_millis(1_200);

/// Happenings that are shown of a failing run.
const SHOWN: usize = 100;

/// What became of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What is wrong.
    pub wrong: Vec<Wrong>,
    /// What happened, when it was to be told.
    pub lines: Vec<String>,
}

#[cfg(feature = "planted-bugs")]
mod plant {
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// The bug that runs on this thread have.
    pub fn plant(bug: Option<&'static str>) {
        PLANTED.set(bug);
    }

    /// See [`plant`].
    pub fn planted() -> Option<&'static str> {
        PLANTED.get()
    }
}

#[cfg(feature = "planted-bugs")]
pub use plant::{plant, planted};

/// Runs a plan.
pub fn run(plan: &Plan, detail: Detail) -> Outcome {
    seeded::set(Some(plan.seed));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let trace = runtime.block_on(async {
        let epoch = Instant::now();
        let trace = Arc::new(Trace::new(detail, epoch));
        play(plan, trace.clone(), epoch).await;
        trace
    });
    drop(runtime);
    seeded::set(None);
    let (wrong, lines) = trace.end();
    Outcome { wrong, lines }
}

async fn play(plan: &Plan, trace: Arc<Trace>, epoch: Instant) {
    let world = World::new(plan, trace.clone(), epoch);
    world.begin(plan).await;
    for Step { after_ms, act } in &plan.steps {
        pass(&world, Duration::from_millis(*after_ms)).await;
        if trace.is_wrong() {
            return;
        }
        world.act(act);
    }
    pass(&world, Duration::from_secs(3)).await;
    world.calm();
    pass(&world, REST).await;
    if trace.is_wrong() {
        return;
    }
    oracle::ask(&world);
    if trace.is_wrong() {
        return;
    }
    world.silence();
    world.everybody_speaks();
    pass(&world, LOOK).await;
    oracle::ask(&world);
}

/// Time passes; who is there is noted meanwhile.
async fn pass(world: &Arc<World>, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        sleep_until((Instant::now() + Duration::from_millis(500)).min(end)).await;
        world.look_who_is_there();
        if world.trace.is_wrong() {
            return;
        }
    }
}

/// Makes a failing plan smaller while it fails in the same way.
pub fn shrink(plan: &Plan, kind: &str) -> Plan {
    let fails = |plan: &Plan| run(plan, Detail::Nothing).wrong.first().is_some_and(|wrong| wrong.kind == kind);
    let mut small = plan.clone();
    let mut chunk = small.steps.len().div_ceil(2);
    while chunk > 0 && !small.steps.is_empty() {
        let mut at = 0;
        while at < small.steps.len() {
            let mut tried = small.clone();
            let end = (at + chunk).min(tried.steps.len());
            // The time that passed in them passes all the same.
            let passed: u64 = tried.steps.drain(at..end).map(|step| step.after_ms).sum();
            if let Some(next) = tried.steps.get_mut(at) {
                next.after_ms += passed;
            }
            match fails(&tried) {
                true => small = tried,
                false => at += chunk,
            }
        }
        chunk /= 2;
    }
    small
}

/// Where failing plans are kept.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/simulation")
}

/// Makes a failing plan small, keeps it, and says how it is played again.
pub fn keep(plan: &Plan, outcome: &Outcome) -> String {
    let small = shrink(plan, outcome.wrong[0].kind);
    let told = run(&small, Detail::Told);
    std::fs::create_dir_all(folder()).expect("a folder");
    let file = folder().join(format!("{}.json", plan.seed));
    std::fs::write(&file, serde_json::to_string_pretty(&small).expect("JSON")).expect("a file");
    let wrong: Vec<_> = told.wrong.iter().map(|wrong| format!("{}: {}", wrong.kind, wrong.seen)).collect();
    format!(
        "seed {} fails ({} steps, {} when shrunk):\n  {}\nreplay: STOA_SIMULATION_PLAN={} cargo test -p stoa --lib replays -- --ignored --nocapture\n{}",
        plan.seed,
        plan.steps.len(),
        small.steps.len(),
        wrong.join("\n  "),
        file.display(),
        told.lines[told.lines.len().saturating_sub(SHOWN)..].join("\n"),
    )
}

/// Reads a plan that was kept.
pub fn kept(file: &str) -> Plan {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_str(&text).expect("a plan")
}
