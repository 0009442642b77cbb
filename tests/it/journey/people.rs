//! Who is there: presence, typing, members, lists, direct rooms and classes.

use super::*;

#[tokio::test]
async fn typing_is_told_and_ends_by_itself() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    ben.call(Command::Typing(Typing { room: id.clone(), on: true })).await.expect("accepted");
    let typing = |control: &Control| match control {
        Control::Typing { users, count, .. } => Some((users.clone(), *count)),
        _ => None,
    };
    assert_eq!(ada.expect_control("typing", typing).await, (vec![user("ben")], 1));
    assert_eq!(ada.expect_control("the end of typing", typing).await, (vec![], 0));
    let mut cleo = server.client("cleo").await;
    cleo.refused(Command::Typing(Typing { room: id, on: true }), ErrorCode::NotFound).await;
}

#[tokio::test]
async fn presence_is_one_user_over_many_devices() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    let of_ben = |control: &Control| match control {
        Control::Presence { changed, .. } => {
            changed.iter().find(|p| p.user == user("ben")).map(|p| (p.state, p.text.clone()))
        }
        _ => None,
    };
    assert_eq!(ada.expect_control("Ben to come", of_ben).await.0, PresenceState::Online);
    let set = |state, text: Option<&str>| Command::PresenceSet(PresenceSet { state, text: text.map(str::to_owned) });
    ben.call(set(PresenceState::Busy, Some("in a session"))).await.expect("accepted");
    assert_eq!(ada.expect_control("Ben busy", of_ben).await, (PresenceState::Busy, "in a session".into()));
    let mut phone = server.client("ben").await;
    phone.open(&id).await;
    drop(phone);
    // A second device that comes and goes is no news; the busy one still counts.
    ben.call(set(PresenceState::Away, None)).await.expect("accepted");
    let away = ada.expect_control("Ben away", of_ben).await;
    assert_eq!(away.1, "in a session");
    ben.call(set(PresenceState::Offline, None)).await.expect("accepted");
    loop {
        // The phone's grace may still be told as its last state.
        if ada.expect_control("Ben to leave", of_ben).await.0 == PresenceState::Offline {
            break;
        }
    }
    let here = ada.ask(Command::PresenceList(PresenceList { room: id, after: None, limit: None })).await;
    let Reply::Presences { presence, online, .. } = here else { panic!("{here:?}") };
    assert_eq!((presence.len(), online, &presence[0].user), (1, 1, &user("ada")));
}

#[tokio::test]
async fn a_closed_socket_is_a_leave_after_the_grace_and_a_reload_is_none() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, ben, id) = two(&server, "r").await;
    ada.commit(add(&id, &user("cleo"), Role::Member)).await;
    let mut cleo = server.client("cleo").await;
    cleo.open(&id).await;
    let of = |who: &'static str, state: PresenceState| {
        move |control: &Control| match control {
            Control::Presence { changed, .. } => {
                changed.iter().find(|p| p.user == user(who) && p.state == state).cloned()
            }
            _ => None,
        }
    };
    ada.expect_control("Ben to come", of("ben", PresenceState::Online)).await;
    ada.expect_control("Cleo to come", of("cleo", PresenceState::Online)).await;
    // Ben reloads his page, then Cleo's laptop dies: when her grace is over, his would be too.
    let session = ben.session();
    drop(ben);
    let mut again = Client::dial(&server).await;
    let token = Token::of("ben").sign();
    let (stream, device, client) = (None, None, None);
    let hello = stoa_protocol::Hello { token, session: Some(session), user: stream, list: false, device, client };
    again.hello_with(hello).await;
    again.open(&id).await;
    drop(cleo);
    let left = ada.expect_control("the end of Cleo's grace", of("cleo", PresenceState::Offline)).await;
    assert!(left.last_seen.is_some());
    ada.settle().await;
    assert!(
        !ada.hears(|control| of("ben", PresenceState::Offline)(control).is_some()),
        "the reload was told as a leave"
    );
    let here = ada.ask(Command::PresenceList(PresenceList { room: id, after: None, limit: None })).await;
    let Reply::Presences { presence, .. } = here else { panic!("{here:?}") };
    assert_eq!(presence.iter().map(|p| p.user.as_str()).collect::<Vec<_>>(), ["ada", "ben"]);
}

