//! Published ways to find parents, on the same models: what Heirloom's scores are to be read against.
//!
//! Enters: the packages as they were read, and the truth. Leaves: a [`BaselineScore`] each. The methods by weights see stored fingerprints
//! as Heirloom does, and no dates or names. They were written from what is known of the papers, not from their text or code, and read
//! sketches and probes where the papers read weights.

use super::direction::{self, PrecisionRecall};
use super::predict::ReadPackage;
use super::score::{PredictedEdge, Prediction};
use super::truth::Truth;
use crate::fingerprint::{Fingerprint, Probe, TensorFingerprint, View};
use crate::lineage::{Relation, arborescence, cells};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How well one method finds who derives from whom.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BaselineScore {
    pub name: &'static str,
    pub parents: PrecisionRecall,
    /// Packages of equal weights counted as one.
    pub parents_up_to_copies: PrecisionRecall,
    /// Over the children that have the names and shapes of all their parents: the only ones that methods by distance can place.
    pub parents_of_same_layout: PrecisionRecall,
    pub direction_accuracy: Option<f64>,
    pub false_parent_rate: Option<f64>,
}

/// Heirloom's prediction, and the baselines, by the same measures.
pub fn baselines(packages: &[ReadPackage], truth: &Truth, heirloom: &Prediction) -> Vec<BaselineScore> {
    let prints: Vec<(&str, &Fingerprint)> = packages
        .iter()
        .filter_map(|package| Some((package.name.as_str(), package.newest()?)))
        .collect();
    let same_layout = of_same_layout(truth, &prints);
    let score = |name, pairs: Vec<(String, String)>| {
        let edges = pairs.into_iter().map(|(child, parent)| joined(child, parent));
        let prediction = Prediction {
            edges: edges.collect(),
            values: heirloom.values.clone(),
            ..Prediction::default()
        };
        BaselineScore::of(name, truth, &same_layout, &prediction)
    };
    vec![
        BaselineScore::of("Heirloom", truth, &same_layout, heirloom),
        score("declared base models", declared(packages)),
        score("bit distance (ZipLLM)", by_bit_distance(&prints)),
        score("MoTHer", by_weight_distance(&prints)),
    ]
}

impl BaselineScore {
    fn of(name: &'static str, truth: &Truth, same_layout: &Truth, prediction: &Prediction) -> Self {
        Self {
            name,
            parents: direction::score_parents(truth, prediction),
            parents_up_to_copies: direction::score_parents_up_to_copies(truth, prediction),
            parents_of_same_layout: direction::score_parents_up_to_copies(same_layout, prediction),
            direction_accuracy: direction::direction_accuracy(truth, prediction),
            false_parent_rate: direction::false_parent_rate(truth, prediction),
        }
    }
}

/// The truth about children that have the names and shapes of all their parents, and about roots.
fn of_same_layout(truth: &Truth, prints: &[(&str, &Fingerprint)]) -> Truth {
    let layouts: BTreeMap<&str, Vec<(&str, &[u64])>> = prints
        .iter()
        .map(|(name, print)| (*name, layout_of(print)))
        .collect();
    let is_same = |edge: &&super::TruthEdge| {
        let own = layouts.get(edge.child.as_str());
        own.is_some()
            && edge
                .parents
                .iter()
                .all(|parent| layouts.get(parent.as_str()) == own)
    };
    let edges = truth.edges.iter().filter(|edge| edge.is_derived());
    let (same, other): (Vec<_>, Vec<_>) = edges.partition(is_same);
    Truth {
        edges: same.into_iter().cloned().collect(),
        unlabelled: other
            .into_iter()
            .map(|edge| edge.child.clone())
            .chain(truth.unlabelled.iter().cloned())
            .collect(),
        ..Truth::default()
    }
}

fn layout_of(print: &Fingerprint) -> Vec<(&str, &[u64])> {
    let tensors = print.tensors.iter();
    tensors
        .map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()))
        .collect()
}

fn joined(child: String, parent: String) -> PredictedEdge {
    PredictedEdge {
        child,
        parents: vec![parent],
        relation: Relation::Finetune,
        technique: "full".to_owned(),
        params: BTreeMap::new(),
        confidence: 1.0,
        score: 1.0,
        certainty: 1.0,
    }
}

