//! Powers over a call and ways out of it, over real sockets: one journey each.

use super::*;
use stoa_protocol::{
    CallAdmit, CallDecline, CallMute, CallRefuse, CallRemove, CallUpdate, MuteState, RingEnd, UserEventBody,
};

impl Person {
    /// Does something about the call that is durable.
    async fn does(&mut self, command: Command) {
        self.client.commit(command).await;
    }

    fn update(&self, call: Seq, locked: Option<bool>, lobby: Option<bool>) -> Command {
        Command::CallUpdate(CallUpdate { room: self.room.clone(), key: fresh_key(), call, locked, lobby })
    }

    fn admit(&self, call: Seq, name: &str) -> Command {
        Command::CallAdmit(CallAdmit { room: self.room.clone(), key: fresh_key(), call, user: user(name) })
    }

    fn refuse(&self, call: Seq, name: &str) -> Command {
        Command::CallRefuse(CallRefuse { room: self.room.clone(), key: fresh_key(), call, user: user(name) })
    }

    fn remove(&self, call: Seq, name: &str) -> Command {
        Command::CallRemove(CallRemove { room: self.room.clone(), key: fresh_key(), call, user: user(name) })
    }

    fn mute(&self, call: Seq, names: &[&str], state: MuteState) -> Command {
        let (room, key, source) = (self.room.clone(), fresh_key(), TrackSource::Microphone);
        let users = names.iter().map(|name| user(name)).collect();
        Command::CallMute(CallMute { room, key, call, users, source, state })
    }

    fn sends(&self, call: Seq, muted: bool) -> Command {
        let track = Track { track: TrackId::new("mic").expect("legal"), source: TrackSource::Microphone, muted };
        Command::CallTracks(CallTracks { room: self.room.clone(), call, tracks: vec![track] })
    }

    /// Waits until somebody has left, and tells why.
    async fn leaving(&mut self, name: &str) -> CallLeaveReason {
        let who = user(name);
        let is_it = |event: &CallEvent| matches!(event, CallEvent::Left { user, .. } if *user == who);
        match self.event("somebody to leave", is_it).await {
            CallEvent::Left { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    async fn ring(&mut self) -> Seq {
        self.client
            .expect("a ring", |frame| match frame {
                ServerFrame::User(event) => match &event.body {
                    UserEventBody::Ring { call, .. } => Some(*call),
                    _ => None,
                },
                ServerFrame::Room(_) | ServerFrame::Control(_) | ServerFrame::Document(_) => None,
            })
            .await
    }

    async fn ring_ended(&mut self) -> (Seq, RingEnd) {
        self.client
            .expect("the end of a ring", |frame| match frame {
                ServerFrame::User(event) => match &event.body {
                    UserEventBody::RingEnded { call, reason, .. } => Some((*call, *reason)),
                    _ => None,
                },
                ServerFrame::Room(_) | ServerFrame::Control(_) | ServerFrame::Document(_) => None,
            })
            .await
    }
}

/// A host in a call, and others in the room.
async fn hosted(server: &Server, names: &[&str]) -> (Vec<Person>, Seq) {
    let mut all = people(server, names).await;
    let call = all[0].start().await.call.expect("it runs").call;
    (all, call)
}

#[tokio::test]
async fn in_front_of_a_lobby_one_waits_to_be_admitted_or_is_refused() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut all, call) = hosted(&server, &["ada", "ben", "cyn"]).await;
    let [ada, ben, cyn] = &mut all[..] else { panic!("three") };
    let open = ben.update(call, None, Some(true));
    ben.client.refused(open, ErrorCode::Forbidden).await;
    ada.does(ada.update(call, None, Some(true))).await;
    for person in [&mut *ben, &mut *cyn] {
        assert_eq!(person.join(call).await.place, CallPlace::Waiting);
        ada.event("a knock", |event| matches!(event, CallEvent::Knocked { .. })).await;
    }
    let say = ben.admit(call, "cyn");
    ben.client.refused(say, ErrorCode::Forbidden).await;
    ada.does(ada.admit(call, "ben")).await;
    ben.event("to be admitted", |event| matches!(event, CallEvent::Admitted { user: who, .. } if *who == user("ben")))
        .await;
    assert_eq!(ben.join(call).await.place, CallPlace::In);
    ada.does(ada.refuse(call, "cyn")).await;
    cyn.event("to be refused", |event| matches!(event, CallEvent::Refused { user: who, .. } if *who == user("cyn")))
        .await;
}

#[tokio::test]
async fn a_locked_call_lets_nobody_new_in_until_it_is_unlocked() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut all, call) = hosted(&server, &["ada", "ben"]).await;
    let [ada, ben] = &mut all[..] else { panic!("two") };
    ada.does(ada.update(call, Some(true), None)).await;
    let join = ben.joining(call);
    ben.client.refused(join, ErrorCode::Forbidden).await;
    ada.does(ada.update(call, Some(false), None)).await;
    assert_eq!(ben.join(call).await.place, CallPlace::In);
}

