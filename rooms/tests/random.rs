//! Random lives of a room: whatever people try, the invariants hold and no rule is got around.

use proptest::prelude::*;
use std::collections::BTreeMap;
use stoa_protocol::{
    Capability, ChatBody, Epoch, LeaveReason, MemberJoined, MemberUpdated, Millis, Role, RoomCreated, RoomEventBody,
    RoomId, RoomKind, RoomUpdated, Seq, UserId,
};
use stoa_rooms::{Actor, Grant, Intent, Room, Target};

/// A step of a life: who, what, and how much later.
#[derive(Debug, Clone)]
struct Step {
    actor: usize,
    granted: Option<Role>,
    wish: Wish,
    later_ms: Millis,
}

#[derive(Debug, Clone)]
enum Wish {
    Join,
    Leave,
    Add(usize, Role),
    SetRole(usize, Role),
    Mute(usize, Millis),
    Remove(usize),
    Ban(usize, Option<Millis>),
    Unban(usize),
    Send,
    Delete(u64),
    React(u64, bool),
    Pin(u64, bool),
    Slow(u32),
    Archive(bool),
}

fn user(n: usize) -> UserId {
    UserId::new(format!("user-{n}")).expect("legal")
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Viewer), Just(Role::Member), Just(Role::Host)]
}

