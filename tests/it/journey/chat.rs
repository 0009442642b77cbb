//! What is said: messages, threads, reactions, pins, mentions, markers, history, search, application events.

use super::*;

#[tokio::test]
async fn two_people_meet_in_a_room_and_talk() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let server = Server::start(backend).await;
        let (mut ada, mut ben, id) = two(&server, "cohort-7").await;
        let first = ada.commit(say(&id, "hello Ben")).await;
        let second = ben.commit(say(&id, "hello Ada")).await;
        assert_eq!(second, first.next(), "the room counts without gaps");
        for client in [&mut ada, &mut ben] {
            assert_eq!(text_of(&event(client, &id, first).await), "hello Ben");
            assert_eq!(text_of(&event(client, &id, second).await), "hello Ada");
            assert_eq!(client.journal.faults(), Vec::<String>::new());
        }
        let said: Vec<_> = messages(&mut ben, Command::ChatHistory(history(&id))).await;
        let said: Vec<_> = said.iter().map(|m| (m.from.clone(), m.text.as_str())).collect();
        assert_eq!(said, [(Some(user("ada")), "hello Ben"), (Some(user("ben")), "hello Ada")]);
    }
}

#[tokio::test]
async fn the_first_thing_a_member_gets_is_the_whole_room() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, _ben, id) = two(&server, "r").await;
    let message = ada.commit(say(&id, "before Cleo")).await;
    ada.commit(pin(&id, message, true)).await;
    ada.commit(add(&id, &user("cleo"), Role::Viewer)).await;
    let mut cleo = server.client("cleo").await;
    let opened = cleo.open(&id).await;
    let snapshot = opened.snapshot.expect("a first opening has a snapshot");
    assert_eq!((opened.access.role, opened.access.member, opened.reset), (Role::Viewer, true, false));
    assert_eq!(opened.seq, opened.head);
    assert_eq!(snapshot.messages.iter().map(|m| m.text.as_str()).collect::<Vec<_>>(), ["before Cleo"]);
    assert_eq!(snapshot.pins, [message]);
    assert_eq!((snapshot.member_count, snapshot.members.len(), snapshot.more), (3, 3, false));
    assert_eq!(snapshot.profiles[&user("ada")].name, "ada");
    cleo.refused(say(&id, "may I?"), ErrorCode::Forbidden).await;
    cleo.commit(react(&id, message, "👍", true)).await;
}

#[tokio::test]
async fn a_message_is_edited_and_deleted_and_only_a_tombstone_stays() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    let message = ben.commit(say(&id, "frist")).await;
    let edited = ben.commit(edit(&id, message, "first")).await;
    let body = event(&mut ada, &id, edited).await;
    assert!(matches!(&body, RoomEventBody::ChatEdited { target, text, .. } if *target == message && text == "first"));
    ada.refused(edit(&id, message, "mine now"), ErrorCode::Forbidden).await;
    let now = messages(&mut ada, Command::ChatHistory(history(&id))).await;
    assert_eq!((now[0].text.as_str(), now[0].edited_at.is_some()), ("first", true));

    let mut cleo = server.client("cleo").await;
    cleo.refused(delete(&id, message), ErrorCode::NotFound).await;
    let deleted = ada.commit(delete(&id, message)).await;
    assert_eq!(event(&mut ben, &id, deleted).await, RoomEventBody::ChatDeleted { target: message, thread: None });
    let now = messages(&mut ben, Command::ChatHistory(history(&id))).await;
    assert_eq!((now[0].text.as_str(), now[0].deleted, now[0].from.clone()), ("", true, Some(user("ben"))));
    ben.refused(edit(&id, message, "again"), ErrorCode::Conflict).await;

    // Who comes later from before it all gets numbers without words.
    let epoch = ada.cursor(&id).epoch;
    let mut late = server.client("ben").await;
    let since = stoa_protocol::Cursor { epoch, seq: message };
    late.journal.push(&id, crate::harness::Entry::Reset(message));
    late.open_since(&id, Some(since)).await;
    late.reach(&id, deleted).await;
    let told: Vec<_> = late.journal.events(&id).map(|e| e.seq).collect();
    assert!(!told.contains(&edited), "the edit's words are gone: {told:?}");
    assert!(told.contains(&deleted));
    assert_eq!(late.journal.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn the_same_key_is_the_same_message_and_another_body_is_a_conflict() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    let once = words(&id, "only once");
    let first = ada.commit(Command::ChatSend(once.clone())).await;
    assert_eq!(ada.commit(Command::ChatSend(once.clone())).await, first);
    let other = ChatSend { text: "something else".into(), ..once.clone() };
    ada.refused(Command::ChatSend(other), ErrorCode::Conflict).await;
    // A key is a user's own: Ben's is another message.
    let bens = ben.commit(Command::ChatSend(once.clone())).await;
    assert!(bens > first);
    ada.commit(delete(&id, first)).await;
    assert_eq!(ada.commit(Command::ChatSend(once)).await, first, "also after its deletion");
    assert_eq!(messages(&mut ada, Command::ChatHistory(history(&id))).await.len(), 2);
}

