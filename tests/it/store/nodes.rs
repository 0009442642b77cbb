//! Several nodes on one store: leases, and what moved.

use super::{bed::*, contract};
use sqlx::Connection;
use std::{collections::BTreeSet, time::Duration};
use stoa::{
    node::BootId,
    storage::{
        DocumentBatch, DocumentKey, Head, HeadsMark, LEASE_MS, Lease, MARK_MS, Moved, NewUserEvent, Store, StoreError,
        links, postgres, sqlite,
    },
};
use stoa_protocol::{DocumentId, Epoch, LinkId, Millis, Role, RoomUpdated, SessionId, UserEventBody};
use stoa_signaling::Retained;

contract! {
    a_lease_is_taken_renewed_and_lost,
    a_node_without_a_lease_writes_nothing,
    nobody_acts_for_a_node_that_lives_and_a_dead_one_stays_dead,
    a_node_that_died_long_ago_is_forgotten,
    a_look_tells_what_moved_and_nothing_else,
    a_look_tells_what_has_no_number_too,
    a_mark_that_is_no_use_is_told,
    nodes_that_start_at_once_migrate_once,
}

const NAME: &str = "left";

/// Moves the end of every lease: negative is into the past. Postgres' clock cannot be moved.
async fn shift(bed: &Bed, by: i64) {
    bed.sql(&format!("UPDATE nodes SET expires_at = expires_at + {by}")).await;
}

/// A node whose lease holds.
async fn alive(bed: &Bed) -> BootId {
    let boot = BootId::fresh();
    assert_eq!(bed.store.renew(boot, NAME, true, START).await.expect("renews"), Lease::Held);
    boot
}

async fn a_lease_is_taken_renewed_and_lost(bed: &Bed) {
    let unknown = BootId::fresh();
    assert_eq!(bed.store.renew(unknown, NAME, false, START).await.expect("renews"), Lease::Lost, "it was never taken");
    let boot = alive(bed).await;
    // An answer that was lost on the way: it is asked for again.
    assert_eq!(bed.store.renew(boot, NAME, true, START).await.expect("renews"), Lease::Held);
    let rows = bed.another().await.nodes(START).await.expect("reads");
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].boot, &*rows[0].name, rows[0].alive, rows[0].expired_for_ms), (boot, NAME, true, 0));
    assert_eq!(bed.store.renew(boot, NAME, false, START).await.expect("renews"), Lease::Held);
    shift(bed, -(LEASE_MS as i64)).await;
    let rows = bed.store.nodes(START).await.expect("reads");
    assert!(!rows[0].alive && rows[0].expired_for_ms < 60_000, "{rows:?}");
    for first in [false, true] {
        assert_eq!(bed.store.renew(boot, NAME, first, START).await.expect("renews"), Lease::Lost);
    }
    assert_ne!(alive(bed).await, boot, "it comes back as somebody else");
    assert_eq!(bed.store.nodes(START).await.expect("reads").iter().filter(|row| row.alive).count(), 1);
}

async fn a_node_without_a_lease_writes_nothing(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    let boot = alive(bed).await;
    let write = async |boot: BootId| {
        let mut tx = bed.store.begin().await.expect("begins");
        tx.fence(boot, START).await?;
        let head = tx.lock(&[room("r")]).await.expect("locks")[&room("r")].seq;
        tx.append(&numbered("r", head, vec![("ann", said("hi"))])).await.expect("appends");
        tx.commit().await
    };
    write(boot).await.expect("may");
    assert!(matches!(write(BootId::fresh()).await, Err(StoreError::Fenced)), "nobody knows it");
    shift(bed, -(LEASE_MS as i64)).await;
    assert!(matches!(write(boot).await, Err(StoreError::Fenced)));
    // Going on all the same is no way around it.
    let mut tx = bed.store.begin().await.expect("begins");
    assert!(matches!(tx.fence(boot, START).await, Err(StoreError::Fenced)));
    let head = tx.lock(&[room("r")]).await.expect("locks")[&room("r")].seq;
    tx.append(&numbered("r", head, vec![("ann", said("stale"))])).await.expect("appends");
    assert!(tx.commit().await.is_err());
    assert_eq!(bed.store.room(&room("r")).await.expect("reads").expect("exists").head, at(3));
}

