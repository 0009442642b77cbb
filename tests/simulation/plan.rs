//! What is done in a run, as data: made from a seed, kept when it fails, made smaller, played again.

use super::{
    Dice,
    process::{Harm, Point},
    wire::Weather,
};
use serde::{Deserialize, Serialize};

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Latencies, losses and identities follow from it.
    pub seed: u64,
    /// How far each node's clock is from the true time, milliseconds.
    pub clocks: Vec<i64>,
    /// Each client: whose it is, and the node that it comes to first.
    pub clients: Vec<(usize, usize)>,
    /// Rooms; everybody is a member of each.
    pub rooms: usize,
    /// What is done, one after another.
    pub steps: Vec<Step>,
}

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// So long after the one before, milliseconds.
    pub after_ms: u64,
    /// What.
    pub act: Act,
}

/// What a client does, or what happens to a client, a node or the wires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// A client does something.
    Client {
        /// Which.
        client: usize,
        /// What.
        act: ClientAct,
    },
    /// A node dies; some seconds later it begins its next life.
    Kill {
        /// Which.
        node: usize,
    },
    /// A node's process stops for a while, milliseconds.
    Freeze {
        /// Which.
        node: usize,
        /// How long.
        for_ms: u64,
        /// Whether its clock stands meanwhile, as that of a suspended machine.
        clock_stands: bool,
    },
    /// The next time that a node comes to a point, something happens to it.
    Harm {
        /// Which.
        node: usize,
        /// Where.
        point: Point,
        /// What.
        harm: Harm,
    },
    /// A node does not reach the store for a while.
    LoseStore {
        /// Which.
        node: usize,
        /// How long, milliseconds.
        for_ms: u64,
    },
    /// A node is cut off the bus for a while.
    Cut {
        /// Which.
        node: usize,
        /// How long, milliseconds.
        for_ms: u64,
        /// Whether packets vanish, so that it does not notice at once.
        silently: bool,
    },
    /// The next messages of a node are lost.
    Lose {
        /// Which.
        node: usize,
        /// How many.
        count: u64,
    },
    /// The wires behave like this from now on.
    Weather(Weather),
    /// A node's clock runs ahead by so much at once, milliseconds.
    ClockStep {
        /// Which.
        node: usize,
        /// How far.
        by_ms: u64,
    },
}

/// What a client does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAct {
    /// Sends messages, all at once.
    Send {
        /// Where.
        room: usize,
        /// How many.
        count: usize,
        /// Bytes of each.
        bytes: usize,
    },
    /// Mentions somebody.
    Mention {
        /// Where.
        room: usize,
        /// Whom.
        user: usize,
    },
    /// Edits one of its messages.
    Edit {
        /// Where.
        room: usize,
    },
    /// Deletes one of its messages.
    Delete {
        /// Where.
        room: usize,
    },
    /// Reacts to the newest message that it has.
    React {
        /// Where.
        room: usize,
        /// Whether it takes the reaction back.
        on: bool,
    },
    /// Has read everything that it has.
    Read {
        /// Where.
        room: usize,
    },
    /// Sends an answered command again, under the same key.
    Retry,
    /// Uses an answered key for something else.
    Conflict,
    /// Types.
    Typing {
        /// Where.
        room: usize,
    },
    /// Says how present it is.
    Presence {
        /// `online`, `away`, `busy` or `offline`.
        state: String,
    },
    /// Closes its connection, and comes back to a node after some time.
    Leave {
        /// When, milliseconds.
        back_ms: u64,
        /// Where.
        node: usize,
        /// Whether the server is not told: the network is gone, and it has to find out.
        silently: bool,
    },
    /// Reads nothing for a while.
    Stall {
        /// How long, milliseconds.
        for_ms: u64,
    },
    /// Closes a room and opens it again, with its cursor or without.
    Reopen {
        /// Which.
        room: usize,
        /// Whether it forgets what it has.
        forget: bool,
    },
}

impl Act {
    /// Whether it may make somebody look absent who is not.
    pub fn clouds_presence(&self) -> bool {
        match self {
            Self::Freeze { .. }
            | Self::Harm { .. }
            | Self::LoseStore { .. }
            | Self::Cut { .. }
            | Self::Lose { .. }
            | Self::ClockStep { .. } => true,
            Self::Weather(weather) => weather.lost > 0 || weather.delay_ms > 1_000,
            Self::Client { .. } | Self::Kill { .. } => false,
        }
    }
}

/// What a plan is about: everything at once would hide what each alone brings to light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// People come and go, nodes die; wires and store are well.
    Fair,
    /// The wires are bad.
    Wires,
    /// The store is bad.
    Store,
    /// Readers are slow and messages large.
    Slow,
    /// All of it.
    Everything,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::from(seed);
        let mood = match dice.below(8) {
            0 | 1 => Mood::Fair,
            2 | 3 => Mood::Wires,
            4 => Mood::Slow,
            5 | 6 => Mood::Store,
            _ => Mood::Everything,
        };
        let nodes = 1 + one_of(&mut dice, &[1, 1, 2, 2, 3]);
        let users = 2 + dice.below(3) as usize;
        let count = users + dice.below(3) as usize;
        let clients = (0..count).map(|at| (at % users, dice.below(nodes as u64) as usize)).collect();
        let rooms = 1 + dice.below(2) as usize;
        let clocks = (0..nodes).map(|_| dice.below(4_000) as i64 - 2_000).collect();
        let mut maker = Maker { dice, mood, nodes, users, clients: count, rooms };
        let steps = (0..15 + maker.dice.below(50)).map(|_| maker.step()).collect();
        Self { seed, clocks, clients, rooms, steps }
    }
}

