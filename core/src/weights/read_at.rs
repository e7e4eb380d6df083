//! Random access to the bytes of one file: the only way `weights` touches the world.

use std::io::{Error, ErrorKind, Result};

/// Random access to the bytes of one file.
///
/// Tensors are read in windows of [`super::WINDOW_ELEMENTS`] elements, in file order within a tensor: an implementation that
/// reads over a network should read ahead.
pub trait ReadAt: Send + Sync {
    /// Length of the file in bytes.
    fn len(&self) -> u64;
    /// Fills `buffer` from `offset`. Fails when the file is shorter than `offset + buffer.len()`.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;
    /// True for a file of no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ReadAt for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let source = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..)?.get(..buffer.len()))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::UnexpectedEof,
                    format!(
                        "{} bytes at {offset} are beyond the end of {}",
                        buffer.len(),
                        <[u8]>::len(self)
                    ),
                )
            })?;
        buffer.copy_from_slice(source);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> u64 {
        ReadAt::len(self.as_slice())
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.as_slice().read_at(offset, buffer)
    }
}

impl ReadAt for bytes::Bytes {
    fn len(&self) -> u64 {
        ReadAt::len(self.as_ref())
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.as_ref().read_at(offset, buffer)
    }
}
