use super::{Asker, room_of_two, say, server, texts};
use crate::harness::{commands::words, room, user};
use serde_json::{Value, json};
use stoa_protocol::{
    Command, Control, Key, Message, RoomEventBody, ServerFrame, UserEventBody,
    http::{AppSent, Committed, HistoryPage, RoomPage, RoomView},
};

const MESSAGES: &str = "/v1/rooms/r/messages";

#[tokio::test]
async fn a_message_is_sent_once_for_a_key_and_reaches_the_socket() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    let mut socket = server.client("ben").await;
    socket.open(&room("r")).await;
    let body = json!({"text": "hello @ben", "mentions": ["ben"], "data": {"x": [1]}});
    let first = ada.key("k").post(MESSAGES, body.clone()).await;
    let place = first.header("location").to_owned();
    let first: Committed = first.json(201);
    assert_eq!(place, format!("/v1/rooms/r/messages/{}", first.seq));
    let mut keyed = body.clone();
    keyed["key"] = json!("k");
    for again in [ada.key("k").post(MESSAGES, body.clone()).await, ada.post(MESSAGES, keyed.clone()).await] {
        let again: Committed = again.json(201);
        assert_eq!(again, first, "the key in the header and in the body are one");
    }
    ada.key("k").post(MESSAGES, json!({"text": "other"})).await.problem(409);
    assert_eq!(ada.key("l").post(MESSAGES, keyed).await.blames(400), "Idempotency-Key");
    assert_eq!(ada.key("a b").post(MESSAGES, body).await.blames(400), "Idempotency-Key");
    assert_ne!(say(&ada, "r", "same words").await, say(&ada, "r", "same words").await, "without a key all are new");

    let mut same = words(&room("r"), "by socket");
    same.key = Key::new("both").expect("legal");
    let by_socket = server.client("ada").await.commit(Command::ChatSend(same)).await;
    let by_http: Committed = ada.key("both").post(MESSAGES, json!({"text": "by socket"})).await.json(201);
    assert_eq!(by_socket, by_http.seq, "a key is one over socket and HTTP");

    socket.reach(&room("r"), first.seq).await;
    let told = socket.journal.events(&room("r")).find(|event| event.seq == first.seq).expect("told").clone();
    assert_eq!(told.from, Some(user("ada")));
    let mentioned = |frame: &ServerFrame| match frame {
        ServerFrame::User(event) => Some(event.body.clone()),
        ServerFrame::Room(_) | ServerFrame::Control(_) | ServerFrame::Document(_) => None,
    };
    let told = socket.expect("the mention", mentioned).await;
    assert_eq!(told, UserEventBody::Mentioned { room: room("r"), message: first.seq });
    let message: Message = ben.get(&place).await.json(200);
    assert_eq!((message.text.as_str(), message.seq, message.from), ("hello @ben", first.seq, Some(user("ada"))));
}

#[tokio::test]
async fn history_is_paged_from_every_side() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    let mut seqs = Vec::new();
    for n in 0..10 {
        seqs.push(say(&ada, "r", &format!("m{n}")).await);
    }
    let page = async |query: String| -> Value { ben.get(&format!("{MESSAGES}?{query}")).await.json(200) };
    let newest = page("limit=3".into()).await;
    assert_eq!(texts(&newest), ["m7", "m8", "m9"]);
    assert_eq!((&newest["more_before"], &newest["more_after"]), (&json!(true), &json!(false)));
    assert_eq!(newest["profiles"]["ada"]["name"], "ada");
    assert_eq!(texts(&page(format!("limit=3&before={}", seqs[7])).await), ["m4", "m5", "m6"]);
    assert_eq!(texts(&page(format!("limit=3&after={}", seqs[1])).await), ["m2", "m3", "m4"]);
    let around = page(format!("limit=3&around={}", seqs[5])).await;
    assert_eq!(texts(&around), ["m4", "m5", "m6"]);
    assert_eq!((&around["more_before"], &around["more_after"]), (&json!(true), &json!(true)));
    let both = ben.get(&format!("{MESSAGES}?before=5&after=2")).await;
    assert_eq!(both.blames(400), "before");

    let answer: Committed = ben.post(MESSAGES, json!({"text": "in a thread", "thread": seqs[2]})).await.json(201);
    let thread = page(format!("thread={}", seqs[2])).await;
    assert!(texts(&thread).contains(&"in a thread"));
    assert!(!texts(&page("limit=200".into()).await).contains(&"in a thread"), "threads are apart");
    let message: Message = ada.get(&format!("{MESSAGES}/{}", answer.seq)).await.json(200);
    assert_eq!(message.thread.map(|seq| seq.value()), Some(seqs[2]));
    let root: Message = ada.get(&format!("{MESSAGES}/{}", seqs[2])).await.json(200);
    assert_eq!(root.replies, 1);
    for missing in [0, 1, 999_999] {
        ada.get(&format!("{MESSAGES}/{missing}")).await.problem(404);
    }
    assert_eq!(ada.get(&format!("{MESSAGES}/x")).await.blames(400), "seq");
    assert_eq!(ada.get(&format!("{MESSAGES}/9007199254740992")).await.blames(400), "seq");
}

