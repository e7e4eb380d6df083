#![allow(clippy::unwrap_used)]
use super::{DiffOptions, DiffReport, TensorDiff, diff};
use crate::weights::{Checkpoint, WeightFile};
use half::bf16;
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView, serialize};

/// A tensor to write: name, type, shape, bytes.
type Written = (&'static str, Dtype, Vec<usize>, Vec<u8>);

fn checkpoint(tensors: &[Written]) -> Checkpoint {
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    let bytes = serialize(views, None).unwrap();
    Checkpoint::open(vec![WeightFile::new("model.safetensors", bytes)]).unwrap()
}

fn floats(name: &'static str, shape: &[usize], values: &[f32]) -> Written {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    (name, Dtype::F32, shape.to_vec(), bytes)
}

fn halves(name: &'static str, shape: &[usize], values: &[f32]) -> Written {
    let bytes = values
        .iter()
        .flat_map(|value| bf16::from_f32(*value).to_le_bytes())
        .collect();
    (name, Dtype::BF16, shape.to_vec(), bytes)
}

fn compare(a: &[Written], b: &[Written], max_rank: Option<u32>) -> DiffReport {
    diff(&checkpoint(a), &checkpoint(b), DiffOptions { max_rank }, &|_| {}).unwrap()
}

fn compare_values(a: &[f32], b: &[f32]) -> TensorDiff {
    let a = floats("w", &[a.len()], a);
    let b = floats("w", &[b.len()], b);
    compare(&[a], &[b], None).tensors.remove(0)
}

/// A fixed stream of values in -0.5..0.5, the same on every machine.
fn noise(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn names_shapes_and_types_are_sorted_out() {
    let a = [
        floats("gone", &[1], &[1.0]),
        floats("kept", &[2], &[1.0, 2.0]),
        floats("shaped", &[2], &[1.0, 2.0]),
    ];
    let b = [
        halves("kept", &[2], &[1.0, 2.5]),
        floats("new", &[1], &[1.0]),
        floats("shaped", &[1, 2], &[1.0, 2.0]),
    ];
    let report = compare(&a, &b, None);
    assert_eq!(report.removed, ["gone"]);
    assert_eq!(report.added, ["new"]);
    assert_eq!(report.reshaped, ["shaped"]);
    let kept = &report.tensors[0];
    assert_eq!((kept.elements, kept.changed), (2, 1));
    assert_eq!((kept.max_abs, kept.mean_abs, kept.l2), (0.5, 0.25, 0.5));
    assert_eq!(report.relative_l2, Some(0.5 / 5f64.sqrt()));
}

#[test]
fn tensors_of_one_role_meet_under_other_names() {
    let a = [
        floats("model.layers.0.self_attn.q_proj.weight", &[2], &[1.0, 2.0]),
        floats("model.norm.weight", &[1], &[1.0]),
        floats("norm.weight", &[1], &[1.0]),
    ];
    let b = [
        floats("blk.0.attn_q.weight", &[2], &[1.0, 3.0]),
        floats("output_norm.weight", &[1], &[1.0]),
    ];
    let report = compare(&a, &b, None);
    assert_eq!(report.tensors.len(), 1);
    assert_eq!(report.tensors[0].name, "blk.0.attn_q.weight");
    // Two of `a` would play this role: no pair rather than a wrong one.
    assert_eq!(report.added, ["output_norm.weight"]);
    assert_eq!(report.removed, ["model.norm.weight", "norm.weight"]);
}

#[test]
fn non_finite_pairs_are_counted_and_left_out() {
    let nan = f32::NAN;
    let tensor = compare_values(&[nan, nan, f32::INFINITY, 1.0], &[nan, 1.0, f32::INFINITY, 3.0]);
    assert_eq!((tensor.changed, tensor.non_finite), (2, 3));
    assert_eq!((tensor.l2, tensor.mean, tensor.max_abs), (2.0, 2.0, 2.0));
    assert_eq!(tensor.cosine, Some(1.0));

    let all_nan = compare_values(&[nan], &[1.0]);
    assert_eq!((all_nan.changed, all_nan.l2, all_nan.mean_abs), (1, 0.0, 0.0));
    assert_eq!((all_nan.relative_l2, all_nan.cosine), (None, None));
}

#[test]
fn zeros_and_empty_tensors_have_no_ratio() {
    let tensor = compare_values(&[0.0, 0.0], &[0.0, 1.0]);
    assert_eq!((tensor.relative_l2, tensor.cosine), (None, None));
    let empty = compare_values(&[], &[]);
    assert_eq!(
        (empty.elements, empty.mean_abs, empty.bit_distance),
        (0, 0.0, 0.0)
    );
}

#[test]
fn integers_beyond_the_reach_of_floats_still_differ() {
    let integers = |value: i64| ("w", Dtype::I64, vec![1], value.to_le_bytes().to_vec());
    let far = 1i64 << 60;
    assert_eq!(
        compare(&[integers(far)], &[integers(far + 1)], None).changed_elements,
        1
    );
    assert_eq!(
        compare(&[integers(far)], &[integers(far)], None).changed_elements,
        0
    );
}

#[test]
fn tensors_of_many_chunks_add_up_whatever_the_number_of_threads() {
    let count = (1 << 20) + (1 << 16) + 13;
    let a = noise(1, count);
    let b: Vec<f32> = a.iter().zip(noise(2, count)).map(|(a, n)| a + 0.01 * n).collect();
    let (a, b) = ([floats("w", &[count], &a)], [floats("w", &[count], &b)]);
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| compare(&a, &b, None))
    };
    let one = with_threads(1);
    assert_eq!(one.elements, count as u64);
    assert_eq!(one, with_threads(3));
}

