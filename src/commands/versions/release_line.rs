//! `heirloom versions --line`: the releases of a model that are packages of their own, and the step from each to the next.

use super::{Global, print_json, print_text};
use crate::postgres;
use crate::source::Reference;
use crate::store::releases::ReleaseRow;
use crate::versioning::Reason;
use anyhow::{Context, bail, ensure};
use semver::Version;
use serde::Serialize;
use std::process::ExitCode;

/// One release, as `--json` prints it.
#[derive(Serialize)]
struct Line {
    reference: String,
    date: Option<String>,
    declared: String,
    version: Option<String>,
    predecessor: Option<String>,
    inferred: Option<String>,
    bump: Option<String>,
    silent: bool,
    weights_changed: Option<bool>,
    reasons: Vec<Reason>,
}

pub(super) async fn run(reference: &str, global: &Global) -> anyhow::Result<ExitCode> {
    let Reference::Hub { hub, name, .. } = reference.parse()? else {
        bail!("release lines are read from the database: name a crawled package, such as hf:owner/name-v2");
    };
    let (owner, short) = name
        .split_once('/')
        .unwrap_or((heirloom_crawler::NO_OWNER, &name));
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let rows = match database.store.model_id(&hub, owner, short).await? {
        Some(id) => Some(database.store.list_releases(id).await?),
        None => None,
    };
    database.close().await?;
    let mut rows = rows.with_context(|| {
        format!("{hub}:{name} was not crawled: run `heirloom crawl {hub} --author {owner}`")
    })?;
    ensure!(
        !rows.is_empty(),
        "the name of {hub}:{name} declares no version, so it is in no line"
    );
    rows.sort_by_cached_key(|row| row.declared.parse::<Version>().ok());
    rows.reverse();
    let lines: Vec<Line> = rows.into_iter().map(line).collect();
    if global.json {
        print_json(&lines)?;
    } else {
        print_text(&lines.iter().map(text).collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(row: ReleaseRow) -> Line {
    Line {
        reference: row.reference,
        date: row.date.map(|date| date.date().to_string()),
        declared: row.declared,
        version: row.version,
        predecessor: row.predecessor,
        inferred: row.inferred,
        bump: row.bump,
        silent: row.silent,
        weights_changed: row.weights_changed,
        reasons: row.reasons.0,
    }
}

/// Declared version, the version that the changes ask for, bump, date and package; reasons below.
fn text(line: &Line) -> String {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut text = format!(
        "declared {:<9} inferred {:<9} {:<5} {} {}{}\n",
        line.declared,
        or_dash(&line.inferred),
        line.bump.as_deref().unwrap_or("first"),
        or_dash(&line.date),
        line.reference,
        if line.silent { "  SILENT" } else { "" },
    );
    for reason in &line.reasons {
        text += &format!("    {:<5} {}: {}\n", reason.bump, reason.kind, reason.detail);
    }
    text
}
