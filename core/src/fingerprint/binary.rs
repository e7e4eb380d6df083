//! The stored form of a fingerprint; docs/fingerprint.md describes it byte by byte.
//!
//! Enters: a [`Fingerprint`], or bytes of any origin. Leaves: the other. Every length is checked against the bytes that are
//! left before anything is allocated.

mod reader;
mod writer;

use super::{FINGERPRINT_VERSION, Fingerprint, FingerprintError, Layout, Level, TensorFingerprint};
use reader::Reader;
use writer::Writer;

const MAGIC: [u8; 4] = *b"HLFP";
/// The fewest bytes a tensor takes: what a count of tensors is checked against.
const SMALLEST_TENSOR_BYTES: usize = 5;
const SMALLEST_FINDING_BYTES: usize = 4;
/// Most axes of a shape; far above what any format allows in practice.
const MAX_AXES: u64 = 64;

const HAS_DIGESTS: u8 = 1;
const HAS_STATS: u8 = 2;
const HAS_INVARIANTS: u8 = 4;
const HAS_SKETCH: u8 = 8;
const HAS_PROBE: u8 = 16;
const HAS_PACKING: u8 = 32;

/// How probe values are packed: the narrowest type that holds them all.
const AS_F32: u8 = 0;
const AS_BF16: u8 = 1;
const AS_F16: u8 = 2;

impl Fingerprint {
    /// Compact binary form (stored as `bytea`); the layout is in docs/fingerprint.md.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(64 + self.tensors.len() * 256);
        writer.bytes(&MAGIC);
        writer.bytes(&self.version.to_le_bytes());
        writer.byte(match self.level {
            Level::Metadata => 0,
            Level::Sample => 1,
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
        writer.varint(self.findings.len() as u64);
        self.findings.iter().for_each(|finding| writer.finding(finding));
        writer.finish()
    }

    /// Reads [`Fingerprint::to_bytes`]; refuses other versions and damaged input.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FingerprintError> {
        let mut reader = Reader::new(bytes);
        if reader.take(4)? != MAGIC {
            return Err(reader.damaged("it does not begin with HLFP"));
        }
        let version = u16::from_le_bytes(reader.array()?);
        if version != FINGERPRINT_VERSION {
            return Err(FingerprintError::Version { found: version });
        }
        let level = match reader.byte()? {
            0 => Level::Metadata,
            1 => Level::Sample,
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
        let count = reader.count(SMALLEST_FINDING_BYTES)?;
        let findings = (0..count).map(|_| reader.finding()).collect::<Result<_, _>>()?;
        if !reader.is_at_end() {
            return Err(reader.damaged("bytes are left over"));
        }
        Ok(Fingerprint {
            findings,
            ..Fingerprint::of_tensors(level, tensor_bytes, layout, tensors)
        })
    }
}
