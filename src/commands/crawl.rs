//! `heirloom crawl HUB`: crawls in this process, draws its progress, prints a report.

use super::{Global, print_json, print_text};
use crate::fingerprint::Level;
use crate::jobs::{CrawlOptions, CrawlReport, Progress, Silent, crawl, queue_crawl};
use crate::postgres;
use heirloom_crawler::{KNOWN_HUBS, OpenOptions};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use std::fmt::Write;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  heirloom crawl hf --author HuggingFaceTB --limit 20   an organisation, from the hub HF_ENDPOINT names
  heirloom crawl dir models/                            a folder of packages (OWNER/NAME/files)
  heirloom crawl cache                                  your Hugging Face cache
  heirloom crawl git checkouts/                         git checkouts, with their git-LFS objects
  heirloom crawl ollama --author library --search llama3
  heirloom crawl hf --level metadata                    names, history, shapes; no weights are downloaded

A crawl that was cut off goes on where it was when the same command is given again. Packages that fail are listed and do not stop the
others; the exit code is 1 only when the hub or the database failed.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[arg(help = format!("One of {KNOWN_HUBS}"))]
    hub: String,
    /// The folder, for hubs on this machine.
    folder: Option<String>,
    /// Address of the hub; HF_ENDPOINT or the public one by default.
    #[arg(long, value_name = "URL", conflicts_with = "folder")]
    endpoint: Option<String>,
    /// Only packages of this owner.
    #[arg(long)]
    author: Option<String>,
    /// Only packages whose name contains this.
    #[arg(long)]
    search: Option<String>,
    /// At most this many packages.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// How much of the weights to read: metadata their headers, sample a few values of each tensor, full every byte.
    #[arg(long, value_enum, default_value_t = CrawlLevel::Full)]
    level: CrawlLevel,
    /// Read the whole listing again, not only what changed since the last crawl: finds what was deleted.
    #[arg(long)]
    all: bool,
    /// Stop once this many bytes of files were read from the network; the same command goes on from there.
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    max_bytes: Option<u64>,
    /// Only queue it, for the workers of `heirloom serve` and `heirloom worker` on this database.
    #[arg(long)]
    queue: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum CrawlLevel {
    Metadata,
    Sample,
    Full,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let hub = heirloom_crawler::open_with(
        &args.hub,
        &OpenOptions {
            endpoint: args.folder.or(args.endpoint),
            byte_budget: args.max_bytes,
        },
    )?;
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let options = CrawlOptions {
        author: args.author,
        search: args.search,
        limit: args.limit,
        level: match args.level {
            CrawlLevel::Metadata => Level::Metadata,
            CrawlLevel::Sample => Level::Sample,
            CrawlLevel::Full => Level::Full,
        },
        relist: args.all,
        scratch: global.data_dir.join("downloads"),
    };
    if args.queue {
        let queued = queue_crawl(&database.store, options.plan(hub.as_ref())).await;
        database.close().await?;
        queued?;
        print_text("queued; `heirloom jobs` shows how far it is\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let progress: Arc<dyn Progress> = match std::io::stderr().is_terminal() && !global.quiet {
        true => Arc::new(Bar::new()),
        false => Arc::new(Silent),
    };
    let started = Instant::now();
    let outcome = tokio::select! {
        outcome = crawl(&database.store, hub, &options, progress) => outcome,
        // What was stored stays; the same command goes on from there.
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted; the same command goes on where this one was")),
    };
    database.close().await?;
    let report = outcome?;
    match global.json {
        true => print_json(&report)?,
        false => print_text(&describe(&report, started.elapsed()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `512`, `20M`, `1.5G`, by steps of 1024.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is no number of bytes; write 512, 20M or 1.5G");
    let upper = text.trim().to_ascii_uppercase();
    let plain = upper.strip_suffix('B').unwrap_or(&upper);
    let with_unit = [("K", 1), ("M", 2), ("G", 3), ("T", 4)]
        .into_iter()
        .find_map(|(unit, steps)| Some((plain.strip_suffix(unit)?, steps)));
    let (number, steps) = with_unit.unwrap_or((plain, 0));
    let bytes = number.parse::<f64>().map_err(|_| bad())? * 1024_f64.powi(steps);
    match (0.0..9e15).contains(&bytes) {
        true => Ok(bytes as u64),
        false => Err(bad()),
    }
}

fn describe(report: &CrawlReport, took: Duration) -> String {
    let mut text = String::new();
    let resumed = if report.resumed { " (resumed)" } else { "" };
    let _ = writeln!(
        text,
        "{} packages from {} {} in {:.1} s{resumed}: {} unchanged, {} new revisions, {} fingerprints, {} failures",
        report.totals.packages,
        report.hub,
        report.endpoint,
        took.as_secs_f64(),
        report.totals.unchanged,
        report.totals.new_revisions,
        report.totals.fingerprints,
        report.failures.len()
    );
    for failure in &report.failures {
        let _ = writeln!(text, "  {}: {}", failure.package, failure.reason);
    }
    text
}

/// A bar over packages, with the bytes of weights read so far.
struct Bar {
    bar: ProgressBar,
    bytes: std::sync::atomic::AtomicU64,
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        let template =
            "{spinner} {pos}/{len} packages [{bar:30}] {per_sec}, {eta} left, {prefix} read  {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, bytes: 0.into() }
    }
}

impl Progress for Bar {
    fn listed(&self, count: u64) {
        self.bar.inc_length(count);
    }

    fn package_done(&self, name: &str) {
        self.bar.inc(1);
        self.bar.set_message(name.to_owned());
    }

    fn read(&self, bytes: u64) {
        let total = self.bytes.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed) + bytes;
        self.bar.set_prefix(HumanBytes(total).to_string());
    }

    fn inferring(&self) {
        self.bar.set_message("inferring lineage");
    }
}

#[cfg(test)]
mod tests {
    use super::parse_bytes;

    #[test]
    fn bytes_are_written_with_or_without_a_unit() {
        for (text, expect) in [("512", 512), ("20M", 20 << 20), ("1.5gb", 3 << 29), (" 0 ", 0)] {
            assert_eq!(parse_bytes(text), Ok(expect));
        }
        for text in ["", "M", "-1", "1e99", "NaN", "ten"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
