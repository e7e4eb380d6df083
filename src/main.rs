//! The `heirloom` binary: parses the command line, starts logging, runs one command and turns its error into one sentence.

use clap::Parser;
use heirloom::commands::{Cli, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Two crypto providers may be linked (sqlx and reqwest); name one before either is asked for.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("warning: a TLS provider was already installed");
    }
    run(Cli::parse())
}