/// What the cards say. Bases that are not in the hub are left out.
fn declared(packages: &[ReadPackage]) -> Vec<(String, String)> {
    let known: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let pairs = packages.iter().flat_map(|package| {
        let bases = package
            .declared
            .iter()
            .filter(|base| known.contains(base.as_str()));
        bases.map(|base| (package.name.clone(), base.clone()))
    });
    pairs.collect()
}

/// Mean differing bits of bf16 patterns from which ZipLLM takes two models to be of different families.
const FAMILY_BITS: f64 = 4.0;

/// ZipLLM (Wang et al., "Efficient LLM Storage via Model-Aware Deduplication and Delta Compression", NSDI 2026): the base of a model is
/// the one of its shapes that is nearest by bit distance, the mean number of differing bits of corresponding values, if that is below a
/// threshold. Values are the probed ones, as bf16, the type the threshold is given for.
fn by_bit_distance(prints: &[(&str, &Fingerprint)]) -> Vec<(String, String)> {
    let only: Vec<&Fingerprint> = prints.iter().map(|(_, print)| *print).collect();
    let mut pairs = Vec::new();
    for group in cells::group(&only) {
        for &child in &group.members {
            let others = group.members.iter().filter(|other| **other != child);
            let distances =
                others.filter_map(|other| Some((bit_distance(only[child], only[*other])?, *other)));
            let nearest = distances.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            if let Some((_, parent)) = nearest.filter(|(bits, _)| *bits < FAMILY_BITS) {
                pairs.push((prints[child].0.to_owned(), prints[parent].0.to_owned()));
            }
        }
    }
    pairs
}

/// Over tensors at the same places, each weighted by its elements.
fn bit_distance(a: &Fingerprint, b: &Fingerprint) -> Option<f64> {
    let (mut bits, mut elements) = (0.0, 0.0);
    for (a, b) in a.tensors.iter().zip(&b.tensors) {
        let (Some(first), Some(second)) = (&a.probe, &b.probe) else {
            continue;
        };
        if let Some(mean) = differing_bits(first, second) {
            bits += mean * a.elements() as f64;
            elements += a.elements() as f64;
        }
    }
    (elements > 0.0).then(|| bits / elements)
}

fn differing_bits(a: &Probe, b: &Probe) -> Option<f64> {
    if (a.rows, a.cols) != (b.rows, b.cols) || a.values.is_empty() {
        return None;
    }
    let pattern = |value: &f32| half::bf16::from_f32(*value).to_bits();
    let pairs = a.values.iter().zip(&b.values);
    let bits: u32 = pairs.map(|(a, b)| (pattern(a) ^ pattern(b)).count_ones()).sum();
    Some(f64::from(bits) / a.values.len() as f64)
}

/// What the wrong way round costs, in mean distances.
const WRONG_WAY: f64 = 0.3;
/// Squared distance over mean squared norm from which models are of different trees; it is 2 for independent ones.
const SAME_TREE: f64 = 1.7;

/// MoTHer (Horwitz et al., "Unsupervised Model Tree Heritage Recovery", ICLR 2025): models of one architecture are joined by the directed
/// tree of least cost (Chu-Liu-Edmonds), where an edge costs the Euclidean distance of the weights, and more if the kurtosis of the
/// weights grows along it: specialisation removes outliers. Distances are from sketches. The paper is told which models form a tree; here
/// those do that are nearer than independent ones.
fn by_weight_distance(prints: &[(&str, &Fingerprint)]) -> Vec<(String, String)> {
    let only: Vec<&Fingerprint> = prints.iter().map(|(_, print)| *print).collect();
    let mut pairs = Vec::new();
    for group in cells::group(&only) {
        let outliers: Vec<f64> = group
            .members
            .iter()
            .map(|member| kurtosis(only[*member]))
            .collect();
        let norms: Vec<f64> = group
            .cells
            .iter()
            .map(|cells| cells::squared_norm(cells))
            .collect();
        let count = group.members.len();
        let ends = (0..count).flat_map(|parent| (0..count).map(move |child| (parent, child)));
        let near: Vec<(usize, usize, f64)> = ends
            .filter(|(parent, child)| parent != child)
            .map(|(parent, child)| (parent, child, group.distances[parent][child]))
            .filter(|(parent, child, square)| *square < SAME_TREE * 0.5 * (norms[*parent] + norms[*child]))
            .map(|(parent, child, square)| (parent, child, square.sqrt()))
            .collect();
        let mean = near.iter().map(|(_, _, distance)| distance).sum::<f64>() / near.len().max(1) as f64;
        let arcs: Vec<arborescence::Arc> = near
            .iter()
            .map(|&(parent, child, distance)| arborescence::Arc {
                parent,
                child,
                cost: distance + f64::from(u8::from(outliers[parent] < outliers[child])) * WRONG_WAY * mean,
            })
            .collect();
        // a root of each tree, and no more
        let root_cost = 1e3 * near.iter().map(|(_, _, distance)| distance).sum::<f64>().max(1.0);
        let parents = arborescence::best_parents(count, &arcs, root_cost);
        for (child, parent) in parents.into_iter().enumerate() {
            if let Some(parent) = parent {
                let name = |place: usize| prints[group.members[place]].0.to_owned();
                pairs.push((name(child), name(parent)));
            }
        }
    }
    pairs
}

