//! The process: everything is made, owned and ended here.
//!
//! Ending is one way only: not ready, stop accepting, tell clients to go with a delay spread over the drain window,
//! write what was accepted, close, exit 0. What a kill leaves behind is what the next start finds: nothing here is
//! needed for promise 1.

use crate::{
    auth::{Auth, Minter},
    clock::{Clock, SystemClock},
    cluster::{self, BootId, Bus, BusHealth, ClusterKey, Redis},
    config::{self, ClusterConfig, Config, Database, Secret},
    gateway::{self, Lifetime, TrustedProxies, WsEndpoint, api},
    hub::{Cluster, Hub, HubHandler, Parts, Tasks},
    ice::Ice,
    metrics::Metrics,
    storage::{self, SharedStore},
};
use anyhow::Context;
use sha2::{Digest, Sha256};
use std::{
    fs::{File, TryLockError},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use stoa_protocol::{Millis, RoomCreated, RoomId, RoomKind, UserId, http::BusReadiness};
use stoa_rooms::{Actor, Intent};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Writer lanes on Postgres: commits of different rooms overlap, and each lane holds one connection.
const LANES: usize = 4;
/// Least time that the end leaves for sockets to take what waits.
const CLOSING: Duration = Duration::from_secs(5);
/// Descriptors beside those of clients: the store, the listener, the log.
const OWN_FILES: u64 = 64;
/// What other nodes said and waits to be heard. When it is full the bus waits, and with it Redis for this node alone.
const HEARD: usize = 4_096;

/// Runs the server until SIGTERM or SIGINT.
///
/// # Errors
/// Whatever keeps it from starting: the store, the address, the certificate.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::caught()?;
    raise_open_files(config.limits.connections);
    let config = Arc::new(config);
    // Nobody was told that it listens yet, and nothing that a kill would not leave behind is half done.
    let started = tokio::select! {
        biased;
        started = start(&config) => started?,
        () = signals.wait() => return Ok(()),
    };
    let Started { store, hub, ready, running, serving, _lock } = started;
    signals.wait().await;
    ready.store(false, Ordering::Release);
    running.end(&hub, config.drain).await;
    serving.await.context("the accept loop")?;
    store.close().await;
    Ok(())
}

/// A server that listens.
struct Started {
    store: SharedStore,
    hub: Arc<Hub>,
    ready: Arc<AtomicBool>,
    running: Running,
    serving: JoinHandle<()>,
    /// Held as long as the process serves.
    _lock: Option<File>,
}

async fn start(config: &Arc<Config>) -> anyhow::Result<Started> {
    let lock = lock_store(config)?;
    let (store, lanes) = open_store(config).await?;
    let guests = guest_secret(&store).await?;
    let auth = Auth::start(config, Some(guests.clone())).await?;
    let secret = deployment_secret(&store).await?;
    let running = Running::new();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let metrics = Arc::new(Metrics::new());
    let (cluster, bus) = match &config.cluster {
        None => (Cluster::alone(), None),
        Some(shared) => {
            let (cluster, bus) = join_bus(config, shared, &secret, &clock, &running)?;
            metrics.add_bus(bus.clone());
            (cluster, Some(probe_of(bus)))
        }
    };
    let ice = Arc::new(Ice::new(config.ice.clone(), secret));
    let parts = Parts {
        store: store.clone(),
        clock,
        verifier: auth.verifier.clone(),
        limits: config.limits.clone(),
        metrics,
        lanes,
        secret,
        guests: Minter::guests(guests),
        public_url: config.public_url.as_ref().map_or_else(String::new, ToString::to_string),
        ice: ice.clone(),
        loopback: config.dev.is_some(),
        cluster,
    };
    let (hub, tasks) = Hub::new(parts);
    hub.join().await.context("the node's lease")?;
    running.start(&hub, tasks);
    hub.resume_calls().await?;
    hub.arrive().await;
    running.tracker.spawn(auth.verifier.keep_fresh(running.shutdown.clone()));
    if config.dev.is_some() {
        open_lobby(&hub).await?;
    }
    let ready = Arc::new(AtomicBool::new(true));
    let login = auth.login.map(Arc::new);
    let prefix = config.public_url.as_ref().map_or("", |url| url.prefix());
    let endpoint = WsEndpoint::new(
        Arc::new(HubHandler(hub.clone())),
        hub.clock().clone(),
        prefix,
        config.origins.clone(),
        TrustedProxies::of(&config.trusted_proxies),
        gateway_limits(&config.limits),
    );
    hub.metrics.add_edge(endpoint.counters().clone());
    let tls = config.tls.as_ref().map(|files| gateway::tls::load(&files.cert, &files.key)).transpose()?;
    let listener = gateway::bind(config.listen).with_context(|| format!("listen: {}", config.listen))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let address = listener.local_addr()?;
    // The one line on standard output: scripts wait for it.
    println!("listening on {scheme}://{address}");
    tracing::info!(%address, dev = config.dev.is_some(), "listening");
    let api = api::Api { hub: hub.clone(), login, ice, config: config.clone(), ready: ready.clone(), bus };
    let router = api::router(api);
    let serving = tokio::spawn(gateway::serve(listener, tls, router, endpoint, running.edge.clone()));
    Ok(Started { store, hub, ready, running, serving, _lock: lock })
}

