//! A changelog draft from a decision, in the order of what matters to a consumer.

use super::{Bump, BumpDecision};

const SECTIONS: [(Bump, &str); 3] = [
    (Bump::Major, "Breaking"),
    (Bump::Minor, "Changed"),
    (Bump::Patch, "Fixed"),
];

/// Markdown: one heading for the version, one list for each size of change. Reasons without a bump are left out.
pub fn changelog(version: &str, decision: &BumpDecision) -> String {
    let mut text = format!("## {version}\n");
    for (bump, title) in SECTIONS {
        let reasons: Vec<_> = decision
            .reasons
            .iter()
            .filter(|reason| reason.bump == bump)
            .collect();
        if reasons.is_empty() {
            continue;
        }
        text += &format!("\n### {title}\n\n");
        for reason in reasons {
            text += &format!("- {}: {}\n", reason.kind.replace('_', " "), reason.detail);
        }
    }
    if decision.bump == Bump::None {
        text += "\nNothing that a consumer can observe.\n";
    }
    text
}
