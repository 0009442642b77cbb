//! What is deleted, expired or erased is gone from everywhere.

use super::{bed::*, contract};
use stoa::storage::{ListScope, MessageQuery, NewUserEvent, Place};
use stoa_protocol::{
    ChatBody, DocumentId, DocumentInfo, DocumentKind, EditRight, Name, Profile, Role, RoomEventBody, RoomUpdated, Seq,
    UserEventBody,
};

contract! {
    a_deletion_erases_words_everywhere,
    a_deleted_room_leaves_nothing_and_its_id_can_be_used_again,
    old_messages_expire_by_their_rooms_retention,
    an_erased_user_is_nowhere,
    an_export_has_every_message_of_a_user,
}

/// No table has the word.
async fn gone(bed: &Bed, word: &str) {
    for table in tables() {
        for row in bed.dump(table).await {
            assert!(!row.to_string().contains(word), "{table} still has {word}: {row}");
        }
    }
    if let Database::Sqlite(folder) = &bed.place {
        bed.sql("PRAGMA wal_checkpoint(TRUNCATE)").await;
        for file in std::fs::read_dir(folder.path()).expect("lists") {
            let path = file.expect("a file").path();
            let bytes = std::fs::read(&path).expect("reads");
            let at = bytes.windows(word.len()).position(|window| window == word.as_bytes());
            assert_eq!(at, None, "{} still has {word}", path.display());
        }
    } else {
        bed.sql(&format!(
            "DO $$ BEGIN IF EXISTS (SELECT 1 FROM messages WHERE '{word}' = ANY(words)) \
             THEN RAISE EXCEPTION 'words'; END IF; END $$"
        ))
        .await;
    }
}

async fn a_deletion_erases_words_everywhere(bed: &Bed) {
    found(&*bed.store, "r", &["ann", "ben"]).await;
    let first = ChatBody {
        text: "firstxyzzy plain".into(),
        mentions: vec![user("ben")],
        reply_to: Some(at(4)),
        thread: Some(at(4)),
        mention_all: true,
        announcement: true,
        data: Some(
            stoa_protocol::Data::new(serde_json::json!({"a": "dataxyzzy"}).as_object().expect("an object").clone())
                .expect("small"),
        ),
    };
    put(&*bed.store, "r", vec![("ann", said("root"))]).await;
    let mut tx = bed.store.begin().await.expect("begins");
    tx.lock(&[room("r")]).await.expect("locks");
    let event = numbered("r", at(4), vec![("ann", RoomEventBody::ChatSent(first))]).remove(0);
    tx.append(&[keyed(event, "k", 9)]).await.expect("appends");
    tx.commit().await.expect("commits");
    put(&*bed.store, "r", vec![("ann", edited(5, "secondxyzzy", &["ben"]))]).await;
    put(&*bed.store, "r", vec![("ann", edited(5, "thirdxyzzy", &["ann"])), ("ben", reacted(5, "🎉", true))]).await;
    put(&*bed.store, "r", vec![("ann", pinned(5, true)), ("ann", said("bystander"))]).await;
    assert_eq!(hits(&*bed.store, "thirdxyzzy").await, [5]);
    put(&*bed.store, "r", vec![("ann", deleted(5))]).await;
    let tombstone = message(&*bed.store, "r", 5).await;
    assert_eq!(
        tombstone,
        stoa_protocol::Message {
            deleted: true,
            announcement: true,
            reply_to: Some(at(4)),
            thread: Some(at(4)),
            from: Some(user("ann")),
            text: String::new(),
            mentions: vec![],
            mention_all: false,
            data: None,
            attachments: vec![],
            edited_at: None,
            pinned: false,
            replies: 0,
            reactions: vec![],
            room: room("r"),
            seq: at(5),
            at: time(at(5)),
        }
    );
    let bodies = bed.store.events(&room("r"), at(4), 20).await.expect("reads");
    let erased: Vec<_> = bodies.iter().filter(|event| event.body.is_none()).map(|event| event.seq.value()).collect();
    assert_eq!((bodies.len(), erased), (7, vec![5, 6, 7]));
    for word in ["thirdxyzzy", "plain", "firstxyzzy", "secondxyzzy"] {
        assert_eq!(hits(&*bed.store, word).await, Vec::<u64>::new());
    }
    assert_eq!(bed.store.room(&room("r")).await.expect("reads").expect("exists").pins, []);
    let row = bed.store.list(&list("ben", ListScope::MemberOf)).await.expect("lists").0.remove(0);
    assert_eq!((row.mentions, row.unread), (0, 2));
    // The key still answers.
    let mut tx = bed.store.begin().await.expect("begins");
    let hit = tx.keys(&[(room("r"), user("ann"), key("k"))]).await.expect("looks up").remove(0).expect("known");
    assert_eq!((hit.seq, hit.digest), (at(5), print(9)));
    drop(tx);
    assert_eq!(hits(&*bed.store, "bystander").await, [10]);
    gone(bed, "xyzzy").await;
}

