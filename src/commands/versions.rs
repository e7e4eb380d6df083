//! `heirloom versions`: the versions of a model's revisions, newest first.

mod release_line;
mod silent;

use super::{Global, print_json, print_text};
use crate::postgres;
use crate::source::observation::Observation;
use crate::source::{Reference, Source};
use crate::store::revisions::RevisionRow;
use crate::versioning::{AssignedVersion, Reason, Snapshot, assign_versions, resolve_text};
use anyhow::{Context, bail};
use heirloom_crawler::{Hub, Revision};
use indicatif::{ProgressBar, ProgressStyle};
use semver::VersionReq;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  heirloom versions hf:owner/name                      as crawled
  heirloom versions hf:owner/name --require '^1.2'     the one revision that the requirement chooses
  heirloom versions hf:owner/name-v2 --line            name-v1, name-v2, ... and what changed between them
  heirloom versions --silent                           every silent change that was crawled
  heirloom versions ./hub/owner/name                   a package folder, with its .revisions
  heirloom versions hf:owner/name --direct             read every revision from the hub, without the database")]
pub struct Args {
    /// A package folder (owner/name, earlier revisions under .revisions), or hf:owner/name.
    #[arg(value_name = "REF", required_unless_present = "silent")]
    reference: Option<String>,
    /// Read every revision of a hub package now, instead of what was crawled.
    #[arg(long)]
    direct: bool,
    /// Print the releases that are packages of their own instead (m-v0.1, m-v0.2), as crawled, and the step from each to the next.
    #[arg(long, conflicts_with_all = ["direct", "require"])]
    line: bool,
    /// Print every crawled revision that changed the weights while nothing says so.
    #[arg(long, conflicts_with_all = ["reference", "direct", "require", "line"])]
    silent: bool,
    /// Print only the newest revision of the highest version admitted, as in ^1.2 or >=2, <3.
    #[arg(long, value_name = "REQUIREMENT")]
    require: Option<VersionReq>,
}

