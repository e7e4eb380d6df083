#![allow(clippy::unwrap_used)]
use crate::weights::{Checkpoint, Dtype, WeightFile, WeightsError};
use proptest::prelude::*;

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn described(name: &str, shape: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let mut bytes = text(name);
    bytes.extend((shape.len() as u32).to_le_bytes());
    bytes.extend(shape.iter().flat_map(|length| length.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

fn file(counts: [u64; 2], descriptions: &[Vec<u8>], data: &[u8]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
    bytes.extend([text("general.name"), 8u32.to_le_bytes().to_vec(), text("tiny")].concat());
    let tokens = [text("a"), text("bc")].concat();
    let array = [
        &9u32.to_le_bytes()[..],
        &8u32.to_le_bytes(),
        &2u64.to_le_bytes(),
        &tokens,
    ]
    .concat();
    bytes.extend([text("tokenizer.ggml.tokens"), array].concat());
    bytes.extend(descriptions.concat());
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend(data);
    bytes
}

fn small() -> Vec<u8> {
    let descriptions = [
        described("blk.0.attn_q.weight", &[3, 2], 0, 0),
        described("token_embd.weight", &[32], 8, 32),
    ];
    let mut data: Vec<u8> = (0..6).flat_map(|value| (value as f32).to_le_bytes()).collect();
    data.resize(32, 0);
    // Scale 2.0, then 0, -1, 2, …
    data.extend([0, 0x40]);
    data.extend((0..32i8).map(|value| if value % 2 == 0 { value } else { -value } as u8));
    file([2, 2], &descriptions, &data)
}

fn open(bytes: Vec<u8>) -> Result<Checkpoint, WeightsError> {
    Checkpoint::open(vec![WeightFile::new("model.gguf", bytes)])
}

#[test]
fn tensors_are_read_and_blocks_decoded() {
    let checkpoint = open(small()).unwrap();
    assert_eq!(checkpoint.metadata["general.name"], "tiny");
    let plain = checkpoint.tensor("blk.0.attn_q.weight").unwrap();
    assert_eq!(plain.shape, [2, 3]);
    assert_eq!(
        checkpoint.read_values(plain).unwrap(),
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    );
    let blocks = checkpoint.tensor("token_embd.weight").unwrap();
    assert_eq!(blocks.dtype, Dtype::Q8_0);
    assert_eq!(
        checkpoint.read_values(blocks).unwrap()[..4],
        [0.0, -2.0, 4.0, -6.0]
    );
    assert!(matches!(
        checkpoint.read_window(blocks, 1, 31),
        Err(WeightsError::Window { .. })
    ));
}

#[test]
fn what_a_file_cannot_hold_is_refused_before_anything_is_allocated() {
    let check = |bytes: Vec<u8>, expect: &str| {
        let error = open(bytes).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), format!("model.gguf: {expect}"));
    };
    for counts in [[1 << 60, 0], [0, 1 << 60]] {
        let error = open(file(counts, &[], &[])).map(|_| ()).unwrap_err();
        assert!(
            matches!(error, WeightsError::OverLimit { claimed, limit: ..10, .. } if claimed == 1 << 60),
            "{error}"
        );
    }
    check(
        b"GGUF\0\0\0\x03".to_vec(),
        "the header is not valid: GGUF version 50331648 is not one of 2 and 3, little-endian",
    );
    check(
        file([1, 2], &[described("w", &[u64::MAX, 2], 0, 0)], &[0; 8]),
        "tensor \"w\" of shape [2, 18446744073709551615] has more elements than can be counted",
    );
    check(
        file([1, 2], &[described("w", &[4], 0, 0)], &[0; 8]),
        "tensor \"w\" lies at bytes 0 to 16, outside the 8 bytes of data (a truncated download?)",
    );
    check(
        file([1, 2], &[described("w", &[33], 8, 0)], &[0; 80]),
        "tensor \"w\" (Q8_0, shape [33]) does not fill its 0 bytes",
    );
    check(
        file([1, 2], &[described("w", &[1], 36, 0)], &[0; 8]),
        "tensor \"w\" has the unknown element type \"ggml type 36\"",
    );
}

/// A query projection of two heads of four rows, as llama.cpp stores it for rotating neighbours in place of halves.
#[test]
fn rows_of_queries_and_keys_come_back_in_the_order_of_transformers() {
    let number = |key: &str, value: u32| {
        [
            text(key),
            4u32.to_le_bytes().to_vec(),
            value.to_le_bytes().to_vec(),
        ]
        .concat()
    };
    let pairs = [
        [
            text("general.architecture"),
            8u32.to_le_bytes().to_vec(),
            text("llama"),
        ]
        .concat(),
        number("llama.attention.head_count", 2),
        number("llama.attention.head_count_kv", 1),
    ];
    let names = [
        "blk.0.attn_k.weight",
        "blk.0.attn_q.weight",
        "blk.0.attn_v.weight",
    ];
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend([3u64, 3].iter().flat_map(|count| count.to_le_bytes()));
    bytes.extend(pairs.concat());
    for (name, (rows, offset)) in names.iter().zip([(4, 0), (8, 32), (4, 96)]) {
        bytes.extend(described(name, &[2, rows], 0, offset));
    }
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    // Each row holds its own number twice.
    for row in [0..4, 0..8, 0..4].into_iter().flatten() {
        bytes.extend([row as f32; 2].iter().flat_map(|value| value.to_le_bytes()));
    }
    let checkpoint = open(bytes).unwrap();
    let rows = |name: &str| {
        let values = checkpoint.read_values(checkpoint.tensor(name).unwrap()).unwrap();
        values
            .iter()
            .step_by(2)
            .map(|value| *value as u32)
            .collect::<Vec<_>>()
    };
    // The inverse of `reshape(heads, 2, rows / heads / 2, columns).swapaxes(1, 2)`.
    assert_eq!(rows(names[0]), [0, 2, 1, 3]);
    assert_eq!(rows(names[1]), [0, 2, 1, 3, 4, 6, 5, 7]);
    assert_eq!(rows(names[2]), [0, 1, 2, 3]);
}

proptest! {
    /// A bounded fuzz run: files near a valid one get an answer, and what opens can be read.
    #[test]
    fn mutated_files_get_an_answer(
        edits in prop::collection::vec((0usize..400, any::<u8>()), 1..4),
        length in 0usize..400,
    ) {
        let mut bytes = small();
        for (place, byte) in edits {
            let length = bytes.len();
            bytes[place % length] = byte;
        }
        bytes.truncate(length.max(16));
        if let Ok(checkpoint) = open(bytes) {
            for tensor in &checkpoint.tensors {
                let _ = checkpoint.read_values(tensor);
            }
        }
    }
}
