//! The algebra of fingerprints: linearity, error bounds, layout independence, the stored form.

#![allow(clippy::unwrap_used)]

mod levels;
mod stored;

use super::*;
use crate::weights::WeightFile;
use proptest::prelude::*;
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::TensorView;

/// A tensor to build checkpoints from.
#[derive(Debug, Clone)]
struct Built {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn random(name: &str, shape: &[usize], seed: u64) -> Built {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let values = (0..shape.iter().product::<usize>())
        .map(|_| random.random_range(-1.0f32..1.0))
        .collect();
    Built {
        name: name.to_owned(),
        shape: shape.to_vec(),
        values,
    }
}

impl Built {
    fn plus(&self, other: &Built, scale: f32) -> Built {
        let values = self
            .values
            .iter()
            .zip(&other.values)
            .map(|(a, b)| a + scale * b)
            .collect();
        Built {
            values,
            ..self.clone()
        }
    }

    fn norm(&self) -> f64 {
        self.values
            .iter()
            .map(|value| f64::from(*value).powi(2))
            .sum::<f64>()
            .sqrt()
    }
}

fn file(name: &str, tensors: &[Built], dtype: Dtype) -> WeightFile {
    let stored: Vec<Vec<u8>> = tensors
        .iter()
        .map(|tensor| match dtype {
            Dtype::BF16 => tensor
                .values
                .iter()
                .flat_map(|value| half::bf16::from_f32(*value).to_le_bytes())
                .collect(),
            _ => tensor
                .values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        })
        .collect();
    let kind = if dtype == Dtype::BF16 {
        safetensors::Dtype::BF16
    } else {
        safetensors::Dtype::F32
    };
    let views = tensors.iter().zip(&stored).map(|(tensor, bytes)| {
        (
            tensor.name.clone(),
            TensorView::new(kind, tensor.shape.clone(), bytes).unwrap(),
        )
    });
    WeightFile::new(name, safetensors::serialize(views, None).unwrap())
}

fn full(files: Vec<WeightFile>) -> Fingerprint {
    fingerprint(&Checkpoint::open(files).unwrap(), Level::Full, &|_| ()).unwrap()
}

fn of(tensors: &[Built]) -> Fingerprint {
    full(vec![file("model.safetensors", tensors, Dtype::F32)])
}

fn sketch_of(tensor: &Built) -> Sketch {
    of(std::slice::from_ref(tensor)).tensors[0]
        .sketch
        .clone()
        .unwrap()
}

fn small_model() -> Vec<Built> {
    vec![
        random("embed.weight", &[700, 96], 1),
        random("layers.0.attn.q_proj.weight", &[96, 96], 2),
        random("layers.0.mlp.weight", &[300, 96], 3),
        random("layers.0.norm.weight", &[96], 4),
        random("layers.0.conv.weight", &[8, 4, 3, 3], 5),
        random("scale", &[], 6),
    ]
}

#[test]
fn layout_leaves_the_model_digest() {
    let tensors = small_model();
    let whole = of(&tensors);
    let sharded = full(vec![
        file("model-00001-of-00002.safetensors", &tensors[3..], Dtype::F32),
        file("model-00002-of-00002.safetensors", &tensors[..3], Dtype::F32),
    ]);
    assert_eq!((whole.layout.files, sharded.layout.files), (1, 2));
    assert_eq!(sharded.tensors, whole.tensors);
    assert_eq!(sharded.named_digest, whole.named_digest);
    let renamed: Vec<Built> = tensors
        .iter()
        .map(|tensor| Built {
            name: format!("module.{}", tensor.name),
            ..tensor.clone()
        })
        .collect();
    let renamed = of(&renamed);
    assert_eq!(renamed.model_digest, whole.model_digest);
    assert_ne!(renamed.named_digest, whole.named_digest);
    assert_eq!(renamed.architecture, whole.architecture);
    let mut touched = tensors;
    touched[0].values[12_345] += 1e-6;
    assert_ne!(of(&touched).model_digest, whole.model_digest);
}

/// A relative is as far as its tensors moved, whatever they are called; independent weights are far.
#[test]
fn signatures_measure_how_far_models_are_apart() {
    let base: Vec<Built> = (0..24)
        .map(|layer| random(&format!("layers.{layer}.weight"), &[64, 96], layer))
        .collect();
    let moved: Vec<Built> = base
        .iter()
        .zip(100..)
        .map(|(tensor, seed)| Built {
            name: format!("other.{}", tensor.name),
            ..tensor.plus(&random("", &[64, 96], seed), 0.1)
        })
        .collect();
    let strangers: Vec<Built> = (200..224)
        .map(|seed| random(&format!("{seed}.weight"), &[64, 96], seed))
        .collect();
    let [base, moved, strangers] = [base, moved, strangers].map(|tensors| of(&tensors).signature().unwrap());
    let near = base.distance(&moved);
    assert!((0.05..0.2).contains(&near), "{near}");
    assert!(base.distance(&strangers) > 0.9);
}

#[test]
fn threads_do_not_change_a_bit() {
    let tensors = [
        small_model(),
        vec![
            random("large.weight", &[1500, 1100], 9),
            random("wide", &[300_000], 10),
        ],
    ]
    .concat();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| of(&tensors).to_bytes())
    };
    let one = with(1);
    assert_eq!(with(2), one);
    assert_eq!(with(7), one);
}

