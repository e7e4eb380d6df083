//! Quantization grids: how many bits a tensor's values need, and which values share a scale.
//!
//! Enters: a tensor's fingerprint. Leaves: a [`Grid`], or nothing where the values lie on none.

use crate::fingerprint::{Probe, RUN_LENGTHS, TensorFingerprint, View};
use crate::weights::Dtype;

/// Which values share a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Granularity {
    Tensor,
    Channel,
    Group(u32),
}

impl Granularity {
    pub fn name(self) -> &'static str {
        match self {
            Granularity::Tensor => "tensor",
            Granularity::Channel => "channel",
            Granularity::Group(_) => "group",
        }
    }
}

/// A grid that a tensor's values lie on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Grid {
    pub bits: u32,
    pub granularity: Granularity,
    /// The levels lie symmetrically around zero. `None` where the probe cannot tell.
    pub symmetric: Option<bool>,
}

/// Most levels of a grid that counts of distinct values can show: with more, rows are too short to repeat them.
const MOST_COUNTED: u32 = 17;

/// The grid of a tensor, where there is one.
pub(super) fn grid_of(tensor: &TensorFingerprint) -> Option<Grid> {
    let view = View::of(&tensor.shape);
    if view.is_vector() || view.elements() < 256 {
        return None;
    }
    let blur = blur_of(tensor.dtype);
    let lattice = tensor
        .probe
        .as_ref()
        .and_then(|probe| lattice_of(probe, view, blur).or_else(|| full_scale_lattice(probe, view, blur)));
    counted_grid(tensor, view, lattice).or_else(|| lattice_grid(tensor, view, lattice?))
}

/// Few bits: counts of distinct values repeat within a tensor, a row or a run.
fn counted_grid(tensor: &TensorFingerprint, view: View, lattice: Option<Lattice>) -> Option<Grid> {
    let stats = tensor.stats.as_ref()?;
    // pruned elements repeat zero, and nothing else
    let filled = 1.0 - stats.zeros as f64 / view.elements() as f64;
    let repeats =
        |distinct: u32, among: u64| distinct >= 2 && f64::from(distinct) * 2.0 <= filled * among as f64;
    let symmetric = lattice.map(|lattice| lattice.is_symmetric());
    if stats.distinct <= 257
        && repeats(stats.distinct, view.elements())
        && stats.distinct * 2 < view.elements().min(4096) as u32
    {
        let bits = lattice
            .map_or(0, |lattice| lattice.bits())
            .max(bits_for(stats.distinct));
        return Some(Grid {
            bits,
            granularity: Granularity::Tensor,
            symmetric,
        });
    }
    let runs: Vec<(u32, u32)> = RUN_LENGTHS
        .iter()
        .zip(stats.run_distinct)
        .filter(|(length, _)| **length as u64 <= view.cols)
        .map(|(length, distinct)| (*length as u32, u32::from(distinct)))
        .collect();
    let few = stats.row_distinct <= MOST_COUNTED || stats.row_distinct <= 257 && view.cols > 1024;
    if few && repeats(stats.row_distinct, view.cols) {
        return Some(Grid {
            bits: bits_for(stats.row_distinct),
            granularity: Granularity::Channel,
            symmetric,
        });
    }
    // the longest run that still holds few values
    let (length, distinct) = *runs
        .iter()
        .rev()
        .find(|(length, distinct)| *distinct <= MOST_COUNTED && repeats(*distinct, u64::from(*length)))?;
    let wider = runs
        .iter()
        .find(|(candidate, _)| *candidate > length)
        .map_or(stats.row_distinct, |(_, distinct)| *distinct);
    let bits = bits_for(distinct);
    (wider > 1 << bits).then_some(Grid {
        bits,
        granularity: Granularity::Group(length),
        symmetric,
    })
}

fn bits_for(levels: u32) -> u32 {
    levels.next_power_of_two().trailing_zeros().max(1)
}

/// Many bits: neighbouring values differ by whole steps.
fn lattice_grid(tensor: &TensorFingerprint, view: View, lattice: Lattice) -> Option<Grid> {
    let stats = tensor.stats.as_ref()?;
    let one_step = lattice.one_step && view.rows > 1;
    let granularity = match lattice.group {
        Some(group) if u64::from(group) < view.cols => Granularity::Group(group),
        _ if one_step => Granularity::Tensor,
        _ => Granularity::Channel,
    };
    let levels_of_tensor = if one_step {
        (2.0 * stats.abs_max / lattice.step).round() as u32 + 1
    } else {
        0
    };
    let bits = lattice.bits().max(if levels_of_tensor > 1 {
        bits_for(levels_of_tensor.saturating_sub(1))
    } else {
        1
    });
    (bits <= 8).then_some(Grid {
        bits,
        granularity,
        symmetric: Some(lattice.is_symmetric()),
    })
}

