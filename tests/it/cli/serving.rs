//! `stoa serve` as a process, as far as its configuration goes.

use crate::auth::{Folder, SECRET, TestKey};
use rustls::{
    ServerConfig, ServerConnection, Stream,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

/// Longer than anything here takes; reached only when something never happens.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that ends with its test.
struct Serving(Child);

impl Serving {
    fn start(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stoa"));
        command.arg("serve").args(["--data-dir", "data", "--listen", "127.0.0.1:0"]).args(arguments);
        command.env_clear().envs(variables.iter().copied()).current_dir(folder.path());
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started"))
    }

    /// Waits until it listens, and tells where.
    fn address(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
        line.trim().strip_prefix("listening on http://").expect("listens").to_owned()
    }

    /// Asks it to end; tells its exit code and its log.
    fn end(mut self) -> (Option<i32>, String) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told");
        let mut log = String::new();
        self.0.stderr.take().expect("piped").read_to_string(&mut log).expect("UTF-8");
        (self.0.wait().expect("ended").code(), log)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An identity provider over TLS; it tells who asked, or why the handshake failed.
fn provider(config: ServerConfig, body: String) -> (u16, mpsc::Receiver<Result<String, String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let (tell, told) = mpsc::channel();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            // The test may have heard enough.
            let _ = tell.send(serve(socket, &config, &body).map_err(|error| error.to_string()));
        }
    });
    (port, told)
}

fn serve(mut socket: TcpStream, config: &Arc<ServerConfig>, body: &str) -> std::io::Result<String> {
    let mut tls = ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
    let mut stream = Stream::new(&mut tls, &mut socket);
    let mut lines = BufReader::new(&mut stream).lines();
    let first = lines.next().ok_or(std::io::ErrorKind::UnexpectedEof)??;
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())?;
    stream.flush()?;
    Ok(first)
}

#[test]
fn a_key_set_comes_from_a_provider_that_the_machine_trusts() {
    let folder = Folder::new();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let authority = folder.file("authority.pem", made.cert.pem());
    let own = rcgen::generate_simple_self_signed(["another".to_owned()]).expect("made");
    let other = folder.file("other.pem", own.cert.pem());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("supported")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("fits");
    let body = json!({"keys": [TestKey::es256().published("k")]}).to_string();
    let (port, asked) = provider(config, body);
    let url = format!("https://localhost:{port}/keys.json?secret=hunter2");
    let arguments = ["--jwks-url", &url, "--issuer", "https://localhost", "--audience", "stoa"];
    let end = |authority: &str| {
        let mut serving = Serving::start(&folder, &arguments, &[("SSL_CERT_FILE", authority), ("STOA_LOG", "debug")]);
        serving.address();
        let first = asked.recv_timeout(PATIENCE).expect("asked");
        let (code, log) = serving.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("hunter2"), "{log}");
        (first, log)
    };
    let (first, log) = end(&authority);
    assert_eq!(first.as_deref(), Ok("GET /keys.json?secret=hunter2 HTTP/1.1"), "{log}");
    assert!(log.contains("key set read"), "{log}");
    // One that is not trusted gives no keys, and the server runs without them.
    let (first, log) = end(&other);
    assert!(first.is_err(), "{first:?}");
    assert!(log.contains("key set not read"), "{log}");
}

#[test]
fn a_secret_is_not_in_the_process_list_nor_in_the_log() {
    let folder = Folder::new();
    let mut serving = Serving::start(&folder, &[], &[("STOA_SECRET", SECRET), ("STOA_LOG", "trace")]);
    serving.address();
    let line = std::fs::read(format!("/proc/{}/cmdline", serving.0.id())).expect("it runs");
    assert!(!String::from_utf8_lossy(&line).contains(SECRET));
    let (code, log) = serving.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn an_address_that_is_taken_is_no_usage_error() {
    let folder = Folder::new();
    let mut first = Serving::start(&folder, &["--dev"], &[]);
    let address = first.address();
    let ended = super::stoa(&folder, &["serve", "--dev", "--data-dir", "other", "--listen", &address], &[]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains(&address), "{}", ended.err);
}

#[test]
fn one_file_has_one_server_and_backups_beside_it() {
    let folder = Folder::new();
    let mut first = Serving::start(&folder, &["--dev"], &[]);
    first.address();
    let mut second = Serving::start(&folder, &["--dev"], &[]);
    let mut told = String::new();
    second.0.stderr.take().expect("piped").read_to_string(&mut told).expect("UTF-8");
    assert!(!second.0.wait().expect("ended").success());
    assert!(told.contains("another process serves") && told.contains("stoa.db"), "{told}");
    let mut backup = Command::new(env!("CARGO_BIN_EXE_stoa"));
    backup.args(["backup", "--data-dir", "data", "--to", "copy.db"]).env_clear().current_dir(folder.path());
    assert!(backup.output().expect("ran").status.success(), "a backup is taken beside a server");
    first.0.kill().expect("killed");
    first.0.wait().expect("ended");
    let mut third = Serving::start(&folder, &["--dev"], &[]);
    third.address();
    assert_eq!(third.end().0, Some(0));
}

#[test]
fn a_server_that_is_told_to_end_while_it_starts_ends_at_once() {
    // A provider that takes the connection and says nothing keeps the start waiting for its keys.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://127.0.0.1:{}/jwks", silent.local_addr().expect("bound").port());
    let folder = Folder::new();
    let serving = Serving::start(&folder, &["--jwks-url", &url, "--issuer", "x", "--audience", "stoa"], &[]);
    let asked = silent.accept().expect("it asks for the keys");
    let (code, log) = serving.end();
    assert_eq!(code, Some(0), "{log}");
    drop(asked);
}
