//! The truth about a hub folder: the `truth.json` of DESIGN section 7.

use crate::lineage::{Relation, Verdict};
use crate::versioning::Bump;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is known about a hub's packages. Packages are named `owner/name`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Truth {
    pub edges: Vec<TruthEdge>,
    /// Pairs with independent weights.
    pub unrelated: Vec<(String, String)>,
    pub bumps: Vec<TruthBump>,
    pub names: Vec<TruthName>,
    /// Packages whose origin nobody recorded: what is inferred about them is not scored.
    pub unlabelled: BTreeSet<String>,
}

/// How one package was made. Relation `unrelated`, with or without parents: from scratch, whatever it declares.
#[derive(Debug, Clone, Deserialize)]
pub struct TruthEdge {
    pub child: String,
    #[serde(default)]
    pub parents: Vec<String>,
    pub relation: Relation,
    pub technique: String,
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    /// The right verdict on the declared base models.
    #[serde(default)]
    pub declared: Option<Verdict>,
}

/// The right step between two revisions of a package.
#[derive(Debug, Clone, Deserialize)]
pub struct TruthBump {
    pub package: String,
    pub from: String,
    pub to: String,
    pub bump: Bump,
    #[serde(default)]
    pub silent: bool,
}

/// A name cut into (segment, kind).
#[derive(Debug, Clone, Deserialize)]
pub struct TruthName {
    pub name: String,
    pub segments: Vec<(String, String)>,
}

impl TruthEdge {
    /// False for a package made from scratch.
    pub fn is_derived(&self) -> bool {
        self.relation != Relation::Unrelated && !self.parents.is_empty()
    }
}
