//! The row "identity": the server's own identity always wins, and what one may not know of does not exist.

use super::*;
use crate::harness::{Token, fresh_key, seq};
use stoa_protocol::{
    AppSend, ChatSearch, ChatSend, Cursor, Key, MemberList, Name, PresenceList, Role, RoomArchive, RoomLeave, RoomOpen,
    Typing,
};

/// Everything that somebody may try in a room.
fn attempts(room: &RoomId) -> Vec<Command> {
    let target = seq(3);
    let ada = user("ada");
    let (id, name) = (room.clone(), Name::new("app.x").expect("legal"));
    vec![
        Command::RoomOpen(RoomOpen { room: id.clone(), since: None }),
        Command::ChatHistory(history(room)),
        Command::ChatSearch(ChatSearch {
            query: "hi".into(),
            room: Some(id.clone()),
            from: None,
            after: None,
            limit: None,
        }),
        Command::MemberList(MemberList { room: id.clone(), after: None, limit: None }),
        Command::PresenceList(PresenceList { room: id.clone(), after: None, limit: None }),
        say(room, "let me in"),
        edit(room, target, "mine"),
        delete(room, target),
        react(room, target, "👍", true),
        pin(room, target, true),
        read(room, target),
        Command::Typing(Typing { room: id.clone(), on: true }),
        Command::RoomUpdate(update(room)),
        Command::RoomArchive(RoomArchive { room: id.clone(), key: fresh_key(), archived: true }),
        Command::RoomLeave(RoomLeave { room: id.clone(), key: fresh_key() }),
        add(room, &user("mallory"), Role::Host),
        Command::MemberUpdate(change(room, &ada)),
        remove(room, &ada),
        ban(room, &ada),
        unban(room, &ada),
        Command::AppSend(AppSend {
            room: Some(id.clone()),
            user: None,
            key: Some(fresh_key()),
            name: name.clone(),
            data: None,
        }),
        Command::AppSend(AppSend { room: Some(id), user: None, key: None, name, data: None }),
    ]
}

