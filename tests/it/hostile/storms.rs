//! The row "storms": limits per user, connection and room, by address only before authentication; `rate_limited` says
//! when again; others go on.

use super::*;
use crate::harness::{Token, fresh_key};
use stoa_protocol::{Role, RoomClose, RoomLeave, RoomOpen, Typing};

/// Sends every command at once and counts how they were answered: accepted, and refused as `rate_limited`. Any other
/// refusal fails. Beside it the bystanders talk.
async fn storm(client: &mut Client, bystanders: &mut Bystanders, commands: Vec<Command>) -> (u32, u32) {
    let (mut accepted, mut limited) = (0, 0);
    for (n, chunk) in commands.chunks(100).enumerate() {
        let mut frames = Vec::new();
        for command in chunk {
            frames.push(client.send(command.clone()).await);
        }
        for frame in frames {
            match client.reply(frame, "a command of the storm").await {
                Ok(_) => accepted += 1,
                Err(fault) if fault.code == ErrorCode::RateLimited => {
                    assert!(fault.retry_after_ms.is_some_and(|wait| wait > 0), "{fault:?}");
                    limited += 1;
                }
                Err(fault) => panic!("{fault}"),
            }
        }
        if n % 10 == 0 {
            bystanders.talk().await;
        }
    }
    (accepted, limited)
}

async fn a_room_of_mallorys(client: &mut Client, name: &str) -> RoomId {
    let id = room(name);
    client.commit(Command::RoomCreate(create(&id, RoomKind::Group))).await;
    id
}

