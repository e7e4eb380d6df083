//! Merges that drop elements: TIES, DARE, breadcrumbs.
//!
//! Enters: probes of a base, of fine-tunes and of the child. Leaves: a [`Masked`] explanation. Every probed element of the child must be
//! the base plus some of the task vectors, each times its own constant; which elements were dropped tells the method.

use crate::fingerprint::Fingerprint;
use crate::weights::Dtype;

/// Share of the probed elements that must be explained.
const EXPLAINED: f64 = 0.75;
/// Relative error of an explained element.
const TOLERANCE: f64 = 0.03;
/// Elements below which nothing is concluded.
const FEWEST_ELEMENTS: usize = 200;
/// Chance of keeping one of the smaller elements over that of the larger ones, below which dropping went by size.
const BY_SIZE: f64 = 0.5;
/// The largest elements of a tensor, as a share, and their chance over that of the others, below which outliers were dropped.
const OUTLIERS: f64 = 0.008;
const DROPPED_OUTLIERS: f64 = 0.5;

/// How elements were dropped.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Masked {
    pub technique: &'static str,
    /// Share of each task vector's elements that were kept.
    pub density: f64,
    pub explained: f64,
}

/// One probed element: the change of each task, and of the child, from the base, and what rounding may have moved.
struct Element {
    tensor: usize,
    tasks: Vec<f64>,
    child: f64,
    rounding: f64,
}

/// Explains `child` as `base` and masked task vectors of `tuned`, all of one layout.
pub(super) fn explain(base: &Fingerprint, tuned: &[&Fingerprint], child: &Fingerprint) -> Option<Masked> {
    let elements = elements(base, tuned, child);
    if elements.len() < FEWEST_ELEMENTS {
        return None;
    }
    let scales: Vec<f64> = (0..tuned.len())
        .map(|task| scale_of(&elements, task))
        .collect::<Option<_>>()?;
    let mix = mix_of(&elements, &scales);
    let masks: Vec<Option<u32>> = elements
        .iter()
        .map(|element| mask_of(element, &scales, mix))
        .collect();
    let explained = masks.iter().flatten().count() as f64 / elements.len() as f64;
    if explained < EXPLAINED {
        return None;
    }
    let kept = kept_by_size(&elements, &masks, tuned.len());
    let chance = |from: f64, to: f64| {
        let part = kept.iter().filter(|(rank, _)| (from..to).contains(rank));
        part.clone().filter(|(_, kept)| *kept).count() as f64 / part.count().max(1) as f64
    };
    let all = chance(0.0, 1.1);
    if all > 0.98 {
        return None;
    }
    let technique = if chance(1.0 - OUTLIERS, 1.1) < DROPPED_OUTLIERS * chance(0.5, 0.9) {
        "breadcrumbs"
    } else if chance(0.0, 0.3) < BY_SIZE * chance(0.7, 1.1) {
        "ties"
    } else {
        "dare"
    };
    // what a vote on signs silenced was not dropped: none of the tasks shows where all were
    let silent = masks.iter().flatten().filter(|mask| **mask == 0).count() as f64;
    let seen = masks.iter().flatten().count().max(1) as f64;
    let density = match technique {
        "ties" => 1.0 - (silent / seen).powf(1.0 / tuned.len() as f64),
        _ => all,
    };
    Some(Masked {
        technique,
        density,
        explained,
    })
}

/// For each task of each explained element: the rank of its size within its tensor, from 0 to 1, and whether it was kept.
fn kept_by_size(elements: &[Element], masks: &[Option<u32>], tasks: usize) -> Vec<(f64, bool)> {
    let mut kept = Vec::new();
    for task in 0..tasks {
        let mut start = 0;
        while start < elements.len() {
            let tensor = elements[start].tensor;
            let count = elements[start..]
                .iter()
                .take_while(|element| element.tensor == tensor)
                .count();
            let mut order: Vec<usize> = (start..start + count).collect();
            order.sort_by(|a, b| {
                elements[*a].tasks[task]
                    .abs()
                    .total_cmp(&elements[*b].tasks[task].abs())
            });
            for (rank, index) in order.into_iter().enumerate() {
                if let Some(mask) = masks[index] {
                    kept.push(((rank as f64 + 0.5) / count as f64, mask >> task & 1 == 1));
                }
            }
            start += count;
        }
    }
    kept
}

