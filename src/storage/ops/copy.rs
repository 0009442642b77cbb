//! From SQLite to Postgres, row by row.

use crate::{
    config::Database,
    storage::{
        Result, StoreError,
        postgres::{self, PgOptions},
        projection::{hex, json},
        sqlite,
    },
};
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqliteConnection, sqlite::SqliteRow};

/// Rows in one statement: a row has at most some 64 KiB.
const PORTION: i64 = 200;

/// A table as it is copied: its columns with Postgres's types, and what names a row, by which pages go on.
struct Table {
    name: &'static str,
    columns: &'static [(&'static str, &'static str)],
    /// How many of the columns, from the first, name a row.
    names: usize,
}

/// Every table. `settings` is the one that a fresh database has rows of.
const TABLES: &[Table] = &[
    Table { name: "settings", columns: &[("name", "text"), ("value", "text")], names: 1 },
    Table {
        name: "rooms",
        columns: &[
            ("id", "text"),
            ("epoch", "text"),
            ("head_seq", "bigint"),
            ("kind", "text"),
            ("title", "text"),
            ("topic", "text"),
            ("history", "text"),
            ("slow_mode_s", "bigint"),
            ("archived", "boolean"),
            ("retention_days", "bigint"),
            ("data", "text"),
            ("created_at", "bigint"),
            ("creator", "text"),
            ("last_at", "bigint"),
        ],
        names: 1,
    },
    Table {
        name: "events",
        columns: &[
            ("room", "text"),
            ("seq", "bigint"),
            ("at", "bigint"),
            ("kind", "text"),
            ("v", "smallint"),
            ("sender", "text"),
            ("key", "text"),
            ("digest", "bytea"),
            ("target", "bigint"),
            ("subject", "text"),
            ("body", "text"),
            ("stub", "text"),
        ],
        names: 2,
    },
    Table {
        name: "messages",
        columns: &[
            ("room", "text"),
            ("seq", "bigint"),
            ("at", "bigint"),
            ("sender", "text"),
            ("text", "text"),
            ("mentions", "text"),
            ("mention_all", "boolean"),
            ("reply_to", "bigint"),
            ("thread", "bigint"),
            ("announcement", "boolean"),
            ("data", "text"),
            ("edited_at", "bigint"),
            ("deleted", "boolean"),
        ],
        names: 2,
    },
    Table {
        name: "reactions",
        columns: &[("room", "text"), ("seq", "bigint"), ("emoji", "text"), ("user_id", "text"), ("place", "bigint")],
        names: 4,
    },
    Table {
        name: "mentions",
        columns: &[("user_id", "text"), ("room", "text"), ("seq", "bigint"), ("shown", "boolean")],
        names: 3,
    },
    Table { name: "pins", columns: &[("room", "text"), ("seq", "bigint"), ("place", "bigint")], names: 2 },
    Table {
        name: "members",
        columns: &[
            ("room", "text"),
            ("user_id", "text"),
            ("role", "text"),
            ("capabilities", "text"),
            ("muted_until", "bigint"),
            ("joined_seq", "bigint"),
            ("joined_at", "bigint"),
            ("data", "text"),
        ],
        names: 2,
    },
    Table {
        name: "bans",
        columns: &[("room", "text"), ("user_id", "text"), ("until_ms", "bigint"), ("reason", "text")],
        names: 2,
    },
    Table {
        name: "links",
        columns: &[
            ("id", "text"),
            ("room", "text"),
            ("kind", "text"),
            ("code", "bytea"),
            ("role", "text"),
            ("name", "text"),
            ("creator", "text"),
            ("created_at", "bigint"),
            ("not_before", "bigint"),
            ("expires_at", "bigint"),
            ("uses", "bigint"),
            ("used", "bigint"),
            ("revoked_at", "bigint"),
        ],
        names: 1,
    },
    Table {
        name: "guests",
        columns: &[("user_id", "text"), ("link", "text"), ("secret", "bytea"), ("created_at", "bigint")],
        names: 1,
    },
    Table { name: "markers", columns: &[("room", "text"), ("user_id", "text"), ("seq", "bigint")], names: 2 },
    Table {
        name: "calls",
        columns: &[
            ("room", "text"),
            ("call", "bigint"),
            ("started_at", "bigint"),
            ("started_by", "text"),
            ("media", "text"),
            ("carried", "text"),
            ("locked", "bigint"),
            ("lobby", "bigint"),
            ("ended_at", "bigint"),
            ("reason", "text"),
        ],
        names: 2,
    },
    Table {
        name: "call_participants",
        columns: &[
            ("room", "text"),
            ("joined", "bigint"),
            ("call", "bigint"),
            ("session", "text"),
            ("user_id", "text"),
            ("device", "text"),
            ("joined_at", "bigint"),
            ("left_at", "bigint"),
            ("reason", "text"),
            ("quality", "text"),
        ],
        names: 2,
    },
    Table {
        name: "call_marks",
        columns: &[
            ("room", "text"),
            ("call", "bigint"),
            ("kind", "text"),
            ("name", "text"),
            ("user_id", "text"),
            ("at", "bigint"),
        ],
        names: 4,
    },
    Table {
        name: "call_retained",
        columns: &[("room", "text"), ("call", "bigint"), ("key", "text"), ("value", "text")],
        names: 3,
    },
    Table {
        name: "documents",
        columns: &[
            ("room", "text"),
            ("document", "text"),
            ("kind", "text"),
            ("title", "text"),
            ("edit", "text"),
            ("locked", "boolean"),
            ("data", "text"),
            ("created_at", "bigint"),
        ],
        names: 2,
    },
    Table {
        name: "document_states",
        columns: &[
            ("room", "text"),
            ("document", "text"),
            ("epoch", "text"),
            ("head", "bigint"),
            ("folded", "bigint"),
            ("content", "bytea"),
        ],
        names: 2,
    },
    Table {
        name: "document_updates",
        columns: &[("room", "text"), ("document", "text"), ("seq", "bigint"), ("content", "bytea")],
        names: 3,
    },
    Table {
        name: "document_clients",
        columns: &[("room", "text"), ("document", "text"), ("client", "bigint"), ("user_id", "text")],
        names: 3,
    },
    Table {
        name: "document_versions",
        columns: &[
            ("room", "text"),
            ("document", "text"),
            ("version", "bigint"),
            ("at", "bigint"),
            ("reason", "text"),
            ("title", "text"),
            ("user_id", "text"),
            ("size", "bigint"),
            ("content", "bytea"),
        ],
        names: 3,
    },
    Table {
        name: "blobs",
        columns: &[
            ("room", "text"),
            ("hash", "text"),
            ("media", "text"),
            ("size", "bigint"),
            ("width", "bigint"),
            ("height", "bigint"),
            ("at", "bigint"),
            ("user_id", "text"),
            ("content", "bytea"),
        ],
        names: 2,
    },
    Table {
        name: "users",
        columns: &[
            ("id", "text"),
            ("epoch", "text"),
            ("head_seq", "bigint"),
            ("revoked_before", "bigint"),
            ("name", "text"),
            ("avatar", "text"),
            ("status", "text"),
            ("last_seen", "bigint"),
        ],
        names: 1,
    },
    Table {
        name: "user_events",
        columns: &[
            ("user_id", "text"),
            ("seq", "bigint"),
            ("at", "bigint"),
            ("kind", "text"),
            ("v", "smallint"),
            ("sender", "text"),
            ("key", "text"),
            ("digest", "bytea"),
            ("body", "text"),
        ],
        names: 2,
    },
];

