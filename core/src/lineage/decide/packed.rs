//! Packed quantization: codes and scales stored in place of weights, in the layouts that the usual tools write.

use super::super::Relation;
use super::super::evidence::Evidence;
use super::Decision;
use crate::fingerprint::{Fingerprint, View};
use crate::weights::{Dtype, PackedLayout};

/// A packed layout and what its shapes give away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct Packing {
    pub technique: &'static str,
    pub bits: Option<u64>,
    pub group_size: Option<u64>,
}

/// Share of the packed matrices that must point the parent's way.
const SHARED: f64 = 0.5;
/// Cosine of decoded values, or of 8-bit codes alone, with the weights they stand for.
const CODED_COSINE: f64 = 0.6;

/// The layout of a model's weights, where it is a packed one: that of most packed tensors.
pub(in super::super) fn packing_of(fingerprint: &Fingerprint) -> Option<Packing> {
    if let Some(packed) = fingerprint.tensors.iter().find_map(|tensor| tensor.packing) {
        return Some(Packing {
            technique: technique(packed),
            bits: Some(u64::from(packed.bits)),
            group_size: (packed.group_size > 0).then(|| u64::from(packed.group_size)),
        });
    }
    let has = |wanted: fn(Dtype) -> bool| {
        fingerprint
            .tensors
            .iter()
            .any(|tensor| wanted(tensor.dtype) && !View::of(&tensor.shape).is_vector())
    };
    let packing = |technique, bits| Packing {
        technique,
        bits: Some(bits),
        group_size: None,
    };
    if has(is_fp8) {
        return Some(packing("fp8", 8));
    }
    let is_onnx = fingerprint
        .tensors
        .iter()
        .any(|tensor| tensor.name.ends_with("_quantized"));
    has(|dtype| matches!(dtype, Dtype::I8 | Dtype::U8))
        .then(|| packing(if is_onnx { "onnx-int8" } else { "int8" }, 8))
}

fn technique(packing: crate::weights::Packing) -> &'static str {
    match packing.layout {
        PackedLayout::Gptq => "gptq",
        PackedLayout::Awq => "awq",
        PackedLayout::Nf4 => "nf4",
        PackedLayout::Fp4 => "fp4",
        PackedLayout::Hqq => "hqq",
        PackedLayout::ScaledFp8 => "fp8",
        PackedLayout::Nvfp4 => "nvfp4",
        PackedLayout::Mxfp4 => "mxfp4",
        PackedLayout::OnnxInt => "onnx-int8",
        PackedLayout::BitsandbytesInt8 => "int8",
        PackedLayout::CompressedInt if packing.bits == 8 => "int8",
        PackedLayout::CompressedInt => "compressed-int",
    }
}

pub(in super::super) fn is_fp8(dtype: Dtype) -> bool {
    matches!(
        dtype,
        Dtype::F8E4M3 | Dtype::F8E5M2 | Dtype::F8E4M3FNUZ | Dtype::F8E5M2FNUZ
    )
}

/// A packed child of a parent that is not packed.
pub(super) fn recognise(evidence: &Evidence<'_>) -> Option<Decision> {
    let packing = packing_of(evidence.child)?;
    let decoded: Vec<_> = evidence
        .tensors
        .iter()
        .filter(|tensor| tensor.coded || tensor.pair.child.packing.is_some())
        .collect();
    let pointing = decoded
        .iter()
        .filter(|tensor| tensor.cosine > CODED_COSINE)
        .count();
    if decoded.is_empty() || (pointing as f64) < SHARED * decoded.len() as f64 {
        return None;
    }
    let because = format!(
        "{pointing} of {} packed matrices decode to values that point the way of the parent's weights.",
        decoded.len()
    );
    // codes keep the order of the weights that share their scale, so the true parent's is kept best
    let mut decision = Decision::new(Relation::Quantized, packing.technique, 0.92, because)
        .with_misfit(evidence.disorder())
        .with_feature(
            "order_turned",
            evidence.disorder(),
            "neighbouring values whose order the child turns round, which rounding never does",
        );
    if let Some(bits) = packing.bits {
        decision = decision.with("bits", bits);
    }
    if let Some(size) = packing.group_size {
        decision = decision.with("group_size", size);
    }
    Some(decision)
}
