//! Connections: their settings, their time limits, and what their failures mean.

use super::{CONNECT, PgOptions, origin::Origin};
use crate::storage::{Result, StoreError, rows::Cells};
use sqlx::{
    Connection, Postgres, Row,
    pool::PoolConnection,
    postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow},
    query::Query,
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long a call waits for the server: a statement's time (`statement_timeout` below) and a lost packet's.
const CALL: Duration = Duration::from_secs(7);
/// The same for an erasure or a deletion.
const LONG_CALL: Duration = Duration::from_secs(605);
/// Connections beside the lanes', for profiles, erasures and upkeep: a lane does not wait for them.
const BESIDE: u32 = 2;
/// Connections that were idle for longer are tested before they are used.
const TESTED: Duration = Duration::from_secs(1);
/// How long to wait for a free connection.
const ACQUIRE: Duration = Duration::from_secs(5);

/// Writers go by indexes: plans that scan a table because it was small yesterday must not come up. Every execution is
/// planned anew, which costs some 0.1 ms: a plan that was kept from when a log was empty looked keys up by room alone.
/// `SET` goes through every pooler that keeps sessions, which start-up parameters do not.
const WRITER: &str = "SET lock_timeout = 1000; SET idle_in_transaction_session_timeout = 1000; SET jit = off;
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET plan_cache_mode = force_custom_plan; SET statement_timeout = 5000";
const READER: &str = "SET default_transaction_read_only = on; SET jit = off; SET statement_timeout = 5000;
    SET plan_cache_mode = force_custom_plan; SET idle_in_transaction_session_timeout = 1000";

/// The connections of a store.
#[derive(Clone)]
pub struct Pools {
    write: PgPool,
    read: PgPool,
    origin: Arc<Origin>,
}

impl Pools {
    /// Opens the first connection of either pool.
    pub async fn open(connect: &PgConnectOptions, options: &PgOptions) -> Result<Self> {
        let origin = Arc::new(Origin::default());
        let open = |most, settings| pool(connect, most, settings, options.vouched, origin.clone());
        let write = open(options.writers.saturating_add(BESIDE), WRITER).await?;
        let read = open(options.readers, READER).await?;
        Ok(Self { write, read, origin })
    }

    /// What is known of the server at the address.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// A connection that reads.
    pub async fn reader(&self) -> Result<Conn> {
        self.acquire(&self.read).await
    }

    /// A connection that writes.
    pub async fn writer(&self) -> Result<Conn> {
        self.acquire(&self.write).await
    }

    async fn acquire(&self, pool: &PgPool) -> Result<Conn> {
        match pool.acquire().await {
            Ok(conn) => Ok(Conn::new(conn, self.origin.clone())),
            Err(sqlx::Error::PoolTimedOut) => {
                let why = self.origin.refusal().unwrap_or_else(|| "no connection is free".into());
                Err(StoreError::Unavailable(why))
            }
            Err(cause) => Err(error(cause)),
        }
    }

