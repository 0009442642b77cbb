//! Random lives of a call: people come, go, reload, lose their sockets and renegotiate in any order, on several
//! devices, over a relay that loses and reorders connections. At rest each pair is connected, or was told why not;
//! nobody waits for ever and no ghost stays.

use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use stoa_protocol::{
    CallEvent, CallLeaveReason, CallLinkId, CallMedia, CallPlace, DeviceId, Millis, RoomId, Seq, SessionId, UserId,
};
use stoa_signaling::{
    Call, Caller, Change, GRACE_MS, Intent, Place, Relay, Taken, decide, negotiation::End, other_end, session_of,
};

#[derive(Debug, Clone)]
enum Step {
    Join(usize),
    Leave(usize),
    Reload(usize),
    /// The socket is lost, and perhaps never comes back.
    Lose(usize),
    Return(usize),
    Need(usize),
    Candidate(usize),
    Relink(usize),
    Remove(usize),
    /// The node dies: what is in memory alone is gone.
    Crash,
    Pass(Millis),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0usize..8;
    prop_oneof![
        4 => who.clone().prop_map(Step::Join),
        1 => who.clone().prop_map(Step::Leave),
        1 => who.clone().prop_map(Step::Reload),
        2 => who.clone().prop_map(Step::Lose),
        2 => who.clone().prop_map(Step::Return),
        3 => who.clone().prop_map(Step::Need),
        2 => who.clone().prop_map(Step::Candidate),
        1 => who.clone().prop_map(Step::Relink),
        1 => who.prop_map(Step::Remove),
        1 => Just(Step::Crash),
        2 => (1u64..20_000).prop_map(Step::Pass),
    ]
}

/// A device of a user, with its client.
struct Device {
    caller: Caller,
    connected: bool,
    /// Its user wants to be in the call.
    wants: bool,
    ends: BTreeMap<CallLinkId, End>,
    gone_at: Millis,
}

struct World {
    devices: Vec<Device>,
    running: Option<Arc<Call>>,
    relay: Relay,
    head: u64,
    now: Millis,
    sessions: u32,
    /// Sessions that were told that they are out, or that the call is over.
    told: BTreeSet<SessionId>,
}

impl World {
    /// Four people on two devices each; the first moderates.
    fn new() -> Self {
        let device = |n: usize| Device {
            caller: Caller {
                device: Some(DeviceId::new(format!("d{n}")).expect("legal")),
                moderates: n < 2,
                ..Caller::new(UserId::new(format!("u{}", n / 2)).expect("legal"), session(n as u32))
            },
            connected: true,
            wants: false,
            ends: BTreeMap::new(),
            gone_at: 0,
        };
        let devices = (0..8).map(device).collect();
        let (running, relay) = (None, Relay::default());
        Self { devices, running, relay, head: 1, now: 1, sessions: 8, told: BTreeSet::new() }
    }

    fn want(&mut self, caller: &Caller, intent: &Intent) -> bool {
        let head = Seq::new(self.head).expect("small");
        let place = Place { head, ..Place::of(RoomId::new("r").expect("legal")) };
        let Ok(facts) = decide(self.running.as_ref(), &place, caller, intent, self.now) else { return false };
        for event in &facts.bodies {
            self.head += 1;
            let seq = Seq::new(self.head).expect("small");
            if let CallEvent::Left { session, .. } = event {
                self.told.insert(session.clone());
            }
            if let (CallEvent::Ended { .. }, Some(call)) = (event, &self.running) {
                self.told.extend(call.participants().map(|p| p.session.clone()));
            }
            Call::apply(&mut self.running, seq, self.now, Some(&caller.user), event);
        }
        for row in &facts.retained {
            self.running.as_mut().map(|call| Arc::make_mut(call).retain(row));
        }
        if let Some(call) = &self.running {
            call.check_invariants();
        }
        self.relay.keep(&self.links());
        self.tell();
        true
    }

    fn links(&self) -> Vec<stoa_protocol::CallLink> {
        self.running.as_ref().map(|call| call.links()).unwrap_or_default()
    }

