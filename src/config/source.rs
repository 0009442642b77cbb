//! Where values come from: flags, then variables, then the file; and the one error type that names the key.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// What every variable begins with.
const PREFIX: &str = "STOA_";
/// Variables that are read elsewhere.
const ELSEWHERE: [&str; 4] = ["STOA_CONFIG", "STOA_LOG", "STOA_COPY_FROM", "STOA_COPY_TO"];
/// A configuration above this is a mistake.
const FILE_BYTES: u64 = 1024 * 1024;

/// A configuration that cannot be used. It names the key and never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, as in the file (`limits.idle_ms`, `issuers[1].jwks_url`).
    pub key: String,
    /// Where the value came from; `None` when there was none.
    pub source: Option<Source>,
    /// What is wrong with it.
    pub message: String,
}

impl ConfigError {
    /// A value that is missing, or wrong together with others.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), source: None, message: message.into() }
    }
}

impl Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{} ({source}): {}", self.key, self.message),
            None => write!(f, "{}: {}", self.key, self.message),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Flag(String),
    /// A variable of the environment.
    Variable(String),
    /// The file.
    File(PathBuf),
    /// Nobody set it.
    Default,
}

impl Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Values as they were given, before anything is made of them.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    flags: BTreeMap<&'static str, Value>,
    variables: BTreeMap<String, String>,
    file: Option<(PathBuf, Table)>,
}

impl Layers {
    /// No values at all: every key has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a flag; `key` is the key of the file (`data_dir`).
    #[must_use]
    pub fn flag(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.flags.insert(key, value.into());
        self
    }

    /// Takes the variables that begin with `STOA_`, except empty ones, which are as good as unset.
    #[must_use]
    pub fn variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables.into_iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty());
        self.variables.extend(ours);
        self
    }

    /// Reads the file.
    pub fn file(self, path: &Path) -> Result<Self, ConfigError> {
        use std::io::Read;
        let fail = |message: String| ConfigError::new("config", message);
        let mut text = String::new();
        let open = std::fs::File::open(path).and_then(|f| f.take(FILE_BYTES + 1).read_to_string(&mut text));
        open.map_err(|e| fail(format!("`{}` cannot be read: {e}", path.display())))?;
        if text.len() as u64 > FILE_BYTES {
            return Err(fail(format!("`{}` is larger than {FILE_BYTES} bytes", path.display())));
        }
        self.text(path, &text)
    }

    /// Takes the text of a file, under the name that errors shall tell.
    pub fn text(mut self, path: &Path, text: &str) -> Result<Self, ConfigError> {
        let table = text.parse::<Table>().map_err(|e| {
            // The error's own rendering quotes the line, which may hold a password.
            let line = e.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            ConfigError::new("config", format!("`{}` line {line}: {}", path.display(), e.message()))
        })?;
        self.file = Some((path.to_owned(), table));
        Ok(self)
    }
}

/// One key with the value in effect, for `stoa config check`. Secrets are hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: String,
    /// The value as it is shown; empty when there is none.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

/// A value and where it came from.
struct Found {
    value: Value,
    source: Source,
}

/// Hands out values by key and remembers which; what is left at the end is unknown.
pub(super) struct Reader {
    prefix: String,
    flags: BTreeMap<&'static str, Value>,
    variables: BTreeMap<String, String>,
    path: PathBuf,
    table: Table,
    settings: Vec<Setting>,
}

impl Reader {
    pub(super) fn new(layers: Layers) -> Self {
        let Layers { flags, variables, file } = layers;
        let (path, table) = file.unwrap_or_default();
        Self { prefix: String::new(), flags, variables, path, table, settings: Vec::new() }
    }

    /// The tables of an array of tables, each with a reader that knows the file alone.
    pub(super) fn tables(&mut self, key: &str) -> Result<Vec<Reader>, ConfigError> {
        let Some(value) = self.table.remove(key) else { return Ok(Vec::new()) };
        let source = Source::File(self.path.clone());
        let wrong = || ConfigError { key: key.into(), source: Some(source.clone()), message: "is no table".into() };
        let Value::Array(items) = value else { return Err(wrong()) };
        let tables = items.into_iter().enumerate().map(|(n, item)| {
            let Value::Table(table) = item else { return Err(wrong()) };
            Ok(Reader {
                prefix: format!("{key}[{n}]."),
                flags: BTreeMap::new(),
                variables: BTreeMap::new(),
                path: self.path.clone(),
                table,
                settings: Vec::new(),
            })
        });
        tables.collect()
    }

