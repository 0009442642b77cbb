//! Coming again: nothing missed, nothing twice, or a reset that says so.

use crate::harness::{
    Backend, Client, Dice, Entry, Journal, Memory, Server, Setup, Token, commands::*, room, seq, user,
};
use stoa_protocol::{
    ChatSend, Command, Control, Cursor, Epoch, Hello, HistoryVisibility, Role, RoomEventBody, RoomId, RoomKind, Seq,
    ServerFrame, SessionResume, UserEventBody,
};

/// Ada's room with Ben as a member; Ada has it open.
async fn with_ben(server: &Server, history: HistoryVisibility) -> (Client, RoomId) {
    let id = room("r");
    let mut ada = server.client("ada").await;
    let mut room = create(&id, RoomKind::Group);
    room.history = history;
    ada.commit(Command::RoomCreate(room)).await;
    ada.commit(add(&id, &user("ben"), Role::Member)).await;
    ada.open(&id).await;
    (ada, id)
}

/// Sends so many messages, many on the way at once, and gives their numbers.
async fn send_many(client: &mut Client, id: &RoomId, count: usize, text: &str) -> Vec<Seq> {
    let mut sent = Vec::new();
    let mut frames = std::collections::VecDeque::new();
    for n in 0..count {
        frames.push_back(client.send(say(id, &format!("{text} {n}"))).await);
        // Half of what one connection may have unanswered.
        if frames.len() > 256 {
            let frame = frames.pop_front().expect("there are some");
            sent.push(client.reply(frame, "chat.send").await.expect("accepted").seq.expect("a number"));
        }
    }
    for frame in frames {
        sent.push(client.reply(frame, "chat.send").await.expect("accepted").seq.expect("a number"));
    }
    sent
}

fn hello(user: &str, session: Option<SessionResume>, stream: Option<Cursor>) -> Hello {
    let token = Token::of(user).sign();
    Hello { token, session, user: stream, list: false, device: None, client: None }
}

/// Comes again with what an earlier connection had.
async fn again(server: &Server, user: &str, session: SessionResume, memory: Memory, id: &RoomId) -> Client {
    let mut client = Client::dial(server).await;
    client.hello_with(hello(user, Some(session), None)).await;
    client.carry_on(memory);
    let cursor = client.cursor(id);
    let opened = client.open_since(id, Some(cursor.clone())).await;
    assert!(opened.snapshot.is_none() && !opened.reset, "the cursor {cursor:?} was not taken up: {opened:?}");
    client
}

fn texts(journal: &Journal, id: &RoomId) -> Vec<String> {
    let text = |body: &RoomEventBody| match body {
        RoomEventBody::ChatSent(sent) => Some(sent.text.clone()),
        _ => None,
    };
    journal.events(id).filter_map(|event| text(&event.body)).collect()
}

async fn nothing_is_missed_or_doubled(setup: Setup, missed: usize) {
    let mut dice = Dice::new("resume");
    let server = setup.without_rates().start().await;
    let (mut ada, id) = with_ben(&server, HistoryVisibility::All).await;
    let mut ben = server.client("ben").await;
    let session = ben.session();
    ben.open(&id).await;
    let mut sent = 0;
    for _ in 0..6 {
        let heard = 1 + usize::try_from(dice.below(20)).expect("small");
        let last = *send_many(&mut ada, &id, heard, "heard").await.last().expect("some");
        // He hangs up somewhere in the middle of what comes.
        ben.reach(&id, seq(last.value() - dice.below(heard as u64))).await;
        let memory = ben.hang_up();
        sent += heard + missed;
        let last = *send_many(&mut ada, &id, missed, "missed").await.last().expect("some");
        ben = again(&server, "ben", session.clone(), memory, &id).await;
        ben.reach(&id, last).await;
    }
    assert_eq!(ben.journal.faults(), Vec::<String>::new());
    ada.reach(&id, ben.journal.cursor(&id)).await;
    assert_eq!(texts(&ben.journal, &id).len(), sent);
    assert_eq!(texts(&ben.journal, &id), texts(&ada.journal, &id));
}

