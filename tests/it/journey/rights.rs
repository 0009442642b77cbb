//! What people may do: roles, bans, mutes, slow mode, windows and tokens.

use super::*;

#[tokio::test]
async fn a_new_role_holds_at_once_on_open_connections() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    let message = ada.commit(say(&id, "x")).await;
    ben.refused(pin(&id, message, true), ErrorCode::Forbidden).await;
    let mut change_role = change(&id, &user("ben"));
    change_role.role = Some(Role::Host);
    ada.commit(Command::MemberUpdate(change_role)).await;
    assert!(access(&mut ben, &id).await.contains(&Capability::Manage));
    assert_eq!(
        user_event(&mut ben, "the news of one's rights").await,
        UserEventBody::Invited { room: id.clone(), role: Role::Member }
    );
    assert_eq!(
        user_event(&mut ben, "the news of one's rights").await,
        UserEventBody::Rights { room: id.clone(), role: Role::Host }
    );
    ben.commit(pin(&id, message, true)).await;

    let mut down = change(&id, &user("ben"));
    down.role = Some(Role::Viewer);
    ada.commit(Command::MemberUpdate(down)).await;
    assert_eq!(access(&mut ben, &id).await, [Capability::React]);
    ben.refused(say(&id, "still?"), ErrorCode::Forbidden).await;

    let mut own = change(&id, &user("ben"));
    own.capabilities = Some(vec![Capability::Send, Capability::Announce]);
    ada.commit(Command::MemberUpdate(own)).await;
    assert_eq!(access(&mut ben, &id).await, [Capability::Send, Capability::Announce]);
    ben.commit(Command::ChatSend(ChatSend { announcement: true, ..words(&id, "tomorrow at nine") })).await;
    ben.refused(react(&id, message, "👍", true), ErrorCode::Forbidden).await;
    let mut last = change(&id, &user("ada"));
    last.role = Some(Role::Member);
    ada.refused(Command::MemberUpdate(last), ErrorCode::Conflict).await;
}

#[tokio::test]
async fn a_ban_throws_out_at_once_and_always_wins() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    ben.refused(ban(&id, &user("ada")), ErrorCode::Forbidden).await;
    let first = ada.commit(ban(&id, &user("ben"))).await;
    assert_eq!(closed_room(&mut ben, &id).await, ErrorCode::Forbidden);
    ben.refused(say(&id, "what?"), ErrorCode::NotFound).await;
    ben.refused(Command::ChatHistory(history(&id)), ErrorCode::NotFound).await;
    let left = event(&mut ada, &id, first.next()).await;
    assert_eq!(left, RoomEventBody::MemberLeft { user: user("ben"), reason: LeaveReason::Banned });
    // A token that names the room does not help.
    let mut granted = server.connect(&Token::of("ben").rooms(&[("r", "host")])).await;
    let open = stoa_protocol::RoomOpen { room: id.clone(), since: None };
    granted.refused(Command::RoomOpen(open.clone()), ErrorCode::NotFound).await;
    ada.refused(add(&id, &user("ben"), Role::Member), ErrorCode::Conflict).await;
    ada.commit(unban(&id, &user("ben"))).await;
    let opened = granted.open(&id).await;
    assert_eq!(opened.access.role, Role::Host, "a grant gives the first role");
}

#[tokio::test]
async fn who_is_removed_or_leaves_gets_nothing_more() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    ada.commit(remove(&id, &user("ben"))).await;
    closed_room(&mut ben, &id).await;
    let place = ben.journal.cursor(&id);
    let after = ada.commit(say(&id, "just us")).await;
    ada.reach(&id, after).await;
    ben.settle().await;
    assert_eq!(ben.journal.cursor(&id), place, "nothing came after the removal");
    assert!(list(&mut ben).await.is_empty());
    ada.commit(add(&id, &user("ben"), Role::Member)).await;
    ben.open(&id).await;
    let left = ben.commit(Command::RoomLeave(RoomLeave { room: id.clone(), key: fresh_key() })).await;
    assert_eq!(
        event(&mut ada, &id, left).await,
        RoomEventBody::MemberLeft { user: user("ben"), reason: LeaveReason::Left }
    );
    ben.refused(Command::ChatHistory(history(&id)), ErrorCode::NotFound).await;
}

