#![allow(clippy::unwrap_used)]
use crate::weights::{Checkpoint, Dtype, WeightFile, WeightsError};
use proptest::prelude::*;

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn number(field: u64, number: u64) -> Vec<u8> {
    [varint(field << 3), varint(number)].concat()
}

fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [
        varint(field << 3 | 2),
        varint(content.len() as u64),
        content.to_vec(),
    ]
    .concat()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn tensor(name: &str, data_type: u64, shape: &[u64], data: Vec<u8>) -> Vec<u8> {
    let shape: Vec<u8> = shape.iter().flat_map(|length| varint(*length)).collect();
    [
        bytes(1, &shape),
        number(2, data_type),
        data,
        bytes(8, name.as_bytes()),
    ]
    .concat()
}

fn external(entries: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(key, value): &(&str, &str)| {
        bytes(
            13,
            &[bytes(1, key.as_bytes()), bytes(2, value.as_bytes())].concat(),
        )
    };
    entries.iter().flat_map(entry).collect()
}

fn model(graph: &[u8]) -> Vec<u8> {
    let version = bytes(14, &[bytes(1, b"author"), bytes(2, b"me")].concat());
    [number(1, 8), bytes(2, b"test"), bytes(7, graph), version].concat()
}

/// An If node whose branch holds an initialiser and a Constant node.
fn branching() -> Vec<u8> {
    let values: Vec<f32> = (0..16).map(|value| value as f32).collect();
    let constant = bytes(
        5,
        &[
            bytes(1, b"value"),
            bytes(5, &tensor("", 1, &[16], bytes(9, &floats(&values)))),
        ]
        .concat(),
    );
    let constant = [bytes(2, b"folded"), bytes(4, b"Constant"), constant].concat();
    let branch = [
        bytes(1, &constant),
        bytes(5, &tensor("w", 1, &[1], bytes(4, &floats(&[7.0])))),
    ]
    .concat();
    let attribute = bytes(5, &[bytes(1, b"then_branch"), bytes(6, &branch)].concat());
    let node = [bytes(2, b"out"), bytes(3, b"If_0"), bytes(4, b"If"), attribute].concat();
    // f16 one and minus two, written as varints.
    let halves = tensor(
        "h",
        10,
        &[2],
        bytes(5, &[varint(0x3c00), varint(0xc000)].concat()),
    );
    model(&[bytes(5, &halves), bytes(1, &node)].concat())
}

fn open(files: &[(&str, Vec<u8>)]) -> Result<Checkpoint, WeightsError> {
    let files = files
        .iter()
        .map(|(name, bytes)| WeightFile::new(*name, bytes.clone()));
    Checkpoint::open(files.collect())
}

fn values(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    checkpoint.read_values(checkpoint.tensor(name).unwrap()).unwrap()
}

#[test]
fn initialisers_and_constants_of_nested_graphs_are_read() {
    let checkpoint = open(&[("model.onnx", branching())]).unwrap();
    let names: Vec<&str> = checkpoint
        .tensors
        .iter()
        .map(|tensor| tensor.name.as_str())
        .collect();
    assert_eq!(names, ["If_0/then_branch/folded", "If_0/then_branch/w", "h"]);
    assert_eq!(values(&checkpoint, "h"), [1.0, -2.0]);
    assert_eq!(checkpoint.tensor("h").unwrap().dtype, Dtype::F16);
    assert_eq!(values(&checkpoint, "If_0/then_branch/w"), [7.0]);
    assert_eq!(values(&checkpoint, "If_0/then_branch/folded")[15], 15.0);
    assert_eq!(checkpoint.metadata["author"], "me");
}

#[test]
fn external_data_is_found_beside_the_model_and_nowhere_else() {
    let with_location = |location: &str| {
        let data = external(&[("location", location), ("offset", "4"), ("length", "8")]);
        model(&bytes(5, &tensor("w", 1, &[2], data)))
    };
    let data = floats(&[1.0, 2.0, 3.0]);
    let checkpoint = open(&[
        ("onnx/model.onnx", with_location("model.onnx_data")),
        ("onnx/model.onnx_data", data.clone()),
    ]);
    assert_eq!(values(&checkpoint.unwrap(), "w"), [2.0, 3.0]);
    for location in ["../secret.onnx_data", "/etc/passwd", "model.onnx_data_2", ""] {
        let files = [
            ("model.onnx", with_location(location)),
            ("model.onnx_data", data.clone()),
        ];
        let error = open(&files).map(|_| ()).unwrap_err();
        assert!(matches!(error, WeightsError::MissingData { .. }), "{error}");
    }
    let short = [
        ("model.onnx", with_location("model.onnx_data")),
        ("model.onnx_data", floats(&[1.0])),
    ];
    assert!(matches!(open(&short), Err(WeightsError::OutOfRange { .. })));
}

#[test]
fn broken_files_are_explained() {
    let check = |bytes: Vec<u8>, expect: &str| {
        let error = open(&[("model.onnx", bytes)]).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), format!("model.onnx: {expect}"));
    };
    let initialiser = |tensor: Vec<u8>| model(&bytes(5, &tensor));
    check(
        initialiser(tensor("w", 1, &[3], bytes(9, &[0; 8]))),
        "tensor \"w\" (F32, shape [3]) does not fill its 8 bytes",
    );
    check(
        initialiser(tensor("w", 1, &[u64::MAX, 2], bytes(9, &[0; 8]))),
        "tensor \"w\" of shape [18446744073709551615, 2] has more elements than can be counted",
    );
    check(
        initialiser(tensor("w", 99, &[1], bytes(9, &[0; 4]))),
        "tensor \"w\" has the unknown element type \"ONNX type 99\"",
    );
    let mut truncated = branching();
    truncated.truncate(40);
    check(
        truncated,
        "the header is not valid: a protobuf field is longer than what is left of its message at byte 11",
    );
}

#[test]
fn graphs_nested_without_end_are_refused() {
    let mut graph = Vec::new();
    for _ in 0..40 {
        let attribute = bytes(5, &bytes(6, &graph));
        graph = bytes(1, &attribute);
    }
    let error = open(&[("model.onnx", model(&graph))]).map(|_| ()).unwrap_err();
    assert!(
        matches!(
            error,
            WeightsError::OverLimit {
                what: "depth of nested graphs",
                ..
            }
        ),
        "{error}"
    );
}

proptest! {
    /// A bounded fuzz run: files near a valid one get an answer, and what opens can be read.
    #[test]
    fn mutated_files_get_an_answer(edits in prop::collection::vec((0usize..400, any::<u8>()), 1..4)) {
        let mut bytes = branching();
        for (place, byte) in edits {
            let length = bytes.len();
            bytes[place % length] = byte;
        }
        if let Ok(checkpoint) = open(&[("model.onnx", bytes)]) {
            for tensor in &checkpoint.tensors {
                let _ = checkpoint.read_values(tensor);
            }
        }
    }
}
