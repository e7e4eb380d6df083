//! GPTQ and AWQ: codes in 32-bit words, a scale and a zero point for each group of inputs and each output. Both store the
//! transpose of a linear layer's weight.
//!
//! GPTQ packs along the inputs, lowest bits first, and stores zero points less one unless its format is `gptq_v2` (GPTQModel's
//! `nn_modules/qlinear`); `g_idx` names the group of each input. AWQ packs along the outputs, in the order of AutoAWQ's
//! `modules/linear/gemm.py`.

use super::stored::{Matrix, Stored, packed_code, piece_rows};
use super::{Decoder, PackedLayout, Packing, Unpacked};
use crate::weights::TensorInfo;
use std::io::{Error, ErrorKind, Result};
use std::ops::Range;

/// Where in a word of AWQ the code of each of eight outputs lies.
const AWQ_PLACES: [u64; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

pub(super) fn recognise(stored: &Stored<'_>, codes: &TensorInfo) -> Option<Unpacked> {
    let module = codes.name.strip_suffix("qweight")?;
    let part = |name: &str| stored.matrix(&format!("{module}{name}"));
    let (codes, zeros, scales) = (stored.as_matrix(codes)?, part("qzeros")?, part("scales")?);
    if !codes.is_words() || !zeros.is_words() || zeros.rows != scales.rows || scales.rows == 0 {
        return None;
    }
    let outputs = scales.columns;
    let along_inputs = codes.columns == outputs;
    let bits = u32::try_from((zeros.columns * 32).checked_div(outputs)?).ok()?;
    if !matches!(bits, 2..=8) || (!along_inputs && (bits != 4 || codes.columns * 8 != outputs)) {
        return None;
    }
    let groups = part("g_idx");
    let inputs = match (&groups, along_inputs) {
        (Some(index), _) => index.columns,
        (None, true) => codes.rows * 32 / u64::from(bits),
        (None, false) => codes.rows,
    };
    let stored_inputs = if along_inputs {
        (inputs * u64::from(bits)).div_ceil(32)
    } else {
        inputs
    };
    if codes.rows != stored_inputs || inputs == 0 {
        return None;
    }
    let layout = if along_inputs {
        PackedLayout::Gptq
    } else {
        PackedLayout::Awq
    };
    let group_size = inputs.div_ceil(scales.rows);
    let sample = zeros.words(0..1, 0..zeros.columns.min(16)).ok()?;
    let offset = match layout {
        PackedLayout::Gptq => *stored
            .zero_offset
            .get_or_init(|| zero_offset(stored, bits, &sample)),
        _ => 0.0,
    };
    let symmetric = match stored.config().get("sym").and_then(|sym| sym.as_bool()) {
        Some(symmetric) => symmetric,
        None => all_codes_are(bits, &sample, (1 << (bits - 1)) - offset as u32),
    };
    let names = ["qweight", "qzeros", "scales", "g_idx"].map(|part| format!("{module}{part}"));
    Some(Unpacked {
        name: format!("{module}weight"),
        shape: vec![outputs, inputs],
        parts: names.into(),
        packing: Packing {
            layout,
            bits: bits as u8,
            group_size: if scales.rows == 1 {
                0
            } else {
                u32::try_from(group_size).ok()?
            },
            symmetric,
        },
        decoder: Box::new(GroupedInputs {
            codes,
            zeros,
            scales,
            groups: groups.filter(|_| along_inputs),
            group_size,
            inputs,
            outputs,
            bits,
            offset,
            along_inputs,
        }),
    })
}

/// 1 where zero points are stored less one. The config says so; without it, symmetric zero points are the middle code or one less.
fn zero_offset(stored: &Stored<'_>, bits: u32, sample: &[u32]) -> f32 {
    let format = stored
        .config()
        .get("checkpoint_format")
        .and_then(|format| format.as_str());
    match format {
        Some("gptq_v2") => 0.0,
        Some(_) => 1.0,
        None if all_codes_are(bits, sample, 1 << (bits - 1)) => 0.0,
        None => 1.0,
    }
}

/// Whether the codes that lie within `words` are all `wanted`.
fn all_codes_are(bits: u32, words: &[u32], wanted: u32) -> bool {
    let count = words.len() as u64 * 32 / u64::from(bits);
    (0..count).all(|index| packed_code(bits, index, |place| word_at(words, place)) == wanted)
}

fn word_at(words: &[u32], place: u64) -> u32 {
    words.get(place as usize).copied().unwrap_or(0)
}

struct GroupedInputs {
    codes: Matrix,
    zeros: Matrix,
    scales: Matrix,
    groups: Option<Matrix>,
    group_size: u64,
    inputs: u64,
    outputs: u64,
    bits: u32,
    offset: f32,
    along_inputs: bool,
}

impl GroupedInputs {
    /// The group of every input.
    fn group_of_inputs(&self) -> Result<Vec<usize>> {
        let Some(groups) = &self.groups else {
            return Ok((0..self.inputs)
                .map(|input| (input / self.group_size) as usize)
                .collect());
        };
        let index = groups.words(0..1, 0..self.inputs)?;
        if index.iter().any(|group| u64::from(*group) >= self.scales.rows) {
            return Err(Error::new(
                ErrorKind::InvalidData,
                "g_idx names a group that has no scale",
            ));
        }
        Ok(index.into_iter().map(|group| group as usize).collect())
    }

    /// The words of a matrix packed along the outputs that hold some outputs, and how many there are in a row.
    fn words_of_outputs(&self, packed: &Matrix, outputs: &Range<u64>) -> Result<(Vec<u32>, u64, u64)> {
        let bits = u64::from(self.bits);
        let first = outputs.start * bits / 32;
        // AWQ reorders within a word, so whole words are taken.
        let last = (outputs.end * bits).div_ceil(32).min(packed.columns);
        Ok((packed.words(0..packed.rows, first..last)?, first, last - first))
    }

    /// The code of `output` in a row of words packed along the outputs.
    fn code_along_outputs(&self, words: &[u32], first: u64, output: u64) -> u32 {
        let index = match self.along_inputs {
            true => output,
            false => output / 8 * 8 + AWQ_PLACES[(output % 8) as usize],
        };
        packed_code(self.bits, index, |place| word_at(words, place - first))
    }
}

impl Decoder for GroupedInputs {
    fn piece_elements(&self) -> u64 {
        // Whole words of outputs, whatever the bits.
        piece_rows(self.inputs).next_multiple_of(32).min(self.outputs) * self.inputs
    }

    fn decode(&self, elements: Range<u64>) -> Result<Vec<f32>> {
        let outputs = elements.start / self.inputs..elements.end / self.inputs;
        let width = (outputs.end - outputs.start) as usize;
        let group_of = self.group_of_inputs()?;
        let scales = self.scales.values(0..self.scales.rows, outputs.clone())?;
        let (zero_words, first, per_row) = self.words_of_outputs(&self.zeros, &outputs)?;
        let zeros: Vec<f32> = zero_words
            .chunks_exact(per_row.max(1) as usize)
            .flat_map(|words| outputs.clone().map(move |output| (words, output)))
            .map(|(words, output)| self.code_along_outputs(words, first, output) as f32 + self.offset)
            .collect();
        let (code_words, first, per_row) = match self.along_inputs {
            true => (
                self.codes.words(0..self.codes.rows, outputs.clone())?,
                0,
                width as u64,
            ),
            false => self.words_of_outputs(&self.codes, &outputs)?,
        };
        let mut values = vec![0.0; width * self.inputs as usize];
        for (place, line) in values.chunks_exact_mut(self.inputs as usize).enumerate() {
            for (input, value) in line.iter_mut().enumerate() {
                let code = if self.along_inputs {
                    let word = |row: u64| word_at(&code_words, row * per_row + place as u64);
                    packed_code(self.bits, input as u64, word)
                } else {
                    let words = &code_words[input * per_row as usize..][..per_row as usize];
                    self.code_along_outputs(words, first, outputs.start + place as u64)
                };
                let parameter = group_of[input] * width + place;
                *value = (code as f32 - zeros[parameter]) * scales[parameter];
            }
        }
        Ok(values)
    }
}
