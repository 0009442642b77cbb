//! The row "content": stored as data, given back as it came, and inert in the log.

use super::*;
use crate::harness::Token;
use serde_json::json;
use stoa_protocol::{ChatSend, Data, Hello, Message, Reply, RoomEventBody};

/// Texts that mean something to a browser, a terminal, a database or a template.
const TEXTS: [&str; 9] = [
    "<script>alert(document.cookie)</script><img src=x onerror=alert(1)>",
    "[click](javascript:alert(1)) javascript:alert(1) data:text/html,<script>1</script>",
    "\u{202e}gnp.exe \u{2066}isolated\u{2069} \u{200b}zero",
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m \r\nINFO forged line",
    "'; DROP TABLE messages; -- \\ % _ $1 ?1",
    "{{constructor.constructor('alert(1)')()}} ${7*7} <%= 7*7 %>",
    "\u{fffd}\u{ffff}\u{10ffff}\u{e000} \u{feff}",
    "اَلْعَرَبِيَّةُ 👩‍👩‍👧‍👦 Z̷̢̛͎a̴l̵g̶o",
    "\"},{\"type\":\"ack\",\"id\":1}",
];

async fn last_message(client: &mut Client, room: &RoomId) -> Message {
    let reply = client.ask(Command::ChatHistory(history(room))).await;
    let Reply::Messages { messages, .. } = reply else { panic!("{reply:?}") };
    messages.last().expect("a message").clone()
}

#[tokio::test]
async fn texts_with_a_meaning_elsewhere_are_data_here() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let server = Setup::new(backend).without_rates().start().await;
        let mut bystanders = Bystanders::of(&server).await;
        let id = bystanders.room.clone();
        for text in TEXTS {
            let data = json!({ text: [text] });
            let data = Data::new(data.as_object().expect("an object").clone()).expect("legal data");
            let send = ChatSend { data: Some(data.clone()), ..words(&id, text) };
            let seq = bystanders.ben.commit(Command::ChatSend(send)).await;
            bystanders.ada.reach(&id, seq).await;
            let event = bystanders.ada.journal.events(&id).last().expect("an event").clone();
            let RoomEventBody::ChatSent(sent) = event.body else { panic!("{event:?}") };
            assert_eq!((sent.text.as_str(), sent.data), (text, Some(data.clone())));
            let stored = last_message(&mut bystanders.ada, &id).await;
            assert_eq!((stored.text.as_str(), stored.data), (text, Some(data)));
            let mut change = update(&id);
            (change.title, change.topic) = (Some(text.into()), Some(text.into()));
            bystanders.ada.commit(Command::RoomUpdate(change)).await;
            let info = bystanders.ben.open(&id).await.snapshot.expect("a snapshot").info;
            assert_eq!((info.title.as_str(), info.topic.as_str()), (text, text));
        }
        bystanders.are_unaffected(&server).await;
    }
}

#[tokio::test]
async fn a_hundred_kibibytes_of_combining_marks_are_too_much_and_sixteen_are_data() {
    let server = server().await;
    let mut bystanders = Bystanders::of(&server).await;
    let id = bystanders.room.clone();
    let marks = |bytes: usize| format!("e{}", "\u{301}".repeat((bytes - 1) / 2));
    let most = marks(stoa_protocol::limits::TEXT_BYTES - 1);
    let seq = bystanders.ben.commit(say(&id, &most)).await;
    bystanders.ada.reach(&id, seq).await;
    assert_eq!(last_message(&mut bystanders.ada, &id).await.text, most);
    let fault = bystanders.ben.refused(say(&id, &marks(20 * 1024)), ErrorCode::BadRequest).await;
    assert_eq!(fault.field.as_deref(), Some("text"));
    let mut mallory = server.client("mallory").await;
    mallory.send(say(&id, &marks(100 * 1024))).await;
    assert_eq!(mallory.closed().await.code, Some(1009));
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn terminal_escapes_stay_out_of_the_log() {
    let mut server = Setup::new(Backend::Sqlite).variable("STOA_LOG", "trace").start().await;
    let bystanders = Bystanders::of(&server).await;
    let nasty = "\u{1b}[31m\u{202e}evil\u{7}\r\nERROR forged";
    let mut mallory = Client::dial(&server).await;
    let token = Token::of("mallory").claim("name", json!(nasty)).sign();
    let client = Some(nasty.to_owned());
    let hello = Hello { token: token.clone(), session: None, user: None, list: false, device: None, client };
    mallory.hello_with(hello).await;
    mallory.send_text(&format!(r#"{{"type":{},"id":1}}"#, json!(nasty))).await;
    refusal(&mut mallory, "a command of escapes").await;
    let secret = "the words nobody may read in a log";
    let id = bystanders.room.clone();
    mallory.refused(say(&id, secret), ErrorCode::NotFound).await;
    let forged = format!("{nasty}.e30.{nasty}");
    let misdirected = Token::of("mallory").claim("aud", json!(nasty)).sign();
    for token in [forged, misdirected] {
        let mut stranger = Client::dial(&server).await;
        let hello = Hello { token, session: None, user: None, list: false, device: None, client: None };
        stranger.refused(Command::Hello(hello), ErrorCode::Unauthorized).await;
    }
    bystanders.are_unaffected(&server).await;
    server.stop().await;
    let log = server.log();
    let control = |c: char| (c.is_control() && c != '\n' && c != '\t') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert_eq!(log.lines().filter(|line| line.contains("token refused")).count(), 2, "a line each: {log}");
    assert!(log.contains("evil"), "what was refused is shown, inert: {log}");
    let bad: Vec<_> = log.lines().filter(|line| line.chars().any(control)).collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert!(!log.lines().any(|line| line.starts_with("ERROR forged")), "{log}");
    assert!(!log.contains(secret), "a body is in the log");
    let signature = token.rsplit('.').next().expect("a signature");
    assert!(!log.contains(signature), "a token is in the log");
}

#[tokio::test]
async fn names_of_people_are_one_line_and_within_bounds() {
    let server = server().await;
    let bystanders = Bystanders::of(&server).await;
    let long = format!("<b>{}", "é".repeat(10_000));
    let mut client = Client::dial(&server).await;
    let token = Token::of("mallory").claim("name", json!("a\nb\u{1b}[0m<script>")).sign();
    let welcome = client.hello(&token).await;
    assert!(!welcome.profile.name.chars().any(char::is_control), "{:?}", welcome.profile.name);
    assert!(welcome.profile.name.contains("<script>"), "data, and rendered inert by who shows it");
    // A token that is larger than a stranger's frame is too large.
    let mut large = Client::dial(&server).await;
    let token = Token::of("mallory").claim("name", json!(long)).sign();
    let hello = Hello { token, session: None, user: None, list: false, device: None, client: None };
    large.send(Command::Hello(hello)).await;
    assert_eq!(large.closed().await.code, Some(1009));
    bystanders.are_unaffected(&server).await;
}
