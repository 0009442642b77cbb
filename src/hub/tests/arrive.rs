//! Coming to another node, and a node that comes.

use super::*;
use nodes::{secs, together};

#[tokio::test]
async fn who_was_told_more_elsewhere_goes_on_from_there_on_a_node_that_has_not_heard_it() {
    let (nodes, mut ada, mut ben) = together().await;
    nodes.pass(secs(2)).await;
    nodes.cut(1, true);
    ada.send("r", "k", "not rung").await;
    let epoch = ada.open("r").await["epoch"].clone();
    let seq = ada.wait(|got| got["type"] == "chat.sent").await["seq"].clone();
    let mut again = nodes.nodes[1].enter("ada").await;
    let since = json!({"epoch": epoch, "seq": seq});
    let opened = again.ask(json!({"type": "room.open", "room": "r", "since": since})).await;
    let opened = &opened["result"];
    assert_eq!((&opened["seq"], &opened["head"]), (&seq, &seq), "{opened}");
    assert!(opened["reset"].is_null() && opened["snapshot"].is_null(), "the cursor is good: {opened}");
    // What was read for one is told to all.
    assert_eq!(ben.wait(|got| got["type"] == "chat.sent").await["text"], "not rung");
}

#[tokio::test]
async fn a_node_that_starts_knows_who_is_on_the_others_before_anybody_comes() {
    let (mut nodes, _ada, _ben) = together().await;
    nodes.pass(secs(2)).await;
    let at = nodes.begin().await;
    nodes.nodes[at].hub.arrive().await;
    let mut ben = nodes.nodes[at].enter("ben").await;
    let opened = ben.open("r").await;
    let here = opened["snapshot"]["presence"].as_array().cloned().unwrap_or_default();
    assert!(here.iter().any(|p| p["user"] == "ada" && p["state"] == "online"), "{opened}");
}
