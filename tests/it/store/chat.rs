//! Messages: pages, threads, reactions, search, deletion.

use super::{bed::*, contract};
use serde_json::json;
use stoa::storage::{ListScope, MessageQuery, Place, SearchQuery, SearchScope};
use stoa_protocol::{ChatBody, Data, HistoryVisibility, RoomEventBody, RoomUpdated, Seq, limits};

contract! {
    every_part_of_a_message_comes_back,
    pages_go_in_every_direction,
    a_page_hides_what_was_before_the_reader,
    a_thread_is_a_page_of_its_own,
    reactions_are_grouped_and_know_their_reader,
    targets_tell_what_commands_need,
    an_edit_replaces_words_mentions_and_data,
    a_batch_nets_out_like_single_events,
    search_finds_all_words_newest_first,
    search_keeps_to_its_scope,
    a_hostile_query_is_only_words,
    hostile_words_are_data,
}

fn data(value: serde_json::Value) -> Data {
    Data::new(value.as_object().expect("an object").clone()).expect("small")
}

async fn every_part_of_a_message_comes_back(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    let full = ChatBody {
        text: "Hé 🦀 \"quoted\" \\ \n <b>".into(),
        mentions: vec![user("zoe"), user("ben")],
        mention_all: true,
        reply_to: Some(at(3)),
        thread: Some(at(3)),
        announcement: true,
        data: Some(data(json!({"a": [1, {"b": null}], "c": "é\""}))),
    };
    put(&*bed.store, "r", vec![("ann", said("root")), ("", RoomEventBody::ChatSent(full.clone()))]).await;
    let message = message(&*bed.store, "r", 4).await;
    let ChatBody { text, mentions, mention_all, reply_to, thread, announcement, data } = full.clone();
    assert_eq!((message.text, message.mentions, message.mention_all), (text, mentions, mention_all));
    assert_eq!((message.reply_to, message.thread, message.announcement), (reply_to, thread, announcement));
    assert_eq!((message.data, message.from, message.at, message.seq), (data, None, time(at(4)), at(4)));
    assert_eq!((message.edited_at, message.deleted, message.pinned, message.replies), (None, false, false, 0));
    let events = bed.store.events(&room("r"), at(3), 10).await.expect("reads");
    assert_eq!(events[0].body, Some(RoomEventBody::ChatSent(full)));
}

/// Messages 4, 6, 8 ... 22; the odd numbers between are no messages.
async fn ten(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    for n in 0..10 {
        put(
            &*bed.store,
            "r",
            vec![("ann", RoomEventBody::RoomArchived { archived: false }), ("ann", said(&n.to_string()))],
        )
        .await;
    }
}

async fn pages_go_in_every_direction(bed: &Bed) {
    ten(bed).await;
    let cases = [
        (Place::Newest, 3, vec![18, 20, 22], true, false),
        (Place::Newest, 10, vec![4, 6, 8, 10, 12, 14, 16, 18, 20, 22], false, false),
        (Place::Before(at(10)), 2, vec![6, 8], true, true),
        (Place::Before(at(10)), 3, vec![4, 6, 8], false, true),
        (Place::Before(at(4)), 3, vec![], false, true),
        (Place::Before(at(99)), 1, vec![22], true, false),
        (Place::After(at(10)), 2, vec![12, 14], true, true),
        (Place::After(at(18)), 2, vec![20, 22], true, false),
        (Place::After(at(22)), 2, vec![], true, false),
        (Place::After(Seq::ZERO), 2, vec![4, 6], false, true),
        (Place::After(Seq::MAX), 2, vec![], true, false),
        (Place::Around(at(12)), 3, vec![10, 12, 14], true, true),
        (Place::Around(at(11)), 3, vec![10, 12, 14], true, true),
        (Place::Around(at(4)), 3, vec![4, 6, 8], false, true),
        (Place::Around(at(22)), 3, vec![18, 20, 22], true, false),
        (Place::Around(at(12)), 200, vec![4, 6, 8, 10, 12, 14, 16, 18, 20, 22], false, false),
    ];
    for (place, limit, want, before, after) in cases {
        let found = bed.store.messages(&page("r", "ann", place, limit)).await.expect("reads");
        assert_eq!(seqs(&found.messages), want, "{place:?} {limit}");
        assert_eq!((found.more_before, found.more_after), (before, after), "{place:?} {limit}");
    }
    let nowhere = bed.store.messages(&page("missing", "ann", Place::Newest, 3)).await.expect("reads");
    assert_eq!(nowhere, stoa::storage::MessagePage::default());
}

