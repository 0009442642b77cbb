//! The real binary, started, killed and started again on the same port and data.

use super::{Client, Token, random_bytes, token, within};
use parking_lot::Mutex;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{
    net::TcpListener,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

/// Which database a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// SQLite in a folder of its own.
    Sqlite,
    /// A database of its own on the Postgres of `STOA_TEST_POSTGRES`.
    Postgres,
}

/// How a server is to be started.
#[derive(Debug, Clone)]
pub struct Setup {
    backend: Backend,
    variables: Vec<(String, String)>,
    through: Vec<String>,
    database: Option<String>,
}

impl Setup {
    /// With this database and what is configured by default.
    pub fn new(backend: Backend) -> Self {
        Self { backend, variables: vec![], through: vec![], database: None }
    }

    /// A node on this database, which other nodes have too, and with this Redis.
    pub fn node(database: &str, redis: &str) -> Self {
        let setup = Self::new(Backend::Postgres).variable("STOA_REDIS_URL", redis);
        Self { database: Some(database.to_owned()), ..setup }
    }

    /// A variable.
    pub fn variable(mut self, name: &str, value: impl ToString) -> Self {
        self.variables.push((name.to_owned(), value.to_string()));
        self
    }

    /// Limits that a flood of a test's own stays within.
    pub fn without_rates(self) -> Self {
        ["FRAMES_PER_S", "COMMANDS_PER_USER_S", "COMMANDS_PER_ROOM_S", "HISTORY_PER_S", "TYPING_PER_S"]
            .iter()
            .fold(self, |setup, rate| setup.variable(&format!("STOA_LIMITS_{rate}"), 1_000_000))
    }

    /// Starts it through another program, as `strace -o file`.
    pub fn through(mut self, program: &[&str]) -> Self {
        self.through = program.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Starts it and waits until it listens.
    pub async fn start(self) -> Server {
        let folder = tempfile::Builder::new().prefix("stoa-it-").tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("secret"), token::SECRET).expect("a file in the temporary folder");
        let database = match (&self.database, self.backend) {
            (Some(shared), _) => Some(shared.clone()),
            (None, Backend::Sqlite) => None,
            (None, Backend::Postgres) => Some(fresh_database().await),
        };
        let mut server =
            Server { setup: self, folder, database, port: 0, child: None, log: Arc::default(), collectors: vec![] };
        for attempt in 1.. {
            server.port = free_port();
            match server.spawn().await {
                Ok(()) => break,
                // Somebody else took the port between the look and the start.
                Err(_) if attempt < 5 && server.log().contains("in use") => {}
                Err(status) => panic!("the server ended with {status} before it listened\n{}", server.log()),
            }
        }
        server
    }
}

