//! The report of a GPU beside that of the CPU: counts and histograms equal, sums within the bound that `Device` states. On machines
//! without a card, Mesa's lavapipe plays one (`scripts/setup vulkan`); where no driver can be had, these tests say so and pass.
#![allow(clippy::unwrap_used)]

use half::{bf16, f16};
use heirloom_core::delta::{Device, DiffOptions, DiffReport, TensorDiff, diff, diff_on};
use heirloom_core::weights::{Checkpoint, WeightFile};
use heirloom_gpu::{Gpu, GpuError};
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::sync::OnceLock;

/// Of the size of a sum.
const BOUND: f64 = 4e-6;

/// A tensor to write: name, type, shape, bytes.
type Written = (String, Dtype, Vec<usize>, Vec<u8>);

fn gpu() -> Option<&'static Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    let open = || match Gpu::open(true) {
        Ok(gpu) => Some(gpu),
        Err(GpuError::None) => {
            eprintln!("NOT TESTED: no Vulkan driver is installed; scripts/setup vulkan installs one");
            None
        }
        Err(error) => panic!("{error}"),
    };
    GPU.get_or_init(open).as_ref()
}

fn checkpoint(tensors: &[Written]) -> Checkpoint {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (
            name.as_str(),
            TensorView::new(*dtype, shape.clone(), bytes).unwrap(),
        )
    });
    let bytes = serialize(views, None).unwrap();
    Checkpoint::open(vec![WeightFile::new("model.safetensors", bytes)]).unwrap()
}

/// Of bit patterns, of which types of 16 bits take the lower half.
fn tensor(name: impl Into<String>, dtype: Dtype, patterns: &[u32]) -> Written {
    let bytes: Vec<u8> = match dtype {
        Dtype::F32 => patterns.iter().flat_map(|bits| bits.to_le_bytes()).collect(),
        _ => patterns
            .iter()
            .flat_map(|bits| (*bits as u16).to_le_bytes())
            .collect(),
    };
    (name.into(), dtype, vec![patterns.len()], bytes)
}

fn patterns(dtype: Dtype, values: &[f32]) -> Vec<u32> {
    let pattern = |value: &f32| match dtype {
        Dtype::F32 => value.to_bits(),
        Dtype::F16 => u32::from(f16::from_f32(*value).to_bits()),
        _ => u32::from(bf16::from_f32(*value).to_bits()),
    };
    values.iter().map(pattern).collect()
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

/// As training does it: most values move a little, some not at all.
fn fine_tuned(values: &[f32], seed: u32) -> Vec<f32> {
    let change = noise(seed, values.len());
    let moved = |(value, change): (&f32, &f32)| {
        if *change > 0.3 {
            *value
        } else {
            value + 0.01 * change
        }
    };
    values.iter().zip(&change).map(moved).collect()
}

fn near(what: &str, ours: f64, theirs: f64, scale: f64) {
    let difference = (ours - theirs).abs();
    assert!(
        difference <= BOUND * scale.abs(),
        "{what}: {ours} is not {theirs}"
    );
}

fn agree(ours: &TensorDiff, theirs: &TensorDiff) {
    let counts = |of: &TensorDiff| {
        (
            of.name.clone(),
            of.shape.clone(),
            of.elements,
            of.changed,
            of.non_finite,
            of.bit_distance,
            of.histogram.clone(),
        )
    };
    assert_eq!(counts(ours), counts(theirs));
    let name = &ours.name;
    near(name, ours.max_abs, theirs.max_abs, theirs.max_abs);
    near(name, ours.mean_abs, theirs.mean_abs, theirs.mean_abs);
    near(name, ours.mean, theirs.mean, theirs.mean_abs);
    near(name, ours.l2, theirs.l2, theirs.l2);
    // An error of the product is one of the cosine, however small that is.
    for (ours, theirs, scale) in [
        (ours.relative_l2, theirs.relative_l2, theirs.relative_l2),
        (ours.cosine, theirs.cosine, Some(1.0)),
    ] {
        assert_eq!(ours.is_some(), theirs.is_some(), "{name}");
        if let (Some(ours), Some(theirs), Some(scale)) = (ours, theirs, scale) {
            near(name, ours, theirs, scale);
        }
    }
}

fn check(a: &[Written], b: &[Written]) -> Option<DiffReport> {
    let gpu = gpu()?;
    let (a, b) = (checkpoint(a), checkpoint(b));
    let told = std::sync::atomic::AtomicU64::new(0);
    let tell = |bytes| {
        told.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    };
    let ours = diff_on(gpu, &a, &b, DiffOptions::default(), &tell).unwrap();
    let theirs = diff(&a, &b, DiffOptions::default(), &|_| {}).unwrap();
    assert_eq!(told.into_inner(), a.bytes() + b.bytes());
    assert_eq!(ours.tensors.len(), theirs.tensors.len());
    for (ours, theirs) in ours.tensors.iter().zip(&theirs.tensors) {
        agree(ours, theirs);
    }
    assert_eq!(ours.changed_elements, theirs.changed_elements);
    assert_eq!(ours.layers.len(), theirs.layers.len());
    Some(ours)
}

const TYPES: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::BF16];

