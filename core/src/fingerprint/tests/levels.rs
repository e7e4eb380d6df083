//! What is read: samples and packed layouts.

use super::*;
use crate::weights::{PackedLayout, ReadAt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sampling reads little, and gives what a full fingerprint holds of the same places.
#[test]
fn a_sample_is_what_a_full_fingerprint_comes_down_to() {
    let mut tensors = small_model();
    tensors.push(random("large.weight", &[4000, 1600], 50));
    for dtype in [Dtype::F32, Dtype::BF16] {
        let file = file("model.safetensors", &tensors, dtype);
        let counted = Arc::new(Counted {
            file: file.clone(),
            bytes: AtomicU64::new(0),
        });
        let checkpoint = Checkpoint::open(vec![WeightFile {
            name: file.name.clone(),
            bytes: counted.clone(),
        }])
        .unwrap();
        let sample = fingerprint(&checkpoint, Level::Sample, &|_| ()).unwrap();
        let read = counted.bytes.load(Ordering::Relaxed);
        assert!(
            read * 100 < checkpoint.bytes(),
            "{read} of {}",
            checkpoint.bytes()
        );
        let whole = full(vec![file]).at_sample_level();
        assert_eq!(sample, whole);
        assert_eq!(Fingerprint::from_bytes(&sample.to_bytes()).unwrap(), sample);
        assert!(sample.model_digest.is_none() && sample.tensors.iter().all(|tensor| tensor.sketch.is_some()));
    }
}

/// Counts the bytes that are read of a file.
struct Counted {
    file: WeightFile,
    bytes: AtomicU64,
}

impl ReadAt for Counted {
    fn len(&self) -> u64 {
        self.file.bytes.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        self.bytes.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.file.bytes.read_at(offset, buffer)
    }
}

/// The facts of a packed layout are stored, and its decoded values are fingerprinted like any other.
#[test]
fn packed_tensors_are_fingerprinted_by_their_values() {
    let bytes = include_bytes!("../../weights/packing/fixtures/awq.safetensors");
    let whole = full(vec![WeightFile::new("model.safetensors", bytes.to_vec())]);
    let [expected, packed] = ["expected", "layer.weight"].map(|name| whole.tensor(name).unwrap());
    assert_eq!(packed.packing.unwrap().layout, PackedLayout::Awq);
    assert_eq!(packed.value_digest, expected.value_digest);
    assert_eq!(packed.stats, expected.stats);
    assert!(whole.bytes < bytes.len() as u64);
    assert_eq!(Fingerprint::from_bytes(&whole.to_bytes()).unwrap(), whole);
}
