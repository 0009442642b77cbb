//! The relay: a real coturn with the configuration that is shipped, and credentials as this server hands them out.

mod client;

use crate::{
    harness::{Backend, Server, Setup, Token, now_ms, within},
    http::Asker,
};
use client::{Allocation, Family, Refused, Turn};
use std::{fs, net::IpAddr, path::Path, process::Stdio};
use stoa_protocol::{ConnectionCheck, IceServer, IceServers, http::RoomView};
use stoa_signaling::turn::Credentials;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

/// What `user-quota` of the shipped configuration says.
const QUOTA: usize = 64;
/// STUN's codes for refusals (RFC 8656, section 19).
const UNAUTHENTICATED: u16 = 401;
const FORBIDDEN: u16 = 403;
const QUOTA_REACHED: u16 = 486;

/// Hosts that must never be reached through the relay, whatever the configuration file's ranges look like.
const INNER_HOSTS: [&str; 25] = [
    "0.0.0.0",
    "10.0.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.251",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "2001:0:a00:1::1",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
];
/// Public hosts. Nothing is sent to them: a permission only lets packets pass.
const OUTER_HOSTS: [&str; 6] = ["1.1.1.1", "9.255.255.255", "11.0.0.0", "172.32.0.0", "2606:4700::1", "2a00::1"];

/// The coturn that `scripts/with-services.sh` has started.
struct Coturn {
    port: u16,
    secret_file: String,
    log: String,
}

impl Coturn {
    fn running() -> Self {
        let variable = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| {
                panic!("{name} is not set; run `make test`, or `scripts/with-services.sh cargo test --test it turn::`")
            })
        };
        Self {
            port: variable("STOA_TEST_TURN_PORT").parse().expect("a port"),
            secret_file: variable("STOA_TEST_TURN_SECRET_FILE"),
            log: variable("STOA_TEST_TURN_LOG"),
        }
    }

    fn secret(&self) -> Vec<u8> {
        fs::read(&self.secret_file).expect("the secret of coturn").trim_ascii_end().to_vec()
    }

    fn url(&self) -> String {
        format!("turn:127.0.0.1:{}?transport=tcp", self.port)
    }

    /// A server that shares the secret.
    async fn stoa(&self) -> Server {
        let setup = Setup::new(Backend::Sqlite).without_rates();
        let setup = setup.variable("STOA_TURN_URL", self.url()).variable("STOA_TURN_SECRET_FILE", &self.secret_file);
        setup.variable("STOA_STUN_URL", format!("stun:127.0.0.1:{}", self.port)).start().await
    }

    async fn allocate(&self, credentials: &Credentials, family: Family) -> Result<Allocation, Refused> {
        within("an allocation", String::new, async {
            Turn::connect(self.port).await.allocate(&credentials.username, &credentials.password, family).await
        })
        .await
    }

    /// Credentials that are good for a minute more.
    fn credentials(&self, whom: &str) -> Credentials {
        Credentials::new(&self.secret(), whom, now_ms() / 1000 + 60)
    }
}

fn relay_of(servers: &IceServers) -> Credentials {
    let is_turn = |server: &&IceServer| server.urls.iter().any(|url| url.starts_with("turn:"));
    let turn = servers.servers.iter().find(is_turn).expect("a TURN server");
    Credentials {
        username: turn.username.clone().expect("a name"),
        password: turn.credential.clone().expect("a password"),
    }
}

/// The `denied-peer-ip` of the configuration.
fn denied_ranges(configuration: &str) -> Vec<(IpAddr, IpAddr)> {
    let lines = configuration.lines().filter_map(|line| line.strip_prefix("denied-peer-ip="));
    lines
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or_else(|| panic!("{range} is not first-last"));
            let address = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text} is no address"));
            (address(first), address(last))
        })
        .collect()
}

fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("turn-config/turnserver.conf");
    fs::read_to_string(path).expect("the shipped configuration")
}

/// Lines in which coturn says that it did not understand its configuration.
fn complaints(log: &str) -> Vec<&str> {
    let words = ["wrong address", "error resolving", "bad configuration", "unknown argument", "error:"];
    log.lines().filter(|line| words.iter().any(|word| line.to_lowercase().contains(word))).collect()
}

#[tokio::test]
async fn what_the_server_hands_out_opens_the_relay_and_names_nobody() {
    let coturn = Coturn::running();
    let server = coturn.stoa().await;
    let ada = Asker::user(&server, "ada@school.example");
    ada.put("/v1/rooms/r", serde_json::json!({"kind": "group"})).await.json::<RoomView>(201);
    let servers: IceServers = ada.post("/v1/rooms/r/ice", serde_json::json!({})).await.json(200);
    assert_eq!(servers.servers[0].urls, [format!("stun:127.0.0.1:{}", coturn.port)]);
    let (refresh_at, expires_at) = (servers.refresh_at.expect("TURN"), servers.expires_at.expect("TURN"));
    assert!(refresh_at < expires_at, "there is time to ask again");
    let credentials = relay_of(&servers);
    assert!(!credentials.username.contains("ada"), "{}", credentials.username);
    coturn.allocate(&credentials, Family::V4).await.expect("an allocation");

    let check: ConnectionCheck = ada.get("/v1/check").await.json(200);
    assert_eq!((check.user.as_str(), check.address.as_str()), ("ada@school.example", "127.0.0.1"));
    assert_eq!((check.websocket.as_str(), check.secure), ("/v1/ws", false));
    assert!(check.ice.expires_at < Some(expires_at), "a check needs less time");
    let of_check = relay_of(&check.ice);
    let name = |credentials: &Credentials| credentials.username.split_once(':').expect("a colon").1.to_owned();
    assert_eq!(name(&of_check), name(&credentials), "a user has one name at the relay, so that limits hold");
    coturn.allocate(&of_check, Family::V4).await.expect("an allocation");

    let eve = Asker::with(&server, &Token::of("eve"));
    eve.post("/v1/rooms/r/ice", serde_json::json!({})).await.problem(404);
    let log = server.log();
    assert!(!log.contains(&credentials.password) && !log.contains(&of_check.password), "no password in the log");
}

