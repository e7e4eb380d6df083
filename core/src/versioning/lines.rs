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
    /// Position of its name in the input.
    pub position: usize,
}

/// Finds the lines among `names` (`owner/name`), lines of one release included.
pub fn release_lines(names: &[&str]) -> Vec<ReleaseLine> {
    let mut lines: BTreeMap<String, Vec<Release>> = BTreeMap::new();
    for (position, name) in names.iter().enumerate() {
        if let Some((line, version)) = line_of(name) {
            let release = Release { version, position };
            lines.entry(line).or_default().push(release);
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

/// The line a name belongs to, and the version it declares; `None` for a name without one.
pub fn line_of(name: &str) -> Option<(String, Version)> {
    let parsed = parse_name(name);
    let version = segment_version(parsed.first(Kind::Version)?)?;
    let rest: Vec<String> = parsed
        .segments
        .iter()
        .filter(|segment| segment.kind != Kind::Version)
        .map(|segment| segment.text.to_lowercase())
        .collect();
    let owner = name.rsplit_once('/').map_or("", |(owner, _)| owner);
    Some((format!("{}/{}", owner.to_lowercase(), rest.join("-")), version))
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
}
