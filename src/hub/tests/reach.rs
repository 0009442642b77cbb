//! A store that stops answering, on the virtual clock.

use super::*;

impl World {
    /// Moves the clock while the store answers nobody: nothing may wait for it.
    async fn pass_cut_off(&self, time: Duration) {
        for _ in 0..time.as_millis().div_ceil(250) {
            self.clock.advance(Duration::from_millis(250));
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
    }
}

#[tokio::test]
async fn without_the_store_for_five_seconds_nobody_is_taken_in_and_nothing_begins_while_calls_go_on() {
    let world = World::new().await;
    let (mut ada, mut ben, mut cyn) = (world.enter("ada").await, world.enter("ben").await, world.enter("cyn").await);
    ada.create("r", &["ben", "cyn"]).await;
    ben.open("r").await;
    let started = ada.ask(json!({"type": "call.start", "key": "start", "room": "r"})).await;
    let call = started["result"]["call"]["call"].as_u64().expect("a call");
    let joined = ben.ask(json!({"type": "call.join", "key": "join", "room": "r", "call": call})).await;
    let link = joined["result"]["call"]["links"][0]["link"].as_str().expect("a link").to_owned();
    world.pass(Duration::from_secs(10)).await;

    // Whoever has the one connection that writes keeps everybody else from it.
    let held = world.hub.store.begin().await.expect("the store answers");
    // The last answer is a second old at most.
    world.pass_cut_off(Duration::from_millis(3_750)).await;
    assert!(!world.hub.is_cut_off(), "rooms are opened for five seconds after the last answer");
    world.pass_cut_off(Duration::from_millis(2_500)).await;
    assert!(world.hub.is_cut_off(), "no room is opened after that");
    let asks = [
        json!({"type": "room.open", "room": "r"}),
        json!({"type": "member.add", "key": "a", "room": "r", "user": "dan"}),
        json!({"type": "call.start", "key": "b", "room": "r"}),
        json!({"type": "call.join", "key": "c", "room": "r", "call": call}),
    ];
    for ask in asks {
        let refused = cyn.ask(ask.clone()).await;
        assert_eq!(refused["code"], "unavailable", "{ask} gets {refused}");
        assert!(refused["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{refused}");
    }
    let refused = ada.ask(json!({"type": "doc.open", "room": "r", "document": "board"})).await;
    assert_eq!(refused["code"], "unavailable", "{refused}");
    let candidate = json!({"kind": "candidate", "candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "mid": "0"});
    let said = json!({
        "type": "call.signal", "room": "r", "call": call, "link": link, "epoch": 1, "n": 1, "signal": candidate
    });
    assert_eq!(ada.ask(said).await["type"], "ack", "running media continues");
    ben.wait(|got| got["type"] == "call.signal").await;

    drop(held);
    world.pass(Duration::from_secs(2)).await;
    cyn.open("r").await;
}
