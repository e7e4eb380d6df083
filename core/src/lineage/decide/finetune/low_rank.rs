//! Deltas of low rank: merged adapters, alone or with a sparse update beside them.

use super::*;

/// Share of sketch cells that a low-rank delta may leave exactly zero.
const MOST_UNTOUCHED: f64 = 0.1;

/// A low-rank adapter merged into the weights.
pub(super) fn lora(changed: &Changed<'_, '_>) -> Option<Decision> {
    let judged: Vec<(&TensorEvidence<'_>, Option<usize>, usize)> = changed
        .matrices
        .iter()
        .filter(|(tensor, spectrum)| {
            // a product of factors leaves no element as it was
            spectrum.size() >= 4
                && tensor.view.rows.min(tensor.view.cols) >= 6
                && spectrum.zero_cells < MOST_UNTOUCHED
        })
        .map(|(tensor, spectrum)| (*tensor, spectrum.rank(), spectrum.size()))
        .collect();
    let ranks: Vec<usize> = judged.iter().filter_map(|(_, rank, _)| *rank).collect();
    let rank = most_common(&ranks)?;
    // a sketch no larger than the rank cannot show it
    let able: Vec<_> = judged.iter().filter(|(_, _, size)| *size > rank).collect();
    let low = able
        .iter()
        .filter(|(tensor, found, _)| {
            found.is_some_and(|found| (found as u64) * 4 <= tensor.view.rows.min(tensor.view.cols) * 3)
        })
        .count();
    if low as f64 <= LOW_RANK_SHARE * able.len() as f64 {
        return None;
    }
    let per_tensor: BTreeSet<usize> = ranks.iter().copied().collect();
    let because = format!(
        "The deltas of {low} of {} matrices that can show it have rank {rank}, and nothing beyond.",
        able.len()
    );
    let decision = finetune("lora-merged", 0.95, because)
        .with("rank", rank)
        .with_feature(
            "delta_rank",
            rank as f64,
            "most common rank of the changed matrices' deltas",
        )
        .with_feature(
            "low_rank_share",
            low as f64 / able.len() as f64,
            "matrices whose delta ends in a gap",
        );
    Some(if per_tensor.len() > 1 {
        decision.with("ranks", per_tensor.into_iter().collect::<Vec<_>>())
    } else {
        decision
    })
}

/// The most frequent value, the larger of equally frequent ones: small matrices cut ranks short.
fn most_common(values: &[usize]) -> Option<usize> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    values
        .iter()
        .for_each(|value| *counts.entry(*value).or_default() += 1);
    counts
        .into_iter()
        .max_by_key(|(value, count)| (*count, *value))
        .map(|(value, _)| value)
}

/// A low-rank part under a sparse one: all elements move a little, and a few by far more.
pub(super) fn low_rank_and_sparse(changed: &Changed<'_, '_>) -> Option<Decision> {
    let mut outliers = Outliers::default();
    for (tensor, _) in &changed.matrices {
        outliers.add(tensor);
    }
    let share = share(outliers.count, outliers.elements);
    if outliers.elements < FEWEST_PROBED
        || !(FEWEST_OUTLIERS..=MOST_OUTLIERS).contains(&share)
        || outliers.energy < OUTLIER_ENERGY * outliers.total
        || outliers.between > VALLEY * outliers.count
    {
        return None;
    }
    let because = format!(
        "{:.1} % of the elements hold {:.0} % of the squared change, over a change of all the others.",
        share * 100.0,
        100.0 * outliers.energy / outliers.total
    );
    let able = changed
        .matrices
        .iter()
        .filter(|(_, spectrum)| spectrum.size() >= SHOWS_RANK);
    let soft: Vec<Option<usize>> = able.map(|(_, spectrum)| spectrum.soft_rank(SOFT_GAP)).collect();
    let ranks: Vec<usize> = soft.iter().flatten().copied().collect();
    let rank = most_common(&ranks);
    let agreeing = ranks.iter().filter(|found| Some(**found) == rank).count();
    if soft.len() < 2 || agreeing * 2 < soft.len() || rank.is_none_or(|rank| rank < 2) {
        return None;
    }
    let decision = finetune("sparse-lowrank", 0.75, because)
        .with("density", (share * 1e3).round() / 1e3)
        .with_feature(
            "outlier_share",
            share,
            "probed elements that moved by far more than their row",
        );
    Some(match rank {
        Some(rank) => decision.with("rank", rank),
        None => decision,
    })
}

/// Side of a sketch from which a low-rank part shows above a sparse one.
const SHOWS_RANK: usize = 32;
/// Ratio of neighbouring singular values that tells a low-rank part from a sparse rest.
const SOFT_GAP: f64 = 1.2;
/// An element is an outlier when it moved this many times as far as the median of its row.
const OUTLIER: f64 = 9.0;
/// What outliers must be for a sparse part: of how many probed elements, which share, with which share of the squared change.
const FEWEST_PROBED: f64 = 256.0;
const FEWEST_OUTLIERS: f64 = 0.0015;
const MOST_OUTLIERS: f64 = 0.1;
const OUTLIER_ENERGY: f64 = 0.2;
/// ... and between them and the others there is a valley: elements half as far out, over outliers. Tails of real training fall off.
const VALLEY: f64 = 0.8;

#[derive(Default)]
struct Outliers {
    elements: f64,
    count: f64,
    between: f64,
    energy: f64,
    total: f64,
}

impl Outliers {
    fn add(&mut self, tensor: &TensorEvidence<'_>) {
        let (Some(parent), Some(child)) = (&tensor.pair.parent.probe, &tensor.pair.child.probe) else {
            return;
        };
        for (parent, child) in common_rows(parent, child, tensor.view.rows, tensor.view.rows) {
            let steps = parent
                .iter()
                .zip(child)
                .map(|(parent, child)| f64::from(child - parent).abs());
            let mut steps: Vec<f64> = steps.collect();
            steps.sort_by(f64::total_cmp);
            let median = steps.get(steps.len() / 2).copied().unwrap_or(0.0);
            if steps.len() < 16 || median == 0.0 {
                continue;
            }
            // in units of the row's own size, so that no row outweighs the others
            for step in steps.into_iter().map(|step| step / median) {
                let is_outlier = step > OUTLIER;
                self.elements += 1.0;
                self.count += f64::from(u8::from(is_outlier));
                self.between += f64::from(u8::from(!is_outlier && step > OUTLIER / 2.0));
                self.energy += if is_outlier { step * step } else { 0.0 };
                self.total += step * step;
            }
        }
    }
}
