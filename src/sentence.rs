//! An error and its causes as one sentence.
//!
//! Enters: an error as the edges carry it. Leaves: what is printed, stored with a crawl, or logged. Libraries differ in whether an error's
//! text repeats its cause; here each fact is said once.

/// Joins the chain with colons, leaving out causes whose text was already said.
pub fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if said.is_empty() {
            said = text;
        } else if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn each_fact_is_said_once() {
        let check = |error: anyhow::Error, expect: &str| assert_eq!(sentence(&error), expect);
        check(anyhow!("disk full"), "disk full");
        check(
            anyhow!("disk full").context("cannot write x"),
            "cannot write x: disk full",
        );
        check(
            anyhow!("disk full").context("cannot write x: disk full"),
            "cannot write x: disk full",
        );
    }
}