#[tokio::test]
async fn who_comes_again_misses_nothing_from_memory() {
    nothing_is_missed_or_doubled(Setup::new(Backend::Sqlite), 50).await;
}

#[tokio::test]
async fn who_comes_again_misses_nothing_beyond_what_memory_has() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let setup = Setup::new(backend).variable("STOA_LIMITS_RING_EVENTS", 16);
        nothing_is_missed_or_doubled(setup, 450).await;
    }
}

#[tokio::test]
async fn a_restart_of_the_server_voids_no_cursor_and_no_session() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let mut server = Setup::new(backend).without_rates().start().await;
        let (mut ada, id) = with_ben(&server, HistoryVisibility::All).await;
        let mut ben = server.client("ben").await;
        ben.open(&id).await;
        let session = ben.session();
        let last = *send_many(&mut ada, &id, 300, "before").await.last().expect("some");
        ben.reach(&id, seq(last.value() / 2)).await;
        server.stop().await;
        assert_eq!(ben.closed().await.code, Some(4000));
        assert!(ben.hears(|control| matches!(control, Control::Bye { .. })), "told before it was closed");
        server.restart().await;
        let mut ben = again(&server, "ben", session.clone(), ben.hang_up(), &id).await;
        assert_eq!(ben.session().id, session.id, "the session goes on");
        ben.reach(&id, last).await;
        assert_eq!(ben.journal.faults(), Vec::<String>::new());
        assert_eq!(texts(&ben.journal, &id).len(), 300);
    }
}

async fn is_reset(client: &mut Client, id: &RoomId, cursor: Cursor) -> Seq {
    let opened = client.open_since(id, Some(cursor)).await;
    assert!(opened.reset, "{opened:?}");
    let snapshot = opened.snapshot.expect("a reset comes with a snapshot");
    assert!(!snapshot.messages.is_empty());
    assert_eq!(opened.seq, opened.head);
    opened.head
}

#[tokio::test]
async fn a_void_cursor_is_reset_with_a_snapshot() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, id) = with_ben(&server, HistoryVisibility::All).await;
    let last = ada.commit(say(&id, "x")).await;
    let epoch = ada.cursor(&id).epoch;
    let mut ben = server.client("ben").await;
    let foreign = Epoch::new("another-life").expect("a legal epoch");
    assert_eq!(is_reset(&mut ben, &id, Cursor { epoch: foreign, seq: last }).await, last);
    assert_eq!(is_reset(&mut ben, &id, Cursor { epoch: epoch.clone(), seq: last.next() }).await, last);
    assert_eq!(is_reset(&mut ben, &id, Cursor { epoch: epoch.clone(), seq: Seq::MAX }).await, last);
    // The head itself is a good cursor.
    let opened = ben.open_since(&id, Some(Cursor { epoch, seq: last })).await;
    assert!(!opened.reset && opened.snapshot.is_none());
    let next = ada.commit(say(&id, "y")).await;
    ben.reach(&id, next).await;
}

/// As far behind as a client is let; `RESUME_EVENTS` of the hub.
const RESUME_EVENTS: u64 = 10_000;

#[tokio::test]
async fn who_is_too_far_behind_is_told_so_and_gets_a_snapshot() {
    let server = Setup::new(Backend::Sqlite).without_rates().start().await;
    let (mut ada, id) = with_ben(&server, HistoryVisibility::All).await;
    let start = ada.journal.cursor(&id);
    let epoch = ada.cursor(&id).epoch;
    let count = usize::try_from(RESUME_EVENTS).expect("small") + 1;
    let last = *send_many(&mut ada, &id, count, "m").await.last().expect("some");
    let mut ben = server.client("ben").await;
    assert_eq!(is_reset(&mut ben, &id, Cursor { epoch: epoch.clone(), seq: start }).await, last);
    // One less is caught up in full.
    let mut cleo = server.client("ben").await;
    cleo.journal.push(&id, Entry::Reset(start.next()));
    let opened = cleo.open_since(&id, Some(Cursor { epoch, seq: start.next() })).await;
    assert!(!opened.reset && opened.snapshot.is_none());
    cleo.reach(&id, last).await;
    assert_eq!(cleo.journal.faults(), Vec::<String>::new());
    assert_eq!(cleo.journal.events(&id).count(), count - 1);
}

