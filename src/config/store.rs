//! Where what is said is kept.

use super::source::{ConfigError, Layers, Reader, text};
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};
use url::Url;

/// The folder of the embedded store when none is named.
const DATA_DIR: &str = "stoa-data";
/// Its file in that folder.
const DATABASE_FILE: &str = "stoa.db";

/// The store and what its operator says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Which database.
    pub database: Database,
    /// The operator vouches that a commit survives power loss although the database's settings do not say so.
    pub vouched: bool,
    /// The folder of the embedded store; `None` with a database of its own address.
    pub data_dir: Option<PathBuf>,
}

impl StoreConfig {
    /// Looks at the keys of the store alone, for commands that serve nobody.
    pub fn of(layers: Layers) -> Result<Self, ConfigError> {
        Self::read(&mut Reader::new(layers))
    }

    pub(super) fn read(reader: &mut Reader) -> Result<Self, ConfigError> {
        let data_dir = reader.optional("data_dir", |v| text(v).map(Shown))?;
        let url = reader.optional("database_url", |v| text(v)?.parse::<Database>())?;
        let vouched = reader.switch("database_vouched", false)?;
        match (data_dir, url) {
            (Some(_), Some(_)) => {
                Err(reader.error_at("data_dir", "is set together with database_url; name one place for the data"))
            }
            (None, Some(database)) => Ok(Self { database, vouched, data_dir: None }),
            (dir, None) => {
                let dir = PathBuf::from(dir.map_or_else(|| DATA_DIR.to_owned(), |Shown(text)| text));
                Ok(Self { database: Database::in_folder(&dir), vouched, data_dir: Some(dir) })
            }
        }
    }
}

struct Shown(String);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address of a database. It shows itself without its password.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// SQLite, by its file.
    Sqlite(PathBuf),
    /// Postgres, by its address.
    Postgres(DatabaseUrl),
}

impl Database {
    /// The embedded store in a data folder.
    pub fn in_folder(dir: &Path) -> Self {
        Self::Sqlite(dir.join(DATABASE_FILE))
    }
}

impl FromStr for Database {
    type Err = String;

    // No error quotes the address: it may hold a password.
    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once(':').ok_or("is no address such as postgres://host/name")?;
        match scheme {
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                match path {
                    "" => Err("names no file".into()),
                    // Promise 1 needs a disk.
                    ":memory:" => Err("must name a file: memory survives nothing".into()),
                    path if path.contains('?') => Err("takes no parameters with sqlite:".into()),
                    path => Ok(Self::Sqlite(PathBuf::from(path))),
                }
            }
            "postgres" | "postgresql" => {
                let url = Url::parse(text).map_err(|e| format!("is no address such as postgres://host/name: {e}"))?;
                Ok(Self::Postgres(DatabaseUrl(url)))
            }
            _ => Err("must begin with postgres:// or sqlite://".into()),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The address of a Postgres database, password included.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Url);

impl DatabaseUrl {
    /// The address with its password, for connecting alone.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parameters may carry a password too.
        let mut shown = self.0.clone();
        let secret = shown.password().is_some() || shown.query().is_some();
        shown.set_query(None);
        if shown.set_password(None).is_err() {
            return f.write_str("postgres:(hidden)");
        }
        write!(f, "{shown}{}", if secret { " (rest hidden)" } else { "" })
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_shows_no_password() {
        let database: Database =
            "postgres://stoa:hunter2@db.example/stoa?password=hunter3&sslmode=require".parse().expect("legal");
        let shown = format!("{database} {database:?}");
        assert!(shown.contains("db.example/stoa") && !shown.contains("hunter"), "{shown}");
        let Database::Postgres(url) = database else { panic!("no postgres") };
        assert!(url.expose().contains("hunter2"));
        // A socket folder as host.
        assert!("postgres:///stoa?host=/run/postgresql".parse::<Database>().is_ok());
    }

    #[test]
    fn a_database_is_postgres_or_a_file() {
        let file = |text: &str| text.parse::<Database>();
        assert_eq!(file("sqlite:///var/lib/stoa.db"), Ok(Database::Sqlite("/var/lib/stoa.db".into())));
        assert_eq!(file("sqlite:a.db"), Ok(Database::Sqlite("a.db".into())));
        for bad in ["sqlite::memory:", "sqlite://", "sqlite://a?mode=memory", "mysql://x/y", "a.db", "postgres://[x/"] {
            assert!(file(bad).is_err(), "{bad}");
        }
    }
}
