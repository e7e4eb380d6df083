//! Adapters in PEFT's layout: `adapter_config.json` beside `adapter_model.safetensors` that holds factors only.

use crate::model::{Model, Tensor};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

const PREFIX: &str = "base_model.model.";

/// LoRA factors for each target matrix: A drawn as PEFT initialises it, B as training leaves it.
pub fn lora(base: &Model, targets: &[String], rank: usize, rng: &mut impl Rng) -> Model {
    let mut adapter = Model::default();
    for target in targets {
        let tensor = &base.tensors[target];
        let module = target.trim_end_matches(".weight");
        let bound = 1.0 / (tensor.columns() as f64).sqrt();
        let a = normals(&[rank, tensor.columns()], bound, rng);
        let b = normals(&[tensor.rows(), rank], 0.02, rng);
        adapter
            .tensors
            .insert(format!("{PREFIX}{module}.lora_A.weight"), a);
        adapter
            .tensors
            .insert(format!("{PREFIX}{module}.lora_B.weight"), b);
    }
    adapter
}

/// LoRA with DoRA's magnitude vectors: the row norms of the adapted matrix, which start as the base's own.
pub fn dora(base: &Model, targets: &[String], rank: usize, rng: &mut impl Rng) -> Model {
    let mut adapter = lora(base, targets, rank, rng);
    for target in targets {
        let tensor = &base.tensors[target];
        let module = target.trim_end_matches(".weight");
        let rows = base.values(target).chunks_exact(tensor.columns());
        let magnitudes: Vec<f32> = rows
            .map(|row| (super::finetune::norm(row) * (1.0 + 0.01 * sample(rng))) as f32)
            .collect();
        let magnitudes = Tensor::float(vec![tensor.rows()], magnitudes);
        adapter.tensors.insert(
            format!("{PREFIX}{module}.lora_magnitude_vector.weight"),
            magnitudes,
        );
    }
    adapter
}

/// IA3 scales: near one, along the outputs.
pub fn ia3(base: &Model, targets: &[String], rng: &mut impl Rng) -> Model {
    let mut adapter = Model::default();
    for target in targets {
        let rows = base.tensors[target].rows();
        let scales = (0..rows).map(|_| (1.0 + 0.1 * sample(rng)) as f32).collect();
        let module = target.trim_end_matches(".weight");
        adapter.tensors.insert(
            format!("{PREFIX}{module}.ia3_l"),
            Tensor::float(vec![rows, 1], scales),
        );
    }
    adapter
}

/// Prompt tuning: virtual token embeddings, drawn near those of real tokens.
pub fn prompt(base: &Model, embedding: &str, tokens: usize, rng: &mut impl Rng) -> Model {
    let (rows, columns) = (base.tensors[embedding].rows(), base.tensors[embedding].columns());
    let values = base.values(embedding);
    let mut prompt = Vec::new();
    for _ in 0..tokens {
        let row = rng.random_range(0..rows);
        prompt.extend(
            values[row * columns..][..columns]
                .iter()
                .map(|value| value + 0.05 * sample(rng) as f32),
        );
    }
    let tensors = [(
        "prompt_embeddings".to_owned(),
        Tensor::float(vec![tokens, columns], prompt),
    )];
    Model {
        tensors: tensors.into(),
    }
}

/// State tuning of a recurrent model: the initial hidden state and nothing else.
pub fn state(hidden: usize, rng: &mut impl Rng) -> Model {
    Model {
        tensors: [("initial_state".to_owned(), normals(&[1, hidden], 0.1, rng))].into(),
    }
}

fn normals(shape: &[usize], deviation: f64, rng: &mut impl Rng) -> Tensor {
    let count = shape.iter().product::<usize>();
    Tensor::float(
        shape.to_vec(),
        (0..count).map(|_| (deviation * sample(rng)) as f32).collect(),
    )
}

fn sample(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}
