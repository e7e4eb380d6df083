//! Release lines: packages of one publisher whose names differ in their version alone (`model-7b-v0.1` → `model-7b-v0.2`).
//!
//! Enters: package names. Leaves: [`ReleaseLine`]s, each in the order of its declared versions. Names that declare no version are
//! in no line.

use super::declared::segment_version;
use super::name::{Kind, parse_name};
use semver::Version;
use std::collections::BTreeMap;

/// Packages that are releases of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleaseLine {
    /// The name without its version, in lower case: `owner/model-7b`.
    pub line: String,
    /// Lowest version first.
    pub releases: Vec<Release>,
}

/// One package of a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    pub version: Version,
    /// How many numbers the name gives: 1 for `v2`, 2 for `v1.1`.
    pub numbers: usize,
    /// Position of its name in the input.
    pub position: usize,
}

/// Finds the lines among `names` (`owner/name`), lines of one release included.
pub fn release_lines(names: &[&str]) -> Vec<ReleaseLine> {
    let mut lines: BTreeMap<String, Vec<Release>> = BTreeMap::new();
    for (position, name) in names.iter().enumerate() {
        if let Some((line, version, numbers)) = split(name) {
            lines.entry(line).or_default().push(Release {
                version,
                numbers,
                position,
            });
        }
    }
    lines
        .into_iter()
        .map(|(line, mut releases)| {
            releases.sort_by(|a, b| a.version.cmp(&b.version));
            ReleaseLine { line, releases }
        })
        .collect()
}

/// The line a name belongs to, its version, and how many numbers that has.
fn split(full: &str) -> Option<(String, Version, usize)> {
    let parsed = parse_name(full);
    let text = parsed.first(Kind::Version)?;
    let version = segment_version(text)?;
    let rest: Vec<String> = parsed
        .segments
        .iter()
        .filter(|segment| segment.kind != Kind::Version)
        .map(|segment| segment.text.to_lowercase())
        .collect();
    let owner = full.rsplit_once('/').map_or("", |(owner, _)| owner);
    let numbers = text.matches('.').count() + 1;
    Some((
        format!("{}/{}", owner.to_lowercase(), rest.join("-")),
        version,
        numbers,
    ))
}

impl ReleaseLine {
    /// Whether the release before this one is there: `v1` (or any `v1.x`) before `v2`, `v1.1` before `v1.2`. `None` for a first
    /// version, which has none.
    pub fn has_predecessor(&self, release: &Release) -> Option<bool> {
        let Version { major, minor, .. } = release.version;
        let others = || {
            self.releases
                .iter()
                .map(|other| (other.version.major, other.version.minor))
        };
        if release.numbers == 1 || minor == 0 {
            let before = major
                .checked_sub(1)
                .filter(|before| *before > 0 || release.numbers > 1)?;
            return Some(others().any(|(other, _)| other == before));
        }
        Some(others().any(|other| other == (major, minor - 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_version_alone_are_one_line() {
        let names = [
            "a/m-7b-v0.2",
            "a/m-7b-v0.1",
            "A/M-7b-v0.10",
            "b/m-7b-v0.1",
            "a/m-13b-v0.1",
            "a/m",
        ];
        let lines = release_lines(&names);
        let shown: Vec<(&str, Vec<usize>)> = lines
            .iter()
            .map(|line| {
                (
                    line.line.as_str(),
                    line.releases.iter().map(|release| release.position).collect(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("a/m-13b", vec![4]),
                ("a/m-7b", vec![1, 0, 2]),
                ("b/m-7b", vec![3])
            ]
        );
    }

    #[test]
    fn predecessors_are_looked_up_by_the_number_that_counts() {
        let lines = release_lines(&["a/m-v1", "a/m-v2", "a/m-v4", "a/m-v1.1", "a/m-v1.3"]);
        let line = &lines[0];
        let found: Vec<(String, Option<bool>)> = line
            .releases
            .iter()
            .map(|release| (release.version.to_string(), line.has_predecessor(release)))
            .collect();
        let expected = [
            ("1.0.0", None),
            ("1.1.0", Some(true)),
            ("1.3.0", Some(false)),
            ("2.0.0", Some(true)),
            ("4.0.0", Some(false)),
        ];
        assert_eq!(
            found,
            expected.map(|(version, found)| (version.to_owned(), found))
        );
    }
}
