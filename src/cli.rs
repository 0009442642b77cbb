//! The command line.

mod flags;
mod store;
mod token;

use crate::{
    config::{Config, ConfigError, Layers, Setting, Source},
    storage::StoreError,
    telemetry,
};
use clap::{Parser, Subcommand};
use flags::{ServeFlags, StoreFlags};
use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};
use store::{BackupFlags, CopyFlags, Operation, RestoreFlags, StoreCommand};
use token::TokenFlags;

/// The command was used wrongly (`sysexits.h`, `EX_USAGE`), or its configuration is wrong.
const EXIT_USAGE: u8 = 64;
/// The store does not answer (`EX_UNAVAILABLE`).
const EXIT_UNAVAILABLE: u8 = 69;
/// Anything else.
const EXIT_FAILURE: u8 = 1;
/// What still runs in threads when a command is done is not waited for longer: a look at a key set takes up to ten
/// seconds.
const THREADS_END: Duration = Duration::from_millis(500);

/// Stoa: rooms, presence and chat for mentoring, in one process.
///
/// Every flag is also a variable (`--data-dir` is STOA_DATA_DIR) and a key of the file (`data_dir`); flags win over
/// variables, and variables over the file. See docs/configuration.md.
#[derive(Parser)]
#[command(name = "stoa", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until it is told to stop (SIGTERM or SIGINT).
    Serve(Box<ServeFlags>),
    /// Bring the store to this version; an empty one is made. `serve` does so by itself.
    Migrate(Box<StoreFlags>),
    /// Write a consistent copy of the embedded store into a file, while the server runs. Postgres has pg_dump.
    Backup(Box<BackupFlags>),
    /// Put a backup into the place of the embedded store, with new epochs. The place must be empty, the server stopped.
    Restore(Box<RestoreFlags>),
    /// What a store must be told.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Copy the embedded store to Postgres; nothing is renumbered and clients go on where they were.
    Copy(CopyFlags),
    /// Make a token to try things out with, signed by the configured shared secret or that of --dev.
    Token(Box<TokenFlags>),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Check the configuration that `serve` would use, and print it with the source of every value. Secrets are
    /// hidden. Nothing is started, fetched or written.
    Check(Box<ServeFlags>),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version are no errors and go to standard output.
            let code = if message.use_stderr() { EXIT_USAGE } else { 0 };
            // Nobody listens: there is nobody to tell.
            let _ = message.print();
            return ExitCode::from(code);
        }
    };
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stoa: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(flags) => {
            let config = Config::read(flags.layers()?)?;
            telemetry::init(config.log_format)?;
            for name in &config.unread_variables {
                tracing::warn!(name, "no key has this variable");
            }
            block_on(crate::server::run(config))
        }
        Command::Migrate(flags) => Operation::migrate(&flags)?.run(),
        Command::Backup(flags) => Operation::backup(*flags)?.run(),
        Command::Restore(flags) => Operation::restore(*flags)?.run(),
        Command::Store(command) => Operation::store(&command)?.run(),
        Command::Copy(flags) => Operation::copy(flags)?.run(),
        Command::Token(flags) => token::run(&flags),
        Command::Config(ConfigCommand::Check(flags)) => check(flags.layers()?),
    }
}

fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(future);
    runtime.shutdown_timeout(THREADS_END);
    result
}

fn check(layers: Layers) -> anyhow::Result<()> {
    let config = Config::read(layers)?;
    let unread = config.unread_variables.iter().map(|name| format!("# {name} is set, but no key has this variable\n"));
    say(&format!("{}{}# the configuration is legal\n", table(&config.settings), unread.collect::<String>()))
}

/// Prints the result of a command. Who closed the pipe has seen enough.
fn say(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The settings as a file would have them, each with its source.
fn table(settings: &[Setting]) -> String {
    let width = settings.iter().map(|s| s.key.len()).max().unwrap_or(0);
    let line = |s: &Setting| {
        let (mark, value) = match (&s.source, s.value.is_empty()) {
            (_, true) => ("#", "(not set)"),
            (Source::Default, false) => (" ", s.value.as_str()),
            (Source::Flag(_) | Source::Variable(_) | Source::File(_), false) => ("*", s.value.as_str()),
        };
        format!("{mark} {:width$} = {value}  # {}\n", s.key, s.source)
    };
    settings.iter().map(line).collect()
}

/// What the process ends with: the cause decides, wherever in the chain it stands.
fn exit_code(error: &anyhow::Error) -> u8 {
    let code = error.chain().find_map(|cause| {
        if cause.is::<ConfigError>() {
            return Some(EXIT_USAGE);
        }
        match cause.downcast_ref::<StoreError>()? {
            StoreError::Unavailable(_) | StoreError::Fenced => Some(EXIT_UNAVAILABLE),
            StoreError::Refused(_) | StoreError::Damaged(_) => Some(EXIT_FAILURE),
        }
    });
    code.unwrap_or(EXIT_FAILURE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_cause_decides_the_exit_code() {
        let config = Err::<(), _>(ConfigError::new("listen", "is wrong")).context("starting").expect_err("an error");
        assert_eq!(exit_code(&config), 64);
        let store = Err::<(), _>(StoreError::Unavailable("gone".into())).context("opening").expect_err("an error");
        assert_eq!(exit_code(&store), 69);
        assert_eq!(exit_code(&StoreError::Damaged("hole".into()).into()), 1);
        assert_eq!(exit_code(&anyhow::anyhow!("else")), 1);
    }
}