fn wish() -> impl Strategy<Value = Wish> {
    let who = 0usize..5;
    let place = 1u64..40;
    prop_oneof![
        1 => Just(Wish::Join),
        1 => Just(Wish::Leave),
        1 => (who.clone(), role()).prop_map(|(n, r)| Wish::Add(n, r)),
        1 => (who.clone(), role()).prop_map(|(n, r)| Wish::SetRole(n, r)),
        1 => (who.clone(), 0u64..20_000).prop_map(|(n, until)| Wish::Mute(n, until)),
        1 => who.clone().prop_map(Wish::Remove),
        1 => (who.clone(), proptest::option::of(0u64..20_000)).prop_map(|(n, until)| Wish::Ban(n, until)),
        1 => who.prop_map(Wish::Unban),
        4 => Just(Wish::Send),
        1 => place.clone().prop_map(Wish::Delete),
        1 => (place.clone(), any::<bool>()).prop_map(|(seq, on)| Wish::React(seq, on)),
        1 => (place, any::<bool>()).prop_map(|(seq, on)| Wish::Pin(seq, on)),
        1 => (0u32..5).prop_map(Wish::Slow),
        1 => any::<bool>().prop_map(Wish::Archive),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let granted = proptest::option::weighted(0.2, role());
    (0usize..5, granted, wish(), 0u64..3_000).prop_map(|(actor, granted, wish, later_ms)| Step {
        actor,
        granted,
        wish,
        later_ms,
    })
}

fn intent(wish: &Wish) -> Intent {
    let seq = |n: u64| Seq::new(n).expect("small");
    let update =
        |n: usize| MemberUpdated { user: user(n), role: None, capabilities: None, muted_until: None, data: None };
    match wish {
        Wish::Join => Intent::Join,
        Wish::Leave => Intent::Leave,
        Wish::Add(n, role) => {
            Intent::AddMember(MemberJoined { user: user(*n), role: *role, capabilities: None, data: None })
        }
        Wish::SetRole(n, role) => Intent::UpdateMember(MemberUpdated { role: Some(*role), ..update(*n) }),
        Wish::Mute(n, until) => Intent::UpdateMember(MemberUpdated { muted_until: Some(*until), ..update(*n) }),
        Wish::Remove(n) => Intent::RemoveMember(user(*n)),
        Wish::Ban(n, until) => Intent::Ban { user: user(*n), until: *until, reason: String::new() },
        Wish::Unban(n) => Intent::Unban(user(*n)),
        Wish::Send => Intent::Send(ChatBody { text: "x".into(), ..ChatBody::default() }),
        Wish::Delete(n) => Intent::Delete { target: seq(*n) },
        Wish::React(n, on) => Intent::React { target: seq(*n), emoji: "+".into(), on: *on },
        Wish::Pin(n, on) => Intent::Pin { target: seq(*n), on: *on },
        Wish::Slow(s) => Intent::Update(RoomUpdated { slow_mode_s: Some(*s), ..RoomUpdated::default() }),
        Wish::Archive(on) => Intent::Archive(*on),
    }
}

fn founded(kind: RoomKind) -> Room {
    let id = RoomId::new("r").expect("legal");
    let host = Actor::plain(user(0));
    let create = Intent::Create { room: RoomCreated::new(kind), members: vec![] };
    let mut room = Room::unborn(id.clone(), Epoch::new("e").expect("legal"));
    for body in Room::found(&id, &host, &create).expect("a legal room").bodies {
        room.apply(room.head().next(), 1_000, Some(&host.user), &body);
    }
    room
}

/// What the store would know of messages.
#[derive(Default)]
struct Messages(BTreeMap<Seq, Target>);

impl Messages {
    fn learn(&mut self, seq: Seq, from: &UserId, body: &RoomEventBody) {
        if let RoomEventBody::ChatSent(sent) = body {
            let target = Target { from: Some(from.clone()), thread: sent.thread, ..Target::default() };
            self.0.insert(seq, target);
        }
        if let RoomEventBody::ChatDeleted { target, .. } = body {
            self.0.get_mut(target).expect("only messages are deleted").deleted = true;
        }
        if let RoomEventBody::ChatReacted { target, emoji, on } = body {
            let reactions = &mut self.0.get_mut(target).expect("only messages get reactions").reactions;
            reactions.retain(|(e, u)| !(e == emoji && u == from));
            if *on {
                reactions.push((emoji.clone(), from.clone()));
            }
        }
    }
}

/// What no fact may follow from, judged without the code under test.
fn assert_allowed(room: &Room, actor: &Actor, wish: &Wish, facts: &[RoomEventBody], now: Millis) {
    if facts.is_empty() {
        return;
    }
    assert!(!room.is_banned(&actor.user, now), "a ban wins: {wish:?}");
    let member = room.members().get(&actor.user);
    assert!(member.is_some() || actor.grant.is_some(), "a stranger changed something: {wish:?}");
    let role = member.map_or_else(|| actor.grant.as_ref().expect("just seen").role, |m| m.role);
    let needs_host = match wish {
        Wish::Add(..) | Wish::SetRole(..) | Wish::Mute(..) | Wish::Ban(..) | Wish::Unban(_) => true,
        Wish::Pin(..) | Wish::Slow(_) | Wish::Archive(_) => true,
        Wish::Remove(n) => user(*n) != actor.user,
        Wish::Join | Wish::Leave | Wish::Send | Wish::Delete(_) | Wish::React(..) => false,
    };
    assert!(!needs_host || role == Role::Host, "a {role:?} did what only hosts do: {wish:?}");
    if matches!(wish, Wish::Send) {
        assert!(role != Role::Viewer, "a viewer spoke");
        assert!(member.is_none_or(|m| m.muted_until.is_none_or(|until| until <= now)), "somebody muted spoke");
    }
    assert!(!room.info().archived || matches!(wish, Wish::Archive(false) | Wish::Leave), "an archived room changed");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn whatever_people_try_the_invariants_hold(kind in prop_oneof![Just(RoomKind::Group), Just(RoomKind::Class)],
                                               steps in proptest::collection::vec(step(), 1..80)) {
        let mut room = founded(kind);
        let mut messages = Messages::default();
        let mut log: Vec<(Seq, Millis, UserId, RoomEventBody)> = Vec::new();
        let mut now: Millis = 1_000;
        for step in steps {
            now += step.later_ms;
            let actor = match step.granted {
                Some(role) => Actor::granted(user(step.actor), Grant::of(role)),
                None => Actor::plain(user(step.actor)),
            };
            let wanted = intent(&step.wish);
            let target = wanted.target().and_then(|seq| messages.0.get(&seq));
            let before = room.clone();
            let Ok(facts) = room.decide(&actor, &wanted, target, now) else { continue };
            assert_allowed(&before, &actor, &step.wish, &facts.bodies, now);
            for body in facts.bodies {
                let seq = room.head().next();
                messages.learn(seq, &actor.user, &body);
                room.apply(seq, now, Some(&actor.user), &body);
                log.push((seq, now, actor.user.clone(), body));
            }
            room.check_invariants();
        }
        // Folding the log anew gives the same room.
        let mut again = founded(kind);
        for (seq, at, from, body) in &log {
            again.apply(*seq, *at, Some(from), body);
        }
        prop_assert_eq!(again.members(), room.members());
        prop_assert_eq!(again.bans(), room.bans());
        prop_assert_eq!(again.pins(), room.pins());
        prop_assert_eq!(again.info(), room.info());
    }
}

#[test]
fn the_last_host_cannot_leave_others_alone() {
    let mut room = founded(RoomKind::Group);
    let ada = Actor::plain(user(0));
    let add = Intent::AddMember(MemberJoined { user: user(1), role: Role::Member, capabilities: None, data: None });
    for body in room.decide(&ada, &add, None, 1).expect("a host adds").bodies {
        room.apply(room.head().next(), 1, Some(&ada.user), &body);
    }
    assert!(room.decide(&ada, &Intent::Leave, None, 2).is_err());
    let ben = Actor::plain(user(1));
    let facts = room.decide(&ben, &Intent::Leave, None, 2).expect("a member leaves");
    assert_eq!(facts.bodies, vec![RoomEventBody::MemberLeft { user: user(1), reason: LeaveReason::Left }]);
}

#[test]
fn a_window_opens_and_closes_a_grant_and_names_nothing_else() {
    let room = founded(RoomKind::Class);
    let grant = Grant { from: Some(100), until: Some(200), ..Grant::of(Role::Member) };
    let ben = Actor::granted(user(1), grant);
    assert!(room.access(&ben, 99).is_err());
    assert!(room.access(&ben, 100).is_ok_and(|access| access.has(Capability::Send) && access.until == Some(200)));
    assert!(room.access(&ben, 200).is_err());
    // A token that names other rooms opens this one for nobody, not even its host.
    let confined = Actor { confined: true, ..Actor::plain(user(0)) };
    assert!(room.access(&confined, 1).is_err());
}