/// Two processes that serve one file would each take its rooms for their own: what one commits, the other's clients
/// would hear late or never. The lock is the system's and ends with the process, however that ends. Backups and other
/// commands that are safe beside a server do not ask for it.
fn lock_store(config: &Config) -> anyhow::Result<Option<File>> {
    let Database::Sqlite(path) = &config.store.database else { return Ok(None) };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("data_dir: {}", folder.display()))?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let opened = File::options().create(true).truncate(false).write(true).open(&name);
    let file = opened.with_context(|| format!("data_dir: {}", name.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            anyhow::bail!("data_dir: another process serves {}; one file has one server", path.display())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("data_dir: {} cannot be locked", name.display()))
        }
    }
}

fn gateway_limits(limits: &config::Limits) -> gateway::Limits {
    let queue_bytes = limits.mailbox_bytes;
    gateway::Limits {
        strangers_per_address: limits.unauthenticated_per_address,
        header_ms: limits.header_ms,
        idle_ms: limits.idle_ms,
        mailbox: gateway::Bounds { queue_bytes, ..gateway::Bounds::default() },
        ..gateway::Limits::default()
    }
}

async fn open_store(config: &Config) -> anyhow::Result<(SharedStore, usize)> {
    match &config.store.database {
        Database::Sqlite(path) => Ok((storage::sqlite::open(path, true).await?, 1)),
        Database::Postgres(url) => {
            let options = storage::postgres::PgOptions {
                writers: LANES as u32,
                readers: config.limits.database_connections.saturating_sub(LANES as u32).max(1),
                vouched: config.store.vouched,
                migrate: true,
                ..storage::postgres::PgOptions::default()
            };
            Ok((storage::postgres::open(url.expose(), options).await?, LANES))
        }
    }
}

/// The way to the other nodes.
fn join_bus(
    config: &Config,
    shared: &ClusterConfig,
    secret: &[u8; 32],
    clock: &Arc<dyn Clock>,
    running: &Running,
) -> anyhow::Result<(Cluster, Arc<Redis>)> {
    let boot = BootId::fresh();
    let (sender, heard) = mpsc::channel(HEARD);
    let key = match &shared.key {
        Some(key) => ClusterKey::new(key.expose()),
        None => ClusterKey::derived(secret),
    };
    let tls = match shared.redis.tls {
        true => Some(cluster::redis::trust().map_err(|problem| anyhow::anyhow!("redis_url: {problem}"))?),
        false => None,
    };
    let options = cluster::redis::Options {
        address: shared.redis.clone(),
        tls,
        prefix: shared.prefix.clone(),
        key,
        boot,
        clock: clock.clone(),
    };
    let bus = Redis::start(options, sender, &running.tracker, &running.shutdown);
    let name = config.listen.to_string();
    Ok((Cluster { bus: bus.clone(), heard, boot, name, alone: false }, bus))
}

