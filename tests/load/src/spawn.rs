//! Servers that the generator starts for itself: Stoa, and the two peers that it is compared with. Each listens on a
//! free port of this machine, tells it in a line, and ends with the value that holds it.

use crate::{
    target::{Node, PATH, Service, Target},
    token::Mint,
};
use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::VecDeque,
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

/// How long a server may take until it listens: a new database has tables to make.
const START: Duration = Duration::from_secs(60);
/// How long a server may take to end before it is killed.
const STOP: Duration = Duration::from_secs(15);
/// The words before the address, in Stoa's output and the peers'.
const LISTENING: &str = "listening on http://";
/// Lines of output that are kept to tell why a server did not start.
const LINES: usize = 40;
/// Bounds of Stoa that would measure themselves here: a generator's few users send what many would.
const WIDE: [(&str, &str); 6] = [
    ("STOA_LIMITS_COMMANDS_PER_USER_S", "1000000"),
    ("STOA_LIMITS_COMMANDS_PER_ROOM_S", "1000000"),
    ("STOA_LIMITS_FRAMES_PER_S", "1000000"),
    ("STOA_LIMITS_UNAUTHENTICATED_PER_ADDRESS", "100000"),
    ("STOA_LIMITS_CONNECTIONS", "1000000"),
    ("STOA_LIMITS_HELLO_MS", "60000"),
];

/// How to start Stoa.
#[derive(Debug, Clone)]
pub struct Stoa {
    /// The binary.
    pub binary: PathBuf,
    /// Processes.
    pub nodes: usize,
    /// The database; SQLite in a folder of its own without it.
    pub database_url: Option<String>,
    /// What the nodes hear each other by; several need one.
    pub redis_url: Option<String>,
    /// Further arguments of `stoa serve`.
    pub args: Vec<String>,
    /// Further variables, over the wide limits.
    pub env: Vec<(String, String)>,
}

/// A running server.
pub struct Server {
    /// How to reach it.
    pub target: Target,
    /// In the order of the target's nodes.
    children: Vec<Child>,
    folder: Option<Folder>,
}

/// A folder that goes with its value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let random = getrandom::u64().map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let path = std::env::temp_dir().join(format!("stoa-load-{random:016x}"));
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}

