//! What is listened to, and what is still to be said about it to Redis.

use crate::cluster::Topic;
use std::collections::{HashMap, VecDeque};
use stoa_protocol::Millis;

/// How long a topic is listened to after nobody wants it any more, milliseconds: reloads and short visits cost nothing.
pub const LINGER_MS: Millis = 30_000;

/// Something to say to Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Listen.
    Subscribe(Topic),
    /// Listen no more.
    Unsubscribe(Topic),
}

/// The topics that are listened to, each once.
#[derive(Debug, Default)]
pub struct Topics {
    wanted: HashMap<Topic, Wanted>,
    /// Topics that nobody wanted at some time, with when to look at them; each at most once.
    leaving: VecDeque<(Millis, Topic)>,
    orders: VecDeque<Order>,
}

#[derive(Debug, Default)]
struct Wanted {
    /// Until when it lingers; `None` while somebody wants it.
    until: Option<Millis>,
    /// Whether it is in `leaving`.
    is_leaving: bool,
}

impl Topics {
    /// Wants a topic; tells whether there is something to say to Redis.
    pub fn subscribe(&mut self, topic: Topic) -> bool {
        if let Some(wanted) = self.wanted.get_mut(&topic) {
            wanted.until = None;
            return false;
        }
        self.wanted.insert(topic.clone(), Wanted::default());
        self.orders.push_back(Order::Subscribe(topic));
        true
    }

    /// Wants it no more, from [`LINGER_MS`] after `now` on.
    pub fn unsubscribe(&mut self, topic: Topic, now: Millis) {
        let Some(wanted) = self.wanted.get_mut(&topic) else { return };
        let until = now + LINGER_MS;
        wanted.until = Some(until);
        if !std::mem::replace(&mut wanted.is_leaving, true) {
            self.leaving.push_back((until, topic));
        }
    }

    /// Lets go of what nobody came back for.
    pub fn sweep(&mut self, now: Millis) {
        while self.leaving.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, topic)) = self.leaving.pop_front() else { return };
            let Some(wanted) = self.wanted.get_mut(&topic) else { continue };
            match wanted.until {
                None => wanted.is_leaving = false,
                // Somebody came and went meanwhile. Behind others that end later it is let go of late: no harm.
                Some(until) if until > now => self.leaving.push_back((until, topic)),
                Some(_) => {
                    self.wanted.remove(&topic);
                    self.orders.push_back(Order::Unsubscribe(topic));
                }
            }
        }
    }

    /// The next thing to say.
    pub fn next(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// Puts back what is to be said next: it did not fit.
    pub fn put_back(&mut self, order: Order) {
        self.orders.push_front(order);
    }

    /// Forgets what was said: on a new connection everything is to be said again. Tells how many topics that are.
    pub fn anew(&mut self) -> usize {
        self.orders = self.wanted.keys().cloned().map(Order::Subscribe).collect();
        self.orders.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_protocol::RoomId;

    fn topic(name: &str) -> Topic {
        Topic::Room(RoomId::new(name).expect("legal"))
    }

    fn orders(topics: &mut Topics) -> Vec<Order> {
        std::iter::from_fn(|| topics.next()).collect()
    }

    #[test]
    fn a_topic_lingers_and_whoever_comes_back_costs_nothing() {
        let mut topics = Topics::default();
        assert!(topics.subscribe(topic("a")) && !topics.subscribe(topic("a")));
        assert_eq!(orders(&mut topics), [Order::Subscribe(topic("a"))]);
        topics.unsubscribe(topic("a"), 0);
        topics.sweep(LINGER_MS - 1);
        assert!(!topics.subscribe(topic("a")), "it was still listened to");
        topics.sweep(LINGER_MS);
        assert_eq!(orders(&mut topics), []);
        // Many comings and goings leave one entry.
        for n in 0..100 {
            topics.unsubscribe(topic("a"), 1_000 + n);
            topics.subscribe(topic("a"));
        }
        assert_eq!(topics.leaving.len(), 1);
        topics.unsubscribe(topic("a"), 2_000);
        topics.sweep(1_000 + LINGER_MS);
        assert_eq!(orders(&mut topics), []);
        topics.sweep(2_000 + LINGER_MS);
        assert_eq!(orders(&mut topics), [Order::Unsubscribe(topic("a"))]);
        assert!(topics.subscribe(topic("a")), "from the beginning");
        topics.unsubscribe(topic("b"), 0);
        assert_eq!(topics.leaving.len(), 0, "nobody listened to it");
    }

    #[test]
    fn on_a_new_connection_everything_is_said_again_and_nothing_else() {
        let mut topics = Topics::default();
        topics.subscribe(topic("a"));
        topics.subscribe(topic("b"));
        topics.unsubscribe(topic("b"), 0);
        topics.sweep(LINGER_MS);
        topics.subscribe(topic("c"));
        assert_eq!(topics.anew(), 2);
        let mut said = orders(&mut topics);
        said.sort_by_key(|order| format!("{order:?}"));
        assert_eq!(said, [Order::Subscribe(topic("a")), Order::Subscribe(topic("c"))]);
    }
}
