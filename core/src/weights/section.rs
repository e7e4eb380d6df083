//! A range of a file as a stream: what readers that want `Read + Seek` are given.

use super::{ReadAt, WeightFile};
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::sync::Arc;

/// Bytes `start` to `end` of a file.
#[derive(Clone)]
pub(super) struct Section {
    bytes: Arc<dyn ReadAt>,
    start: u64,
    end: u64,
    /// Of the next byte, counted from the file's beginning.
    position: u64,
}

impl Section {
    /// Ends at the file's end if `end` lies beyond it.
    pub fn new(file: &WeightFile, start: u64, end: u64) -> Self {
        let end = end.min(file.bytes.len());
        Self {
            bytes: Arc::clone(&file.bytes),
            start: start.min(end),
            end,
            position: start.min(end),
        }
    }

    pub fn whole(file: &WeightFile) -> Self {
        Self::new(file, 0, file.bytes.len())
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let left = self.end.saturating_sub(self.position);
        let length = left.min(buffer.len() as u64) as usize;
        self.bytes.read_at(self.position, &mut buffer[..length])?;
        self.position += length as u64;
        Ok(length)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => self.start.checked_add(offset),
            SeekFrom::End(offset) => self.end.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let target = target.filter(|target| *target >= self.start);
        self.position = target.ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        Ok(self.position - self.start)
    }
}
