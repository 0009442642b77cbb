//! What an operator does: backups, new epochs, the move to Postgres, and databases that are refused.

use super::{bed::*, contract, world::World};
use stoa::{
    config::Database as Address,
    storage::{NewUserEvent, StoreError, ops, postgres, sqlite},
};
use stoa_protocol::UserEventBody;

contract! {
    a_rewound_store_begins_every_log_anew,
    migrating_again_changes_nothing,
    a_newer_schema_is_accepted_and_told,
    a_missing_or_changed_migration_is_refused,
}

fn address(bed: &Bed) -> Address {
    match &bed.place {
        Database::Sqlite(folder) => Address::Sqlite(folder.file()),
        Database::Postgres { url, .. } => url.parse().expect("an address"),
    }
}

fn file(folder: &Folder) -> Address {
    Address::Sqlite(folder.file())
}

async fn notice(bed: &Bed, who: &str) {
    let body = UserEventBody::Mentioned { room: room("alpha"), message: at(1) };
    let mut tx = bed.store.begin().await.expect("begins");
    tx.append_user(&[NewUserEvent { user: user(who), at: START, from: None, key: None, body }]).await.expect("appends");
    tx.commit().await.expect("commits");
}

fn column(rows: &[serde_json::Value], name: &str) -> Vec<String> {
    rows.iter().map(|row| row[name].as_str().expect("text").to_owned()).collect()
}

async fn a_rewound_store_begins_every_log_anew(bed: &Bed) {
    World::begin(&*bed.store).await.live(&*bed.store, 3).await;
    notice(bed, "ann").await;
    let unknown = bed.store.users(&[user("unknown")]).await.expect("reads").remove(0);
    let before = [bed.dump("rooms").await, bed.dump("users").await];
    let told = ops::rewound(&address(bed)).await.expect("rewinds");
    assert!(told.contains("3 rooms and 1 users"), "{told}");
    let mut seen = std::collections::BTreeSet::new();
    for (before, table) in before.into_iter().zip(["rooms", "users"]) {
        let after = bed.dump(table).await;
        assert_eq!(column(&before, "id"), column(&after, "id"));
        for (old, new) in column(&before, "epoch").into_iter().zip(column(&after, "epoch")) {
            assert_ne!(old, new);
            assert!(seen.insert(new), "every log has its own");
        }
    }
    let renewed = bed.store.users(&[user("unknown")]).await.expect("reads").remove(0);
    assert_ne!(unknown.head.epoch, renewed.head.epoch);
    assert_eq!(unknown.head.seq, renewed.head.seq);
}

/// The number of the newest migration, by the names of the files.
fn newest() -> u32 {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let names = std::fs::read_dir(folder).expect("lists").map(|file| file.expect("a file").file_name());
    let number = |name: &str| name.split('_').next().and_then(|number| number.parse().ok()).expect("a number in front");
    names.map(|name| number(name.to_str().expect("ASCII"))).max().expect("there are some")
}

async fn migrating_again_changes_nothing(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    let before = bed.dump("settings").await;
    let (one, other) = (address(bed), address(bed));
    let (one, other) = tokio::join!(ops::migrate(&one), ops::migrate(&other));
    let schema = format!("schema {}", newest());
    assert!(one.expect("migrates").contains(&schema) && other.expect("migrates").contains(&schema));
    assert_eq!(bed.dump("settings").await, before);
    assert!(bed.store.health().await.expect("healthy").contains(&schema));
}

async fn a_newer_schema_is_accepted_and_told(bed: &Bed) {
    bed.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 99, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    let told = bed.another().await.health().await.expect("healthy");
    assert!(told.contains(&format!("schema 99, newer than this binary's {}", newest())), "{told}");
    ops::migrate(&address(bed)).await.expect("is no harm");
}

async fn a_missing_or_changed_migration_is_refused(bed: &Bed) {
    let open = || async {
        match &bed.place {
            Database::Sqlite(folder) => sqlite::open(&folder.file(), false).await,
            Database::Postgres { url, .. } => postgres::open(url, options(false)).await,
        }
        .err()
    };
    bed.sql("UPDATE _sqlx_migrations SET success = false").await;
    assert!(matches!(open().await, Some(StoreError::Damaged(_))));
    bed.sql(
        "UPDATE _sqlx_migrations SET success = true, checksum = description::bytea"
            .trim_end_matches(if matches!(bed.place, Database::Sqlite(_)) { "::bytea" } else { "" }),
    )
    .await;
    assert!(matches!(open().await, Some(StoreError::Damaged(_))));
    bed.sql("DELETE FROM _sqlx_migrations").await;
    let Some(StoreError::Refused(told)) = open().await else { panic!("was opened") };
    assert!(told.contains("stoa migrate"), "{told}");
    bed.sql("DROP TABLE _sqlx_migrations").await;
    assert!(matches!(open().await, Some(StoreError::Refused(_))));
}

