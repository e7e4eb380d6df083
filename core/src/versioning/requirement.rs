//! Version requirements (`^1.2`, `>=2, <3`, `~0.1.4`) against a package's versions.

use semver::{Version, VersionReq};

/// The newest of `versions` (oldest first) with the highest version that `requirement` admits.
///
/// Build metadata takes no part, as SemVer has it; so of revisions with one version the newest is chosen. A pre-release is
/// admitted only where the requirement names one.
pub fn resolve<'a, T>(requirement: &VersionReq, versions: &'a [(Version, T)]) -> Option<&'a (Version, T)> {
    let admitted = versions
        .iter()
        .filter(|(version, _)| requirement.matches(version));
    admitted.max_by(|(a, _), (b, _)| a.cmp_precedence(b))
}

/// Position of the version that a requirement chooses among `versions` as they are stored, oldest first. What is no version is
/// passed over.
pub fn resolve_text<'a>(
    requirement: &VersionReq,
    versions: impl Iterator<Item = Option<&'a str>>,
) -> Option<usize> {
    let parsed: Vec<(Version, usize)> = versions
        .enumerate()
        .filter_map(|(position, text)| Some((text?.parse().ok()?, position)))
        .collect();
    resolve(requirement, &parsed).map(|(_, position)| *position)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_newest_of_the_highest_admitted_version_is_chosen() {
        let texts = [
            "0.1.0",
            "0.1.1",
            "1.0.0+w.aaaaaaaa",
            "1.2.0",
            "1.2.0+w.00000000",
            "2.0.0-beta.1",
        ];
        let versions: Vec<(Version, usize)> = texts
            .iter()
            .zip(0..)
            .map(|(text, position)| (Version::parse(text).unwrap(), position))
            .collect();
        let check = |requirement: &str, position: Option<usize>| {
            let requirement = VersionReq::parse(requirement).unwrap();
            assert_eq!(
                resolve(&requirement, &versions).map(|found| found.1),
                position,
                "{requirement}"
            );
        };
        check("^1", Some(4));
        check("^0.1", Some(1));
        check("=1.0.0", Some(2));
        check("^2", None);
        check("2.0.0-beta.1", Some(5));
        check("*", Some(4));
    }
}