fn elements(base: &Fingerprint, tuned: &[&Fingerprint], child: &Fingerprint) -> Vec<Element> {
    let mut elements = Vec::new();
    for (place, tensor) in base.tensors.iter().enumerate() {
        let Some(child_tensor) = child.tensors.get(place) else {
            break;
        };
        let probes: Option<Vec<_>> = tuned
            .iter()
            .map(|model| model.tensors.get(place)?.probe.as_ref())
            .collect();
        let (Some(origin), Some(end), Some(probes)) = (&tensor.probe, &child_tensor.probe, probes) else {
            continue;
        };
        let rows = probes
            .iter()
            .map(|probe| probe.rows)
            .chain([origin.rows, end.rows])
            .min()
            .unwrap_or(0) as usize;
        let cols = probes
            .iter()
            .map(|probe| probe.cols)
            .chain([origin.cols, end.cols])
            .min()
            .unwrap_or(0) as usize;
        let precision = rounding(child_tensor.dtype).max(rounding(tensor.dtype));
        for (row, col) in (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col))) {
            let start = f64::from(origin.row(row)[col]);
            let tasks: Vec<f64> = probes
                .iter()
                .map(|probe| f64::from(probe.row(row)[col]) - start)
                .collect();
            let rounding = precision * start.abs();
            if tasks.iter().all(|task| task.abs() > 4.0 * rounding) {
                elements.push(Element {
                    tensor: place,
                    child: f64::from(end.row(row)[col]) - start,
                    tasks,
                    rounding,
                });
            }
        }
    }
    elements
}

/// Relative spacing of an element type's values.
pub(super) fn rounding(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::BF16 => 1.0 / 256.0,
        Dtype::F16 => 1.0 / 2048.0,
        _ => 1.0 / 4_194_304.0,
    }
}

/// The constant of one task: the most frequent ratio of the child's change to the task's, since some elements have that task alone.
fn scale_of(elements: &[Element], task: usize) -> Option<f64> {
    const BIN: f64 = 0.02;
    let ratios = elements.iter().map(|element| element.child / element.tasks[task]);
    let mut logs: Vec<f64> = ratios
        .filter(|ratio| (0.05..=20.0).contains(ratio))
        .map(f64::ln)
        .collect();
    logs.sort_by(f64::total_cmp);
    let mut best = (0, 0.0);
    let mut end = 0;
    for start in 0..logs.len() {
        while end < logs.len() && logs[end] - logs[start] <= BIN {
            end += 1;
        }
        if end - start > best.0 {
            best = (end - start, logs[start + (end - start) / 2]);
        }
    }
    (best.0 * 25 >= elements.len()).then(|| best.1.exp())
}

/// The tasks that an element shows, added up or, where they agree, averaged.
fn mask_of(element: &Element, scales: &[f64], mix: Option<f64>) -> Option<u32> {
    let fits = |value: f64| {
        let allowed = TOLERANCE * value.abs().max(element.child.abs()) + 2.0 * element.rounding;
        (element.child - value).abs() <= allowed
    };
    // fewest tasks first
    let mut masks: Vec<u32> = (0..1u32 << scales.len()).collect();
    masks.sort_by_key(|mask| mask.count_ones());
    masks.into_iter().find(|mask| {
        let chosen = scales
            .iter()
            .enumerate()
            .filter(|(task, _)| mask >> task & 1 == 1);
        let sum: f64 = chosen.map(|(task, scale)| scale * element.tasks[task]).sum();
        let both = || match (mix, scales) {
            (Some(mix), [first, second]) if *mask == 3 => {
                fits((1.0 - mix) * first * element.tasks[0] + mix * second * element.tasks[1])
            }
            _ => false,
        };
        fits(sum) || mask.count_ones() > 1 && fits(sum / f64::from(mask.count_ones())) || both()
    })
}

/// Where two tasks agree they may be averaged by weight: the weight of the second that most elements between the two show.
fn mix_of(elements: &[Element], scales: &[f64]) -> Option<f64> {
    let [first, second] = scales else { return None };
    let mut bins = [0usize; 50];
    for element in elements {
        let (a, b) = (first * element.tasks[0], second * element.tasks[1]);
        let weight = (element.child - a) / (b - a);
        if a * b > 0.0 && (b - a).abs() > 0.2 * a.abs().max(b.abs()) && (0.02..0.98).contains(&weight) {
            bins[(weight * 50.0) as usize] += 1;
        }
    }
    let (bin, count) = bins.into_iter().enumerate().max_by_key(|(_, count)| *count)?;
    let total: usize = bins.iter().sum();
    (count * 8 > total && count > 10).then(|| (bin as f64 + 0.5) / 50.0)
}