#[tokio::test]
async fn a_sqlite_file_that_is_not_there_or_not_ours_is_refused() {
    let folder = Folder::new();
    let Err(StoreError::Refused(told)) = sqlite::open(&folder.file(), false).await else { panic!("was opened") };
    assert!(told.contains("stoa migrate"), "{told}");
    assert!(!folder.file().exists());
    std::fs::write(folder.file(), "this is no database, but long enough to be one".repeat(100)).expect("writes");
    assert!(sqlite::open(&folder.file(), false).await.is_err());
    assert!(sqlite::open(&folder.file(), true).await.is_err());
}

#[tokio::test]
async fn a_server_that_does_not_keep_commits_is_refused_unless_vouched_for() {
    let bed = Bed::postgres().await;
    let Database::Postgres { url, name, admin } = &bed.place else { panic!("no Postgres") };
    raw(admin, &format!("ALTER DATABASE {name} SET synchronous_commit = off")).await;
    let strict = postgres::PgOptions { vouched: false, ..options(false) };
    let Err(StoreError::Refused(told)) = postgres::open(url, strict).await else { panic!("was opened") };
    assert!(told.contains("synchronous_commit=off"), "{told}");
    let told = postgres::open(url, options(false)).await.expect("opens").health().await.expect("healthy");
    assert!(told.contains("synchronous_commit=off") && told.contains("vouches"), "{told}");
    let wrong = "postgres://stoa:hunter2@127.0.0.1:1/none";
    let Err(StoreError::Unavailable(told)) = postgres::open(wrong, options(false)).await else { panic!("was opened") };
    assert!(!told.contains("hunter2"), "{told}");
    let Err(StoreError::Refused(told)) = postgres::open("postgres://hunter2:x@[", options(false)).await else {
        panic!("was opened")
    };
    assert!(!told.contains("hunter2"), "{told}");
    bed.drop().await;
}

#[tokio::test]
async fn a_backup_taken_under_load_is_consistent_and_restores_under_new_epochs() {
    let bed = Bed::sqlite().await;
    found(&*bed.store, "r", &["ann"]).await;
    found(&*bed.store, "q", &["ann"]).await;
    let store = bed.store.clone();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    // Every batch writes both rooms, so that a copy between the two would show.
    let writer = tokio::spawn(async move {
        let mut batches = 0;
        while stopped.try_recv().is_err() {
            let mut tx = store.begin().await.expect("begins");
            let heads = tx.lock(&[room("r"), room("q")]).await.expect("locks");
            let mut events = numbered("r", heads[&room("r")].seq, vec![("ann", said("x"))]);
            events.extend(numbered("q", heads[&room("q")].seq, vec![("ann", said("x"))]));
            tx.append(&events).await.expect("appends");
            tx.commit().await.expect("commits");
            batches += 1;
        }
        batches
    });
    let backups = Folder::new();
    for n in 0..5 {
        let copy = backups.path().join(format!("{n}.db"));
        let told = ops::backup(&address(&bed), &copy).await.expect("backs up");
        assert!(told.contains("is backed up in"), "{told}");
        assert!(matches!(ops::backup(&address(&bed), &copy).await, Err(StoreError::Refused(_))), "overwrites nothing");
    }
    stop.send(()).expect("still writes");
    assert!(writer.await.expect("writes") > 0);
    assert_eq!(std::fs::read_dir(backups.path()).expect("lists").count(), 5, "nothing but the backups");
    for n in 0..5 {
        let place = Folder::new();
        let told = ops::restore(&backups.path().join(format!("{n}.db")), &file(&place)).await.expect("restores");
        assert!(told.contains("2 rooms"), "{told}");
        let store = sqlite::open(&place.file(), false).await.expect("opens");
        let rooms = [store.room(&room("r")).await, store.room(&room("q")).await];
        let [r, q] = rooms.map(|stored| stored.expect("reads").expect("exists"));
        assert_eq!(r.head, q.head);
        assert!(r.epoch != epoch("e-r") && q.epoch != epoch("e-q"));
        let events = store.events(&room("r"), at(0), 100_000).await.expect("reads");
        assert_eq!(events.last().map(|event| event.seq), Some(r.head));
        put(&*store, "r", vec![("ann", said("goes on"))]).await;
        store.close().await;
        let again = ops::restore(&backups.path().join("0.db"), &file(&place)).await;
        assert!(matches!(again, Err(StoreError::Refused(_))), "overwrites nothing");
    }
    bed.drop().await;
}

