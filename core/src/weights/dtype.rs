//! Element types of stored tensors: their names, sizes and stable codes.
//!
//! Enters: a format's name for a type. Leaves: a [`Dtype`]. What the bits mean as numbers is [`super::decode`]'s.

use serde::{Deserialize, Serialize};

/// Element type of a stored tensor.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[allow(missing_docs)]
#[serde(rename_all = "UPPERCASE")]
pub enum Dtype {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F8E4M3,
    F8E5M2,
    F16,
    BF16,
    F32,
    F64,
    /// Powers of two, the scales of the OCP microscaling formats.
    F8E8M0,
    /// E4M3 without infinities or negative zero (AMD).
    F8E4M3FNUZ,
    /// E5M2 without infinities or negative zero (AMD).
    F8E5M2FNUZ,
    /// OCP microscaling 4-bit float, two a byte, low nibble first.
    F4,
    /// Two a byte, low nibble first (ONNX).
    U4,
    I4,
    // Block types of ggml: `super::quantized`.
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    #[serde(rename = "Q2_K")]
    Q2K,
    #[serde(rename = "Q3_K")]
    Q3K,
    #[serde(rename = "Q4_K")]
    Q4K,
    #[serde(rename = "Q5_K")]
    Q5K,
    #[serde(rename = "Q6_K")]
    Q6K,
    #[serde(rename = "IQ4_NL")]
    IQ4NL,
    #[serde(rename = "IQ4_XS")]
    IQ4XS,
    TQ1_0,
    TQ2_0,
    MXFP4,
    NVFP4,
    Q1_0,
    Q8_1,
    #[serde(rename = "Q8_K")]
    Q8K,
    #[serde(rename = "IQ1_S")]
    IQ1S,
    #[serde(rename = "IQ1_M")]
    IQ1M,
    #[serde(rename = "IQ2_XXS")]
    IQ2XXS,
    #[serde(rename = "IQ2_XS")]
    IQ2XS,
    #[serde(rename = "IQ2_S")]
    IQ2S,
    #[serde(rename = "IQ3_XXS")]
    IQ3XXS,
    #[serde(rename = "IQ3_S")]
    IQ3S,
}

/// Name, stable code and size of one [`Dtype`]: everything about it but its meaning.
struct Row {
    dtype: Dtype,
    name: &'static str,
    code: u8,
    /// Elements in one indivisible group of bytes, and those bytes.
    block: (u64, u64),
}

const fn row(dtype: Dtype, name: &'static str, code: u8, block: (u64, u64)) -> Row {
    Row {
        dtype,
        name,
        code,
        block,
    }
}

