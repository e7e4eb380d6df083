//! Bytes to planes and back: the `k`th bytes of all elements together, for every `k`.
//!
//! Elements of two and four bytes are first turned so that what is alike lies in one byte: the sign goes below the mantissa, and
//! the exponent has the topmost byte to itself.

use serde::{Deserialize, Serialize};

/// How an element and its partner in the base become one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Transform {
    /// Exclusive or of the bit patterns.
    Xor,
    /// How many representable values lie between, small whatever carries: 1.0 and the value below it differ in all but one bit.
    Steps,
}

impl Transform {
    /// Those that exist for elements of `width` bytes.
    pub fn of_width(width: usize) -> &'static [Transform] {
        match width {
            2 | 4 => &[Transform::Xor, Transform::Steps],
            _ => &[Transform::Xor],
        }
    }
}

/// The planes of `bytes` themselves.
pub(super) fn split(bytes: &[u8], width: usize) -> Vec<u8> {
    match width {
        2 => split_words::<u16, 2>(bytes, bytes, |word, _| word.rotate_left(1)),
        4 => split_words::<u32, 4>(bytes, bytes, |word, _| word.rotate_left(1)),
        _ => split_bytes(bytes, width),
    }
}

/// Undoes [`split`].
pub(super) fn join(planes: &[u8], width: usize) -> Vec<u8> {
    match width {
        2 => join_words::<u16, 2>(planes, planes, |word, _| word.rotate_right(1)),
        4 => join_words::<u32, 4>(planes, planes, |word, _| word.rotate_right(1)),
        _ => join_bytes(planes, width),
    }
}

/// The planes of the difference between `bytes` and `reference`, which are of one length.
pub(super) fn split_difference(
    bytes: &[u8],
    reference: &[u8],
    width: usize,
    transform: Transform,
) -> Vec<u8> {
    match (width, transform) {
        (2, Transform::Xor) => split_words::<u16, 2>(bytes, reference, |x, y| (x ^ y).rotate_left(1)),
        (4, Transform::Xor) => split_words::<u32, 4>(bytes, reference, |x, y| (x ^ y).rotate_left(1)),
        (2, Transform::Steps) => split_words::<u16, 2>(bytes, reference, u16::steps),
        (4, Transform::Steps) => split_words::<u32, 4>(bytes, reference, u32::steps),
        _ => split_bytes(&xor(bytes, reference), width),
    }
}

/// Undoes [`split_difference`].
pub(super) fn join_difference(
    planes: &[u8],
    reference: &[u8],
    width: usize,
    transform: Transform,
) -> Vec<u8> {
    match (width, transform) {
        (2, Transform::Xor) => join_words::<u16, 2>(planes, reference, |word, y| word.rotate_right(1) ^ y),
        (4, Transform::Xor) => join_words::<u32, 4>(planes, reference, |word, y| word.rotate_right(1) ^ y),
        (2, Transform::Steps) => join_words::<u16, 2>(planes, reference, u16::stepped),
        (4, Transform::Steps) => join_words::<u32, 4>(planes, reference, u32::stepped),
        _ => xor(&join_bytes(planes, width), reference),
    }
}

fn xor(bytes: &[u8], reference: &[u8]) -> Vec<u8> {
    bytes.iter().zip(reference).map(|(x, y)| x ^ y).collect()
}

/// Unsigned words that hold a float's bits.
trait Word: Copy {
    fn of_bytes(bytes: &[u8]) -> Self;
    fn byte(self, place: usize) -> u8;
    /// The word of the bytes that `byte_at` gives for each place.
    fn gather(byte_at: impl Fn(usize) -> u8) -> Self;
    /// From `reference` to `self` in representable values, the sign in the lowest bit.
    fn steps(self, reference: Self) -> Self;
    /// Undoes [`Word::steps`].
    fn stepped(self, reference: Self) -> Self;
    /// Bits that rise as the float does.
    fn in_order(self) -> Self;
}

macro_rules! word {
    ($word:ty, $signed:ty) => {
        impl Word for $word {
            #[inline(always)]
            fn of_bytes(bytes: &[u8]) -> Self {
                let mut word = [0; size_of::<$word>()];
                word.copy_from_slice(bytes);
                Self::from_le_bytes(word)
            }
            #[inline(always)]
            fn byte(self, place: usize) -> u8 {
                (self >> (8 * place)) as u8
            }
            #[inline(always)]
            fn gather(byte_at: impl Fn(usize) -> u8) -> Self {
                let mut word = 0;
                for place in 0..size_of::<$word>() {
                    word |= Self::from(byte_at(place)) << (8 * place);
                }
                word
            }
            #[inline(always)]
            fn steps(self, reference: Self) -> Self {
                let difference = self.in_order().wrapping_sub(reference.in_order());
                (difference << 1) ^ ((difference as $signed) >> (Self::BITS - 1)) as Self
            }
            #[inline(always)]
            fn stepped(self, reference: Self) -> Self {
                let difference = (self >> 1) ^ (self & 1).wrapping_neg();
                let sum = reference.in_order().wrapping_add(difference);
                let positive = ((sum as $signed) >> (Self::BITS - 1)) as Self;
                sum ^ (!positive | 1 << (Self::BITS - 1))
            }
            #[inline(always)]
            fn in_order(self) -> Self {
                let negative = ((self as $signed) >> (Self::BITS - 1)) as Self;
                self ^ (negative | 1 << (Self::BITS - 1))
            }
        }
    };
}

