#![allow(clippy::unwrap_used)]
use super::*;
use crate::weights::WeightFile;

fn checkpoint(tensors: &[(&str, [usize; 2], Vec<f32>)]) -> Checkpoint {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    let file = serialize(views, None).unwrap();
    Checkpoint::open(vec![WeightFile::new("model.safetensors", file)]).unwrap()
}

/// Values in -0.5..0.5, the same on every machine.
fn noise(seed: u64, count: usize) -> Vec<f32> {
    use rand::{Rng, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| random.random::<f32>() - 0.5).collect()
}

fn product(left: &[f32], right: &[f32], rows: usize, rank: usize, columns: usize) -> Vec<f32> {
    thin(rows, columns, |row, column| {
        Some(
            (0..rank)
                .map(|k| f64::from(left[row * rank + k]) * f64::from(right[k * columns + column]))
                .sum(),
        )
    })
}

/// An adapter's two tensors for `module`, read back by our own reader.
fn read_back(lora: &ExtractedLora, module: &str, names: [&str; 2]) -> [(Vec<u64>, Vec<f32>); 2] {
    let adapter = Checkpoint::open(vec![WeightFile::new(
        "adapter_model.safetensors",
        lora.weights().unwrap(),
    )])
    .unwrap();
    names.map(|name| {
        let tensor = adapter
            .tensor(&format!("base_model.model.{module}.{name}"))
            .unwrap();
        (tensor.shape.clone(), adapter.read_values(tensor).unwrap())
    })
}

#[test]
fn a_low_rank_delta_is_recovered_whole() {
    let (rows, columns) = (40, 24);
    let delta = product(&noise(1, rows * 3), &noise(2, 3 * columns), rows, 3, columns);
    let base = noise(3, rows * columns);
    let tuned: Vec<f32> = base
        .iter()
        .zip(&delta)
        .map(|(base, delta)| base + delta)
        .collect();
    let small = vec![0.0; 4];
    let before = checkpoint(&[
        ("h.0.c_fc.weight", [rows, columns], base.clone()),
        ("layers.0.q_proj.weight", [rows, columns], base.clone()),
        ("layers.0.q_proj.bias", [1, 4], small.clone()),
        ("norm.weight", [2, 2], small.clone()),
    ]);
    let after = checkpoint(&[
        ("h.0.c_fc.weight", [rows, columns], tuned.clone()),
        ("layers.0.q_proj.weight", [rows, columns], tuned),
        ("layers.0.q_proj.bias", [1, 4], vec![1.0; 4]),
        ("norm.weight", [2, 2], small),
    ]);
    let lora = extract_lora(&before, &after, 5, &|_| {}).unwrap();
    assert_eq!(lora.left_out, ["layers.0.q_proj.bias"]);
    assert!(lora.factors.iter().all(|factors| factors.explained > 0.999_999));

    let near = |ours: &[f32], exact: &[f32]| {
        ours.iter()
            .zip(exact)
            .all(|(ours, exact)| (ours - exact).abs() < 1e-5)
    };
    let [down, up] = read_back(&lora, "layers.0.q_proj", ["lora_A.weight", "lora_B.weight"]);
    assert_eq!((down.0, up.0), (vec![5, 24], vec![40, 5]));
    assert!(near(&product(&up.1, &down.1, rows, 5, columns), &delta));

    let [down, up] = read_back(&lora, "h.0.c_fc", ["lora_A.weight", "lora_B.weight"]);
    assert_eq!((down.0, up.0), (vec![5, 40], vec![24, 5]));
    let transposed = product(&up.1, &down.1, columns, 5, rows);
    let back: Vec<f32> = thin(rows, columns, |row, column| {
        Some(f64::from(transposed[column * rows + row]))
    });
    assert!(near(&back, &delta));

    let config = lora.config("org/base");
    assert_eq!(
        (config["r"].as_u64(), config["lora_alpha"].as_u64()),
        (Some(5), Some(5))
    );
    assert_eq!(config["target_modules"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_delta_of_full_rank_is_approximated_and_says_how_well() {
    let (rows, columns) = (64, 64);
    let base = vec![0.0; rows * columns];
    let before = checkpoint(&[("w.weight", [rows, columns], base)]);
    let after = checkpoint(&[("w.weight", [rows, columns], noise(7, rows * columns))]);
    let lora = extract_lora(&before, &after, 8, &|_| {}).unwrap();
    let explained = lora.factors[0].explained;
    // The eight largest of 64 singular values of noise have about a third of its square.
    assert!((0.25..0.6).contains(&explained), "{explained}");
}

#[test]
fn embeddings_have_names_of_their_own() {
    let before = checkpoint(&[("embed_tokens.weight", [6, 4], vec![0.0; 24])]);
    let after = checkpoint(&[("embed_tokens.weight", [6, 4], noise(1, 24))]);
    let lora = extract_lora(&before, &after, 2, &|_| {}).unwrap();
    let [first, second] = read_back(&lora, "embed_tokens", ["lora_embedding_A", "lora_embedding_B"]);
    assert_eq!((first.0, second.0), (vec![2, 6], vec![4, 2]));
}
