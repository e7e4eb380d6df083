//! The fixed hash of fingerprints: SplitMix64. The same on every machine, for ever: stored sketches depend on it.

/// One step of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): a bijection that mixes all 64 bits.
pub(super) const fn splitmix64(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Hash of an index in the stream that `seed` names.
pub(super) const fn hash_index(seed: u64, index: u64) -> u64 {
    splitmix64(seed ^ splitmix64(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_published_sequence() {
        // First outputs of SplitMix64 seeded with 0: the state advances by the golden gamma each step.
        assert_eq!(splitmix64(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(splitmix64(0x9E37_79B9_7F4A_7C15), 0x6E78_9E6A_A1B9_65F4);
    }
}