#[tokio::test]
async fn a_reader_who_falls_behind_catches_up_without_a_gap() {
    // The least that a mailbox may be, and a ring that cannot hold what comes.
    let setup = Setup::new(Backend::Sqlite)
        .without_rates()
        .variable("STOA_LIMITS_MAILBOX_BYTES", 65_536)
        .variable("STOA_LIMITS_RING_EVENTS", 32);
    let server = setup.start().await;
    let (mut ada, id) = with_ben(&server, HistoryVisibility::All).await;
    let mut ben = server.client("ben").await;
    ben.open(&id).await;
    // He reads nothing while 16 MB are said: more than the mailbox and the sockets' buffers hold.
    let long = "x".repeat(8_000);
    let last = *send_many(&mut ada, &id, 2_000, &long).await.last().expect("some");
    ben.reach(&id, last).await;
    assert_eq!(ben.journal.faults(), Vec::<String>::new());
    assert_eq!(texts(&ben.journal, &id).len(), 2_000);
    ben.settle().await;
    let next = ada.commit(say(&id, "live again")).await;
    ben.reach(&id, next).await;
}

#[tokio::test]
async fn what_is_for_moderators_is_a_number_to_the_others() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, id) = with_ben(&server, HistoryVisibility::All).await;
    let mut ben = server.client("ben").await;
    ben.open(&id).await;
    let start = ben.journal.cursor(&id);
    let banned = ada.commit(ban(&id, &user("mallory"))).await;
    let said = ada.commit(say(&id, "that was that")).await;
    for client in [&mut ada, &mut ben] {
        client.reach(&id, said).await;
        assert_eq!(client.journal.faults(), Vec::<String>::new());
    }
    let bans = |journal: &Journal| {
        journal.events(&id).filter(|event| matches!(event.body, RoomEventBody::MemberBanned { .. })).count()
    };
    assert_eq!((bans(&ada.journal), bans(&ben.journal)), (1, 0));
    assert!(ben.journal.entries(&id).contains(&Entry::Skip(banned)));
    // The same when it is caught up, from memory and from the store.
    let cursor = Cursor { epoch: ben.cursor(&id).epoch, seq: start };
    let mut late = server.client("ben").await;
    late.journal.push(&id, Entry::Reset(start));
    late.open_since(&id, Some(cursor)).await;
    late.reach(&id, said).await;
    assert_eq!(late.journal.entries(&id)[1..], ben.journal.entries(&id)[1..]);
}

#[tokio::test]
async fn a_newcomer_to_a_discreet_room_sees_what_comes_and_not_what_was() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, id) = with_ben(&server, HistoryVisibility::SinceJoin).await;
    let epoch = ada.cursor(&id).epoch;
    let before = ada.commit(Command::ChatSend(ChatSend { mentions: vec![], ..words(&id, "about Cleo") })).await;
    let joined = ada.commit(add(&id, &user("cleo"), Role::Member)).await;
    let after = ada.commit(say(&id, "hello Cleo")).await;
    let mut cleo = server.client("cleo").await;
    let opened = cleo.open(&id).await;
    let seen = |messages: &[stoa_protocol::Message]| messages.iter().map(|m| m.seq).collect::<Vec<_>>();
    assert_eq!(seen(&opened.snapshot.expect("a snapshot").messages), [after]);
    let mut all = history(&id);
    all.limit = Some(200);
    let reply = cleo.ask(Command::ChatHistory(all)).await;
    let stoa_protocol::Reply::Messages { messages, more_before, .. } = reply else { panic!("{reply:?}") };
    assert_eq!((seen(&messages), more_before), (vec![after], false));
    let search = stoa_protocol::ChatSearch { query: "Cleo".into(), room: None, from: None, after: None, limit: None };
    let reply = cleo.ask(Command::ChatSearch(search)).await;
    let stoa_protocol::Reply::Messages { messages, .. } = reply else { panic!("{reply:?}") };
    assert_eq!(seen(&messages), [after]);
    // A cursor from before is moved over what is not hers.
    let mut late = server.client("cleo").await;
    late.journal.push(&id, Entry::Reset(Seq::ZERO));
    late.open_since(&id, Some(Cursor { epoch, seq: Seq::ZERO })).await;
    late.reach(&id, after).await;
    assert_eq!(late.journal.faults(), Vec::<String>::new());
    assert!(late.journal.events(&id).all(|event| event.seq >= joined), "{:?}", late.journal.entries(&id));
    cleo.refused(react(&id, before, "👀", true), stoa_protocol::ErrorCode::NotFound).await;
}