    /// A transaction of the batch writer. Connections that died while they were idle are passed over.
    pub async fn begin(&self) -> Result<Conn> {
        let mut tries = self.write.size() + 1;
        loop {
            let mut conn = self.writer().await?;
            tries -= 1;
            match conn.simple("BEGIN").await {
                Ok(()) => return Ok(conn),
                Err(StoreError::Unavailable(_)) if tries > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A transaction that may take long and may scan.
    pub async fn begin_long(&self) -> Result<Conn> {
        let mut conn = self.begin().await?;
        conn.limit = LONG_CALL;
        const LONG: &str = "SET LOCAL statement_timeout = 600000; SET LOCAL lock_timeout = 5000;
            SET LOCAL enable_seqscan = on;
            SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on";
        conn.simple(LONG).await?;
        Ok(conn)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.write.close().await;
        self.read.close().await;
    }
}

async fn pool(
    connect: &PgConnectOptions,
    most: u32,
    settings: &'static str,
    vouched: bool,
    origin: Arc<Origin>,
) -> Result<PgPool> {
    const PIN: &str = "SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), false)";
    let known = origin.clone();
    let options = PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(ACQUIRE)
        // A busy lane's connection was heard a moment ago; testing it each time would be a round trip per batch.
        .test_before_acquire(false)
        .before_acquire(move |conn, meta| {
            let is_old = known.is_old(meta.age);
            let is_sound = meta.idle_for <= TESTED && !known.is_suspect(meta.idle_for);
            Box::pin(async move { Ok(!is_old && (is_sound || conn.ping().await.is_ok())) })
        })
        .after_connect(move |conn, _| {
            let origin = origin.clone();
            Box::pin(async move {
                sqlx::raw_sql(settings).execute(&mut *conn).await?;
                // Pinned, so that a reload of the server's configuration cannot weaken what was examined.
                if !vouched {
                    sqlx::raw_sql(PIN).execute(&mut *conn).await?;
                    // What keeps commits in another way has other ways than timelines too.
                    origin.examine(conn).await?;
                }
                Ok(())
            })
        });
    match timeout(CONNECT, options.connect_with(connect.clone())).await {
        Ok(pool) => pool.map_err(error),
        Err(_) => Err(StoreError::Unavailable(format!("no connection within {} s", CONNECT.as_secs()))),
    }
}

/// A statement with its arguments.
pub type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// A connection whose calls end in time. One that failed to answer is closed, never used again.
pub struct Conn {
    conn: PoolConnection<Postgres>,
    origin: Arc<Origin>,
    limit: Duration,
}

impl Conn {
    fn new(conn: PoolConnection<Postgres>, origin: Arc<Origin>) -> Self {
        Self { conn, origin, limit: CALL }
    }

    /// Every row of a statement.
    pub async fn all(&mut self, statement: Statement<'_>) -> Result<Vec<PgRow>> {
        let outcome = timeout(self.limit, statement.fetch_all(&mut *self.conn)).await;
        self.judge(outcome)
    }

    /// The first row of a statement.
    pub async fn maybe(&mut self, statement: Statement<'_>) -> Result<Option<PgRow>> {
        let outcome = timeout(self.limit, statement.fetch_optional(&mut *self.conn)).await;
        self.judge(outcome)
    }

    /// The one row of a statement.
    pub async fn one(&mut self, statement: Statement<'_>) -> Result<PgRow> {
        let outcome = timeout(self.limit, statement.fetch_one(&mut *self.conn)).await;
        self.judge(outcome)
    }

    /// How many rows a statement changed.
    pub async fn run(&mut self, statement: Statement<'_>) -> Result<u64> {
        let outcome = timeout(self.limit, statement.execute(&mut *self.conn)).await;
        self.judge(outcome).map(|done| done.rows_affected())
    }

    /// Statements without arguments, in one message.
    pub async fn simple(&mut self, sql: &'static str) -> Result<()> {
        let outcome = timeout(self.limit, sqlx::raw_sql(sql).execute(&mut *self.conn)).await;
        self.judge(outcome).map(drop)
    }

    fn judge<T>(&mut self, outcome: std::result::Result<sqlx::Result<T>, impl Sized>) -> Result<T> {
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(cause)) => {
                if !matches!(cause, sqlx::Error::Database(_)) {
                    self.conn.close_on_drop();
                    self.origin.broke();
                }
                Err(error(cause))
            }
            Err(_) => {
                self.conn.close_on_drop();
                Err(StoreError::Unavailable(format!("no answer within {} s", self.limit.as_secs())))
            }
        }
    }

    /// Takes a transaction back in the background and gives the connection to the next one; one that does not manage
    /// within a second is closed, and the server takes the transaction back.
    pub fn roll_back(mut self) {
        self.limit = Duration::from_secs(1);
        let rolling = async move {
            // An error closed the connection, or will when it is tested on its way into the pool.
            let _ = self.simple("ROLLBACK").await;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(rolling);
        }
    }
}

/// What a failure of Postgres means. Codes: its manual, appendix A.
pub fn error(error: sqlx::Error) -> StoreError {
    let text = error.to_string();
    match &error {
        sqlx::Error::Database(database) => match database.code().as_deref().unwrap_or_default() {
            // Lock not available; read only transaction; idle in transaction; failed transaction.
            "55P03" | "25006" | "25P03" | "25P04" => StoreError::Unavailable(text),
            "25P02" => StoreError::Refused(text),
            code => match code.get(..2).unwrap_or_default() {
                // Connection, authorisation at connect, rollback, resources, operator, system.
                "08" | "28" | "40" | "53" | "57" | "58" => StoreError::Unavailable(text),
                // Cardinality, data, constraint, program limit.
                "21" | "22" | "23" | "54" => StoreError::Refused(text),
                _ => StoreError::Damaged(text),
            },
        },
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => StoreError::Unavailable(text),
        _ => StoreError::Damaged(text),
    }
}

impl Cells for PgRow {
    fn text(&self, column: usize) -> Result<Option<&str>> {
        self.try_get(column).map_err(error)
    }
    fn int(&self, column: usize) -> Result<Option<i64>> {
        self.try_get(column).map_err(error)
    }
    fn flag(&self, column: usize) -> Result<bool> {
        self.try_get(column).map_err(error)
    }
    fn bytes(&self, column: usize) -> Result<Option<&[u8]>> {
        self.try_get(column).map_err(error)
    }
}
