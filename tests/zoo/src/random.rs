//! Seeded randomness: one independent ChaCha stream a label, so adding a package never changes the bytes of another.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The stream called `label` of `seed`.
pub fn stream(seed: u64, label: &str) -> ChaCha8Rng {
    let digest = Sha256::new()
        .chain_update(seed.to_le_bytes())
        .chain_update(label.as_bytes())
        .finalize();
    ChaCha8Rng::from_seed(digest.into())
}
