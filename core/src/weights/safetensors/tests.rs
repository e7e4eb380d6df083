#![allow(clippy::unwrap_used)]
use super::super::{Checkpoint, Dtype, WeightFile, WeightsError};
use ::safetensors::tensor::{Dtype as CrateDtype, TensorView, serialize};
use proptest::prelude::*;
use std::collections::HashMap;

fn file_of(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

fn open(bytes: Vec<u8>) -> Result<Checkpoint, WeightsError> {
    Checkpoint::open(vec![WeightFile::new("model.safetensors", bytes)])
}

/// The error of a file with this header and data.
fn check(header: &str, data: &[u8], expect: &str) {
    let error = open(file_of(header, data)).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), format!("model.safetensors: {expect}"));
}

#[test]
fn each_broken_rule_is_named() {
    let f32_pair = r#""dtype":"F32","shape":[2]"#;
    check(
        "{",
        &[],
        "the header is not valid: EOF while parsing an object at line 1 column 1",
    );
    check(
        "[]",
        &[],
        "is not a weight format that Heirloom reads (safetensors, PyTorch, GGUF, ONNX, npz, HDF5, Flax)",
    );
    check(
        &format!(r#"{{"a":{{{f32_pair},"data_offsets":[0,8]}},"a":{{{f32_pair},"data_offsets":[0,8]}}}}"#),
        &[0; 8],
        "two tensors are called \"a\"",
    );
    check(
        &format!(r#"{{"a":{{{f32_pair},"data_offsets":[0,8]}}}}"#),
        &[0; 7],
        "tensor \"a\" lies at bytes 0 to 8, outside the 7 bytes of data (a truncated download?)",
    );
    check(
        &format!(r#"{{"a":{{{f32_pair},"data_offsets":[8,0]}}}}"#),
        &[0; 8],
        "tensor \"a\" lies at bytes 8 to 0, outside the 8 bytes of data (a truncated download?)",
    );
    check(
        &format!(r#"{{"a":{{{f32_pair},"data_offsets":[0,4]}}}}"#),
        &[0; 4],
        "tensor \"a\" (F32, shape [2]) does not fill its 4 bytes",
    );
    check(
        r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#,
        &[0; 4],
        "tensor \"a\" of shape [4294967296, 4294967296] has more elements than can be counted",
    );
    check(
        r#"{"a":{"dtype":"Q9","shape":[1],"data_offsets":[0,4]}}"#,
        &[0; 4],
        "tensor \"a\" has the unknown element type \"Q9\"",
    );
    check(
        &format!(r#"{{"a":{{{f32_pair},"data_offsets":[0,8]}},"b":{{{f32_pair},"data_offsets":[4,12]}}}}"#),
        &[0; 12],
        "tensors \"a\" and \"b\" overlap",
    );
    check(
        &format!(r#"{{"a":{{{f32_pair},"data_offsets":[0,8]}},"b":{{{f32_pair},"data_offsets":[12,20]}}}}"#),
        &[0; 20],
        "4 bytes of data before tensor \"b\" belong to no tensor",
    );
    check(
        &format!(r#"{{"a":{{{f32_pair},"data_offsets":[0,8]}}}}"#),
        &[0; 9],
        "1 bytes of data before the end belong to no tensor",
    );
    check(
        r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
        &[0; 4],
        "the header is not valid: tensor \"a\": invalid value: integer `-1`, expected u64 at line 1 column 31",
    );
}

#[test]
fn lengths_are_checked_before_anything_is_allocated() {
    let mut bytes = file_of("{}", &[]);
    bytes[..8].copy_from_slice(&(1u64 << 63).to_le_bytes());
    let error = open(bytes).map(|_| ()).unwrap_err();
    assert!(matches!(error, WeightsError::OverLimit { claimed, .. } if claimed == 1 << 63));
    let mut bytes = file_of("{}", &[]);
    bytes[..8].copy_from_slice(&90_000_000u64.to_le_bytes());
    let error = open(bytes).map(|_| ()).unwrap_err();
    assert!(matches!(
        error,
        WeightsError::Truncated {
            needed: 90_000_008,
            ..
        }
    ));
    assert!(matches!(
        open(vec![1, 2, 3]).map(|_| ()).unwrap_err(),
        WeightsError::Truncated { .. }
    ));
    assert!(matches!(
        open(vec![]).map(|_| ()).unwrap_err(),
        WeightsError::Empty { .. }
    ));
}

#[test]
fn deep_json_is_refused_not_followed() {
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    let error = open(file_of(&deep, &[])).map(|_| ()).unwrap_err();
    assert!(matches!(error, WeightsError::Header { .. }));
}

#[test]
fn zero_size_tensors_and_metadata_are_read() {
    let header = r#"{"__metadata__":{"format":"pt"},"empty":{"dtype":"F32","shape":[0,4],"data_offsets":[4,4]},"one":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   "#;
    let checkpoint = open(file_of(header, &1.5f32.to_le_bytes())).unwrap();
    assert_eq!(checkpoint.metadata["format"], "pt");
    assert_eq!(checkpoint.parameters(), 1);
    let one = checkpoint.tensor("one").unwrap();
    assert_eq!(checkpoint.read_values(one).unwrap(), [1.5]);
    let empty = checkpoint.tensor("empty").unwrap();
    assert!(checkpoint.read_values(empty).unwrap().is_empty());
    assert!(checkpoint.tensor("two").is_none());
}

#[test]
fn git_lfs_pointers_are_told_from_weights() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n".to_vec();
    let error = open(pointer).map(|_| ()).unwrap_err();
    assert!(matches!(error, WeightsError::LfsPointer { .. }));
}

#[test]
fn shards_make_one_checkpoint() {
    let shard = |name: &str, tensor: &str| {
        let header = format!(r#"{{"{tensor}":{{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}}}"#);
        WeightFile::new(name, file_of(&header, &[7, 8]))
    };
    let first = shard("model-00001-of-00002.safetensors", "b");
    let second = shard("model-00002-of-00002.safetensors", "a");
    let checkpoint = Checkpoint::open(vec![first.clone(), second]).unwrap();
    let names: Vec<&str> = checkpoint
        .tensors
        .iter()
        .map(|tensor| tensor.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(
        checkpoint.file_name(&checkpoint.tensors[0]),
        "model-00002-of-00002.safetensors"
    );

    let error = Checkpoint::open(vec![first.clone()]).map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "model-00001-of-00002.safetensors: shard 2 of 2 is missing"
    );
    let twin = shard("model-00002-of-00002.safetensors", "b");
    let error = Checkpoint::open(vec![first, twin]).map(|_| ()).unwrap_err();
    assert!(matches!(error, WeightsError::DuplicateAcrossFiles { .. }));
}

#[test]
fn folders_prefix_their_tensors_when_there_are_several() {
    let header = r#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    let files = ["unet/m.safetensors", "vae/m.safetensors"]
        .map(|name| WeightFile::new(name, file_of(header, &[1])))
        .to_vec();
    let checkpoint = Checkpoint::open(files).unwrap();
    assert!(checkpoint.tensor("unet/w").is_some() && checkpoint.tensor("vae/w").is_some());
}

#[test]
fn windows_must_lie_inside_the_tensor() {
    let header = r#"{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#;
    let checkpoint = open(file_of(header, &[1, 2, 3, 4])).unwrap();
    let tensor = checkpoint.tensor("w").unwrap();
    assert_eq!(checkpoint.read_window(tensor, 1, 2).unwrap(), [2.0, 3.0]);
    for (first, count) in [(3, 2), (5, 0), (u64::MAX, 2)] {
        let error = checkpoint.read_window(tensor, first, count).unwrap_err();
        assert!(matches!(error, WeightsError::Window { elements: 4, .. }));
    }
}

fn tensors() -> impl Strategy<Value = HashMap<String, Vec<f32>>> {
    prop::collection::hash_map("[a-z.]{1,12}", prop::collection::vec(any::<f32>(), 0..40), 0..8)
}

proptest! {
    /// What the `safetensors` crate writes, we read, bit for bit.
    #[test]
    fn reads_what_the_crate_writes(tensors in tensors()) {
        let bytes: HashMap<&String, Vec<u8>> = tensors
            .iter()
            .map(|(name, values)| (name, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
            .collect();
        let views = bytes
            .iter()
            .map(|(name, bytes)| (name.as_str(), TensorView::new(CrateDtype::F32, vec![bytes.len() / 4], bytes).unwrap()));
        let checkpoint = open(serialize(views, None).unwrap()).unwrap();
        prop_assert_eq!(checkpoint.tensors.len(), tensors.len());
        for (name, expected) in &bytes {
            let tensor = checkpoint.tensor(name).unwrap();
            prop_assert_eq!(tensor.dtype, Dtype::F32);
            prop_assert_eq!(&checkpoint.read_bytes(tensor).unwrap(), expected);
        }
    }

    /// Whatever bytes come, there is an answer, never a panic; and what the crate accepts, so do we.
    #[test]
    fn mutated_files_give_an_answer(place in 0usize..200, byte in any::<u8>(), length in 0usize..200) {
        let header = r#"{"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[],"data_offsets":[12,16]}}"#;
        let mut bytes = file_of(header, &[1; 16]);
        if let Some(target) = bytes.get_mut(place) {
            *target = byte;
        }
        bytes.truncate(length);
        let reference = ::safetensors::SafeTensors::deserialize(&bytes).is_ok();
        let ours = open(bytes);
        if reference {
            prop_assert!(ours.is_ok());
        }
    }
}
