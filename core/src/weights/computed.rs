//! Tensors whose row-major bytes lie in no file: computed piece by piece while they are read.
//!
//! Enters: [`Pieces`], a way to compute any piece. Leaves: a file like every other. Readers take windows of a piece one after the
//! other, so pieces are kept for a while: in one cache for the whole process, because several checkpoints are read at once and
//! memory is bounded for all of them together.

use super::{ReadAt, WeightFile};
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Result};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a piece should have, about: large enough that scattered reads are long, small enough for every core to have some.
pub(super) const PIECE_BYTES: u64 = 2 << 20;

const CACHE_BYTES: u64 = 96 << 20;

/// The content of a computed file.
pub(super) trait Pieces: Send + Sync {
    fn len(&self) -> u64;
    /// Bytes of every piece but the last.
    fn piece_bytes(&self) -> u64;
    /// The bytes of `range`, which is one piece.
    fn compute(&self, range: Range<u64>) -> Result<Vec<u8>>;
}

/// A file that holds what `pieces` compute.
pub(super) fn computed_file(name: String, pieces: impl Pieces + 'static) -> WeightFile {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    WeightFile::new(name, Computed { pieces, id })
}

struct Computed<P: Pieces> {
    pieces: P,
    /// Tells its pieces from those of other files in the cache.
    id: u64,
}

impl<P: Pieces> Computed<P> {
    fn piece(&self, index: u64) -> Result<Arc<Vec<u8>>> {
        let start = index * self.pieces.piece_bytes();
        let end = (start + self.pieces.piece_bytes()).min(self.pieces.len());
        let slot = lock(&CACHE).slot((self.id, index), end - start);
        let mut slot = lock(&slot);
        if let Some(piece) = slot.as_ref() {
            return Ok(Arc::clone(piece));
        }
        let piece = Arc::new(self.pieces.compute(start..end)?);
        *slot = Some(Arc::clone(&piece));
        Ok(piece)
    }
}

impl<P: Pieces> ReadAt for Computed<P> {
    fn len(&self) -> u64 {
        self.pieces.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.pieces.len()) {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        let (mut position, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let index = position / self.pieces.piece_bytes();
            let piece = self.piece(index)?;
            let within = (position - index * self.pieces.piece_bytes()) as usize;
            let length = rest.len().min(piece.len() - within);
            let (filled, left) = rest.split_at_mut(length);
            filled.copy_from_slice(&piece[within..within + length]);
            position += length as u64;
            rest = left;
        }
        Ok(())
    }
}

impl<P: Pieces> Drop for Computed<P> {
    fn drop(&mut self) {
        lock(&CACHE).forget(self.id);
    }
}

/// Empty until the first reader has computed the piece; others wait for it.
type Slot = Arc<Mutex<Option<Arc<Vec<u8>>>>>;

struct Cache {
    /// Least recently used first: whose piece and which, its bytes, the piece.
    slots: VecDeque<((u64, u64), u64, Slot)>,
    bytes: u64,
}

static CACHE: Mutex<Cache> = Mutex::new(Cache {
    slots: VecDeque::new(),
    bytes: 0,
});

impl Cache {
    fn slot(&mut self, key: (u64, u64), bytes: u64) -> Slot {
        if let Some(place) = self.slots.iter().position(|(other, ..)| *other == key)
            && let Some(found) = self.slots.remove(place)
        {
            let slot = Arc::clone(&found.2);
            self.slots.push_back(found);
            return slot;
        }
        let slot = Slot::default();
        self.slots.push_back((key, bytes, Arc::clone(&slot)));
        self.bytes += bytes;
        // The newest stays, however large.
        while self.bytes > CACHE_BYTES && self.slots.len() > 1 {
            if let Some((_, bytes, _)) = self.slots.pop_front() {
                self.bytes -= bytes;
            }
        }
        slot
    }

    fn forget(&mut self, id: u64) {
        self.slots.retain(|((owner, _), ..)| *owner != id);
        self.bytes = self.slots.iter().map(|(_, bytes, _)| bytes).sum();
    }
}

/// What a panicking reader left behind is whole: slots are filled at once.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Counting;

    impl Pieces for Counting {
        fn len(&self) -> u64 {
            1000
        }
        fn piece_bytes(&self) -> u64 {
            64
        }
        fn compute(&self, range: Range<u64>) -> Result<Vec<u8>> {
            Ok(range.map(|place| (place % 251) as u8).collect())
        }
    }

    #[test]
    fn reads_cross_pieces_and_end_with_the_last() {
        let file = computed_file("w".to_owned(), Counting);
        for (offset, length) in [(0, 1000), (63, 2), (64, 64), (990, 10), (500, 0)] {
            let mut buffer = vec![0; length];
            file.read(offset, &mut buffer).unwrap();
            let expected: Vec<u8> = (offset..offset + length as u64)
                .map(|place| (place % 251) as u8)
                .collect();
            assert_eq!(buffer, expected);
        }
        assert!(file.read(990, &mut [0; 11]).is_err());
    }
}
