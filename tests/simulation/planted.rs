//! Bugs that the simulation must find. With `--features planted-bugs`.

use super::{
    plan::Plan,
    run::{plant, run},
    trace::Detail,
};

/// Seeds within which each must show.
const SEEDS: u64 = 400;

/// Looks for the first seed that fails in one of these ways with the bug, and passes without it.
fn is_found(bug: &'static str, kinds: &[&str]) {
    for seed in 0..SEEDS {
        let plan = Plan::of(seed);
        plant(Some(bug));
        let wrong = run(&plan, Detail::Nothing).wrong;
        plant(None);
        let Some(first) = wrong.first() else { continue };
        println!("{bug}: seed {seed}, {}: {}", first.kind, first.seen);
        assert!(kinds.contains(&first.kind), "{bug} shows as {}: {}", first.kind, first.seen);
        let without = run(&plan, Detail::Nothing).wrong;
        assert!(without.is_empty(), "{bug}: seed {seed} fails without it: {without:?}");
        return;
    }
    panic!("{bug} was not found within {SEEDS} seeds");
}

/// One test for each bug, with the ways in which it may show.
macro_rules! planted {
    ($($name:ident: $bug:literal shows as $($kind:literal),+;)+) => {
        $(#[test]
        fn $name() {
            is_found($bug, &[$($kind),+]);
        })+
    };
}

planted! {
    an_acknowledgement_before_the_commit: "ack-before-commit" shows as "early", "lost";
    events_that_change_places_in_the_ring: "swapped-delivery" shows as "gap", "again";
    a_gap_that_is_skipped_when_somebody_catches_up: "skipped-gap" shows as "gap";
    an_event_that_is_told_again_on_resuming: "double-apply-on-resume" shows as "again";
    somebody_who_is_live_before_being_caught_up: "live-before-caught-up" shows as "gap", "behind";
    an_event_that_a_full_mailbox_loses: "full-mailbox-skipped" shows as "gap", "behind";
    a_batch_that_is_written_under_a_lost_lease: "stale-lease" shows as "unfenced";
    a_lease_that_is_not_taken_anew: "lease-kept" shows as "stuck";
    a_last_ring_that_nobody_hears: "lost-last-ring" shows as "behind";
    a_retry_whose_key_is_forgotten: "forgotten-key" shows as "internal", "twice", "retry", "conflict";
    a_user_event_that_is_told_again: "stream-beyond-head" shows as "stream";
    a_change_of_presence_that_another_node_never_hears: "beat-unheeded" shows as "presence";
    somebody_who_leaves_by_reloading: "no-grace" shows as "left";
    a_read_marker_that_is_never_healed: "unhealed-marker" shows as "marker";
}