impl Plan {
    /// Whether nothing in it may make somebody look absent who is there: wires and store are well, and no more than one
    /// node dies. One that begins while another dies cannot know who was there.
    pub fn is_clear(&self) -> bool {
        let kills = self.steps.iter().filter(|step| matches!(step.act, Act::Kill { .. })).count();
        kills <= 1 && !self.steps.iter().any(|step| step.act.clouds_presence())
    }
}

fn one_of<T: Clone>(dice: &mut Dice, these: &[T]) -> T {
    these[dice.below(these.len() as u64) as usize].clone()
}

struct Maker {
    dice: Dice,
    mood: Mood,
    nodes: usize,
    users: usize,
    clients: usize,
    rooms: usize,
}

impl Maker {
    fn below(&mut self, end: usize) -> usize {
        self.dice.below(end as u64) as usize
    }

    fn step(&mut self) -> Step {
        // Mostly close together, so that one thing meets another half way.
        let after_ms = match self.dice.below(10) {
            0..=3 => self.dice.below(5),
            4..=7 => self.dice.below(120),
            8 => self.dice.below(1_500),
            _ => self.dice.below(6_000),
        };
        let act = match self.dice.below(100) {
            0..=69 => Act::Client { client: self.below(self.clients), act: self.client_act() },
            70..=73 => Act::Kill { node: self.below(self.nodes) },
            _ => self.fault(),
        };
        Step { after_ms, act }
    }

    fn client_act(&mut self) -> ClientAct {
        let room = self.below(self.rooms);
        match self.dice.below(100) {
            0..=39 => {
                let large = self.mood == Mood::Slow && self.dice.below(2) == 0;
                let bytes = if large { 12_000 } else { 0 };
                let count = match self.dice.below(6) {
                    0..=3 => 1,
                    4 => 2 + self.below(4),
                    _ => 10 + self.below(20),
                };
                ClientAct::Send { room, count, bytes }
            }
            40..=44 => ClientAct::Mention { room, user: self.below(self.users) },
            45..=49 => ClientAct::Edit { room },
            50..=51 => ClientAct::Delete { room },
            52..=56 => ClientAct::React { room, on: self.dice.below(4) > 0 },
            57..=63 => ClientAct::Read { room },
            64..=68 => ClientAct::Retry,
            69 => ClientAct::Conflict,
            70..=72 => ClientAct::Typing { room },
            73..=76 => {
                let state = one_of(&mut self.dice, &["online", "away", "busy", "offline"]);
                ClientAct::Presence { state: state.into() }
            }
            77..=89 => {
                let back_ms = match self.dice.below(4) {
                    0 => 0,
                    1 | 2 => self.dice.below(3_000),
                    _ => self.dice.below(15_000),
                };
                let silently = self.dice.below(4) == 0;
                ClientAct::Leave { back_ms, node: self.below(self.nodes), silently }
            }
            90..=95 => ClientAct::Stall { for_ms: 200 + self.dice.below(5_000) },
            _ => ClientAct::Reopen { room, forget: self.dice.below(2) == 0 },
        }
    }

    fn fault(&mut self) -> Act {
        let node = self.below(self.nodes);
        match (self.mood, self.dice.below(10)) {
            (Mood::Fair | Mood::Slow, 0) => Act::Kill { node },
            (Mood::Fair | Mood::Slow, _) => Act::Client { client: self.below(self.clients), act: self.client_act() },
            (Mood::Wires, _) | (Mood::Everything, 0..=4) => self.fault_of_wires(node),
            (Mood::Store, _) | (Mood::Everything, _) => self.fault_of_store(node),
        }
    }

    fn fault_of_wires(&mut self, node: usize) -> Act {
        match self.dice.below(10) {
            0..=2 => Act::Lose { node, count: 1 + self.dice.below(6) },
            3..=6 => {
                let most = one_of(&mut self.dice, &[4_000, 4_000, 20_000]);
                let for_ms = 300 + self.dice.below(most);
                Act::Cut { node, for_ms, silently: self.dice.below(2) == 0 }
            }
            _ => {
                let lost = one_of(&mut self.dice, &[0, 20, 200]);
                let again = one_of(&mut self.dice, &[0, 50, 300]);
                Act::Weather(Weather { lost, again, delay_ms: one_of(&mut self.dice, &[2, 40, 700, 3_000]) })
            }
        }
    }

    fn fault_of_store(&mut self, node: usize) -> Act {
        const POINTS: [Point; 10] = [
            Point::Begin,
            Point::Fence,
            Point::Lock,
            Point::Append,
            Point::Commit,
            Point::Events,
            Point::Read,
            Point::Renew,
            Point::Look,
            Point::Publish,
        ];
        match self.dice.below(12) {
            0 => {
                // Longer than a mark of what moved is good for, now and then.
                let most = one_of(&mut self.dice, &[8_000, 8_000, 45_000]);
                Act::LoseStore { node, for_ms: 300 + self.dice.below(most) }
            }
            1 | 2 => {
                let most = one_of(&mut self.dice, &[2_500, 12_000]);
                let for_ms = 300 + self.dice.below(most);
                Act::Freeze { node, for_ms, clock_stands: self.dice.below(2) == 0 }
            }
            3 => Act::ClockStep { node, by_ms: self.dice.below(10_000) },
            _ => {
                let point = match self.dice.below(3) {
                    0 => Point::Commit,
                    _ => one_of(&mut self.dice, &POINTS),
                };
                let harm = match self.dice.below(6) {
                    0 => Harm::Refused,
                    1 => Harm::AnswerLost,
                    2 => Harm::DiesBefore,
                    3 => Harm::DiesAfter,
                    _ => Harm::Slow(one_of(&mut self.dice, &[20, 200, 1_500, 4_000])),
                };
                Act::Harm { node, point, harm }
            }
        }
    }
}
