#![allow(clippy::unwrap_used)]
use crate::weights::Dtype;
use crate::weights::decode::decode_f32;

const BLOCKS: &str = include_str!("blocks.txt");

fn dtype(name: &str) -> Dtype {
    serde_json::from_str(&format!("\"{name}\"")).unwrap()
}

#[test]
fn every_block_type_decodes_as_the_reference_does() {
    let mut types = 0;
    for line in BLOCKS.lines().filter(|line| !line.starts_with('#')) {
        let [name, blocks, expected] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let blocks = hex::decode(blocks).unwrap();
        let expected = hex::decode(expected).unwrap();
        let expected: Vec<f32> = expected
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect();
        let mut values = vec![f32::NAN; expected.len()];
        decode_f32(dtype(name), &blocks, &mut values);
        for (place, (value, expected)) in values.iter().zip(&expected).enumerate() {
            assert!(
                value.to_bits() == expected.to_bits(),
                "{name}[{place}]: {value} is not {expected}"
            );
        }
        types += 1;
    }
    assert_eq!(types, 23);
}

/// Types that the `gguf` package names and does not decode, after `dequantize_row_q1_0` and the blocks of `ggml-common.h`.
#[test]
fn types_without_a_reference_decode_by_their_definition() {
    let mut values = [0.0; 128];
    let mut block = vec![0x00, 0x40];
    block.extend([0b0000_0101; 16]);
    decode_f32(Dtype::Q1_0, &block, &mut values);
    assert_eq!(values[..4], [2.0, -2.0, 2.0, -2.0]);
    let mut block = vec![0x00, 0x40, 0xFF, 0xFF];
    block.extend((0..32i8).map(|number| -number as u8));
    decode_f32(Dtype::Q8_1, &block, &mut values[..32]);
    assert_eq!(values[..3], [0.0, -2.0, -4.0]);
    let mut values = [0.0; 256];
    let mut block = 0.5f32.to_le_bytes().to_vec();
    block.resize(292, 3);
    decode_f32(Dtype::Q8K, &block, &mut values);
    assert_eq!(values, [1.5; 256]);
}