async fn a_page_hides_what_was_before_the_reader(bed: &Bed) {
    ten(bed).await;
    for (place, want, before) in [
        (Place::Newest, vec![18, 20, 22], false),
        (Place::Before(at(20)), vec![18], false),
        (Place::Around(at(4)), vec![18, 20, 22], false),
        (Place::After(Seq::ZERO), vec![18, 20, 22], false),
    ] {
        let query = MessageQuery { visible_after: at(16), ..page("r", "ann", place, 10) };
        let found = bed.store.messages(&query).await.expect("reads");
        assert_eq!((seqs(&found.messages), found.more_before), (want, before), "{place:?}");
    }
}

fn reply(thread: u64, text: &str) -> RoomEventBody {
    RoomEventBody::ChatSent(ChatBody { text: text.into(), thread: Some(at(thread)), ..ChatBody::default() })
}

async fn a_thread_is_a_page_of_its_own(bed: &Bed) {
    found(&*bed.store, "r", &[]).await;
    let talk = [said("root"), said("main"), reply(2, "a"), reply(3, "x"), reply(2, "b"), said("main"), reply(2, "c")];
    put(&*bed.store, "r", talk.into_iter().map(|body| ("ann", body)).collect()).await;
    let main = bed.store.messages(&page("r", "ann", Place::Newest, 10)).await.expect("reads");
    assert_eq!(seqs(&main.messages), [2, 3, 7]);
    assert_eq!(main.messages.iter().map(|m| m.replies).collect::<Vec<_>>(), [3, 1, 0]);
    let thread = |place, limit| MessageQuery { thread: Some(at(2)), ..page("r", "ann", place, limit) };
    for (place, limit, want, before, after) in [
        (Place::Newest, 10, vec![2, 4, 6, 8], false, false),
        (Place::Newest, 3, vec![4, 6, 8], true, false),
        (Place::Before(at(4)), 3, vec![2], false, true),
        (Place::After(at(2)), 2, vec![4, 6], true, true),
        (Place::Around(at(6)), 3, vec![4, 6, 8], true, false),
    ] {
        let found = bed.store.messages(&thread(place, limit)).await.expect("reads");
        assert_eq!(seqs(&found.messages), want, "{place:?} {limit}");
        assert_eq!((found.more_before, found.more_after), (before, after), "{place:?} {limit}");
    }
    let late = MessageQuery { visible_after: at(5), ..thread(Place::Newest, 10) };
    assert_eq!(seqs(&bed.store.messages(&late).await.expect("reads").messages), [6, 8]);
    put(&*bed.store, "r", vec![("ann", deleted(6))]).await;
    assert_eq!(message(&*bed.store, "r", 2).await.replies, 2);
    let tombstone = message(&*bed.store, "r", 6).await;
    assert_eq!((tombstone.deleted, tombstone.thread, &*tombstone.text), (true, Some(at(2)), ""));
    // A root's tombstone still leads to its thread.
    put(&*bed.store, "r", vec![("ann", deleted(2))]).await;
    assert_eq!(message(&*bed.store, "r", 2).await.replies, 2);
}

async fn reactions_are_grouped_and_know_their_reader(bed: &Bed) {
    found(&*bed.store, "r", &[]).await;
    put(&*bed.store, "r", vec![("ann", said("x"))]).await;
    let people: Vec<String> = (0..25).map(|n| format!("u{n:02}")).collect();
    let likes = people.iter().rev().map(|who| (who.as_str(), reacted(2, "👍", true)));
    put(&*bed.store, "r", [("zed", reacted(2, "🎉", true))].into_iter().chain(likes).collect()).await;
    put(&*bed.store, "r", vec![("u24", reacted(2, "🎉", true)), ("u23", reacted(2, "👍", false))]).await;
    // Giving it once more changes nothing; taking it back and giving it anew puts it last.
    put(&*bed.store, "r", vec![("zed", reacted(2, "🎉", true)), ("u24", reacted(2, "👍", false))]).await;
    put(&*bed.store, "r", vec![("u24", reacted(2, "👍", true)), ("ann", reacted(9, "👍", true))]).await;
    for (reader, mine) in [("u00", [false, true]), ("u24", [true, true]), ("zed", [true, false]), ("no", [false; 2])] {
        let found = bed.store.messages(&page("r", reader, Place::Newest, 1)).await.expect("reads");
        let reactions = &found.messages[0].reactions;
        assert_eq!(reactions.iter().map(|r| (&*r.emoji, r.count)).collect::<Vec<_>>(), [("🎉", 2), ("👍", 24)]);
        assert_eq!(reactions.iter().map(|r| r.mine).collect::<Vec<_>>(), mine, "{reader}");
        assert_eq!(reactions[0].users, [user("zed"), user("u24")]);
        let named: Vec<_> = (3..=22).rev().map(|n| user(&people[n])).collect();
        assert_eq!((reactions[1].users.len(), &reactions[1].users), (limits::REACTION_USERS, &named));
    }
}

