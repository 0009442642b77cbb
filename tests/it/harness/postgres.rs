//! A Postgres of a test's own, which may be killed, frozen and put behind another one.

use super::{PATIENCE, free_port, within};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running server with its folder. It is killed when this is dropped.
pub struct Postgres {
    child: Option<Child>,
    folder: tempfile::TempDir,
    port: u16,
}

impl Postgres {
    /// Starts an empty one.
    pub async fn start() -> Self {
        let folder = owned_folder();
        let data = folder.path().join("data");
        let options = ["-U", "stoa", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
        run(program("initdb").arg("-D").arg(&data).args(options));
        let mut postgres = Self { child: None, folder, port: 0 };
        postgres.open().await;
        postgres
    }

    /// Starts a synchronous standby: what this server acknowledges from now on, both have on disk.
    pub async fn standby(&self) -> Self {
        let folder = owned_folder();
        let data = folder.path().join("data");
        let primary = format!("host=127.0.0.1 port={} user=stoa application_name=standby", self.port);
        let options = ["-R", "-X", "stream", "--checkpoint=fast", "--no-sync"];
        run(program("pg_basebackup").args(["-d", &primary]).arg("-D").arg(&data).args(options));
        let mut standby = Self { child: None, folder, port: 0 };
        standby.open().await;
        self.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'").await;
        self.sql("SELECT pg_reload_conf()").await;
        const SYNC: &str = "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'";
        self.becomes("the standby to be synchronous", SYNC).await;
        standby
    }

    /// Makes the standby a server that writes.
    pub async fn promote(&self) {
        self.sql("SELECT pg_promote()").await;
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes a database and tells its URL, by way of a port that leads here.
    pub async fn database(&self, port: u16) -> String {
        self.sql("CREATE DATABASE stoa").await;
        format!("postgres://stoa@127.0.0.1:{port}/stoa")
    }

    /// Kills all its processes at once, as a crash of the machine would but for the disk's own cache.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        // Stopped first, so that it starts nothing more while its children are looked up.
        signal(child.id(), rustix::process::Signal::STOP);
        let children = children(child.id());
        for id in &children {
            signal(*id, rustix::process::Signal::KILL);
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        // They are nobody's children now, and nobody tells when they have let the shared memory go.
        while children.iter().any(|id| is_running(*id)) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Starts it again, where it was.
    pub async fn restart(&mut self) {
        assert!(self.child.is_none(), "it was killed before");
        assert!(self.run().await, "it does not start again:\n{}", self.log());
    }

    /// Starts it on a port that nobody has.
    async fn open(&mut self) {
        for _ in 0..5 {
            self.port = free_port();
            if self.run().await {
                return;
            }
        }
        panic!("Postgres does not start:\n{}", self.log());
    }

    /// Starts it and waits until it answers; `false` when it ends instead.
    async fn run(&mut self) -> bool {
        let log = fs::File::options().create(true).append(true).open(self.log_file()).expect("a log");
        let folder = self.folder.path();
        let mut child = program("postgres")
            .arg("-D")
            .arg(folder.join("data"))
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"])
            .arg("-k")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it runs");
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if child.try_wait().expect("it can be asked").is_some() {
                return false;
            }
            if let Ok(conn) = PgConnection::connect(&self.admin()).await {
                drop(conn);
                self.child = Some(child);
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.child = Some(child);
        panic!("Postgres does not answer:\n{}", self.log());
    }

    fn admin(&self) -> String {
        format!("postgres://stoa@127.0.0.1:{}/postgres", self.port)
    }

    /// Runs a statement as its superuser.
    pub async fn sql(&self, sql: &str) {
        let mut conn = PgConnection::connect(&self.admin()).await.expect("connects");
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.expect("runs");
        conn.close().await.expect("closes");
    }

    /// Asks until the answer is yes: the server gives no sign.
    async fn becomes(&self, what: &str, question: &str) {
        let mut conn = PgConnection::connect(&self.admin()).await.expect("connects");
        let answered = async {
            while !sqlx::query(AssertSqlSafe(question.to_owned()))
                .fetch_one(&mut conn)
                .await
                .expect("runs")
                .get::<bool, _>(0)
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within(what, || self.log(), answered).await;
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

/// Who Postgres runs as: it refuses to be root.
fn owner() -> Option<(u32, u32)> {
    rustix::process::geteuid().is_root().then(|| {
        let id = |what: &str, user: &str| {
            let output = Command::new("id").args([what, user]).output().expect("id is there");
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        let of = |user| Some((id("-u", user)?, id("-g", user)?));
        of("postgres").or_else(|| of("nobody")).expect("a user without rights")
    })
}

fn owned_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if let Some((user, group)) = owner() {
        chown(folder.path(), Some(user), Some(group)).expect("it can be given away");
    }
    folder
}

/// One of Postgres' own programs.
fn program(name: &str) -> Command {
    let bin = std::env::var("STOA_POSTGRES_BIN").expect(
        "STOA_POSTGRES_BIN is not set; run `make test`, or `scripts/with-services.sh cargo test --test it NAME`",
    );
    let mut command = Command::new(Path::new(&bin).join(name));
    if let Some((user, group)) = owner() {
        command.uid(user).gid(group);
    }
    command.current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A process's state and parent (proc(5)); they come behind its name, which may have anything in it.
fn state(id: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut words = stat.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}

fn is_running(id: u32) -> bool {
    state(id).is_some_and(|(state, _)| state != "Z" && state != "X")
}

fn children(of: u32) -> Vec<u32> {
    let ids =
        fs::read_dir("/proc").expect("processes").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| state(*id).is_some_and(|(_, parent)| parent == of)).collect()
}

fn signal(id: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
    // One that has just ended needs none.
    let _ = rustix::process::kill_process(pid, signal);
}