    /// A value that may be absent.
    pub(super) fn optional<T: Display>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(Found { value, source }) = self.take(key) else {
            self.note(key, String::new(), Source::Default);
            return Ok(None);
        };
        let parsed = parse(&value).map_err(|message| self.wrong(key, &source, message))?;
        self.note(key, parsed.to_string(), source);
        Ok(Some(parsed))
    }

    /// A value that has a default.
    pub(super) fn or<T: Display>(
        &mut self,
        key: &'static str,
        default: T,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        match self.optional(key, parse)? {
            Some(value) => Ok(value),
            None => {
                // The row that `optional` noted says that there is none.
                if let Some(row) = self.settings.last_mut() {
                    row.value = default.to_string();
                }
                Ok(default)
            }
        }
    }

    /// Several values: an array, or a string of them with commas between.
    pub(super) fn list<T: Display>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        let Some(Found { value, source }) = self.take(key) else {
            self.note(key, String::new(), Source::Default);
            return Ok(Vec::new());
        };
        let items = match value {
            Value::Array(items) => items,
            Value::String(text) => {
                text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(|t| Value::String(t.into())).collect()
            }
            other
            @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Table(_)) => {
                vec![other]
            }
        };
        let parsed: Result<Vec<T>, String> = items.iter().map(parse).collect();
        let parsed = parsed.map_err(|message| self.wrong(key, &source, message))?;
        let shown: Vec<String> = parsed.iter().map(T::to_string).collect();
        self.note(key, shown.join(", "), source);
        Ok(parsed)
    }

    /// Several values, with others when none are given.
    pub(super) fn list_or<T: Display>(
        &mut self,
        key: &'static str,
        default: Vec<T>,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        let given = self.list(key, parse)?;
        if !given.is_empty() {
            return Ok(given);
        }
        if let Some(row) = self.settings.last_mut() {
            row.value = default.iter().map(T::to_string).collect::<Vec<_>>().join(", ");
        }
        Ok(default)
    }

    /// A value that only a variable may give: a flag shows in the process list, a file is copied around.
    pub(super) fn variable<T: Display>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        if self.table.contains_key(key) {
            let message = format!("does not belong into the file; set {}, or {key}_file", variable_of(key));
            return Err(self.wrong(key, &Source::File(self.path.clone()), message));
        }
        // A table of an array has no variables.
        if !self.prefix.is_empty() {
            return Ok(None);
        }
        self.flags.remove(key);
        self.optional(key, |value| parse(&text(value)?))
    }

    /// The entries of a table whose keys are the user's own.
    pub(super) fn entries(&mut self, key: &'static str) -> Result<Vec<(String, Value)>, ConfigError> {
        let Some(value) = remove(&mut self.table, key) else { return Ok(Vec::new()) };
        let source = Source::File(self.path.clone());
        let Value::Table(table) = value else { return Err(self.wrong(key, &source, "is no table".into())) };
        for (name, value) in &table {
            self.note(&format!("{key}.{name}"), value_text(value), source.clone());
        }
        Ok(table.into_iter().collect())
    }

    /// Yes or no.
    pub(super) fn switch(&mut self, key: &'static str, default: bool) -> Result<bool, ConfigError> {
        self.or(key, default, |value| match value {
            Value::Boolean(yes) => Ok(*yes),
            Value::String(text) => match text.as_str() {
                "true" | "1" | "yes" | "on" => Ok(true),
                "false" | "0" | "no" | "off" => Ok(false),
                other => Err(format!("`{other}` is neither true nor false")),
            },
            Value::Integer(_) | Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
                Err("is neither true nor false".into())
            }
        })
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: u64,
        within: RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        self.or(key, default, |value| {
            let number = match value {
                Value::Integer(n) => u64::try_from(*n).ok(),
                Value::String(text) => text.parse().ok(),
                Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
            };
            let number = number.ok_or_else(|| format!("{} is no whole number", shown(value)))?;
            match within.contains(&number) {
                true => Ok(number),
                false => Err(format!("{number} is not within {} and {}", within.start(), within.end())),
            }
        })
    }

    /// An error about a key of this reader.
    pub(super) fn error(&self, key: &str, message: impl Into<String>) -> ConfigError {
        ConfigError::new(format!("{}{key}", self.prefix), message)
    }

    /// An error about a key whose value was read before; it tells where that came from.
    pub(super) fn error_at(&self, key: &str, message: impl Into<String>) -> ConfigError {
        let key = format!("{}{key}", self.prefix);
        let source = self.settings.iter().find(|s| s.key == key).map(|s| s.source.clone());
        ConfigError { source: source.filter(|s| *s != Source::Default), ..ConfigError::new(key, message) }
    }

    /// Whether the user set this key, which was read before.
    pub(super) fn is_set(&self, key: &str) -> bool {
        let key = format!("{}{key}", self.prefix);
        self.settings.iter().any(|s| s.key == key && s.source != Source::Default)
    }

    /// Whether the file has any key under this table.
    pub(super) fn has_table(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The end: every key of the file must have been read.
    pub(super) fn finish(self) -> Result<Vec<Setting>, ConfigError> {
        if let Some(key) = first_key(&self.table, &self.prefix) {
            let message = "is not a key that Stoa knows";
            return Err(ConfigError { key, source: Some(Source::File(self.path)), message: message.into() });
        }
        Ok(self.settings)
    }

    /// Variables that begin with `STOA_` and that nothing reads: a misspelt one, or one that a platform sets by
    /// itself for a service of that name, so no error.
    pub(super) fn unread_variables(&self) -> Vec<String> {
        self.variables.keys().filter(|name| !ELSEWHERE.contains(&name.as_str())).cloned().collect()
    }

    fn take(&mut self, key: &'static str) -> Option<Found> {
        let variable = variable_of(key);
        let of_flag = self.flags.remove(key);
        let of_variable = self.variables.remove(&variable);
        let of_file = remove(&mut self.table, key);
        if let Some(value) = of_flag {
            return Some(Found { value, source: Source::Flag(flag_of(key)) });
        }
        if let Some(text) = of_variable {
            return Some(Found { value: Value::String(text), source: Source::Variable(variable) });
        }
        of_file.map(|value| Found { value, source: Source::File(self.path.clone()) })
    }

    fn note(&mut self, key: &str, value: String, source: Source) {
        self.settings.push(Setting { key: format!("{}{key}", self.prefix), value, source });
    }

    fn wrong(&self, key: &str, source: &Source, message: String) -> ConfigError {
        ConfigError { key: format!("{}{key}", self.prefix), source: Some(source.clone()), message }
    }
}

