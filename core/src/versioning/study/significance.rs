//! Do major steps bring other changes than minor ones? The study's test: Fisher's exact test for each kind of change, corrected by
//! Bonferroni for the number of kinds.

use super::DeclaredStep;
use crate::versioning::Bump;
use serde::Serialize;
use std::collections::BTreeSet;

/// The study's level of significance.
const ALPHA: f64 = 0.05;

/// One kind of change in steps that their publishers declare major, and minor.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct KindContrast {
    pub kind: String,
    /// Steps with this kind of change, and all of them.
    pub major: usize,
    pub major_steps: usize,
    pub minor: usize,
    pub minor_steps: usize,
    /// `None` where it is not finite.
    pub odds_ratio: Option<f64>,
    /// Two-sided, Fisher's exact test.
    pub p_value: f64,
    /// After Bonferroni's correction.
    pub adjusted_p_value: f64,
    pub significant: bool,
}

/// Contrasts every kind of change that occurs. Empty where there are no major or no minor steps to contrast.
pub(super) fn contrast_kinds(steps: &[DeclaredStep]) -> Vec<KindContrast> {
    let of = |bump| -> Vec<&DeclaredStep> { steps.iter().filter(|step| step.declared == bump).collect() };
    let (major, minor) = (of(Bump::Major), of(Bump::Minor));
    if major.is_empty() || minor.is_empty() {
        return Vec::new();
    }
    let kinds: BTreeSet<&String> = major.iter().chain(&minor).flat_map(|step| &step.kinds).collect();
    let with = |steps: &[&DeclaredStep], kind| steps.iter().filter(|step| step.kinds.contains(kind)).count();
    let tests = kinds.len();
    kinds
        .into_iter()
        .map(|kind| {
            contrast(
                kind,
                [with(&major, kind), major.len(), with(&minor, kind), minor.len()],
                tests,
            )
        })
        .collect()
}

/// `counts`: major steps with the kind, major steps, minor steps with it, minor steps.
fn contrast(kind: &str, counts: [usize; 4], tests: usize) -> KindContrast {
    let [major, major_steps, minor, minor_steps] = counts;
    let (major_without, minor_without) = (major_steps - major, minor_steps - minor);
    let p_value = fisher_exact([[major, major_without], [minor, minor_without]]);
    let adjusted_p_value = (p_value * tests as f64).min(1.0);
    let odds = (major * minor_without) as f64 / (major_without * minor) as f64;
    KindContrast {
        kind: kind.to_owned(),
        major,
        major_steps,
        minor,
        minor_steps,
        odds_ratio: odds.is_finite().then_some(odds),
        p_value,
        adjusted_p_value,
        significant: adjusted_p_value < ALPHA,
    }
}

/// Fisher's exact test, two-sided: the probability, under equal proportions, of all tables with these margins that are no more
/// likely than the one observed.
pub fn fisher_exact(table: [[usize; 2]; 2]) -> f64 {
    /// Tables as likely as the observed one differ from it by rounding alone.
    const TOLERANCE: f64 = 1.0 + 1e-7;
    let [[a, b], [c, d]] = table;
    let (first_row, second_row, first_column) = (a + b, c + d, a + c);
    let factorials = log_factorials(first_row + second_row);
    let log_choose = |n: usize, k: usize| factorials[n] - factorials[k] - factorials[n - k];
    let probability = |x: usize| {
        let ways = log_choose(first_row, x) + log_choose(second_row, first_column - x);
        (ways - log_choose(first_row + second_row, first_column)).exp()
    };
    let observed = probability(a);
    let possible = first_column.saturating_sub(second_row)..=first_column.min(first_row);
    let as_extreme = possible.map(probability).filter(|p| *p <= observed * TOLERANCE);
    as_extreme.sum::<f64>().min(1.0)
}

fn log_factorials(upto: usize) -> Vec<f64> {
    let mut logs = Vec::with_capacity(upto + 1);
    logs.push(0.0);
    for n in 1..=upto {
        logs.push(logs[n - 1] + (n as f64).ln());
    }
    logs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The study's nine groups of changes: among 144 changes of major and 39 of minor versions, with the p-values it published.
    const PUBLISHED: [(&str, usize, usize, f64, f64); 9] = [
        ("configuration", 36, 5, 0.131_135, 1.0),
        ("model architecture", 12, 8, 0.042_162, 0.379_455),
        ("licence", 5, 8, 0.001_252, 0.011_271),
        ("performance", 20, 1, 0.050_560, 0.455_037),
        ("dataset", 40, 3, 0.009_605, 0.086_448),
        ("training library", 8, 3, 0.703_631, 1.0),
        ("energy", 2, 0, 1.0, 1.0),
        ("evaluation metric", 4, 1, 1.0, 1.0),
        ("other", 17, 10, 0.041_329, 0.371_957),
    ];

    #[test]
    fn the_studys_tables_give_the_studys_p_values() {
        for (kind, major, minor, p_value, adjusted) in PUBLISHED {
            let contrast = contrast(kind, [major, 144, minor, 39], PUBLISHED.len());
            assert!((contrast.p_value - p_value).abs() < 1e-6, "{contrast:?}");
            assert!(
                (contrast.adjusted_p_value - adjusted).abs() < 1e-5,
                "{contrast:?}"
            );
        }
        // Base models: changed in 19 of 141 major and in none of 100 minor versions.
        let base = contrast("base model", [19, 141, 0, 100], 1);
        assert!((base.p_value - 3.171_48e-5).abs() < 1e-9, "{base:?}");
        assert!(base.significant && base.odds_ratio.is_none());
    }

    #[test]
    fn one_side_alone_is_no_contrast() {
        let step = |declared| DeclaredStep {
            declared,
            kinds: ["weights".to_owned()].into(),
        };
        assert_eq!(contrast_kinds(&[step(Bump::Major)]), []);
        let both = contrast_kinds(&[step(Bump::Major), step(Bump::Minor), step(Bump::Patch)]);
        assert_eq!((both.len(), both[0].p_value), (1, 1.0));
    }
}
