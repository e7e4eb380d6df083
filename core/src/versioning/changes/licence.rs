//! The licence: may consumers still do what they did? The order of licences is in licences.tsv.

use super::Step;
use crate::versioning::{Bump, Reason, Snapshot, card};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Terms {
    Permissive,
    WeakCopyleft,
    Copyleft,
    NetworkCopyleft,
    UseRestricted,
    NonCommercial,
    NoDerivatives,
}

static TERMS: LazyLock<HashMap<&str, Terms>> = LazyLock::new(|| {
    let lines = include_str!("licences.tsv").lines();
    let rows = lines.filter(|line| !line.starts_with('#'));
    rows.filter_map(|line| line.split_once('\t'))
        .filter_map(|(licence, terms)| Some((licence, terms_named(terms)?)))
        .collect()
});

fn terms_named(word: &str) -> Option<Terms> {
    Some(match word {
        "permissive" => Terms::Permissive,
        "weak-copyleft" => Terms::WeakCopyleft,
        "copyleft" => Terms::Copyleft,
        "network-copyleft" => Terms::NetworkCopyleft,
        "use-restricted" => Terms::UseRestricted,
        "non-commercial" => Terms::NonCommercial,
        "no-derivatives" => Terms::NoDerivatives,
        _ => return None,
    })
}

/// Stricter terms are major; looser ones a patch; what cannot be compared is taken as stricter.
pub(super) fn compare(step: &Step<'_>) -> Vec<Reason> {
    match (licence(step.old), licence(step.new)) {
        (Some(old), Some(new)) if old != new => vec![judge(&old, &new)],
        (Some(_), Some(_)) | (None, _) | (_, None) => compare_texts(step),
    }
}

fn judge(old: &[String], new: &[String]) -> Reason {
    let (before, after) = (old.join(", "), new.join(", "));
    let (bump, detail) = match (strictest(old), strictest(new)) {
        _ if old.is_empty() => (Bump::Patch, format!("a licence was stated: {after}")),
        _ if new.is_empty() => (Bump::Major, format!("the licence {before} is no longer stated")),
        (Some(a), Some(b)) if b > a => (Bump::Major, format!("stricter licence: {before} → {after}")),
        (Some(a), Some(b)) if b < a => (Bump::Patch, format!("looser licence: {before} → {after}")),
        (Some(_), Some(_)) => (
            Bump::Patch,
            format!("licence of the same strictness: {before} → {after}"),
        ),
        _ => (
            Bump::Major,
            format!("licence {before} → {after}; the two cannot be ordered, so it may be stricter"),
        ),
    };
    Reason::new("licence", bump, detail)
}

/// What the licence of a derivative lets go of that its parent's asks for, in one sentence; `None` where it asks for as much, or
/// where the two cannot be ordered.
pub fn licence_conflict(parent: &str, child: &str) -> Option<String> {
    let asked = strictest(&[parent.to_lowercase()])?;
    if strictest(&[child.to_lowercase()])? >= asked {
        return None;
    }
    let what = match asked {
        Terms::Permissive => return None,
        Terms::WeakCopyleft => "changes to it stay under its own terms",
        Terms::Copyleft => "derivatives are shared under the same terms",
        Terms::NetworkCopyleft => {
            "derivatives are shared under the same terms, when offered over a network too"
        }
        Terms::UseRestricted => "some uses stay excluded",
        Terms::NonCommercial => "there is no commercial use",
        Terms::NoDerivatives => "there are no derivatives",
    };
    Some(format!("{parent} asks that {what}; {child} does not"))
}

/// The terms of the strictest of several; `None` when one is unknown.
fn strictest(licences: &[String]) -> Option<Terms> {
    let terms: Option<Vec<Terms>> = licences
        .iter()
        .map(|licence| {
            let id = licence.trim_end_matches("-only").trim_end_matches("-or-later");
            TERMS.get(id).copied()
        })
        .collect();
    terms?.into_iter().max()
}

/// From the card. `None` when it could not be read.
fn licence(snapshot: &Snapshot<'_>) -> Option<Vec<String>> {
    let card = card::parse(snapshot.text("README.md")?);
    let mut licences = card.strings("license");
    for licence in &mut licences {
        *licence = licence.to_lowercase();
        if licence == "other" {
            licence.extend(
                card.strings("license_name")
                    .first()
                    .map(|name| format!(" ({name})")),
            );
        }
    }
    Some(licences)
}

/// The same licence by name, and another text.
fn compare_texts(step: &Step<'_>) -> Vec<Reason> {
    let text = |snapshot: &Snapshot<'_>| -> Option<String> {
        let found = ["LICENSE", "LICENSE.txt", "LICENSE.md"]
            .iter()
            .find_map(|path| snapshot.text(path).map(str::to_owned));
        found.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    match (text(step.old), text(step.new)) {
        (Some(a), Some(b)) if a != b => {
            let detail = "the text of the licence changed; read it before you rely on it";
            vec![Reason::new("licence", Bump::Minor, detail)]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derivative_may_not_ask_for_less() {
        let check = |parent: &str, child: &str, expect: Option<&str>| {
            let conflict = licence_conflict(parent, child);
            assert_eq!(conflict.is_some(), expect.is_some(), "{parent} → {child}");
            assert!(conflict.unwrap_or_default().contains(expect.unwrap_or_default()));
        };
        check("MIT", "Apache-2.0", None);
        check("Apache-2.0", "CC-BY-NC-4.0", None);
        check("CC-BY-NC-4.0", "MIT", Some("no commercial use"));
        check("llama3.1", "Apache-2.0", Some("uses stay excluded"));
        check("GPL-3.0", "MIT", Some("same terms"));
        check("GPL-3.0-or-later", "GPL-3.0", None);
        check("house rules", "MIT", None);
    }

    #[test]
    fn order_decides_the_bump() {
        let check = |old: &str, new: &str, bump: Bump| {
            let one = |licence: &str| match licence {
                "" => Vec::new(),
                licence => vec![licence.to_owned()],
            };
            assert_eq!(judge(&one(old), &one(new)).bump, bump, "{old} → {new}");
        };
        check("mit", "apache-2.0", Bump::Patch);
        check("mit", "cc-by-nc-4.0", Bump::Major);
        check("cc-by-nc-4.0", "mit", Bump::Patch);
        check("gpl-3.0", "gpl-3.0-or-later", Bump::Patch);
        check("apache-2.0", "llama3.1", Bump::Major);
        check("mit", "other (house rules)", Bump::Major);
        check("", "mit", Bump::Patch);
        check("mit", "", Bump::Major);
    }
}
