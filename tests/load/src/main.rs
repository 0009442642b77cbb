//! The `stoa-load` command.

fn main() -> std::process::ExitCode {
    stoa_load::cli::main()
}
