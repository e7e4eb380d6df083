#![allow(clippy::unwrap_used)]
use super::*;
use crate::delta::diff;
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
        device: "CPU".to_owned(),
        report,
        outcome: None,
        bump: None,
        adapter: None,
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

/// Two layers of two roles, of which one changed, under names that HTML must not believe.
fn two_layers() -> Comparison {
    let a: &[(&str, &[f32])] = &[
        ("layers.0.<b>.weight", &[1.0, 2.0]),
        ("layers.0.norm", &[1.0, 2.0]),
        ("layers.1.<b>.weight", &[1.0, 2.0]),
        ("layers.1.norm", &[1.0, 2.0]),
    ];
    let mut b = a.to_vec();
    b[2].1 = &[1.0, 2.25];
    let report = diff(&checkpoint(a), &checkpoint(&b), DiffOptions::default(), &|_| {}).unwrap();
    Comparison {
        a: "before".to_owned(),
        b: "</title><script>after".to_owned(),
        device: "CPU".to_owned(),
        report,
        outcome: None,
        bump: None,
        adapter: None,
    }
}

#[test]
fn the_terminal_shows_where_it_changed() {
    let map = terminal::heat_map(&two_layers().report.tensors);
    let rows: Vec<&str> = map.lines().skip(1).map(str::trim_start).collect();
    assert_eq!(rows, ["<b>.weight ·█", "norm ··"]);
}

#[test]
fn the_page_stands_alone_and_believes_no_name() {
    let page = html::page(&two_layers());
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!page.contains("<b>") && page.contains("&lt;b&gt;.weight"));
    for outside in ["src=", "href=\"", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    // Four cells and a background of the heat map, one bar in each histogram.
    assert_eq!(page.matches("<rect").count(), 5 + 2);
    assert!(page.contains("#e8e8e8") && page.contains("2^-2: 1"));
}

#[test]
fn an_adapter_is_written_whole_or_not_at_all() {
    let a: &[(&str, &[f32])] = &[("w.weight", &[1.0, 2.0, 3.0, 4.0])];
    let b: &[(&str, &[f32])] = &[("w.weight", &[1.0, 2.5, 3.0, 4.5])];
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("adapter");
    let write = || lora::write(&checkpoint(a), &checkpoint(b), 1, ("org/base", &target), &|_| {});
    write().unwrap();
    let config = std::fs::read_to_string(target.join("adapter_config.json")).unwrap();
    assert!(
        config.contains("\"base_model_name_or_path\": \"org/base\""),
        "{config}"
    );
    assert!(target.join("adapter_model.safetensors").exists());
    assert!(write().unwrap_err().to_string().contains("is there already"));
}