#[test]
fn a_cast_moves_a_fingerprint_by_rounding_only() {
    let exact: Vec<Built> = small_model()
        .into_iter()
        .map(|tensor| Built {
            values: tensor
                .values
                .iter()
                .map(|value| half::bf16::from_f32(*value).to_f32())
                .collect(),
            ..tensor
        })
        .collect();
    let (wide, narrow) = (
        of(&exact),
        full(vec![file("model.safetensors", &exact, Dtype::BF16)]),
    );
    for (wide, narrow) in wide.tensors.iter().zip(&narrow.tensors) {
        assert_ne!(wide.digest, narrow.digest);
        assert_eq!(wide.value_digest, narrow.value_digest);
        assert_eq!(wide.stats, narrow.stats);
        assert_eq!(wide.invariants, narrow.invariants);
    }
    let source = small_model();
    let lossy = full(vec![file("model.safetensors", &source, Dtype::BF16)]);
    for (source, lossy) in of(&source).tensors.iter().zip(&lossy.tensors) {
        assert_eq!(source.invariants, lossy.invariants, "{}", source.name);
        let (a, b) = (source.sketch.as_ref().unwrap(), lossy.sketch.as_ref().unwrap());
        assert!(b.minus(a).norm_squared() < a.norm_squared() * 1e-4);
    }
}

#[test]
fn reordering_neurons_leaves_the_invariants() {
    let tensor = random("weight", &[40, 30], 11);
    let permuted = Built {
        values: (0..40)
            .flat_map(|row| (0..30).map(move |col| (row * 7 % 40, col * 11 % 30)))
            .map(|(row, col)| tensor.values[row * 30 + col])
            .collect(),
        ..tensor.clone()
    };
    let dropped = Built {
        shape: vec![35, 30],
        values: tensor.values[150..].to_vec(),
        ..tensor.clone()
    };
    let [tensor, permuted, dropped] =
        [tensor, permuted, dropped].map(|built| of(&[built]).tensors[0].clone());
    assert_eq!(permuted.invariants, tensor.invariants);
    assert_eq!(permuted.stats.unwrap().row_norms, tensor.stats.unwrap().row_norms);
    let (kept, all) = (dropped.invariants.unwrap().rows, tensor.invariants.unwrap().rows);
    assert!(kept.iter().filter(|hash| all.contains(hash)).count() >= KEPT_HASHES / 2);
}