/// One revision, as `--json` prints it.
#[derive(Serialize)]
pub(super) struct Line {
    pub(super) revision: String,
    date: Option<String>,
    title: String,
    tags: Vec<String>,
    pub(super) version: Option<String>,
    declared: Option<String>,
    bump: Option<String>,
    silent: bool,
    weights_changed: Option<bool>,
    reasons: Vec<Reason>,
    failure: Option<String>,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let Some(reference) = &args.reference else {
        return silent::run(global).await;
    };
    if args.line {
        return release_line::run(reference, global).await;
    }
    let mut lines = read(&reference.parse()?, args.direct, global).await?;
    if let Some(requirement) = &args.require {
        let chosen = choose(&lines, requirement)
            .with_context(|| format!("no version of {reference} is admitted by {requirement}"))?;
        lines = vec![lines.swap_remove(chosen)];
    }
    if global.json {
        print_json(&lines)?;
    } else {
        print_text(&table(&lines))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// All revisions, newest first: a folder's by reading them, a hub package's from the database, or from the hub if `direct`.
pub(super) async fn read(reference: &Reference, direct: bool, global: &Global) -> anyhow::Result<Vec<Line>> {
    match reference {
        Reference::Path(path) => {
            let (hub, name) = folder_hub(path)?;
            read_hub(hub, &name, global).await
        }
        Reference::Hub { hub, name, .. } if direct => {
            read_hub(heirloom_crawler::open(hub, None)?, name, global).await
        }
        Reference::Hub { hub, name, .. } => read_database(hub, name, global).await,
    }
}

/// Position of the line that a requirement chooses.
pub(super) fn choose(lines: &[Line], requirement: &VersionReq) -> Option<usize> {
    let oldest_first = lines.iter().rev().map(|line| line.version.as_deref());
    resolve_text(requirement, oldest_first).map(|from_oldest| lines.len() - 1 - from_oldest)
}

async fn read_database(hub: &str, name: &str, global: &Global) -> anyhow::Result<Vec<Line>> {
    let (owner, short) = name.split_once('/').unwrap_or((heirloom_crawler::NO_OWNER, name));
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let rows = match database.store.model_id(hub, owner, short).await? {
        Some(id) => Some(database.store.list_revisions(id).await?),
        None => None,
    };
    database.close().await?;
    let rows = rows.with_context(|| {
        format!("{hub}:{name} was not crawled: run `heirloom crawl {hub} --author {owner}`, or use --direct")
    })?;
    Ok(rows.into_iter().map(stored_line).collect())
}

fn stored_line(row: RevisionRow) -> Line {
    Line {
        revision: row.revision,
        date: row.date.map(|date| date.date().to_string()),
        title: row.title,
        tags: row.tags,
        version: row.version,
        declared: row.declared,
        bump: row.bump,
        silent: row.silent,
        weights_changed: row.weights_changed,
        reasons: row.reasons.0,
        failure: row.failure,
    }
}

/// A folder `DIR/owner/name` is the package `owner/name` of the hub `DIR`.
fn folder_hub(path: &Path) -> anyhow::Result<(Arc<dyn Hub>, String)> {
    let folder = path
        .canonicalize()
        .with_context(|| format!("cannot open {}", path.display()))?;
    let part = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
    let owner = folder.parent();
    let (Some(name), Some(owner_name), Some(root)) =
        (part(&folder), owner.and_then(part), owner.and_then(Path::parent))
    else {
        bail!("{} is not a package folder owner/name", path.display());
    };
    let hub = heirloom_crawler::open("dir", Some(&root.to_string_lossy()))?;
    Ok((hub, format!("{owner_name}/{name}")))
}

async fn read_hub(hub: Arc<dyn Hub>, name: &str, global: &Global) -> anyhow::Result<Vec<Line>> {
    let mut revisions = hub.revisions(name).await?;
    revisions.reverse();
    let bar = progress(revisions.len(), global);
    let mut observed = Vec::with_capacity(revisions.len());
    for revision in &revisions {
        let source = Source::open_on(hub.clone(), name, Some(&revision.id)).await?;
        observed.push(Observation::read(source, |_| {}).await?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let history: Vec<Snapshot<'_>> = observed.iter().map(Observation::snapshot).collect();
    let versions = assign_versions(name, &history);
    let mut lines: Vec<Line> = revisions
        .into_iter()
        .zip(versions)
        .zip(&observed)
        .map(|((revision, version), observation)| line(revision, version, observation.failure.clone()))
        .collect();
    lines.reverse();
    Ok(lines)
}

fn progress(revisions: usize, global: &Global) -> ProgressBar {
    if global.quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("reading {bar:30} {pos}/{len} revisions, {eta} left");
    ProgressBar::new(revisions as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn line(revision: Revision, assigned: AssignedVersion, failure: Option<String>) -> Line {
    let decision = assigned.decision;
    Line {
        revision: revision.id,
        date: revision.date.map(|date| date.date().to_string()),
        title: revision.title,
        tags: revision.tags,
        version: Some(assigned.version.to_string()),
        declared: assigned.declared,
        bump: decision.as_ref().map(|decision| decision.bump.to_string()),
        silent: decision.as_ref().is_some_and(|decision| decision.silent),
        weights_changed: decision.as_ref().and_then(|decision| decision.weights_changed),
        reasons: decision.map(|decision| decision.reasons).unwrap_or_default(),
        failure,
    }
}

/// Version, declared version, bump, date, revision and title; reasons below.
fn table(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let silent = if line.silent { "  SILENT" } else { "" };
        text += &format!(
            "{:<22} declared {:<9} {:<5} {} {:.10} {}{silent}\n",
            or_dash(&line.version),
            or_dash(&line.declared),
            line.bump.as_deref().unwrap_or("first"),
            or_dash(&line.date),
            line.revision,
            line.title,
        );
        for reason in &line.reasons {
            text += &format!("    {:<5} {}: {}\n", reason.bump, reason.kind, reason.detail);
        }
        if let Some(failure) = &line.failure {
            text += &format!("    unreadable: {failure}\n");
        }
    }
    text
}
