//! Version requirements as intervals, for places that can only compare numbers.

use semver::{Comparator, Op, VersionReq};

/// Major, minor and patch.
pub type Numbers = [u64; 3];

/// The releases a requirement admits: those from `from` on, and below `below`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    pub from: Numbers,
    pub below: Option<Numbers>,
}

impl Interval {
    /// The interval of `requirement`. `None` where it names a pre-release: those are no interval.
    pub fn of(requirement: &VersionReq) -> Option<Self> {
        let all = Self {
            from: [0; 3],
            below: None,
        };
        requirement
            .comparators
            .iter()
            .try_fold(all, |interval, comparator| {
                comparator
                    .pre
                    .is_empty()
                    .then(|| interval.and(Self::of_comparator(comparator)))
            })
    }

    fn and(self, other: Self) -> Self {
        let below = match (self.below, other.below) {
            (Some(one), Some(another)) => Some(one.min(another)),
            (one, another) => one.or(another),
        };
        Self {
            from: self.from.max(other.from),
            below,
        }
    }

    fn of_comparator(comparator: &Comparator) -> Self {
        let first = [
            comparator.major,
            comparator.minor.unwrap_or(0),
            comparator.patch.unwrap_or(0),
        ];
        // What the comparator writes out is fixed; the rest is open.
        let next = match (comparator.minor, comparator.patch) {
            (Some(_), Some(_)) => after(first, 2),
            (Some(_), None) => after(first, 1),
            (None, _) => after(first, 0),
        };
        let (from, below) = match comparator.op {
            Op::Greater => (next, None),
            Op::GreaterEq => (first, None),
            Op::Less => ([0; 3], Some(first)),
            Op::LessEq => ([0; 3], Some(next)),
            Op::Tilde => (
                first,
                Some(next.max(after(first, usize::from(comparator.minor.is_some())))),
            ),
            Op::Caret => (first, Some(caret(comparator, first).max(next))),
            // Exact and wildcard; the crate may learn others.
            _ => (first, Some(next)),
        };
        Self { from, below }
    }
}

/// The first version whose number at `place` is greater.
fn after(version: Numbers, place: usize) -> Numbers {
    let mut next = [0; 3];
    next[..=place].copy_from_slice(&version[..=place]);
    next[place] = next[place].saturating_add(1);
    next
}

/// A caret keeps the first number that is not zero.
fn caret(comparator: &Comparator, first: Numbers) -> Numbers {
    let written = 1 + usize::from(comparator.minor.is_some()) + usize::from(comparator.patch.is_some());
    let kept = first.iter().take(written).position(|number| *number > 0);
    after(first, kept.unwrap_or(written - 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use semver::Version;

    proptest! {
        #[test]
        fn an_interval_admits_what_its_requirement_does(
            text in r"(\^|~|=|>|>=|<|<=|)[0-3](\.[0-3](\.[0-3])?)?(, ?(\^|~|=|>|>=|<|<=)[0-3](\.[0-3](\.[0-3])?)?)?",
            version in [0_u64..5, 0..5, 0..5],
        ) {
            let requirement = VersionReq::parse(&text).unwrap();
            let interval = Interval::of(&requirement).unwrap();
            let inside = version >= interval.from && interval.below.is_none_or(|below| version < below);
            let admitted = requirement.matches(&Version::new(version[0], version[1], version[2]));
            prop_assert_eq!(inside, admitted, "{} {:?}", text, interval);
        }
    }

    #[test]
    fn wildcards_and_pre_releases() {
        let of = |text: &str| Interval::of(&VersionReq::parse(text).unwrap());
        let check = |text, from, below| assert_eq!(of(text), Some(Interval { from, below }), "{text}");
        check("*", [0, 0, 0], None);
        check("1.*", [1, 0, 0], Some([2, 0, 0]));
        check("1.2.*", [1, 2, 0], Some([1, 3, 0]));
        assert_eq!(of("^1.0.0-beta.1"), None);
    }
}