async fn nobody_acts_for_a_node_that_lives_and_a_dead_one_stays_dead(bed: &Bed) {
    let (boot, other) = (alive(bed).await, alive(bed).await);
    let node = bed.another().await;
    let asks = async |commit: bool| {
        let mut tx = node.begin().await.expect("begins");
        tx.fence(other, START).await.expect("its own lease holds");
        let expired = tx.expired(boot, START).await.expect("looks");
        if commit {
            tx.commit().await.expect("commits");
        }
        expired
    };
    assert!(!asks(true).await);
    bed.sql(&format!("UPDATE nodes SET expires_at = expires_at - {LEASE_MS} WHERE boot = '{boot}'")).await;
    assert!(asks(false).await, "what follows is taken back with the transaction");
    assert!(asks(true).await);
    // The clock steps back: what was acted on stays so.
    shift(bed, 60_000).await;
    assert!(asks(true).await);
    assert_eq!(bed.store.renew(boot, NAME, false, START).await.expect("renews"), Lease::Lost);
    assert_eq!(bed.store.renew(boot, NAME, true, START).await.expect("renews"), Lease::Lost);
    let mut tx = bed.store.begin().await.expect("begins");
    assert!(matches!(tx.fence(boot, START).await, Err(StoreError::Fenced)));
    drop(tx);
    let mut tx = bed.store.begin().await.expect("begins");
    assert!(tx.expired(BootId::fresh(), START).await.expect("looks"), "nobody knows it any more");
}

async fn a_node_that_died_long_ago_is_forgotten(bed: &Bed) {
    let old = alive(bed).await;
    shift(bed, -3_590_000).await;
    let young = alive(bed).await;
    let boots = |rows: Vec<stoa::storage::NodeRow>| rows.into_iter().map(|row| row.boot).collect::<BTreeSet<_>>();
    assert_eq!(boots(bed.store.nodes(START).await.expect("reads")), [old, young].into());
    shift(bed, -30_000).await;
    let next = alive(bed).await;
    assert_eq!(boots(bed.store.nodes(START).await.expect("reads")), [young, next].into());
}

async fn place(store: &dyn Store) -> HeadsMark {
    let moved = store.heads(None).await.expect("looks");
    assert!(moved.everything, "who begins compares everything");
    moved.mark
}

async fn look(store: &dyn Store, mark: &mut HeadsMark) -> Moved {
    let moved = store.heads(Some(mark)).await.expect("looks");
    assert!(!moved.everything, "{mark:?} {moved:?}");
    *mark = moved.mark.clone();
    moved
}

fn rooms(moved: &Moved) -> BTreeSet<(&str, Option<u64>)> {
    moved.rooms.iter().map(|(room, head)| (room.as_str(), head.as_ref().map(|head| head.seq.value()))).collect()
}

fn is_nothing(moved: &Moved) -> bool {
    let Moved { mark: _, everything, rooms, changed, retained, users, markers, documents } = moved;
    let counts = [rooms.len(), changed.len(), retained.len(), users.len(), markers.len(), documents.len()];
    !everything && counts == [0; 6]
}

