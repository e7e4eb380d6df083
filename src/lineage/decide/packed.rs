//! Packed quantization: codes and scales stored in place of weights, in the layouts that the usual tools write.

use super::super::Relation;
use super::super::evidence::Evidence;
use super::Decision;
use crate::fingerprint::{Fingerprint, TensorFingerprint, View};
use crate::weights::Dtype;

/// A packed layout and what its shapes give away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct Packing {
    pub technique: &'static str,
    pub bits: Option<u64>,
    pub group_size: Option<u64>,
}

/// Share of the unpacked tensors that must be the parent's own values, or of the coded ones that must point its way.
const SHARED: f64 = 0.5;
/// Cosine of 8-bit codes with the weights they stand for.
const CODED_COSINE: f64 = 0.6;

/// The layout of a model's weights, where it is a packed one.
pub(in super::super) fn packing_of(fingerprint: &Fingerprint) -> Option<Packing> {
    let ending = |ending: &str| {
        fingerprint
            .tensors
            .iter()
            .find(|tensor| tensor.name.ends_with(ending))
    };
    if let Some(codes) = ending("qweight") {
        return Some(gptq_or_awq(fingerprint, codes));
    }
    if let Some(scales) = ending(".absmax") {
        return Some(nf4(fingerprint, scales));
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

pub(in super::super) fn is_fp8(dtype: Dtype) -> bool {
    matches!(
        dtype,
        Dtype::F8E4M3 | Dtype::F8E5M2 | Dtype::F8E4M3FNUZ | Dtype::F8E5M2FNUZ
    )
}

/// GPTQ packs along the inputs and keeps an index of groups; AWQ packs along the outputs.
fn gptq_or_awq(fingerprint: &Fingerprint, codes: &TensorFingerprint) -> Packing {
    let module = codes.name.trim_end_matches("qweight");
    let shape = |ending: &str| {
        fingerprint
            .tensor(&format!("{module}{ending}"))
            .map(|tensor| tensor.shape.as_slice())
    };
    let technique = if shape("g_idx").is_some() { "gptq" } else { "awq" };
    let (inputs, bits) = match (shape("g_idx"), codes.shape.as_slice(), shape("scales")) {
        (Some([inputs]), [packed, _], _) => (Some(*inputs), (packed * 32).checked_div(*inputs)),
        (None, [inputs, packed], Some([_, outputs])) => (Some(*inputs), (packed * 32).checked_div(*outputs)),
        _ => (None, None),
    };
    let group_size = match (inputs, shape("scales")) {
        (Some(inputs), Some([groups, _])) => inputs.checked_div(*groups),
        _ => None,
    };
    Packing {
        technique,
        bits,
        group_size,
    }
}

fn nf4(fingerprint: &Fingerprint, scales: &TensorFingerprint) -> Packing {
    let codes = fingerprint.tensor(scales.name.trim_end_matches(".absmax"));
    let group_size = codes.and_then(|codes| (codes.elements() * 2).checked_div(scales.elements()));
    Packing {
        technique: "nf4",
        bits: Some(4),
        group_size: group_size.map(|size| size.next_power_of_two()),
    }
}

/// A packed child of a parent that is not packed.
pub(super) fn recognise(evidence: &Evidence<'_>) -> Option<Decision> {
    let packing = packing_of(evidence.child)?;
    let floats: Vec<_> = evidence.tensors.iter().filter(|tensor| !tensor.coded).collect();
    let coded: Vec<_> = evidence.tensors.iter().filter(|tensor| tensor.coded).collect();
    let identical = floats.iter().filter(|tensor| tensor.same_values).count();
    let pointing = coded.iter().filter(|tensor| tensor.cosine > CODED_COSINE).count();
    let shared = |part: usize, all: usize| all > 0 && part as f64 >= SHARED * all as f64;
    let same_modules = (identical + pointing) * 4 >= evidence.parent.tensors.len();
    if !(shared(pointing, coded.len()) || coded.is_empty() && shared(identical, floats.len()) && same_modules)
    {
        return None;
    }
    let because = if coded.is_empty() {
        format!(
            "The weights are packed, and {identical} of {} tensors left as they were are the parent's own.",
            floats.len()
        )
    } else {
        format!(
            "{pointing} of {} matrices of 8-bit codes point the way of the parent's weights.",
            coded.len()
        )
    };
    let mut decision = Decision::new(Relation::Quantized, packing.technique, 0.92, because);
    if let Some(bits) = packing.bits {
        decision = decision.with("bits", bits);
    }
    if let Some(size) = packing.group_size {
        decision = decision.with("group_size", size);
    }
    Some(decision)
}
