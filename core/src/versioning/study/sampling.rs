//! How many kinds of thing a sample of a given size holds: the study counted its naming practices in a sample, so a count over
//! a whole hub can only be set beside it at the sample's size.

use serde::Serialize;

/// Names that the study drew and labelled by hand.
pub const STUDY_SAMPLE: usize = 384;

/// Distinct kinds in a random sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Expected {
    /// Size of the sample.
    pub sample: usize,
    /// Mean over all samples of this size.
    pub distinct: f64,
    /// True where the sample is larger than what was read, so that the count is extrapolated.
    pub extrapolated: bool,
}

/// The expected number of distinct kinds among `sample` draws, given how often each kind was seen.
///
/// Within what was read it is exact, by Hurlbert's rarefaction (*The nonconcept of species diversity*, 1971). Beyond, it is
/// Chao's estimate from the kinds seen once and twice (Colwell et al., *Models and estimators linking rarefaction and
/// extrapolation*, 2012, equation 9).
pub fn expected_distinct(counts: &[usize], sample: usize) -> Expected {
    let total: usize = counts.iter().sum();
    let extrapolated = sample > total;
    let distinct = if extrapolated {
        extrapolate(counts, total, sample)
    } else {
        rarefy(counts, total, sample)
    };
    Expected {
        sample,
        distinct,
        extrapolated,
    }
}

/// A kind seen `count` times is missed by a sample with probability C(total - count, sample) / C(total, sample).
fn rarefy(counts: &[usize], total: usize, sample: usize) -> f64 {
    counts
        .iter()
        .map(|count| 1.0 - missed(total, *count, sample))
        .sum()
}

fn missed(total: usize, count: usize, sample: usize) -> f64 {
    if total - count < sample {
        return 0.0;
    }
    // C(total - count, sample) / C(total, sample), as the product over the shorter of the two runs.
    let (steps, other) = (count.min(sample), count.max(sample));
    (0..steps)
        .map(|step| ((total - other - step) as f64 / (total - step) as f64).ln())
        .sum::<f64>()
        .exp()
}

fn extrapolate(counts: &[usize], total: usize, sample: usize) -> f64 {
    let seen = |times: usize| counts.iter().filter(|count| **count == times).count() as f64;
    let (once, twice, total) = (seen(1), seen(2), total as f64);
    let observed = counts.iter().filter(|count| **count > 0).count() as f64;
    if once == 0.0 {
        return observed;
    }
    let unseen = match twice {
        0.0 => (total - 1.0) / total * once * (once - 1.0) / 2.0,
        twice => (total - 1.0) / total * once * once / (2.0 * twice),
    };
    let further = sample as f64 - total;
    observed + unseen * (1.0 - (1.0 - once / (total * unseen + once)).powf(further))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_cases_by_hand() {
        // One of two kinds in a sample of one; both in a sample of all.
        assert_eq!(expected_distinct(&[1, 1], 1).distinct, 1.0);
        assert!((expected_distinct(&[1, 1], 2).distinct - 2.0).abs() < 1e-12);
        // {a, a, b}: of three pairs one is a, a.
        assert!((expected_distinct(&[2, 1], 2).distinct - 5.0 / 3.0).abs() < 1e-12);
        assert_eq!(expected_distinct(&[], 384).distinct, 0.0);
        // Nothing seen once: nothing more is expected.
        assert_eq!(expected_distinct(&[5, 2], 100).distinct, 2.0);
    }

    proptest! {
        #[test]
        fn a_sample_holds_no_more_kinds_than_there_are_and_larger_ones_no_fewer(
            counts in proptest::collection::vec(1_usize..50, 1..40), sample in 1_usize..100
        ) {
            let total: usize = counts.iter().sum();
            let sample = sample.min(total);
            let smaller = expected_distinct(&counts, sample).distinct;
            let larger = expected_distinct(&counts, sample + 1).distinct;
            prop_assert!(smaller <= counts.len() as f64 + 1e-9 && smaller <= sample as f64 + 1e-9);
            prop_assert!(larger >= smaller - 1e-9, "{smaller} {larger}");
        }
    }
}