async fn a_deleted_room_leaves_nothing_and_its_id_can_be_used_again(bed: &Bed) {
    found(&*bed.store, "keep", &["ann"]).await;
    put(&*bed.store, "keep", vec![("ann", said("kept"))]).await;
    let before: Vec<_> = dump_all(bed).await;
    found(&*bed.store, "r", &["ann", "ben"]).await;
    let ban = RoomEventBody::MemberBanned { user: user("eve"), until: None, reason: "roomxyzzy".into() };
    let shout = ChatBody { text: "roomxyzzy".into(), mentions: vec![user("ben")], ..ChatBody::default() };
    let talk = [RoomEventBody::ChatSent(shout), reacted(4, "👍", true), pinned(4, true), ban];
    put(&*bed.store, "r", talk.into_iter().map(|body| ("ann", body)).collect()).await;
    let mut tx = bed.store.begin().await.expect("begins");
    tx.mark(&[(room("r"), user("ann"), at(2))]).await.expect("marks");
    tx.commit().await.expect("commits");
    assert!(bed.store.delete_room(&room("r")).await.expect("deletes"));
    assert!(!bed.store.delete_room(&room("r")).await.expect("deletes"));
    assert_eq!(bed.store.room(&room("r")).await.expect("reads"), None);
    assert_eq!(dump_all(bed).await, before);
    assert_eq!(hits(&*bed.store, "roomxyzzy").await, Vec::<u64>::new());
    gone(bed, "roomxyzzy").await;
    let mut tx = bed.store.begin().await.expect("begins");
    tx.reserve(&[(room("r"), epoch("second"))]).await.expect("reserves");
    assert_eq!(tx.lock(&[room("r")]).await.expect("locks")[&room("r")].epoch, epoch("second"));
}

async fn dump_all(bed: &Bed) -> Vec<Vec<serde_json::Value>> {
    let mut all = Vec::new();
    for table in tables() {
        all.push(bed.dump(table).await);
    }
    all
}

async fn old_messages_expire_by_their_rooms_retention(bed: &Bed) {
    const DAY: u64 = 86_400_000;
    for id in ["a", "b", "forever"] {
        found(&*bed.store, id, &["ann"]).await;
        let keep = RoomUpdated { retention_days: Some(if id == "a" { 1 } else { 2 }), ..RoomUpdated::default() };
        if id != "forever" {
            put(&*bed.store, id, vec![("ann", RoomEventBody::RoomUpdated(keep))]).await;
        }
        let mention = ChatBody { text: format!("old{id}xyzzy"), mentions: vec![user("ann")], ..ChatBody::default() };
        let talk = [RoomEventBody::ChatSent(mention), said("later"), said("last")];
        put(&*bed.store, id, talk.into_iter().map(|body| ("ben", body)).collect()).await;
    }
    let more = [edited(4, "editxyzzy", &[]), reacted(4, "👍", true), pinned(4, true), pinned(6, true), deleted(5)];
    put(&*bed.store, "a", more.into_iter().map(|body| ("ben", body)).collect()).await;
    let store = &*bed.store;
    assert_eq!(store.expire_messages(time(at(4)) + DAY, 10).await.expect("expires"), []);
    assert_eq!(store.expire_messages(time(at(5)) + DAY + 1, 1).await.expect("expires"), [(room("a"), at(4))]);
    assert_eq!(store.expire_messages(time(at(5)) + DAY + 1, 1).await.expect("expires"), [(room("a"), at(5))]);
    assert_eq!(store.expire_messages(time(at(5)) + DAY + 1, 1).await.expect("expires"), []);
    assert_eq!(seqs(&store.messages(&page("a", "ann", Place::Newest, 9)).await.expect("reads").messages), [6]);
    assert_eq!(store.room(&room("a")).await.expect("reads").expect("exists").pins, [at(6)]);
    let bodies = store.events(&room("a"), at(3), 3).await.expect("reads");
    assert_eq!(bodies.iter().map(|e| e.body.clone()).collect::<Vec<_>>(), [None, None, Some(said("last"))]);
    assert_eq!(store.room(&room("a")).await.expect("reads").expect("exists").epoch, epoch("e-a"));
    gone(bed, "oldaxyzzy").await;
    gone(bed, "editxyzzy").await;
    let gone = store.expire_messages(time(at(9)) + 3 * DAY, 10).await.expect("expires");
    assert_eq!(gone, [("a", 6), ("b", 4), ("b", 5), ("b", 6)].map(|(id, seq)| (room(id), at(seq))));
    assert_eq!(
        seqs(&store.messages(&page("forever", "x", Place::Newest, 9)).await.expect("reads").messages),
        [3, 4, 5]
    );
}