async fn targets_tell_what_commands_need(bed: &Bed) {
    found(&*bed.store, "r", &[]).await;
    let mentioning = ChatBody { text: "x".into(), mentions: vec![user("ben")], ..ChatBody::default() };
    let talk = [RoomEventBody::ChatSent(mentioning), reply(2, "a"), said("gone")];
    put(&*bed.store, "r", talk.into_iter().map(|body| ("ann", body)).collect()).await;
    let more = [reacted(2, "👍", true), reacted(2, "🎉", true), pinned(2, true), deleted(4)];
    put(&*bed.store, "r", more.into_iter().map(|body| ("ben", body)).collect()).await;
    let mut tx = bed.store.begin().await.expect("begins");
    tx.lock(&[room("r")]).await.expect("locks");
    let names = [(room("r"), at(2)), (room("r"), at(3)), (room("r"), at(4)), (room("r"), at(5)), (room("q"), at(2))];
    let metas = tx.targets(&names).await.expect("reads");
    assert_eq!(metas.len(), 3);
    let root = &metas[&names[0]];
    assert_eq!((&root.from, root.deleted, root.thread, root.pinned), (&Some(user("ann")), false, None, true));
    assert_eq!(root.mentions, [user("ben")]);
    assert_eq!(root.reactions, [("👍".to_owned(), user("ben")), ("🎉".to_owned(), user("ben"))]);
    assert_eq!((metas[&names[1]].thread, metas[&names[1]].pinned), (Some(at(2)), false));
    assert!(metas[&names[2]].deleted);
}

async fn an_edit_replaces_words_mentions_and_data(bed: &Bed) {
    found(&*bed.store, "r", &["ann", "ben", "zoe"]).await;
    let first = ChatBody {
        text: "alpha".into(),
        mentions: vec![user("ben")],
        data: Some(data(json!({"a": 1}))),
        ..ChatBody::default()
    };
    put(&*bed.store, "r", vec![("ann", RoomEventBody::ChatSent(first))]).await;
    put(&*bed.store, "r", vec![("ann", edited(5, "beta", &["ben"])), ("ann", edited(5, "gamma", &["zoe"]))]).await;
    let message = message(&*bed.store, "r", 5).await;
    assert_eq!((&*message.text, &message.mentions, &message.data), ("gamma", &vec![user("zoe")], &None));
    assert_eq!(message.edited_at, Some(time(at(7))));
    for (words, want) in [("alpha", vec![]), ("beta", vec![]), ("gamma", vec![5])] {
        assert_eq!(hits(&*bed.store, words).await, want, "{words}");
    }
    for (who, mentions) in [("ben", 0), ("zoe", 1)] {
        let row = bed.store.list(&super::bed::list(who, ListScope::MemberOf)).await.expect("lists").0.remove(0);
        assert_eq!((row.mentions, row.unread), (mentions, 1), "{who}");
    }
}

