//! The stored form of a fingerprint; docs/fingerprint.md describes it byte by byte.
//!
//! Enters: a [`Fingerprint`], or bytes of any origin. Leaves: the other. Every length is checked against the bytes that are
//! left before anything is allocated.

use super::invariants::{Invariants, KEPT_HASHES};
use super::probe::Probe;
use super::sketch::{MAX_SIDE, Sketch};
use super::stats::{RUN_LENGTHS, Stats};
use super::{FINGERPRINT_VERSION, Fingerprint, FingerprintError, Layout, Level, TensorFingerprint};
use crate::weights::Dtype;

const MAGIC: [u8; 4] = *b"HLFP";
/// The fewest bytes a tensor takes: what a count of tensors is checked against.
const SMALLEST_TENSOR_BYTES: usize = 5;
/// Most axes of a shape; far above what any format allows in practice.
const MAX_AXES: u64 = 64;

const HAS_DIGESTS: u8 = 1;
const HAS_STATS: u8 = 2;
const HAS_INVARIANTS: u8 = 4;
const HAS_SKETCH: u8 = 8;
const HAS_PROBE: u8 = 16;

/// How probe values are packed: the narrowest type that holds them all.
const AS_F32: u8 = 0;
const AS_BF16: u8 = 1;
const AS_F16: u8 = 2;

