//! Renders a family for graph tools: Graphviz DOT and GraphML.
//!
//! Both draw an arrow from each parent to its child, labelled with relation and technique.

use super::atom::printable;
use super::extract::word;
use super::family::{Edge, Lineage, LineageNode};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::fmt::Write as _;
use std::io;

/// A Graphviz digraph.
pub fn dot(lineage: &Lineage) -> String {
    let mut text = String::from("digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n");
    for node in &lineage.nodes {
        let version = node.version.as_deref().unwrap_or_default();
        let label = format!("{}\n{version}", node.reference);
        let _ = writeln!(
            text,
            "  {} [label={}];",
            quoted(&node.reference),
            quoted(label.trim_end())
        );
    }
    for (parent, edge) in arrows(lineage) {
        let label = format!("{} ({})", word(edge.relation), edge.technique);
        let _ = writeln!(
            text,
            "  {} -> {} [label={}];",
            quoted(parent),
            quoted(&edge.child),
            quoted(&label)
        );
    }
    text + "}\n"
}

/// A string of the DOT language.
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

fn arrows(lineage: &Lineage) -> impl Iterator<Item = (&str, &Edge)> {
    let of_edge = |edge| -> Vec<(&str, &Edge)> {
        let edge: &Edge = edge;
        edge.parents
            .iter()
            .map(|parent| (parent.as_str(), edge))
            .collect()
    };
    lineage.edges.iter().flat_map(of_edge)
}

/// Attributes of nodes and edges: id, for what, type.
const KEYS: [(&str, &str, &str); 6] = [
    ("version", "node", "string"),
    ("architecture", "node", "string"),
    ("parameters", "node", "long"),
    ("relation", "edge", "string"),
    ("technique", "edge", "string"),
    ("confidence", "edge", "double"),
];

/// A GraphML document.
pub fn graphml(lineage: &Lineage) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 1);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    writer
        .create_element("graphml")
        .with_attribute(("xmlns", "http://graphml.graphdrawing.org/xmlns"))
        .write_inner_content(|writer| {
            for (id, owner, kind) in KEYS {
                writer
                    .create_element("key")
                    .with_attributes([("id", id), ("for", owner), ("attr.name", id), ("attr.type", kind)])
                    .write_empty()?;
            }
            writer
                .create_element("graph")
                .with_attributes([("id", "lineage"), ("edgedefault", "directed")])
                .write_inner_content(|writer| {
                    lineage
                        .nodes
                        .iter()
                        .try_for_each(|node| write_node(writer, node))?;
                    arrows(lineage).try_for_each(|(parent, edge)| write_arrow(writer, parent, edge))
                })?;
            Ok(())
        })?;
    String::from_utf8(writer.into_inner()).map_err(io::Error::other)
}

fn write_node(writer: &mut Writer<Vec<u8>>, node: &LineageNode) -> io::Result<()> {
    let parameters = node.parameters.map(|parameters| parameters.to_string());
    let data = [
        ("version", node.version.as_deref()),
        ("architecture", node.architecture.as_deref()),
        ("parameters", parameters.as_deref()),
    ];
    writer
        .create_element("node")
        .with_attribute(("id", printable(&node.reference).as_str()))
        .write_inner_content(|writer| write_data(writer, &data))?;
    Ok(())
}

fn write_arrow(writer: &mut Writer<Vec<u8>>, parent: &str, edge: &Edge) -> io::Result<()> {
    let relation = word(edge.relation);
    let confidence = edge.confidence.to_string();
    let data = [
        ("relation", Some(relation.as_str())),
        ("technique", Some(edge.technique.as_str())),
        ("confidence", Some(confidence.as_str())),
    ];
    writer
        .create_element("edge")
        .with_attribute(("source", printable(parent).as_str()))
        .with_attribute(("target", printable(&edge.child).as_str()))
        .write_inner_content(|writer| write_data(writer, &data))?;
    Ok(())
}

fn write_data(writer: &mut Writer<Vec<u8>>, data: &[(&str, Option<&str>)]) -> io::Result<()> {
    for (key, value) in data {
        let Some(value) = value else { continue };
        writer
            .create_element("data")
            .with_attribute(("key", *key))
            .write_text_content(BytesText::new(&printable(value)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::lineage::Relation;

    fn family() -> Lineage {
        let node = |reference: &str| LineageNode {
            reference: reference.to_owned(),
            version: Some("1.0.0".to_owned()),
            parameters: Some(20),
            architecture: None,
            verdict: None,
            relation: None,
            technique: None,
        };
        Lineage {
            root: "hf:lab/base".to_owned(),
            nodes: vec![node("hf:lab/base"), node("hf:lab/\"odd\"<&>")],
            edges: vec![Edge {
                child: "hf:lab/\"odd\"<&>".to_owned(),
                parents: vec!["hf:lab/base".to_owned()],
                relation: Relation::Finetune,
                technique: "lora-merged".to_owned(),
                params: Default::default(),
                confidence: 0.5,
                explanation: String::new(),
                evidence: vec![],
                verdict: None,
            }],
            truncated: false,
        }
    }

    #[test]
    fn names_are_quoted_for_graphviz() {
        insta::assert_snapshot!(dot(&family()));
    }

    #[test]
    fn names_are_escaped_in_graphml() {
        insta::assert_snapshot!(graphml(&family()).unwrap());
    }
}
