//! The model of the database answers as the true store does: the same calls on both, by chance, and their answers
//! compared.

use super::{
    Dice,
    database::Database,
    process::Process,
    trace::{Detail, Trace},
};
use crate::{
    node::BootId,
    storage::{
        Digest, HeadsMark, Lease, MessageQuery, NewEvent, NewUserEvent, Nodes, Place, Store, StoredRoom, sqlite,
    },
};
use std::{collections::BTreeMap, sync::Arc};
use stoa_protocol::{
    ChatBody, Epoch, Key, MemberJoined, Role, RoomCreated, RoomEventBody, RoomId, RoomKind, Seq, UserEventBody, UserId,
};
use tokio::time::Instant;

/// Transactions of the test.
const TURNS: u64 = 80;

fn user(at: u64) -> UserId {
    UserId::new(format!("u{at}")).expect("legal")
}

fn room(at: u64) -> RoomId {
    RoomId::new(format!("r{at}")).expect("legal")
}

fn seq(at: u64) -> Seq {
    Seq::new(at).expect("legal")
}

/// What somebody may do to a room whose log ends at `head`.
fn body(dice: &mut Dice, head: u64) -> RoomEventBody {
    let target = seq(1 + dice.below(head));
    match dice.below(9) {
        0..=3 => RoomEventBody::ChatSent(ChatBody {
            text: format!("words {}", dice.below(1_000)),
            mentions: if dice.below(3) == 0 { vec![user(dice.below(3))] } else { vec![] },
            mention_all: false,
            reply_to: None,
            thread: (dice.below(4) == 0).then_some(target),
            announcement: false,
            data: None,
        }),
        4 => RoomEventBody::ChatEdited { target, text: "other words".into(), mentions: vec![], data: None },
        5 => RoomEventBody::ChatDeleted { target, thread: None },
        6 | 7 => RoomEventBody::ChatReacted { target, emoji: "👍".into(), on: dice.below(3) > 0 },
        _ => {
            let user = user(dice.below(4));
            RoomEventBody::MemberJoined(MemberJoined { user, role: Role::Member, capabilities: None, data: None })
        }
    }
}

struct Writer<'a> {
    stores: [&'a dyn Store; 2],
    boot: BootId,
    now: u64,
}

