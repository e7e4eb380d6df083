//! Packed layouts: codes, scales and zero points that stand for one tensor, decoded to the values the original would have.
//!
//! Enters: the stored tensors of a checkpoint. Leaves: the tensors that they stand for, each with a [`Packing`] that says how it
//! was stored. One file for each family of layouts. Codes and scales that do not fit together are left as they are stored.

mod bitsandbytes;
mod compressed;
mod gptq;
mod grouped;
mod hqq;
mod onnx;
mod stored;

use super::computed::{Pieces, computed_file};
use super::{Dtype, TensorInfo, WeightFile};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Result;
use std::ops::Range;
use stored::Stored;

/// How a tensor's values are stored as codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Packing {
    pub layout: PackedLayout,
    /// Bits of one code.
    pub bits: u8,
    /// Elements that share a scale along a row; 0 where a whole row, channel or tensor does.
    pub group_size: u32,
    /// Codes are symmetric about zero: there are no zero points, or all are the middle code.
    pub symmetric: bool,
}

/// Who lays codes out like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PackedLayout {
    Gptq,
    Awq,
    /// bitsandbytes: 8-bit codes and a scale for each row.
    BitsandbytesInt8,
    Nf4,
    Fp4,
    Hqq,
    /// compressed-tensors: whole numbers, plain or packed into words.
    CompressedInt,
    /// 8-bit floats with scales: compressed-tensors, and DeepSeek's blocks.
    ScaledFp8,
    Nvfp4,
    Mxfp4,
    /// ONNX: initialisers that a graph dequantizes.
    OnnxInt,
}

/// In the order of their stable codes in stored fingerprints: appended to, never reordered.
const LAYOUTS: [(PackedLayout, &str); 11] = [
    (PackedLayout::Gptq, "gptq"),
    (PackedLayout::Awq, "awq"),
    (PackedLayout::BitsandbytesInt8, "bitsandbytes-int8"),
    (PackedLayout::Nf4, "nf4"),
    (PackedLayout::Fp4, "fp4"),
    (PackedLayout::Hqq, "hqq"),
    (PackedLayout::CompressedInt, "compressed-int"),
    (PackedLayout::ScaledFp8, "scaled-fp8"),
    (PackedLayout::Nvfp4, "nvfp4"),
    (PackedLayout::Mxfp4, "mxfp4"),
    (PackedLayout::OnnxInt, "onnx-int"),
];

impl PackedLayout {
    /// The name in output and JSON.
    pub fn name(self) -> &'static str {
        LAYOUTS[self as usize].1
    }

    /// A code for binary formats. It never changes for a layout.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The layout of a [`PackedLayout::code`].
    pub fn from_code(code: u8) -> Option<Self> {
        LAYOUTS.get(usize::from(code)).map(|(layout, _)| *layout)
    }
}

/// What the tensors of one module stand for.
struct Unpacked {
    name: String,
    shape: Vec<u64>,
    /// The stored tensors that it is made of.
    parts: Vec<String>,
    packing: Packing,
    decoder: Box<dyn Decoder>,
}

/// Decodes a packed tensor.
trait Decoder: Send + Sync {
    /// Elements of every piece but the last: whole rows, or whole blocks of one scale.
    fn piece_elements(&self) -> u64;
    /// The values of `elements`, which is one piece.
    fn decode(&self, elements: Range<u64>) -> Result<Vec<f32>>;
}

/// Looks for a layout around one stored tensor: the ending of its name, and what to make of its module.
type Recognise = fn(&Stored<'_>, &TensorInfo) -> Option<Unpacked>;

const ENDINGS: &[(&str, Recognise)] = &[
    (".qweight", gptq::recognise),
    (
        ".quant_state.bitsandbytes__nf4",
        bitsandbytes::recognise_four_bits,
    ),
    (
        ".quant_state.bitsandbytes__fp4",
        bitsandbytes::recognise_four_bits,
    ),
    (".SCB", bitsandbytes::recognise_int8),
    (".W_q", hqq::recognise),
    ("weight_packed", compressed::recognise_packed),
    ("weight_scale", compressed::recognise_scaled),
    ("weight_scale_inv", compressed::recognise_scaled),
    ("_blocks", compressed::recognise_mx_blocks),
    ("_quantized", onnx::recognise),
];

/// Puts the tensors that packed ones stand for in their place. `files` gains the computed ones; `tensors` is in name order before
/// and after. `read_config` reads the model's config.json; it is called only where a layout leaves something open.
pub(super) fn unpack(
    files: &mut Vec<WeightFile>,
    tensors: &mut Vec<TensorInfo>,
    read_config: &dyn Fn() -> Option<String>,
) {
    let stored = Stored::new(files, tensors, read_config);
    let found: Vec<Unpacked> = tensors
        .iter()
        .filter_map(|tensor| {
            let (_, recognise) = ENDINGS.iter().find(|(ending, _)| tensor.name.ends_with(ending))?;
            recognise(&stored, tensor)
        })
        // A name taken by another tensor is no place to put one.
        .filter(|unpacked| stored.tensor(&unpacked.name).is_none() || unpacked.parts.contains(&unpacked.name))
        .collect();
    if found.is_empty() {
        return;
    }
    let parts: BTreeSet<String> = found
        .iter()
        .flat_map(|unpacked| unpacked.parts.iter().cloned())
        .collect();
    tensors.retain(|tensor| !parts.contains(&tensor.name));
    for unpacked in found {
        let elements: u64 = unpacked.shape.iter().product();
        let pieces = DecodedPieces {
            bytes: elements * 4,
            decoder: unpacked.decoder,
        };
        tensors.push(TensorInfo {
            dtype: Dtype::F32,
            shape: unpacked.shape,
            file: files.len(),
            offset: 0,
            bytes: pieces.bytes,
            packing: Some(unpacked.packing),
            name: unpacked.name.clone(),
        });
        files.push(computed_file(unpacked.name, pieces));
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
}

struct DecodedPieces {
    bytes: u64,
    decoder: Box<dyn Decoder>,
}

impl Pieces for DecodedPieces {
    fn len(&self) -> u64 {
        self.bytes
    }

    fn piece_bytes(&self) -> u64 {
        self.decoder.piece_elements() * 4
    }

    fn compute(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let values = self.decoder.decode(range.start / 4..range.end / 4)?;
        Ok(values.into_iter().flat_map(f32::to_le_bytes).collect())
    }
}

#[cfg(test)]
mod tests;