async fn a_look_tells_what_moved_and_nothing_else(bed: &Bed) {
    for id in ["q", "r", "s"] {
        found(&*bed.store, id, &["ann"]).await;
    }
    let node = bed.another().await;
    let mut mark = place(&*node).await;
    assert!(is_nothing(&look(&*node, &mut mark).await), "what was there before");
    // Messages alone go another way than everything else; of several moves there is the last.
    put(&*bed.store, "r", vec![("ann", said("one")), ("ann", said("two"))]).await;
    put(&*bed.store, "r", vec![("ann", said("three"))]).await;
    put(&*bed.store, "s", vec![("ann", pinned(1, true)), ("ann", said("four"))]).await;
    let moved = look(&*node, &mut mark).await;
    assert_eq!(rooms(&moved), [("r", Some(5)), ("s", Some(4))].into());
    assert_eq!(moved.rooms.len(), 2);
    assert!(is_nothing(&look(&*node, &mut mark).await), "it was told");
    // A transaction that is taken back moves nothing.
    let mut tx = bed.store.begin().await.expect("begins");
    let head = tx.lock(&[room("r")]).await.expect("locks")[&room("r")].seq;
    tx.append(&numbered("r", head, vec![("ann", said("never"))])).await.expect("appends");
    drop(tx);
    assert!(is_nothing(&look(&*node, &mut mark).await));
    // A new life of a log, one that is gone, and one that is there again.
    let mut tx = bed.store.begin().await.expect("begins");
    tx.lock(&[room("r")]).await.expect("locks");
    tx.renew(&room("r"), &epoch("later")).await.expect("renews");
    tx.commit().await.expect("commits");
    bed.store.delete_room(&room("s")).await.expect("deletes");
    let moved = look(&*node, &mut mark).await;
    assert_eq!(rooms(&moved), [("r", Some(5)), ("s", None)].into());
    let renewed = Head { epoch: epoch("later"), seq: at(5) };
    assert!(moved.rooms.contains(&(room("r"), Some(renewed.clone()))), "{moved:?}");
    found(&*bed.store, "s", &[]).await;
    assert_eq!(rooms(&look(&*node, &mut mark).await), [("s", Some(1))].into());
    let ends = node.heads_of(&[room("r"), room("missing"), room("r")]).await.expect("reads");
    assert_eq!(ends, [(room("r"), renewed)].into());
    assert!(node.heads_of(&[]).await.expect("reads").is_empty());
}

async fn a_look_tells_what_has_no_number_too(bed: &Bed) {
    found(&*bed.store, "r", &["ann", "ben"]).await;
    found(&*bed.store, "old", &["ann"]).await;
    let days = RoomUpdated { retention_days: Some(30), ..RoomUpdated::default() };
    let told = vec![("ann", stoa_protocol::RoomEventBody::RoomUpdated(days)), ("ann", said("gone"))];
    put(&*bed.store, "old", told).await;
    let key = DocumentKey { room: room("r"), document: DocumentId::new("board").expect("legal") };
    let life = Epoch::new("life").expect("legal");
    bed.store.load_document(&key, &life).await.expect("reads").expect("there is a room");
    let node = bed.another().await;
    let mut mark = place(&*node).await;

    let mut tx = bed.store.begin().await.expect("begins");
    let body = UserEventBody::Mentioned { room: room("r"), message: at(1) };
    let notice = NewUserEvent { user: user("ben"), at: START, from: None, key: None, body };
    tx.append_user(&[notice.clone(), notice]).await.expect("appends");
    tx.mark(&[(room("r"), user("ben"), at(2)), (room("r"), user("ann"), at(1))]).await.expect("marks");
    let session = SessionId::new("session").expect("legal");
    let row = Retained::State { session, state: Default::default() };
    tx.retain(&[(room("r"), at(1), row)]).await.expect("retains");
    tx.commit().await.expect("commits");
    let batch = DocumentBatch { key: key.clone(), epoch: life.clone(), update: b"x".to_vec(), claims: vec![] };
    let void = DocumentBatch { epoch: Epoch::new("other").expect("legal"), ..batch.clone() };
    bed.store.save_documents(&[void.clone(), batch.clone(), batch]).await.expect("saves");
    bed.store.revoke(&user("eve"), START + 7).await.expect("revokes");
    let moved = look(&*node, &mut mark).await;
    let users: BTreeSet<_> =
        moved.users.iter().map(|u| (u.user.as_str(), u.head.seq.value(), u.revoked_before)).collect();
    assert_eq!(users, [("ben", 2, 0), ("eve", 0, START + 7)].into());
    let markers: BTreeSet<_> = moved.markers.iter().map(|(r, u, s)| (r.as_str(), u.as_str(), s.value())).collect();
    assert_eq!(markers, [("r", "ann", 1), ("r", "ben", 2)].into());
    assert_eq!(moved.retained, [room("r")]);
    assert_eq!(moved.documents, [(key, life, 2)]);
    assert_eq!((moved.rooms.len(), moved.changed.len()), (0, 0));

    bed.store.save_documents(&[void]).await.expect("is void");
    assert!(is_nothing(&look(&*node, &mut mark).await));
    let expired = bed.store.expire_messages(START + 40 * 24 * 3_600_000, 10).await.expect("expires");
    assert_eq!(expired.len(), 1);
    assert_eq!(bed.store.expire_messages(START + 40 * 24 * 3_600_000, 10).await.expect("expires"), []);
    assert_eq!(look(&*node, &mut mark).await.changed, [room("old")]);
    a_look_tells_who_is_refused(bed, &*node, &mut mark).await;
}

