//! The room list: what is unread is derived, and so is what is shown last.

use super::{
    bed::*,
    contract,
    world::{Memory, PEOPLE, ROOMS, World},
};
use stoa::storage::{ListQuery, ListScope, Store};
use stoa_protocol::{ChatBody, RoomCreated, RoomEventBody, RoomKind};

contract! {
    a_list_equals_a_naive_recount,
    a_list_is_paged_newest_first,
    a_list_keeps_to_its_scope,
    counts_stop_at_a_hundred,
    a_direct_room_names_the_other_one,
    every_message_is_on_one_page_and_found_by_its_words,
}

/// What the list must say of a room: last, read, unread, mentions.
fn recount(memory: &Memory, reader: &str) -> (Option<u64>, u64, u32, u32) {
    let floor = if memory.since_join { memory.members.get(reader).copied().unwrap_or_default() } else { 0 };
    let read = memory.read.get(reader).copied().unwrap_or_default();
    let seen = || memory.said.iter().filter(move |said| !said.deleted && said.seq > floor);
    let fresh = || seen().filter(move |said| said.seq > read && said.from.as_deref() != Some(reader));
    let last = seen().filter(|said| said.thread.is_none()).map(|said| said.seq).max();
    let mentions = fresh().filter(|said| said.all || said.mentions.contains(reader)).count();
    (last, read, fresh().count().min(100) as u32, mentions.min(100) as u32)
}

async fn a_list_equals_a_naive_recount(bed: &Bed) {
    let mut world = World::begin(&*bed.store).await;
    for _ in 0..6 {
        world.live(&*bed.store, 8).await;
        for reader in PEOPLE {
            let scope = ListScope::Rooms(ROOMS.map(room).to_vec());
            let (rows, more) = bed.store.list(&list(reader, scope)).await.expect("lists");
            assert_eq!((rows.len(), more), (3, false));
            for row in rows {
                let memory = &world.rooms[row.info.room.as_str()];
                let got = (row.last.as_ref().map(|m| m.seq.value()), row.read.value(), row.unread, row.mentions);
                assert_eq!(got, recount(memory, reader), "{reader} in {}", row.info.room);
                let joined = row.member.map(|member| member.joined_seq.value());
                assert_eq!(joined, memory.members.get(reader).copied());
                assert_eq!(row.head.value(), memory.head);
            }
        }
    }
}

async fn every_message_is_on_one_page_and_found_by_its_words(bed: &Bed) {
    let mut world = World::begin(&*bed.store).await;
    world.live(&*bed.store, 25).await;
    for (id, memory) in &world.rooms {
        let mut roots: Vec<Option<u64>> = vec![None];
        roots.extend(memory.said.iter().filter(|said| said.thread.is_none()).map(|said| Some(said.seq)));
        let mut found = Vec::new();
        for thread in roots {
            let mut place = stoa::storage::Place::After(at(0));
            loop {
                let query = stoa::storage::MessageQuery { thread: thread.map(at), ..page(id, "ann", place, 3) };
                let page = bed.store.messages(&query).await.expect("reads");
                found.extend(page.messages.iter().filter(|m| thread.is_none() || m.thread.is_some()).cloned());
                let Some(last) = page.messages.last().filter(|_| page.more_after) else { break };
                place = stoa::storage::Place::After(last.seq);
            }
        }
        found.sort_by_key(|message| message.seq);
        let got: Vec<_> = found.iter().map(|m| (m.seq.value(), m.text.clone(), m.deleted)).collect();
        let want: Vec<_> = memory.said.iter().map(|said| (said.seq, said.text.clone(), said.deleted)).collect();
        assert_eq!(got, want);
        for said in &memory.said {
            let scope = stoa::storage::SearchScope::Rooms(vec![(room(id), at(0))]);
            let query = stoa::storage::SearchQuery { scope, ..search(&format!("word{}", said.seq)) };
            let hits = seqs(&bed.store.search(&query).await.expect("searches").0);
            let want = if said.text.starts_with("word") { vec![said.seq] } else { vec![] };
            assert_eq!(hits, want, "word{}", said.seq);
        }
    }
}

