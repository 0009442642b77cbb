//! The log: numbers, keys, transactions.

use super::{bed::*, contract};
use stoa::storage::{Head, KeyHit, NewUserEvent, Store, StoreError};
use stoa_protocol::{LeaveReason, Role, Seq, UserEventBody};

contract! {
    a_batch_is_there_after_its_commit,
    a_reserved_room_is_none_until_it_is_created,
    a_dropped_transaction_takes_everything_back,
    a_key_answers_with_its_place_and_digest,
    a_wrong_continuation_is_refused_and_harms_nothing,
    a_failed_transaction_cannot_be_committed,
    a_gap_within_a_batch_is_refused,
    an_unknown_kind_comes_without_a_body,
    user_logs_are_numbered_and_idempotent,
    users_without_a_row_have_a_stable_epoch,
    markers_never_go_back,
    settings_belong_to_the_first_writer,
    profiles_status_and_revocation_are_kept,
    two_nodes_number_one_room_without_gaps,
    a_marker_needs_its_room,
    a_renewed_log_keeps_its_numbers,
    a_refused_statement_leaves_the_connections_usable,
}

async fn a_batch_is_there_after_its_commit(bed: &Bed) {
    found(&*bed.store, "r", &["ann", "ben"]).await;
    assert_eq!(put(&*bed.store, "r", vec![("ben", said("hi")), ("ann", said("ho"))]).await, [4, 5]);
    let stored = bed.store.room(&room("r")).await.expect("reads").expect("exists");
    assert_eq!((stored.epoch, stored.head, stored.creator), (epoch("e-r"), at(5), Some(user("ann"))));
    assert_eq!(stored.info.created_at, time(at(1)));
    assert_eq!(
        stored.members.iter().map(|m| (m.user.as_str(), m.joined_seq)).collect::<Vec<_>>(),
        [("ann", at(2)), ("ben", at(3))]
    );
    let events = bed.store.events(&room("r"), at(2), 2).await.expect("reads");
    assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), [at(3), at(4)]);
    assert_eq!(events[1].body, Some(said("hi")));
    assert_eq!((events[1].at, &events[1].from), (time(at(4)), &Some(user("ben"))));
    assert_eq!(bed.store.events(&room("r"), at(5), 10).await.expect("reads"), []);
    assert_eq!(bed.another().await.room(&room("r")).await.expect("reads").expect("exists").head, at(5));
}

async fn a_reserved_room_is_none_until_it_is_created(bed: &Bed) {
    let mut tx = bed.store.begin().await.expect("begins");
    tx.reserve(&[(room("b"), epoch("eb")), (room("a"), epoch("ea"))]).await.expect("reserves");
    let heads = tx.lock(&[room("a"), room("missing")]).await.expect("locks");
    assert_eq!(heads.into_iter().collect::<Vec<_>>(), [(room("a"), Head { epoch: epoch("ea"), seq: Seq::ZERO })]);
    assert_eq!(tx.room(&room("a")).await.expect("reads"), None);
    tx.commit().await.expect("commits");
    assert_eq!(bed.store.room(&room("a")).await.expect("reads"), None);
    // The first one's epoch stays.
    let mut tx = bed.store.begin().await.expect("begins");
    tx.reserve(&[(room("a"), epoch("later"))]).await.expect("reserves");
    assert_eq!(tx.lock(&[room("a")]).await.expect("locks")[&room("a")].epoch, epoch("ea"));
}

async fn a_dropped_transaction_takes_everything_back(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    for _ in 0..20 {
        let mut tx = bed.store.begin().await.expect("begins");
        let head = tx.lock(&[room("r")]).await.expect("locks")[&room("r")].seq;
        tx.append(&numbered("r", head, vec![("ann", said("never"))])).await.expect("appends");
        tx.mark(&[(room("r"), user("ann"), at(1))]).await.expect("marks");
        drop(tx);
    }
    assert_eq!(put(&*bed.store, "r", vec![("ann", said("first"))]).await, [3]);
    assert_eq!(hits(&*bed.store, "never").await, Vec::<u64>::new());
    assert_eq!(bed.store.markers(&room("r"), &user("ann"), 10).await.expect("reads"), []);
}