async fn a_batch_nets_out_like_single_events(bed: &Bed) {
    use stoa_protocol::{Capability, MemberUpdated, Role};
    let change = |role, capabilities: Option<Vec<Capability>>, muted_until| {
        RoomEventBody::MemberUpdated(MemberUpdated {
            user: user("ben"),
            role,
            capabilities,
            muted_until,
            data: muted_until.map(|n| data(json!({"n": n}))),
        })
    };
    let title = |title: &str, days| {
        let title = (!title.is_empty()).then(|| title.to_owned());
        RoomEventBody::RoomUpdated(RoomUpdated { title, retention_days: days, ..RoomUpdated::default() })
    };
    let ban = |until| RoomEventBody::MemberBanned { user: user("eve"), until, reason: format!("{until:?}") };
    let history = || {
        vec![
            ("ann", said("one")),
            ("ann", edited(4, "two", &["ben"])),
            ("ann", edited(4, "three", &["ann"])),
            ("ben", reacted(4, "👍", true)),
            ("ben", reacted(4, "👍", false)),
            ("ben", reacted(4, "👍", true)),
            ("ann", reacted(4, "👍", true)),
            ("ann", pinned(4, true)),
            ("ann", said("gone")),
            ("ann", pinned(12, true)),
            ("ben", reacted(12, "👍", true)),
            ("ann", deleted(12)),
            ("ann", edited(12, "late", &["ben"])),
            ("ann", pinned(4, false)),
            ("ann", said("pinned")),
            ("ann", pinned(18, true)),
            ("ann", pinned(4, true)),
            ("ann", change(Some(Role::Host), None, None)),
            ("ann", change(None, Some(vec![Capability::Pin]), Some(7))),
            ("ann", change(Some(Role::Viewer), None, Some(0))),
            ("ann", left("ben")),
            ("ann", change(Some(Role::Host), None, Some(9))),
            ("ann", joined("ben")),
            ("ann", change(None, Some(vec![Capability::Send]), Some(8))),
            ("ann", title("A", Some(3))),
            ("ann", title("", Some(0))),
            ("ann", title("B", None)),
            ("ann", RoomEventBody::RoomArchived { archived: true }),
            ("ann", ban(Some(5))),
            ("ann", RoomEventBody::MemberUnbanned { user: user("eve") }),
            ("ann", ban(None)),
            ("ann", title("", None)),
        ]
    };
    found(&*bed.store, "whole", &["ann", "ben"]).await;
    put(&*bed.store, "whole", history()).await;
    found(&*bed.store, "single", &["ann", "ben"]).await;
    for event in history() {
        put(&*bed.store, "single", vec![event]).await;
    }
    let mut rooms = Vec::new();
    for id in ["whole", "single"] {
        let mut stored = bed.store.room(&room(id)).await.expect("reads").expect("exists");
        let mut messages = bed.store.messages(&page(id, "ben", Place::Newest, 50)).await.expect("reads").messages;
        stored.info.room = room("either");
        stored.epoch = epoch("either");
        messages.iter_mut().for_each(|message| message.room = room("either"));
        rooms.push((stored, messages));
    }
    assert_eq!(rooms[0], rooms[1]);
    let (stored, messages) = &rooms[0];
    assert_eq!((&*stored.info.title, stored.info.retention_days, stored.info.archived), ("B", None, true));
    let ben = &stored.members[1];
    assert_eq!((ben.role, ben.muted_until, &ben.capabilities), (Role::Member, Some(8), &Some(vec![Capability::Send])));
    assert_eq!(ben.joined_seq, at(26));
    assert_eq!(stored.bans.iter().map(|ban| (&ban.user, ban.until)).collect::<Vec<_>>(), [(&user("eve"), None)]);
    assert_eq!(stored.pins, [at(18), at(4)]);
    assert_eq!(messages[0].reactions[0].users, [user("ben"), user("ann")]);
    assert_eq!((&*messages[0].text, &messages[0].mentions), ("three", &vec![user("ann")]));
    assert!(messages[1].deleted && messages[1].reactions.is_empty() && messages[1].text.is_empty());
}

async fn search_finds_all_words_newest_first(bed: &Bed) {
    found(&*bed.store, "r", &[]).await;
    found(&*bed.store, "q", &[]).await;
    let talk = ["the quick brown fox", "the Lazy dog", "Quick, dog!", "Élan vital", "foxtrot"];
    put(&*bed.store, "r", talk.iter().map(|text| ("ann", said(text))).collect()).await;
    put(&*bed.store, "q", vec![("ben", said("quick dog")), ("ben", said("x quick y dog z"))]).await;
    let cases = [
        ("quick", vec![4, 3, 2, 2]),
        ("QUICK dog", vec![4, 3, 2]),
        ("dog quick the", vec![]),
        ("fox", vec![2]),
        ("élan", vec![5]),
        ("nothing", vec![]),
        ("the", vec![3, 2]),
    ];
    for (words, want) in cases {
        assert_eq!(hits(&*bed.store, words).await, want, "{words}");
    }
    let mut query = SearchQuery { limit: 1, ..search("quick") };
    let mut found = Vec::new();
    loop {
        let (page, more) = bed.store.search(&query).await.expect("searches");
        found.extend(page.iter().map(|m| (m.room.to_string(), m.seq.value())));
        let Some(last) = page.last().filter(|_| more) else { break };
        query.after = Some((last.at, last.room.clone(), last.seq));
    }
    // Of one time: the higher room id first.
    assert_eq!(found, [("r".into(), 4), ("q".into(), 3), ("r".into(), 2), ("q".into(), 2)]);
    let from = SearchQuery { from: Some(user("ben")), ..search("quick") };
    assert_eq!(seqs(&bed.store.search(&from).await.expect("searches").0), [3, 2]);
}

