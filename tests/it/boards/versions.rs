//! Versions: by name, by time, and set back by a new edit that everybody gets.

use super::{a_room, notes, peer::Peer};
use crate::harness::{Backend, Server};
use serde_json::{Value, json};
use stoa_protocol::RoomId;
use yrs::{Array, Map, Text, Transact};

/// Asks for something of a document, and waits for the answer.
async fn ask(peer: &mut Peer, id: u64, mut what: Value, room: &RoomId, document: &str) -> Value {
    (what["id"], what["room"], what["document"]) = (json!(id), json!(room), json!(document));
    peer.say(what).await;
    let answer = peer.answer(id).await;
    assert_eq!(answer["type"], "ack", "{answer}");
    answer["result"].clone()
}

async fn versions(peer: &mut Peer, id: u64, room: &RoomId, document: &str) -> Vec<(u64, String)> {
    let page = ask(peer, id, json!({"type": "doc.versions"}), room, document).await;
    let versions = page["versions"].as_array().expect("a list").iter();
    versions
        .map(|one| (one["version"].as_u64().expect("a number"), one["reason"].as_str().unwrap_or("").to_owned()))
        .collect()
}

/// Makes something of every kind: text with marks, values, types within types.
fn fill(peer: &Peer) -> Vec<u8> {
    let doc = &peer.editor.doc;
    let (text, map, array) =
        (doc.get_or_insert_text("text"), doc.get_or_insert_map("map"), doc.get_or_insert_array("array"));
    let mut txn = doc.transact_mut();
    text.insert(&mut txn, 0, "the first words 😀");
    text.format(&mut txn, 4, 5, [("bold".into(), true.into())].into());
    map.insert(&mut txn, "shape", yrs::MapPrelim::from([("x", 1), ("y", 2)]));
    map.insert(&mut txn, "plain", "value");
    array.insert_range(&mut txn, 0, [1, 2, 3]);
    txn.encode_update_v1()
}

/// Changes, deletes and adds.
fn spoil(peer: &Peer) -> Vec<u8> {
    let doc = &peer.editor.doc;
    let (text, map, array) =
        (doc.get_or_insert_text("text"), doc.get_or_insert_map("map"), doc.get_or_insert_array("array"));
    let mut txn = doc.transact_mut();
    let (words, things) = (text.len(&txn), array.len(&txn));
    text.remove_range(&mut txn, 0, words.min(10));
    text.insert(&mut txn, 2, "nonsense");
    map.remove(&mut txn, "shape");
    map.insert(&mut txn, "plain", "another");
    map.insert(&mut txn, "new", "thing");
    array.remove_range(&mut txn, 0, things);
    txn.encode_update_v1()
}

async fn set_back(document: &str) {
    let mut server = Server::start(Backend::Sqlite).await;
    let (mut host, id) = a_room(&server, "versions").await;
    host.commit(notes(&id)).await;
    let mut ada = Peer::open_document(&server, "ada", &id, document).await;
    let mut ben = Peer::open_document(&server, "ben", &id, document).await;
    let filled = fill(&ada);
    ada.send_edit(&filled).await;
    ada.all_saved().await;
    let good = ada.editor.content();
    let kept = ask(&mut ada, 10, json!({"type": "doc.version.save", "title": "good"}), &id, document).await;
    let named = kept["version"]["version"].as_u64().expect("a number");
    ben.synchronise().await;
    ben.settle().await;
    let spoilt = spoil(&ben);
    ben.send_edit(&spoilt).await;
    ben.all_saved().await;
    let bad = ben.editor.content();
    assert_ne!(bad, good);

    // By name, while others are there.
    let before = ask(&mut ada, 11, json!({"type": "doc.restore", "version": named}), &id, document).await;
    let before = before["version"]["version"].as_u64().expect("a number");
    // The answer came when it was saved, so whoever asks now gets it.
    let mut reader = Peer::open_document(&server, "vic", &id, document).await;
    assert_eq!(reader.editor.content(), good, "restored for whoever comes");
    for peer in [&mut ada, &mut ben] {
        while peer.editor.content() != good {
            peer.read("the restored content").await;
        }
    }
    // A new edit: nothing of before is gone from the history, and everybody goes on.
    assert!(ada.holds(&spoilt) && ben.holds(&filled));
    ben.draw("after", 1).await;
    ben.all_saved().await;
    ada.has_drawn("after", 1).await;

    // And back again to what was there before.
    ask(&mut ada, 12, json!({"type": "doc.restore", "version": before}), &id, document).await;
    while ben.editor.content() != bad {
        ben.read("what was there before").await;
    }
    assert!(ben.entries().is_empty(), "what came after the version is not in it");

    // By time: one is kept when the document leaves memory.
    server.stop().await;
    server.restart().await;
    ada.reopen(&server).await;
    let kept = versions(&mut ada, 13, &id, document).await;
    let reasons: Vec<&str> = kept.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(reasons, ["time", "restore", "restore", "named"]);
    let spoilt = spoil(&ada);
    ada.send_edit(&spoilt).await;
    ada.all_saved().await;
    ask(&mut ada, 14, json!({"type": "doc.restore", "version": kept[0].0}), &id, document).await;
    while ada.editor.content() != bad {
        ada.read("what was kept by time").await;
    }
    // Whoever may not edit may not set back.
    reader.reopen(&server).await;
    reader.say(json!({"type": "doc.restore", "id": 15, "room": id, "document": document, "version": named})).await;
    assert_eq!(reader.answer(15).await["code"], "forbidden");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_is_set_back_to_a_named_version_and_to_one_kept_by_time() {
    set_back("board").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_are_set_back_to_a_named_version_and_to_one_kept_by_time() {
    set_back("notes").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_larger_than_one_update_may_be_is_set_back_too() {
    let server = Server::start(Backend::Sqlite).await;
    let (_host, id) = a_room(&server, "large").await;
    let mut ada = Peer::open(&server, "ada", &id).await;
    for at in 0..4u32 {
        let map = ada.editor.doc.get_or_insert_map("map");
        let update = {
            let mut txn = ada.editor.doc.transact_mut();
            map.insert(&mut txn, format!("k{at}"), at.to_string().repeat(600_000));
            txn.encode_update_v1()
        };
        ada.send_edit(&update).await;
    }
    ada.all_saved().await;
    let good = ada.editor.content();
    let kept = ask(&mut ada, 10, json!({"type": "doc.version.save", "title": "large"}), &id, "board").await;
    let map = ada.editor.doc.get_or_insert_map("map");
    let emptied = {
        let mut txn = ada.editor.doc.transact_mut();
        map.clear(&mut txn);
        txn.encode_update_v1()
    };
    ada.send_edit(&emptied).await;
    ada.all_saved().await;
    ask(&mut ada, 11, json!({"type": "doc.restore", "version": kept["version"]["version"]}), &id, "board").await;
    while ada.editor.content() != good {
        ada.read("the restored content").await;
    }
    let fresh = Peer::open(&server, "ben", &id).await;
    assert_eq!(fresh.editor.content(), good);
}