#[tokio::test]
async fn a_direct_room_is_the_same_from_both_sides() {
    let server = Server::start(Backend::Sqlite).await;
    let mut ada = server.client("ada").await;
    let mut ben = server.client("ben").await;
    let direct = |peer: &str| Command::RoomDirect(RoomDirect { user: user(peer) });
    let Reply::Room { room: from_ada } = ada.ask(direct("ben")).await else { panic!("not a room") };
    let Reply::Room { room: from_ben } = ben.ask(direct("ada")).await else { panic!("not a room") };
    assert_eq!(from_ada, from_ben);
    let invited = user_event(&mut ben, "the invitation").await;
    assert_eq!(invited, UserEventBody::Invited { room: from_ada.clone(), role: Role::Member });
    ada.open(&from_ada).await;
    ben.open(&from_ada).await;
    let hi = ada.commit(say(&from_ada, "hi")).await;
    ben.reach(&from_ada, hi).await;
    let row = list(&mut ben).await.remove(0);
    assert_eq!((row.info.kind, row.peer), (RoomKind::Direct, Some(user("ada"))));
    ada.refused(add(&from_ada, &user("cleo"), Role::Member), ErrorCode::Conflict).await;
    ada.refused(direct("ada"), ErrorCode::BadRequest).await;

    let mut shy = server.connect(&Token::of("shy").grant("direct", json!(["ada"]))).await;
    shy.refused(direct("ben"), ErrorCode::Forbidden).await;
    shy.ask(direct("ada")).await;
}

#[tokio::test]
async fn members_are_paged_and_names_are_known_among_those_who_share_a_room() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    for n in 0..5 {
        ada.commit(add(&id, &user(&format!("m{n}")), Role::Member)).await;
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let ask = Command::MemberList(MemberList { room: id.clone(), after: after.clone(), limit: Some(3) });
        let Reply::Members { members, count, more, .. } = ben.ask(ask).await else { panic!("not members") };
        assert_eq!(count, 7);
        seen.extend(members.into_iter().map(|m| m.user));
        after = seen.last().cloned();
        if !more {
            break;
        }
    }
    assert_eq!(seen.iter().map(|u| u.as_str()).collect::<Vec<_>>(), ["ada", "ben", "m0", "m1", "m2", "m3", "m4"]);
    let names = |users: &[&str]| Command::ProfileList(ProfileList { users: users.iter().map(|u| user(u)).collect() });
    let Reply::Profiles { profiles } = ben.ask(names(&["ada", "stranger"])).await else { panic!("not profiles") };
    assert_eq!(profiles.len(), 1);
    let mut alone = server.client("alone").await;
    let Reply::Profiles { profiles } = alone.ask(names(&["ada"])).await else { panic!("not profiles") };
    assert!(profiles.is_empty(), "names are for those who share a room");
}

#[tokio::test]
async fn a_class_admits_by_token_and_logs_nobody() {
    let server = Server::start(Backend::Sqlite).await;
    let id = room("class-1");
    let mut mentor = server.client("mentor").await;
    let created = mentor.commit(Command::RoomCreate(create(&id, RoomKind::Class))).await;
    mentor.open(&id).await;
    let head = mentor.journal.cursor(&id);
    assert_eq!(head, created.next(), "created, and its host joined");
    let mut student = server.connect(&Token::of("student").rooms(&[("class-1", "viewer")])).await;
    let opened = student.open(&id).await;
    assert_eq!((opened.access.member, opened.head), (false, head));
    let online = |control: &Control| match control {
        Control::Presence { online: 2, changed, .. } => Some(changed.is_empty()),
        _ => None,
    };
    assert!(mentor.expect_control("the count of two", online).await, "a class tells a count, not people");
    let hello = mentor.commit(say(&id, "welcome")).await;
    student.reach(&id, hello).await;
    student.refused(say(&id, "hi"), ErrorCode::Forbidden).await;
    // The token names one room, so it opens no other.
    student.refused(Command::RoomCreate(create(&room("other"), RoomKind::Group)), ErrorCode::Forbidden).await;
}

#[tokio::test]
async fn the_list_is_told_to_those_who_asked_for_it() {
    let server = Server::start(Backend::Sqlite).await;
    let mut ben = Client::dial(&server).await;
    let hello = stoa_protocol::Hello {
        token: Token::of("ben").sign(),
        session: None,
        user: None,
        list: true,
        device: None,
        client: None,
    };
    ben.hello_with(hello).await;
    let id = room("r");
    let mut ada = server.client("ada").await;
    ada.commit(with_members(create(&id, RoomKind::Group), &[("ben", Role::Member)])).await;
    ada.open(&id).await;
    ada.commit(say(&id, "news")).await;
    loop {
        let row = |control: &Control| match control {
            Control::List { entry } => Some((**entry).clone()),
            _ => None,
        };
        let entry = ben.expect_control("the row of the room", row).await;
        if entry.last.as_ref().is_some_and(|m| m.text == "news") {
            assert_eq!((entry.unread, entry.role), (1, Role::Member));
            break;
        }
    }
    ada.commit(remove(&id, &user("ben"))).await;
    ben.expect_control("the row to go", |control| match control {
        Control::ListRemoved { room } if *room == id => Some(()),
        _ => None,
    })
    .await;
}