async fn an_erased_user_is_nowhere(bed: &Bed) {
    const WHO: &str = "zoexyzzy";
    let store = &*bed.store;
    for id in ["a", "b", "c", "rights", "other"] {
        found(store, id, if ["rights", "other"].contains(&id) { &["ben"] } else { &["ben", WHO] }).await;
    }
    // Named in the rights to documents alone: now, once, and in one that is gone.
    let named = |document: &str, allow: &[&str], deny: &[&str]| DocumentInfo {
        document: DocumentId::new(document).expect("legal"),
        kind: DocumentKind::Notes,
        title: "all".into(),
        edit: EditRight {
            allow: allow.iter().map(|who| user(who)).collect(),
            deny: deny.iter().map(|who| user(who)).collect(),
            ..EditRight::default()
        },
        locked: false,
        data: None,
        created_at: START,
    };
    let records = vec![
        ("ann", RoomEventBody::DocumentCreated(named("now", &["ben", WHO, "cyd"], &[]))),
        ("ann", RoomEventBody::DocumentCreated(named("once", &[], &[WHO]))),
        ("ann", RoomEventBody::DocumentUpdated(named("once", &[], &["ben"]))),
        ("ann", RoomEventBody::DocumentCreated(named("gone", &[WHO], &[WHO]))),
        ("ann", RoomEventBody::DocumentDeleted { document: DocumentId::new("gone").expect("legal") }),
    ];
    put(store, "rights", records).await;
    let app = RoomEventBody::App {
        name: Name::new("app.form").expect("legal"),
        data: Some(
            stoa_protocol::Data::new(serde_json::json!({"by": WHO}).as_object().expect("an object").clone())
                .expect("small"),
        ),
    };
    let theirs = ChatBody { text: format!("I am {WHO}"), thread: Some(at(1)), ..ChatBody::default() };
    let naming = ChatBody { text: "hi you".into(), mentions: vec![user("ben"), user(WHO)], ..ChatBody::default() };
    let talk = vec![
        (WHO, RoomEventBody::ChatSent(theirs)),
        ("ben", RoomEventBody::ChatSent(naming)),
        (WHO, edited(4, "edited zoexyzzy", &[])),
        ("ben", edited(5, "now without", &["ben"])),
        ("ben", edited(5, "and again", &["ben", WHO])),
        (WHO, reacted(5, "👍", true)),
        ("ben", reacted(5, "👍", true)),
        ("ben", reacted(4, "👍", true)),
        (WHO, pinned(5, true)),
        (WHO, pinned(4, true)),
        (WHO, app),
    ];
    put(store, "a", talk).await;
    let ban = RoomEventBody::MemberBanned { user: user(WHO), until: None, reason: format!("{WHO} was rude") };
    put(store, "b", vec![("ben", left(WHO)), ("ben", ban)]).await;
    let mut tx = store.begin().await.expect("begins");
    tx.lock(&[room("c")]).await.expect("locks");
    tx.append(&[keyed(numbered("c", at(3), vec![(WHO, said("zoexyzzy"))]).remove(0), "zoexyzzy", 1)])
        .await
        .expect("ok");
    let notice = |to: &str, from: &str, body| NewUserEvent {
        user: user(to),
        at: START,
        from: Some(user(from)),
        key: None,
        body,
    };
    let invite = UserEventBody::Invited { room: room("a"), role: Role::Member };
    let form = UserEventBody::App { name: Name::new("app.form").expect("legal"), data: None };
    tx.append_user(&[
        notice(WHO, "ben", invite.clone()),
        notice("ben", WHO, invite.clone()),
        notice("ben", WHO, form.clone()),
        notice("ben", "ann", form),
    ])
    .await
    .expect("appends");
    tx.mark(&[(room("c"), user(WHO), at(2))]).await.expect("marks");
    tx.commit().await.expect("commits");
    store
        .put_profiles(&[(user(WHO), Profile { name: "Zoexyzzy".into(), avatar: None, guest: false })])
        .await
        .expect("puts");
    store.put_seen(&[(user(WHO), START, "statusxyzzy".into())]).await.expect("puts");
    store.revoke(&user(WHO), 77).await.expect("revokes");
    let old = store.users(&[user(WHO)]).await.expect("reads").remove(0);

    let mut rooms = store.erase_user(&user(WHO)).await.expect("erases");
    rooms.sort();
    assert_eq!(rooms, ["a", "b", "c", "rights"].map(room));
    for (id, renewed) in [("a", true), ("b", true), ("c", true), ("rights", true), ("other", false)] {
        let stored = store.room(&room(id)).await.expect("reads").expect("exists");
        assert_eq!(stored.epoch != epoch(&format!("e-{id}")), renewed, "{id}");
        assert_eq!(stored.members.iter().map(|m| m.user.as_str()).collect::<Vec<_>>(), ["ben"]);
        assert_eq!(stored.bans, []);
    }
    let documents = store.room(&room("rights")).await.expect("reads").expect("exists").documents;
    let edits: Vec<_> = documents.iter().map(|info| (info.document.as_str(), &info.edit)).collect();
    let (now, once) = (named("now", &["ben", "cyd"], &[]).edit, named("once", &[], &["ben"]).edit);
    assert_eq!(edits, [("now", &now), ("once", &once)], "others keep their rights");
    let logged = store.events(&room("rights"), at(2), 99).await.expect("reads");
    let created = logged.into_iter().find_map(|event| event.body);
    assert_eq!(
        created,
        Some(RoomEventBody::DocumentCreated(named("now", &["ben", "cyd"], &[]))),
        "and the log says it"
    );
    let query = MessageQuery { thread: Some(at(1)), ..page("a", "ben", Place::Newest, 9) };
    let tombstone = store.messages(&query).await.expect("reads").messages.remove(0);
    assert_eq!((tombstone.deleted, tombstone.from, tombstone.thread), (true, None, Some(at(1))));
    let other = message(store, "a", 5).await;
    assert_eq!((other.mentions, &*other.text), (vec![user("ben")], "and again"));
    assert_eq!(
        other.reactions.iter().map(|r| (r.count, r.users.clone())).collect::<Vec<_>>(),
        [(1, vec![user("ben")])]
    );
    let stored = store.room(&room("a")).await.expect("reads").expect("exists");
    assert_eq!((stored.pins, stored.head), (vec![at(5)], at(14)));
    assert_eq!(store.events(&room("a"), Seq::ZERO, 99).await.expect("reads").len(), 14);
    let notices = store.user_events(&user("ben"), Seq::ZERO, 9).await.expect("reads");
    assert_eq!(
        notices.iter().map(|e| (e.user_seq, e.from.clone())).collect::<Vec<_>>(),
        [(at(1), None), (at(3), Some(user("ann")))]
    );
    let new = store.users(&[user(WHO)]).await.expect("reads").remove(0);
    assert_ne!(new.head.epoch, old.head.epoch);
    assert_eq!((new.head.seq, new.profile, new.last_seen, &*new.status), (Seq::ZERO, None, None, ""));
    // The one thing that is kept, or an old token would open the door again.
    assert_eq!(new.revoked_before, 77);
    bed.sql(&format!("DELETE FROM users WHERE id = '{WHO}'")).await;
    if let Database::Sqlite(_) = bed.place {
        // That they are gone is itself told to other nodes, by their id.
        bed.sql(&format!("DELETE FROM moves WHERE users = '[\"{WHO}\"]'")).await;
    }
    gone(bed, "xyzzy").await;
    assert_eq!(store.erase_user(&user("nobody")).await.expect("erases"), []);
}

