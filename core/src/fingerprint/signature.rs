//! The signature: a model as one short vector, by which its nearest among millions are found.
//!
//! Enters: a full fingerprint. Leaves: a [`Signature`]. Sketches of matrices, each scaled to length one, are added up in places and
//! with signs that the tensor's shape decides: names do not matter, and the distance of two signatures is about the root of the
//! mean of their tensors' squared relative differences. Nearness becomes equality of keys: the vector in random directions, cut into
//! steps (fine ones tell apart the members of a family, wide ones find far relatives), and the signs of groups of directions.

use super::hash::{hash_index, splitmix64};
use super::view::View;
use super::{Fingerprint, Level};

/// Numbers in a signature.
pub const SIGNATURE_LENGTH: usize = 64;

/// Every model has sketches of at least this size.
const ROWS: u16 = 4;
const COLS: u16 = 8;

const PLACE_SEED: u64 = 0x73_6861_7065;
const STEP_SEED: u64 = 0x7374_6570;
const SIGN_SEED: u64 = 0x7369_676E;

/// Widths of steps, finest first. A relative at an eighth of a width shares one of the keys with probability 0.97, one at a
/// thirty-second with all but certainty.
const WIDTHS: [f32; 3] = [0.03, 0.12, 0.48];
const STEP_KEYS: u64 = 4;
const STEP_DIRECTIONS: u64 = 5;
/// Keys of signs: for relatives up to 0.3 away, where one direction in eleven changes its sign.
const SIGN_KEYS: u64 = 16;
const SIGN_DIRECTIONS: u64 = 16;

/// A model as a vector of about length one.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature(pub [f32; SIGNATURE_LENGTH]);

impl Fingerprint {
    /// The signature of the weights; `None` below level full, and for models without matrices.
    pub fn signature(&self) -> Option<Signature> {
        if self.level != Level::Full {
            return None;
        }
        let mut sums = [0.0f64; SIGNATURE_LENGTH];
        let mut matrices = 0;
        for tensor in &self.tensors {
            let Some(sketch) = &tensor.sketch else { continue };
            let norm = sketch.fold(ROWS, COLS).norm_squared().sqrt();
            if View::of(&tensor.shape).is_vector() || norm == 0.0 {
                continue;
            }
            matrices += 1;
            let shape = tensor
                .shape
                .iter()
                .fold(PLACE_SEED, |hash, side| splitmix64(hash ^ side));
            for (index, cell) in sketch.fold(ROWS, COLS).cells.iter().enumerate() {
                let hash = hash_index(shape, index as u64);
                let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
                sums[hash as usize % SIGNATURE_LENGTH] += sign * f64::from(*cell) / norm;
            }
        }
        let length = f64::from(matrices).sqrt();
        (matrices > 0).then(|| Signature(sums.map(|sum| (sum / length) as f32)))
    }
}

impl Signature {
    /// How far apart two models are: about 1.4 for independent weights.
    pub fn distance(&self, other: &Signature) -> f64 {
        let squares = self.0.iter().zip(&other.0).map(|(a, b)| f64::from(a - b).powi(2));
        squares.sum::<f64>().sqrt()
    }

    /// Keys that near models share, by reach: the first group only very near ones, the last far ones too.
    pub fn keys(&self) -> [Vec<i64>; WIDTHS.len() + 1] {
        let steps = |width: f32| (0..STEP_KEYS).map(move |key| self.step_key(width, key)).collect();
        let [fine, middle, wide] = WIDTHS.map(steps);
        [
            fine,
            middle,
            wide,
            (0..SIGN_KEYS).map(|key| self.sign_key(key)).collect(),
        ]
    }

    /// The vector's steps of `width` along a few directions, as one number.
    fn step_key(&self, width: f32, key: u64) -> i64 {
        let seed = splitmix64(STEP_SEED ^ u64::from(width.to_bits())) ^ key;
        let hash = (0..STEP_DIRECTIONS).fold(splitmix64(seed), |hash, direction| {
            let random = hash_index(seed, direction);
            // A step begins anywhere, lest one of every direction begin at zero, where values crowd.
            let shift = (splitmix64(random) >> 40) as f32 / (1u64 << 24) as f32;
            let step = (self.along(random) / width + shift).floor() as i64;
            splitmix64(hash ^ step as u64)
        });
        hash as i64
    }

    fn sign_key(&self, key: u64) -> i64 {
        let seed = splitmix64(SIGN_SEED) ^ key;
        let signs = (0..SIGN_DIRECTIONS).fold(0, |signs, direction| {
            signs << 1 | u64::from(self.along(hash_index(seed, direction)) < 0.0)
        });
        splitmix64(seed ^ splitmix64(signs)) as i64
    }

    /// The vector along a direction of ones and minus ones, as the bits of `random` say.
    fn along(&self, random: u64) -> f32 {
        let signed = |(place, value): (usize, &f32)| if random >> place & 1 == 0 { *value } else { -value };
        self.0.iter().enumerate().map(signed).sum()
    }

    /// The stored form: little-endian `f32`.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// Reads [`Signature::to_bytes`]; `None` for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (values, rest) = bytes.as_chunks::<4>();
        let values: Vec<f32> = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let vector = values.try_into().ok().filter(|_| rest.is_empty())?;
        Some(Self(vector))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// A vector of `length` in a random direction.
    fn random(length: f32, random: &mut ChaCha8Rng) -> [f32; SIGNATURE_LENGTH] {
        let vector: [f32; SIGNATURE_LENGTH] = std::array::from_fn(|_| random.random_range(-1.0..1.0f32));
        let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector.map(|value| value * length / norm)
    }

    /// The share of pairs that have a key in common.
    fn share_with_common_key(pair: impl Fn(&mut ChaCha8Rng) -> [Signature; 2]) -> f64 {
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let trials = 400;
        let found = (0..trials).filter(|_| {
            let [a, b] = pair(&mut generator).map(|signature| signature.keys());
            (a.iter().zip(&b)).any(|(a, b)| a.iter().zip(b).any(|(a, b)| a == b))
        });
        found.count() as f64 / f64::from(trials)
    }

    #[test]
    fn relatives_share_keys_and_strangers_do_not() {
        for distance in [0.001, 0.01, 0.06, 0.15, 0.3] {
            let share = share_with_common_key(|generator| {
                let (base, delta) = (random(1.0, generator), random(distance, generator));
                let relative = std::array::from_fn(|place| base[place] + delta[place]);
                [Signature(base), Signature(relative)]
            });
            assert!(share > 0.96, "{share} of relatives {distance} away");
        }
        let strangers = share_with_common_key(|generator| {
            [random(1.0, generator), random(1.0, generator)].map(Signature)
        });
        assert!(strangers < 0.02, "{strangers} of strangers");
    }

    #[test]
    fn the_stored_form_reads_back() {
        let signature = Signature(random(1.0, &mut ChaCha8Rng::seed_from_u64(2)));
        assert_eq!(Signature::from_bytes(&signature.to_bytes()), Some(signature));
        assert_eq!(Signature::from_bytes(&[0; 255]), None);
    }
}