async fn a_key_answers_with_its_place_and_digest(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    let mut tx = bed.store.begin().await.expect("begins");
    tx.lock(&[room("r")]).await.expect("locks");
    let mut events = numbered("r", at(2), vec![("ann", said("one")), ("ben", said("two"))]);
    events = events.into_iter().zip([7, 8]).map(|(event, digest)| keyed(event, "k", digest)).collect();
    tx.append(&events).await.expect("appends");
    tx.commit().await.expect("commits");
    let mut tx = bed.store.begin().await.expect("begins");
    tx.lock(&[room("r")]).await.expect("locks");
    let asked = [("ben", "k"), ("ann", "other"), ("ann", "k"), ("cat", "k"), ("ben", "k")];
    let asked: Vec<_> = asked.iter().map(|(who, id)| (room("r"), user(who), key(id))).collect();
    let hit = |seq, digest| Some(KeyHit { seq: at(seq), digest: print(digest) });
    assert_eq!(tx.keys(&asked).await.expect("looks up"), [hit(4, 8), None, hit(3, 7), None, hit(4, 8)]);
    assert_eq!(tx.keys(&[(room("q"), user("ann"), key("k"))]).await.expect("looks up"), [None]);
    drop(tx);
    // The database itself keeps a key from being used twice.
    let mut tx = bed.store.begin().await.expect("begins");
    tx.lock(&[room("r")]).await.expect("locks");
    let again = keyed(numbered("r", at(4), vec![("ann", said("again"))]).remove(0), "k", 7);
    assert!(matches!(tx.append(&[again]).await, Err(StoreError::Refused(_))));
}

async fn a_wrong_continuation_is_refused_and_harms_nothing(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    for wrong in [Seq::ZERO, at(1), at(3)] {
        let mut tx = bed.store.begin().await.expect("begins");
        tx.lock(&[room("r")]).await.expect("locks");
        let outcome = tx.append(&numbered("r", wrong, vec![("ann", said("wrong"))])).await;
        assert!(matches!(outcome, Err(StoreError::Refused(_))), "{wrong}: {outcome:?}");
    }
    let mut tx = bed.store.begin().await.expect("begins");
    let outcome = tx.append(&numbered("missing", Seq::ZERO, vec![("ann", said("nowhere"))])).await;
    assert!(matches!(outcome, Err(StoreError::Refused(_))), "{outcome:?}");
    drop(tx);
    assert_eq!(put(&*bed.store, "r", vec![("ann", said("right"))]).await, [3]);
}

async fn a_failed_transaction_cannot_be_committed(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    let mut tx = bed.store.begin().await.expect("begins");
    tx.lock(&[room("r")]).await.expect("locks");
    tx.append(&numbered("r", at(9), vec![("ann", said("wrong"))])).await.expect_err("refuses");
    assert!(matches!(tx.commit().await, Err(StoreError::Refused(_))));
    assert_eq!(put(&*bed.store, "r", vec![("ann", said("right"))]).await, [3]);
}

async fn a_gap_within_a_batch_is_refused(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    let mut tx = bed.store.begin().await.expect("begins");
    tx.lock(&[room("r")]).await.expect("locks");
    let mut events = numbered("r", at(2), vec![("ann", said("a")), ("ann", said("b"))]);
    events[1].seq = at(5);
    assert!(matches!(tx.append(&events).await, Err(StoreError::Refused(_))));
}

async fn an_unknown_kind_comes_without_a_body(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    put(&*bed.store, "r", vec![("ann", said("a")), ("ann", said("b")), ("ann", said("c"))]).await;
    bed.sql("UPDATE events SET kind = 'poll.opened', body = '{\"type\":\"poll.opened\"}' WHERE seq = 3").await;
    bed.sql("UPDATE events SET v = 2, body = '{\"type\":\"chat.sent\",\"words\":[]}' WHERE seq = 4").await;
    let events = bed.store.events(&room("r"), at(2), 10).await.expect("reads");
    assert_eq!(
        events.iter().map(|e| (e.seq, e.body.clone())).collect::<Vec<_>>(),
        [(at(3), None), (at(4), None), (at(5), Some(said("c")))]
    );
    bed.sql("UPDATE events SET body = '{' WHERE seq = 5").await;
    assert!(matches!(bed.store.events(&room("r"), at(2), 10).await, Err(StoreError::Damaged(_))));
}

