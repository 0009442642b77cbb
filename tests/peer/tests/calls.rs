//! Two participants of another stack than a browser's call each other through the real server.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use stoa_peer::{Options, Peer, Report};
use stoa_protocol::RoomId;
use tempfile::TempDir;

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A development server on a port of its own: anybody may join the lobby, and loopback addresses pass.
struct Server {
    child: Child,
    address: String,
    folder: TempDir,
}

/// Beside the programs of the tests, where `cargo build` puts it.
fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("the test's own path");
    let built = own.ancestors().nth(2).expect("target/debug").join("stoa");
    let binary = std::env::var_os("STOA_BIN").map_or(built, PathBuf::from);
    assert!(binary.exists(), "{} is missing: cargo build --package stoa", binary.display());
    binary
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new(binary())
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server runs");
        let mut lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let line = lines.next().expect("it says where it listens").expect("UTF-8");
        let address = line.strip_prefix("listening on http://").expect("it listens").to_owned();
        Self { child, address, folder }
    }

    fn token(&self, user: &str) -> String {
        let output = Command::new(binary())
            .args(["token", "--dev", "--user", user, "--data-dir"])
            .arg(self.folder.path())
            .output()
            .expect("a token");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("a token").trim().to_owned()
    }

    async fn peer(&self, user: &str, start: bool) -> Who {
        let options = Options {
            server: self.address.clone(),
            token: self.token(user),
            room: RoomId::new("lobby").expect("legal"),
            start,
            local: "127.0.0.1:0".into(),
        };
        let peer = Peer::join(options).await.expect("a participant");
        Who { name: user.to_owned(), peer, told: vec![] }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A participant and what it has told.
struct Who {
    name: String,
    peer: Peer,
    told: Vec<Report>,
}

impl Who {
    /// Waits until it has told something like this.
    async fn tells(&mut self, what: &str, is_it: impl Fn(&Report) -> bool) -> Report {
        let (name, told) = (&self.name, &mut self.told);
        let wait = async {
            loop {
                let report = self.peer.next().await.unwrap_or_else(|error| panic!("{name}: {error:#}"));
                told.push(report.clone());
                if is_it(&report) {
                    return report;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(report) => report,
            Err(_) => panic!("{} waited in vain for {what}; told: {:?}", self.name, self.told),
        }
    }

    async fn joins(&mut self) -> u64 {
        match self.tells("the call", |report| matches!(report, Report::Joined { .. })).await {
            Report::Joined { call, .. } => call,
            other => panic!("{other:?}"),
        }
    }

    /// Media of both kinds comes, and goes on coming.
    async fn hears_and_sees(&mut self) {
        for _ in 0..2 {
            let (seen, heard) = self.media();
            let more = |report: &Report| matches!(report, Report::Packets { video, audio, .. } if *video > seen + 10 && *audio > heard + 10);
            self.tells("media", more).await;
        }
    }

    /// Packets of pictures and of sound that it has told of.
    fn media(&self) -> (u64, u64) {
        let packets = self.told.iter().rev().find_map(|report| match report {
            Report::Packets { video, audio, .. } => Some((*video, *audio)),
            _ => None,
        });
        packets.unwrap_or_default()
    }
}

/// Both in one call, with the connection up on both sides.
async fn connected(server: &Server) -> (Who, Who) {
    let mut ada = server.peer("ada", true).await;
    let call = ada.joins().await;
    let mut ben = server.peer("ben", false).await;
    assert_eq!(ben.joins().await, call);
    for who in [&mut ada, &mut ben] {
        who.tells("the connection", |report| matches!(report, Report::Up { .. })).await;
    }
    (ada, ben)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_another_stack_exchange_data_and_media_through_the_signaling_alone() {
    let server = Server::start();
    let (mut ada, mut ben) = connected(&server).await;
    let polite = |who: &Who| who.told.iter().any(|report| matches!(report, Report::Linked { polite: true, .. }));
    assert_ne!(polite(&ada), polite(&ben), "one of two is polite");
    ada.hears_and_sees().await;
    ben.hears_and_sees().await;
    // The polite end opens the data channel.
    let (speaker, listener) = if polite(&ada) { (&mut ada, &mut ben) } else { (&mut ben, &mut ada) };
    speaker.peer.say("hello over there").await;
    let said = |report: &Report| matches!(report, Report::Words { words, .. } if words == "hello over there");
    listener.tells("the words", said).await;
    ben.peer.leave().await.expect("an orderly end");
    ada.tells("the end of the link", |report| matches!(report, Report::Unlinked { .. })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_goes_on_while_the_socket_is_lost_and_negotiation_after_it() {
    let server = Server::start();
    let (mut ada, mut ben) = connected(&server).await;
    ada.hears_and_sees().await;
    ada.peer.cut().await;
    ada.tells("the socket again", |report| matches!(report, Report::Back)).await;
    ben.hears_and_sees().await;
    ada.hears_and_sees().await;
    let links = ada.told.iter().filter(|report| matches!(report, Report::Linked { .. })).count();
    assert_eq!(links, 1, "the connection is the same: {:?}", ada.told);
    ada.peer.renegotiate(false).await;
    ada.tells("the negotiation to settle", |report| matches!(report, Report::Settled { .. })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_negotiate_at_once_again_and_again_and_always_settle() {
    let server = Server::start();
    let (mut ada, mut ben) = connected(&server).await;
    for _ in 0..20 {
        tokio::join!(ada.peer.renegotiate(false), ben.peer.renegotiate(false));
        for who in [&mut ada, &mut ben] {
            who.tells("the negotiation to settle", |report| matches!(report, Report::Settled { .. })).await;
        }
    }
    ada.hears_and_sees().await;
    ben.hears_and_sees().await;
}
