//! A call whose two sides are on two nodes, of which one dies.

use super::Cluster;
use crate::{
    calls::person::{Person, offer},
    harness::{Dice, Server, commands::*, is_long, room, user},
};
use stoa_protocol::{CallEvent, CallLink, Command, Role, RoomEventBody, RoomKind, Seq};

/// Deaths of the short form and of the long one.
const DEATHS: [u32; 2] = [4, 40];

/// One end of the link, as a client keeps it.
struct End {
    person: Person,
    call: Seq,
    link: CallLink,
    said: u32,
    confirmed: u32,
    /// What was handled, in order.
    handled: Vec<u32>,
}

impl End {
    fn new(person: Person, call: Seq, link: &CallLink) -> Self {
        Self { person, call, link: link.clone(), said: 0, confirmed: 0, handled: vec![] }
    }

    async fn say(&mut self) {
        self.said += 1;
        self.send(self.said).await;
    }

    async fn send(&mut self, n: u32) {
        let said = self.person.say(self.call, &self.link, n, offer());
        let id = self.person.client.send(said.clone()).await;
        self.person.insist(id, said).await;
    }

    /// Says something and does not wait until the server has taken it.
    async fn blurt(&mut self) {
        self.said += 1;
        let said = self.person.say(self.call, &self.link, self.said, offer());
        self.person.client.send(said).await;
    }

    /// As a client does when a connection is new or a confirmation does not come.
    async fn say_again(&mut self) {
        for n in self.confirmed + 1..=self.said {
            self.send(n).await;
        }
    }

    /// Hears signals up to this one; each is handled once, after those before it.
    async fn hear(&mut self, up_to: u32) {
        while self.handled.last().copied().unwrap_or_default() < up_to {
            let n = self.person.signal().await.n;
            if n == self.handled.last().copied().unwrap_or_default() + 1 {
                self.handled.push(n);
            }
        }
    }

    async fn confirm(&mut self) {
        let handled = self.handled.last().copied().unwrap_or_default();
        self.person.confirm(self.call, &self.link, handled).await;
    }

    async fn is_confirmed(&mut self) {
        while self.confirmed < self.said {
            self.confirmed = self.confirmed.max(self.person.confirmed().await);
        }
    }

    /// Comes to another node, after this one died.
    async fn come(&mut self, node: &Server) {
        let (name, id) = ("ben", self.person.room.clone());
        let (session, cursor) = (self.person.client.session(), self.person.client.cursor(&id));
        let mut person = Person::hello(node, name, Some("laptop"), Some(session.clone()), &id).await;
        assert_eq!(person.session, session.id, "any node knows the secret");
        let opened = person.client.open_since(&id, Some(cursor)).await;
        assert!(!opened.reset, "{opened:?}");
        let now = opened.call.or(opened.snapshot.and_then(|snapshot| snapshot.call)).expect("the call goes on");
        assert_eq!((now.call, now.participants.len()), (self.call, 2));
        assert_eq!(now.links, std::slice::from_ref(&self.link));
        self.person = person;
    }
}

#[tokio::test]
async fn a_call_survives_the_death_of_one_sides_node_and_every_signal_is_handled_once() {
    let mut dice = Dice::new("a call on dying nodes");
    let mut cluster = Cluster::start(3).await;
    let id = room("calls");
    let mut ada = Person::enter(&cluster.nodes[0], "ada", "laptop", &id).await;
    ada.client.commit(Command::RoomCreate(create(&id, RoomKind::Group))).await;
    ada.client.commit(add(&id, &user("ben"), Role::Member)).await;
    ada.client.open(&id).await;
    let mut ben = Person::enter(&cluster.nodes[1], "ben", "laptop", &id).await;
    ben.client.open(&id).await;
    let call = ada.start().await.call.expect("it runs").call;
    let link = ben.join(call).await.call.expect("it runs").links[0].clone();
    assert_eq!(ada.link().await, link);
    let (mut ada, mut ben) = (End::new(ada, call, &link), End::new(ben, call, &link));
    let mut at = 1;
    for _ in 0..DEATHS[usize::from(is_long())] {
        for _ in 0..=dice.below(3) {
            ada.say().await;
            ben.say().await;
        }
        // Some is heard, of that some is confirmed, and the rest is on its way.
        ben.hear(ben.handled.len() as u32 + dice.below(2) as u32).await;
        ada.hear(ada.handled.len() as u32 + dice.below(2) as u32).await;
        if dice.below(2) == 0 {
            ben.confirm().await;
        }
        ben.blurt().await;
        cluster.nodes[at].kill().await;
        ada.say().await;
        let next = 3 - at;
        ben.come(&cluster.nodes[next]).await;
        ada.say_again().await;
        ben.say_again().await;
        ada.hear(ben.said).await;
        ben.hear(ada.said).await;
        ada.confirm().await;
        ben.confirm().await;
        ada.is_confirmed().await;
        ben.is_confirmed().await;
        cluster.nodes[at].restart().await;
        at = next;
    }
    for (end, other) in [(&ada, &ben), (&ben, &ada)] {
        assert_eq!(end.handled, (1..=other.said).collect::<Vec<_>>(), "once each, in order");
    }
    ada.person.client.settle().await;
    let left = |body: &RoomEventBody| matches!(body, RoomEventBody::Call(CallEvent::Left { .. }));
    assert!(!ada.person.client.journal.events(&id).any(|event| left(&event.body)), "nobody left the call");
    println!("{} and {} signals, each handled once", ada.said, ben.said);
}