#[tokio::test]
async fn the_relay_refuses_what_is_expired_or_made_with_another_secret() {
    let coturn = Coturn::running();
    let (secret, now_s) = (coturn.secret(), now_ms() / 1000);
    coturn.allocate(&coturn.credentials("somebody"), Family::V4).await.expect("an allocation");
    let good = coturn.credentials("somebody");
    for bad in [
        Credentials::new(&secret, "somebody", now_s - 1),
        Credentials::new(b"another secret of some length", "somebody", now_s + 60),
        // Whoever has good ones cannot make them last, or be another.
        Credentials { username: format!("{}:somebody", now_s + 6_000), ..good.clone() },
        Credentials { username: good.username.replace("somebody", "anybody"), ..good },
    ] {
        let refused = coturn.allocate(&bad, Family::V4).await.expect_err("no allocation");
        assert_eq!(refused.code, UNAUTHENTICATED, "{bad:?}: {refused:?}");
    }
}

#[tokio::test]
async fn the_relay_reaches_no_host_of_a_denied_range() {
    let coturn = Coturn::running();
    let ranges = denied_ranges(&shipped());
    assert!(ranges.len() > 30, "only {} ranges were found", ranges.len());
    let ends = ranges.iter().flat_map(|(first, last)| [*first, *last]);
    let inner = ends.chain(INNER_HOSTS.iter().map(|text| text.parse().expect("an address")));
    let credentials = coturn.credentials("denied");
    let mut v4 = coturn.allocate(&credentials, Family::V4).await.expect("an allocation");
    let mut v6 = coturn.allocate(&credentials, Family::V6).await.expect("an allocation for IPv6");
    for peer in inner {
        let allocation = if peer.is_ipv4() { &mut v4 } else { &mut v6 };
        let permission = allocation.permit(peer).await.expect_err("a denied peer").code;
        let channel = allocation.bind(peer).await.expect_err("a denied peer").code;
        assert_eq!((permission, channel), (FORBIDDEN, FORBIDDEN), "{peer}");
    }
    for peer in OUTER_HOSTS.map(|text| text.parse::<IpAddr>().expect("an address")) {
        let allocation = if peer.is_ipv4() { &mut v4 } else { &mut v6 };
        allocation.permit(peer).await.unwrap_or_else(|refused| panic!("{peer}: {refused:?}"));
        allocation.bind(peer).await.unwrap_or_else(|refused| panic!("{peer}: {refused:?}"));
    }
}

#[tokio::test]
async fn a_user_has_so_many_allocations_whatever_the_credentials_and_others_have_theirs() {
    let coturn = Coturn::running();
    let now_s = now_ms() / 1000;
    let mut held = Vec::new();
    for n in 0..QUOTA {
        let credentials = Credentials::new(&coturn.secret(), "greedy", now_s + 60 + n as u64);
        let allocation = coturn.allocate(&credentials, Family::V4).await;
        held.push(allocation.unwrap_or_else(|refused| panic!("allocation {n}: {refused:?}")));
    }
    let refused = coturn.allocate(&coturn.credentials("greedy"), Family::V4).await.expect_err("no allocation more");
    assert_eq!(refused.code, QUOTA_REACHED);
    coturn.allocate(&coturn.credentials("modest"), Family::V4).await.expect("another user's");
    drop(held);
}

#[tokio::test]
async fn coturn_understood_every_line_of_the_configuration() {
    let coturn = Coturn::running();
    // The round trip shows that it has read its configuration.
    coturn.allocate(&coturn.credentials("reader"), Family::V4).await.expect("an allocation");
    let log = fs::read_to_string(&coturn.log).expect("the log of coturn");
    assert_eq!(complaints(&log), Vec::<&str>::new());
    let shipped = shipped();
    for range in shipped.lines().filter_map(|line| line.strip_prefix("denied-peer-ip=")) {
        assert!(log.contains(&format!("listing: {range}\n")), "{range} is not in effect");
    }
}

/// What the test before looks for is what coturn says.
#[tokio::test]
async fn a_range_that_coturn_skips_is_found_in_its_log() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("turnserver.conf");
    fs::write(&file, format!("{}denied-peer-ip=10.0.0.0/8\nno-such-thing\n", shipped())).expect("a configuration");
    let mut child = Command::new("turnserver")
        .arg("-c")
        .arg(&file)
        // It ends at once after it has read the configuration: that is no address of this machine.
        .args(["--listening-ip", "192.0.2.1", "--relay-ip", "192.0.2.1", "--static-auth-secret", "0123456789abcdef"])
        .arg("--pidfile")
        .arg(folder.path().join("pid"))
        .arg("--userdb")
        .arg(folder.path().join("db"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("turnserver runs; scripts/set-up.sh coturn tells how to get it");
    let mut lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
    let mut said = String::new();
    within("coturn to complain", String::new, async {
        while let Ok(Some(line)) = lines.next_line().await {
            said.push_str(&line);
            said.push('\n');
            if line.contains("Version Coturn") {
                break;
            }
        }
    })
    .await;
    let found = complaints(&said);
    assert!(found.iter().any(|line| line.contains("10.0.0.0/8")), "{said}");
    assert!(found.iter().any(|line| line.contains("no-such-thing")), "{said}");
}