/// Equal steps found in a probe's rows.
#[derive(Debug, Clone, Copy)]
struct Lattice {
    /// Most steps from zero to any value, and from the lowest to the highest of one row or group.
    reach: u32,
    span: u32,
    step: f64,
    /// All rows have the same step.
    one_step: bool,
    /// The step changes within rows, after this many elements.
    group: Option<u32>,
    /// Enough of enough rows was seen for the largest level to be among it.
    seen_whole: bool,
}

impl Lattice {
    fn bits(&self) -> u32 {
        match bits_for(self.span + 1) {
            // few quantize to 7 bits: the probe rather missed the largest values
            7 if !self.seen_whole => 8,
            bits => bits,
        }
    }

    /// A symmetric grid of b bits reaches 2^(b-1) - 1 steps either way; with a zero point, one side reaches farther.
    fn is_symmetric(&self) -> bool {
        self.reach < 1 << (self.bits() - 1)
    }
}

/// Rows' worth of probed elements from which the largest level of some row is among them.
const ROWS_SEEN: u64 = 3;

/// How far from a whole number of steps a value may lie, in steps.
const OFF_GRID: f64 = 0.04;

fn lattice_of(probe: &Probe, view: View, blur: f64) -> Option<Lattice> {
    let rows: Vec<&[f32]> = (0..probe.rows as usize).map(|row| probe.row(row)).collect();
    let whole = || fit_rows(&rows, blur);
    if let Some(lattice) = whole() {
        let seen = u64::from(probe.cols) * u64::from(probe.rows);
        return Some(Lattice {
            seen_whole: seen >= ROWS_SEEN * view.cols,
            ..lattice
        });
    }
    for group in [32u32, 16] {
        if u64::from(group) * 2 > view.cols || probe.cols < group * 2 {
            continue;
        }
        let pieces: Vec<&[f32]> = rows
            .iter()
            .flat_map(|row| row.chunks_exact(group as usize))
            .collect();
        if let Some(lattice) = fit_rows(&pieces, blur) {
            return Some(Lattice {
                group: Some(group),
                one_step: false,
                seen_whole: true,
                ..lattice
            });
        }
    }
    None
}

fn fit_rows(rows: &[&[f32]], blur: f64) -> Option<Lattice> {
    let mut fits: Vec<RowFit> = Vec::new();
    let mut usable = 0;
    for row in rows {
        if row.iter().all(|value| *value == 0.0) || row.len() < 8 {
            continue;
        }
        usable += 1;
        fits.extend(fit_row(row, blur));
    }
    if usable == 0 || fits.len() * 10 < usable * 9 {
        return None;
    }
    let step = fits.iter().map(|fit| fit.step).fold(f64::INFINITY, f64::min);
    Some(Lattice {
        reach: fits.iter().map(|fit| fit.below.max(fit.above)).max()?,
        span: fits.iter().map(|fit| fit.below + fit.above).max()?,
        step,
        one_step: fits.len() > 1 && fits.iter().all(|fit| is_whole(fit.step / step)),
        group: None,
        seen_whole: false,
    })
}

fn is_whole(ratio: f64) -> bool {
    (ratio - ratio.round()).abs() < 0.02 * ratio.round().clamp(1.0, 4.0)
}

struct RowFit {
    step: f64,
    below: u32,
    above: u32,
}

/// The largest step of which all values of a row are whole multiples, up to 255 of them; refined as longer multiples pin it down.
fn fit_row(row: &[f32], blur: f64) -> Option<RowFit> {
    let mut levels: Vec<f64> = row.iter().map(|value| f64::from(*value)).chain([0.0]).collect();
    levels.sort_by(f64::total_cmp);
    let largest = levels.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    levels.dedup_by(|a, b| (*a - *b).abs() < largest * (1e-6 + 0.1 * blur));
    let smallest_gap = levels
        .array_windows()
        .map(|[a, b]| b - a)
        .fold(f64::INFINITY, f64::min);
    if levels.len() < 3 || smallest_gap < largest / 300.0 {
        return None;
    }
    // the smallest level is stored most exactly, the smallest gap is seen most surely
    let smallest = levels
        .iter()
        .map(|level| level.abs())
        .filter(|level| *level > 0.0);
    let smallest = smallest.fold(f64::INFINITY, f64::min);
    let starts = (1..=4)
        .map(|division| smallest_gap / f64::from(division))
        .chain((1..=8).map(|division| smallest / f64::from(division)));
    starts.into_iter().find_map(|start| {
        let step = refine(&levels, start, blur)?;
        let below = (-levels[0] / step).round() as u32;
        let above = (levels[levels.len() - 1] / step).round() as u32;
        // with nearly as many levels seen as steps to place them on, any values would fit
        (below + above <= 255 && is_telling(&levels, step, blur)).then_some(RowFit { step, below, above })
    })
}

