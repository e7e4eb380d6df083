//! `heirloom study`: the naming study's measures over the database, or over a list of names.

use super::{Global, print_json, print_text};
use crate::postgres;
use crate::versioning::study::{Count, PackageFacts, Study};
use anyhow::Context;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  heirloom study --html study.html              over everything that was crawled
  heirloom study --names names.txt --json       over a list of names, one a line")]
pub struct Args {
    /// Measure a file of names (owner/name), one a line, instead of the database.
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// Write a self-contained page as well.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let study = match &args.names {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            let names: Vec<&str> = text
                .lines()
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .collect();
            Study::measure(&path.display().to_string(), &names, None)
        }
        None => measure_database(global).await?,
    };
    if let Some(path) = &args.html {
        std::fs::write(path, study.to_html()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if global.json {
        print_json(&study)?;
    } else {
        print_text(&text(&study))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure_database(global: &Global) -> anyhow::Result<Study> {
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let facts: Vec<PackageFacts> = database.store.study_facts().await?;
    database.close().await?;
    let names: Vec<&str> = facts.iter().map(|package| package.name.as_str()).collect();
    Ok(Study::measure("the database", &names, Some(&facts)))
}

fn text(study: &Study) -> String {
    let names = &study.names;
    let mut text = format!("{} names from {}\n", names.names, study.source);
    table(
        &mut text,
        &format!("{} conventions", names.conventions),
        &names.frequent_conventions,
    );
    table(
        &mut text,
        &format!("{} base models", names.base_models),
        &names.frequent_base_models,
    );
    table(&mut text, "modification methods in names", &names.modifications);
    if let Some(packages) = &study.packages {
        table(&mut text, "steps by size", &packages.bumps);
        let changes = &packages.changes;
        text += &format!(
            "\n{} steps: weight files changed in {}, tensors in {}, unknown in {}; silent {} ({:.1} % of changed tensors)\n",
            changes.steps,
            changes.weight_file_changed,
            changes.tensors_changed,
            changes.tensors_unknown,
            changes.silent,
            changes.silent_share() * 100.0
        );
    }
    text += "\nbeside the published study\n";
    for row in &study.comparison {
        let ours = row.ours.as_deref().unwrap_or("not measured");
        text += &format!(
            "  {:<50} {:>8} {:>13}   {}\n",
            row.measure, row.published, ours, row.caution
        );
    }
    text
}

fn table(text: &mut String, title: &str, counts: &[Count]) {
    *text += &format!("\n{title}\n");
    for count in counts.iter().take(10) {
        *text += &format!(
            "  {:>7} {:>6.2} %  {}\n",
            count.count,
            count.share * 100.0,
            count.label
        );
    }
}