/// A string, as most values are.
pub(super) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) if text.trim().is_empty() => Err("is empty".into()),
        Value::String(text) => Ok(text.clone()),
        Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => Err("is no string".into()),
    }
}

/// The name of a key's variable: `limits.idle_ms` is `STOA_LIMITS_IDLE_MS`.
pub fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// The name of a key's flag: `data_dir` is `--data-dir`.
pub fn flag_of(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        Value::Integer(n) => n.to_string(),
        Value::Float(n) => n.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => "it".into(),
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(value_text).collect::<Vec<_>>().join(", "),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Table(_) => shown(value),
    }
}

/// Takes `a.b` out of a table, and `a` with it when nothing is left.
fn remove(table: &mut Table, key: &str) -> Option<Value> {
    let Some((head, rest)) = key.split_once('.') else { return table.remove(key) };
    let Some(Value::Table(inner)) = table.get_mut(head) else { return None };
    let value = remove(inner, rest);
    if inner.is_empty() {
        table.remove(head);
    }
    value
}

fn first_key(table: &Table, prefix: &str) -> Option<String> {
    table.iter().find_map(|(key, value)| match value {
        // An empty table sets nothing.
        Value::Table(inner) if inner.is_empty() => None,
        Value::Table(inner) => first_key(inner, &format!("{prefix}{key}.")),
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_) => Some(format!("{prefix}{key}")),
    })
}
