//! `heirloom eval`: reads a hub folder with a `truth.json`, infers lineage and versions without a database, and scores them.

use super::{Global, print_json, print_text};
use crate::eval::{
    BaselineScore, JudgedEdge, Metadata, Mistake, ReadPackage, ReadRevision, Score, Truth, baseline_table,
    baselines, judged_edges, mistakes, predict, score,
};
use crate::fingerprint::{Fingerprint, Level, fingerprint};
use crate::sentence::sentence;
use crate::source::Source;
use crate::versioning::SnapshotFile;
use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use heirloom_crawler::{Hub, ListFilter, Listing, Revision};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Score lineage and versions against the truth.json of a hub folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  heirloom-zoo demo zoo && heirloom eval zoo
  heirloom eval zoo --weights-only --json | jq .parents")]
pub struct Args {
    /// Folder of packages (owner/name/…) with a truth.json.
    dir: PathBuf,
    /// Withhold names, cards and dates from lineage: edges must come from the weights alone.
    #[arg(long)]
    weights_only: bool,
}

/// What `--json` prints: the score, and what it was measured on.
#[derive(Serialize)]
struct Report<'a> {
    weights_only: bool,
    packages: usize,
    revisions: usize,
    failures: Vec<Failure<'a>>,
    /// Packages whose parents, relation or technique are not the true ones.
    mistakes: Vec<Mistake<'a>>,
    /// Heirloom first, then published methods on the same packages.
    baselines: Vec<BaselineScore>,
    /// What `scripts/calibrate` fits confidence to.
    edges: Vec<JudgedEdge<'a>>,
    #[serde(flatten)]
    score: &'a Score,
}

/// A revision whose weights could not be read: its package is scored without them.
#[derive(Serialize)]
struct Failure<'a> {
    package: &'a str,
    revision: &'a str,
    reason: &'a str,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let truth = read_truth(&args.dir)?;
    let packages = read_packages(&args.dir, global).await?;
    let metadata = if args.weights_only {
        Metadata::Withheld
    } else {
        Metadata::Given
    };
    let prediction = predict(&packages, metadata, &truth);
    let score = score(&truth, &prediction);
    let report = Report {
        weights_only: args.weights_only,
        packages: packages.len(),
        revisions: packages.iter().map(|package| package.history.len()).sum(),
        failures: failures(&packages),
        mistakes: mistakes(&truth, &prediction),
        baselines: baselines(&packages, &truth, &prediction),
        edges: judged_edges(&truth, &prediction),
        score: &score,
    };
    if global.json {
        print_json(&report)?;
    } else {
        print_text(&report.text())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Report<'_> {
    fn text(&self) -> String {
        let told = if self.weights_only {
            ", from weights alone"
        } else {
            ""
        };
        let mut text = format!("{} packages, {} revisions{told}\n", self.packages, self.revisions);
        for failure in &self.failures {
            text += &format!(
                "unreadable: {} at {:.12}: {}\n",
                failure.package, failure.revision, failure.reason
            );
        }
        format!("{text}\n{}\n{}", self.score, baseline_table(&self.baselines))
    }
}

fn read_truth(dir: &Path) -> anyhow::Result<Truth> {
    let path = dir.join("truth.json");
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read {}: eval needs a hub folder with its truth",
            path.display()
        )
    })?;
    serde_json::from_str(&text).with_context(|| format!("{} is not a truth file", path.display()))
}

async fn read_packages(dir: &Path, global: &Global) -> anyhow::Result<Vec<ReadPackage>> {
    let hub = heirloom_crawler::open("dir", Some(&dir.to_string_lossy()))?;
    let mut listing = Listing::new(hub.clone(), ListFilter::default());
    let mut names = Vec::new();
    while let Some(page) = listing.next_page().await? {
        names.extend(page.names);
    }
    let bar = progress(names.len(), global);
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let packages = stream::iter(names)
        .map(|name| {
            let (hub, bar) = (hub.clone(), bar.clone());
            async move {
                let package = read_package(hub, &name)
                    .await
                    .with_context(|| format!("cannot read {name}"));
                bar.inc(1);
                package
            }
        })
        .buffered(at_once)
        .try_collect()
        .await?;
    bar.finish_and_clear();
    Ok(packages)
}

fn progress(packages: usize, global: &Global) -> ProgressBar {
    if global.quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("fingerprinting {bar:30} {pos}/{len} packages, {eta} left");
    ProgressBar::new(packages as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

async fn read_package(hub: Arc<dyn Hub>, name: &str) -> anyhow::Result<ReadPackage> {
    let package = hub.package(name).await?;
    let mut revisions = hub.revisions(name).await?;
    revisions.reverse();
    let date = revisions.first().and_then(|revision| revision.date);
    let mut history = Vec::with_capacity(revisions.len());
    for revision in revisions {
        history.push(read_revision(hub.clone(), name, revision).await?);
    }
    Ok(ReadPackage {
        name: name.to_owned(),
        date,
        declared: package.base_models,
        history,
    })
}

async fn read_revision(hub: Arc<dyn Hub>, name: &str, revision: Revision) -> anyhow::Result<ReadRevision> {
    let source = Source::open_on(hub, name, Some(&revision.id)).await?;
    let files = source.files.iter().map(|file| SnapshotFile {
        path: file.path.clone(),
        size: file.size,
        digest: file.sha256.clone().or_else(|| file.blob_id.clone()),
    });
    let (files, texts) = (files.collect(), source.texts.clone());
    let fingerprint = tokio::task::spawn_blocking(move || fingerprint_of(&source)).await?;
    Ok(ReadRevision {
        message: revision.full_message(),
        id: revision.id,
        tags: revision.tags,
        files,
        texts,
        fingerprint: fingerprint.map_err(|error| sentence(&error)),
    })
}

fn fingerprint_of(source: &Source) -> anyhow::Result<Fingerprint> {
    Ok(fingerprint(&source.checkpoint()?, Level::Full, &|_| {})?)
}

fn failures(packages: &[ReadPackage]) -> Vec<Failure<'_>> {
    let all = packages
        .iter()
        .flat_map(|package| package.history.iter().map(move |revision| (package, revision)));
    all.filter_map(|(package, revision)| {
        Some(Failure {
            package: &package.name,
            revision: &revision.id,
            reason: revision.fingerprint.as_ref().err()?,
        })
    })
    .collect()
}
