//! The journals of a run against each other, the acknowledgements, the history and the tables.

use super::Outcome;
use crate::harness::{Backend, Entry, Journal, Server, commands};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};
use std::collections::{BTreeMap, HashMap};
use stoa_protocol::{Command, ErrorCode, Reply, RoomEventBody, RoomId, Seq, UserId};

/// A message as everybody must know it.
type Said = (Seq, Option<UserId>, String);

/// Everything that is wrong with a run; empty when every promise was kept.
pub fn judge(outcome: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    for (who, journal) in &outcome.journals {
        wrong.extend(journal.faults().into_iter().map(|fault| format!("{who}: {fault}")));
        for room in &outcome.rooms {
            let resets = journal.entries(room).iter().filter(|entry| matches!(entry, Entry::Reset(_))).count();
            if resets != 1 {
                wrong.push(format!("{who}: {room} began {resets} times"));
            }
            if journal.cursor(room) != outcome.heads[room] {
                wrong.push(format!("{who}: {room} ends at {}, not {}", journal.cursor(room), outcome.heads[room]));
            }
        }
    }
    wrong.extend(outcome.surplus.iter().map(|answer| format!("answered once too often: {answer}")));
    wrong.extend(differences(outcome));
    wrong.extend(lost_or_doubled(outcome));
    wrong
}

/// Nobody's log says another thing at a place than anybody else's.
fn differences(outcome: &Outcome) -> Vec<String> {
    let mut known: HashMap<(&RoomId, Seq), (&UserId, &stoa_protocol::RoomEvent)> = HashMap::new();
    let mut wrong = Vec::new();
    for (who, journal) in &outcome.journals {
        for room in &outcome.rooms {
            for event in journal.events(room) {
                let (first, same) = *known.entry((room, event.seq)).or_insert((who, event));
                if same != event {
                    wrong.push(format!("{room} {}: {first} has {same:?}, {who} has {event:?}", event.seq));
                }
            }
        }
    }
    wrong
}

/// Every acknowledged message is at its place, and nothing was said twice.
fn lost_or_doubled(outcome: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    let (_, journal) = outcome.journals.first_key_value().expect("there are people");
    for room in &outcome.rooms {
        let said: BTreeMap<Seq, Said> = said(journal, room).into_iter().map(|said| (said.0, said)).collect();
        let mut places: HashMap<&str, Seq> = HashMap::new();
        for (seq, _, text) in said.values() {
            if let Some(first) = places.insert(text, *seq) {
                wrong.push(format!("doubled: {room} has `{text}` at {first} and {seq}"));
            }
        }
        for ack in outcome.acknowledged.iter().filter(|ack| ack.room == *room) {
            let expected = (ack.seq, Some(ack.from.clone()), ack.text.clone());
            if said.get(&ack.seq) != Some(&expected) {
                let found = said.get(&ack.seq);
                wrong.push(format!("lost: {room} {} was `{}` (key {}), and is {found:?}", ack.seq, ack.text, ack.key));
            }
        }
    }
    wrong
}

fn said(journal: &Journal, room: &RoomId) -> Vec<Said> {
    let text = |body: &RoomEventBody| match body {
        RoomEventBody::ChatSent(sent) => Some(sent.text.clone()),
        _ => None,
    };
    journal.events(room).filter_map(|event| Some((event.seq, event.from.clone(), text(&event.body)?))).collect()
}

fn expected(outcome: &Outcome) -> impl Iterator<Item = (&RoomId, Vec<Said>)> {
    let (_, journal) = outcome.journals.first_key_value().expect("there are people");
    outcome.rooms.iter().map(|room| (room, said(journal, room)))
}

/// What the server tells a newcomer who reads everything.
pub async fn compare_with_history(outcome: &Outcome, server: &Server) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut host = server.client_in_time("host").await;
    for (room, expected) in expected(outcome) {
        let mut found: Vec<Said> = Vec::new();
        loop {
            let mut ask = commands::history(room);
            (ask.after, ask.limit) = (Some(found.last().map_or(Seq::ZERO, |said| said.0)), Some(200));
            let (messages, more_after) = match host.call(Command::ChatHistory(ask)).await.map(|ack| ack.result) {
                Ok(Some(Reply::Messages { messages, more_after, .. })) => (messages, more_after),
                // A connection to the database may have died with it: it is asked for again.
                Err(fault) if fault.code == ErrorCode::Unavailable => continue,
                other => panic!("{other:?}"),
            };
            found.extend(messages.into_iter().map(|m| (m.seq, m.from, m.text)));
            if !more_after {
                break;
            }
        }
        wrong.extend(first_difference(&format!("the history of {room}"), &expected, &found));
    }
    wrong
}

/// What the database has, read without the server's code.
pub async fn compare_with_tables(outcome: &Outcome, url: &str, backend: Backend) -> Vec<String> {
    let mut wrong = Vec::new();
    for (room, expected) in expected(outcome) {
        // Room ids of the run need no quoting.
        let messages = format!("SELECT seq, sender, text FROM messages WHERE room = '{room}' ORDER BY seq");
        let log = format!("SELECT seq, kind FROM events WHERE room = '{room}' ORDER BY seq");
        let (found, log) = match backend {
            Backend::Sqlite => {
                let mut db = SqliteConnection::connect(url).await.expect("the database of the stopped servers");
                let rows = sqlx::query(AssertSqlSafe(messages)).fetch_all(&mut db).await.expect("messages");
                let found: Vec<Said> = rows.iter().map(|row| message(row.get(0), row.get(1), row.get(2))).collect();
                let rows = sqlx::query(AssertSqlSafe(log)).fetch_all(&mut db).await.expect("events");
                (found, rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>())
            }
            Backend::Postgres => {
                let mut db = PgConnection::connect(url).await.expect("the database of the stopped servers");
                let rows = sqlx::query(AssertSqlSafe(messages)).fetch_all(&mut db).await.expect("messages");
                let found: Vec<Said> = rows.iter().map(|row| message(row.get(0), row.get(1), row.get(2))).collect();
                let rows = sqlx::query(AssertSqlSafe(log)).fetch_all(&mut db).await.expect("events");
                (found, rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>())
            }
        };
        wrong.extend(first_difference(&format!("the table of messages of {room}"), &expected, &found));
        let head = i64::try_from(outcome.heads[room].value()).expect("a small number");
        if log != (1..=head).collect::<Vec<_>>() {
            wrong.push(format!("the log of {room} in the store is not 1 to {head} without gaps"));
        }
    }
    wrong
}

fn message(seq: i64, sender: Option<String>, text: String) -> Said {
    let seq = u64::try_from(seq).ok().and_then(Seq::new).expect("a legal sequence in the table");
    (seq, sender.map(|sender| UserId::new(sender).expect("a legal user in the table")), text)
}

fn first_difference(what: &str, expected: &[Said], found: &[Said]) -> Option<String> {
    if expected == found {
        return None;
    }
    let at = expected.iter().zip(found).position(|(a, b)| a != b).unwrap_or(expected.len().min(found.len()));
    Some(format!(
        "{what} has {} messages, not {}; first difference: {:?}, not {:?}",
        found.len(),
        expected.len(),
        found.get(at),
        expected.get(at)
    ))
}
