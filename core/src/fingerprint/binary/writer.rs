//! Writes the stored form, part by part.

use super::{
    AS_BF16, AS_F16, AS_F32, HAS_DIGESTS, HAS_INVARIANTS, HAS_PACKING, HAS_PROBE, HAS_SKETCH, HAS_STATS,
    TensorFingerprint,
};
use crate::fingerprint::invariants::Invariants;
use crate::fingerprint::probe::Probe;
use crate::fingerprint::stats::Stats;
use crate::weights::{Finding, Severity};

/// Collects the stored form.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub fn text(&mut self, text: &str) {
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

    pub fn tensor(&mut self, previous: &str, tensor: &TensorFingerprint) {
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
                | flag(tensor.probe.is_some(), HAS_PROBE)
                | flag(tensor.packing.is_some(), HAS_PACKING),
        );
        if let Some(packing) = &tensor.packing {
            let symmetric = u8::from(packing.symmetric);
            self.0
                .extend_from_slice(&[packing.layout.code(), packing.bits, symmetric]);
            self.varint(u64::from(packing.group_size));
        }
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

    pub fn finding(&mut self, finding: &Finding) {
        let is_dangerous = u8::from(finding.severity == Severity::Dangerous);
        self.0
            .extend_from_slice(&[is_dangerous, u8::from(finding.called)]);
        self.text(&finding.file);
        self.text(&finding.import);
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
