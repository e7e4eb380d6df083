//! Versions that publishers declare, in tags and in names, read as SemVer as far as they go.

use super::name::{Kind, parse_name};
use semver::{BuildMetadata, Prerelease, Version};

/// The version a package's name declares: `owner/model-7b-v0.2` → 0.2.0. `None` when the name holds none.
pub fn declared_version(name: &str) -> Option<Version> {
    segment_version(parse_name(name).first(Kind::Version)?)
}

/// The version a segment of a name spells: `v0.2`.
pub(super) fn segment_version(text: &str) -> Option<Version> {
    lenient(text)
}

/// The version a tag declares: `v1.2.0-rc.1`, `1.2`, `release-3`. `None` for any other tag.
pub(super) fn tag_version(tag: &str) -> Option<Version> {
    let tag = tag.rsplit('/').next().unwrap_or(tag);
    lenient(without(tag, &["release-", "release_", "version-", "version_"]))
}

/// `v1.2` → 1.2.0; missing numbers are zero, a fourth one is left out.
fn lenient(text: &str) -> Option<Version> {
    let text = without(text, &["version", "ver", "v", "V"]);
    let (core, suffix) = match text.split_once(['-', '+']) {
        Some((core, suffix)) => (core, suffix),
        None => (text, ""),
    };
    let core = core.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let mut numbers = core.split('.').map(|part| part.parse::<u64>().ok());
    let major = numbers.next()??;
    let minor = numbers.next().unwrap_or(Some(0))?;
    let patch = numbers.next().unwrap_or(Some(0))?;
    Some(Version {
        major,
        minor,
        patch,
        pre: Prerelease::new(suffix).unwrap_or(Prerelease::EMPTY),
        build: BuildMetadata::EMPTY,
    })
}

fn without<'a>(text: &'a str, prefixes: &[&str]) -> &'a str {
    let stripped = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
    stripped.unwrap_or(text)
}

/// The pre-release word a name carries: `model-v2-beta` → `beta`.
pub fn is_prerelease(name: &str) -> Option<&'static str> {
    const WORDS: [&str; 7] = ["alpha", "beta", "rc", "preview", "dev", "experimental", "nightly"];
    let name = name
        .rsplit_once('/')
        .map_or(name, |(_, name)| name)
        .to_lowercase();
    let mut tokens = name.split(|c: char| !c.is_ascii_alphabetic());
    tokens.find_map(|token| WORDS.into_iter().find(|word| *word == token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_names_and_tags() {
        let name = |name: &str| declared_version(name).map(|version| version.to_string());
        assert_eq!(name("mistralai/Mistral-7B-v0.1").as_deref(), Some("0.1.0"));
        assert_eq!(name("a/Metis-0.5").as_deref(), Some("0.5.0"));
        assert_eq!(name("meta-llama/Llama-2-7b"), None);
        let tag = |tag: &str| tag_version(tag).map(|version| version.to_string());
        assert_eq!(tag("v1.2.3-rc.1").as_deref(), Some("1.2.3-rc.1"));
        assert_eq!(tag("refs/tags/v2").as_deref(), Some("2.0.0"));
        assert_eq!(tag("release-3.1").as_deref(), Some("3.1.0"));
        assert_eq!(tag("main"), None);
        assert_eq!(tag("fp16"), None);
    }

    #[test]
    fn prerelease_words_stand_alone() {
        assert_eq!(is_prerelease("a/model-v2-beta"), Some("beta"));
        assert_eq!(is_prerelease("a/AlphaFold"), None);
        assert_eq!(is_prerelease("preview/model"), None);
    }
}