#[test]
fn estimates_stay_within_the_bound() {
    let base = random("weight", &[600, 400], 20);
    let base_sketch = sketch_of(&base).fold(16, 16);
    let bound = 1.0 / 16.0;
    let (mut norm_error, mut cosine_error) = (0.0, 0.0);
    let trials = 24;
    for seed in 0..trials {
        let first = random("weight", &[600, 400], 100 + seed);
        let second = random("weight", &[600, 400], 200 + seed).plus(&first, 0.7);
        let [a, b] = [&first, &second].map(|delta| sketch_of(&base.plus(delta, 0.01)).minus(&base_sketch));
        let norm = a.norm_squared().sqrt() / (0.01 * first.norm());
        norm_error += (norm - 1.0).powi(2) / trials as f64;
        let cosine = a.dot(&b) / (a.norm_squared() * b.norm_squared()).sqrt();
        let exact: f64 = first
            .values
            .iter()
            .zip(&second.values)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum();
        cosine_error += (cosine - exact / (first.norm() * second.norm())).powi(2) / trials as f64;
    }
    assert!(
        norm_error.sqrt() < bound,
        "norms are off by {}",
        norm_error.sqrt()
    );
    assert!(
        cosine_error.sqrt() < bound,
        "cosines are off by {}",
        cosine_error.sqrt()
    );
}

#[test]
fn a_taller_tensor_subtracts_as_if_padded_with_zeros() {
    let grown = random("embed", &[900, 64], 30);
    let old = Built {
        shape: vec![800, 64],
        values: grown.values[..800 * 64].to_vec(),
        ..grown.clone()
    };
    let new_rows = grown.values[800 * 64..]
        .iter()
        .map(|value| f64::from(*value).powi(2))
        .sum::<f64>();
    let difference = sketch_of(&grown).minus(&sketch_of(&old)).norm_squared();
    assert!(
        (difference / new_rows - 1.0).abs() < 0.2,
        "{difference} against {new_rows}"
    );
}

#[test]
fn a_model_of_usual_size_fits_the_budget() {
    let mut planned = Vec::new();
    let names: Vec<String> = (0..12)
        .flat_map(|layer| {
            [
                "query",
                "key",
                "value",
                "attention.output",
                "intermediate",
                "output",
            ]
            .into_iter()
            .flat_map(move |role| {
                ["weight", "bias"].map(|kind| format!("bert.encoder.layer.{layer}.{role}.{kind}"))
            })
        })
        .collect();
    for name in &names {
        let view = if name.ends_with("bias") {
            View { rows: 1, cols: 768 }
        } else {
            View {
                rows: 768,
                cols: 3072,
            }
        };
        planned.push(plan::Planned {
            name,
            dtype: Dtype::F32,
            view,
        });
    }
    let stored: usize = plan::plan(&planned)
        .iter()
        .map(|sizes| {
            4 * (usize::from(sizes.sketch_rows * sizes.sketch_cols)
                + (sizes.probe_rows * sizes.probe_cols) as usize)
        })
        .sum();
    assert!(stored < BUDGET_BYTES - names.len() * 160, "{stored}");
    let tensors = small_model();
    assert!(of(&tensors).to_bytes().len() < BUDGET_BYTES);
}

#[test]
fn counts_tell_grids_and_patterns() {
    let mut tensor = random("weight", &[64, 128], 40);
    for (index, value) in tensor.values.iter_mut().enumerate() {
        *value = if index % 4 < 2 {
            0.0
        } else {
            (*value * 7.0).round() / 7.0
        };
    }
    let stats = of(&[tensor]).tensors[0].stats.clone().unwrap();
    assert_eq!(stats.fewest_zeros, [2, 4, 8]);
    assert_eq!(stats.two_of_four, 1.0);
    assert_eq!(stats.distinct, 15);
    assert!(stats.run_distinct.iter().all(|count| *count <= 15));
    assert_eq!(stats.run_distinct[4], 0, "rows are shorter than 256");
}