fn invited(who: &str, id: Option<(&str, u8)>) -> NewUserEvent {
    NewUserEvent {
        user: user(who),
        at: START,
        from: Some(user("ann")),
        key: id.map(|(id, digest)| (key(id), print(digest))),
        body: UserEventBody::Invited { room: room("r"), role: Role::Member },
    }
}

async fn user_logs_are_numbered_and_idempotent(bed: &Bed) {
    let mut tx = bed.store.begin().await.expect("begins");
    let batch =
        [invited("zoe", None), invited("ben", Some(("k", 1))), invited("zoe", None), invited("ben", Some(("k", 1)))];
    let known = |seq, digest| Err(KeyHit { seq: at(seq), digest: print(digest) });
    assert_eq!(tx.append_user(&batch).await.expect("appends"), [Ok(at(1)), Ok(at(1)), Ok(at(2)), known(1, 1)]);
    tx.commit().await.expect("commits");
    let mut tx = bed.store.begin().await.expect("begins");
    let mut other = invited("ben", Some(("k", 3)));
    other.from = None;
    let removed = UserEventBody::Removed { room: room("r"), reason: LeaveReason::Removed };
    let batch =
        [invited("ben", Some(("k", 2))), other.clone(), NewUserEvent { body: removed.clone(), ..invited("ben", None) }];
    assert_eq!(tx.append_user(&batch).await.expect("appends"), [known(1, 1), Ok(at(2)), Ok(at(3))]);
    tx.commit().await.expect("commits");
    let mut tx = bed.store.begin().await.expect("begins");
    assert_eq!(tx.append_user(&[other]).await.expect("appends"), [known(2, 3)]);
    drop(tx);
    let events = bed.store.user_events(&user("ben"), at(1), 10).await.expect("reads");
    assert_eq!(events.iter().map(|e| e.user_seq).collect::<Vec<_>>(), [at(2), at(3)]);
    assert_eq!((&events[0].from, &events[1].body), (&None, &removed));
    let states = bed.store.users(&[user("ben"), user("zoe"), user("new")]).await.expect("reads");
    assert_eq!(states.iter().map(|state| state.head.seq).collect::<Vec<_>>(), [at(3), at(2), Seq::ZERO]);
}

async fn users_without_a_row_have_a_stable_epoch(bed: &Bed) {
    let before = bed.store.users(&[user("new"), user("newer")]).await.expect("reads");
    assert_eq!(before[0], before[1]);
    let mut tx = bed.store.begin().await.expect("begins");
    tx.append_user(&[invited("new", None)]).await.expect("appends");
    tx.commit().await.expect("commits");
    let after = bed.another().await.users(&[user("new"), user("newer")]).await.expect("reads");
    assert_eq!((&after[0].head.epoch, &after[1].head.epoch), (&before[0].head.epoch, &before[0].head.epoch));
    assert_eq!(after[0].head.seq, at(1));
}

async fn markers_never_go_back(bed: &Bed) {
    found(&*bed.store, "r", &["ann", "ben", "zoe"]).await;
    for (marks, want) in [
        (vec![("ben", 3), ("ann", 2)], [("zoe", 0), ("ann", 2), ("ben", 3)]),
        (vec![("ben", 1), ("ann", 3), ("ann", 1), ("zoe", 4)], [("zoe", 4), ("ann", 3), ("ben", 3)]),
    ] {
        let marks: Vec<_> = marks.into_iter().map(|(who, seq)| (room("r"), user(who), at(seq))).collect();
        let mut tx = bed.store.begin().await.expect("begins");
        tx.mark(&marks).await.expect("marks");
        tx.commit().await.expect("commits");
        let markers = bed.store.markers(&room("r"), &user("zoe"), 10).await.expect("reads");
        let markers: Vec<_> = markers.iter().map(|m| (m.user.as_str(), m.seq.value())).collect();
        let want: Vec<_> = want.into_iter().filter(|(_, seq)| *seq > 0).collect();
        assert_eq!(markers, want);
    }
    assert_eq!(bed.store.markers(&room("r"), &user("zoe"), 1).await.expect("reads")[0].user, user("zoe"));
}

