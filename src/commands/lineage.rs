//! `heirloom lineage`: the family tree of a crawled model, or one pair of references compared without a database.

use super::{Global, print_json, print_text};
use crate::fingerprint::{Fingerprint, Level, fingerprint};
use crate::lineage::{PairOutcome, compare_pair};
use crate::postgres;
use crate::source::{Reference, Source};
use crate::store::Store;
use crate::store::families::{EdgeRow, Family, NodeRow};
use anyhow::{Context, bail};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::ExitCode;
use tokio::task::spawn_blocking;

const EXAMPLES: &str = "\
Examples:
  heirloom lineage hf:owner/name
  heirloom lineage child.safetensors --parent hf:owner/base --json

Without --parent the model must have been crawled; the database answers.";

/// Most models of a family that are listed.
const MOST_MEMBERS: usize = 500;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A crawled model; with --parent also a weight file or a package folder.
    #[arg(value_name = "REF")]
    reference: String,
    /// Compare with this reference as the parent, reading the weights of both.
    #[arg(long, value_name = "REF")]
    parent: Option<String>,
    /// Generations to follow up and down.
    #[arg(long, default_value_t = 10)]
    depth: u32,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let child: Reference = args.reference.parse()?;
    match args.parent {
        Some(parent) => compare(&parent.parse()?, &child, global).await?,
        None => show_family(&child, args.depth, global).await?,
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Comparison {
    parent: String,
    child: String,
    #[serde(flatten)]
    outcome: PairOutcome,
}

async fn compare(parent: &Reference, child: &Reference, global: &Global) -> anyhow::Result<()> {
    let (parent_label, parent) = read(parent).await?;
    let (child_label, child) = read(child).await?;
    let comparison = Comparison {
        parent: parent_label,
        child: child_label,
        outcome: compare_pair(&parent, &child),
    };
    if global.json {
        return print_json(&comparison);
    }
    let mut text = format!(
        "{}\n  from {}\n{}\nconfidence {:.2}\n",
        comparison.child, comparison.parent, comparison.outcome.explanation, comparison.outcome.confidence
    );
    for (name, value) in &comparison.outcome.params {
        let _ = writeln!(text, "  {name}: {value}");
    }
    for feature in &comparison.outcome.evidence {
        let _ = writeln!(
            text,
            "  {:<24} {:>12.6}  {}",
            feature.name, feature.value, feature.meaning
        );
    }
    print_text(&text)
}

async fn read(reference: &Reference) -> anyhow::Result<(String, Fingerprint)> {
    let source = Source::open(reference).await?;
    let label = source.label.clone();
    let context = format!("cannot fingerprint {label}");
    let print =
        spawn_blocking(move || anyhow::Ok(fingerprint(&source.checkpoint()?, Level::Full, &|_| {})?)).await?;
    Ok((label, print.context(context)?))
}

/// The family around a model, as JSON has it.
#[derive(Serialize)]
struct FamilyReport {
    root: String,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// More models are connected than are listed.
    truncated: bool,
}

#[derive(Serialize)]
struct Node {
    reference: String,
    version: Option<String>,
    parameters: Option<i64>,
    verdict: Option<String>,
}

#[derive(Serialize)]
struct Edge {
    child: String,
    parents: Vec<String>,
    relation: String,
    technique: String,
    params: BTreeMap<String, serde_json::Value>,
    confidence: f64,
    explanation: String,
}

async fn show_family(reference: &Reference, depth: u32, global: &Global) -> anyhow::Result<()> {
    let Reference::Hub { hub, name, .. } = reference else {
        bail!("{reference} is not in the database: name a crawled model, or give its parent with --parent");
    };
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let report = read_family(&database.store, hub, name, depth).await;
    database.close().await?;
    let report = report?;
    if global.json {
        return print_json(&report);
    }
    print_text(&tree(&report))
}

async fn read_family(store: &Store, hub: &str, full_name: &str, depth: u32) -> anyhow::Result<FamilyReport> {
    let (owner, name) = full_name.split_once('/').unwrap_or(("", full_name));
    let Some(root) = store.model_id(hub, owner, name).await? else {
        bail!("{hub}:{full_name} has not been crawled: run `heirloom crawl {hub} --author {owner}` first");
    };
    let family = store.family(root, depth, MOST_MEMBERS).await?;
    let nodes = store.family_nodes(&family.members).await?;
    Ok(FamilyReport::of(format!("{hub}:{full_name}"), family, nodes))
}

impl FamilyReport {
    fn of(root: String, family: Family, nodes: Vec<NodeRow>) -> Self {
        Self {
            root,
            truncated: family.truncated,
            nodes: nodes
                .into_iter()
                .map(|node| Node {
                    reference: node.reference,
                    version: node.version,
                    parameters: node.parameters,
                    verdict: node.verdict,
                })
                .collect(),
            edges: family.edges.into_iter().map(Edge::of).collect(),
        }
    }
}

impl Edge {
    fn of(row: EdgeRow) -> Self {
        Self {
            child: row.child,
            parents: row.parents,
            relation: row.relation,
            technique: row.technique,
            params: row.params.0,
            confidence: row.confidence,
            explanation: row.explanation,
        }
    }
}

/// The family as an indented tree. A merge stands under its first parent and names the others; `*` marks the model asked for.
fn tree(report: &FamilyReport) -> String {
    let mut below: BTreeMap<&str, Vec<&Edge>> = BTreeMap::new();
    for edge in &report.edges {
        if let Some(parent) = edge.parents.first() {
            below.entry(parent).or_default().push(edge);
        }
    }
    let derived: BTreeSet<&str> = report.edges.iter().map(|edge| edge.child.as_str()).collect();
    let mut text = String::new();
    for node in report
        .nodes
        .iter()
        .filter(|node| !derived.contains(node.reference.as_str()))
    {
        text += &label(report, &node.reference, None);
        branch(report, &below, &node.reference, "", &mut text);
    }
    if report.edges.is_empty() {
        text += "no relatives among the crawled models\n";
    }
    if report.truncated {
        let _ = writeln!(
            text,
            "only {} models are listed; more are connected",
            report.nodes.len()
        );
    }
    text
}

fn branch(
    report: &FamilyReport,
    below: &BTreeMap<&str, Vec<&Edge>>,
    parent: &str,
    indent: &str,
    text: &mut String,
) {
    let children = below.get(parent).map_or(&[][..], Vec::as_slice);
    for (index, edge) in children.iter().enumerate() {
        let is_last = index + 1 == children.len();
        let _ = write!(text, "{indent}{} ", if is_last { "└─" } else { "├─" });
        *text += &label(report, &edge.child, Some(edge));
        let deeper = format!("{indent}{}  ", if is_last { " " } else { "│" });
        branch(report, below, &edge.child, &deeper, text);
    }
}

fn label(report: &FamilyReport, reference: &str, edge: Option<&Edge>) -> String {
    let node = report.nodes.iter().find(|node| node.reference == reference);
    let mut parts = vec![reference.to_owned()];
    if reference == report.root {
        parts.push("*".to_owned());
    }
    parts.extend(node.and_then(|node| node.version.clone()));
    if let Some(edge) = edge {
        parts.push(format!(
            "{} ({}) {:.2}",
            edge.relation, edge.technique, edge.confidence
        ));
        if let [_, others @ ..] = edge.parents.as_slice()
            && !others.is_empty()
        {
            parts.push(format!("with {}", others.join(" and ")));
        }
    }
    parts.extend(node.and_then(|node| node.verdict.clone()));
    parts.join("  ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_shows_who_came_from_whom() {
        let node = |reference: &str, verdict: Option<&str>| Node {
            reference: reference.to_owned(),
            version: Some("1.0.0".to_owned()),
            parameters: None,
            verdict: verdict.map(str::to_owned),
        };
        let edge = |child: &str, parents: &[&str], relation: &str, technique: &str| Edge {
            child: child.to_owned(),
            parents: parents.iter().map(|parent| (*parent).to_owned()).collect(),
            relation: relation.to_owned(),
            technique: technique.to_owned(),
            params: BTreeMap::new(),
            confidence: 0.9,
            explanation: String::new(),
        };
        let report = FamilyReport {
            root: "hf:a/tuned".to_owned(),
            truncated: false,
            nodes: vec![
                node("hf:a/tuned", Some("confirmed")),
                node("hf:a/base", None),
                node("hf:a/soup", None),
            ],
            edges: vec![
                edge("hf:a/tuned", &["hf:a/base"], "finetune", "full"),
                edge("hf:a/soup", &["hf:a/tuned", "hf:a/base"], "merge", "linear"),
            ],
        };
        assert_eq!(
            tree(&report),
            "hf:a/base  1.0.0\n\
             └─ hf:a/tuned  *  1.0.0  finetune (full) 0.90  confirmed\n   \
             └─ hf:a/soup  1.0.0  merge (linear) 0.90  with hf:a/base\n"
        );
    }
}