/// Copies a SQLite store into an empty Postgres database: numbers, epochs, keys and secrets stay, so that clients go on
/// where they were. Everything arrives in one transaction, or nothing does. The source cannot be written meanwhile;
/// stop the server first, for what it writes afterwards stays behind.
///
/// # Errors
/// [`StoreError::Refused`] for any other pair, or when the target has rows; [`StoreError::Unavailable`] when the
/// server writes.
pub async fn copy(from: &Database, to: &Database) -> Result<String> {
    let (Database::Sqlite(path), Database::Postgres(url)) = (from, to) else {
        return Err(StoreError::Refused("a store is copied from SQLite to Postgres, and no other way".into()));
    };
    super::must_exist(path)?;
    let options = PgOptions { writers: 1, readers: 1, vouched: true, migrate: true, ..PgOptions::default() };
    // Opened as the server would: what it would refuse is not copied.
    sqlite::open(path, false).await?.close().await;
    postgres::open(url.expose(), options).await?.close().await;
    let mut source = super::connect(path, sqlx::sqlite::SqliteJournalMode::Wal).await?;
    let connect = postgres::connect_options(url.expose())?;
    let mut target = PgConnection::connect_with(&connect).await.map_err(postgres::error)?;
    let counts = copy_all(&mut source, &mut target).await?;
    source.close().await.map_err(sqlite::error)?;
    target.close().await.map_err(postgres::error)?;
    let told: Vec<_> = counts.iter().map(|(table, rows)| format!("{rows} {}", table.replace('_', " "))).collect();
    Ok(format!("{from} is copied to {to}: {}", told.join(", ")))
}

async fn copy_all(source: &mut SqliteConnection, target: &mut PgConnection) -> Result<Vec<(&'static str, i64)>> {
    let mut source = source.begin_with("BEGIN IMMEDIATE").await.map_err(sqlite::error)?;
    let mut target = target.begin().await.map_err(postgres::error)?;
    // Nobody begins to write into what is being filled.
    target.execute("LOCK TABLE rooms, users IN EXCLUSIVE MODE").await.map_err(postgres::error)?;
    must_be_empty(&mut target).await?;
    let mut counts = Vec::new();
    for table in TABLES {
        let rows = copy_table(&mut source, &mut target, table).await?;
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {}", table.name));
        let there: i64 = sqlx::query_scalar(count).fetch_one(&mut *target).await.map_err(postgres::error)?;
        if there != rows {
            let told = format!("{} of {rows} rows arrived in {}; nothing was copied", there, table.name);
            return Err(StoreError::Damaged(told));
        }
        counts.push((table.name, rows));
    }
    target.commit().await.map_err(postgres::error)?;
    Ok(counts)
}