#[tokio::test]
async fn a_forged_sender_is_ignored() {
    let server = server().await;
    let mut bystanders = Bystanders::of(&server).await;
    let forged = r#"{"type":"chat.send","id":900,"room":"bystanders","key":"f1","text":"I am Ada","from":"ada","user":"ada","seq":1,"at":1}"#;
    bystanders.ben.send_text(forged).await;
    let seq = bystanders
        .ben
        .reply(900, "the forged message")
        .await
        .expect("unknown fields are ignored")
        .seq
        .expect("a number");
    bystanders.ada.reach(&bystanders.room, seq).await;
    let event = bystanders.ada.journal.events(&bystanders.room).last().expect("an event").clone();
    assert_eq!((event.seq, event.from), (seq, Some(user("ben"))));
    assert!(event.at > 1_000_000_000_000, "the server's own time");
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn a_room_of_others_is_answered_like_one_that_does_not_exist() {
    let server = Setup::new(Backend::Sqlite).without_rates().start().await;
    let bystanders = Bystanders::of(&server).await;
    let mut mallory = server.client("mallory").await;
    let nowhere = room("nowhere");
    for (real, invented) in attempts(&bystanders.room).into_iter().zip(attempts(&nowhere)) {
        let name = real.name();
        let real = mallory.call(real).await.expect_err(name);
        let invented = mallory.call(invented).await.expect_err(name);
        assert_eq!(real.code, ErrorCode::NotFound, "{name}: {real}");
        assert_eq!(real, invented, "{name} tells whether the room exists");
    }
    // Nor does the creation of a room under its name tell it to who may not create that one.
    let mut confined = server.connect(&Token::of("confined").rooms(&[("elsewhere", "member")])).await;
    let create_it = |id: &RoomId| Command::RoomCreate(create(id, RoomKind::Group));
    let real = confined.call(create_it(&bystanders.room)).await.expect_err("refused");
    assert_eq!(real, confined.call(create_it(&nowhere)).await.expect_err("refused"));
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn the_history_of_a_room_that_was_left_is_closed() {
    let server = Setup::new(Backend::Sqlite).without_rates().start().await;
    let mut bystanders = Bystanders::of(&server).await;
    bystanders.talk().await;
    let id = bystanders.room.clone();
    bystanders.ada.commit(add(&id, &user("mallory"), Role::Member)).await;
    let mut mallory = server.client("mallory").await;
    mallory.open(&id).await;
    let cursor = mallory.cursor(&id);
    mallory.commit(Command::RoomLeave(RoomLeave { room: id.clone(), key: fresh_key() })).await;
    for attempt in attempts(&id) {
        let name = attempt.name();
        let fault = mallory.call(attempt).await.expect_err(name);
        assert_eq!(fault.code, ErrorCode::NotFound, "{name}: {fault}");
    }
    let resumed = Command::RoomOpen(RoomOpen { room: id, since: Some(cursor) });
    mallory.refused(resumed, ErrorCode::NotFound).await;
    let everywhere = ChatSearch { query: "hello".into(), room: None, from: None, after: None, limit: None };
    let reply = mallory.ask(Command::ChatSearch(everywhere)).await;
    assert!(matches!(&reply, stoa_protocol::Reply::Messages { messages, .. } if messages.is_empty()), "{reply:?}");
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn anothers_key_is_ones_own_and_the_same_key_with_another_body_is_a_conflict() {
    let server = server().await;
    let mut bystanders = Bystanders::of(&server).await;
    let id = bystanders.room.clone();
    let key = Key::new("the-key").expect("a legal key");
    let message = |text: &str| Command::ChatSend(ChatSend { key: key.clone(), ..words(&id, text) });
    let adas = bystanders.ada.commit(message("Ada's")).await;
    let bens = bystanders.ben.commit(message("Ben's")).await;
    assert_ne!(adas, bens, "a key answers its own user alone");
    bystanders.ben.refused(message("Ada's"), ErrorCode::Conflict).await;
    // Also for another kind of command under the key.
    let react =
        stoa_protocol::ChatReact { room: id.clone(), key: key.clone(), target: adas, emoji: "👍".into(), on: true };
    bystanders.ben.refused(Command::ChatReact(react), ErrorCode::Conflict).await;
    assert_eq!(bystanders.ben.commit(message("Ben's")).await, bens);
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn a_member_who_may_not_moderates_nobody() {
    let server = Setup::new(Backend::Sqlite).without_rates().start().await;
    let mut bystanders = Bystanders::of(&server).await;
    let id = bystanders.room.clone();
    bystanders.talk().await;
    let adas = bystanders.ada.commit(say(&id, "Ada's")).await;
    let head = bystanders.ada.journal.cursor(&id);
    let mut mute = change(&id, &user("ada"));
    mute.muted_until = Some(u64::MAX >> 11);
    let mut promote = change(&id, &user("ben"));
    promote.role = Some(Role::Host);
    let mut slow = update(&id);
    slow.slow_mode_s = Some(60);
    let wanted = [
        Command::MemberUpdate(mute),
        Command::MemberUpdate(promote),
        Command::RoomUpdate(slow),
        remove(&id, &user("ada")),
        ban(&id, &user("ada")),
        unban(&id, &user("ada")),
        add(&id, &user("mallory"), Role::Member),
        delete(&id, adas),
        edit(&id, adas, "not hers"),
        pin(&id, adas, true),
        Command::ChatSend(ChatSend { announcement: true, ..words(&id, "hear, hear") }),
        Command::ChatSend(ChatSend { mention_all: true, ..words(&id, "everybody") }),
        Command::RoomArchive(RoomArchive { room: id.clone(), key: fresh_key(), archived: true }),
    ];
    for command in wanted {
        bystanders.ben.refused(command, ErrorCode::Forbidden).await;
    }
    bystanders.ada.settle().await;
    assert_eq!(bystanders.ada.journal.cursor(&id), head.max(adas), "nothing happened");
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn a_resume_past_the_head_is_reset() {
    let server = server().await;
    let mut bystanders = Bystanders::of(&server).await;
    let id = bystanders.room.clone();
    bystanders.talk().await;
    let epoch = bystanders.ben.cursor(&id).epoch;
    let opened = bystanders.ben.open_since(&id, Some(Cursor { epoch, seq: seq(1 << 52) })).await;
    assert!(opened.reset && opened.snapshot.is_some(), "{opened:?}");
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn nothing_is_served_before_hello_and_no_second_hello_changes_who_one_is() {
    let server = server().await;
    let bystanders = Bystanders::of(&server).await;
    let mut stranger = Client::dial(&server).await;
    stranger.refused(Command::ChatHistory(history(&bystanders.room)), ErrorCode::Unauthorized).await;
    assert_eq!(stranger.closed().await.code, Some(4500));
    let mut mallory = server.client("mallory").await;
    let token = Token::of("ada").sign();
    let hello = stoa_protocol::Hello { token, session: None, user: None, list: false, device: None, client: None };
    mallory.refused(Command::Hello(hello), ErrorCode::Conflict).await;
    mallory.refused(Command::ChatHistory(history(&bystanders.room)), ErrorCode::NotFound).await;
    bystanders.are_unaffected(&server).await;
}