#[test]
fn fine_tunes_of_any_length_and_type_agree() {
    let lengths = [
        0, 1, 2, 3, 7, 8, 9, 255, 4096, 16_383, 16_385, 65_536, 65_537, 300_001,
    ];
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for dtype in TYPES {
        for length in lengths {
            let name = format!("layers.0.{dtype:?}.{length}");
            let values = noise(length as u32 + 1, length);
            before.push(tensor(&name, dtype, &patterns(dtype, &values)));
            after.push(tensor(&name, dtype, &patterns(dtype, &fine_tuned(&values, 77))));
        }
    }
    check(&before, &after);
    check(&before, &before);
}

#[test]
fn more_than_two_batches_are_added_up_in_one_order() {
    let count = 2 * (8 << 20) + 12_345;
    let values = noise(4, count);
    let large = |values: &[f32]| [tensor("large", Dtype::BF16, &patterns(Dtype::BF16, values))];
    let (before, after) = (large(&values), large(&fine_tuned(&values, 5)));
    let first = check(&before, &after);
    assert_eq!(first, check(&before, &after));
}

#[test]
fn more_tensors_than_a_batch_has_room_for_agree() {
    let many = |seed: u32| -> Vec<Written> {
        (0..700)
            .map(|place| {
                let values = noise(place * seed, 33);
                tensor(
                    format!("layers.{place}.norm"),
                    Dtype::F16,
                    &patterns(Dtype::F16, &values),
                )
            })
            .collect()
    };
    check(&many(3), &many(5));
}

#[test]
fn every_pattern_of_sixteen_bits_is_read_right() {
    for (dtype, mantissa) in [(Dtype::F16, 10), (Dtype::BF16, 7)] {
        // One tensor an exponent: beside larger ones a value that is misread would hide.
        let by_exponent = |turn: u32| -> Vec<Written> {
            let sizes = 1u32 << mantissa;
            (0..1u32 << (15 - mantissa))
                .map(|exponent| {
                    let patterns: Vec<u32> = (0..2 * sizes)
                        .map(|place| (place * turn + turn / 3) % (2 * sizes))
                        .map(|place| {
                            ((place & sizes) << (15 - mantissa)) | (exponent << mantissa) | (place % sizes)
                        })
                        .collect();
                    tensor(format!("exponent.{exponent}.w"), dtype, &patterns)
                })
                .collect()
        };
        check(&by_exponent(1), &by_exponent(5));
    }
}

#[test]
fn values_that_no_gpu_is_trusted_with_agree() {
    let strange = [
        [0.0, -0.0, 0.0, -0.0],
        [f32::NAN, 1.0, -f32::NAN, f32::INFINITY],
        [f32::INFINITY, f32::NEG_INFINITY, 2.0, 3.0],
        [1e-45, -1e-40, 1e-38, 1.2e-38],
        [1e-30, 1e-39, -1e-30, 2e-39],
        [1e30, -3.4e38, 1e-45, 1.0],
        [1.0, 1.0 + f32::EPSILON, 1e-45, -1e-45],
        [6e-5, 6e-8, -6e-8, 65_504.0],
    ];
    for dtype in TYPES {
        for (place, values) in strange.iter().enumerate() {
            let mut turned = *values;
            turned.rotate_left(1);
            let small = |values: &[f32]| tensor("small", dtype, &patterns(dtype, values));
            // Among ordinary values, on both sides of a segment's end.
            let large = |values: &[f32]| {
                let mut all = noise(place as u32, 40_000);
                all[16_380..16_384].copy_from_slice(values);
                all[16_384..16_388].copy_from_slice(values);
                tensor("large", dtype, &patterns(dtype, &all))
            };
            check(&[small(values), large(values)], &[small(&turned), large(&turned)]);
        }
    }
    let payloads = |bits| [tensor("w", Dtype::F32, &[bits, 0x3f80_0000])];
    check(&payloads(0x7fc0_0000), &payloads(0x7fc0_0001));
    check(&payloads(0x7f80_0001), &payloads(0x3f80_0000));
}

#[test]
fn what_the_kernel_does_not_take_goes_to_the_cpu() {
    let values = noise(8, 1000);
    let integers = |add: i64| {
        let bytes = (0..50i64).flat_map(|value| (value + add).to_le_bytes()).collect();
        ("integers".to_owned(), Dtype::I64, vec![50], bytes)
    };
    let half = tensor("mixed", Dtype::BF16, &patterns(Dtype::BF16, &values));
    let single = tensor("mixed", Dtype::F32, &patterns(Dtype::F32, &values));
    let taken = |seed| tensor("taken", Dtype::F32, &patterns(Dtype::F32, &noise(seed, 1000)));
    check(&[integers(0), half, taken(1)], &[integers(1), single, taken(2)]);
}

#[test]
fn the_card_is_named() {
    if let Some(gpu) = gpu() {
        let name = gpu.name();
        assert!(name.contains('('), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn anything_goes(
        pairs in prop::collection::vec(any::<(u32, u32)>(), 0..3000),
        dtype in prop::sample::select(TYPES.to_vec()),
        plain in any::<bool>(),
    ) {
        // No exponent out of range: as weights are.
        let tame = |bits: u32| match (plain, dtype) {
            (false, _) => bits,
            (true, Dtype::F32) => bits & 0xbfff_ffff & !(0x7 << 27) | 0x7 << 27,
            (true, _) => bits & 0xbbff,
        };
        let (a, b): (Vec<u32>, Vec<u32>) = pairs.into_iter().map(|(a, b)| (tame(a), tame(b))).unzip();
        check(&[tensor("w", dtype, &a)], &[tensor("w", dtype, &b)]);
    }
}