/// Tokens that end with the link, the room or the user by which their guests came.
async fn a_look_tells_who_is_refused(bed: &Bed, node: &dyn Store, mark: &mut HeadsMark) {
    let ways: [(&str, &str, &str); 3] = [("01", "r", "ann"), ("02", "old", "ann"), ("03", "r", "ben")];
    for (place, (name, into, by)) in ways.into_iter().enumerate() {
        let link = links::StoredLink {
            id: LinkId::new(name).expect("legal"),
            room: room(into),
            kind: links::LinkKind::Join,
            role: Role::Member,
            name: None,
            by: Some(user(by)),
            created_at: START,
            not_before: None,
            expires_at: None,
            uses: None,
            used: 0,
            revoked_at: None,
        };
        let hash = [place as u8; 32];
        assert!(bed.store.put_link(&link, &hash).await.expect("puts"));
        let guest = user(&format!("stoa-guest:{name}"));
        let guest = links::NewGuest { user: guest, name: "Gil".into(), secret: hash, at: START };
        assert!(bed.store.admit_guest(&link.id, &guest).await.expect("admits"));
    }
    look(node, mark).await;
    let refused = |moved: &Moved| {
        let refused = moved.users.iter().filter(|u| u.revoked_before == links::FOR_EVER);
        refused.map(|u| u.user.as_str().to_owned()).collect::<BTreeSet<_>>()
    };
    bed.store.revoke_link(&LinkId::new("01").expect("legal"), START).await.expect("revokes");
    assert_eq!(refused(&look(node, mark).await), ["stoa-guest:01".to_owned()].into());
    bed.store.delete_room(&room("old")).await.expect("deletes");
    let moved = look(node, mark).await;
    assert_eq!((refused(&moved), rooms(&moved)), (["stoa-guest:02".to_owned()].into(), [("old", None)].into()));
    bed.store.erase_user(&user("ben")).await.expect("erases");
    let moved = look(node, mark).await;
    assert_eq!(refused(&moved), ["stoa-guest:03".to_owned()].into());
    assert!(moved.users.iter().any(|u| u.user == user("ben") && u.head.seq.value() == 0), "{moved:?}");
    assert_eq!(rooms(&moved), [("r", Some(3))].into(), "it has a new epoch");
}