#[test]
fn progress_tells_every_byte_once() {
    let values = noise(3, 100_000);
    let a = checkpoint(&[floats("w", &[100_000], &values)]);
    let b = checkpoint(&[halves("w", &[100_000], &values)]);
    let told = std::sync::atomic::AtomicU64::new(0);
    let tell = |bytes| {
        told.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    };
    diff(&a, &b, DiffOptions::default(), &tell).unwrap();
    assert_eq!(told.into_inner(), a.bytes() + b.bytes());
}

/// `base + left·right` with a product of `rank` columns.
fn low_rank_change(rows: usize, columns: usize, rank: usize) -> (Vec<f32>, Vec<f32>) {
    let base = noise(5, rows * columns);
    let left = noise(6, rows * rank);
    let right = noise(7, rank * columns);
    let changed = (0..rows * columns).map(|index| {
        let (row, column) = (index / columns, index % columns);
        let product: f32 = (0..rank)
            .map(|k| left[row * rank + k] * right[k * columns + column])
            .sum();
        base[index] + product
    });
    let changed = changed.collect();
    (base, changed)
}

#[test]
fn the_rank_of_a_delta_is_recovered_through_rounding() {
    let shape = [96, 160];
    for rank in [1, 4, 16] {
        let (base, changed) = low_rank_change(shape[0], shape[1], rank);
        let single = compare(
            &[floats("w", &shape, &base)],
            &[floats("w", &shape, &changed)],
            Some(24),
        );
        assert_eq!(single.tensors[0].rank, Some(rank as u32), "f32, rank {rank}");
        let base: Vec<f32> = base.iter().map(|value| bf16::from_f32(*value).to_f32()).collect();
        let rounded = compare(
            &[halves("w", &shape, &base)],
            &[halves("w", &shape, &changed)],
            Some(24),
        );
        assert_eq!(rounded.tensors[0].rank, Some(rank as u32), "bf16, rank {rank}");
    }
}

#[test]
fn a_rank_is_not_claimed_where_there_is_none() {
    let shape = [96, 160];
    let (base, changed) = low_rank_change(96, 160, 40);
    let tensors = |values: &[f32]| [floats("w", &shape, values), floats("bias", &[4], &values[..4])];
    let report = compare(&tensors(&base), &tensors(&changed), Some(8));
    let ranks: Vec<_> = report
        .tensors
        .iter()
        .map(|tensor| (tensor.rank, tensor.rank_above))
        .collect();
    assert_eq!(ranks, [(None, None), (None, Some(8))]);
    let full: Vec<f32> = base
        .iter()
        .zip(noise(9, 96 * 160))
        .map(|(b, n)| b + 0.01 * n)
        .collect();
    assert_eq!(
        compare(&tensors(&base), &tensors(&full), Some(8)).tensors[1].rank,
        None
    );
    assert_eq!(
        compare(&tensors(&base), &tensors(&base), Some(8)).tensors[1].rank,
        Some(0)
    );
    assert_eq!(
        compare(&tensors(&base), &tensors(&changed), None).tensors[1].rank,
        None
    );
}

fn pairs() -> impl Strategy<Value = Vec<(f32, f32)>> {
    prop::collection::vec((-1e3f32..1e3, -1e3f32..1e3), 1..3000)
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(values in prop::collection::vec(any::<f32>(), 1..3000)) {
        let tensor = compare_values(&values, &values);
        prop_assert_eq!((tensor.changed, tensor.max_abs, tensor.l2, tensor.bit_distance), (0, 0.0, 0.0, 0.0));
    }

    #[test]
    fn swapping_the_sides_negates_what_has_a_sign(pairs in pairs()) {
        let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        let (forth, back) = (compare_values(&a, &b), compare_values(&b, &a));
        prop_assert_eq!(forth.mean, -back.mean);
        prop_assert_eq!(
            (forth.changed, forth.max_abs, forth.mean_abs, forth.l2, forth.bit_distance, forth.histogram),
            (back.changed, back.max_abs, back.mean_abs, back.l2, back.bit_distance, back.histogram)
        );
    }

    #[test]
    fn agrees_with_the_definition(pairs in pairs()) {
        let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
        let tensor = compare_values(&a, &b);
        let deltas: Vec<f64> = pairs.iter().map(|(a, b)| f64::from(*b) - f64::from(*a)).collect();
        let count = pairs.len() as f64;
        let near = |ours: f64, theirs: f64| (ours - theirs).abs() <= 4e-6 * theirs.abs().max(1e-9);
        prop_assert_eq!(tensor.changed, pairs.iter().filter(|(a, b)| a.to_bits() != b.to_bits()).count() as u64);
        prop_assert!(near(tensor.max_abs, deltas.iter().fold(0.0, |max: f64, delta| max.max(delta.abs()))));
        prop_assert!(near(tensor.mean_abs, deltas.iter().map(|delta| delta.abs()).sum::<f64>() / count));
        prop_assert!(near(tensor.l2, deltas.iter().map(|delta| delta * delta).sum::<f64>().sqrt()));
        let bits: u32 = pairs.iter().map(|(a, b)| (a.to_bits() ^ b.to_bits()).count_ones()).sum();
        prop_assert!(near(tensor.bit_distance, f64::from(bits) / count));
    }
}