#[tokio::test]
async fn a_damaged_or_foreign_backup_is_not_restored() {
    let bed = Bed::sqlite().await;
    World::begin(&*bed.store).await.live(&*bed.store, 20).await;
    let folder = Folder::new();
    let copy = folder.path().join("copy.db");
    ops::backup(&address(&bed), &copy).await.expect("backs up");
    let mut bytes = std::fs::read(&copy).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096 * 3].fill(0xff);
    std::fs::write(&copy, bytes).expect("writes");
    let place = Folder::new();
    ops::restore(&copy, &file(&place)).await.expect_err("is damaged");
    let other = folder.path().join("other.db");
    let mut conn =
        <sqlx::SqliteConnection as sqlx::Connection>::connect(&format!("sqlite://{}?mode=rwc", other.display()))
            .await
            .expect("connects");
    sqlx::raw_sql("CREATE TABLE t (x); INSERT INTO t VALUES (1)").execute(&mut conn).await.expect("runs");
    drop(conn);
    assert!(matches!(ops::restore(&other, &file(&place)).await, Err(StoreError::Refused(_))));
    assert!(matches!(ops::restore(&folder.path().join("none"), &file(&place)).await, Err(StoreError::Refused(_))));
    assert_eq!(std::fs::read_dir(place.path()).expect("lists").count(), 0, "nothing is left behind");
    bed.drop().await;
}

#[tokio::test]
async fn a_store_is_copied_to_postgres_row_by_row() {
    let (small, large) = (Bed::sqlite().await, Bed::postgres().await);
    let mut world = World::begin(&*small.store).await;
    world.live(&*small.store, 80).await;
    small.store.erase_user(&user("dan")).await.expect("erases");
    world.live(&*small.store, 5).await;
    for who in ["ann", "ben", "ann"] {
        notice(&small, who).await;
    }
    small.store.setting("secret", "kept").await.expect("sets");
    small.store.revoke(&user("eve"), 9).await.expect("revokes");
    let odd = "'; \\ \" é 🦀 \u{1b}[0m {} $1 \u{2028}";
    put(&*small.store, "alpha", (0..450).map(|_| ("ann", said(odd))).collect()).await;
    let told = ops::copy(&address(&small), &address(&large)).await.expect("copies");
    assert!(told.contains("3 rooms") && !told.contains("password"), "{told}");
    for table in tables() {
        assert_eq!(small.dump(table).await, large.dump(table).await, "{table}");
    }
    for words in ["of alpha", "é", "word7"] {
        let mut hits = [hits(&*small.store, words).await, hits(&*large.store, words).await];
        hits.iter_mut().for_each(|hits| hits.sort());
        assert_eq!(hits[0], hits[1], "{words}");
    }
    // It goes on where it was.
    let head = small.store.room(&room("beta")).await.expect("reads").expect("exists").head;
    assert_eq!(put(&*large.store, "beta", vec![("ann", said("on"))]).await, [head.value() + 1]);
    assert_eq!(large.store.setting("secret", "other").await.expect("reads"), "kept");
    assert!(matches!(ops::copy(&address(&small), &address(&large)).await, Err(StoreError::Refused(_))), "not empty");
    assert!(matches!(ops::copy(&address(&large), &address(&small)).await, Err(StoreError::Refused(_))));
    small.drop().await;
    large.drop().await;
}

#[tokio::test]
async fn postgres_is_backed_up_by_its_own_tools() {
    let folder = Folder::new();
    let address: Address = "postgres://stoa@127.0.0.1:1/stoa".parse().expect("an address");
    let Err(StoreError::Refused(told)) = ops::backup(&address, &folder.path().join("x")).await else { panic!("did") };
    assert!(told.contains("pg_dump"), "{told}");
    let Err(StoreError::Refused(told)) = ops::restore(&folder.file(), &address).await else { panic!("did") };
    assert!(told.contains("stoa store rewound"), "{told}");
}
