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
            // The reference multiplies in another order: one rounding apart.
            let apart = (value - expected).abs();
            assert!(
                apart <= 2e-7 * expected.abs().max(1.0),
                "{name}[{place}]: {value} is not {expected}"
            );
        }
        types += 1;
    }
    assert_eq!(types, 15);
}