#[tokio::test]
async fn the_users_own_stream_is_taken_up_where_it_was_left() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let server = Server::start(backend).await;
        let ben = server.client("ben").await;
        let start = ben.stream();
        let (mut ada, id) = with_ben(&server, HistoryVisibility::All).await;
        let mention = || ChatSend { mentions: vec![user("ben")], ..words(&id, "@ben") };
        let first = ada.commit(Command::ChatSend(mention())).await;
        let told = |client: &Client| {
            let own = |frame: &ServerFrame| match frame {
                ServerFrame::User(event) => Some((event.user_seq.value(), event.body.clone())),
                ServerFrame::Room(_) | ServerFrame::Control(_) | ServerFrame::Document(_) => None,
            };
            client.told().filter_map(own).collect::<Vec<_>>()
        };
        let base = start.seq.value();
        let expected = |first: Seq, second: Seq| {
            let mentioned = |message| UserEventBody::Mentioned { room: id.clone(), message };
            let invited = UserEventBody::Invited { room: id.clone(), role: Role::Member };
            [(base + 1, invited), (base + 2, mentioned(first)), (base + 3, mentioned(second))]
        };
        drop(ben);
        let second = ada.commit(Command::ChatSend(mention())).await;
        let mut again = Client::dial(&server).await;
        again.hello_with(hello("ben", None, Some(start.clone()))).await;
        again.settle().await;
        assert_eq!(told(&again), expected(first, second));
        // From the middle on, and from the head nothing.
        let mut middle = Client::dial(&server).await;
        let cursor = Cursor { epoch: start.epoch.clone(), seq: start.seq.next() };
        middle.hello_with(hello("ben", None, Some(cursor))).await;
        middle.settle().await;
        assert_eq!(told(&middle), expected(first, second)[1..]);
        let mut fresh = server.client("ben").await;
        fresh.settle().await;
        assert_eq!(told(&fresh), []);
        assert_eq!(fresh.stream().seq.value(), base + 3);
        // Past the head and of another epoch it is void, and said to be.
        let beyond = Cursor { epoch: start.epoch.clone(), seq: Seq::MAX };
        let foreign = Cursor { epoch: Epoch::new("other").expect("legal"), seq: start.seq };
        for void in [beyond, foreign] {
            let mut lost = Client::dial(&server).await;
            lost.hello_with(hello("ben", None, Some(void))).await;
            let reset = |control: &Control| match control {
                Control::UserReset { cursor } => Some(cursor.seq.value()),
                _ => None,
            };
            assert_eq!(lost.expect_control("the reset of the stream", reset).await, base + 3);
        }
    }
}

#[tokio::test]
async fn one_session_has_one_connection_and_anothers_secret_opens_none() {
    let server = Server::start(Backend::Sqlite).await;
    let mut ada = server.client("ada").await;
    let session = ada.session();
    // Ben has stolen Ada's session: he is Ben in a new session, and she stays.
    let mut thief = Client::dial(&server).await;
    let welcome = thief.hello_with(hello("ben", Some(session.clone()), None)).await;
    assert_eq!(welcome.user, user("ben"));
    assert_ne!(welcome.session, session.id);
    // A guessed secret is no secret.
    let mut guess = Client::dial(&server).await;
    let guessed = SessionResume { secret: "guess".into(), ..session.clone() };
    assert_ne!(guess.hello_with(hello("ada", Some(guessed), None)).await.session, session.id);
    ada.settle().await;
    // Ada herself takes over.
    let mut second = Client::dial(&server).await;
    assert_eq!(second.hello_with(hello("ada", Some(session.clone()), None)).await.session, session.id);
    assert_eq!(ada.closed().await.code, Some(4505));
}
