//! Merges that a sum of whole models does not explain, found element by element: those that dropped elements on the way, and those
//! that were pruned afterwards.
//!
//! Enters: the child and relatives of one layout. Leaves: which of the relatives it was made from. Probes hold the same elements of
//! each, so a constant ratio of two changes is no chance.

use super::evidence::is_float;
use super::masked::{self, Masked, rounding};
use crate::fingerprint::Fingerprint;

/// Share of elements equal to the base's, below which nothing was dropped, and above which nothing was merged.
const FEWEST_DROPPED: f64 = 0.01;
const MOST_DROPPED: f64 = 0.9;
/// Bases tried, those with the most equal elements first.
const BASES: usize = 8;
/// Share of a task's elements that must show its constant, and fewest of them.
const SHOWN: f64 = 0.05;
const FEWEST_SHOWN: usize = 40;
/// Squared distance of a child from a relative, against that from the base, which says that it is a neighbour and no sum of masked changes.
const CLOSE_BY: f64 = 0.02;
/// Most task vectors.
const MOST_TASKS: usize = 4;
/// Width of a bin of logarithms of ratios, and their range.
const BIN: f64 = 0.02;
const LEAST_RATIO: f64 = 0.05;
const BINS: usize = 300;

/// The same probed elements of several models.
struct Sample {
    child: Vec<f32>,
    relatives: Vec<Vec<f32>>,
    /// Relative rounding of each element.
    precision: Vec<f64>,
}

impl Sample {
    fn of(child: &Fingerprint, relatives: &[&Fingerprint]) -> Self {
        let mut sample = Self {
            child: Vec::new(),
            relatives: vec![Vec::new(); relatives.len()],
            precision: Vec::new(),
        };
        for place in 0..child.tensors.len() {
            sample.add(child, relatives, place);
        }
        sample
    }

    /// Adds the part of the tensors' probes that all have.
    fn add(&mut self, child: &Fingerprint, relatives: &[&Fingerprint], place: usize) {
        let tensors = || {
            std::iter::once(&child)
                .chain(relatives)
                .map(|model| model.tensors.get(place))
        };
        let Some(probes) = tensors()
            .map(|tensor| tensor?.probe.as_ref())
            .collect::<Option<Vec<_>>>()
        else {
            return;
        };
        let Some(types) = tensors()
            .map(|tensor| Some(tensor?.dtype))
            .collect::<Option<Vec<_>>>()
        else {
            return;
        };
        if !types.iter().all(|dtype| is_float(*dtype)) {
            return;
        }
        let rows = probes.iter().map(|probe| probe.rows).min().unwrap_or(0) as usize;
        let cols = probes.iter().map(|probe| probe.cols).min().unwrap_or(0) as usize;
        let precision = types.into_iter().map(rounding).fold(0.0, f64::max);
        self.precision.extend(std::iter::repeat_n(precision, rows * cols));
        let values = std::iter::once(&mut self.child).chain(&mut self.relatives);
        for (values, probe) in values.zip(probes) {
            (0..rows).for_each(|row| values.extend_from_slice(&probe.row(row)[..cols]));
        }
    }

    /// Share of the elements that are the relative's.
    fn equal_share(&self, relative: usize) -> f64 {
        let elements = self
            .child
            .iter()
            .zip(&self.relatives[relative])
            .zip(&self.precision);
        let equal = elements.filter(|((child, own), precision)| {
            f64::from(**child - **own).abs() <= **precision * f64::from(own.abs())
        });
        equal.count() as f64 / self.child.len().max(1) as f64
    }

    /// The ratio of the child's change to the task's that most of the open elements show, how many show it and how many could.
    fn shown(&self, base: usize, task: usize, open: &[bool]) -> Option<(f64, usize, usize)> {
        let mut bins = [0usize; BINS];
        let mut able = 0;
        for (index, &is_open) in open.iter().enumerate() {
            let Some((moved, way)) = self.changes(base, task, index) else {
                continue;
            };
            able += 1;
            let ratio = moved / way;
            if is_open && ratio > LEAST_RATIO {
                let bin = ((ratio / LEAST_RATIO).ln() / BIN) as usize;
                if bin < BINS {
                    bins[bin] += 1;
                }
            }
        }
        let (bin, count) = bins
            .array_windows()
            .map(|[a, b]| a + b)
            .enumerate()
            .max_by_key(|(_, count)| *count)?;
        Some((LEAST_RATIO * ((bin + 1) as f64 * BIN).exp(), count, able))
    }

    /// Changes of the child and of the task from the base, where the task's is more than rounding.
    fn changes(&self, base: usize, task: usize, index: usize) -> Option<(f64, f64)> {
        let origin = self.relatives[base][index];
        let way = f64::from(self.relatives[task][index] - origin);
        let least = 4.0 * self.precision[index] * f64::from(origin.abs());
        (way.abs() > least).then(|| (f64::from(self.child[index] - origin), way))
    }

    /// True for a relative in whose place the child nearly is, seen from the base: every ratio of changes is near one, and nothing shown.
    fn is_close_by(&self, base: usize, relative: usize) -> bool {
        let distance = |values: &[f32]| -> f64 {
            let steps = values.iter().zip(&self.child);
            steps.map(|(value, child)| f64::from(value - child).powi(2)).sum()
        };
        distance(&self.relatives[relative]) < CLOSE_BY * distance(&self.relatives[base])
    }

