//! The command line: one file a command, each a clap `Args` and a `run`.
//!
//! Enters: parsed arguments. Leaves: text or `--json` on standard output, progress and logs on standard error, an exit code.
//! Commands open references ([`crate::source`]), call the pure modules or the store, and print; they compute nothing.

pub mod check;
pub mod completions;
pub mod crawl;
pub mod diff;
pub mod doctor;
pub mod eval;
pub mod fingerprint;
pub mod hub;
pub mod identify;
pub mod jobs;
pub mod lineage;
pub mod lock;
pub mod man;
pub mod migrate;
pub mod name;
pub mod openapi;
pub mod pack;
pub mod postgres;
pub mod schedule;
pub mod serve;
pub mod study;
pub mod unpack;
pub mod user;
pub mod verify;
pub mod versions;

mod progress;
mod table;

use crate::sentence::sentence;
use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// The package's version, with the commit where the build was told it (`make run` and releases do).
const VERSION: &str = match option_env!("HEIRLOOM_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

/// git log and software-composition analysis for model weights.
///
/// REF is a path (a weight file or a package folder), or hf:owner/name[@revision].
#[derive(Debug, Parser)]
#[command(name = "heirloom", version = VERSION, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Print JSON on standard output instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// Folder of the private Postgres cluster and caches.
    #[arg(
        long,
        global = true,
        env = "HEIRLOOM_DATA",
        default_value = ".heirloom",
        value_name = "DIR"
    )]
    pub data_dir: PathBuf,
    /// Use this Postgres instead of the private one.
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub database_url: Option<String>,
    /// Say more on standard error; twice for debug output. RUST_LOG overrides.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Print no progress and only warnings.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the API, the dashboard and the workers.
    Serve(serve::Args),
    /// Crawl a hub into the database, fingerprint what it holds, infer lineage and versions.
    Crawl(crawl::Args),
    /// Serve a folder as a hub that Hugging Face clients accept.
    Hub(hub::Args),
    /// Digests, statistics and sketches of a model's weights.
    Fingerprint(fingerprint::Args),
    /// What is this model, and what was it made from?
    Identify(identify::Args),
    /// Ancestors and descendants of a crawled model, with evidence.
    Lineage(lineage::Args),
    /// The inferred versions of a model's revisions.
    Versions(versions::Args),
    /// Cut model names into the study's segments.
    Name(name::Args),
    /// Compare the weights of two models element by element.
    Diff(diff::Args),
    /// Keep models as bit-exact differences from their base.
    Pack(pack::Args),
    /// Restore the models of a delta archive, byte for byte.
    Unpack(unpack::Args),
    /// Which bump does NEW deserve over OLD? Exit code for CI.
    Check(check::Args),
    /// Pin models by digest in models.lock.
    Lock(lock::Args),
    /// Is what models.lock names still what was locked? Exit code 1 if not.
    Verify(verify::Args),
    /// Measure how models are named and versioned, as the founding study did.
    Study(study::Args),
    /// Score lineage and versions against a ground truth.
    Eval(eval::Args),
    /// Check Postgres, disk and hubs, and say what to do.
    Doctor(doctor::Args),
    /// Crawls that come again by themselves.
    Schedule(schedule::Args),
    /// What waits, what runs, and what was given up.
    Jobs(jobs::Args),
    /// Bring the database schema up to date.
    Migrate(migrate::Args),
    /// Make, list and revoke keys of the REST API.
    User(user::Args),
    /// Print the OpenAPI document of the REST API.
    Openapi(openapi::Args),
    /// Run a command with DATABASE_URL set to the private Postgres.
    Postgres(postgres::Args),
    /// Print what your shell needs to complete commands and flags.
    Completions(completions::Args),
    /// Write manual pages, one a command.
    Man(man::Args),
}

/// Runs one command. Any error becomes one line on standard error and exit code 1 (usage errors exit 2, from clap).
pub fn run(cli: Cli) -> ExitCode {
    start_logging(&cli.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&anyhow::Error::new(error).context("cannot start the async runtime")),
    };
    runtime
        .block_on(dispatch(cli))
        .unwrap_or_else(|error| report(&error))
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let global = &cli.global;
    match cli.command {
        Command::Serve(args) => serve::run(args, global).await,
        Command::Crawl(args) => crawl::run(args, global).await,
        Command::Hub(args) => hub::run(args, global).await,
        Command::Fingerprint(args) => fingerprint::run(args, global).await,
        Command::Identify(args) => identify::run(args, global).await,
        Command::Lineage(args) => lineage::run(args, global).await,
        Command::Versions(args) => versions::run(args, global).await,
        Command::Name(args) => name::run(args, global).await,
        Command::Diff(args) => diff::run(args, global).await,
        Command::Pack(args) => pack::run(args, global).await,
        Command::Unpack(args) => unpack::run(args, global).await,
        Command::Check(args) => check::run(args, global).await,
        Command::Lock(args) => lock::run(args, global).await,
        Command::Verify(args) => verify::run(args, global).await,
        Command::Study(args) => study::run(args, global).await,
        Command::Eval(args) => eval::run(args, global).await,
        Command::Doctor(args) => doctor::run(args, global).await,
        Command::Schedule(args) => schedule::run(args, global).await,
        Command::Jobs(args) => jobs::run(args, global).await,
        Command::Migrate(args) => migrate::run(args, global).await,
        Command::User(args) => user::run(args, global).await,
        Command::Openapi(args) => openapi::run(args, global).await,
        Command::Postgres(args) => postgres::run(args, global).await,
        Command::Completions(args) => completions::run(args, global).await,
        Command::Man(args) => man::run(args, global).await,
    }
}

fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {}", sentence(error));
    ExitCode::FAILURE
}

fn start_logging(global: &Global) {
    use tracing_subscriber::EnvFilter;
    let default = match (global.quiet, global.verbose) {
        (true, _) => "warn",
        (false, 0) => "warn,heirloom=info,heirloom_crawler=info",
        (false, 1) => "info,heirloom=debug,heirloom_crawler=debug",
        (false, _) => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .compact()
        .init();
}

/// Writes `value` as indented JSON and a newline. A reader that went away (`| head`) is not an error.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print_text(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// Writes `text` as it is. A reader that went away (`| head`) is not an error.
pub fn print_text(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