#[test]
fn non_finite_values_are_counted_and_skipped() {
    let tensor = Built {
        name: "weight".into(),
        shape: vec![2, 3],
        values: vec![f32::NAN, 1.0, f32::INFINITY, -1.0, 0.0, f32::NEG_INFINITY],
    };
    let tensor = of(&[tensor]).tensors[0].clone();
    let stats = tensor.stats.unwrap();
    assert_eq!(
        (stats.count, stats.non_finite, stats.zeros, stats.abs_max),
        (6, 3, 1, 1.0)
    );
    assert!((tensor.sketch.unwrap().norm_squared() - 2.0).abs() < 1e-6);
    let nothing = Built {
        name: "weight".into(),
        shape: vec![4, 8],
        values: vec![f32::NAN; 32],
    };
    let fingerprint = of(&[nothing]);
    let stats = fingerprint.tensors[0].stats.as_ref().unwrap();
    assert_eq!((stats.non_finite, stats.l2, stats.zeros), (32, 0.0, 0));
    assert_eq!(fingerprint.signature(), None);
}

#[test]
fn empty_tensors_and_metadata_level_have_no_values() {
    let checkpoint = Checkpoint::open(vec![file(
        "m.safetensors",
        &[random("none", &[0, 4], 1), random("some", &[3], 2)],
        Dtype::F32,
    )])
    .unwrap();
    let metadata = fingerprint(&checkpoint, Level::Metadata, &|_| ()).unwrap();
    assert_eq!(metadata.model_digest, None);
    let whole = fingerprint(&checkpoint, Level::Full, &|_| ()).unwrap();
    assert_eq!(whole.architecture, metadata.architecture);
    assert!(whole.tensors[0].sketch.is_none());
    for fingerprint in [metadata, whole] {
        assert_eq!(
            Fingerprint::from_bytes(&fingerprint.to_bytes()).unwrap(),
            fingerprint
        );
    }
}

#[test]
fn progress_adds_up_to_the_bytes() {
    let checkpoint = Checkpoint::open(vec![file("m.safetensors", &small_model(), Dtype::F32)]).unwrap();
    let done = std::sync::atomic::AtomicU64::new(0);
    let add = |bytes| {
        done.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    };
    fingerprint(&checkpoint, Level::Full, &add).unwrap();
    assert_eq!(done.into_inner(), checkpoint.bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sketches_are_linear(rows in 1usize..80, cols in 1usize..150, seed: u64, scale in -2.0f32..2.0) {
        let a = random("weight", &[rows, cols], seed);
        let b = random("weight", &[rows, cols], !seed);
        let sum = sketch_of(&a.plus(&b, scale));
        let (a, b) = (sketch_of(&a), sketch_of(&b));
        for ((sum, a), b) in sum.cells.iter().zip(&a.cells).zip(&b.cells) {
            prop_assert!((sum - (a + scale * b)).abs() < 1e-4);
        }
    }

    #[test]
    fn a_matrix_no_larger_than_the_sketch_is_kept_whole(rows in 2usize..64, cols in 2usize..64, seed: u64) {
        let tensor = random("attn.weight", &[rows, cols], seed);
        let sketch = sketch_of(&tensor);
        prop_assert!((sketch.norm_squared().sqrt() / tensor.norm() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn folding_is_sketching_coarsely(seed: u64) {
        let tensor = random("weight", &[100, 90], seed);
        let fine = sketch_of(&tensor);
        let folded = fine.fold(8, 4);
        prop_assert_eq!((folded.rows, folded.cols), (8, 4));
        let mut builder = sketch::SketchBuilder::new(8, 4);
        for (row, values) in tensor.values.chunks(90).enumerate() {
            builder.add(row as u64, 0, values);
        }
        for (a, b) in folded.cells.iter().zip(&builder.finish().cells) {
            prop_assert!((a - b).abs() < 1e-4);
        }
    }
}
