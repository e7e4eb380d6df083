//! A LoRA adapter out of a delta: the best approximation of each changed matrix by a product of two thin ones.
//!
//! Enters: two checkpoints and a rank. Leaves: factors, and the two files of a PEFT adapter that turns the first checkpoint into nearly
//! the second. Names are what tells an embedding or a GPT-2 `Conv1D` from a linear layer; PEFT keeps their factors the other way round.

use super::pairing::{Pair, pair_up};
use super::spectrum::{
    DeltaRows, OVERSAMPLING, matrix_shape, probe, project, range_of, squared_singular_values,
};
use crate::weights::{Checkpoint, WeightsError};
use nalgebra::DMatrix;
use rayon::prelude::*;
use safetensors::tensor::{Dtype, SafeTensorError, TensorView, serialize};
use serde_json::json;

/// More values than this are not sampled of one matrix: 256 MiB.
const MAX_SAMPLE_VALUES: usize = 1 << 25;

/// What a delta comes to as an adapter.
#[derive(Debug)]
pub struct ExtractedLora {
    pub rank: u32,
    pub factors: Vec<LoraFactors>,
    /// Changed tensors that no factors can carry: not the weight of a layer, not finite, or too large.
    pub left_out: Vec<String>,
}

/// `delta ≈ up · down`.
#[derive(Debug)]
pub struct LoraFactors {
    /// `model.layers.3.self_attn.q_proj`
    pub module: String,
    /// `rows` by `rank`, and `rank` by `columns`, row-major.
    up: Vec<f32>,
    down: Vec<f32>,
    rows: usize,
    columns: usize,
    /// Share of the delta's squared norm that the product has.
    pub explained: f64,
}

/// Approximates every changed matrix of `b - a` in `rank`.
pub fn extract_lora(
    a: &Checkpoint,
    b: &Checkpoint,
    rank: u32,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<ExtractedLora, WeightsError> {
    let pairing = pair_up(a, b);
    let found = pairing
        .pairs
        .par_iter()
        .map(|pair| {
            let factors = factors_of(a, b, pair, rank as usize);
            progress(pair.a.bytes + pair.b.bytes);
            factors
        })
        .collect::<Result<Vec<_>, WeightsError>>()?;
    let mut lora = ExtractedLora {
        rank,
        factors: Vec::new(),
        left_out: Vec::new(),
    };
    for (pair, found) in pairing.pairs.iter().zip(found) {
        match found {
            Found::Unchanged => {}
            Found::LeftOut => lora.left_out.push(pair.a.name.clone()),
            Found::Factors(factors) => lora.factors.push(factors),
        }
    }
    Ok(lora)
}

enum Found {
    Unchanged,
    LeftOut,
    Factors(LoraFactors),
}

fn factors_of(a: &Checkpoint, b: &Checkpoint, pair: &Pair<'_>, rank: usize) -> Result<Found, WeightsError> {
    let matrix = matrix_shape(&pair.a.shape).filter(|_| pair.a.shape.len() == 2);
    let module = pair.a.name.strip_suffix(".weight");
    let (rows, columns) = matrix.unwrap_or((1, pair.a.elements().max(1) as usize));
    let mut delta = DeltaRows::new(a, b, pair, columns);
    let squared = delta.squared_norm()?;
    if squared == 0.0 {
        return Ok(Found::Unchanged);
    }
    let sample = (rank + OVERSAMPLING).min(rows).min(columns);
    let fits = sample.saturating_mul(rows.max(columns)) <= MAX_SAMPLE_VALUES;
    let (Some(module), Some(_), true, true) = (module, matrix, squared.is_finite(), fits) else {
        return Ok(Found::LeftOut);
    };
    let range = range_of(&mut delta, rows, &probe(columns, sample), sample)?;
    // Once more through the delta: what the random probe mixed in of small singular values fades.
    let again = project(&mut delta, &range, columns)?
        .transpose()
        .qr()
        .q()
        .transpose();
    let range = range_of(&mut delta, rows, again.as_slice(), sample)?;
    let projected = project(&mut delta, &range, columns)?;
    let (squares, vectors) = squared_singular_values(&projected);
    let kept = rank.min(sample);
    let explained = squares[..kept].iter().sum::<f64>() / squared;
    let left = &range * &vectors;
    let right = vectors.transpose() * &projected;
    // The square root of each singular value on either side; nothing where there is none.
    let roots: Vec<f64> = squares.iter().map(|square| square.powf(0.25)).collect();
    let up = thin(rows, rank, |row, place| {
        (place < kept).then(|| left[(row, place)] * roots[place])
    });
    let down = thin(rank, columns, |place, column| {
        (place < kept && roots[place] > 0.0).then(|| right[(place, column)] / roots[place])
    });
    Ok(Found::Factors(LoraFactors {
        module: module.to_owned(),
        up,
        down,
        rows,
        columns,
        explained: explained.min(1.0),
    }))
}

/// A matrix row by row; `None` is 0.
fn thin(rows: usize, columns: usize, value: impl Fn(usize, usize) -> Option<f64>) -> Vec<f32> {
    (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (row, column)))
        .map(|(row, column)| value(row, column).unwrap_or(0.0) as f32)
        .collect()
}