/// A running server. It is killed when this is dropped.
pub struct Server {
    setup: Setup,
    folder: TempDir,
    database: Option<String>,
    port: u16,
    child: Option<Child>,
    log: Arc<Mutex<String>>,
    /// They end when the process has closed its outputs: then the log is complete.
    collectors: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts one with what is configured by default.
    pub async fn start(backend: Backend) -> Self {
        Setup::new(backend).start().await
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The database's URL: that of Postgres, or of the SQLite file.
    pub fn database_url(&self) -> String {
        match &self.database {
            Some(url) => url.clone(),
            None => format!("sqlite://{}", self.data_dir().join("stoa.db").display()),
        }
    }

    /// Its data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file in the test's own folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Resident memory, KiB (proc(5)).
    pub fn rss_kib(&self) -> u64 {
        let id = self.child.as_ref().and_then(Child::id).expect("the server runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("the process's status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
    }

    /// Everything that it has logged, over all its lives.
    pub fn log(&self) -> String {
        self.log.lock().clone()
    }

    /// The log, for clients' failures.
    pub fn shared_log(&self) -> Arc<Mutex<String>> {
        self.log.clone()
    }

    /// A client of this user that has said hello.
    pub async fn client(&self, user: &str) -> Client {
        self.connect(&Token::of(user)).await
    }

    /// The same, as soon as the server takes one in: what it stands on may just have come back.
    pub async fn client_in_time(&self, user: &str) -> Client {
        let token = Token::of(user).sign();
        let taken_in = async {
            loop {
                let mut client = Client::dial(self).await;
                if client.try_hello(&token).await {
                    return client;
                }
            }
        };
        within("somebody to be taken in", || self.log(), taken_in).await
    }

    /// A client with this token that has said hello.
    pub async fn connect(&self, token: &Token) -> Client {
        let mut client = Client::dial(self).await;
        client.hello(&token.sign()).await;
        client
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(&mut self) {
        let child = self.child.as_mut().expect("the server runs");
        child.start_kill().expect("the child can be killed");
        within("the end of a killed server", String::new, child.wait()).await.expect("the child can be waited for");
        self.child = None;
        self.complete_log().await;
    }

    /// Stops the process where it is (SIGSTOP), or lets it go on (SIGCONT).
    pub fn freeze(&self, frozen: bool) {
        use rustix::process::{Pid, Signal, kill_process};
        let id = self.child.as_ref().and_then(Child::id).expect("the server runs");
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, if frozen { Signal::STOP } else { Signal::CONT }).expect("the child can be signalled");
    }

    /// SIGTERM, and waits until it has drained.
    pub async fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the server runs");
        let id = child.id().expect("the server runs");
        let pid = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the child can be signalled");
        let log = self.shared_log();
        let context = move || log.lock().clone();
        let status = within("the end of a stopped server", context, child.wait()).await;
        self.complete_log().await;
        status.expect("the child can be waited for")
    }

    async fn complete_log(&mut self) {
        for collector in self.collectors.drain(..) {
            within("the end of the server's outputs", String::new, collector).await.expect("the collector ends");
        }
    }

    /// Starts it again on the same port and data.
    pub async fn restart(&mut self) {
        assert!(self.child.is_none(), "the server was stopped before");
        if let Err(status) = self.spawn().await {
            panic!("the server ended with {status} at its restart\n{}", self.log());
        }
    }

    /// Starts the process and waits until it listens, or ends.
    async fn spawn(&mut self) -> Result<(), ExitStatus> {
        let mut command = self.command();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("is piped")).lines();
        self.collectors.push(tokio::spawn(collect(child.stderr.take().expect("is piped"), self.log.clone())));
        let log = self.shared_log();
        let listening = format!("listening on http://127.0.0.1:{}", self.port);
        let context = || format!("no `{listening}`\n{}", log.lock());
        let line = within("the server to listen", context, async {
            while let Some(line) = stdout.next_line().await.expect("UTF-8 on standard output") {
                if line.trim() == listening {
                    return true;
                }
                log.lock().push_str(&line);
            }
            false
        });
        if !line.await {
            return Err(child.wait().await.expect("the child can be waited for"));
        }
        self.collectors.push(tokio::spawn(collect(stdout.into_inner(), self.log.clone())));
        self.child = Some(child);
        Ok(())
    }

    fn command(&self) -> Command {
        let binary = env!("CARGO_BIN_EXE_stoa");
        let mut command = match self.setup.through.split_first() {
            Some((program, words)) => {
                let mut command = Command::new(program);
                command.args(words).arg(binary);
                command
            }
            None => Command::new(binary),
        };
        // Nothing of the developer's own configuration.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("STOA_")) {
            command.env_remove(name);
        }
        command.arg("serve").arg("--listen").arg(format!("127.0.0.1:{}", self.port));
        command.args(["--issuer", token::ISSUER, "--audience", token::AUDIENCE]);
        command.arg("--secret-file").arg(self.file("secret"));
        match &self.database {
            Some(url) => command.env("STOA_DATABASE_URL", url),
            None => command.arg("--data-dir").arg(self.data_dir()),
        };
        command.envs(self.setup.variables.iter().cloned());
        command
    }
}

async fn collect(stream: impl AsyncRead + Unpin, log: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut log = log.lock();
        log.push_str(&line);
        log.push('\n');
    }
}

/// A port below the range that the system gives to outgoing connections (from 32,768 on): a client that dials while
/// its server is down could otherwise be given the server's own port, and talk to itself.
pub fn free_port() -> u16 {
    loop {
        let port = 12_000 + u16::from_le_bytes(random_bytes()[..2].try_into().expect("two bytes")) % 8_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Makes a database and tells its URL.
pub async fn fresh_database() -> String {
    let base = std::env::var("STOA_TEST_POSTGRES").expect(
        "STOA_TEST_POSTGRES is not set; run `make test`, or `scripts/with-services.sh cargo test --test it NAME`",
    );
    let name = format!("stoa_test_{:032x}", u128::from_le_bytes(random_bytes()));
    let mut admin = PgConnection::connect(&base).await.expect("the Postgres of STOA_TEST_POSTGRES");
    let create = format!("CREATE DATABASE {name}");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await.expect("the right to create databases");
    admin.close().await.expect("an orderly end");
    let mut url = url::Url::parse(&base).expect("STOA_TEST_POSTGRES is a URL");
    url.set_path(&name);
    url.into()
}