    /// Clients that are connected know their links: what is new begins, what is gone is dropped.
    fn tell(&mut self) {
        let links = self.links();
        for device in self.devices.iter_mut().filter(|device| device.connected) {
            let Some(own) = &device.caller.session else { continue };
            let mine: Vec<_> = links.iter().filter(|link| stoa_signaling::is_end(link, own)).collect();
            device.ends.retain(|id, _| mine.iter().any(|link| link.link == *id));
            for link in mine {
                let polite = session_of(&link.polite) == Some(own);
                let known = device.ends.get(&link.link).is_some_and(|end| end.epoch() == link.epoch);
                if !known {
                    device.ends.insert(link.link.clone(), End::new(polite, link.epoch));
                }
            }
        }
    }

    fn place(&self, n: usize) -> CallPlace {
        let session = self.devices[n].caller.session.as_ref().expect("every device has one");
        self.running.as_ref().map_or(CallPlace::Out, |call| call.place(session))
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Join(n) if self.devices[*n].connected => {
                self.devices[*n].wants = true;
                self.join(*n);
            }
            Step::Leave(n) if self.devices[*n].connected => {
                self.devices[*n].wants = false;
                let caller = self.devices[*n].caller.clone();
                if let Some(call) = self.running.as_ref().map(|call| call.id()) {
                    self.want(&caller, &Intent::Leave(call));
                }
            }
            Step::Reload(n) => {
                let fresh = session(self.sessions);
                self.sessions += 1;
                let device = &mut self.devices[*n];
                device.caller.session = Some(fresh);
                device.ends.clear();
                device.connected = true;
                if device.wants {
                    self.join(*n);
                }
            }
            Step::Lose(n) => {
                self.devices[*n].connected = false;
                self.devices[*n].gone_at = self.now;
            }
            Step::Return(n) => self.come_back(*n),
            Step::Need(n) => self.devices[*n].ends.values_mut().for_each(End::need),
            Step::Candidate(n) => self.devices[*n].ends.values_mut().for_each(End::candidate),
            Step::Relink(n) if self.devices[*n].connected => self.relink(*n),
            Step::Remove(n) => {
                let (host, user) = (self.devices[0].caller.clone(), self.devices[*n].caller.user.clone());
                if *n > 1
                    && let Some(call) = self.running.as_ref().map(|call| call.id())
                {
                    self.want(&host, &Intent::Remove(call, user));
                }
            }
            Step::Crash => self.relay = Relay::default(),
            Step::Pass(ms) => self.pass(*ms),
            Step::Join(_) | Step::Leave(_) | Step::Relink(_) => {}
        }
        self.talk();
    }

    fn join(&mut self, n: usize) {
        let caller = self.devices[n].caller.clone();
        let intent = match &self.running {
            Some(call) => Intent::Join(call.id()),
            None => Intent::Start { media: CallMedia::Video, ring: vec![], ring_all: false, lobby: false },
        };
        if !self.want(&caller, &intent) {
            // Told why not: full, or removed.
            self.devices[n].wants = false;
        }
    }

    fn come_back(&mut self, n: usize) {
        self.devices[n].connected = true;
        self.tell();
        self.devices[n].ends.values_mut().for_each(End::reconnected);
        if self.devices[n].wants && self.place(n) == CallPlace::Out {
            self.join(n);
        }
    }

    fn relink(&mut self, n: usize) {
        let caller = self.devices[n].caller.clone();
        let Some(mut call) = self.running.clone() else { return };
        let links: Vec<_> = self.devices[n].ends.iter().map(|(id, end)| (id.clone(), end.epoch())).collect();
        for (link, epoch) in links {
            let change = Change::Relink { link, epoch };
            let rows = call.retain_for(call.id(), &caller, &change, self.now).unwrap_or_default();
            rows.iter().for_each(|row| {
                Arc::make_mut(&mut call).retain(row);
            });
        }
        self.running = Some(call);
        self.relay.keep(&self.links());
        self.tell();
    }

    fn pass(&mut self, ms: Millis) {
        self.now += ms;
        for n in 0..self.devices.len() {
            let device = &self.devices[n];
            let lost = !device.connected && device.gone_at + GRACE_MS <= self.now;
            let (caller, session) = (device.caller.clone(), device.caller.session.clone());
            if let (true, Some(call), Some(session)) = (lost, self.running.clone(), session) {
                self.want(&caller, &Intent::Lost(call.id(), session, CallLeaveReason::Lost));
            }
        }
        // Sessions that no device has any more: pages that were reloaded.
        let known: BTreeSet<_> = self.devices.iter().filter_map(|device| device.caller.session.clone()).collect();
        let ghosts: Vec<_> = self
            .running
            .iter()
            .flat_map(|call| call.participants().map(|p| (call.id(), p.session.clone())))
            .filter(|(_, session)| !known.contains(session))
            .collect();
        if ms >= GRACE_MS {
            let server = self.devices[0].caller.clone();
            for (call, session) in ghosts {
                self.want(&server, &Intent::Lost(call, session, CallLeaveReason::Lost));
            }
        }
        for late in self.relay.overdue(self.now) {
            let ends = self.devices.iter().position(|device| device.caller.session.as_ref() == Some(&late.sender));
            if let Some(n) = ends.filter(|n| self.devices[*n].connected) {
                self.relink(n);
            }
        }
    }

    /// Everybody who is connected says what they have to say, once.
    fn talk(&mut self) {
        let links = self.links();
        for n in 0..self.devices.len() {
            if !self.devices[n].connected {
                continue;
            }
            let own = self.devices[n].caller.session.clone().expect("every device has one");
            for link in links.iter().filter(|link| stoa_signaling::is_end(link, &own)) {
                let said = self.devices[n].ends.get_mut(&link.link).map(|end| end.send(self.now)).unwrap_or_default();
                for signal in said.into_iter().filter(|signal| signal.epoch == link.epoch) {
                    let taken = self.relay.signal(link, &own, signal.n, self.now);
                    let confirmed = match taken {
                        Ok(Taken::Confirmed(n)) => Some(n),
                        Ok(Taken::Forward) => self.forward(link, &own, signal),
                        Err(_) => None,
                    };
                    if let (Some(up_to), Some(end)) = (confirmed, self.devices[n].ends.get_mut(&link.link)) {
                        end.confirmed(link.epoch, up_to);
                    }
                }
            }
        }
    }

    fn forward(
        &mut self,
        link: &stoa_protocol::CallLink,
        own: &SessionId,
        signal: stoa_signaling::negotiation::Numbered,
    ) -> Option<u32> {
        let other = session_of(other_end(link, own))?.clone();
        let peer = self.devices.iter_mut().find(|d| d.connected && d.caller.session.as_ref() == Some(&other))?;
        let n = peer.ends.get_mut(&link.link)?.hear(signal)?;
        self.relay.confirm(link, &other, n);
        Some(n)
    }

    /// Whoever can, comes back; whoever cannot, is lost; then nothing happens any more but sending again.
    fn rest(&mut self, back: &[bool]) {
        for (n, back) in back.iter().enumerate() {
            if *back {
                self.come_back(n);
            }
        }
        self.pass(GRACE_MS + 1);
        for _ in 0..60 {
            self.pass(2_500);
            self.talk();
        }
    }

    fn check(&self) {
        let Some(call) = &self.running else { return };
        call.check_invariants();
        for p in call.participants() {
            let device = self.devices.iter().find(|device| device.caller.session.as_ref() == Some(&p.session));
            let device = device.unwrap_or_else(|| panic!("{} is a ghost", p.session));
            assert!(device.connected, "{} is a ghost", p.session);
            assert!(!self.told.contains(&p.session) || device.wants, "told of leaving, and in");
        }
        for link in call.links() {
            for end in [&link.polite, &link.impolite] {
                let session = session_of(end).expect("a mesh");
                let device = self.devices.iter().find(|device| device.caller.session.as_ref() == Some(session));
                let end = device.and_then(|device| device.ends.get(&link.link)).expect("its links were told");
                assert!(end.is_settled(), "{} waits for ever: {end:?}", link.link);
                assert!(end.heard.iter().copied().eq(1..=end.heard.len() as u32), "once each, in order");
            }
        }
        for (n, device) in self.devices.iter().enumerate() {
            let out = self.place(n) == CallPlace::Out;
            let told = device.caller.session.as_ref().is_some_and(|session| self.told.contains(session));
            assert!(!device.connected || !device.wants || !out || told, "device {n} wants in and was told nothing");
        }
    }
}

fn session(n: u32) -> SessionId {
    SessionId::new(format!("s{n}")).expect("legal")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn at_rest_each_pair_is_connected_or_told_why_not(
        steps in proptest::collection::vec(step(), 1..60),
        back in proptest::collection::vec(any::<bool>(), 8),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.rest(&back);
        world.check();
    }
}