#[tokio::test]
async fn ten_thousand_joins_on_one_connection_are_limited() {
    let server = server().await;
    let mut bystanders = Bystanders::of(&server).await;
    // A token that joins any room, and more rooms than a connection may open.
    let mut host = server.connect(&Token::service("platform")).await;
    let rooms: Vec<_> = (0..300).map(|n| room(&format!("r{n}"))).collect();
    let mut made = 0;
    while made < rooms.len() {
        match host.call(Command::RoomCreate(create(&rooms[made], RoomKind::Class))).await {
            Ok(_) => made += 1,
            // Its own pace is limited too: a round trip later there is room again.
            Err(fault) => assert_eq!(fault.code, ErrorCode::RateLimited, "{fault}"),
        }
    }
    let mut mallory = server.connect(&Token::of("mallory").grant("join", true.into())).await;
    let open = |n: usize| Command::RoomOpen(RoomOpen { room: rooms[n % rooms.len()].clone(), since: None });
    let (accepted, limited) = storm(&mut mallory, &mut bystanders, (0..10_000).map(open).collect()).await;
    println!("10,000 joins: {accepted} accepted, {limited} limited");
    assert!(limited > 5_000, "{limited} of 10,000 were limited");
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn joining_and_leaving_in_a_loop_is_limited() {
    let server = server().await;
    let mut bystanders = Bystanders::of(&server).await;
    let mut mallory = server.client("mallory").await;
    let id = a_room_of_mallorys(&mut mallory, "loop").await;
    let open = Command::RoomOpen(RoomOpen { room: id.clone(), since: None });
    let attach = [open, Command::RoomClose(RoomClose { room: id.clone() })];
    let commands = attach.iter().cycle().take(4_000).cloned().collect();
    let (_, limited) = storm(&mut mallory, &mut bystanders, commands).await;
    assert!(limited > 1_000, "{limited} of 4,000 were limited");
    // The logged kind: a membership granted and given up again, by a token that may join.
    let join = Token::of("jumper").grant("join", true.into());
    let mut jumper = server.connect(&join).await;
    let open = RoomOpen { room: id.clone(), since: None };
    let jump =
        || [Command::RoomOpen(open.clone()), Command::RoomLeave(RoomLeave { room: id.clone(), key: fresh_key() })];
    let commands = (0..1_000).flat_map(|_| jump()).collect();
    let (accepted, limited) = storm(&mut jumper, &mut bystanders, commands).await;
    println!("join and leave: {accepted} accepted, {limited} limited");
    assert!(limited > 500, "{limited} of 2,000 were limited");
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn typing_ten_thousand_times_is_limited_and_coalesced() {
    let server = server().await;
    let mut bystanders = Bystanders::of(&server).await;
    let id = bystanders.room.clone();
    bystanders.ada.commit(add(&id, &user("mallory"), Role::Member)).await;
    let mut mallory = server.client("mallory").await;
    mallory.open(&id).await;
    let typing = |n: u32| Command::Typing(Typing { room: id.clone(), on: n.is_multiple_of(2) });
    let (accepted, limited) = storm(&mut mallory, &mut bystanders, (0..10_000).map(typing).collect()).await;
    println!("10,000 signs of typing: {accepted} accepted, {limited} limited");
    assert!(limited > 9_000, "{limited} of 10,000 were limited");
    bystanders.ada.settle().await;
    let told = bystanders.ada.told().filter(|frame| match frame {
        ServerFrame::Control(control) => matches!(**control, Control::Typing { .. }),
        ServerFrame::Room(_) | ServerFrame::User(_) | ServerFrame::Document(_) => false,
    });
    let told = told.count();
    assert!(told < 200, "{told} frames of typing were told");
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn history_in_a_loop_is_limited() {
    let server = server().await;
    let mut bystanders = Bystanders::of(&server).await;
    let mut mallory = server.client("mallory").await;
    let id = a_room_of_mallorys(&mut mallory, "mine").await;
    let mut page = history(&id);
    page.limit = Some(200);
    let commands = vec![Command::ChatHistory(page); 3_000];
    let (accepted, limited) = storm(&mut mallory, &mut bystanders, commands).await;
    println!("3,000 pages of history: {accepted} accepted, {limited} limited");
    assert!(limited > 1_000, "{limited} of 3,000 were limited");
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn one_who_floods_a_room_is_limited_and_so_is_a_room_that_many_flood() {
    let setup = Setup::new(Backend::Sqlite).variable("STOA_LIMITS_COMMANDS_PER_ROOM_S", 40);
    let server = setup.start().await;
    let mut bystanders = Bystanders::of(&server).await;
    let mut mallory = server.client("mallory").await;
    let id = a_room_of_mallorys(&mut mallory, "hot").await;
    let flood = |n: u32| say(&id, &format!("flood {n}"));
    let (accepted, limited) = storm(&mut mallory, &mut bystanders, (0..2_000).map(flood).collect()).await;
    println!("2,000 messages of one: {accepted} accepted, {limited} limited");
    assert!(limited > 500, "{limited} of 2,000 were limited");
    let mut crowd = Vec::new();
    for n in 0..8 {
        let join = Token::of(&format!("crowd-{n}")).grant("join", true.into());
        let mut one = server.connect(&join).await;
        one.open(&id).await;
        crowd.push(one);
    }
    let mut limited = 0;
    for one in &mut crowd {
        // Within each one's own allowance of three seconds' worth, and together beyond the room's.
        let (_, some) = storm(one, &mut bystanders, (0..60).map(flood).collect()).await;
        limited += some;
    }
    assert!(limited > 0, "480 messages of eight people were all accepted");
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn five_thousand_strangers_of_one_address_are_kept_out_and_a_class_behind_it_is_let_in() {
    let server = server().await;
    let bystanders = Bystanders::of(&server).await;
    let mut strangers = Vec::new();
    let mut refused = 0;
    for _ in 0..5_000 {
        match Client::try_dial(server.port(), server.shared_log()).await {
            Ok(stranger) => strangers.push(stranger),
            Err(_) => refused += 1,
        }
    }
    println!("5,000 strangers: {} let in, {refused} refused", strangers.len());
    assert!(refused > 1_000, "{refused} of 5,000 were refused");
    // Each is let go when it has not said hello in time; then there is room for a class, one after the other.
    for mut stranger in strangers {
        assert_eq!(stranger.closed().await.code, Some(4503));
    }
    let mut class = Vec::new();
    for n in 0..600 {
        class.push(server.client(&format!("student-{n}")).await);
    }
    for student in &mut class {
        student.settle().await;
    }
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn one_user_has_so_many_connections_and_no_more() {
    let server = server().await;
    let bystanders = Bystanders::of(&server).await;
    let mut devices = Vec::new();
    for _ in 0..20 {
        devices.push(server.client("mallory").await);
    }
    let mut beyond = Client::dial(&server).await;
    let token = Token::of("mallory").sign();
    let hello = stoa_protocol::Hello { token, session: None, user: None, list: false, device: None, client: None };
    beyond.refused(Command::Hello(hello), ErrorCode::RateLimited).await;
    assert_eq!(beyond.closed().await.code, Some(4506));
    devices[0].settle().await;
    bystanders.are_unaffected(&server).await;
}