#[tokio::test]
async fn a_muted_member_reads_and_does_not_speak() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    let own = ben.commit(say(&id, "oops")).await;
    let mut mute = change(&id, &user("ben"));
    mute.muted_until = Some(crate::harness::now_ms() + 3_600_000);
    ada.commit(Command::MemberUpdate(mute)).await;
    assert_eq!(access(&mut ben, &id).await, [Capability::React, Capability::Call]);
    let fault = ben.refused(say(&id, "but"), ErrorCode::Forbidden).await;
    assert!(fault.retry_after_ms.is_some());
    ben.commit(delete(&id, own)).await;
    let mut unmute = change(&id, &user("ben"));
    unmute.muted_until = Some(0);
    ada.commit(Command::MemberUpdate(unmute)).await;
    assert!(access(&mut ben, &id).await.contains(&Capability::Send));
    ben.commit(say(&id, "thank you")).await;
}

#[tokio::test]
async fn a_short_mute_ends_by_itself() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    let mut mute = change(&id, &user("ben"));
    mute.muted_until = Some(crate::harness::now_ms() + 1_500);
    ada.commit(Command::MemberUpdate(mute)).await;
    assert_eq!(access(&mut ben, &id).await, [Capability::React, Capability::Call]);
    assert!(access(&mut ben, &id).await.contains(&Capability::Send), "told when it is over");
    ben.commit(say(&id, "back")).await;
}

#[tokio::test]
async fn slow_mode_spaces_members_and_not_those_who_moderate() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    let mut slow = update(&id);
    slow.slow_mode_s = Some(600);
    ada.commit(Command::RoomUpdate(slow)).await;
    ben.commit(say(&id, "one")).await;
    let fault = ben.refused(say(&id, "two"), ErrorCode::RateLimited).await;
    assert!(fault.retry_after_ms.is_some_and(|wait| (500_000..=600_000).contains(&wait)));
    ada.commit(say(&id, "one")).await;
    ada.commit(say(&id, "two")).await;
    let mut fast = update(&id);
    fast.slow_mode_s = Some(0);
    ada.commit(Command::RoomUpdate(fast)).await;
    ben.commit(say(&id, "two")).await;
}

#[tokio::test]
async fn an_archived_room_is_read_only() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, id) = two(&server, "r").await;
    let archive = |archived| Command::RoomArchive(RoomArchive { room: id.clone(), key: fresh_key(), archived });
    ben.refused(archive(true), ErrorCode::Forbidden).await;
    ada.commit(archive(true)).await;
    ben.refused(say(&id, "late"), ErrorCode::Conflict).await;
    messages(&mut ben, Command::ChatHistory(history(&id))).await;
    assert!(list(&mut ben).await.is_empty());
    ada.commit(archive(false)).await;
    ben.commit(say(&id, "back")).await;
}

#[tokio::test]
async fn a_window_of_a_grant_closes_on_an_open_connection() {
    let server = Server::start(Backend::Sqlite).await;
    let id = room("r");
    let mut ada = server.client("ada").await;
    ada.commit(Command::RoomCreate(create(&id, RoomKind::Session))).await;
    let until = crate::harness::now_ms() / 1_000 + 3;
    let grant = json!({"r": {"role": "member", "until": until}});
    let mut guest = server.connect(&Token::of("guest").grant("rooms", grant)).await;
    let opened = guest.open(&id).await;
    assert_eq!(opened.access.until, Some(until * 1_000));
    closed_room(&mut guest, &id).await;
    assert!(crate::harness::now_ms() >= until * 1_000);
    guest.refused(say(&id, "late"), ErrorCode::NotFound).await;
    let early = json!({"r": {"role": "member", "from": until + 3_600}});
    let mut early = server.connect(&Token::of("early").grant("rooms", early)).await;
    let open = stoa_protocol::RoomOpen { room: id, since: None };
    early.refused(Command::RoomOpen(open), ErrorCode::NotFound).await;
}

#[tokio::test]
async fn a_token_is_refreshed_on_the_open_connection() {
    let server = Server::start(Backend::Sqlite).await;
    let now = crate::harness::now_ms() / 1_000;
    let mut ada = server.connect(&Token::of("ada").claim("exp", json!(now + 30))).await;
    let ends = ada
        .expect_control("the end of the token to be told", |control| match control {
            Control::TokenExpiring { expires_at } => Some(*expires_at),
            _ => None,
        })
        .await;
    assert!(ends >= (now + 30) * 1_000);
    let refresh = |token: &Token| Command::TokenRefresh(TokenRefresh { token: token.sign() });
    ada.refused(refresh(&Token::of("ben")), ErrorCode::Forbidden).await;
    let reply = ada.ask(refresh(&Token::of("ada"))).await;
    assert!(matches!(reply, Reply::Token { expires_at } if expires_at >= (now + 3_600) * 1_000), "{reply:?}");
}
