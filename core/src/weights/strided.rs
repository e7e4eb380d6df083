//! Tensors that are views of a storage: in order, they are a range of it; transposed or sliced, they are gathered.
//!
//! Enters: a [`View`]. Leaves: a tensor whose bytes are row-major, like every other; a view in another order gets a file of its
//! own, whose bytes are gathered while they are read.

use super::computed::{PIECE_BYTES, Pieces, computed_file};
use super::format::Header;
use super::{Dtype, TensorInfo, WeightFile, WeightsError};
use std::io::Result;
use std::ops::Range;

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
    view.refuse_out_of_range(container)?;
    let (_, size) = view.dtype.block();
    let elements: u64 = view.shape.iter().product();
    let tensor = TensorInfo {
        name: view.name.clone(),
        dtype: view.dtype,
        bytes: elements * size,
        offset: view.storage_start + view.first * size,
        file,
        shape: view.shape.clone(),
        packing: None,
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
        storage: storage.clone(),
        start: tensor.offset,
        size,
        shape: view.shape,
        strides: view.strides,
    };
    let name = format!("{} (row-major copy of {})", container.name, tensor.name);
    let file = header.add_file(computed_file(name, gathered));
    header.tensors.push(TensorInfo {
        file,
        offset: 0,
        ..tensor
    });
    Ok(())
}

impl View {
    /// From the first element to the last, all must lie inside the storage.
    fn refuse_out_of_range(&self, container: &WeightFile) -> std::result::Result<(), WeightsError> {
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
        Ok(())
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

/// A view whose elements do not lie in order.
struct Gathered {
    storage: WeightFile,
    /// Of the first element, in the storage's file.
    start: u64,
    size: u64,
    shape: Vec<u64>,
    strides: Vec<u64>,
}

impl Gathered {
    /// Bytes of everything at one place of axis 0.
    fn row_bytes(&self) -> u64 {
        self.shape.iter().skip(1).product::<u64>() * self.size
    }

    /// The axis along which elements lie closest in the storage: they are read together.
    fn run_axis(&self) -> usize {
        let axes = (0..self.shape.len()).filter(|axis| self.shape[*axis] > 1 && self.strides[*axis] > 0);
        axes.min_by_key(|axis| self.strides[*axis]).unwrap_or(0)
    }
}

impl Pieces for Gathered {
    fn len(&self) -> u64 {
        self.shape.iter().product::<u64>() * self.size
    }

    fn piece_bytes(&self) -> u64 {
        (PIECE_BYTES / self.row_bytes()).max(1) * self.row_bytes()
    }

    fn compute(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let size = self.size as usize;
        let mut shape = self.shape.clone();
        shape[0] = (range.end - range.start) / self.row_bytes();
        let start = self.start + range.start / self.row_bytes() * self.strides[0] * self.size;
        // How far the next element along each axis lies in the piece.
        let mut steps = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            steps[axis - 1] = steps[axis] * shape[axis];
        }
        let axis = self.run_axis();
        let (count, stride, step) = (
            shape[axis] as usize,
            self.strides[axis] as usize,
            steps[axis] as usize,
        );
        let mut run = vec![0; ((count - 1) * stride + 1) * size];
        let mut bytes = vec![0; (range.end - range.start) as usize];
        shape[axis] = 1;
        for_each_place(&shape, |place| {
            let along = |steps: &[u64]| {
                place
                    .iter()
                    .zip(steps)
                    .map(|(index, step)| index * step)
                    .sum::<u64>()
            };
            self.storage
                .bytes
                .read_at(start + along(&self.strides) * self.size, &mut run)?;
            let first = along(&steps) as usize;
            for index in 0..count {
                let (from, to) = (index * stride * size, (first + index * step) * size);
                bytes[to..to + size].copy_from_slice(&run[from..from + size]);
            }
            Ok(())
        })?;
        Ok(bytes)
    }
}

/// Every index into an array of `shape`, row-major.
fn for_each_place(shape: &[u64], mut visit: impl FnMut(&[u64]) -> Result<()>) -> Result<()> {
    let mut place = vec![0; shape.len()];
    loop {
        visit(&place)?;
        let Some(axis) = (0..shape.len())
            .rev()
            .find(|axis| place[*axis] + 1 < shape[*axis])
        else {
            return Ok(());
        };
        place[axis] += 1;
        place[axis + 1..].fill(0);
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