async fn a_mark_that_is_no_use_is_told(bed: &Bed) {
    let old = place(&*bed.store).await;
    found(&*bed.store, "r", &["ann"]).await;
    put(&*bed.store, "r", vec![("ann", said("hi"))]).await;
    let mark = place(&*bed.store).await;
    let useless = match &bed.place {
        Database::Sqlite(_) => {
            // What a look from the old one would tell was dropped; and a file that was put in the place of another.
            bed.sql("DELETE FROM moves WHERE id = 1").await;
            vec![old, HeadsMark("1000".into()), HeadsMark("nonsense".into())]
        }
        Database::Postgres { .. } => {
            let [newest, snapshot, taken] = mark.0.split(' ').collect::<Vec<_>>()[..] else { panic!("{mark:?}") };
            let late: Millis = taken.parse().expect("a time");
            let beyond = u64::MAX / 2;
            vec![
                HeadsMark(format!("{newest} {snapshot} {}", late - MARK_MS - 1)),
                HeadsMark(format!("{beyond} {beyond}:{beyond}: {taken}")),
                HeadsMark("nonsense".into()),
            ]
        }
    };
    for useless in useless {
        let mut moved = bed.store.heads(Some(&useless)).await.expect("looks");
        assert!(moved.everything && moved.rooms.is_empty(), "{useless:?} {moved:?}");
        put(&*bed.store, "r", vec![("ann", said("on"))]).await;
        moved = look(&*bed.store, &mut moved.mark).await;
        assert_eq!(moved.rooms.len(), 1, "and the new mark is good");
    }
}

async fn nodes_that_start_at_once_migrate_once(bed: &Bed) {
    match &bed.place {
        Database::Sqlite(_) => {
            let folder = Folder::new();
            let file = folder.file();
            let (one, two) = tokio::join!(sqlite::open(&file, true), sqlite::open(&file, true));
            for store in [one.expect("opens"), two.expect("opens")] {
                store.health().await.expect("is ready");
                store.close().await;
            }
        }
        Database::Postgres { .. } => {
            let place = Database::empty_postgres().await;
            let Database::Postgres { url, .. } = &place else { unreachable!("it is Postgres") };
            let starts = (0..4).map(|_| postgres::open(url, options(true)));
            let starts = futures_util::future::join_all(starts).await;
            let mut stores: Vec<_> = starts.into_iter().map(|start| start.expect("opens")).collect();
            let last = stores.pop().expect("there are some");
            for store in stores {
                store.close().await;
            }
            found(&*last, "r", &["ann"]).await;
            Bed { store: last, place }.drop().await;
        }
    }
}

/// Transactions become visible in another order than they began in: none is left out.
#[tokio::test]
async fn a_look_tells_what_was_committed_late() {
    let bed = Bed::postgres().await;
    for id in ["q", "r", "s"] {
        found(&*bed.store, id, &["ann"]).await;
    }
    let mut mark = place(&*bed.store).await;
    // A connection without the time limits of the store's own.
    let Database::Postgres { url, .. } = &bed.place else { unreachable!("it is Postgres") };
    let mut slow = sqlx::PgConnection::connect(url).await.expect("connects");
    let hold = "BEGIN; UPDATE rooms SET last_at = 1 WHERE id = 'q'; INSERT INTO moves (rooms) VALUES (ARRAY['q'])";
    sqlx::raw_sql(hold).execute(&mut slow).await.expect("runs");
    for turn in 3..9 {
        put(&*bed.store, "r", vec![("ann", said("hi"))]).await;
        assert_eq!(rooms(&look(&*bed.store, &mut mark).await), [("r", Some(turn))].into(), "and none of before");
    }
    sqlx::raw_sql("COMMIT").execute(&mut slow).await.expect("commits");
    put(&*bed.store, "s", vec![("ann", said("hi"))]).await;
    assert_eq!(rooms(&look(&*bed.store, &mut mark).await), [("q", Some(2)), ("s", Some(3))].into());
    assert!(is_nothing(&look(&*bed.store, &mut mark).await));
    slow.close().await.expect("closes");
    bed.drop().await;
}