/// In the order of the enum: [`Dtype::row`] indexes by discriminant (a test holds it). Codes never change meaning.
const ROWS: &[Row] = &[
    row(Dtype::Bool, "BOOL", 0, (1, 1)),
    row(Dtype::U8, "U8", 1, (1, 1)),
    row(Dtype::I8, "I8", 2, (1, 1)),
    row(Dtype::U16, "U16", 3, (1, 2)),
    row(Dtype::I16, "I16", 4, (1, 2)),
    row(Dtype::U32, "U32", 5, (1, 4)),
    row(Dtype::I32, "I32", 6, (1, 4)),
    row(Dtype::U64, "U64", 7, (1, 8)),
    row(Dtype::I64, "I64", 8, (1, 8)),
    row(Dtype::F8E4M3, "F8E4M3", 9, (1, 1)),
    row(Dtype::F8E5M2, "F8E5M2", 10, (1, 1)),
    row(Dtype::F16, "F16", 11, (1, 2)),
    row(Dtype::BF16, "BF16", 12, (1, 2)),
    row(Dtype::F32, "F32", 13, (1, 4)),
    row(Dtype::F64, "F64", 14, (1, 8)),
    row(Dtype::F8E8M0, "F8E8M0", 15, (1, 1)),
    row(Dtype::F8E4M3FNUZ, "F8E4M3FNUZ", 16, (1, 1)),
    row(Dtype::F8E5M2FNUZ, "F8E5M2FNUZ", 17, (1, 1)),
    row(Dtype::F4, "F4", 18, (2, 1)),
    row(Dtype::U4, "U4", 19, (2, 1)),
    row(Dtype::I4, "I4", 20, (2, 1)),
    row(Dtype::Q4_0, "Q4_0", 21, (32, 18)),
    row(Dtype::Q4_1, "Q4_1", 22, (32, 20)),
    row(Dtype::Q5_0, "Q5_0", 23, (32, 22)),
    row(Dtype::Q5_1, "Q5_1", 24, (32, 24)),
    row(Dtype::Q8_0, "Q8_0", 25, (32, 34)),
    row(Dtype::Q2K, "Q2_K", 26, (256, 84)),
    row(Dtype::Q3K, "Q3_K", 27, (256, 110)),
    row(Dtype::Q4K, "Q4_K", 28, (256, 144)),
    row(Dtype::Q5K, "Q5_K", 29, (256, 176)),
    row(Dtype::Q6K, "Q6_K", 30, (256, 210)),
    row(Dtype::IQ4NL, "IQ4_NL", 31, (32, 18)),
    row(Dtype::IQ4XS, "IQ4_XS", 32, (256, 136)),
    row(Dtype::TQ1_0, "TQ1_0", 33, (256, 54)),
    row(Dtype::TQ2_0, "TQ2_0", 34, (256, 66)),
    row(Dtype::MXFP4, "MXFP4", 35, (32, 17)),
    row(Dtype::NVFP4, "NVFP4", 36, (64, 36)),
    row(Dtype::Q1_0, "Q1_0", 37, (128, 18)),
    row(Dtype::Q8_1, "Q8_1", 38, (32, 36)),
    row(Dtype::Q8K, "Q8_K", 39, (256, 292)),
    row(Dtype::IQ1S, "IQ1_S", 40, (256, 50)),
    row(Dtype::IQ1M, "IQ1_M", 41, (256, 56)),
    row(Dtype::IQ2XXS, "IQ2_XXS", 42, (256, 66)),
    row(Dtype::IQ2XS, "IQ2_XS", 43, (256, 74)),
    row(Dtype::IQ2S, "IQ2_S", 44, (256, 82)),
    row(Dtype::IQ3XXS, "IQ3_XXS", 45, (256, 98)),
    row(Dtype::IQ3S, "IQ3_S", 46, (256, 110)),
];

impl Dtype {
    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The name in output and JSON: `BF16`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// A code for binary formats. It never changes for a type.
    pub fn code(self) -> u8 {
        self.row().code
    }

    /// The type of a [`Dtype::code`].
    pub fn from_code(code: u8) -> Option<Self> {
        ROWS.iter().find(|row| row.code == code).map(|row| row.dtype)
    }

    /// Elements in one indivisible group of bytes, and the bytes of that group: `(1, 2)` for BF16, `(32, 18)` for Q4_0.
    pub fn block(self) -> (u64, u64) {
        self.row().block
    }

    /// Bytes of `elements` elements; `None` when they do not fill whole blocks or the product overflows.
    pub fn bytes_for(self, elements: u64) -> Option<u64> {
        let (block_elements, block_bytes) = self.block();
        if !elements.is_multiple_of(block_elements) {
            return None;
        }
        (elements / block_elements).checked_mul(block_bytes)
    }

    /// True for whole numbers of any width.
    pub fn is_integer(self) -> bool {
        matches!(
            self,
            Dtype::U4
                | Dtype::I4
                | Dtype::U8
                | Dtype::I8
                | Dtype::U16
                | Dtype::I16
                | Dtype::U32
                | Dtype::I32
                | Dtype::U64
                | Dtype::I64
        )
    }

    /// True where `f32` holds every value of this type.
    pub fn fits_f32(self) -> bool {
        !matches!(
            self,
            Dtype::F64 | Dtype::U64 | Dtype::I64 | Dtype::U32 | Dtype::I32
        )
    }
}

impl std::fmt::Display for Dtype {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_are_in_enum_order_with_unique_codes_and_serde_names() {
        for (index, row) in ROWS.iter().enumerate() {
            assert_eq!(row.dtype as usize, index);
            assert_eq!(Dtype::from_code(row.code), Some(row.dtype));
            assert_eq!(
                serde_json::to_string(&row.dtype).unwrap(),
                format!("\"{}\"", row.name)
            );
        }
    }

    #[test]
    fn sizes_are_refused_where_blocks_do_not_fill() {
        assert_eq!(Dtype::F4.bytes_for(6), Some(3));
        assert_eq!(Dtype::F4.bytes_for(7), None);
        assert_eq!(Dtype::F64.bytes_for(u64::MAX), None);
    }
}