async fn search_keeps_to_its_scope(bed: &Bed) {
    for id in ["open", "since", "banned", "other"] {
        found(&*bed.store, id, &["ann"]).await;
        put(&*bed.store, id, vec![("ann", said("needle")), ("ann", joined("ben")), ("ann", said("needle"))]).await;
    }
    let since = RoomUpdated { history: Some(HistoryVisibility::SinceJoin), ..RoomUpdated::default() };
    put(&*bed.store, "since", vec![("ann", RoomEventBody::RoomUpdated(since))]).await;
    let ban = RoomEventBody::MemberBanned { user: user("ben"), until: None, reason: String::new() };
    put(&*bed.store, "banned", vec![("ann", ban)]).await;
    put(&*bed.store, "other", vec![("ben", left("ben"))]).await;
    let cases = [
        (SearchScope::MemberOf(user("ben")), vec![("open", 5), ("open", 3), ("since", 5)]),
        (SearchScope::MemberOf(user("eve")), vec![]),
        (SearchScope::Rooms(vec![(room("other"), at(3)), (room("open"), at(9))]), vec![("other", 5)]),
        (SearchScope::Rooms(vec![]), vec![]),
    ];
    for (scope, want) in cases {
        let found = bed.store.search(&SearchQuery { scope: scope.clone(), ..search("needle") }).await.expect("finds").0;
        let mut found: Vec<_> = found.iter().map(|m| (m.room.to_string(), m.seq.value())).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        assert_eq!(found, want.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect::<Vec<_>>(), "{scope:?}");
    }
    assert_eq!(hits(&*bed.store, "needle").await.len(), 8);
}

async fn a_hostile_query_is_only_words(bed: &Bed) {
    found(&*bed.store, "r", &[]).await;
    put(&*bed.store, "r", vec![("ann", said("a or b near text column")), ("ann", said("a b"))]).await;
    let cases = [
        ("a OR b", vec![2]),
        ("a NEAR b", vec![2]),
        ("NEAR(a b)", vec![2]),
        ("a AND b", vec![]),
        ("a NOT b", vec![]),
        ("\"a b\"", vec![3, 2]),
        ("a*", vec![3, 2]),
        ("tex*", vec![]),
        ("text:a", vec![2]),
        ("text : a", vec![2]),
        ("{text} : a", vec![2]),
        ("^a", vec![3, 2]),
        ("-a", vec![3, 2]),
        ("a & !b", vec![3, 2]),
        ("a <-> b", vec![3, 2]),
        ("'a' | b:*", vec![3, 2]),
    ];
    for (query, want) in cases {
        assert_eq!(hits(&*bed.store, query).await, want, "{query}");
    }
    let nothing =
        ["", " ", "\"", "*", "'", "(", ")", ":", "\\", "\"\"", "--", "NEAR(z", "a\" OR \"zzz", "%", "_", "\u{301}"];
    for query in nothing {
        assert_eq!(hits(&*bed.store, query).await, Vec::<u64>::new(), "{query:?}");
    }
    for long in
        ["x".repeat(limits::QUERY_BYTES), "a ".repeat(limits::QUERY_BYTES / 2), "\"".repeat(256), "é".repeat(128)]
    {
        bed.store.search(&search(&long)).await.expect("answers");
    }
}

async fn hostile_words_are_data(bed: &Bed) {
    found(&*bed.store, "r", &[]).await;
    let long = "long".repeat(limits::TEXT_BYTES / 4);
    let many: String = (0..limits::TEXT_BYTES / 6).map(|n| format!("{n:05} ")).collect();
    let texts = [
        "'; DROP TABLE rooms; --",
        "$1 ?1 :x @y {} %s",
        "{\"a\":1}",
        "[1,2",
        "\u{202e}evil\u{200b}",
        "\\u0000 \\' \\\"",
        "e\u{301}\u{301}\u{301}",
        "\u{1b}[31mred\u{7}",
        &long,
        &many,
    ];
    put(&*bed.store, "r", texts.iter().map(|text| ("ann", said(text))).collect()).await;
    let found = bed.store.messages(&page("r", "ann", Place::Newest, 50)).await.expect("reads").messages;
    assert_eq!(found.iter().map(|m| &*m.text).collect::<Vec<_>>(), texts);
    assert_eq!(hits(&*bed.store, "drop rooms").await, [2]);
    assert_eq!(hits(&*bed.store, "00042").await, [11]);
}
