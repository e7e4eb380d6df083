//! Reads the stored form, part by part, and says where it is damaged.

use super::{
    AS_BF16, AS_F16, AS_F32, FingerprintError, HAS_DIGESTS, HAS_INVARIANTS, HAS_PACKING, HAS_PROBE,
    HAS_SKETCH, HAS_STATS, MAX_AXES, TensorFingerprint,
};
use crate::fingerprint::invariants::{Invariants, KEPT_HASHES};
use crate::fingerprint::probe::Probe;
use crate::fingerprint::sketch::{MAX_SIDE, Sketch};
use crate::fingerprint::stats::{RUN_LENGTHS, Stats};
use crate::weights::{Dtype, Finding, PackedLayout, Packing, Severity};

/// Takes the stored form apart. Nothing is taken that the bytes do not hold.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub fn damaged(&self, what: &str) -> FingerprintError {
        FingerprintError::Damaged(format!("{what} (at byte {} of {})", self.at, self.bytes.len()))
    }

    pub fn take(&mut self, length: usize) -> Result<&'a [u8], FingerprintError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return Err(self.damaged(&format!("it ends {length} bytes too early")));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], FingerprintError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub fn byte(&mut self) -> Result<u8, FingerprintError> {
        Ok(self.take(1)?[0])
    }

    pub fn varint(&mut self) -> Result<u64, FingerprintError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7F);
            if part << shift >> shift != part {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.damaged("a number is longer than 64 bits"))
    }

    pub fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, FingerprintError> {
        let value = self.varint()?;
        T::try_from(value).map_err(|_| self.damaged(&format!("the number {value} is out of range")))
    }

    /// A count of items of at least `bytes_each` bytes that must still follow.
    pub fn count(&mut self, bytes_each: usize) -> Result<usize, FingerprintError> {
        let count = self.varint()?;
        let most = (self.bytes.len() - self.at) / bytes_each;
        if count > most as u64 {
            return Err(self.damaged(&format!(
                "{count} items are announced and at most {most} can follow"
            )));
        }
        Ok(count as usize)
    }

    fn float32(&mut self) -> Result<f32, FingerprintError> {
        Ok(f32::from_le_bytes(self.array()?))
    }

    fn float(&mut self) -> Result<f64, FingerprintError> {
        let value = f64::from(self.float32()?);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(self.damaged("a statistic is not finite"))
        }
    }

    fn floats(&mut self, count: usize) -> Result<Vec<f32>, FingerprintError> {
        let Some(length) = count.checked_mul(4) else {
            return Err(self.damaged("a list is too long"));
        };
        let bytes = self.take(length)?;
        Ok(bytes
            .as_chunks()
            .0
            .iter()
            .map(|four| f32::from_le_bytes(*four))
            .collect())
    }

    fn five_norms(&mut self) -> Result<[f32; 5], FingerprintError> {
        let mut norms = [0.0; 5];
        for (norm, bits) in norms.iter_mut().zip(self.halves(5)?) {
            *norm = f32::from_bits(u32::from(bits) << 16);
        }
        Ok(norms)
    }

    pub fn tensor(&mut self, previous: &str) -> Result<TensorFingerprint, FingerprintError> {
        let name = self.name(previous)?;
        let code = self.byte()?;
        let Some(dtype) = Dtype::from_code(code) else {
            return Err(self.damaged(&format!("element type {code} is unknown")));
        };
        let axes = self.varint()?;
        if axes > MAX_AXES {
            return Err(self.damaged(&format!("a shape has {axes} axes")));
        }
        let shape = (0..axes)
            .map(|_| self.varint())
            .collect::<Result<Vec<u64>, _>>()?;
        let flags = self.byte()?;
        let mut tensor = TensorFingerprint {
            name,
            dtype,
            shape,
            packing: None,
            digest: None,
            value_digest: None,
            stats: None,
            invariants: None,
            sketch: None,
            probe: None,
        };
        if flags & HAS_PACKING != 0 {
            tensor.packing = Some(self.packing()?);
        }
        if flags & HAS_DIGESTS != 0 {
            tensor.digest = Some(hex::encode(self.take(32)?));
            tensor.value_digest = Some(hex::encode(self.take(12)?));
        }
        if flags & HAS_STATS != 0 {
            tensor.stats = Some(self.stats()?);
        }
        if flags & HAS_INVARIANTS != 0 {
            tensor.invariants = Some(self.invariants()?);
        }
        if flags & HAS_SKETCH != 0 {
            tensor.sketch = Some(self.sketch()?);
        }
        if flags & HAS_PROBE != 0 {
            tensor.probe = Some(self.probe()?);
        }
        Ok(tensor)
    }

    pub fn finding(&mut self) -> Result<Finding, FingerprintError> {
        let [is_dangerous, called] = self.array()?;
        Ok(Finding {
            severity: match is_dangerous {
                0 => Severity::Suspicious,
                _ => Severity::Dangerous,
            },
            called: called != 0,
            file: self.text()?.to_owned(),
            import: self.text()?.to_owned(),
        })
    }

    fn packing(&mut self) -> Result<Packing, FingerprintError> {
        let [layout, bits, symmetric] = self.array()?;
        let Some(layout) = PackedLayout::from_code(layout) else {
            return Err(self.damaged(&format!("packed layout {layout} is unknown")));
        };
        Ok(Packing {
            layout,
            bits,
            symmetric: symmetric != 0,
            group_size: self.narrow()?,
        })
    }

    pub fn text(&mut self) -> Result<&'a str, FingerprintError> {
        let length: usize = self.narrow()?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.damaged("a name is not UTF-8"))
    }

    fn name(&mut self, previous: &str) -> Result<String, FingerprintError> {
        let shared: usize = self.narrow()?;
        let suffix = self.text()?;
        let prefix = previous
            .get(..shared)
            .ok_or_else(|| self.damaged("a name shares more than there is"))?;
        Ok(format!("{prefix}{suffix}"))
    }

    fn stats(&mut self) -> Result<Stats, FingerprintError> {
        let count = self.varint()?;
        let [mean, std, kurtosis, abs_max] = [self.float()?, self.float()?, self.float()?, self.float()?];
        let l2 = f64::from_le_bytes(self.array()?);
        if !l2.is_finite() {
            return Err(self.damaged("a norm is not finite"));
        }
        let [zeros, non_finite, zero_rows, zero_columns] =
            [self.varint()?, self.varint()?, self.varint()?, self.varint()?];
        let [distinct, row_distinct, column_distinct] = [self.narrow()?, self.narrow()?, self.narrow()?];
        let mut run_distinct = [0; RUN_LENGTHS.len()];
        for value in &mut run_distinct {
            *value = self.narrow()?;
        }
        let fewest_zeros = self.array()?;
        let [two_of_four, bf16_exact, f16_exact] = [self.float()?, self.float()?, self.float()?];
        Ok(Stats {
            count,
            mean,
            std,
            kurtosis,
            l2,
            abs_max,
            zeros,
            non_finite,
            distinct,
            row_distinct,
            column_distinct,
            run_distinct,
            two_of_four,
            fewest_zeros,
            zero_rows,
            zero_columns,
            row_norms: self.five_norms()?,
            column_norms: self.five_norms()?,
            bf16_exact,
            f16_exact,
        })
    }

    fn invariants(&mut self) -> Result<Invariants, FingerprintError> {
        let values = u64::from_le_bytes(self.array()?);
        let mut lists = [Vec::new(), Vec::new()];
        for hashes in &mut lists {
            let count = self.count(4)?;
            if count > KEPT_HASHES {
                return Err(self.damaged(&format!(
                    "{count} hashes are kept where {KEPT_HASHES} is the most"
                )));
            }
            *hashes = (0..count)
                .map(|_| Ok(u32::from_le_bytes(self.array()?)))
                .collect::<Result<_, _>>()?;
        }
        let [rows, columns] = lists;
        Ok(Invariants {
            values,
            rows,
            columns,
        })
    }

    fn sketch(&mut self) -> Result<Sketch, FingerprintError> {
        let [rows, cols] = self.array::<2>()?.map(u16::from);
        let valid = |side: u16| side.is_power_of_two() && usize::from(side) <= MAX_SIDE;
        if !valid(rows) || !valid(cols) {
            return Err(self.damaged(&format!("a sketch is {rows} by {cols}")));
        }
        let cells = self.floats(usize::from(rows) * usize::from(cols))?;
        Ok(Sketch { rows, cols, cells })
    }

    fn probe(&mut self) -> Result<Probe, FingerprintError> {
        let (rows, cols): (u32, u32) = (self.narrow()?, self.narrow()?);
        let packing = self.byte()?;
        let count = u64::from(rows) * u64::from(cols);
        let width = if packing == AS_F32 { 4 } else { 2 };
        if count > ((self.bytes.len() - self.at) / width) as u64 {
            return Err(self.damaged(&format!("a probe of {rows} by {cols} values does not fit")));
        }
        let count = count as usize;
        let values = match packing {
            AS_F32 => self.floats(count)?,
            AS_BF16 => self
                .halves(count)?
                .map(|bits| f32::from_bits(u32::from(bits) << 16))
                .collect(),
            AS_F16 => self
                .halves(count)?
                .map(|bits| half::f16::from_bits(bits).to_f32())
                .collect(),
            other => return Err(self.damaged(&format!("probe packing {other} is unknown"))),
        };
        Ok(Probe { rows, cols, values })
    }

    fn halves(&mut self, count: usize) -> Result<impl Iterator<Item = u16> + use<'a>, FingerprintError> {
        let bytes = self.take(count * 2)?;
        Ok(bytes.as_chunks().0.iter().map(|two| u16::from_le_bytes(*two)))
    }
}