impl Server {
    /// Starts `stoa serve` on a new secret, as often as there are nodes.
    ///
    /// # Errors
    /// It does not come to listen within a minute; its last words are told.
    pub fn stoa(stoa: &Stoa) -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        let (file, key) = (folder.0.join("secret"), folder.0.join("cluster-key"));
        let secret = random_secret()?;
        write_secret(&file, &secret)?;
        write_secret(&key, &random_secret()?)?;
        let data = folder.0.join("data");
        let serve = || {
            let mut command = Command::new(&stoa.binary);
            command.arg("serve").args(["--listen", "127.0.0.1:0", "--secret-file"]).arg(&file);
            // Variables, for a flag shows in the process list and a URL may hold a password.
            match &stoa.database_url {
                Some(url) => command.env("STOA_DATABASE_URL", url),
                None => command.arg("--data-dir").arg(&data),
            };
            if let Some(url) = &stoa.redis_url {
                command.env("STOA_REDIS_URL", url).arg("--cluster-key-file").arg(&key);
            }
            command.args(&stoa.args).envs(WIDE).envs(stoa.env.iter().cloned());
            command
        };
        let mut server = Self::start("stoa", serve(), Mint::new(secret), Some(folder))?;
        for _ in 1..stoa.nodes {
            let further = Self::start("stoa", serve(), Mint::new(*b"none"), None)?;
            server.take_in(further);
        }
        let urls = [("postgres", &stoa.database_url), ("redis", &stoa.redis_url)];
        let services = urls.into_iter().filter_map(|(name, url)| Service::of_url(name, url.as_deref()?));
        server.target.services = services.collect();
        Ok(server)
    }

    /// Another process of the same server.
    fn take_in(&mut self, mut further: Self) {
        self.target.others.push(further.target.node);
        self.children.append(&mut further.children);
    }

    /// Starts the bare broadcast server of this crate, from the binary that runs or the one that is named.
    ///
    /// # Errors
    /// It does not come to listen.
    pub fn floor(binary: Option<&Path>) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("this program has no path")?;
        let mut command = Command::new(binary.unwrap_or(&own));
        command.args(["floor", "--listen", "127.0.0.1:0"]);
        Self::start("floor", command, Mint::new(*b"none"), None)
    }

    /// Starts the script on npm's `ws`, after `npm ci` when its packages are not there.
    ///
    /// # Errors
    /// There is no Node.js, or the packages cannot be had.
    pub fn ws(folder: &Path) -> anyhow::Result<Self> {
        Self::script("ws", folder)
    }

    /// Starts y-websocket's server for Yjs documents, in memory; else as [`Server::ws`].
    ///
    /// # Errors
    /// As there.
    pub fn y_websocket(folder: &Path) -> anyhow::Result<Self> {
        Self::script("y-websocket", folder)
    }

    fn script(name: &str, folder: &Path) -> anyhow::Result<Self> {
        if !folder.join("node_modules/.package-lock.json").is_file() {
            eprintln!("installing the packages of {} (npm ci)", folder.display());
            let status = Command::new("npm")
                .args(["ci", "--omit=optional", "--no-audit", "--no-fund"])
                .current_dir(folder)
                .status();
            ensure!(status.context("npm does not run")?.success(), "npm ci failed in {}", folder.display());
        }
        let mut command = Command::new("node");
        command.arg(folder.join(format!("{name}.mjs")));
        Self::start(name, command, Mint::new(*b"none"), None)
    }

    fn start(name: &str, mut command: Command, mint: Mint, folder: Option<Folder>) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        let (told, addresses) = mpsc::channel();
        let lines = Arc::<Mutex<VecDeque<String>>>::default();
        if let Some(out) = child.stdout.take() {
            listen_to(out, told.clone(), lines.clone());
        }
        if let Some(err) = child.stderr.take() {
            listen_to(err, told, lines.clone());
        }
        let pid = child.id();
        let node = Node { addr: ([127, 0, 0, 1], 0).into(), pid: Some(pid) };
        let target = Target { name: name.into(), node, others: vec![], services: vec![], path: PATH.into(), mint };
        // From here on the child ends with this value, also when what follows fails.
        let mut server = Self { target, children: vec![child], folder };
        match addresses.recv_timeout(START) {
            Ok(addr) => server.target.node.addr = addr,
            Err(_) => {
                let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                let words: Vec<&str> = lines.iter().map(String::as_str).collect();
                bail!("{name} did not come to listen; it said:\n{}", words.join("\n"));
            }
        }
        Ok(server)
    }

    /// The folder with its data, when it has one.
    pub fn data_dir(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.0.join("data"))
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        for child in &mut self.children {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            if let (None, Some(pid)) = (child.try_wait()?, pid) {
                kill_process(pid, Signal::TERM)?;
            }
        }
        let begun = Instant::now();
        for child in &mut self.children {
            while child.try_wait()?.is_none() {
                if begun.elapsed() > STOP {
                    eprintln!("{} does not end and is killed", self.target.name);
                    child.kill()?;
                    child.wait()?;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{} cannot be ended: {error}", self.target.name);
        }
    }
}

fn random_secret() -> anyhow::Result<String> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(secret.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn write_secret(file: &Path, secret: &str) -> anyhow::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    file.write_all(secret.as_bytes())?;
    Ok(())
}

/// Reads a server's output to its end, so that it never blocks, and hands on the address.
fn listen_to(
    output: impl std::io::Read + Send + 'static,
    told: mpsc::Sender<SocketAddr>,
    lines: Arc<Mutex<VecDeque<String>>>,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(addr) = address(&line) {
                // Nobody waits any more when it says so twice.
                let _ = told.send(addr);
            }
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == LINES {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    });
}

fn address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(LISTENING)?;
    let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || ".:[]".contains(c))).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_a_line_of_any_log() {
        let wanted: SocketAddr = "127.0.0.1:4567".parse().expect("legal");
        for line in [
            "listening on http://127.0.0.1:4567",
            "2026-01-01T00:00:00Z  INFO stoa: listening on http://127.0.0.1:4567/ (dev)",
            r#"{"message":"listening on http://127.0.0.1:4567","level":"INFO"}"#,
        ] {
            assert_eq!(address(line), Some(wanted), "{line}");
        }
        assert_eq!(address("listening on a hill"), None);
    }
}
