//! A hub's word for a licence becomes an SPDX expression where one is meant without doubt, else it stays as it is.

/// `apache-2.0` → `Apache-2.0`; `MIT OR Apache-2.0` is kept; `llama2`, `openrail` and `other` have no SPDX id and are kept.
pub fn to_spdx(word: &str) -> String {
    let word = word.trim();
    if let Some(id) = find_id(word) {
        return id.to_owned();
    }
    match spdx::Expression::canonicalize(word) {
        Ok(Some(expression)) => expression,
        _ => word.to_owned(),
    }
}

/// Ids are compared without regard to case, as SPDX demands.
fn find_id(word: &str) -> Option<&'static str> {
    spdx::identifiers::LICENSES
        .iter()
        .map(|license| license.name)
        .find(|name| name.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::to_spdx;

    #[test]
    fn words_of_hubs() {
        for (word, expect) in [
            ("apache-2.0", "Apache-2.0"),
            ("mit", "MIT"),
            ("cc-by-nc-4.0", "CC-BY-NC-4.0"),
            ("bsd-3-clause", "BSD-3-Clause"),
            ("gpl-3.0", "GPL-3.0"),
            ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
            ("llama2", "llama2"),
            ("other", "other"),
            (" unknown ", "unknown"),
        ] {
            assert_eq!(to_spdx(word), expect, "{word}");
        }
    }
}