/// What readiness asks of the bus.
fn probe_of(bus: Arc<Redis>) -> api::BusProbe {
    Arc::new(move || {
        let BusHealth { up, wedged, says } = bus.health();
        (BusReadiness { up, says }, wedged)
    })
}

/// The deployment's secret: made by the first node, the same on every node and after every restart.
async fn deployment_secret(store: &SharedStore) -> anyhow::Result<[u8; 32]> {
    let kept = store.setting("secret", &fresh_secret()?).await?;
    Ok(Sha256::digest(kept.as_bytes()).into())
}

/// The secret of guests' tokens: made once as well, and apart, for what signs is not what hashes.
async fn guest_secret(store: &SharedStore) -> anyhow::Result<Secret> {
    let kept = store.setting("guest_secret", &fresh_secret()?).await?;
    Secret::new(kept.as_bytes()).map_err(|problem| anyhow::anyhow!("the stored secret of guests {problem}"))
}

fn fresh_secret() -> anyhow::Result<String> {
    let mut fresh = [0u8; 32];
    getrandom::fill(&mut fresh).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(fresh.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// With `--dev` everybody lands in a room that exists.
async fn open_lobby(hub: &Arc<Hub>) -> anyhow::Result<()> {
    let room = RoomId::new("lobby")?;
    let host = Actor::service(UserId::new("stoa")?);
    let created = RoomCreated {
        title: "Lobby".into(),
        topic: "Everybody who opens this server lands here.".into(),
        ..RoomCreated::new(RoomKind::Group)
    };
    let intent = Intent::Create { room: created, members: vec![] };
    match hub.commit(&room, host, intent, None).await {
        Ok(_) => Ok(()),
        // It is there since the first start.
        Err(fault) if fault.code == stoa_protocol::ErrorCode::Conflict => Ok(()),
        Err(fault) => Err(fault.into()),
    }
}

struct Running {
    tracker: TaskTracker,
    /// The accept loop and the connections.
    edge: Lifetime,
    /// Ends the writers once what waits is written.
    stop_writing: CancellationToken,
    /// Ends everything else.
    shutdown: CancellationToken,
}

impl Running {
    fn new() -> Self {
        Self {
            tracker: TaskTracker::new(),
            edge: Lifetime::default(),
            stop_writing: CancellationToken::new(),
            shutdown: CancellationToken::new(),
        }
    }

    fn start(&self, hub: &Arc<Hub>, tasks: Tasks) {
        tasks.spawn(hub, &self.tracker, &self.shutdown, &self.stop_writing);
    }

    async fn end(&self, hub: &Arc<Hub>, drain: Duration) {
        tracing::info!(drain_s = drain.as_secs(), "draining");
        self.edge.accepting.cancel();
        hub.say_goodbye(drain.as_millis() as Millis);
        self.stop_writing.cancel();
        let deadline = hub.clock().now() + CLOSING.as_millis() as Millis;
        hub.written(deadline).await;
        self.edge.open.cancel();
        self.edge.tasks.close();
        let gone = tokio::time::timeout(CLOSING, self.edge.tasks.wait()).await.is_ok();
        // Nobody is connected here any more: the others hold its people for a grace.
        hub.leave();
        self.shutdown.cancel();
        self.tracker.close();
        let rest = async { tokio::join!(self.tracker.wait(), hub.ended()) };
        let ended = tokio::time::timeout(CLOSING, rest).await.is_ok();
        tracing::info!(gone, ended, "stopped");
    }
}

/// The signals that end the process. They are caught from the start, so that whoever saw the line that says where it
/// listens ends it as well as later.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn caught() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Raises the soft limit of open files to the hard one, and says what is lacking.
fn raise_open_files(connections: u32) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = u64::from(connections) + OWN_FILES;
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let soft = wanted.min(hard).max(limit.current.unwrap_or(u64::MAX));
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(soft), maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    if soft < wanted {
        tracing::warn!(soft, wanted, "the limit of open files is below limits.connections; raise it (ulimit -n)");
    }
}
