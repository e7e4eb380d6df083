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
const MOST_PARENTS: usize = 6;

/// `child = sum of weight * parent`, weights adding to one.
#[derive(Debug, Clone)]
pub(super) struct Combination {
    /// Place among the relatives handed in, and weight.
    pub weights: Vec<(usize, f64)>,
    /// Squared distance that remains, over that to the nearest relative.
    pub remainder: f64,
}

/// Explains `child` by its `relatives` (the nearest first), or not.
pub(super) fn explain(child: &[f32], relatives: &[&[f32]]) -> Option<Combination> {
    let nearest = relatives
        .iter()
        .map(|relative| squared_distance(child, relative))
        .fold(f64::INFINITY, f64::min);
    if relatives.len() < 2 || nearest == 0.0 {
        return None;
    }
    let gram = Gram::of(child, relatives);
    let mut active: Vec<usize> = (0..relatives.len()).collect();
    let mut best: Option<Combination> = None;
    while active.len() >= 2 {
        let Some(combination) = gram.solve(&active, nearest) else {
            break;
        };
        let weakest = combination
            .weights
            .iter()
            .min_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))
            .copied();
        if combination.remainder > UNEXPLAINED {
            break;
        }
        let is_needed =
            weakest.is_some_and(|(_, weight)| weight.abs() >= LEAST_WEIGHT) && active.len() <= MOST_PARENTS;
        if is_needed {
            best = Some(combination);
            // one fewer must do as well, or the weakest is a parent
            let Some((weakest, _)) = weakest else { break };
            let fewer: Vec<usize> = active.iter().copied().filter(|index| *index != weakest).collect();
            let simpler = gram.solve(&fewer, nearest).map(|simpler| simpler.remainder);
            let remainder = best.as_ref().map_or(0.0, |best| best.remainder);
            if simpler.is_none_or(|simpler| simpler > (3.0 * remainder).max(0.01)) {
                break;
            }
        }
        let Some((weakest, _)) = weakest else { break };
        active.retain(|index| *index != weakest);
    }
    best.filter(|best| best.weights.len() >= 2)
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