/// Mean over matrices.
fn kurtosis(print: &Fingerprint) -> f64 {
    let is_matrix = |tensor: &&TensorFingerprint| !View::of(&tensor.shape).is_vector();
    let matrices = print.tensors.iter().filter(is_matrix);
    let all: Vec<f64> = matrices
        .filter_map(|tensor| Some(tensor.stats.as_ref()?.kurtosis))
        .collect();
    all.iter().sum::<f64>() / all.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::eval::ReadRevision;
    use crate::fingerprint::{Level, fingerprint};
    use crate::weights::{Checkpoint, WeightFile};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use safetensors::tensor::{Dtype, TensorView};

    const SIDE: usize = 48;

    fn package(name: &str, declared: &[&str], values: &[f32]) -> ReadPackage {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![SIDE, SIDE], &bytes).unwrap();
        let file = safetensors::serialize([("layer.weight", view)], None).unwrap();
        let checkpoint = Checkpoint::open(vec![WeightFile::new("model.safetensors", file)]).unwrap();
        ReadPackage {
            name: name.to_owned(),
            date: None,
            declared: declared.iter().map(|base| (*base).to_owned()).collect(),
            history: vec![ReadRevision {
                id: "a".to_owned(),
                message: String::new(),
                tags: Vec::new(),
                files: Vec::new(),
                texts: BTreeMap::new(),
                fingerprint: Ok(fingerprint(&checkpoint, Level::Full, &|_| {}).unwrap()),
            }],
        }
    }

    fn random(seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..SIDE * SIDE).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    /// A little of another model added.
    fn tuned(base: &[f32], seed: u64) -> Vec<f32> {
        base.iter()
            .zip(random(seed))
            .map(|(base, way)| base + 0.01 * way)
            .collect()
    }

    #[test]
    fn each_method_joins_what_is_near_and_nothing_else() {
        let base = random(1);
        let packages = [
            package("o/base", &[], &base),
            package("o/child", &["o/base", "o/absent"], &tuned(&base, 2)),
            package("o/other", &["o/base"], &random(3)),
        ];
        let prints: Vec<(&str, &Fingerprint)> = packages
            .iter()
            .map(|package| (package.name.as_str(), package.newest().unwrap()))
            .collect();
        let pair = |child: &str, parent: &str| (child.to_owned(), parent.to_owned());
        assert_eq!(
            declared(&packages),
            [pair("o/child", "o/base"), pair("o/other", "o/base")]
        );
        assert_eq!(
            by_bit_distance(&prints),
            [pair("o/base", "o/child"), pair("o/child", "o/base")]
        );
        assert_eq!(by_weight_distance(&prints).len(), 1);
        assert!(
            by_weight_distance(&prints)
                .iter()
                .all(|(child, parent)| child != "o/other" && parent != "o/other")
        );
    }

    #[test]
    fn children_of_another_layout_are_left_out_of_their_own_score() {
        let base = random(1);
        let packages = [
            package("o/base", &[], &base),
            package("o/child", &[], &tuned(&base, 2)),
        ];
        let truth: Truth = serde_json::from_value(serde_json::json!({ "edges": [
            { "child": "o/child", "parents": ["o/base"], "relation": "finetune", "technique": "full" },
            { "child": "o/adapter", "parents": ["o/base"], "relation": "adapter", "technique": "lora" },
        ]}))
        .unwrap();
        let scores = baselines(&packages, &truth, &Prediction::default());
        let nearest = &scores[2];
        assert_eq!(
            (nearest.parents.recall, nearest.parents_of_same_layout.recall),
            (0.5, 1.0)
        );
        assert_eq!(nearest.direction_accuracy, Some(1.0));
    }
}
