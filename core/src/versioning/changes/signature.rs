//! The signature: names, types and shapes of inputs and outputs, and the runtime they need, where a package states them.
//!
//! Stated by an entry of an ONNX hub manifest (`io_ports`, `opset_version`). Other formats state none; configs and processors
//! stand in for them.

use super::{Step, list};
use crate::versioning::{Bump, Reason};
use serde_json::Value;

const FILE: &str = "ONNX_HUB_MANIFEST.json";

/// Compares inputs, outputs and the operator set.
pub(super) fn compare(step: &Step<'_>) -> Vec<Reason> {
    let (Some(old), Some(new)) = (step.old.json(FILE), step.new.json(FILE)) else {
        return Vec::new();
    };
    let mut reasons = Vec::new();
    for side in ["inputs", "outputs"] {
        if let (Some(before), Some(after)) = (ports(&old, side), ports(&new, side)) {
            reasons.extend(compare_ports(side, before, after));
        }
    }
    reasons.extend(compare_opset(&old, &new));
    reasons
}

fn ports<'a>(entry: &'a Value, side: &str) -> Option<&'a Vec<Value>> {
    entry.pointer(&format!("/metadata/io_ports/{side}"))?.as_array()
}

fn compare_ports(side: &str, old: &[Value], new: &[Value]) -> Option<Reason> {
    let names = |ports: &[Value]| -> Vec<String> {
        let names = ports.iter().filter_map(|port| port.get("name")?.as_str());
        names.map(str::to_owned).collect()
    };
    let (before, after) = (names(old), names(new));
    if before != after {
        let detail = format!("{side} changed: {} → {}", list(&before), list(&after));
        return Some(Reason::new("signature", Bump::Major, detail));
    }
    let changed: Vec<(Bump, String)> = old
        .iter()
        .zip(new)
        .filter(|(a, b)| a.get("type") != b.get("type") || a.get("shape") != b.get("shape"))
        .map(|(a, b)| describe(a, b))
        .collect();
    let bump = changed.iter().map(|(bump, _)| *bump).max()?;
    let described: Vec<&str> = changed.iter().map(|(_, text)| text.as_str()).collect();
    let detail = format!("{side} changed: {}", list(&described));
    Some(Reason::new("signature", bump, detail))
}

/// A dimension that was fixed and is now free admits all that was admitted.
fn describe(old: &Value, new: &Value) -> (Bump, String) {
    let dimensions = |port: &Value| port.get("shape").and_then(Value::as_array).cloned();
    let relaxed = old.get("type") == new.get("type")
        && match (dimensions(old), dimensions(new)) {
            (Some(a), Some(b)) if a.len() == b.len() => a
                .iter()
                .zip(&b)
                .all(|(a, b)| a == b || b.is_string() || b.is_null()),
            _ => false,
        };
    let show = |port: &Value| {
        let field = |key| port.get(key).map(Value::to_string).unwrap_or_default();
        format!("{} {}", field("type"), field("shape"))
    };
    let name = old.get("name").and_then(Value::as_str).unwrap_or("?");
    let bump = if relaxed { Bump::Minor } else { Bump::Major };
    (bump, format!("{name} {} → {}", show(old), show(new)))
}

/// A runtime that reads one operator set reads the older ones.
fn compare_opset(old: &Value, new: &Value) -> Option<Reason> {
    let opset = |entry: &Value| entry.get("opset_version")?.as_u64();
    let (before, after) = (opset(old)?, opset(new)?);
    let (bump, meaning) = match after.cmp(&before) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Greater => (Bump::Major, "older runtimes no longer load it"),
        std::cmp::Ordering::Less => (Bump::Minor, "older runtimes load it too"),
    };
    let detail = format!("operator set {before} → {after}: {meaning}");
    Some(Reason::new("signature", bump, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_freed_dimension_is_minor_and_any_other_change_major() {
        let port = |name: &str, shape: Value| json!({"name": name, "shape": shape, "type": "tensor(float)"});
        let check = |old: Value, new: Value, bump: Option<Bump>| {
            let reason = compare_ports("inputs", &[old], &[new]);
            assert_eq!(reason.map(|reason| reason.bump), bump);
        };
        check(port("x", json!([1, 3])), port("x", json!([1, 3])), None);
        check(
            port("x", json!([1, 3])),
            port("x", json!(["N", 3])),
            Some(Bump::Minor),
        );
        check(
            port("x", json!(["N", 3])),
            port("x", json!([1, 3])),
            Some(Bump::Major),
        );
        check(
            port("x", json!([1, 3])),
            port("y", json!([1, 3])),
            Some(Bump::Major),
        );
    }
}
