//! Judges declared base models.

use super::{Edge, Verdict};

/// Judges a child's declared bases against its inferred edge. `declared_known` are declared ids with a full fingerprint;
/// `declared_unknown` counts declared names that are not in the database.
pub fn verdict(edge: Option<&Edge>, declared_known: &[i64], declared_unknown: usize) -> Option<Verdict> {
    let declares_nothing = declared_known.is_empty() && declared_unknown == 0;
    match edge {
        None if declares_nothing => None,
        None if declared_known.is_empty() => Some(Verdict::Unverifiable),
        None => Some(Verdict::Contradicted),
        Some(_) if declares_nothing => Some(Verdict::Undeclared),
        Some(edge) if declared_known.iter().any(|base| edge.parents.contains(base)) => {
            Some(Verdict::Confirmed)
        }
        Some(_) if declared_known.is_empty() => Some(Verdict::Unverifiable),
        Some(_) => Some(Verdict::Contradicted),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Relation;
    use super::*;

    #[test]
    fn each_case_has_its_verdict() {
        let edge = Edge {
            child: 2,
            parents: vec![1, 3],
            relation: Relation::Merge,
            technique: "linear".to_owned(),
            params: Default::default(),
            confidence: 0.9,
            explanation: String::new(),
            evidence: Vec::new(),
        };
        assert_eq!(verdict(None, &[], 0), None);
        assert_eq!(verdict(None, &[], 1), Some(Verdict::Unverifiable));
        assert_eq!(verdict(None, &[1], 0), Some(Verdict::Contradicted));
        assert_eq!(verdict(Some(&edge), &[], 0), Some(Verdict::Undeclared));
        assert_eq!(verdict(Some(&edge), &[3], 1), Some(Verdict::Confirmed));
        assert_eq!(verdict(Some(&edge), &[4], 0), Some(Verdict::Contradicted));
        assert_eq!(verdict(Some(&edge), &[], 2), Some(Verdict::Unverifiable));
    }
}
