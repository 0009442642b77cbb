//! Edits that the store does not take, for all to see.

use super::{Peer, a_room};
use crate::{
    harness::{Backend, Setup, within},
    http::Asker,
};
use sqlx::{Connection, SqliteConnection};
use std::time::Duration;
use stoa_protocol::http::{Alive, Readiness};

/// Asks until so many documents are unsaved.
async fn until_unsaved(nobody: &Asker, documents: u64) {
    let what = format!("{documents} unsaved documents in health");
    let told = async {
        while nobody.get("/v1/health").await.json::<Alive>(200).unsaved_documents != documents {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(&what, String::new, told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_that_cannot_be_saved_are_shown_until_they_are_and_told_saved_only_then() {
    let server = Setup::new(Backend::Sqlite).without_rates().start().await;
    let nobody = Asker::nobody(&server);
    let (_host, id) = a_room(&server, "unsaved").await;
    let mut ada = Peer::open(&server, "ada", &id).await;
    ada.draw("before", 1).await;
    ada.all_saved().await;
    until_unsaved(&nobody, 0).await;

    // Somebody else holds the database's one lock for writing; whoever reads is still answered.
    let mut other = SqliteConnection::connect(&server.database_url()).await.expect("the database of the server");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("the lock");
    ada.draw("meanwhile", 2).await;
    until_unsaved(&nobody, 1).await;
    let metrics = nobody.get("/metrics").await.is(200).text();
    assert!(metrics.contains("stoa_documents_unsaved 1\n"), "{metrics}");
    assert!(!ada.is_all_saved(), "nothing is told to be saved that is not");

    sqlx::query("ROLLBACK").execute(&mut other).await.expect("the lock is given back");
    ada.all_saved().await;
    until_unsaved(&nobody, 0).await;
    let mut fresh = Peer::open(&server, "ben", &id).await;
    fresh.same_as(&mut ada).await;
    let ready: Readiness = nobody.get("/v1/ready").await.json(200);
    assert!(ready.ready && ready.unsaved_documents == 0);
}
