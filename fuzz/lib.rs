//! What every target does: open the bytes as a checkpoint and read what opens. An error is an answer; a panic is a find.

use heirloom_core::weights::{Checkpoint, WeightFile};

/// Opens `prefix` and `data` as one file, and reads the first values of each tensor.
pub fn open_and_read(prefix: &[u8], data: &[u8]) {
    let bytes = [prefix, data].concat();
    let Ok(checkpoint) = Checkpoint::open(vec![WeightFile::new("fuzzed", bytes)]) else {
        return;
    };
    for tensor in &checkpoint.tensors {
        let (block, _) = tensor.dtype.block();
        let count = tensor.elements().min(16 * block);
        let _ = checkpoint.read_window(tensor, 0, count);
    }
}
