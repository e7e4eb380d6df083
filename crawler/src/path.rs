//! Which package names and file paths of a hub are safe to use as parts of a URL or of a local path.

use crate::HubError;

const MAX_NAME_BYTES: usize = 256;
const MAX_PATH_BYTES: usize = 4096;

/// Accepts `owner/name` of letters, digits, `.`, `_` and `-`, neither half starting with a dot. A name may end in a tag, as in
/// `library/llama3:8b`: registries keep variants of a model so.
pub fn check_package_name(name: &str) -> Result<(&str, &str), HubError> {
    let refuse = || HubError::UnsafeName { name: shorten(name) };
    if name.len() > MAX_NAME_BYTES {
        return Err(refuse());
    }
    let (owner, rest) = name.split_once('/').ok_or_else(refuse)?;
    let (name_alone, tag) = match rest.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (rest, None),
    };
    if [owner, name_alone].into_iter().chain(tag).all(is_safe_segment) {
        Ok((owner, rest))
    } else {
        Err(refuse())
    }
}

fn is_safe_segment(segment: &str) -> bool {
    !segment.is_empty()
        && !segment.starts_with('.')
        && segment
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// Accepts a relative path of plain segments: no `..`, no root, no drive or backslash, no control characters.
pub fn check_file_path<'a>(package: &str, path: &'a str) -> Result<&'a str, HubError> {
    let safe = path.len() <= MAX_PATH_BYTES
        && !path.contains(['\\', ':'])
        && !path.chars().any(char::is_control)
        && path.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
    if safe {
        Ok(path)
    } else {
        Err(HubError::UnsafePath {
            package: package.to_owned(),
            path: shorten(path),
        })
    }
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 120;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names() {
        for name in [
            "openai/gpt2",
            "a/b.c-d_1",
            "mistralai/Mixtral-8x7B-v0.1",
            "_/gpt2",
            "library/llama3:8b-q4_0",
        ] {
            assert!(check_package_name(name).is_ok(), "{name}");
        }
        for name in [
            "", "gpt2", "/a", "a/", "../a", "a/..", "a/b/c", "a/b c", "a/b?x", ".git/a", "a/%2e", "a/b:",
            "a/b:c:d", "a:b/c",
        ] {
            assert!(check_package_name(name).is_err(), "{name}");
        }
        assert!(check_package_name(&format!("a/{}", "b".repeat(1000))).is_err());
    }

    #[test]
    fn file_paths() {
        for path in ["a", "a/b.bin", "a b/ü.txt", "..a", "a..b", ".gitattributes"] {
            assert!(check_file_path("o/n", path).is_ok(), "{path}");
        }
        for path in [
            "", "/a", "a//b", "a/../b", "..", "./a", "a\\b", "C:a", "a\0", "a\nb",
        ] {
            assert!(check_file_path("o/n", path).is_err(), "{path}");
        }
    }
}