/// A transaction under a lease is open: acting for its node waits for its end.
#[tokio::test]
async fn acting_for_a_node_waits_for_what_it_writes() {
    let bed = Bed::postgres().await;
    found(&*bed.store, "r", &["ann"]).await;
    let boot = alive(&bed).await;
    let other = bed.another().await;
    let mut tx = bed.store.begin().await.expect("begins");
    tx.fence(boot, START).await.expect("holds");
    let shifted = format!("UPDATE nodes SET expires_at = expires_at - {LEASE_MS}");
    bed.sql(&shifted).await;
    let asking = tokio::spawn(async move {
        let mut tx = other.begin().await.expect("begins");
        let expired = tx.expired(boot, START).await;
        if expired.is_ok() {
            tx.commit().await.expect("commits");
        }
        (expired, other)
    });
    let head = tx.lock(&[room("r")]).await.expect("locks")[&room("r")].seq;
    tx.append(&numbered("r", head, vec![("ann", said("in time"))])).await.expect("appends");
    tx.commit().await.expect("nobody has acted yet");
    // Either it waited, or it came later, or it gave up: on a busy machine the lock's time-out is short.
    let (expired, other) = asking.await.expect("ends");
    match expired {
        Ok(expired) => assert!(expired),
        Err(StoreError::Unavailable(_)) => {}
        Err(error) => panic!("{error}"),
    }
    // A node that stops in between is ended by the server, and does not hold the others up for long.
    let frozen = alive(&bed).await;
    let mut tx = bed.store.begin().await.expect("begins");
    tx.fence(frozen, START).await.expect("holds");
    bed.sql(&shifted).await;
    let mut tries = 0;
    loop {
        tries += 1;
        let mut acting = other.begin().await.expect("begins");
        match acting.expired(frozen, START).await {
            Ok(expired) => break assert!(expired),
            Err(StoreError::Unavailable(_)) if tries < 20 => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(tx.commit().await.is_err());
    bed.drop().await;
}

async fn number(url: &str, sql: &'static str) -> i64 {
    let mut conn = sqlx::PgConnection::connect(url).await.expect("connects");
    let number = sqlx::query_scalar(sql).fetch_one(&mut conn).await.expect("reads");
    conn.close().await.expect("closes");
    number
}

/// Asks until a number is what it should become.
async fn becomes(url: &str, sql: &'static str, fits: impl Fn(i64) -> bool) {
    let wait = async {
        while !fits(number(url, sql).await) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_| panic!("{sql} does not become it"));
}

/// A look costs by what is new, however much is kept; and it is not kept for ever.
#[tokio::test]
async fn old_moves_are_neither_read_nor_kept() {
    const LOOKS: i64 = 20;
    let bed = Bed::postgres().await;
    let Database::Postgres { url, .. } = &bed.place else { unreachable!("it is Postgres") };
    found(&*bed.store, "r", &["ann"]).await;
    // Numbers that the server gave to its own transactions while it was made.
    bed.sql(
        "INSERT INTO moves (xact, rooms) SELECT (3 + n % 500)::text::xid8, ARRAY['r'] FROM generate_series(1, 20000) n",
    )
    .await;
    bed.sql("ANALYZE moves").await;
    let node = bed.another().await;
    let mut mark = place(&*node).await;
    for _ in 0..LOOKS {
        put(&*bed.store, "r", vec![("ann", said("hi"))]).await;
        assert_eq!(look(&*node, &mut mark).await.rooms.len(), 1);
    }
    // A server process writes its counts down when it ends.
    node.close().await;
    bed.store.close().await;
    becomes(url, "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'moves_xact'", |scans| scans >= LOOKS)
        .await;
    let read = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'moves_xact'";
    // All looks together less than what one would cost that reads everything. A transaction that is open meanwhile,
    // another test's too, has each look read what came after it.
    assert!(number(url, read).await < 20_000);
    assert_eq!(number(url, "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'moves'").await, 0);

    let quick = postgres::PgOptions { upkeep: Duration::from_millis(5), ..options(false) };
    let node = postgres::open(url, quick).await.expect("opens");
    becomes(url, "SELECT count(*) FROM moves", |rows| rows == 0).await;
    assert!(is_nothing(&look(&*node, &mut mark).await), "dropping is no move, and the mark is good");
    node.close().await;
    bed.drop().await;
}
