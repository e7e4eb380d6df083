//! The command line: one file a command, each a clap `Args` and a `run`.
//!
//! Enters: parsed arguments. Leaves: text or `--json` on standard output, progress and logs on standard error, an exit code.
//! Commands open references ([`crate::source`]), call the pure modules or the store, and print; they compute nothing.

pub mod backup;
pub mod check;
pub mod completions;
pub mod config;
pub mod crawl;
pub mod diff;
pub mod doctor;
pub mod eval;
pub mod export;
pub mod fingerprint;
pub mod hub;
pub mod identify;
pub mod import;
pub mod jobs;
pub mod lineage;
pub mod lock;
pub mod man;
pub mod mcp;
pub mod migrate;
pub mod name;
pub mod openapi;
pub mod pack;
pub mod postgres;
pub mod restore;
pub mod schedule;
pub mod serve;
pub mod study;
pub mod unpack;
pub mod user;
pub mod verify;
pub mod versions;
pub mod worker;

mod progress;
mod table;

use crate::sentence::sentence;
use crate::settings::{LogFormat, Origins, Settings, Sources};
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
    pub flags: GlobalFlags,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags every command takes. What they leave open comes from the environment, the configuration file or the defaults.
#[derive(Debug, Clone, Args)]
pub struct GlobalFlags {
    /// Print JSON on standard output instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// Configuration file; ./heirloom.toml or /etc/heirloom/heirloom.toml where there is one. See `heirloom config`.
    #[arg(long, global = true, env = "HEIRLOOM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the private Postgres cluster and caches; .heirloom by default, or $HEIRLOOM_DATA.
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Use this Postgres instead of the private one; or $DATABASE_URL.
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Say more on standard error; twice for debug output. RUST_LOG overrides.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Print no progress and only warnings.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// What every command is given: the global flags with the settings resolved.
#[derive(Debug, Clone)]
pub struct Global {
    pub json: bool,
    pub verbose: u8,
    pub quiet: bool,
    pub data_dir: PathBuf,
    pub database_url: Option<String>,
    pub settings: Settings,
    pub origins: Origins,
}

impl Global {
    fn resolve(flags: &GlobalFlags) -> anyhow::Result<Self> {
        let given = [
            ("data_dir", &flags.data_dir),
            ("database_url", &flags.database_url),
        ];
        let given = given
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.clone()?)))
            .collect();
        let (settings, origins) = Sources::of_process(given, flags.config.as_deref())?.resolve()?;
        Ok(Self {
            json: flags.json,
            verbose: flags.verbose,
            quiet: flags.quiet,
            data_dir: settings.data_dir.clone(),
            database_url: settings.database_url.clone(),
            settings,
            origins,
        })
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the API, the dashboard and the workers.
    Serve(serve::Args),
    /// Work on the queue of a database that others serve.
    Worker(worker::Args),
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
    /// Every setting, its value and where it came from.
    Config(config::Args),
    /// Write the whole database to a file.
    Backup(backup::Args),
    /// Read a database back from a backup.
    Restore(restore::Args),
    /// Bring the database schema up to date.
    Migrate(migrate::Args),
    /// Make, list and revoke keys of the REST API.
    User(user::Args),
    /// Print the OpenAPI document of the REST API.
    Openapi(openapi::Args),
    /// Write the whole database as Parquet, or in PTMTorrent's layout.
    Export(export::Args),
    /// Load an export into an empty database.
    Import(import::Args),
    /// Serve the catalogue to an assistant over standard input and output (MCP).
    Mcp(mcp::Args),
    /// Run a command with DATABASE_URL set to the private Postgres.
    Postgres(postgres::Args),
    /// Print what your shell needs to complete commands and flags.
    Completions(completions::Args),
    /// Write manual pages, one a command.
    Man(man::Args),
}

/// Runs one command. Any error becomes one line on standard error and exit code 1 (usage errors exit 2, from clap).
pub fn run(cli: Cli) -> ExitCode {
    let global = match Global::resolve(&cli.flags) {
        Ok(global) => global,
        Err(error) => return report(&error),
    };
    start_logging(&global);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&anyhow::Error::new(error).context("cannot start the async runtime")),
    };
    let code = runtime
        .block_on(dispatch(cli.command, &global))
        .unwrap_or_else(|error| report(&error));
    // A thread in the middle of a large file must not hold the process: its job was handed back.
    runtime.shutdown_background();
    code
}

async fn dispatch(command: Command, global: &Global) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(args, global).await,
        Command::Worker(args) => worker::run(args, global).await,
        Command::Config(args) => config::run(args, global).await,
        Command::Backup(args) => backup::run(args, global).await,
        Command::Restore(args) => restore::run(args, global).await,
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
        Command::Export(args) => export::run(args, global).await,
        Command::Import(args) => import::run(args, global).await,
        Command::Mcp(args) => mcp::run(args, global).await,
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
    // The queue warns of each job that is added in a batch: it does not look up what kind it is.
    let default = match (global.quiet, global.verbose) {
        (true, _) => "warn,graphile_worker_task_details=error",
        (false, 0) => "warn,graphile_worker_task_details=error,heirloom=info,heirloom_crawler=info",
        (false, 1) => "info,heirloom=debug,heirloom_crawler=debug",
        (false, _) => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match global.settings.log_format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).compact().init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
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
