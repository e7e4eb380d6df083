//! `heirloom study`: the naming study's measures over the database, or over a list of names.

use super::{Global, print_json, print_text};
use crate::postgres;
use crate::versioning::study::{Count, GroupMeasures, PackageMeasures, Replication, ReplicationFiles, Study};
use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  heirloom study --html study.html              over everything that was crawled
  heirloom study --names names.txt --json       over a list of names, one a line
  heirloom study --replication DIR              beside the same method over the study's own data: DIR is a copy of its
                                                replication package (github.com/SAILResearch/wip-24-adekunle-lm-release)")]
pub struct Args {
    /// Measure a file of names (owner/name), one a line, instead of the database.
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// Measure the study's own data as well, from a copy of its replication package.
    #[arg(long, value_name = "DIR")]
    replication: Option<PathBuf>,
    /// Write a self-contained page as well.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Where the replication package keeps the names of all models.
const MODELS: [&str; 1] = ["RQ2_result/all_NLP_with_quantization.csv"];
/// Where it keeps the names labelled by hand; the second is a part of them, as other collections hand it on.
const LABELS: [&str; 2] = ["RQ1_results/manually_analyzed.csv", "labelled_names.csv"];

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let replication = args.replication.as_deref().map(measure_replication).transpose()?;
    let study = match &args.names {
        Some(path) => {
            let text = read(path)?;
            let lines = text.lines().map(str::trim);
            let names: Vec<&str> = lines.filter(|name| !name.is_empty()).collect();
            Study::measure(&path.display().to_string(), &names, None, replication)
        }
        None => {
            let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
            let facts = database.store.study_facts().await?;
            database.close().await?;
            Study::of_packages("the database", &facts, replication)
        }
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

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn measure_replication(folder: &Path) -> anyhow::Result<Replication> {
    let first = |places: &[&str]| -> anyhow::Result<Option<String>> {
        let found = places
            .iter()
            .map(|place| folder.join(place))
            .find(|path| path.exists());
        found.as_deref().map(read).transpose()
    };
    let (models, labels) = (first(&MODELS)?, first(&LABELS)?);
    ensure!(
        models.is_some() || labels.is_some(),
        "{} holds no table of the study's replication package; it should hold {} or {}",
        folder.display(),
        MODELS[0],
        LABELS[0]
    );
    Ok(Replication::measure(ReplicationFiles {
        models: models.as_deref(),
        labels: labels.as_deref(),
    }))
}

fn text(study: &Study) -> String {
    let names = &study.names;
    let mut text = format!("{} names from {}\n", names.names, study.source);
    let title = format!(
        "{} conventions; {:.0} expected among {} names",
        names.conventions, names.practices.distinct, names.practices.sample
    );
    table(&mut text, &title, &names.frequent_conventions);
    let title = format!("{} base models in names", names.base_models);
    table(&mut text, &title, &names.frequent_base_models);
    table(&mut text, "modification methods in names", &names.modifications);
    table(
        &mut text,
        "modification methods by the study's keywords",
        &names.variant_types,
    );
    if let Some(packages) = &study.packages {
        histories(&mut text, packages);
    }
    text += "\nbeside the published study\n";
    for row in &study.comparison {
        let replicated = row.replicated.as_deref().unwrap_or("-");
        let ours = row.ours.as_deref().unwrap_or("not measured");
        text += &format!(
            "  {}\n      published {}; reproduced {replicated}; here {ours}\n",
            row.measure, row.published
        );
        text += &format!("      {}\n", row.definition);
        if let Some(missing) = row.missing {
            text += &format!("      not reproduced: {missing}\n");
        }
    }
    text
}

fn histories(text: &mut String, packages: &PackageMeasures) {
    table(text, "relations by weights", &packages.relations);
    table(text, "file types", &packages.extensions);
    table(text, "steps by size", &packages.bumps);
    *text += "\npackages (card, licence, data sets, base model) and changes of weight files (not represented), values (silent)\n";
    let groups = std::iter::once(&packages.all)
        .chain(&packages.hubs)
        .chain(&packages.years);
    for group in groups {
        *text += &group_line(group);
    }
    *text += "\ndeclared major steps against declared minor ones (Fisher's exact test, Bonferroni)\n";
    for contrast in &packages.contrasts {
        *text += &format!(
            "  {:<14} major {:>3} of {:<3}  minor {:>3} of {:<3}  corrected p {:.4}{}\n",
            contrast.kind,
            contrast.major,
            contrast.major_steps,
            contrast.minor,
            contrast.minor_steps,
            contrast.adjusted_p_value,
            if contrast.significant { "  differs" } else { "" }
        );
    }
}

fn group_line(group: &GroupMeasures) -> String {
    let changes = &group.changes;
    format!(
        "  {:<10} {:>6} ({}, {}, {}, {})   {:>6} ({})  {:>6} ({})\n",
        group.label,
        group.packages,
        group.with_card,
        group.with_licence,
        group.with_datasets,
        group.with_base_model,
        changes.weight_file_changed,
        changes.not_represented,
        changes.tensors_changed,
        changes.silent
    )
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
