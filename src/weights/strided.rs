//! Tensors that are views of a storage: in order, they are a range of it; transposed or sliced, they are gathered.
//!
//! Enters: a [`View`]. Leaves: a tensor whose bytes are row-major, like every other; a view in another order gets a file of its
//! own, whose bytes are gathered once, when they are first read.

use super::format::Header;
use super::section::Section;
use super::{Dtype, ReadAt, TensorInfo, WeightFile, WeightsError};
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::sync::OnceLock;

/// A tensor as a window on a storage; lengths in elements unless named otherwise.
pub(super) struct View {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<u64>,
    pub strides: Vec<u64>,
    pub first: u64,
    /// Where in the file the storage begins, in bytes.
    pub storage_start: u64,
    pub storage_bytes: u64,
}

/// Checks `view` and adds its tensor to `header`. `file` is the index its storage's file has there.
pub(super) fn place_view(
    header: &mut Header,
    container: &WeightFile,
    file: usize,
    view: View,
) -> std::result::Result<(), WeightsError> {
    let reach = view.refuse_out_of_range(container)?;
    let (_, size) = view.dtype.block();
    let elements: u64 = view.shape.iter().product();
    let tensor = TensorInfo {
        name: view.name.clone(),
        dtype: view.dtype,
        bytes: elements * size,
        offset: view.storage_start + view.first * size,
        file,
        shape: view.shape.clone(),
    };
    if elements == 0 || view.is_row_major() {
        header.tensors.push(tensor);
        return Ok(());
    }
    let storage = match file {
        0 => container,
        derived => &header.derived[derived - 1],
    };
    let gathered = Gathered {
        span: Section::new(storage, tensor.offset, tensor.offset + reach * size),
        span_bytes: reach * size,
        size,
        shape: view.shape,
        strides: view.strides,
        bytes: OnceLock::new(),
    };
    let name = format!("{} (row-major copy of {})", container.name, tensor.name);
    let file = header.add_file(WeightFile::new(name, gathered));
    header.tensors.push(TensorInfo {
        file,
        offset: 0,
        ..tensor
    });
    Ok(())
}

impl View {
    /// The elements from the first to the last, when all lie inside the storage.
    fn refuse_out_of_range(&self, container: &WeightFile) -> std::result::Result<u64, WeightsError> {
        let overflow = || WeightsError::ShapeOverflow {
            file: container.name.clone(),
            tensor: self.name.clone(),
            shape: self.shape.clone(),
        };
        if self.shape.len() != self.strides.len() {
            let reason = format!(
                "tensor {:?} has {} axes and {} strides",
                self.name,
                self.shape.len(),
                self.strides.len()
            );
            return Err(WeightsError::header(&container.name, reason));
        }
        let (_, size) = self.dtype.block();
        let product = |product: u64, length: &u64| product.checked_mul(*length);
        let elements = self.shape.iter().try_fold(1, product).ok_or_else(overflow)?;
        let bytes = elements.checked_mul(size).ok_or_else(overflow)?;
        // A broadcast view may be larger than its storage, but not than the file it came in.
        if bytes > container.bytes.len().max(self.storage_bytes) {
            return Err(overflow());
        }
        let reach = match elements {
            0 => 0,
            _ => self.reach().ok_or_else(overflow)?,
        };
        let end = self
            .first
            .checked_add(reach)
            .and_then(|end| end.checked_mul(size))
            .ok_or_else(overflow)?;
        if end > self.storage_bytes {
            return Err(WeightsError::OutOfRange {
                file: container.name.clone(),
                tensor: self.name.clone(),
                start: self.first * size,
                end,
                length: self.storage_bytes,
            });
        }
        Ok(reach)
    }

    /// One more than the distance from the first element to the farthest.
    fn reach(&self) -> Option<u64> {
        let mut axes = self.shape.iter().zip(&self.strides);
        axes.try_fold(1, |reach: u64, (length, stride)| {
            reach.checked_add((length - 1).checked_mul(*stride)?)
        })
    }