async fn settings_belong_to_the_first_writer(bed: &Bed) {
    let other = bed.another().await;
    let (one, two) = tokio::join!(bed.store.setting("secret", "one"), other.setting("secret", "two"));
    let (one, two) = (one.expect("sets"), two.expect("sets"));
    assert_eq!(one, two);
    assert_eq!(bed.store.setting("secret", "three").await.expect("reads"), one);
}

async fn profiles_status_and_revocation_are_kept(bed: &Bed) {
    use stoa_protocol::Profile;
    let ann = Profile { name: "Ann \"A\" O'Hara 🦀".into(), avatar: Some("https://x/y.png".into()), guest: false };
    let ben = Profile { name: "Ben".into(), avatar: None, guest: false };
    bed.store.put_profiles(&[(user("ann"), ben.clone()), (user("ben"), ann.clone())]).await.expect("puts");
    bed.store.put_profiles(&[(user("ann"), ann.clone()), (user("ben"), ben.clone())]).await.expect("puts");
    bed.store.put_seen(&[(user("zoe"), START, "in a call".into())]).await.expect("puts");
    bed.store.revoke(&user("zoe"), START + 5).await.expect("revokes");
    bed.store.revoke(&user("zoe"), START).await.expect("revokes");
    let profiles = bed.store.profiles(&[user("ann"), user("zoe"), user("ben"), user("ann")]).await.expect("reads");
    assert_eq!(profiles.len(), 2);
    assert_eq!((&profiles[&user("ann")], &profiles[&user("ben")]), (&ann, &ben));
    let states = bed.store.users(&[user("zoe"), user("ann"), user("zoe"), user("no")]).await.expect("reads");
    assert_eq!(
        (states[0].revoked_before, states[0].last_seen, &*states[0].status),
        (START + 5, Some(START), "in a call")
    );
    assert_eq!((&states[1].profile, states[1].revoked_before, states[1].last_seen), (&Some(ann), 0, None));
    assert_eq!(states[2], states[0]);
    assert_eq!((&states[3].profile, &*states[3].status), (&None, ""));
}

