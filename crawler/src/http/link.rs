//! `Link: <…>; rel="next"`, the way the Hugging Face API pages its lists.

use reqwest::header::{HeaderMap, LINK};

/// The address of the next page, as the server wrote it.
pub fn next_link(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(next_of)
}

fn next_of(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, from)) = rest.split_once('<') {
        let (address, parameters) = from.split_once('>')?;
        let end = parameters.find('<').unwrap_or(parameters.len());
        if parameters[..end].split([';', ',']).any(is_next) {
            return Some(address);
        }
        rest = parameters;
    }
    None
}

fn is_next(parameter: &str) -> bool {
    parameter.trim().split_once('=').is_some_and(|(name, value)| {
        name.eq_ignore_ascii_case("rel")
            && value
                .trim_matches('"')
                .split_ascii_whitespace()
                .any(|relation| relation == "next")
    })
}

#[cfg(test)]
mod tests {
    use super::next_of;

    #[test]
    fn links() {
        for (header, expect) in [
            (
                r#"<https://h/api?cursor=a%3D>; rel="next""#,
                Some("https://h/api?cursor=a%3D"),
            ),
            (
                r#"<https://h/1>; rel="prev", <https://h/3>; rel=next"#,
                Some("https://h/3"),
            ),
            (
                r#"<https://h/a,b;c>; title="x"; rel="first next""#,
                Some("https://h/a,b;c"),
            ),
            (r#"<https://h/1>; rel="prev""#, None),
            ("<https://h/1", None),
            ("", None),
        ] {
            assert_eq!(next_of(header), expect, "{header}");
        }
    }
}