async fn a_list_is_paged_newest_first(bed: &Bed) {
    for (n, id) in ["c", "a", "b", "e", "d"].into_iter().enumerate() {
        found(&*bed.store, id, &["ann"]).await;
        // The rooms a, b and c end at the same time.
        let more = if n < 3 { 0 } else { n };
        put(&*bed.store, id, (0..=more).map(|_| ("ann", said("x"))).collect()).await;
    }
    for scope in [ListScope::MemberOf, ListScope::All] {
        let mut query = ListQuery { limit: 2, ..list("ann", scope) };
        let mut got = Vec::new();
        loop {
            let (rows, more) = bed.store.list(&query).await.expect("lists");
            got.extend(rows.iter().map(|row| row.info.room.to_string()));
            let Some(last) = rows.last().filter(|_| more) else { break };
            query.after = Some((last.last_at, last.info.room.clone()));
        }
        assert_eq!(got, ["d", "e", "a", "b", "c"]);
    }
}

async fn a_list_keeps_to_its_scope(bed: &Bed) {
    for id in ["mine", "archived", "banned", "lapsed", "others"] {
        found(&*bed.store, id, if id == "others" { &["ben"] } else { &["ann"] }).await;
    }
    let ban = |until| RoomEventBody::MemberBanned { user: user("ann"), until, reason: String::new() };
    put(&*bed.store, "archived", vec![("ann", RoomEventBody::RoomArchived { archived: true })]).await;
    put(&*bed.store, "banned", vec![("ben", ban(None))]).await;
    put(&*bed.store, "lapsed", vec![("ben", ban(Some(1)))]).await;
    let mut tx = bed.store.begin().await.expect("begins");
    tx.reserve(&[(room("unborn"), epoch("e"))]).await.expect("reserves");
    tx.commit().await.expect("commits");
    let named = |id: &[&str]| ListScope::Rooms(id.iter().map(|id| room(id)).collect());
    for (scope, archived, want) in [
        (ListScope::MemberOf, true, vec!["archived", "lapsed", "mine"]),
        (ListScope::MemberOf, false, vec!["lapsed", "mine"]),
        (named(&["others", "missing", "unborn", "mine"]), true, vec!["mine", "others"]),
        (named(&[]), true, vec![]),
        (ListScope::All, true, vec!["archived", "banned", "lapsed", "mine", "others"]),
    ] {
        let query = ListQuery { archived, ..list("ann", scope.clone()) };
        let mut got: Vec<_> =
            bed.store.list(&query).await.expect("lists").0.iter().map(|row| row.info.room.to_string()).collect();
        got.sort();
        assert_eq!(got, want, "{scope:?}");
    }
}

async fn counts_stop_at_a_hundred(bed: &Bed) {
    found(&*bed.store, "r", &["ann", "ben"]).await;
    let shout = ChatBody { text: "x".into(), mentions: vec![user("ben")], mention_all: true, ..ChatBody::default() };
    put(&*bed.store, "r", (0..130).map(|_| ("ann", RoomEventBody::ChatSent(shout.clone()))).collect()).await;
    let row = bed.store.list(&list("ben", ListScope::MemberOf)).await.expect("lists").0.remove(0);
    assert_eq!((row.unread, row.mentions), (100, 100));
    let mut tx = bed.store.begin().await.expect("begins");
    tx.mark(&[(room("r"), user("ben"), at(131))]).await.expect("marks");
    tx.commit().await.expect("commits");
    let row = bed.store.list(&list("ben", ListScope::MemberOf)).await.expect("lists").0.remove(0);
    assert_eq!((row.unread, row.mentions, row.read), (2, 2, at(131)));
}

async fn a_direct_room_names_the_other_one(bed: &Bed) {
    let store: &dyn Store = &*bed.store;
    let mut tx = store.begin().await.expect("begins");
    tx.reserve(&[(room("d"), epoch("e"))]).await.expect("reserves");
    tx.lock(&[room("d")]).await.expect("locks");
    let created = RoomEventBody::RoomCreated(RoomCreated::new(RoomKind::Direct));
    let events = vec![("ann", created), ("ann", joined("ann")), ("ann", joined("ben"))];
    tx.append(&numbered("d", at(0), events)).await.expect("appends");
    tx.commit().await.expect("commits");
    for (reader, peer) in [("ann", "ben"), ("ben", "ann")] {
        let row = store.list(&list(reader, ListScope::MemberOf)).await.expect("lists").0.remove(0);
        assert_eq!((row.peer, row.info.kind), (Some(user(peer)), RoomKind::Direct));
    }
}