#[tokio::test]
async fn who_is_removed_does_not_come_back_by_themselves() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut all, call) = hosted(&server, &["ada", "ben", "cyn"]).await;
    let [ada, ben, cyn] = &mut all[..] else { panic!("three") };
    ben.join(call).await;
    cyn.join(call).await;
    let remove = cyn.remove(call, "ben");
    cyn.client.refused(remove, ErrorCode::Forbidden).await;
    ada.does(ada.remove(call, "ben")).await;
    for person in [&mut *ben, &mut *cyn] {
        assert_eq!(person.leaving("ben").await, CallLeaveReason::Removed);
    }
    let join = ben.joining(call);
    ben.client.refused(join, ErrorCode::Forbidden).await;
    ada.does(ada.admit(call, "ben")).await;
    assert_eq!(ben.join(call).await.place, CallPlace::In, "who removed may let in again");
}

#[tokio::test]
async fn who_is_muted_may_unmute_unless_the_mute_is_locked() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut all, call) = hosted(&server, &["ada", "ben"]).await;
    let [ada, ben] = &mut all[..] else { panic!("two") };
    ben.join(call).await;
    let (loud, quiet) = (ben.sends(call, false), ben.sends(call, true));
    ben.client.call(loud.clone()).await.expect("taken");
    let told =
        |state: MuteState| move |event: &CallEvent| matches!(event, CallEvent::Muted { state: s, .. } if *s == state);
    ada.does(ada.mute(call, &["ben"], MuteState::Muted)).await;
    ben.event("a mute", told(MuteState::Muted)).await;
    ben.client.call(quiet.clone()).await.expect("taken");
    ben.client.call(loud.clone()).await.expect("no lock holds them");
    ada.does(ada.mute(call, &[], MuteState::Locked)).await;
    ben.event("a lock for everybody", told(MuteState::Locked)).await;
    ben.client.refused(loud.clone(), ErrorCode::Forbidden).await;
    ben.client.call(quiet).await.expect("taken");
    ada.does(ada.mute(call, &["ben"], MuteState::Free)).await;
    ben.event("the end of the lock", told(MuteState::Free)).await;
    ben.client.call(loud).await.expect("free again");
}

#[tokio::test]
async fn a_ban_takes_its_user_out_of_the_call() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut all, call) = hosted(&server, &["ada", "ben"]).await;
    let [ada, ben] = &mut all[..] else { panic!("two") };
    ben.join(call).await;
    ada.does(ban(&ada.room, &user("ben"))).await;
    assert_eq!(ada.leaving("ben").await, CallLeaveReason::Rights);
    let join = ben.joining(call);
    ben.client.refused(join, ErrorCode::NotFound).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_takes_its_user_out_of_the_call() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut all, call) = hosted(&server, &["ada", "ben"]).await;
    let [ada, ben] = &mut all[..] else { panic!("two") };
    ben.join(call).await;
    let url = format!("http://127.0.0.1:{}/v1/users/ben/revoke", server.port());
    let bearer = format!("bearer {}", Token::service("app").sign());
    let status = tokio::task::block_in_place(|| {
        ureq::post(&url)
            .header("authorization", &bearer)
            .header("content-type", "application/json")
            .send("{}")
            .expect("revoked")
            .status()
    });
    assert_eq!(status.as_u16(), 200);
    assert_eq!(ada.leaving("ben").await, CallLeaveReason::Rights);
}

#[tokio::test]
async fn a_ring_on_two_devices_is_answered_once_and_then_silent_everywhere() {
    let server = Server::start(Backend::Sqlite).await;
    let mut all = people(&server, &["ada", "ben", "cyn"]).await;
    let [ada, laptop, cyn] = &mut all[..] else { panic!("three") };
    let mut phone = Person::enter(&server, "ben", "phone", &ada.room).await;
    phone.client.open(&ada.room).await;
    let (room, key) = (ada.room.clone(), fresh_key());
    let ring = vec![user("ben"), user("cyn")];
    let start = CallStart { room, key, media: CallMedia::Video, ring, ring_all: false, lobby: false };
    let call = ada.reply(Command::CallStart(start)).await.call.expect("it runs").call;
    for person in [&mut *laptop, &mut phone, &mut *cyn] {
        assert_eq!(person.ring().await, call);
    }
    phone.join(call).await;
    for person in [&mut *laptop, &mut phone] {
        assert_eq!(person.ring_ended().await, (call, RingEnd::Answered));
    }
    let decline = CallDecline { room: cyn.room.clone(), key: fresh_key(), call };
    cyn.does(Command::CallDecline(decline)).await;
    assert_eq!(cyn.ring_ended().await, (call, RingEnd::Declined));
    laptop.client.settle().await;
    let rings = laptop.client.told().filter(|frame| matches!(frame, ServerFrame::User(_))).count();
    assert_eq!(rings, 0, "nothing rings twice");
}
