use super::*;

/// Ten messages of one sender in room 0, acknowledged at 1 to 10.
fn acked() -> Vec<Acked> {
    (0..10).map(|n| Acked { room: 0, seq: u64::from(n) + 1, id: MessageId::new(7, n) }).collect()
}

/// A journal of two readers, the first of whom sees everything and the second what `arrivals` says.
fn journal(arrivals: &[u64]) -> Journal {
    let mut journal = Journal { acked: acked(), ..Journal::default() };
    for seqs in [&(1..=10).collect::<Vec<u64>>()[..], arrivals] {
        let mut log = MemberLog::starting_after(0);
        for seq in seqs {
            log.arrive(*seq);
            journal.rooms.entry(0).or_default().witness(*seq, Some(MessageId::new(7, *seq as u32 - 1)));
        }
        journal.members.push((0, log));
    }
    journal
}

fn clean() -> Audit {
    Audit { acked: 10, owed: 20, ..Audit::default() }
}

#[test]
fn a_clean_run_has_no_findings() {
    let audit = journal(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).audit();
    assert_eq!(audit, clean());
    assert!(audit.is_clean());
}

#[test]
fn a_message_that_never_came_is_a_loss_and_a_gap() {
    let audit = journal(&[1, 2, 3, 5, 6, 7, 8, 9, 10]).audit();
    assert_eq!(audit, Audit { losses: 1, gaps: 1, ..clean() });
    assert!(!audit.is_clean());
}

#[test]
fn a_lost_end_is_found_though_no_later_number_shows_it() {
    assert_eq!(journal(&[1, 2, 3, 4, 5, 6, 7, 8]).audit(), Audit { losses: 2, ..clean() });
}

#[test]
fn a_message_that_came_twice_is_a_duplicate() {
    let audit = journal(&[1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 5]).audit();
    assert_eq!(audit, Audit { duplicates: 2, ..clean() });
}

#[test]
fn a_message_that_came_after_a_later_one_is_an_inversion_and_no_loss() {
    let audit = journal(&[1, 2, 4, 3, 5, 9, 7, 8, 6, 10]).audit();
    assert_eq!(audit, Audit { inversions: 4, ..clean() });
}

#[test]
fn other_words_under_the_same_number_are_a_disagreement() {
    let mut journal = journal(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    journal.rooms.entry(0).or_default().witness(4, Some(MessageId::new(9, 9)));
    assert_eq!(journal.audit(), Audit { disagreements: 1, ..clean() });
}

#[test]
fn an_acknowledgement_that_names_anothers_place_is_a_disagreement() {
    let mut journal = journal(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    journal.acked[3].id = MessageId::new(1, 99);
    assert_eq!(journal.audit(), Audit { disagreements: 1, ..clean() });
}

#[test]
fn a_message_that_was_stored_under_two_numbers_is_found_by_its_words() {
    let mut journal = journal(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    journal.members[0].1.arrive(11);
    journal.rooms.insert(0, RoomLog::default());
    for seq in 1..=11u64 {
        let n = if seq == 11 { 4 } else { seq as u32 - 1 };
        journal.rooms.entry(0).or_default().witness(seq, Some(MessageId::new(7, n)));
    }
    assert_eq!(journal.audit(), Audit { stored_twice: 1, ..clean() });
}

#[test]
fn a_repeated_acknowledgement_counts_once_and_at_another_place_is_stored_twice() {
    let mut again = journal(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    again.acked.push(again.acked[2]);
    assert_eq!(again.audit(), clean());
    let last = again.acked.len() - 1;
    again.acked[last].seq = 10;
    let audit = again.audit();
    assert_eq!((audit.stored_twice, audit.disagreements), (1, 1));
}

#[test]
fn what_a_skip_hides_is_lost_when_it_was_acknowledged_and_no_gap() {
    let mut journal = journal(&[1, 2, 3]);
    let log = &mut journal.members[1].1;
    log.excuse_to(5);
    (6..=10).for_each(|seq| assert_eq!(log.arrive(seq), Arrival::InOrder));
    assert_eq!(journal.audit(), Audit { losses: 2, ..clean() });
}

#[test]
fn a_reader_who_went_away_owes_nothing_after_its_last_event_but_everything_before() {
    let mut journal = journal(&[1, 2, 4, 5]);
    journal.members[1].1.attached = false;
    assert_eq!(journal.audit(), Audit { away: 1, losses: 1, gaps: 1, ..clean() });
}

#[test]
fn a_reader_who_came_late_owes_only_what_is_after_its_snapshot() {
    let mut journal = journal(&[]);
    let mut late = MemberLog::starting_after(8);
    assert_eq!((late.arrive(9), late.arrive(10)), (Arrival::InOrder, Arrival::InOrder));
    journal.members[1].1 = late;
    assert_eq!(journal.audit(), clean());
}

#[test]
fn events_of_the_room_itself_keep_their_place_and_are_owed_to_nobody() {
    let mut log = RoomLog::default();
    log.witness(6, None);
    log.witness(5, Some(MessageId::new(1, 1)));
    log.witness(6, None);
    assert_eq!((log.disagreements, log.at(5), log.at(7)), (0, Some(MessageId::new(1, 1).packed()), None));
    log.witness(6, Some(MessageId::new(1, 2)));
    assert_eq!(log.disagreements, 1);
}

#[test]
fn merged_logs_know_what_either_saw() {
    let (mut one, mut two) = (RoomLog::default(), RoomLog::default());
    (5..8).for_each(|seq| one.witness(seq, Some(MessageId::new(1, seq as u32))));
    (3..6).for_each(|seq| two.witness(seq, Some(MessageId::new(1, seq as u32))));
    one.merge(&two);
    assert_eq!(one.disagreements, 0);
    assert!((3..8).all(|seq| one.at(seq) == Some(MessageId::new(1, seq as u32).packed())));
    two.witness(6, Some(MessageId::new(2, 2)));
    one.merge(&two);
    assert_eq!(one.disagreements, 1);
}

#[test]
fn any_shuffle_of_arrivals_is_accounted_for() {
    // Every sequence of arrivals, judged against a plain set: what came twice, what came late, what is missing.
    for seed in 1..200u64 {
        let mut state = seed;
        let mut log = MemberLog::starting_after(0);
        let mut had = std::collections::BTreeSet::new();
        let (mut late, mut repeated) = (0, 0);
        for _ in 0..200 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let seq = state % 60 + 1;
            let top = had.last().copied().unwrap_or(0);
            let expected = match () {
                () if had.contains(&seq) => Arrival::Repeated,
                () if seq < top => Arrival::Late,
                () if seq == top + 1 => Arrival::InOrder,
                () => Arrival::Gap,
            };
            late += u64::from(expected == Arrival::Late);
            repeated += u64::from(expected == Arrival::Repeated);
            assert_eq!(log.arrive(seq), expected, "seed {seed}");
            had.insert(seq);
        }
        let top = had.last().copied().unwrap_or(0);
        assert_eq!((log.inversions, log.duplicates), (late, repeated), "seed {seed}");
        assert_eq!(log.gaps(), top - had.len() as u64, "seed {seed}");
        assert!((1..=top).all(|seq| log.has(seq) == had.contains(&seq)), "seed {seed}");
    }
}
