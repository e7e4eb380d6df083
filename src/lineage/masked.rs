//! Merges that drop elements: TIES, DARE, breadcrumbs.
//!
//! Enters: probes of a base, of fine-tunes and of the child. Leaves: a [`Masked`] explanation. Every probed element of the child must be
//! the base plus some of the task vectors, each times its own constant; which elements were dropped tells the method.

use crate::fingerprint::Fingerprint;
use crate::weights::Dtype;

/// Share of the probed elements that must be explained.
const EXPLAINED: f64 = 0.85;
/// Relative error of an explained element.
const TOLERANCE: f64 = 0.03;
/// Elements below which nothing is concluded.
const FEWEST_ELEMENTS: usize = 200;
/// Chance of keeping a small element over that of keeping a large one, below which dropping went by size.
const BY_SIZE: f64 = 0.6;
/// The largest elements, as a share, and the chance of keeping them, below which outliers were dropped.
const OUTLIERS: f64 = 0.005;

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
    let masks: Vec<Option<u32>> = elements.iter().map(|element| mask_of(element, &scales)).collect();
    let explained = masks.iter().flatten().count() as f64 / elements.len() as f64;
    if explained < EXPLAINED {
        return None;
    }
    // (size of the task's change, kept?), over all tasks
    let mut kept: Vec<(f64, bool)> = Vec::new();
    for (element, mask) in elements.iter().zip(&masks) {
        let Some(mask) = mask else { continue };
        kept.extend(
            element
                .tasks
                .iter()
                .enumerate()
                .map(|(task, change)| (change.abs(), mask >> task & 1 == 1)),
        );
    }
    kept.sort_by(|a, b| a.0.total_cmp(&b.0));
    let chance = |part: &[(f64, bool)]| {
        part.iter().filter(|(_, kept)| *kept).count() as f64 / part.len().max(1) as f64
    };
    let density = chance(&kept);
    let (small, large) = kept.split_at(kept.len() / 2);
    let outliers = &kept[kept.len() - ((kept.len() as f64 * OUTLIERS) as usize).max(5).min(kept.len())..];
    let technique = if density > 0.98 {
        return None;
    } else if chance(outliers) < 0.5 * chance(large) {
        "breadcrumbs"
    } else if chance(small) < BY_SIZE * chance(large) {
        "ties"
    } else {
        "dare"
    };
    Some(Masked {
        technique,
        density,
        explained,
    })
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
fn rounding(dtype: Dtype) -> f64 {
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
fn mask_of(element: &Element, scales: &[f64]) -> Option<u32> {
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
        fits(sum) || mask.count_ones() > 1 && fits(sum / f64::from(mask.count_ones()))
    })
}