#[tokio::test]
async fn reactions_count_people_and_pins_are_listed() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    let message = ada.commit(say(&id, "well?")).await;
    ada.commit(react(&id, message, "🎉", true)).await;
    ben.commit(react(&id, message, "🎉", true)).await;
    ben.commit(react(&id, message, "👀", true)).await;
    ben.commit(react(&id, message, "👀", false)).await;
    let now = messages(&mut ben, Command::ChatHistory(history(&id))).await;
    let reactions: Vec<_> = now[0].reactions.iter().map(|r| (r.emoji.as_str(), r.count, r.mine)).collect();
    assert_eq!(reactions, [("🎉", 2, true)]);
    assert_eq!(now[0].reactions[0].users, [user("ada"), user("ben")]);

    ben.refused(pin(&id, message, true), ErrorCode::Forbidden).await;
    ada.commit(pin(&id, message, true)).await;
    assert_eq!(ben.open(&id).await.snapshot.expect("a snapshot").pins, [message]);
    ada.commit(pin(&id, message, false)).await;
    assert_eq!(ben.open(&id).await.snapshot.expect("a snapshot").pins, Vec::<Seq>::new());
}

#[tokio::test]
async fn a_thread_lives_beside_the_room_and_is_one_level_deep() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    let root = ada.commit(say(&id, "who is free?")).await;
    let answer = ben.commit(Command::ChatSend(ChatSend { thread: Some(root), ..words(&id, "me") })).await;
    let inner = ChatSend { thread: Some(answer), ..words(&id, "good") };
    let inner = ada.commit(Command::ChatSend(inner)).await;
    let reply = ChatSend { reply_to: Some(root), ..words(&id, "also me") };
    let reply = ben.commit(Command::ChatSend(reply)).await;

    let main = messages(&mut ada, Command::ChatHistory(history(&id))).await;
    assert_eq!(main.iter().map(|m| m.seq).collect::<Vec<_>>(), [root, reply]);
    assert_eq!((main[0].replies, main[1].reply_to), (2, Some(root)));
    let mut thread = history(&id);
    thread.thread = Some(root);
    let thread = messages(&mut ada, Command::ChatHistory(thread)).await;
    assert_eq!(thread.iter().map(|m| m.seq).collect::<Vec<_>>(), [root, answer, inner]);
    assert!(thread[1..].iter().all(|m| m.thread == Some(root)));
    let deleted = ben.commit(delete(&id, answer)).await;
    let body = RoomEventBody::ChatDeleted { target: answer, thread: Some(root) };
    assert_eq!(event(&mut ada, &id, deleted).await, body, "says whose answers are fewer");
    assert_eq!(messages(&mut ada, Command::ChatHistory(history(&id))).await[0].replies, 1);
    let nowhere = ChatSend { thread: Some(seq(9_999)), ..words(&id, "?") };
    let fault = ada.refused(Command::ChatSend(nowhere), ErrorCode::NotFound).await;
    assert_eq!(fault.field.as_deref(), Some("thread"));
}