#[tokio::test]
async fn a_message_is_edited_reacted_to_pinned_and_deleted() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    let seq = say(&ben, "r", "first").await;
    let at = format!("{MESSAGES}/{seq}");
    ben.patch(&at, json!({"text": "second"})).await.is(200);
    let reaction = format!("{at}/reactions/%F0%9F%91%8D");
    let reacted: Committed = ada.put(&reaction, json!({})).await.json(200);
    let again: Committed = ada.put(&reaction, json!({})).await.json(200);
    assert_eq!(again.seq, reacted.seq, "a reaction is set, not counted");
    ada.put(&format!("{at}/pin"), json!({})).await.is(200);
    let message: Message = ada.get(&at).await.json(200);
    assert!(message.pinned && message.edited_at.is_some());
    assert_eq!((message.text.as_str(), message.reactions[0].emoji.as_str()), ("second", "👍"));
    assert_eq!((message.reactions[0].count, message.reactions[0].mine), (1, true));
    let view: RoomView = ben.get("/v1/rooms/r").await.json(200);
    assert_eq!(view.pins, [message.seq]);
    ada.delete(&reaction).await.is(200);
    ada.delete(&format!("{at}/pin")).await.is(200);
    assert_eq!(ada.put(&format!("{at}/reactions/%20"), json!({})).await.blames(400), "emoji");

    ben.delete(&at).await.is(200);
    let message: Message = ada.get(&at).await.json(200);
    assert!(message.deleted && message.text.is_empty() && message.reactions.is_empty() && !message.pinned);
    let late = ada.put(&reaction, json!({})).await;
    assert!((400..500).contains(&late.status), "nothing is added to a tombstone: {}", late.text());
}

#[tokio::test]
async fn reading_moves_the_marker_and_the_count_of_unread() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    let first = say(&ada, "r", "one").await;
    say(&ada, "r", "two").await;
    let unread = async || -> u32 {
        let page: RoomPage = ben.get("/v1/rooms").await.json(200);
        page.rooms[0].unread
    };
    assert_eq!(unread().await, 2);
    let mut socket = server.client("ben").await;
    ben.put("/v1/rooms/r/read", json!({"seq": first})).await.is(200);
    let told = |control: &Control| match control {
        Control::Read { markers, .. } => Some(markers[0].seq.value()),
        _ => None,
    };
    assert_eq!(socket.expect_control("the marker on the other device", told).await, first);
    assert_eq!(unread().await, 1);
    let read: Committed = ben.put("/v1/rooms/r/read", json!({"seq": 900_000})).await.json(200);
    assert!(read.seq.value() < 100, "nobody reads past the end");
    assert_eq!(unread().await, 0);
    ben.put("/v1/rooms/r/read", json!({"seq": 1})).await.is(200);
    assert_eq!(unread().await, 0, "never back");
}

