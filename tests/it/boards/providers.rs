//! The unmodified y-websocket provider, in processes of its own.

use super::{a_room, notes, peer::Peer};
use crate::harness::{Backend, Server, Token, is_long};
use std::{path::Path, process::Stdio};
use tokio::process::{Child, Command};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/yjs")
}

fn provider(server: &Server, user: &str, seed: u64) -> Child {
    let seconds = if is_long() { "180" } else { "10" };
    Command::new("node")
        .arg("editor.mjs")
        .args([&server.port().to_string(), "yjs", "notes", &Token::of(user).sign(), seconds, &seed.to_string()])
        .current_dir(folder())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .expect("node is there")
}

async fn outcome(child: Child) -> String {
    let output = child.wait_with_output().await.expect("the process ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).expect("UTF-8").lines().last().expect("a last line").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_unmodified_providers_end_equal_to_each_other_and_to_what_is_stored() {
    let mut server = Server::start(Backend::Sqlite).await;
    let (mut host, id) = a_room(&server, "yjs").await;
    host.commit(notes(&id)).await;
    let (ada, ben) = (provider(&server, "ada", 1), provider(&server, "ben", 2));
    let (ada, ben) = tokio::join!(outcome(ada), outcome(ben));
    assert_eq!(ada, ben, "both replicas are equal");
    assert!(ada.contains("from-ada") && ada.contains("from-ben"), "each has what the other wrote: {ada}");
    server.stop().await;
    server.restart().await;
    // What the server has on disk, read by one that has seen nothing.
    let reader = Command::new("node")
        .arg("reader.mjs")
        .args([&server.port().to_string(), "yjs", "notes", &Token::of("vic").sign()])
        .current_dir(folder())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node is there");
    assert_eq!(outcome(reader).await, ada, "and equal to what is stored");
    let mut board = Peer::open(&server, "ada", &id).await;
    board.settle().await;
    assert!(!server.log().contains("ticket="), "no ticket is in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_types_before_the_synchronisation_is_asked_for_what_is_lacking_and_stays_connected() {
    let server = Server::start(Backend::Sqlite).await;
    let (_host, id) = a_room(&server, "yjs").await;
    let hasty = Command::new("node")
        .arg("hasty.mjs")
        .args([&server.port().to_string(), "yjs", "board", &Token::of("ada").sign()])
        .current_dir(folder())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .expect("node is there");
    let told: serde_json::Value = serde_json::from_str(&outcome(hasty).await).expect("JSON");
    assert_eq!(told["refused"], 0, "nothing is called a refusal that comes again by itself");
    assert_eq!(told["closed"], serde_json::json!([]), "the connection stays");
    let mut board = Peer::open(&server, "ben", &id).await;
    board.settle().await;
    let typed = told["typed"].as_u64().expect("a number");
    assert_eq!(board.entries().len() as u64, typed, "everything arrived");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_server_stopped_two_providers_differ() {
    let mut server = Server::start(Backend::Sqlite).await;
    let (_host, _id) = a_room(&server, "yjs").await;
    let port = server.port();
    server.stop().await;
    let offline = |user: &str, seed: &str| {
        Command::new("node")
            .arg("editor.mjs")
            .args([&port.to_string(), "yjs", "board", "offline", "2", seed, user])
            .current_dir(folder())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node is there")
    };
    let (ada, ben) = tokio::join!(outcome(offline("ada", "1")), outcome(offline("ben", "2")));
    assert_ne!(ada, ben, "nothing goes past the server");
}