word!(u16, i16);
word!(u32, i32);

#[inline(always)]
fn split_words<W: Word, const BYTES: usize>(
    bytes: &[u8],
    reference: &[u8],
    combine: impl Fn(W, W) -> W,
) -> Vec<u8> {
    let (words, _) = bytes.as_chunks::<BYTES>();
    let (partners, _) = reference.as_chunks::<BYTES>();
    let mut planes = vec![0; words.len() * BYTES];
    let mut parts: Vec<&mut [u8]> = planes.chunks_mut(words.len().max(1)).collect();
    // Small blocks: one block's words stay in the cache while each plane takes its byte of them.
    let mut block = [W::gather(|_| 0); 256];
    for (index, (words, partners)) in words.chunks(256).zip(partners.chunks(256)).enumerate() {
        for ((word, x), y) in block.iter_mut().zip(words).zip(partners) {
            *word = combine(W::of_bytes(x), W::of_bytes(y));
        }
        for (place, part) in parts.iter_mut().enumerate() {
            let target = &mut part[256 * index..][..words.len()];
            for (byte, word) in target.iter_mut().zip(&block) {
                *byte = word.byte(place);
            }
        }
    }
    planes
}

#[inline(always)]
fn join_words<W: Word, const BYTES: usize>(
    planes: &[u8],
    reference: &[u8],
    combine: impl Fn(W, W) -> W,
) -> Vec<u8> {
    let elements = planes.len() / BYTES;
    let parts: [&[u8]; BYTES] = std::array::from_fn(|place| &planes[place * elements..][..elements]);
    let mut bytes = vec![0; elements * BYTES];
    let (targets, _) = bytes.as_chunks_mut::<BYTES>();
    let (partners, _) = reference.as_chunks::<BYTES>();
    for (element, (target, partner)) in targets.iter_mut().zip(partners).enumerate() {
        let word = combine(W::gather(|place| parts[place][element]), W::of_bytes(partner));
        for (place, byte) in target.iter_mut().enumerate() {
            *byte = word.byte(place);
        }
    }
    bytes
}

fn split_bytes(bytes: &[u8], width: usize) -> Vec<u8> {
    if width == 1 {
        return bytes.to_vec();
    }
    let elements = bytes.len() / width;
    let mut planes = vec![0; bytes.len()];
    for (place, plane) in planes.chunks_exact_mut(elements.max(1)).enumerate() {
        for (byte, element) in plane.iter_mut().zip(bytes.chunks_exact(width)) {
            *byte = element[place];
        }
    }
    planes
}

fn join_bytes(planes: &[u8], width: usize) -> Vec<u8> {
    if width == 1 {
        return planes.to_vec();
    }
    let elements = planes.len() / width;
    let mut bytes = vec![0; planes.len()];
    for (place, plane) in planes.chunks_exact(elements.max(1)).enumerate() {
        for (element, byte) in bytes.chunks_exact_mut(width).zip(plane) {
            element[place] = *byte;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn neighbouring_values_are_one_step_apart() {
        let one = 1.0f32.to_bits();
        assert_eq!(one.steps(one), 0);
        assert_eq!((one + 1).steps(one), 2);
        assert_eq!((one - 1).steps(one), 1);
        // Across zero: from the smallest positive to the smallest negative are 0.0 and -0.0.
        assert_eq!(0x8000_0001u32.steps(1), 5);
    }

    proptest! {
        #[test]
        fn planes_join_to_what_was_split(
            pairs in prop::collection::vec(any::<(u8, u8)>(), 0..1500),
            width in prop::sample::select(vec![1usize, 2, 3, 4, 8, 18]),
        ) {
            let whole = pairs.len() / width * width;
            let (bytes, reference): (Vec<u8>, Vec<u8>) = pairs[..whole].iter().copied().unzip();
            prop_assert_eq!(join(&split(&bytes, width), width), bytes.clone());
            for transform in Transform::of_width(width) {
                let planes = split_difference(&bytes, &reference, width, *transform);
                prop_assert_eq!(&join_difference(&planes, &reference, width, *transform), &bytes);
            }
        }
    }
}