impl Writer<'_> {
    /// One transaction on both; their answers are the same.
    async fn write(&self, dice: &mut Dice) {
        let (name, now) = (room(dice.below(2)), self.now);
        let key = Key::new(format!("k{}", dice.below(60))).expect("legal");
        let digest: Digest = [7; 16];
        let from = user(dice.below(3));
        let mut told = Vec::new();
        let seed = dice.below(u64::MAX);
        for store in self.stores {
            let mut dice = Dice::from(seed);
            let mut answers = Vec::new();
            let mut tx = store.begin().await.expect("begun");
            tx.fence(self.boot, now).await.expect("the lease holds");
            tx.reserve(&[(name.clone(), Epoch::new(format!("life-of-{name}")).expect("legal"))])
                .await
                .expect("reserved");
            let head = tx.lock(std::slice::from_ref(&name)).await.expect("locked")[&name].clone();
            answers.push(format!("{head:?}"));
            let known = tx.keys(&[(name.clone(), from.clone(), key.clone())]).await.expect("keys");
            answers.push(shown(tx.room(&name).await.expect("a room")));
            answers.push(format!("{known:?}"));
            let targets: Vec<_> = (1..=head.seq.value()).map(|at| (name.clone(), seq(at))).collect();
            let mut metas: Vec<_> = tx.targets(&targets).await.expect("targets").into_iter().collect();
            metas.sort_by_key(|((_, seq), _)| *seq);
            answers.push(format!("{metas:?}"));
            let body = match head.seq.value() {
                0 => RoomEventBody::RoomCreated(RoomCreated::new(RoomKind::Group)),
                head => body(&mut dice, head),
            };
            let key = known[0].is_none().then_some((key.clone(), digest));
            let event =
                NewEvent { room: name.clone(), seq: head.seq.next(), at: now, from: Some(from.clone()), key, body };
            tx.append(&[event]).await.expect("appended");
            let mentioned = UserEventBody::Mentioned { room: name.clone(), message: head.seq.next() };
            let key = (dice.below(2) == 0).then(|| (Key::new(format!("n{}", dice.below(9))).expect("legal"), digest));
            let who = user(dice.below(3));
            let notice = NewUserEvent { user: who, at: now, from: Some(from.clone()), key, body: mentioned };
            let numbered = tx.append_user(&[notice]).await.expect("numbered");
            answers.push(format!("{numbered:?}"));
            let marker = (name.clone(), from.clone(), seq(dice.below(head.seq.value() + 1)));
            tx.mark(&[marker]).await.expect("marked");
            tx.commit().await.expect("committed");
            told.push(answers);
        }
        assert_eq!(told[0], told[1]);
    }

    /// Everything that can be read, from both.
    async fn read(&self, marks: &mut [HeadsMark; 2]) {
        let mut told = Vec::new();
        for (store, mark) in self.stores.into_iter().zip(marks) {
            let mut answers = Vec::new();
            for name in (0..2).map(room) {
                answers.push(shown(store.room(&name).await.expect("a room")));
                let events = store.events(&name, seq(3), 50).await.expect("events");
                answers.push(format!("{events:?}"));
                for (reader, place) in [(user(0), Place::Newest), (user(1), Place::Before(seq(20)))] {
                    let (room, visible_after) = (name.clone(), Seq::ZERO);
                    let query = MessageQuery { room, reader, visible_after, place, thread: None, limit: 10 };
                    answers.push(format!("{:?}", store.messages(&query).await.expect("messages")));
                }
                answers.push(format!("{:?}", store.markers(&name, &user(1), 2).await.expect("markers")));
            }
            let heads = store.heads_of(&[room(0), room(1), room(9)]).await.expect("heads");
            answers.push(format!(
                "{:?}",
                heads.into_iter().map(|(r, h)| (r, (h.epoch, h.seq))).collect::<BTreeMap<_, _>>()
            ));
            let users: Vec<_> = (0..4).map(user).collect();
            let states = store.users(&users).await.expect("users");
            answers.push(format!("{:?}", states.iter().map(|state| state.head.seq).collect::<Vec<_>>()));
            answers.push(format!("{:?}", store.user_events(&user(1), seq(2), 5).await.expect("events")));
            let mut moved = store.heads(Some(mark)).await.expect("a look");
            *mark = moved.mark;
            moved.rooms.sort_by_key(|(room, _)| room.clone());
            moved.markers.sort();
            let users: BTreeMap<_, _> = moved.users.into_iter().map(|m| (m.user, m.head.seq)).collect();
            answers.push(format!("{} {:?} {:?} {users:?}", moved.everything, moved.rooms, moved.markers));
            told.push(answers);
        }
        assert_eq!(told[0], told[1]);
    }
}

fn shown(stored: Option<StoredRoom>) -> String {
    let stored = stored.map(|mut stored| {
        stored.members.sort_by_key(|member| member.user.clone());
        stored
    });
    format!("{stored:?}")
}

#[tokio::test]
async fn the_simulated_store_answers_as_sqlite_does() {
    let seed = super::number("STOA_SEED").unwrap_or_else(|| u64::from_le_bytes(crate::random::bytes()));
    println!("the simulated store: STOA_SEED={seed}");
    let mut dice = Dice::from(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = sqlite::open(&folder.path().join("stoa.db"), true).await.expect("a store");
    let epoch = Instant::now();
    let trace = Arc::new(Trace::new(Detail::Nothing, epoch));
    let database = Database::new(trace.clone(), epoch);
    let model = database.reached_by(&Process::new(0, 0, epoch, dice.clone(), trace.clone()));
    let boot = BootId::fresh();
    let mut writer = Writer { stores: [&*sqlite, &model], boot, now: database.now() };
    let mut marks = [sqlite.heads(None).await.expect("a mark").mark, model.heads(None).await.expect("a mark").mark];
    for turn in 0..TURNS {
        writer.now = database.now();
        for store in writer.stores {
            let held = store.renew(boot, "one", turn == 0, writer.now).await.expect("answered");
            assert_eq!(held, Lease::Held);
        }
        writer.write(&mut dice).await;
        if turn % 4 == 3 {
            writer.read(&mut marks).await;
        }
    }
    assert!(!trace.is_wrong());
}
