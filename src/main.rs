//! The `stoa` command.

/// What connections need for their handshake and snapshot is soon given back; glibc's allocator leaves holes there
/// that a third of an idle connection's memory went into (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    stoa::cli::main()
}