impl Fingerprint {
    /// Compact binary form (stored as `bytea`); the layout is in docs/fingerprint.md.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer(Vec::with_capacity(64 + self.tensors.len() * 256));
        writer.0.extend_from_slice(&MAGIC);
        writer.0.extend_from_slice(&self.version.to_le_bytes());
        writer.0.push(match self.level {
            Level::Metadata => 0,
            Level::Full => 2,
        });
        writer.varint(self.bytes);
        writer.text(&self.layout.container);
        writer.varint(u64::from(self.layout.files));
        writer.varint(self.tensors.len() as u64);
        let mut previous = "";
        for tensor in &self.tensors {
            writer.tensor(previous, tensor);
            previous = &tensor.name;
        }
        writer.0
    }

    /// Reads [`Fingerprint::to_bytes`]; refuses other versions and damaged input.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FingerprintError> {
        let mut reader = Reader { bytes, at: 0 };
        if reader.take(4)? != MAGIC {
            return Err(reader.damaged("it does not begin with HLFP"));
        }
        let version = u16::from_le_bytes(reader.array()?);
        if version != FINGERPRINT_VERSION {
            return Err(FingerprintError::Version { found: version });
        }
        let level = match reader.byte()? {
            0 => Level::Metadata,
            2 => Level::Full,
            other => return Err(reader.damaged(&format!("level {other} is unknown"))),
        };
        let tensor_bytes = reader.varint()?;
        let layout = Layout {
            container: reader.text()?.to_owned(),
            files: reader.narrow()?,
        };
        let count = reader.count(SMALLEST_TENSOR_BYTES)?;
        let mut tensors: Vec<TensorFingerprint> = Vec::with_capacity(count);
        for _ in 0..count {
            let previous = tensors.last().map_or("", |tensor| tensor.name.as_str());
            tensors.push(reader.tensor(previous)?);
        }
        if reader.at != bytes.len() {
            return Err(reader.damaged("bytes are left over"));
        }
        Ok(Fingerprint::of_tensors(level, tensor_bytes, layout, tensors))
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn text(&mut self, text: &str) {
        self.varint(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn float(&mut self, value: f64) {
        self.0.extend_from_slice(&(value as f32).to_le_bytes());
    }

    fn floats(&mut self, values: &[f32]) {
        for value in values {
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn tensor(&mut self, previous: &str, tensor: &TensorFingerprint) {
        let shared = shared_prefix(previous, &tensor.name);
        self.varint(shared as u64);
        self.text(&tensor.name[shared..]);
        self.0.push(tensor.dtype.code());
        self.varint(tensor.shape.len() as u64);
        tensor.shape.iter().for_each(|side| self.varint(*side));
        let digests = digest_bytes(tensor);
        let flag = |present: bool, bit: u8| if present { bit } else { 0 };
        self.0.push(
            flag(digests.is_some(), HAS_DIGESTS)
                | flag(tensor.stats.is_some(), HAS_STATS)
                | flag(tensor.invariants.is_some(), HAS_INVARIANTS)
                | flag(tensor.sketch.is_some(), HAS_SKETCH)
                | flag(tensor.probe.is_some(), HAS_PROBE),
        );
        if let Some((digest, value_digest)) = digests {
            self.0.extend_from_slice(&digest);
            self.0.extend_from_slice(&value_digest);
        }
        if let Some(stats) = &tensor.stats {
            self.stats(stats);
        }
        if let Some(invariants) = &tensor.invariants {
            self.invariants(invariants);
        }
        if let Some(sketch) = &tensor.sketch {
            self.0.extend_from_slice(&[sketch.rows as u8, sketch.cols as u8]);
            self.floats(&sketch.cells);
        }
        if let Some(probe) = &tensor.probe {
            self.probe(probe);
        }
    }

    fn stats(&mut self, stats: &Stats) {
        self.varint(stats.count);
        for value in [stats.mean, stats.std, stats.kurtosis, stats.abs_max] {
            self.float(value);
        }
        self.0.extend_from_slice(&stats.l2.to_le_bytes());
        for value in [stats.zeros, stats.non_finite, stats.zero_rows, stats.zero_columns] {
            self.varint(value);
        }
        for value in [stats.distinct, stats.row_distinct, stats.column_distinct] {
            self.varint(u64::from(value));
        }
        stats
            .run_distinct
            .iter()
            .for_each(|value| self.varint(u64::from(*value)));
        self.0.extend_from_slice(&stats.fewest_zeros);
        for value in [stats.two_of_four, stats.bf16_exact, stats.f16_exact] {
            self.float(value);
        }
        for norms in [&stats.row_norms, &stats.column_norms] {
            for norm in norms {
                self.0
                    .extend_from_slice(&((norm.to_bits() >> 16) as u16).to_le_bytes());
            }
        }
    }

    fn invariants(&mut self, invariants: &Invariants) {
        self.0.extend_from_slice(&invariants.values.to_le_bytes());
        for hashes in [&invariants.rows, &invariants.columns] {
            self.varint(hashes.len() as u64);
            for hash in hashes {
                self.0.extend_from_slice(&hash.to_le_bytes());
            }
        }
    }

    fn probe(&mut self, probe: &Probe) {
        self.varint(u64::from(probe.rows));
        self.varint(u64::from(probe.cols));
        let fits_bf16 = |value: &f32| value.to_bits() & 0xFFFF == 0;
        let fits_f16 = |value: &f32| half::f16::from_f32(*value).to_f32().to_bits() == value.to_bits();
        if probe.values.iter().all(fits_bf16) {
            self.0.push(AS_BF16);
            for value in &probe.values {
                self.0
                    .extend_from_slice(&((value.to_bits() >> 16) as u16).to_le_bytes());
            }
        } else if probe.values.iter().all(fits_f16) {
            self.0.push(AS_F16);
            for value in &probe.values {
                self.0
                    .extend_from_slice(&half::f16::from_f32(*value).to_le_bytes());
            }
        } else {
            self.0.push(AS_F32);
            self.floats(&probe.values);
        }
    }
}

/// Bytes that two names share at their start, ending on a character.
fn shared_prefix(a: &str, b: &str) -> usize {
    let shared = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    (0..=shared)
        .rev()
        .find(|end| b.is_char_boundary(*end))
        .unwrap_or(0)
}

/// The digest and the value digest as bytes, where both are there and well formed.
fn digest_bytes(tensor: &TensorFingerprint) -> Option<([u8; 32], [u8; 12])> {
    let (mut digest, mut values) = ([0; 32], [0; 12]);
    hex::decode_to_slice(tensor.digest.as_deref()?, &mut digest).ok()?;
    hex::decode_to_slice(tensor.value_digest.as_deref()?, &mut values).ok()?;
    Some((digest, values))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn damaged(&self, what: &str) -> FingerprintError {
        FingerprintError::Damaged(format!("{what} (at byte {} of {})", self.at, self.bytes.len()))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], FingerprintError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return Err(self.damaged(&format!("it ends {length} bytes too early")));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FingerprintError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, FingerprintError> {
        Ok(self.take(1)?[0])
    }

    fn varint(&mut self) -> Result<u64, FingerprintError> {
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

    fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, FingerprintError> {
        let value = self.varint()?;
        T::try_from(value).map_err(|_| self.damaged(&format!("the number {value} is out of range")))
    }

    /// A count of items of at least `bytes_each` bytes that must still follow.
    fn count(&mut self, bytes_each: usize) -> Result<usize, FingerprintError> {
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

    fn tensor(&mut self, previous: &str) -> Result<TensorFingerprint, FingerprintError> {
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
            digest: None,
            value_digest: None,
            stats: None,
            invariants: None,
            sketch: None,
            probe: None,
        };
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

    fn text(&mut self) -> Result<&'a str, FingerprintError> {
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
