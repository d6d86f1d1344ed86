//! Arguments → command → exit code.

use std::process::ExitCode;

/// Requests allocate and free in short bursts from many threads, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    portcullis::cli::main()
}
