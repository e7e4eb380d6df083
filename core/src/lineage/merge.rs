//! Merges: a child that is a weighted sum of several relatives.
//!
//! Enters: vectors of sketch cells, scaled alike. Leaves: [`Combination`]s. Sketches are linear, so the weights of a linear merge are
//! the solution of a least-squares problem over stored cells, with a remainder of rounding only.

use nalgebra::{DMatrix, DVector};

/// Most of the nearest relative's squared distance that may remain unexplained.
const UNEXPLAINED: f64 = 0.12;
/// A weight smaller than this is no parent.
const LEAST_WEIGHT: f64 = 0.04;
/// Relatives tried together.
pub(super) const MOST_RELATIVES: usize = 8;
/// Most parents of a merge.
const MOST_PARENTS: usize = 5;

/// `child = sum of weight * parent`, weights adding to one.
#[derive(Debug, Clone)]
pub(super) struct Combination {
    /// Place among the relatives handed in, and weight.
    pub weights: Vec<(usize, f64)>,
    /// Squared distance that remains, over that to the nearest relative.
    pub remainder: f64,
}

/// What `accept` makes of the combinations of fewest `relatives` that explain `child`, or nothing.
pub(super) fn explain<T>(
    child: &[f32],
    relatives: &[&[f32]],
    accept: impl Fn(Combination) -> Option<T>,
) -> Vec<T> {
    let distances = relatives.iter().map(|relative| squared_distance(child, relative));
    let nearest = distances.fold(f64::INFINITY, f64::min);
    if relatives.len() < 2 || nearest == 0.0 {
        return Vec::new();
    }
    let gram = Gram::of(child, relatives);
    let everyone: Vec<usize> = (0..relatives.len()).collect();
    let Some(best) = gram.solve(&everyone, nearest).map(|all| all.remainder) else {
        return Vec::new();
    };
    if best > UNEXPLAINED {
        return Vec::new();
    }
    // fewer parents may leave somewhat more
    let enough = (3.0 * best + 0.005).min(UNEXPLAINED);
    let is_weighty = |combination: &Combination| {
        combination.remainder <= enough
            && combination
                .weights
                .iter()
                .all(|(_, weight)| weight.abs() >= LEAST_WEIGHT)
    };
    for count in 2..=MOST_PARENTS.min(relatives.len()) {
        let found: Vec<T> = subsets(relatives.len(), count)
            .iter()
            .filter_map(|active| gram.solve(active, nearest))
            .filter(is_weighty)
            .filter_map(&accept)
            .collect();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// What the combination of just the `active` relatives leaves.
pub(super) fn remainder(child: &[f32], relatives: &[&[f32]], active: &[usize]) -> Option<Combination> {
    let distances = relatives.iter().map(|relative| squared_distance(child, relative));
    let nearest = distances.fold(f64::INFINITY, f64::min);
    let chosen: Vec<&[f32]> = active.iter().map(|index| relatives[*index]).collect();
    let everyone: Vec<usize> = (0..chosen.len()).collect();
    let found = Gram::of(child, &chosen).solve(&everyone, nearest.max(f64::MIN_POSITIVE))?;
    Some(Combination {
        weights: found
            .weights
            .iter()
            .map(|(place, weight)| (active[*place], *weight))
            .collect(),
        remainder: found.remainder,
    })
}

/// All choices of `count` of the first `among` numbers.
fn subsets(among: usize, count: usize) -> Vec<Vec<usize>> {
    (0..1u32 << among)
        .filter(|mask| mask.count_ones() as usize == count)
        .map(|mask| (0..among).filter(|index| mask >> index & 1 == 1).collect())
        .collect()
}

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
}

/// Inner products of the relatives' differences from the child.
struct Gram(DMatrix<f64>);

impl Gram {
    /// When weights add to one, `|child - sum w x|^2 = w' G w`.
    fn of(child: &[f32], relatives: &[&[f32]]) -> Self {
        let differences: Vec<Vec<f64>> = relatives
            .iter()
            .map(|relative| {
                relative
                    .iter()
                    .zip(child)
                    .map(|(a, b)| f64::from(a - b))
                    .collect()
            })
            .collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let count = relatives.len();
        let products = DMatrix::from_fn(count, count, |row, col| dot(&differences[row], &differences[col]));
        Self(products)
    }

    /// Minimises `w' G w` with weights adding to one: `w = G^-1 1 / (1' G^-1 1)`.
    fn solve(&self, active: &[usize], nearest: f64) -> Option<Combination> {
        let count = active.len();
        let scale = active
            .iter()
            .map(|index| self.0[(*index, *index)])
            .fold(f64::MIN_POSITIVE, f64::max);
        let gram = DMatrix::from_fn(count, count, |row, col| {
            let ridge = if row == col { 1e-9 } else { 0.0 };
            self.0[(active[row], active[col])] / scale + ridge
        });
        let solution = gram.clone().lu().solve(&DVector::from_element(count, 1.0))?;
        let total: f64 = solution.sum();
        if !total.is_finite() || total.abs() < 1e-12 {
            return None;
        }
        let weights = solution / total;
        let remainder = (weights.transpose() * &gram * &weights)[(0, 0)] * scale / nearest;
        Some(Combination {
            weights: active.iter().copied().zip(weights.iter().copied()).collect(),
            remainder: remainder.max(0.0),
        })
    }
}
