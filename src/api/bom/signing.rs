//! OpenSSF model signing: what the signature beside a model says it signed.
//!
//! Enters: a Sigstore bundle (`model.sig`), whose DSSE envelope holds an in-toto statement. Leaves: the digest of the model and of each
//! file in it. The signature itself is not verified: that takes the signer's identity, which only the reader can trust.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Predicates of the specification begin so.
const PREDICATE: &str = "https://model_signing/signature/";
const MAX_RESOURCES: usize = 10_000;

/// What was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedManifest {
    /// File that holds the signature.
    pub path: String,
    /// Digest of the manifest as a whole: algorithm and hexadecimal.
    pub digest: Option<(String, String)>,
    /// File, algorithm, digest.
    pub resources: Vec<(String, String, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    dsse_envelope: Envelope,
}

#[derive(Deserialize)]
struct Envelope {
    payload: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(default)]
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Deserialize)]
struct Subject {
    digest: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Predicate {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    algorithm: String,
    digest: String,
}

/// Reads a signature file; `None` where it is no signature of a model.
pub fn read(path: &str, text: &str) -> Option<SignedManifest> {
    let bundle: Bundle = serde_json::from_str(text).ok()?;
    let statement = STANDARD.decode(bundle.dsse_envelope.payload).ok()?;
    let statement: Statement = serde_json::from_slice(&statement).ok()?;
    if !statement.predicate_type.starts_with(PREDICATE) {
        return None;
    }
    let digests = statement.subject.into_iter().flat_map(|subject| subject.digest);
    let resources = statement.predicate.resources.into_iter().take(MAX_RESOURCES);
    Some(SignedManifest {
        path: path.to_owned(),
        digest: digests.into_iter().next(),
        resources: resources
            .map(|resource| (resource.name, resource.algorithm, resource.digest))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn bundle(predicate_type: &str) -> String {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "base", "digest": {"sha256": "aa"}}],
            "predicateType": predicate_type,
            "predicate": {"resources": [{"name": "model.safetensors", "algorithm": "sha256", "digest": "bb"}]},
        });
        let payload = STANDARD.encode(statement.to_string());
        json!({"dsseEnvelope": {"payload": payload, "payloadType": "application/vnd.in-toto+json"}})
            .to_string()
    }

    #[test]
    fn a_signature_says_what_it_signed() {
        let manifest = read("model.sig", &bundle("https://model_signing/signature/v1.0")).unwrap();
        assert_eq!(manifest.digest, Some(("sha256".to_owned(), "aa".to_owned())));
        let resource = (
            "model.safetensors".to_owned(),
            "sha256".to_owned(),
            "bb".to_owned(),
        );
        assert_eq!(manifest.resources, [resource]);
    }

    #[test]
    fn what_is_no_signature_of_a_model_is_passed_over() {
        for text in ["", "{}", &bundle("https://slsa.dev/provenance/v1")] {
            assert_eq!(read("model.sig", text), None);
        }
    }
}