async fn two_nodes_number_one_room_without_gaps(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    found(&*bed.store, "q", &["ann"]).await;
    let nodes = [bed.store.clone(), bed.another().await];
    let writers = (0..6).map(|n| {
        let node = nodes[n % 2].clone();
        tokio::spawn(async move {
            for turn in 0..15 {
                let mut tries = 0;
                // A busy machine may keep a writer waiting for longer than the lock's time-out: it comes again.
                while let Err(error) = both(&*node, turn).await {
                    tries += 1;
                    assert!(matches!(error, StoreError::Unavailable(_)) && tries < 50, "{error}");
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("writes");
    }
    for (id, want) in [("r", 2 + 180), ("q", 2 + 90)] {
        let events = nodes[1].events(&room(id), Seq::ZERO, 1_000).await.expect("reads");
        assert_eq!(events.iter().map(|e| e.seq.value()).collect::<Vec<_>>(), (1..=want).collect::<Vec<_>>());
        assert_eq!(nodes[0].room(&room(id)).await.expect("reads").expect("exists").head, at(want));
    }
}

/// One batch into both rooms.
async fn both(node: &dyn Store, turn: usize) -> Result<(), StoreError> {
    let mut tx = node.begin().await?;
    // Named in different orders: the store locks in its own.
    let names = if turn & 1 == 0 { [room("r"), room("q")] } else { [room("q"), room("r")] };
    let heads = tx.lock(&names).await?;
    let mut events = numbered("r", heads[&room("r")].seq, vec![("ann", said("x")), ("ann", said("y"))]);
    events.extend(numbered("q", heads[&room("q")].seq, vec![("ann", said("z"))]));
    tx.append(&events).await.expect("appends");
    tx.commit().await.expect("commits");
    Ok(())
}

async fn a_marker_needs_its_room(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    let mut tx = bed.store.begin().await.expect("begins");
    tx.mark(&[(room("gone"), user("ann"), at(9)), (room("r"), user("ann"), at(1))]).await.expect("marks");
    tx.commit().await.expect("commits");
    let markers = bed.dump("markers").await;
    assert_eq!(markers.iter().map(|row| row["room"].as_str()).collect::<Vec<_>>(), [Some("r")]);
}

async fn a_renewed_log_keeps_its_numbers(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    found(&*bed.store, "q", &["ann"]).await;
    let mut tx = bed.store.begin().await.expect("begins");
    tx.lock(&[room("r")]).await.expect("locks");
    tx.renew(&room("r"), &epoch("later")).await.expect("renews");
    tx.append(&numbered("r", at(2), vec![("ann", said("on"))])).await.expect("appends");
    tx.commit().await.expect("commits");
    let [r, q] = [bed.store.room(&room("r")).await, bed.store.room(&room("q")).await];
    let [r, q] = [r, q].map(|stored| stored.expect("reads").expect("exists"));
    assert_eq!((r.epoch, r.head, q.epoch), (epoch("later"), at(3), epoch("e-q")));
}

async fn a_refused_statement_leaves_the_connections_usable(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    for n in 0..20 {
        let mut tx = bed.store.begin().await.expect("begins");
        let head = tx.lock(&[room("r")]).await.expect("locks")[&room("r")].seq;
        let body = if n % 2 == 0 { said("same") } else { pinned(1, true) };
        let first = keyed(numbered("r", head, vec![("ann", body.clone())]).remove(0), "k", 1);
        let mut again = keyed(numbered("r", head.next(), vec![("ann", body)]).remove(0), "k", 1);
        again.at += 1;
        let outcome = tx.append(&[first, again]).await;
        assert!(matches!(outcome, Err(StoreError::Refused(_))), "{outcome:?}");
        // Whatever comes after it in the transaction fails too, and the next transaction knows nothing of it.
        if n % 3 == 0 {
            assert!(tx.commit().await.is_err());
        }
        assert_eq!(bed.store.room(&room("r")).await.expect("reads").expect("exists").head, at(2));
    }
    assert_eq!(put(&*bed.store, "r", vec![("ann", said("fine"))]).await, [3]);
}

/// A node stops between its lock and its commit: the others go on within seconds, and it cannot commit any more.
#[tokio::test]
async fn a_frozen_node_does_not_hold_a_room_for_the_others() {
    let bed = Bed::postgres().await;
    found(&*bed.store, "r", &["ann"]).await;
    let other = bed.another().await;
    let mut frozen = bed.store.begin().await.expect("begins");
    frozen.lock(&[room("r")]).await.expect("locks");
    frozen.append(&numbered("r", at(2), vec![("ann", said("lost"))])).await.expect("appends");
    let mut tries = 0;
    let locked = loop {
        tries += 1;
        let mut tx = other.begin().await.expect("begins");
        match tx.lock(&[room("r")]).await {
            Ok(heads) => break (tx, heads[&room("r")].seq),
            Err(StoreError::Unavailable(_)) if tries < 10 => {}
            Err(error) => panic!("{error}"),
        }
    };
    let (mut tx, head) = locked;
    assert_eq!(head, at(2));
    tx.append(&numbered("r", head, vec![("ann", said("kept"))])).await.expect("appends");
    tx.commit().await.expect("commits");
    let outcome = frozen.commit().await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert_eq!(put(&*bed.store, "r", vec![("ann", said("on"))]).await, [4]);
    assert_eq!(hits(&*bed.store, "lost").await, Vec::<u64>::new());
    bed.drop().await;
}

/// The server ends every connection: calls fail as unavailable at worst, and the next ones find new connections.
#[tokio::test]
async fn a_server_that_ends_connections_is_found_again() {
    let bed = Bed::postgres().await;
    found(&*bed.store, "r", &["ann"]).await;
    let mut open = bed.store.begin().await.expect("begins");
    open.lock(&[room("r")]).await.expect("locks");
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    bed.sql(end).await;
    let outcome = open.append(&numbered("r", at(2), vec![("ann", said("lost"))])).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    drop(open);
    assert_eq!(put(&*bed.store, "r", vec![("ann", said("kept"))]).await, [3]);
    let mut tries = 0;
    loop {
        match bed.store.room(&room("r")).await {
            Ok(stored) => break assert_eq!(stored.expect("exists").head, at(3)),
            Err(StoreError::Unavailable(_)) if tries < 10 => tries += 1,
            Err(error) => panic!("{error}"),
        }
    }
    bed.drop().await;
}