fn refine(levels: &[f64], start: f64, blur: f64) -> Option<f64> {
    let mut step = start;
    let mut by_size: Vec<f64> = levels.to_vec();
    by_size.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let (mut products, mut squares) = (0.0, 0.0);
    for level in by_size {
        let count = (level / step).round();
        if (level / step - count).abs() > OFF_GRID.max((0.004 + blur) * count.abs()) {
            return None;
        }
        products += level * count;
        squares += count * count;
        if squares > 0.0 {
            step = products / squares;
        }
    }
    let is_near = |level: &f64| {
        let count = (level / step).round();
        (level / step - count).abs() < OFF_GRID + blur * count.abs()
    };
    levels.iter().all(is_near).then_some(step)
}

/// Chance must not explain the fit: each level lands within the tolerance by chance with probability 2 * OFF_GRID, more where its
/// rounding is coarse.
fn is_telling(levels: &[f64], step: f64, blur: f64) -> bool {
    let chance: f64 = levels
        .iter()
        .map(|level| (2.0 * (OFF_GRID + blur * (level / step).abs())).min(1.0))
        .product();
    let given = (2.0 * OFF_GRID).powi(2);
    let steps_tried = (levels[levels.len() - 1] - levels[0]) / step;
    chance / given * steps_tried < 1e-4
}

/// Half the relative spacing of a type's values: how far storing moved a value off its grid.
fn blur_of(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::BF16 => 1.0 / 512.0,
        Dtype::F16 => 1.0 / 4096.0,
        _ => 0.0,
    }
}

/// Bits that full-scale grids are looked for with, fewest first.
const FULL_SCALE_BITS: [u32; 5] = [4, 5, 6, 7, 8];
/// Chance of a fit by accident that is let pass.
const BY_ACCIDENT: f64 = 1e-6;

/// Rows too short to show their step by themselves: it is what the largest value, or the range, of a whole row or group says.
fn full_scale_lattice(probe: &Probe, view: View, blur: f64) -> Option<Lattice> {
    let rows: Vec<&[f32]> = (0..probe.rows as usize).map(|row| probe.row(row)).collect();
    let whole = u64::from(probe.cols) == view.cols;
    let groups = [64usize, 32, 16].map(|size| (Some(size as u32), size));
    let pieces = whole
        .then_some((None, view.cols as usize))
        .into_iter()
        .chain(groups);
    for (group, size) in pieces {
        let pieces: Vec<&[f32]> = rows
            .iter()
            .flat_map(|row| row.chunks_exact(size))
            .filter(|piece| piece.iter().any(|value| *value != 0.0))
            .collect();
        if size < 3 || pieces.is_empty() {
            continue;
        }
        for bits in FULL_SCALE_BITS {
            for symmetric in [true, false] {
                if let Some(step) = full_scale_step(&pieces, bits, symmetric, blur) {
                    let top = (1u32 << (bits - 1)) - 1;
                    return Some(Lattice {
                        reach: if symmetric { top } else { top + 1 },
                        span: if symmetric { 2 * top } else { 2 * top + 1 },
                        step,
                        one_step: false,
                        group,
                        seen_whole: true,
                    });
                }
            }
        }
    }
    None
}

/// The smallest step, where all values of all pieces are whole multiples of their piece's.
fn full_scale_step(pieces: &[&[f32]], bits: u32, symmetric: bool, blur: f64) -> Option<f64> {
    let (mut chance, mut smallest) = (1.0f64, f64::INFINITY);
    for piece in pieces {
        let (low, high) = piece.iter().fold((0.0f32, 0.0f32), |(low, high), value| {
            (low.min(*value), high.max(*value))
        });
        let (range, steps) = if symmetric {
            (f64::from(high.max(-low)), (1u32 << (bits - 1)) - 1)
        } else {
            (f64::from(high) - f64::from(low), (1u32 << bits) - 1)
        };
        let step = range / f64::from(steps);
        smallest = smallest.min(step);
        for value in piece
            .iter()
            .filter(|value| **value != low && **value != high && **value != 0.0)
        {
            let count = f64::from(*value) / step;
            // the step inherits the rounding of the largest value
            let allowed = 0.01 + 2.0 * blur * count.abs();
            if (count - count.round()).abs() > allowed {
                return None;
            }
            chance *= (2.0 * allowed).min(1.0);
        }
    }
    (chance < BY_ACCIDENT).then_some(smallest)
}