async fn an_export_has_every_message_of_a_user(bed: &Bed) {
    for id in ["b", "a"] {
        found(&*bed.store, id, &["ann"]).await;
        let talk = (0..5).map(|n| (if n % 2 == 0 { "ann" } else { "ben" }, said(&format!("{n}"))));
        put(&*bed.store, id, talk.collect()).await;
    }
    put(&*bed.store, "a", vec![("ann", deleted(5))]).await;
    put(&*bed.store, "b", vec![("ben", left("ann"))]).await;
    let (mut got, mut after) = (Vec::new(), None);
    loop {
        let page = bed.store.messages_of(&user("ann"), after, 2).await.expect("reads");
        let Some(last) = page.last() else { break };
        after = Some((last.room.clone(), last.seq));
        got.extend(page.iter().map(|m| (m.room.to_string(), m.seq.value())));
    }
    let want = [("a", 3), ("a", 7), ("b", 3), ("b", 5), ("b", 7)];
    assert_eq!(got, want.map(|(id, seq)| (id.to_owned(), seq)));
}

/// A deletion empties the write-ahead log by itself, soon.
#[tokio::test]
async fn deleted_words_leave_the_write_ahead_log_too() {
    let bed = Bed::sqlite().await;
    let Database::Sqlite(folder) = &bed.place else { panic!("no SQLite") };
    found(&*bed.store, "r", &["ann"]).await;
    put(&*bed.store, "r", vec![("ann", said("walxyzzy"))]).await;
    let is_there = || {
        let files = std::fs::read_dir(folder.path()).expect("lists");
        files
            .map(|file| std::fs::read(file.expect("a file").path()).expect("reads"))
            .any(|bytes| bytes.windows(8).any(|window| window == b"walxyzzy"))
    };
    assert!(is_there());
    put(&*bed.store, "r", vec![("ann", deleted(3))]).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while is_there() {
        assert!(std::time::Instant::now() < deadline, "the words are still in a file");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    bed.drop().await;
}
