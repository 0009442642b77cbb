//! Calls in the state tables.

use super::{bed::*, contract};
use serde_json::Value;
use stoa::storage::{CallQuery, ListScope, NewEvent, StoredEvent};
use stoa_protocol::{
    CallEvent, CallMedia, CallUpdated, DeviceId, LinkReport, MuteState, RoomEventBody, Seq, SessionId, Track, TrackId,
    TrackSource, UserId,
};
use stoa_signaling::{Call, Caller, Change, Intent, Place, decide};

contract! {
    a_call_is_restored_as_it_folds,
    calls_equal_their_log,
    the_history_tells_who_and_how_well,
    what_is_retained_dies_with_its_call,
    an_erased_user_leaves_no_name_in_calls,
    an_erasure_takes_the_lists_that_name_its_user_and_no_others,
}

const PEOPLE: [&str; 4] = ["ann", "ben", "cleo", "dora"];

/// A call's life in the store, beside its fold in memory.
struct Life {
    running: Option<std::sync::Arc<Call>>,
    head: u64,
}

impl Life {
    async fn begin(bed: &Bed) -> Self {
        found(&*bed.store, "r", &PEOPLE).await;
        Self { running: None, head: 1 + PEOPLE.len() as u64 }
    }

    fn caller(name: &str) -> Caller {
        let device = DeviceId::new(format!("device-{name}")).expect("legal");
        let session = SessionId::new(format!("session-{name}")).expect("legal");
        Caller { device: Some(device), moderates: name == "ann", ..Caller::new(user(name), session) }
    }

    async fn want(&mut self, bed: &Bed, name: &str, intent: Intent) {
        let people = PEOPLE.iter().map(|name| user(name)).collect();
        let place = Place { head: at(self.head), people, ..Place::of(room("r")) };
        let now = time(at(self.head + 1));
        let facts = decide(self.running.as_ref(), &place, &Self::caller(name), &intent, now).expect("may");
        let call = self.running.as_ref().map(|call| call.id());
        let mut tx = bed.store.begin().await.expect("begins");
        tx.lock(&[room("r")]).await.expect("locks");
        let mut events = Vec::new();
        for event in facts.bodies {
            self.head += 1;
            Call::apply(&mut self.running, at(self.head), now, Some(&user(name)), &event);
            let from = Some(user(name));
            let body = RoomEventBody::Call(event);
            events.push(NewEvent { room: room("r"), seq: at(self.head), at: now, from, key: None, body });
        }
        tx.append(&events).await.expect("appends");
        let rows: Vec<_> = facts.retained.into_iter().filter_map(|row| Some((room("r"), call?, row))).collect();
        for (_, _, row) in &rows {
            self.retain(row);
        }
        tx.retain(&rows).await.expect("retains");
        tx.commit().await.expect("commits");
    }

    fn retain(&mut self, row: &stoa_signaling::Retained) {
        if let Some(call) = &mut self.running {
            std::sync::Arc::make_mut(call).retain(row);
        }
    }

    async fn change(&mut self, bed: &Bed, name: &str, change: Change) {
        let call = self.running.clone().expect("it runs");
        let rows = call.retain_for(call.id(), &Self::caller(name), &change, time(at(self.head + 1))).expect("may");
        let mut tx = bed.store.begin().await.expect("begins");
        tx.lock(&[room("r")]).await.expect("locks");
        rows.iter().for_each(|row| self.retain(row));
        let rows: Vec<_> = rows.into_iter().map(|row| (room("r"), call.id(), row)).collect();
        tx.retain(&rows).await.expect("retains");
        tx.commit().await.expect("commits");
    }

    fn id(&self) -> Seq {
        self.running.as_ref().expect("it runs").id()
    }

    async fn same_in(&self, bed: &Bed) {
        let stored = bed.store.room(&room("r")).await.expect("reads").expect("exists");
        let restored = stored.call.map(Call::restore);
        assert_eq!(restored.as_ref(), self.running.as_deref());
        let running = bed.store.running_calls().await.expect("reads");
        assert_eq!(running.len(), usize::from(self.running.is_some()));
        let (rows, _) = bed.store.list(&list("ann", ListScope::MemberOf)).await.expect("lists");
        assert_eq!(rows[0].call, self.running.is_some(), "the list's row");
    }

