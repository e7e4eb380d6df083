//! `heirloom identify REF`: what is this, and what was it made from? One screen.

use super::fingerprint::findings;
use super::{Global, print_json, print_text};
use crate::fingerprint::{Fingerprint, Level, fingerprint};
use crate::lineage::identity::{Derivation, Identity, identity_line};
use crate::lineage::{Edge, Member, infer_edges};
use crate::postgres;
use crate::source::{Reference, Source};
use crate::store::lineage::FamilyMember;
use crate::weights::Finding;
use serde::Serialize;
use std::fmt::Write;
use std::process::ExitCode;
use tokio::task::spawn_blocking;

const EXAMPLES: &str = "\
Examples:
  heirloom identify model.safetensors
  heirloom identify hf:owner/name@v1.0 --json

Compares the weights with every crawled model of the same shapes or with a tensor in common.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A weight file, a package folder, or hf:owner/name[@revision].
    #[arg(value_name = "REF")]
    reference: String,
}

/// Stands for the model in question among the stored ones, whose ids are positive.
const QUERY: i64 = 0;

#[derive(Debug, Serialize)]
struct Identification {
    reference: String,
    identity: String,
    parameters: u64,
    tensors: usize,
    model_digest: Option<String>,
    architecture: String,
    /// How it derives from crawled models; null when no parent was found.
    edge: Option<Link>,
    /// Crawled models that derive from it.
    descendants: Vec<Link>,
    /// The crawled models whose weights are nearest, nearest first.
    nearest: Vec<Near>,
    /// Crawled models it was compared with.
    compared: usize,
    /// What loading its files with the usual tools would do beyond reading tensors.
    findings: Vec<Finding>,
}

/// Models listed as nearest, and as descendants: one screen.
const MAX_LISTED: usize = 5;

#[derive(Debug, Serialize)]
struct Near {
    model: String,
    /// About the relative difference of the weights; 1.4 for independent ones.
    distance: f64,
}

#[derive(Debug, Serialize)]
struct Link {
    child: String,
    parents: Vec<String>,
    #[serde(flatten)]
    outcome: crate::lineage::PairOutcome,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let reference: Reference = args.reference.parse()?;
    let source = Source::open(&reference).await?;
    let label = source.label.clone();
    let fingerprint = spawn_blocking(move || {
        let checkpoint = source.checkpoint()?;
        anyhow::Ok(fingerprint(&checkpoint, Level::Full, &|_| {})?)
    })
    .await??;
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let candidates = find_candidates(&database.store, &fingerprint).await;
    database.close().await?;
    let candidates = candidates?;
    let found = spawn_blocking(move || identify(label, &fingerprint, &candidates)).await?;
    match global.json {
        true => print_json(&found)?,
        false => print_text(&describe(&found))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn find_candidates(
    store: &crate::store::Store,
    fingerprint: &Fingerprint,
) -> crate::store::Result<Vec<FamilyMember>> {
    let ids = store.packages_like(fingerprint).await?;
    store.family_members(&ids).await
}

fn identify(label: String, query: &Fingerprint, candidates: &[FamilyMember]) -> Identification {
    let stored = candidates.iter().map(|candidate| Member {
        id: candidate.id,
        name: &candidate.name,
        fingerprint: &candidate.fingerprint,
        date: candidate.date,
        declared: Vec::new(),
    });
    let asked = Member {
        id: QUERY,
        name: &label,
        fingerprint: query,
        date: None,
        declared: Vec::new(),
    };
    let members: Vec<Member<'_>> = stored.chain([asked]).collect();
    let name_of = |id: i64| match candidates.iter().find(|candidate| candidate.id == id) {
        Some(candidate) => format!("{}:{}", candidate.hub, candidate.name),
        None => label.clone(),
    };
    let (mut above, mut descendants) = (None, Vec::new());
    for edge in infer_edges(&members) {
        if edge.child == QUERY {
            above = Some(link(edge, name_of));
        } else if edge.parents.contains(&QUERY) {
            descendants.push(link(edge, name_of));
        }
    }
    let identity = identity_line(&Identity {
        edge: above.as_ref().map(|link| Derivation {
            relation: link.outcome.relation,
            technique: &link.outcome.technique,
            params: &link.outcome.params,
            parents: &link.parents,
        }),
        verdict: None,
        declared: &[],
        fingerprinted: true,
        failure: None,
    });
    Identification {
        identity,
        parameters: query.parameters,
        tensors: query.tensors.len(),
        model_digest: query.model_digest.clone(),
        architecture: query.architecture.clone(),
        edge: above,
        descendants,
        nearest: nearest(query, candidates),
        compared: candidates.len(),
        findings: query.findings.clone(),
        reference: label,
    }
}

fn nearest(query: &Fingerprint, candidates: &[FamilyMember]) -> Vec<Near> {
    let Some(signature) = query.signature() else {
        return Vec::new();
    };
    let mut near: Vec<Near> = candidates
        .iter()
        .filter_map(|candidate| {
            Some(Near {
                model: format!("{}:{}", candidate.hub, candidate.name),
                distance: signature.distance(&candidate.fingerprint.signature()?),
            })
        })
        .collect();
    near.sort_by(|a, b| {
        a.distance
            .total_cmp(&b.distance)
            .then_with(|| a.model.cmp(&b.model))
    });
    near.truncate(MAX_LISTED);
    near
}

fn link(edge: Edge, name_of: impl Fn(i64) -> String) -> Link {
    Link {
        child: name_of(edge.child),
        parents: edge.parents.into_iter().map(name_of).collect(),
        outcome: crate::lineage::PairOutcome {
            relation: edge.relation,
            technique: edge.technique,
            params: edge.params,
            confidence: edge.confidence,
            explanation: edge.explanation,
            evidence: edge.evidence,
        },
    }
}

fn describe(found: &Identification) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", found.reference);
    let _ = writeln!(text, "  {}", found.identity);
    let _ = writeln!(
        text,
        "  {} parameters in {} tensors",
        found.parameters, found.tensors
    );
    if let Some(digest) = &found.model_digest {
        let _ = writeln!(text, "  model digest {digest}");
    }
    text += &findings(&found.findings);
    if let Some(link) = &found.edge {
        let _ = writeln!(
            text,
            "\n{}\nconfidence {:.2}",
            link.outcome.explanation, link.outcome.confidence
        );
        for feature in &link.outcome.evidence {
            let _ = writeln!(
                text,
                "  {:<28} {:>12.6}  {}",
                feature.name, feature.value, feature.meaning
            );
        }
    }
    if !found.nearest.is_empty() {
        text += "\nnearest weights (distance 0 is equal, 1.4 is unrelated)\n";
    }
    for near in &found.nearest {
        let _ = writeln!(text, "  {:<10.4} {}", near.distance, near.model);
    }
    for link in found.descendants.iter().take(MAX_LISTED) {
        let outcome = &link.outcome;
        let _ = writeln!(
            text,
            "\n{} derives from it: {:?} ({})",
            link.child, outcome.relation, outcome.technique
        );
    }
    if let Some(more) = found
        .descendants
        .len()
        .checked_sub(MAX_LISTED)
        .filter(|more| *more > 0)
    {
        let _ = writeln!(text, "and {more} more derive from it");
    }
    let _ = writeln!(text, "\ncompared with {} crawled models", found.compared);
    text
}
