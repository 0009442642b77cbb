//! What happens to whoever has a document open: another life of the content, rights that are taken away, a connection
//! that is read slowly, a name that is not one's own.

use super::{a_room, notes, peer::Peer};
use crate::harness::{Backend, Server, Setup, commands::*, fresh_key, user};
use serde_json::json;
use sqlx::Connection;
use stoa_protocol::{Command, DocDelete, DocumentId, Refusal, Role};
use yrs::{Map, Transact};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_content_begins_a_new_life_everybody_is_told_and_nothing_of_the_old_is_merged() {
    let server = Server::start(Backend::Sqlite).await;
    let (_host, id) = a_room(&server, "lives").await;
    let mut ada = Peer::open(&server, "ada", &id).await;
    let mut ben = Peer::open(&server, "ben", &id).await;
    ada.draw("old", 1).await;
    ada.all_saved().await;
    ben.has_drawn("old", 1).await;
    let before = ada.epoch.clone();
    // As a store that was set back to a backup: the rows are those of another life.
    let mut store = sqlx::SqliteConnection::connect(&server.database_url()).await.expect("the database");
    for sql in [
        "UPDATE document_states SET epoch = 'another', head = 0, folded = 0, content = NULL",
        "DELETE FROM document_updates",
    ] {
        sqlx::query(sql).execute(&mut store).await.expect("changes");
    }
    // The next save finds it.
    ada.draw("lost", 2).await;
    assert_eq!(ada.refused().await, Refusal::Internal, "it was not saved, and its author is told");
    for peer in [&mut ada, &mut ben] {
        assert_eq!(peer.told_reset().await, "another");
        peer.begin_anew().await;
        assert_eq!(peer.entries(), [], "nothing of the old life");
    }
    ben.draw("new", 3).await;
    ben.all_saved().await;
    ada.has_drawn("new", 3).await;
    // Whoever comes back with the old epoch learns it before anything is merged.
    let mut vic = Peer::open(&server, "vic", &id).await;
    assert_ne!(vic.epoch, before);
    assert_eq!(vic.entries(), [("new".to_owned(), "3".to_owned())]);
    vic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_is_deleted_and_made_again_is_another_and_its_neighbours_lose_nothing() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut host, id) = a_room(&server, "again").await;
    host.commit(notes(&id)).await;
    let mut ada = Peer::open_document(&server, "ada", &id, "notes").await;
    let mut board = Peer::open(&server, "ben", &id).await;
    ada.draw("old", 1).await;
    ada.all_saved().await;
    let before = ada.epoch.clone();
    let gone = DocDelete { room: id.clone(), key: fresh_key(), document: DocumentId::new("notes").expect("legal") };
    // Edits of another document are on their way meanwhile.
    for value in 0..50 {
        board.draw("drawn", value).await;
    }
    host.commit(Command::DocDelete(gone)).await;
    for value in 50..100 {
        board.draw("drawn", value).await;
    }
    ada.told_closed().await;
    host.commit(notes(&id)).await;
    ada.open_channel(20).await;
    assert_ne!(ada.epoch, before, "a replica of before must not be merged");
    ada.begin_anew().await;
    assert_eq!(ada.entries(), []);
    board.all_saved().await;
    assert_eq!(board.refusals(), []);
    let fresh = Peer::open(&server, "vic", &id).await;
    assert_eq!(fresh.entries(), [("drawn".to_owned(), "99".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_is_taken_away_ends_the_right_to_edit_at_once() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut host, id) = a_room(&server, "roles").await;
    let mut ben = Peer::open(&server, "ben", &id).await;
    ben.draw("bens", 1).await;
    ben.all_saved().await;
    let mut demoted = change(&id, &user("ben"));
    demoted.role = Some(Role::Viewer);
    host.commit(Command::MemberUpdate(demoted)).await;
    assert!(!ben.told_rights().await);
    ben.draw("bens", 2).await;
    assert_eq!(ben.refused().await, Refusal::Forbidden);
    let mut promoted = change(&id, &user("ben"));
    promoted.role = Some(Role::Member);
    host.commit(Command::MemberUpdate(promoted)).await;
    assert!(ben.told_rights().await, "and given back");
    ben.begin_anew().await;
    ben.draw("bens", 3).await;
    ben.all_saved().await;
    host.commit(ban(&id, &user("ben"))).await;
    ben.told_closed().await;
    // What comes on the closed channel is passed over; the connection goes on.
    ben.draw("bens", 4).await;
    ben.say(json!({"type": "ping", "id": 30})).await;
    ben.answer(30).await;
    let fresh = Peer::open(&server, "ada", &id).await;
    assert_eq!(fresh.entries(), [("bens".to_owned(), "3".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_gets_what_it_missed_as_one_update_in_pieces() {
    let server = Setup::new(Backend::Sqlite).without_rates().start().await;
    let (_host, id) = a_room(&server, "slow").await;
    let mut ada = Peer::open(&server, "ada", &id).await;
    let mut ben = Peer::open(&server, "ben", &id).await;
    let pieces = ben.pieces;
    // Much more than a mailbox and two sockets hold, of which little is left at the end.
    for round in 0..60u32 {
        for key in 0..8u32 {
            let map = ada.editor.doc.get_or_insert_map("map");
            let update = {
                let mut txn = ada.editor.doc.transact_mut();
                map.insert(&mut txn, format!("k{key}"), round.to_string().repeat(16_000));
                txn.encode_update_v1()
            };
            ada.send_edit(&update).await;
        }
        ada.all_saved().await;
    }
    ada.draw("end", 1).await;
    ada.all_saved().await;
    ben.has_drawn("end", 1).await;
    assert_eq!(ben.editor.content(), ada.editor.content());
    assert_eq!(ben.snapshot(), ada.snapshot());
    assert!(ben.pieces > pieces, "it came in pieces");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_asks_again_in_the_middle_of_a_large_answer_gets_both_whole() {
    let server = Setup::new(Backend::Sqlite).without_rates().start().await;
    let (_host, id) = a_room(&server, "asking").await;
    let mut ada = Peer::open(&server, "ada", &id).await;
    // More than the sockets' buffers hold.
    for key in 0..14u32 {
        let map = ada.editor.doc.get_or_insert_map("map");
        let update = {
            let mut txn = ada.editor.doc.transact_mut();
            map.insert(&mut txn, format!("k{key}"), "0123456789".repeat(100_000));
            txn.encode_update_v1()
        };
        ada.send_edit(&update).await;
        ada.all_saved().await;
    }
    let mut ben = Peer::open(&server, "ben", &id).await;
    ben.begin_anew().await;
    for _ in 0..3 {
        ben.synchronise().await;
    }
    ada.draw("end", 1).await;
    ada.all_saved().await;
    ben.has_drawn("end", 1).await;
    assert_eq!(ben.editor.content(), ada.editor.content());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_appears_under_anothers_name_or_client_id() {
    let server = Server::start(Backend::Sqlite).await;
    let (_host, id) = a_room(&server, "names").await;
    let mut ada = Peer::open(&server, "ada", &id).await;
    let mut ben = Peer::open(&server, "ben", &id).await;
    ada.draw("mine", 1).await;
    ada.all_saved().await;
    let ((adas, _), (bens, _)) = (ada.own_end(), ben.own_end());
    let lie = json!({"user": {"id": "ada", "name": "Ada", "color": "#f00", "admin": true}, "cursor": {"x": 1}});
    ben.appear(bens, 1, &lie.to_string()).await;
    ada.sees("ben's cursor", |there| there.contains_key(&bens)).await;
    let told = json!({"user": {"id": "ben", "name": "ben", "color": "#f00"}, "cursor": {"x": 1}});
    assert_eq!(ada.there[&bens], told);
    // Under the id of another's edits, and of another's cursor.
    ben.appear(adas, 1_000, &lie.to_string()).await;
    let mut vic = Peer::open(&server, "vic", &id).await;
    vic.appear(bens, 1_000, &json!({"cursor": {"x": 666}}).to_string()).await;
    let mut cleared = json!({"cursor": {"x": 2}});
    ben.appear(bens, 2, &cleared.to_string()).await;
    ada.sees("ben's next cursor", |there| there[&bens]["cursor"]["x"] == 2).await;
    assert!(!ada.there.contains_key(&adas), "nobody speaks for ada");
    cleared["user"] = json!({"id": "ben", "name": "ben"});
    assert_eq!(ada.there[&bens], cleared);
    // Too large, or no object: passed over.
    ben.appear(bens, 3, &json!({"cursor": "x".repeat(9_000)}).to_string()).await;
    ben.appear(bens, 4, "[1]").await;
    ben.appear(bens, 5, &json!({"cursor": {"x": 5}}).to_string()).await;
    ada.sees("ben's last cursor", |there| there[&bens]["cursor"]["x"] == 5).await;
    ben.close().await;
    ada.sees("ben to be gone", |there| !there.contains_key(&bens)).await;
}