    /// Everything that may happen, and after each step what is restored is what folds.
    async fn live(&mut self, bed: &Bed) {
        let start = Intent::Start {
            media: CallMedia::Audio,
            ring: vec![user("ben"), user("cleo")],
            ring_all: false,
            lobby: true,
        };
        self.want(bed, "ann", start).await;
        self.same_in(bed).await;
        let call = self.id();
        let links = |link: &stoa_protocol::CallLinkId| LinkReport {
            link: link.clone(),
            rtt_ms: Some(700.0),
            loss: None,
            jitter_ms: None,
            in_bps: None,
            out_bps: None,
            frozen_ms: None,
            relayed: true,
        };
        for (name, intent) in [
            ("ben", Intent::Decline(call)),
            ("ben", Intent::Join(call)),
            ("dora", Intent::Join(call)),
            ("ann", Intent::Admit(call, user("ben"))),
            ("ann", Intent::Refuse(call, user("dora"))),
            ("ben", Intent::Join(call)),
            ("ann", Intent::Update(CallUpdated { call, locked: Some(true), lobby: Some(false), carried: None })),
        ] {
            self.want(bed, name, intent).await;
            self.same_in(bed).await;
        }
        let track = Track { track: TrackId::new("mic").expect("legal"), source: TrackSource::Microphone, muted: false };
        self.change(bed, "ben", Change::Tracks(vec![track])).await;
        self.change(bed, "ben", Change::Hand { on: true, session: None }).await;
        let link = self.running.as_ref().expect("it runs").links()[0].clone();
        self.change(bed, "ben", Change::Report(vec![links(&link.link)])).await;
        self.change(bed, "ben", Change::Relink { link: link.link, epoch: 1 }).await;
        self.same_in(bed).await;
        for (name, intent) in [
            ("ann", Intent::Mute(call, vec![], TrackSource::Microphone, MuteState::Locked)),
            ("ann", Intent::Admit(call, user("cleo"))),
            ("cleo", Intent::Join(call)),
            ("ann", Intent::Remove(call, user("ben"))),
            ("cleo", Intent::Leave(call)),
        ] {
            self.want(bed, name, intent).await;
            self.same_in(bed).await;
        }
    }
}

async fn a_call_is_restored_as_it_folds(bed: &Bed) {
    let mut life = Life::begin(bed).await;
    life.same_in(bed).await;
    life.live(bed).await;
    life.want(bed, "ann", Intent::End(life.id())).await;
    life.same_in(bed).await;
    assert!(life.running.is_none());
}

async fn calls_equal_their_log(bed: &Bed) {
    let mut life = Life::begin(bed).await;
    life.live(bed).await;
    life.want(bed, "ann", Intent::End(life.id())).await;
    let start = Intent::Start { media: CallMedia::Video, ring: vec![user("cleo")], ring_all: false, lobby: false };
    life.want(bed, "ann", start).await;
    life.want(bed, "ben", Intent::Join(life.id())).await;
    let fresh = match &bed.place {
        Database::Sqlite(_) => Bed::sqlite().await,
        Database::Postgres { .. } => Bed::postgres().await,
    };
    let mut tx = fresh.store.begin().await.expect("begins");
    tx.reserve(&[(room("r"), epoch("fresh"))]).await.expect("reserves");
    tx.lock(&[room("r")]).await.expect("locks");
    let events = bed.store.events(&room("r"), Seq::ZERO, 200).await.expect("reads");
    let again = |StoredEvent { seq, at, from, body }| NewEvent {
        room: room("r"),
        seq,
        at,
        from,
        key: None,
        body: body.expect("nothing is erased"),
    };
    tx.append(&events.into_iter().map(again).collect::<Vec<_>>()).await.expect("appends");
    tx.commit().await.expect("commits");
    for table in ["calls", "call_participants", "call_marks"] {
        let (mut kept, mut rebuilt) = (bed.dump(table).await, fresh.dump(table).await);
        for row in kept.iter_mut().chain(&mut rebuilt) {
            // Measured, not logged.
            row.as_object_mut().expect("a row").remove("quality");
        }
        assert!(!kept.is_empty(), "{table} is empty: the test looks at nothing");
        assert_eq!(kept, rebuilt, "{table}");
    }
    fresh.drop().await;
}

