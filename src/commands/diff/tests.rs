#![allow(clippy::unwrap_used)]
use super::*;
use crate::weights::WeightFile;
use safetensors::tensor::{Dtype, TensorView, serialize};

fn checkpoint(tensors: &[(&str, &[f32])]) -> Checkpoint {
    let bytes: Vec<(&str, Vec<u8>)> = tensors
        .iter()
        .map(|(name, values)| {
            (
                *name,
                values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            )
        })
        .collect();
    let views = bytes.iter().map(|(name, bytes)| {
        (
            *name,
            TensorView::new(Dtype::F32, vec![bytes.len() / 8, 2], bytes).unwrap(),
        )
    });
    let file = serialize(views, None).unwrap();
    Checkpoint::open(vec![WeightFile::new("model.safetensors", file)]).unwrap()
}

fn described(a: &[(&str, &[f32])], b: &[(&str, &[f32])], top: usize) -> String {
    let options = DiffOptions { max_rank: Some(1) };
    let report = diff(&checkpoint(a), &checkpoint(b), options, &|_| {}).unwrap();
    let comparison = Comparison {
        a: "before".to_owned(),
        b: "after".to_owned(),
        report,
        outcome: None,
    };
    describe(&comparison, top)
}

#[test]
fn the_most_changed_tensors_come_first() {
    let a: &[(&str, &[f32])] = &[
        ("equal", &[1.0, 2.0]),
        ("gone", &[1.0, 2.0]),
        ("little", &[1.0, 2.0, 3.0, 4.0]),
        ("much\u{1b}", &[1.0, 2.0]),
        ("zero", &[0.0, 0.0]),
    ];
    let b: &[(&str, &[f32])] = &[
        ("equal", &[1.0, 2.0]),
        ("little", &[1.0, 2.0, 3.0, 4.5]),
        ("much\u{1b}", &[2.0, f32::NAN]),
        ("new", &[1.0, 2.0]),
        ("zero", &[0.0, 1.0]),
    ];
    insta::assert_snapshot!(described(a, b, 2));
}

#[test]
fn equal_models_take_one_line() {
    let a: &[(&str, &[f32])] = &[("w", &[1.0, 2.0])];
    insta::assert_snapshot!(described(a, a, 20));
}

#[test]
fn percentages_never_round_a_change_away() {
    assert_eq!(percent(0, 10), "0.00%");
    assert_eq!(percent(1, 10_000_000), "<0.01%");
    assert_eq!(percent(9_999_999, 10_000_000), ">99.99%");
    assert_eq!(percent(1, 4), "25.00%");
    assert_eq!(percent(0, 0), "0.00%");
}