async fn must_be_empty(target: &mut PgConnection) -> Result<()> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM rooms) OR EXISTS (SELECT 1 FROM users)
        OR EXISTS (SELECT 1 FROM events) OR EXISTS (SELECT 1 FROM settings WHERE name <> 'user_epoch')";
    match sqlx::query_scalar(SQL).fetch_one(target).await.map_err(postgres::error)? {
        false => Ok(()),
        true => Err(StoreError::Refused("the target is not empty: copy into a fresh database".into())),
    }
}

async fn copy_table(source: &mut SqliteConnection, target: &mut PgConnection, table: &Table) -> Result<i64> {
    let write = table.write_sql();
    let (mut copied, mut last) = (0, None);
    loop {
        let read = table.read_sql(last.is_some());
        let mut page = sqlx::query(AssertSqlSafe(read)).bind(table.portion());
        for (name, kind) in table.names() {
            let after = last.as_ref().and_then(|last: &Map<String, Value>| last.get(*name));
            page = match (after, *kind) {
                (None, _) => page,
                (Some(after), "bigint") => page.bind(after.as_i64()),
                (Some(after), _) => page.bind(after.as_str()),
            };
        }
        let page = page.fetch_all(&mut *source).await.map_err(sqlite::error)?;
        let rows = page.iter().map(|row| table.row(row)).collect::<Result<Vec<_>>>()?;
        if rows.is_empty() {
            return Ok(copied);
        }
        let put = sqlx::query(AssertSqlSafe(write.as_str())).bind(json(&rows));
        put.execute(&mut *target).await.map_err(postgres::error)?;
        copied += rows.len() as i64;
        last = rows.into_iter().next_back();
    }
}

impl Table {
    /// Rows of one step: few where a row may have megabytes.
    fn portion(&self) -> i64 {
        if self.columns.iter().any(|(name, _)| *name == "content") { 4 } else { PORTION }
    }

    fn names(&self) -> &'static [(&'static str, &'static str)] {
        &self.columns[..self.names]
    }

    fn read_sql(&self, goes_on: bool) -> String {
        let columns = list(self.columns, |name, _| name.to_owned());
        let names = list(self.names(), |name, _| name.to_owned());
        let places: Vec<_> = (0..self.names).map(|n| format!("?{}", n + 2)).collect();
        let after = if goes_on { format!("WHERE ({names}) > ({})", places.join(", ")) } else { String::new() };
        format!("SELECT {columns} FROM {} {after} ORDER BY {names} LIMIT ?1", self.name)
    }

    fn write_sql(&self) -> String {
        let columns = list(self.columns, |name, _| name.to_owned());
        let values = list(self.columns, |name, kind| match kind {
            "bytea" => format!("decode({name}, 'hex')"),
            _ => name.to_owned(),
        });
        let types = list(self.columns, |name, kind| match kind {
            "bytea" => format!("{name} text"),
            _ => format!("{name} {kind}"),
        });
        let (words, split, kind, conflict) = match self.name {
            "messages" => (", words", ", string_to_array(words, ' ')", ", words text", ""),
            "settings" => ("", "", "", " ON CONFLICT (name) DO UPDATE SET value = excluded.value"),
            _ => ("", "", "", ""),
        };
        format!(
            "INSERT INTO {} ({columns}{words}) SELECT {values}{split}
               FROM json_to_recordset($1::json) AS x ({types}{kind}){conflict}",
            self.name
        )
    }

    /// A row as Postgres reads it.
    fn row(&self, row: &SqliteRow) -> Result<Map<String, Value>> {
        let mut object = Map::new();
        for (at, (name, kind)) in self.columns.iter().enumerate() {
            let value = match *kind {
                "text" => row.try_get::<Option<String>, _>(at).map(Value::from),
                "boolean" => row.try_get::<i64, _>(at).map(|flag| Value::from(flag != 0)),
                "bytea" => row.try_get::<Option<&[u8]>, _>(at).map(|bytes| bytes.map(hex).into()),
                _ => row.try_get::<Option<i64>, _>(at).map(Value::from),
            };
            object.insert((*name).to_owned(), value.map_err(sqlite::error)?);
        }
        if self.name == "messages" {
            let of = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
            let deleted = object.get("deleted") == Some(&Value::Bool(true));
            let words = if deleted { String::new() } else { postgres::index_words(of("room"), of("text")) };
            object.insert("words".into(), words.into());
        }
        Ok(object)
    }
}

fn list(columns: &[(&str, &str)], of: impl Fn(&str, &str) -> String) -> String {
    columns.iter().map(|(name, kind)| of(name, kind)).collect::<Vec<_>>().join(", ")
}