async fn the_history_tells_who_and_how_well(bed: &Bed) {
    let mut life = Life::begin(bed).await;
    life.live(bed).await;
    let first = life.id();
    life.want(bed, "ann", Intent::End(first)).await;
    let start = Intent::Start { media: CallMedia::Video, ring: vec![], ring_all: false, lobby: false };
    life.want(bed, "dora", start).await;
    let query = CallQuery { room: room("r"), after: Seq::ZERO, before: None, limit: 1 };
    let (calls, more) = bed.store.calls(&query).await.expect("reads");
    assert_eq!((calls.len(), more, calls[0].call, calls[0].ended_at), (1, true, life.id(), None));
    let (calls, more) =
        bed.store.calls(&CallQuery { before: Some(calls[0].call), ..query.clone() }).await.expect("reads");
    assert_eq!((calls.len(), more, calls[0].call), (1, false, first));
    let who: Vec<_> = calls[0].participants.iter().map(|p| p.user.as_ref().map(UserId::as_str)).collect();
    assert_eq!(who, [Some("ann"), Some("ben"), Some("cleo")]);
    let ben = &calls[0].participants[1];
    assert_eq!(ben.reason, Some(stoa_protocol::CallLeaveReason::Removed));
    assert!(ben.quality.as_ref().is_some_and(|quality| quality.relayed && quality.reports == 1), "{ben:?}");
    let (calls, _) = bed.store.calls(&CallQuery { after: first, ..query }).await.expect("reads");
    assert_eq!(calls.iter().map(|call| call.call).collect::<Vec<_>>(), [life.id()], "not what was before the reader");
}

async fn what_is_retained_dies_with_its_call(bed: &Bed) {
    let mut life = Life::begin(bed).await;
    life.live(bed).await;
    let call = life.id();
    life.want(bed, "ann", Intent::End(call)).await;
    let session = SessionId::new("session-ann").expect("legal");
    let late = stoa_signaling::Retained::State { session, state: Default::default() };
    let mut tx = bed.store.begin().await.expect("begins");
    tx.lock(&[room("r")]).await.expect("locks");
    tx.retain(&[(room("r"), call, late)]).await.expect("retains");
    tx.commit().await.expect("commits");
    assert_eq!(bed.dump("call_retained").await, Vec::<Value>::new());
    assert_eq!(bed.dump("call_marks").await, Vec::<Value>::new());
}

async fn an_erased_user_leaves_no_name_in_calls(bed: &Bed) {
    let mut life = Life::begin(bed).await;
    life.live(bed).await;
    life.want(bed, "ann", Intent::End(life.id())).await;
    bed.store.erase_user(&user("ben")).await.expect("erases");
    for table in ["calls", "call_participants", "call_marks", "call_retained", "events"] {
        for row in bed.dump(table).await {
            assert!(!row.to_string().contains("ben"), "{table}: {row}");
        }
    }
    let events = bed.store.events(&room("r"), Seq::ZERO, 200).await.expect("reads");
    let kept = events.iter().filter(|event| matches!(event.body, Some(RoomEventBody::Call(CallEvent::Ended { .. }))));
    assert_eq!(kept.count(), 1, "what names nobody stays");
}

async fn an_erasure_takes_the_lists_that_name_its_user_and_no_others(bed: &Bed) {
    let mut life = Life::begin(bed).await;
    life.live(bed).await;
    // A pattern that fits another, a word of JSON, and letters that JSON escapes.
    let (call, names) = (life.id(), ["d_ra", "users", "d\"r\\"]);
    let rang =
        |name: &str| RoomEventBody::Call(CallEvent::Rang { call, users: vec![user("ann"), user(name), user("cleo")] });
    put(&*bed.store, "r", names.map(|name| ("ann", joined(name))).into()).await;
    put(&*bed.store, "r", ["dora", names[2]].map(|name| ("ann", rang(name))).into()).await;
    for name in names {
        bed.store.erase_user(&user(name)).await.expect("erases");
    }
    let events = bed.store.events(&room("r"), Seq::ZERO, 200).await.expect("reads");
    let rung = events.iter().filter_map(|event| match &event.body {
        Some(RoomEventBody::Call(CallEvent::Rang { users, .. })) => Some(users[1].clone()),
        _ => None,
    });
    let rung: Vec<_> = rung.collect();
    assert!(rung.contains(&user("dora")), "{rung:?}");
    assert!(!rung.contains(&user(names[2])), "{rung:?}");
}