    fn is_row_major(&self) -> bool {
        let mut expected = 1;
        for (length, stride) in self.shape.iter().zip(&self.strides).rev() {
            if *length != 1 && *stride != expected {
                return false;
            }
            expected *= length;
        }
        true
    }
}

/// A view whose elements do not lie in order, put in order when first read.
struct Gathered {
    span: Section,
    span_bytes: u64,
    size: u64,
    shape: Vec<u64>,
    strides: Vec<u64>,
    bytes: OnceLock<Vec<u8>>,
}

impl Gathered {
    fn bytes(&self) -> Result<&[u8]> {
        if let Some(bytes) = self.bytes.get() {
            return Ok(bytes);
        }
        let gathered = self.gather()?;
        Ok(self.bytes.get_or_init(|| gathered))
    }

    fn gather(&self) -> Result<Vec<u8>> {
        let mut span = vec![0; self.span_bytes as usize];
        let mut section = self.span.clone();
        section.seek(SeekFrom::Start(0))?;
        section.read_exact(&mut span)?;
        let size = self.size as usize;
        let mut bytes = Vec::with_capacity(self.len() as usize);
        let mut place = vec![0; self.shape.len()];
        let mut element = 0;
        for _ in 0..self.len() / self.size {
            let start = element as usize * size;
            bytes.extend_from_slice(&span[start..start + size]);
            for axis in (0..place.len()).rev() {
                place[axis] += 1;
                element += self.strides[axis];
                if place[axis] < self.shape[axis] {
                    break;
                }
                place[axis] = 0;
                element -= self.strides[axis] * self.shape[axis];
            }
        }
        Ok(bytes)
    }
}

impl ReadAt for Gathered {
    fn len(&self) -> u64 {
        self.shape.iter().product::<u64>() * self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.len()) {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        self.bytes()?.read_at(offset, buffer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn place(shape: &[u64], strides: &[u64], first: u64) -> std::result::Result<Vec<u8>, WeightsError> {
        let file = WeightFile::new("w", (0u8..12).collect::<Vec<u8>>());
        let view = View {
            name: "t".to_owned(),
            dtype: Dtype::U8,
            shape: shape.to_vec(),
            strides: strides.to_vec(),
            first,
            storage_start: 0,
            storage_bytes: 12,
        };
        let mut header = Header::default();
        place_view(&mut header, &file, 0, view)?;
        let tensor = &header.tensors[0];
        let source = if tensor.file == 0 {
            &file
        } else {
            &header.derived[0]
        };
        let mut bytes = vec![0; tensor.bytes as usize];
        source.read(tensor.offset, &mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn views_are_put_in_row_major_order() {
        assert_eq!(place(&[3, 4], &[4, 1], 0).unwrap(), (0..12).collect::<Vec<u8>>());
        assert_eq!(
            place(&[4, 3], &[1, 4], 0).unwrap(),
            [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
        );
        assert_eq!(place(&[2, 2], &[4, 2], 1).unwrap(), [1, 3, 5, 7]);
        assert_eq!(place(&[2, 3], &[0, 1], 2).unwrap(), [2, 3, 4, 2, 3, 4]);
        assert_eq!(place(&[1, 3], &[99, 1], 9).unwrap(), [9, 10, 11]);
        assert_eq!(place(&[], &[], 7).unwrap(), [7]);
        assert!(place(&[0, 3], &[3, 1], 0).unwrap().is_empty());
    }

    #[test]
    fn views_beyond_the_storage_are_refused() {
        assert!(matches!(
            place(&[3, 4], &[4, 1], 1),
            Err(WeightsError::OutOfRange { end: 13, .. })
        ));
        assert!(matches!(
            place(&[2, 2], &[u64::MAX, 1], 0),
            Err(WeightsError::ShapeOverflow { .. })
        ));
        assert!(matches!(
            place(&[1 << 40], &[0], 0),
            Err(WeightsError::ShapeOverflow { .. })
        ));
        assert!(matches!(
            place(&[3, 4], &[1], 0),
            Err(WeightsError::Header { .. })
        ));
    }
}
