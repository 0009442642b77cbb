//! `acks`: how many durable messages per second are acknowledged, when every sender keeps some unacknowledged.

use super::run::Run;
use crate::{engine::Plan, plan::Shape};
use std::time::Duration;

/// The run that measures it: everybody in a room sends, and reads what the others say.
pub fn run(shape: Shape, in_flight: usize, measured: Duration, options: crate::engine::Options) -> Run {
    Run {
        shape,
        plan: Plan::Closed(in_flight),
        settle: Duration::from_secs(2),
        measured,
        warmup: Duration::from_secs(3),
        drain: Duration::from_secs(60),
        storm: None,
        options,
    }
}
