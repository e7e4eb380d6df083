//! What is known about a generated hub: `truth.json`, which `heirloom eval` scores against.

use serde::Serialize;
use serde_json::{Map, Value};

/// The truth about a hub folder.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Truth {
    pub edges: Vec<Edge>,
    /// Pairs with independent weights.
    pub unrelated: Vec<[String; 2]>,
    pub bumps: Vec<Bump>,
    pub names: Vec<Name>,
    /// Packages whose origin nobody recorded; what is inferred about them is not scored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unlabelled: Vec<String>,
}

/// How one package was made. No parents and relation `unrelated`: from scratch, whatever it declares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Edge {
    pub child: String,
    pub parents: Vec<String>,
    pub relation: &'static str,
    pub technique: &'static str,
    pub params: Map<String, Value>,
    /// The right verdict on the declared base models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<&'static str>,
}

/// The right step between two revisions of a package.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bump {
    pub package: String,
    pub from: String,
    pub to: String,
    pub bump: &'static str,
    pub silent: bool,
}

/// A name cut into (segment, kind).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Name {
    pub name: String,
    pub segments: Vec<[String; 2]>,
}