impl ExtractedLora {
    /// `adapter_model.safetensors`.
    pub fn weights(&self) -> Result<Vec<u8>, SafeTensorError> {
        let mut tensors: Vec<(String, [usize; 2], Vec<u8>)> = Vec::new();
        for factors in &self.factors {
            let key = |what: &str| format!("base_model.model.{}.{what}", factors.module);
            let [first, second] = factors.as_peft_keeps_them(self.rank as usize);
            let names = match is_embedding(&factors.module) {
                true => ["lora_embedding_A", "lora_embedding_B"],
                false => ["lora_A.weight", "lora_B.weight"],
            };
            tensors.push((key(names[0]), first.0, first.1));
            tensors.push((key(names[1]), second.0, second.1));
        }
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((name.as_str(), TensorView::new(Dtype::F32, shape.to_vec(), bytes)?))
            })
            .collect::<Result<Vec<_>, SafeTensorError>>()?;
        serialize(views, None)
    }

    /// `adapter_config.json`. `base` is where PEFT will look for the base model.
    pub fn config(&self, base: &str) -> serde_json::Value {
        let modules: Vec<&str> = self
            .factors
            .iter()
            .map(|factors| factors.module.as_str())
            .collect();
        json!({
            "peft_type": "LORA",
            "task_type": null,
            "base_model_name_or_path": base,
            "r": self.rank,
            "lora_alpha": self.rank,
            "lora_dropout": 0.0,
            "bias": "none",
            "fan_in_fan_out": modules.iter().any(|module| is_transposed(module)),
            "inference_mode": true,
            "target_modules": modules,
        })
    }
}

impl LoraFactors {
    /// PEFT's A and B, with their shapes: `delta = B·A` of a linear layer, `(B·A)ᵀ` where it keeps the weight transposed.
    fn as_peft_keeps_them(&self, rank: usize) -> [([usize; 2], Vec<u8>); 2] {
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
        if is_embedding(&self.module) || is_transposed(&self.module) {
            let transposed = |values: &[f32], rows: usize, columns: usize| {
                DMatrix::from_row_slice(rows, columns, values).as_slice().to_vec()
            };
            let first = transposed(&self.up, self.rows, rank);
            let second = transposed(&self.down, rank, self.columns);
            return [
                ([rank, self.rows], bytes(&first)),
                ([self.columns, rank], bytes(&second)),
            ];
        }
        [
            ([rank, self.columns], bytes(&self.down)),
            ([self.rows, rank], bytes(&self.up)),
        ]
    }
}

fn last_part(module: &str) -> &str {
    module.rsplit('.').next().unwrap_or(module)
}

fn is_embedding(module: &str) -> bool {
    let name = last_part(module);
    name.contains("embed") || matches!(name, "wte" | "wpe")
}

/// GPT-2's `Conv1D` keeps inputs by outputs.
fn is_transposed(module: &str) -> bool {
    matches!(last_part(module), "c_attn" | "c_proj" | "c_fc" | "q_attn")
}

#[cfg(test)]
mod tests;
