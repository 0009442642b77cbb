//! State tables are a projection of the log: read the log, project it into a fresh database, compare.

use super::{
    bed::*,
    contract,
    world::{PEOPLE, ROOMS, World},
};
use serde_json::Value;
use stoa::storage::NewEvent;
use stoa_protocol::{ChatBody, Millis, Name, RoomEventBody, Seq};

contract! {
    tables_equal_their_log,
    tables_equal_their_log_after_erasures,
}

async fn tables_equal_their_log(bed: &Bed) {
    let mut world = World::begin(&*bed.store).await;
    world.live(&*bed.store, 60).await;
    compare(bed).await;
}

async fn tables_equal_their_log_after_erasures(bed: &Bed) {
    let mut world = World::begin(&*bed.store).await;
    world.live(&*bed.store, 25).await;
    let who = *world.random.pick(&PEOPLE);
    bed.store.erase_user(&user(who)).await.expect("erases");
    compare(bed).await;
    bed.sql("UPDATE rooms SET retention_days = 1 WHERE id = 'beta'").await;
    let gone = bed.store.expire_messages(time(Seq::ZERO) + 86_400_000 + 30_000, 1_000).await.expect("expires");
    assert!(gone.iter().all(|(id, seq)| *id == room("beta") && seq.value() < 30), "{gone:?}");
    bed.sql("UPDATE rooms SET retention_days = NULL WHERE id = 'beta'").await;
    compare(bed).await;
}

/// Rows of the log with what an erasure left of them.
async fn rows(bed: &Bed, id: &str) -> Vec<Value> {
    let rows = bed.dump("events").await;
    rows.into_iter().filter(|row| row["room"] == id).collect()
}

async fn compare(bed: &Bed) {
    let fresh = match &bed.place {
        Database::Sqlite(_) => Bed::sqlite().await,
        Database::Postgres { .. } => Bed::postgres().await,
    };
    for id in ROOMS {
        let mut tx = fresh.store.begin().await.expect("begins");
        tx.reserve(&[(room(id), epoch("fresh"))]).await.expect("reserves");
        tx.commit().await.expect("commits");
        for row in rows(bed, id).await {
            let place = at(row["seq"].as_u64().expect("a number"));
            let stub: Option<Value> = row["stub"].as_str().map(|stub| serde_json::from_str(stub).expect("JSON"));
            let body = match (row["body"].as_str(), &stub) {
                (Some(body), _) => serde_json::from_str(body).expect("an event"),
                (None, Some(stub)) => tombstone(stub),
                // An erased event without a stub left nothing in the tables.
                (None, None) => RoomEventBody::App { name: Name::new("app.erased").expect("legal"), data: None },
            };
            let at = row["at"].as_u64().expect("a number") as Millis;
            let from = row["sender"].as_str().map(user);
            let mut tx = fresh.store.begin().await.expect("begins");
            tx.lock(&[room(id)]).await.expect("locks");
            tx.append(&[NewEvent { room: room(id), seq: place, at, from, key: None, body }]).await.expect("appends");
            tx.commit().await.expect("commits");
            if stub.is_some() {
                let words = if matches!(bed.place, Database::Postgres { .. }) { ", words = '{}'" } else { "" };
                let erase = format!(
                    "UPDATE messages SET deleted = true, mention_all = false{words} WHERE room = '{id}' AND seq = {place}"
                );
                fresh.sql(&erase).await;
            }
        }
    }
    for table in ["rooms", "members", "bans", "pins", "messages", "reactions", "mentions"] {
        let (mut kept, mut rebuilt) = (bed.dump(table).await, fresh.dump(table).await);
        for row in kept.iter_mut().chain(&mut rebuilt) {
            row.as_object_mut().expect("a row").remove("epoch");
        }
        assert!(!kept.is_empty() || ["bans", "pins"].contains(&table), "{table} is empty: the test looks at nothing");
        // Row by row: a whole table in a failure helps nobody.
        for (kept, rebuilt) in kept.iter().zip(&rebuilt) {
            assert_eq!(kept, rebuilt, "{table}");
        }
        assert_eq!(kept.len(), rebuilt.len(), "{table}");
    }
    fresh.drop().await;
}

fn tombstone(stub: &Value) -> RoomEventBody {
    let link = |name: &str| stub[name].as_u64().map(at);
    let announcement = stub["announcement"] == true || stub["announcement"] == 1;
    RoomEventBody::ChatSent(ChatBody {
        thread: link("thread"),
        reply_to: link("reply_to"),
        announcement,
        ..ChatBody::default()
    })
}
