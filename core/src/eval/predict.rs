//! What Heirloom infers about a whole hub, from what was read of it: the same calls as the pipeline's, without a database.

use super::score::{PredictedBump, PredictedEdge, Prediction};
use super::truth::Truth;
use crate::fingerprint::Fingerprint;
use crate::lineage::{self, Edge, Member, confidence};
use crate::versioning::{self, Snapshot, SnapshotFile};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// A package as it was read.
#[derive(Debug, Clone)]
pub struct ReadPackage {
    /// `owner/name`
    pub name: String,
    /// When its first revision was published.
    pub date: Option<OffsetDateTime>,
    /// The base models its card declares.
    pub declared: Vec<String>,
    /// Oldest first.
    pub history: Vec<ReadRevision>,
}

/// One revision as it was read.
#[derive(Debug, Clone)]
pub struct ReadRevision {
    pub id: String,
    pub message: String,
    pub tags: Vec<String>,
    pub files: Vec<SnapshotFile>,
    pub texts: BTreeMap<String, String>,
    /// Or one sentence that says why its weights could not be read.
    pub fingerprint: Result<Fingerprint, String>,
}

/// What lineage is told beyond the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metadata {
    /// Names, dates and declared base models.
    Given,
    /// Nothing: members are numbered in the order of their digests.
    Withheld,
}

/// Infers edges, verdicts, bumps and name segments. A verdict is always about the card's declaration; `metadata` decides only what
/// lineage may use to find edges. Of `truth` only the names to cut are read.
pub fn predict(packages: &[ReadPackage], metadata: Metadata, truth: &Truth) -> Prediction {
    let mut family: Vec<(&ReadPackage, &Fingerprint)> = packages
        .iter()
        .filter_map(|package| Some((package, package.newest()?)))
        .collect();
    if metadata == Metadata::Withheld {
        family.sort_by(|(_, a), (_, b)| a.named_digest.cmp(&b.named_digest));
    }
    let edges = infer(&family, metadata);
    let names = truth.names.iter().map(|cut| &cut.name);
    let name = |id: i64| family[id as usize].0.name.clone();
    Prediction {
        verdicts: judge(packages, &family, &edges),
        edges: edges.iter().map(|edge| named(edge, name)).collect(),
        bumps: packages.iter().flat_map(bumps_of).collect(),
        names: Some(names.map(|name| (name.clone(), segments(name))).collect()),
        values: family
            .iter()
            .filter_map(|(package, print)| Some((package.name.clone(), values_digest(print)?)))
            .collect(),
    }
}

impl ReadPackage {
    /// Fingerprint of the newest revision that has one.
    pub(super) fn newest(&self) -> Option<&Fingerprint> {
        self.history
            .iter()
            .rev()
            .find_map(|revision| revision.fingerprint.as_ref().ok())
    }
}

fn infer(family: &[(&ReadPackage, &Fingerprint)], metadata: Metadata) -> Vec<Edge> {
    let ids = ids_by_name(family);
    let labels: Vec<String> = (0..family.len()).map(|id| format!("model {id}")).collect();
    let members: Vec<Member<'_>> = family
        .iter()
        .enumerate()
        .map(|(id, (package, fingerprint))| match metadata {
            Metadata::Given => Member {
                id: id as i64,
                name: &package.name,
                fingerprint,
                date: package.date,
                declared: package
                    .declared
                    .iter()
                    .filter_map(|base| ids.get(base.as_str()).copied())
                    .collect(),
            },
            Metadata::Withheld => Member {
                id: id as i64,
                name: &labels[id],
                fingerprint,
                date: None,
                declared: Vec::new(),
            },
        })
        .collect();
    lineage::infer_edges(&members)
}

fn ids_by_name<'a>(family: &[(&'a ReadPackage, &Fingerprint)]) -> BTreeMap<&'a str, i64> {
    family
        .iter()
        .enumerate()
        .map(|(id, (package, _))| (package.name.as_str(), id as i64))
        .collect()
}

fn judge(
    packages: &[ReadPackage],
    family: &[(&ReadPackage, &Fingerprint)],
    edges: &[Edge],
) -> BTreeMap<String, lineage::Verdict> {
    let ids = ids_by_name(family);
    let by_child: BTreeMap<i64, &Edge> = edges.iter().map(|edge| (edge.child, edge)).collect();
    let verdicts = packages.iter().filter_map(|package| {
        let edge = ids
            .get(package.name.as_str())
            .and_then(|id| by_child.get(id).copied());
        let known: Vec<i64> = package
            .declared
            .iter()
            .filter_map(|base| ids.get(base.as_str()).copied())
            .collect();
        let unknown = package.declared.len() - known.len();
        Some((package.name.clone(), lineage::verdict(edge, &known, unknown)?))
    });
    verdicts.collect()
}

fn value_of(edge: &Edge, feature: &str) -> Option<f64> {
    let found = edge.evidence.iter().find(|candidate| candidate.name == feature);
    found.map(|feature| feature.value)
}

fn named(edge: &Edge, name: impl Fn(i64) -> String) -> PredictedEdge {
    PredictedEdge {
        child: name(edge.child),
        parents: edge.parents.iter().map(|&parent| name(parent)).collect(),
        relation: edge.relation,
        technique: edge.technique.clone(),
        params: edge.params.clone(),
        confidence: edge.confidence,
        score: value_of(edge, confidence::SCORE).unwrap_or(edge.confidence),
        certainty: value_of(edge, confidence::CERTAINTY).unwrap_or(1.0),
    }
}

fn bumps_of(package: &ReadPackage) -> Vec<PredictedBump> {
    let snapshots: Vec<Snapshot<'_>> = package.history.iter().map(ReadRevision::snapshot).collect();
    let versions = versioning::assign_versions(&package.name, &snapshots);
    let steps = package
        .history
        .windows(2)
        .zip(versions.iter().skip(1))
        .filter_map(|(pair, assigned)| {
            let decision = assigned.decision.as_ref()?;
            Some(PredictedBump {
                package: package.name.clone(),
                from: pair[0].id.clone(),
                to: pair[1].id.clone(),
                bump: decision.bump,
                silent: decision.silent,
            })
        });
    steps.collect()
}

impl ReadRevision {
    fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            revision: self.id.clone(),
            name: String::new(),
            message: self.message.clone(),
            files: self.files.clone(),
            fingerprint: self.fingerprint.as_ref().ok(),
            texts: self.texts.clone(),
            tags: self.tags.clone(),
        }
    }
}

fn segments(name: &str) -> Vec<(String, String)> {
    let segments = crate::versioning::parse_name(name).segments.into_iter();
    segments
        .map(|segment| (segment.text, segment.kind.as_str().replace('-', "_")))
        .collect()
}

/// Equal for models whose tensors have equal values, whatever their names, order and dtype.
fn values_digest(fingerprint: &Fingerprint) -> Option<String> {
    let mut digests: Vec<&str> = fingerprint
        .tensors
        .iter()
        .map(|tensor| tensor.value_digest.as_deref())
        .collect::<Option<_>>()?;
    digests.sort_unstable();
    Some(digests.join(","))
}