#[tokio::test]
async fn who_is_mentioned_is_told_wherever_they_are() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, _ben, id) = two(&server, "r").await;
    // Another device of Ben's that has not opened the room.
    let mut phone = server.client("ben").await;
    phone.settle().await;
    phone.forget_told();
    let mentions = vec![user("ben"), user("stranger"), user("ada")];
    let message = ada.commit(Command::ChatSend(ChatSend { mentions, ..words(&id, "@ben look") })).await;
    let told = user_event(&mut phone, "the mention").await;
    assert_eq!(told, UserEventBody::Mentioned { room: id.clone(), message });
    let body = event(&mut ada, &id, message).await;
    let RoomEventBody::ChatSent(sent) = body else { panic!("{body:?}") };
    assert_eq!(sent.mentions, [user("ben"), user("ada")], "who is not in the room is not mentioned");
    ada.settle().await;
    assert!(!ada.told().any(|f| matches!(f, ServerFrame::User(_))), "nobody is told of their own mention");
}

#[tokio::test]
async fn unread_counts_follow_from_the_place_of_the_marker() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    let mut sent = Vec::new();
    for text in ["one", "two", "three"] {
        let mentions = if text == "two" { vec![user("ben")] } else { vec![] };
        sent.push(ada.commit(Command::ChatSend(ChatSend { mentions, ..words(&id, text) })).await);
    }
    ben.commit(say(&id, "my own")).await;
    let row = list(&mut ben).await.remove(0);
    assert_eq!((row.unread, row.mentions, row.read), (3, 1, seq(3)));
    assert_eq!(row.last.as_ref().map(|m| m.text.as_str()), Some("my own"));

    let mut phone = server.client("ben").await;
    phone.settle().await;
    ben.call(read(&id, sent[1])).await.expect("a marker");
    for client in [&mut phone, &mut ada] {
        let marker = client
            .expect_control("the marker", |control| match control {
                Control::Read { room, markers } if *room == id => Some(markers[0].clone()),
                _ => None,
            })
            .await;
        assert_eq!((marker.user, marker.seq), (user("ben"), sent[1]));
    }
    let row = list(&mut ben).await.remove(0);
    assert_eq!((row.unread, row.mentions, row.read), (1, 0, sent[1]));
    // Back is no way, and beyond the head there is nothing to have read.
    ben.call(read(&id, sent[0])).await.expect("accepted and without effect");
    assert_eq!(list(&mut ben).await[0].read, sent[1]);
    ben.call(read(&id, seq(1_000_000))).await.expect("a marker");
    let row = list(&mut ben).await.remove(0);
    assert_eq!((row.unread, row.read), (0, row.head));
    ada.commit(delete(&id, sent[2])).await;
    assert_eq!(list(&mut ben).await[0].unread, 0);
}

#[tokio::test]
async fn history_is_paged_both_ways_and_around_a_message() {
    let server = Setup::new(Backend::Sqlite).without_rates().start().await;
    let (mut ada, _ben, id) = two(&server, "r").await;
    let mut sent = Vec::new();
    for n in 0..25 {
        sent.push(ada.commit(say(&id, &format!("message {n}"))).await);
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let mut ask = history(&id);
        (ask.before, ask.limit) = (before, Some(10));
        let Reply::Messages { messages, more_before, more_after, .. } = ada.ask(Command::ChatHistory(ask)).await else {
            panic!("not messages")
        };
        assert_eq!(more_after, before.is_some());
        before = messages.first().map(|m| m.seq);
        seen.splice(0..0, messages.into_iter().map(|m| m.seq));
        if !more_before {
            break;
        }
    }
    assert_eq!(seen, sent);
    let mut ask = history(&id);
    (ask.after, ask.limit) = (Some(sent[9]), Some(5));
    let page: Vec<_> = messages(&mut ada, Command::ChatHistory(ask)).await.iter().map(|m| m.seq).collect();
    assert_eq!(page, sent[10..15]);
    let mut ask = history(&id);
    (ask.around, ask.limit) = (Some(sent[12]), Some(5));
    let page: Vec<_> = messages(&mut ada, Command::ChatHistory(ask)).await.iter().map(|m| m.seq).collect();
    assert!(page.len() == 5 && page.contains(&sent[11]) && page.contains(&sent[12]) && page.contains(&sent[13]));
}