    /// The tasks that each explain elements the others do not.
    fn tasks_around(&self, base: usize) -> Vec<usize> {
        let mut open: Vec<bool> = self.child.iter().map(|_| true).collect();
        let mut tasks: Vec<usize> = Vec::new();
        while tasks.len() < MOST_TASKS {
            let candidates = (0..self.relatives.len())
                .filter(|task| *task != base && !tasks.contains(task) && !self.is_close_by(base, *task));
            let best = candidates
                .filter_map(|task| Some((task, self.shown(base, task, &open)?)))
                .max_by_key(|(_, (_, count, _))| *count);
            let Some((task, (scale, count, able))) = best else {
                break;
            };
            let wanted = if tasks.len() < 2 { SHOWN } else { 2.0 * SHOWN };
            if count < FEWEST_SHOWN || (count as f64) < wanted * able as f64 {
                break;
            }
            for (index, open) in open.iter_mut().enumerate() {
                if let Some((moved, way)) = self.changes(base, task, index) {
                    *open &= (moved / way / scale - 1.0).abs() > 2.0 * BIN;
                }
            }
            tasks.push(task);
        }
        tasks
    }
}

/// A child made of masked task vectors: places of the base and of the tuned models among the relatives.
pub(super) struct Dropped {
    pub base: usize,
    pub tuned: Vec<usize>,
    pub masked: Masked,
}

/// Looks for a base and at least two tuned models whose masked changes make up the child's.
/// Of bases that explain as much, the more common one is taken.
pub(super) fn dropped(child: &Fingerprint, relatives: &[&Fingerprint], common: &[f64]) -> Option<Dropped> {
    let sample = Sample::of(child, relatives);
    let mut bases: Vec<(f64, usize)> = (0..relatives.len())
        .map(|relative| (sample.equal_share(relative), relative))
        .filter(|(share, _)| *share >= FEWEST_DROPPED)
        .collect();
    bases.sort_by(|a, b| b.0.total_cmp(&a.0));
    if bases.first().is_none_or(|(share, _)| *share > MOST_DROPPED) {
        return None;
    }
    let found = bases.iter().take(BASES).filter_map(|(_, base)| {
        let tuned = sample.tasks_around(*base);
        if tuned.len() < 2 {
            return None;
        }
        let models: Vec<&Fingerprint> = tuned.iter().map(|task| relatives[*task]).collect();
        let masked = masked::explain(relatives[*base], &models, child)?;
        Some(Dropped {
            base: *base,
            tuned,
            masked,
        })
    });
    found.reduce(|best, other| {
        let more = other.masked.explained - best.masked.explained;
        let is_better = more > AS_MUCH || more > -AS_MUCH && common[other.base] > common[best.base];
        if is_better { other } else { best }
    })
}

/// Difference of explained shares below which two bases explain as much.
const AS_MUCH: f64 = 0.005;

/// Squared distance that may remain, over that to the nearer of the two.
const REST: f64 = 0.02;
/// Relatives tried in pairs.
const PAIRED: usize = 16;

/// Two relatives and a weight between them that give each element the child did not lose.
pub(super) fn mixed_then_pruned(
    child: &Fingerprint,
    relatives: &[&Fingerprint],
) -> Option<[(usize, f64); 2]> {
    let sample = Sample::of(child, &relatives[..relatives.len().min(PAIRED)]);
    let kept: Vec<usize> = (0..sample.child.len())
        .filter(|index| sample.child[*index] != 0.0)
        .collect();
    let difference = |values: &[f32], index: usize| f64::from(sample.child[index] - values[index]);
    let distance = |values: &Vec<f32>| {
        kept.iter()
            .map(|index| difference(values, *index).powi(2))
            .sum::<f64>()
    };
    let distances: Vec<f64> = sample.relatives.iter().map(distance).collect();
    let nearest = distances.iter().copied().fold(f64::INFINITY, f64::min);
    let size: f64 = kept
        .iter()
        .map(|index| f64::from(sample.child[*index]).powi(2))
        .sum();
    if kept.len() < FEWEST_SHOWN || nearest <= 1e-7 * size {
        return None;
    }
    let mut best: Option<(f64, [(usize, f64); 2])> = None;
    for (first, a) in sample.relatives.iter().enumerate() {
        for (second, b) in sample.relatives.iter().enumerate().skip(first + 1) {
            let (mut product, mut square) = (0.0, 0.0);
            for &index in &kept {
                let step = f64::from(b[index] - a[index]);
                product += step * difference(a, index);
                square += step * step;
            }
            let weight = product / square.max(f64::MIN_POSITIVE);
            let rest = distances[first] - weight * product;
            if (0.03..=0.97).contains(&weight)
                && rest < REST * nearest
                && best.is_none_or(|(least, _)| rest < least)
            {
                best = Some((rest, [(first, 1.0 - weight), (second, weight)]));
            }
        }
    }
    best.map(|(_, parents)| parents)
}
