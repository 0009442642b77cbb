//! A Redis of a test's own, which may be stopped, starved and killed.

use super::PATIENCE;
use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running Redis that keeps nothing. It is killed when this is dropped.
pub struct Redis {
    child: Option<Child>,
    folder: tempfile::TempDir,
    arguments: Vec<String>,
    /// Where it listens, without TLS unless it was started with it.
    pub port: u16,
}

impl Redis {
    /// Starts one with further arguments; `{port}` in them is its port.
    pub async fn start(arguments: &[&str]) -> Self {
        // Somebody may take the port before Redis does: then another one is tried.
        for _ in 0..5 {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
            let dir = folder.path().display().to_string();
            let mut all: Vec<String> = ["--bind", "127.0.0.1", "--save", "", "--dir", &dir].map(Into::into).into();
            if !arguments.contains(&"--port") {
                all.extend(["--port".into(), port.to_string()]);
            }
            all.extend(arguments.iter().map(|text| text.replace("{port}", &port.to_string())));
            let mut redis = Self { child: None, folder, arguments: all, port };
            if redis.run().await {
                return redis;
            }
        }
        panic!("Redis does not start");
    }

    /// Its address, without a password.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it again, where it was.
    pub async fn restart(&mut self) {
        assert!(self.child.is_none(), "it runs");
        assert!(self.run().await, "it does not start again");
    }

    async fn run(&mut self) -> bool {
        let log = self.folder.path().join("log");
        let file = fs::File::create(&log).expect("a log");
        let mut child = Command::new("redis-server")
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed: scripts/set-up.sh redis tells how to get it");
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if fs::read_to_string(&log).is_ok_and(|text| text.contains("Ready to accept connections")) {
                self.child = Some(child);
                return true;
            }
            if child.try_wait().expect("it can be asked").is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let child = self.child.as_ref().expect("it runs");
        let pid = rustix::process::Pid::from_raw(child.id() as i32).expect("a process");
        rustix::process::kill_process(pid, signal).expect("it can be signalled");
    }

    /// Freezes it: connections stand, and nothing comes back.
    pub fn freeze(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

/// Runs a command of `redis-cli`; tells what it printed.
pub fn redis_cli(url: &str, arguments: &[&str]) -> String {
    let output = Command::new("redis-cli").args(["-u", url]).args(arguments).output().expect("redis-cli is installed");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
}