#[tokio::test]
async fn search_finds_words_in_ones_own_rooms_alone() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let server = Server::start(backend).await;
        let (mut ada, mut ben, id) = two(&server, "r").await;
        let secret = room("ada-alone");
        ada.commit(Command::RoomCreate(create(&secret, RoomKind::Group))).await;
        ada.commit(say(&secret, "the offer letter is confidential")).await;
        let letter = ben.commit(say(&id, "Where is the offer Letter?")).await;
        ada.commit(say(&id, "an offer, no more")).await;
        let search = |query: &str, room: Option<&RoomId>| {
            let (query, room) = (query.to_owned(), room.cloned());
            Command::ChatSearch(ChatSearch { query, room, from: None, after: None, limit: None })
        };
        let found = messages(&mut ben, search("letter offer", None)).await;
        assert_eq!(found.iter().map(|m| (&m.room, m.seq)).collect::<Vec<_>>(), [(&id, letter)]);
        assert_eq!(messages(&mut ada, search("letter offer", None)).await.len(), 2);
        assert_eq!(messages(&mut ada, search("offer", Some(&id))).await.len(), 2);
        ben.refused(search("offer", Some(&secret)), ErrorCode::NotFound).await;
        // Operators of the database's query language are words like others.
        for operator in ["offer OR nothing", "\"offer", "offer*", "NOT", "a & b | !c", "NEAR(offer)", "-offer :"] {
            messages(&mut ben, search(operator, None)).await;
        }
        ben.commit(delete(&id, letter)).await;
        assert_eq!(messages(&mut ben, search("letter", None)).await, vec![]);
    }
}

#[tokio::test]
async fn events_of_the_host_application_are_durable_with_a_key_and_passing_without() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    let app = |room: Option<&RoomId>, to: Option<&str>, key| {
        let data = json!({"poll": [1, 2]});
        let data = Data::new(data.as_object().expect("an object").clone()).expect("legal data");
        let name = stoa_protocol::Name::new("app.poll").expect("a legal name");
        Command::AppSend(AppSend { room: room.cloned(), user: to.map(user), key, name, data: Some(data) })
    };
    let durable = ada.commit(app(Some(&id), None, Some(fresh_key()))).await;
    let RoomEventBody::App { name, data } = event(&mut ben, &id, durable).await else { panic!("not an app event") };
    assert_eq!((name.as_str(), data.is_some()), ("app.poll", true));
    let ack = ada.call(app(Some(&id), None, None)).await.expect("accepted");
    assert_eq!(ack.seq, None);
    let from = |control: &Control| match control {
        Control::App { room, from, .. } => Some((room.clone(), from.clone())),
        _ => None,
    };
    assert_eq!(ben.expect_control("the passing event", from).await, (Some(id.clone()), user("ada")));
    ben.refused(app(Some(&id), None, Some(fresh_key())), ErrorCode::Forbidden).await;
    ada.refused(app(None, Some("ben"), None), ErrorCode::Forbidden).await;

    let mut host = server.connect(&Token::service("platform")).await;
    host.commit(app(None, Some("ben"), Some(fresh_key()))).await;
    ben.expect("the event for the user", |frame| match frame {
        ServerFrame::User(event) => matches!(event.body, UserEventBody::App { .. }).then_some(()),
        ServerFrame::Room(_) | ServerFrame::Control(_) | ServerFrame::Document(_) => None,
    })
    .await;
    host.call(app(None, Some("ben"), None)).await.expect("accepted");
    assert_eq!(ben.expect_control("the passing event", from).await, (None, user("platform")));
}