#[tokio::test]
async fn search_finds_words_in_ones_own_rooms_page_by_page() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    ada.put("/v1/rooms/secret", json!({"kind": "group"})).await.is(201);
    for n in 0..5 {
        say(&ada, "r", &format!("borrow checker {n}")).await;
    }
    say(&ada, "secret", "borrow nothing").await;
    let (mut after, mut found) = (String::new(), Vec::new());
    loop {
        let page: Value = ben.get(&format!("/v1/search?q=borrow&limit=2{after}")).await.json(200);
        found.extend(texts(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let expected: Vec<_> = (0..5).rev().map(|n| format!("borrow checker {n}")).collect();
    assert_eq!(found, expected, "newest first, without the room of others");
    let page: Value = Asker::service(&server).get("/v1/search?q=borrow+nothing").await.json(200);
    assert_eq!(texts(&page), ["borrow nothing"]);
    let page: Value = ada.get("/v1/search?q=borrow&room=secret&from=ada").await.json(200);
    assert_eq!(texts(&page), ["borrow nothing"]);
    ben.get("/v1/search?q=borrow&room=secret").await.problem(404);
    assert_eq!(ben.get("/v1/search").await.blames(400), "q");
    assert_eq!(ben.get("/v1/search?q=%20").await.blames(400), "q");
    assert_eq!(ben.get("/v1/search?q=a&from=b%20b").await.blames(400), "from");
}

#[tokio::test]
async fn the_host_application_speaks_in_the_place_of_others_and_nobody_else_does() {
    let server = server().await;
    let (ada, _) = room_of_two(&server, "r").await;
    let service = Asker::service(&server);
    let sent: Committed = service.post(MESSAGES, json!({"text": "imported", "from": "cem"})).await.json(201);
    let message: Message = ada.get(&format!("{MESSAGES}/{}", sent.seq)).await.json(200);
    assert_eq!(message.from, Some(user("cem")));
    let sent: Committed = service.post(MESSAGES, json!({"text": "notice"})).await.json(201);
    let message: Message = ada.get(&format!("{MESSAGES}/{}", sent.seq)).await.json(200);
    assert_eq!(message.from, Some(user("backend")));
    assert_eq!(ada.post(MESSAGES, json!({"text": "x", "from": "ben"})).await.blames(403), "from");
    ada.post(MESSAGES, json!({"text": "x", "from": "ada"})).await.is(201);
}

#[tokio::test]
async fn events_of_the_host_application_reach_rooms_and_users() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    let service = Asker::service(&server);
    let mut socket = server.client("ben").await;
    socket.open(&room("r")).await;
    let passing: AppSent =
        ada.post("/v1/rooms/r/events", json!({"name": "app.timer", "data": {"left": 3}})).await.json(202);
    assert_eq!(passing.seq, None);
    let told = |control: &Control| match control {
        Control::App { name, room, .. } => Some((name.to_string(), room.clone())),
        _ => None,
    };
    assert_eq!(socket.expect_control("the event", told).await, ("app.timer".to_owned(), Some(room("r"))));
    let kept: AppSent = ada.key("k").post("/v1/rooms/r/events", json!({"name": "app.step"})).await.json(201);
    let again: AppSent = ada.key("k").post("/v1/rooms/r/events", json!({"name": "app.step"})).await.json(201);
    assert_eq!(kept, again);
    let seq = kept.seq.expect("a durable event has a place");
    socket.reach(&room("r"), seq).await;
    let event = socket.journal.events(&room("r")).find(|event| event.seq == seq).expect("told").body.clone();
    assert!(matches!(event, RoomEventBody::App { name, .. } if name.as_str() == "app.step"));

    let body = json!({"name": "app.booked", "data": {"at": 5}, "key": "b1"});
    let kept: AppSent = service.post("/v1/users/ben/events", body.clone()).await.json(201);
    let again: AppSent = service.post("/v1/users/ben/events", body).await.json(201);
    assert_eq!(kept, again);
    let booked = |frame: &ServerFrame| match frame {
        ServerFrame::User(event) => match &event.body {
            UserEventBody::App { name, .. } => Some((name.to_string(), event.user_seq)),
            _ => None,
        },
        ServerFrame::Room(_) | ServerFrame::Control(_) | ServerFrame::Document(_) => None,
    };
    let told = socket.expect("the event of the user's own log", booked).await;
    assert_eq!((told.0.as_str(), Some(told.1)), ("app.booked", kept.seq));
    service.post("/v1/users/ben/events", json!({"name": "app.ring"})).await.is(202);
    assert_eq!(socket.expect_control("the passing event", told_name).await, "app.ring");
    ben.post("/v1/rooms/r/events", json!({"name": "app.x"})).await.problem(403);
    ben.post("/v1/users/ada/events", json!({"name": "app.x"})).await.problem(403);
    assert_eq!(ada.post("/v1/rooms/r/events", json!({"name": "other"})).await.blames(400), "name");
}

fn told_name(control: &Control) -> Option<String> {
    match control {
        Control::App { name, .. } => Some(name.to_string()),
        _ => None,
    }
}

#[tokio::test]
async fn an_unreadable_page_of_history_stays_typed() {
    let server = server().await;
    let (ada, _) = room_of_two(&server, "r").await;
    let page: HistoryPage = ada.get(MESSAGES).await.json(200);
    assert_eq!((page.messages.len(), page.more_before, page.more_after), (0, false, false));
    assert_eq!(ada.get(&format!("{MESSAGES}?limit=0")).await.blames(400), "limit");
    assert_eq!(ada.get(&format!("{MESSAGES}?limit=201")).await.blames(400), "limit");
    assert_eq!(ada.get(&format!("{MESSAGES}?limit=x")).await.blames(400), "limit");
    assert_eq!(ada.get(&format!("{MESSAGES}?before=-1")).await.blames(400), "before");
    assert_eq!(ada.get(&format!("{MESSAGES}?before=")).await.blames(400), "before");
    assert_eq!(ada.get(&format!("{MESSAGES}?before=1&before=2")).await.blames(400), "before");
}
