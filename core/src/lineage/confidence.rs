//! How far an edge can be believed.
//!
//! Enters: an edge with the confidence of its rule, and how sure it is which of several copies was the original. Leaves: the edge with a
//! calibrated confidence, and the score it was read from among its evidence.

use super::{Edge, Feature};
use std::collections::HashMap;

/// Scores, rising, and the share of edges with about that score that are right; between them it is interpolated.
/// Fitted to the zoo's seeds 1, 2 and 3 when the choice among copies was still part of the score, so `scripts/calibrate` gives another
/// table today: to be fitted anew.
const TABLE: &[(f64, f64)] = &[
    (0.043, 0.297), // 35 edges
    (0.155, 0.594), // 30 edges
    (0.431, 0.647), // 66 edges
    (0.467, 0.656), // 91 edges
    (0.485, 0.660), // 139 edges
    (0.792, 0.844), // 30 edges
    (0.838, 0.865), // 35 edges
    (0.921, 0.953), // 380 edges
    (0.959, 0.959), // 71 edges
    (0.974, 0.987), // 77 edges
];

/// Puts together what an edge's confidence hangs on. Where a parent has copies, each of them might be meant: that is a matter of lots, not
/// of experience, and multiplies what the table says.
pub(super) fn settle(edge: &mut Edge, certainty: &HashMap<i64, f64>) {
    let originals = edge.parents.iter().filter_map(|parent| certainty.get(parent));
    let certainty = originals.product::<f64>();
    edge.evidence.push(Feature::new(
        SCORE,
        edge.confidence,
        "what the rules and the number of fitting parents say, before calibration",
    ));
    edge.evidence.push(Feature::new(
        CERTAINTY,
        certainty,
        "how sure it is which of several equal copies of the parent was the original",
    ));
    edge.confidence = calibrated(edge.confidence) * certainty;
}

/// Names of the features that [`settle`] adds.
pub(crate) const SCORE: &str = "score";
pub(crate) const CERTAINTY: &str = "original_certainty";

fn calibrated(score: f64) -> f64 {
    interpolate(TABLE, score)
}

/// The value at `at` of the polygon through `points`; that of the first or the last point beyond them.
fn interpolate(points: &[(f64, f64)], at: f64) -> f64 {
    let after = points.partition_point(|(place, _)| *place < at);
    let (Some(left), Some(right)) = (points.get(after.wrapping_sub(1)), points.get(after)) else {
        let nearest = if after == 0 { points.first() } else { points.last() };
        return nearest.map_or(at, |(_, value)| *value);
    };
    let way = (at - left.0) / (right.0 - left.0);
    left.1 + way * (right.1 - left.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_rises_and_stays_a_probability() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
        assert!(TABLE.iter().all(|(_, share)| (0.0..=1.0).contains(share)));
    }

    #[test]
    fn between_points_lies_a_straight_line_and_beyond_them_nothing_new() {
        let points = [(0.2, 0.1), (0.4, 0.5)];
        let check = |at: f64, expect: f64| assert!((interpolate(&points, at) - expect).abs() < 1e-12, "{at}");
        for (at, expect) in [(0.0, 0.1), (0.2, 0.1), (0.3, 0.3), (0.4, 0.5), (1.0, 0.5)] {
            check(at, expect);
        }
    }
}
