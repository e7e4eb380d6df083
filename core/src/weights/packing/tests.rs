#![allow(clippy::unwrap_used)]
use super::*;
use crate::weights::Checkpoint;

/// A layer as its tool stores it, and under `expected` the values its tool decodes: made by `make_fixtures.py`.
macro_rules! fixture {
    ($name:literal) => {
        fixture!($name, "safetensors")
    };
    ($name:literal, $extension:literal) => {
        include_bytes!(concat!("fixtures/", $name, ".", $extension))
    };
}

fn open(bytes: &[u8]) -> Checkpoint {
    let files = vec![WeightFile::new("model.safetensors", bytes.to_vec())];
    let stored = Checkpoint::open_stored(files.clone()).unwrap();
    let config = stored
        .metadata
        .get("checkpoint_format")
        .map(|format| format!(r#"{{"quantization_config": {{"checkpoint_format": "{format}"}}}}"#));
    Checkpoint::open_with_config(files, &|| config.clone()).unwrap()
}

/// Whole rows that differ from what the tool decodes by more than `tolerance` of a value fail.
fn check(bytes: &[u8], packing: (PackedLayout, u8, u32, bool), tolerance: f32) {
    let checkpoint = open(bytes);
    let names: Vec<&str> = checkpoint
        .tensors
        .iter()
        .map(|tensor| tensor.name.as_str())
        .collect();
    let expected_names: &[&str] = match names.contains(&"layer.bias") {
        true => &["expected", "layer.bias", "layer.weight"],
        false => &["expected", "layer.weight"],
    };
    assert_eq!(names, expected_names);
    let tensor = checkpoint.tensor("layer.weight").unwrap();
    let (layout, bits, group_size, symmetric) = packing;
    let packing = Packing {
        layout,
        bits,
        group_size,
        symmetric,
    };
    assert_eq!(tensor.packing, Some(packing));
    let expected = checkpoint.tensor("expected").unwrap();
    assert_eq!(tensor.shape, expected.shape);
    let values = checkpoint.read_values(tensor).unwrap();
    let expected = checkpoint.read_values(expected).unwrap();
    for (place, (value, expected)) in values.iter().zip(expected).enumerate() {
        assert!(
            (value - expected).abs() <= tolerance * expected.abs(),
            "{layout:?}[{place}]: {value} is not {expected}"
        );
    }
}

#[test]
fn gptq_decodes_with_every_width_order_and_zero_offset() {
    let gptq = |bits, symmetric| (PackedLayout::Gptq, bits, 32, symmetric);
    check(fixture!("gptq_4bit"), gptq(4, false), 0.0);
    check(fixture!("gptq_4bit_v2_act_order"), gptq(4, false), 0.0);
    check(fixture!("gptq_4bit_symmetric"), gptq(4, true), 0.0);
    check(fixture!("gptq_2bit"), gptq(2, false), 0.0);
    check(fixture!("gptq_3bit"), gptq(3, false), 0.0);
    check(fixture!("gptq_8bit"), gptq(8, false), 0.0);
}

#[test]
fn awq_decodes_in_its_order() {
    check(fixture!("awq"), (PackedLayout::Awq, 4, 32, false), 0.0);
}

#[test]
fn bitsandbytes_decodes_with_plain_and_nested_scales() {
    check(
        fixture!("bitsandbytes_nf4"),
        (PackedLayout::Nf4, 4, 64, true),
        0.0,
    );
    check(
        fixture!("bitsandbytes_nf4_nested"),
        (PackedLayout::Nf4, 4, 64, true),
        0.0,
    );
    check(
        fixture!("bitsandbytes_fp4"),
        (PackedLayout::Fp4, 4, 64, true),
        0.0,
    );
    // The library multiplies by a rounded 1/127.
    check(
        fixture!("bitsandbytes_int8"),
        (PackedLayout::BitsandbytesInt8, 8, 0, true),
        1e-5,
    );
}

#[test]
fn hqq_decodes_along_both_axes() {
    let hqq = |bits, group_size| (PackedLayout::Hqq, bits, group_size, false);
    check(fixture!("hqq_4bit_rows"), hqq(4, 64), 0.0);
    check(fixture!("hqq_4bit_columns"), hqq(4, 64), 0.0);
    check(fixture!("hqq_3bit"), hqq(3, 32), 0.0);
    check(fixture!("hqq_2bit"), hqq(2, 16), 0.0);
    check(fixture!("hqq_8bit"), hqq(8, 64), 0.0);
}

#[test]
fn compressed_tensors_decode() {
    let int = |bits, group_size, symmetric| (PackedLayout::CompressedInt, bits, group_size, symmetric);
    check(fixture!("compressed_int4_group"), int(4, 32, false), 0.0);
    check(fixture!("compressed_int4_symmetric"), int(4, 32, true), 0.0);
    check(fixture!("compressed_int8_packed"), int(8, 0, true), 0.0);
    check(fixture!("compressed_int8"), int(8, 0, true), 0.0);
    check(
        fixture!("compressed_fp8"),
        (PackedLayout::ScaledFp8, 8, 0, true),
        0.0,
    );
    check(
        fixture!("compressed_nvfp4"),
        (PackedLayout::Nvfp4, 4, 16, true),
        // The library rounds these, and the next, to bf16.
        1.0 / 256.0,
    );
    check(
        fixture!("compressed_mxfp4"),
        (PackedLayout::Mxfp4, 4, 32, true),
        1.0 / 256.0,
    );
}

/// Dynamic quantization by onnxruntime, of a tensor at once and channel by channel.
#[test]
fn onnx_initialisers_decode() {
    let files: [(&[u8], bool); 2] = [
        (fixture!("onnx_dynamic", "onnx"), false),
        (fixture!("onnx_dynamic_per_channel", "onnx"), true),
    ];
    for (bytes, symmetric) in files {
        let checkpoint = Checkpoint::open(vec![WeightFile::new("model.onnx", bytes.to_vec())]).unwrap();
        let names: Vec<&str> = checkpoint
            .tensors
            .iter()
            .map(|tensor| tensor.name.as_str())
            .collect();
        assert_eq!(names, ["dense", "expected_dense", "expected_kernel", "kernel"]);
        for name in ["dense", "kernel"] {
            let [tensor, expected] =
                [name.to_owned(), format!("expected_{name}")].map(|name| checkpoint.tensor(&name).unwrap());
            let packing = tensor.packing.unwrap();
            assert_eq!(
                (packing.layout, packing.symmetric),
                (PackedLayout::OnnxInt, symmetric)
            );
            assert_eq!(tensor.shape, expected.shape);
            assert_eq!(
                checkpoint.read_values(tensor).unwrap(),
                checkpoint.read_values(expected).unwrap()
            );
        }
    }
}

#[test]
fn codes_of_layouts_are_stable() {
    for (place, (layout, name)) in LAYOUTS.iter().enumerate() {
        assert_eq!(usize::from(layout.code()), place);
        assert_eq!(PackedLayout::from_code(layout.code()), Some(*layout));
        assert_eq!(serde_json::to_string(layout).unwrap(), format!("\"{name}\""));
    }
}

#[test]
fn a_window_is_what_the_whole_holds_there() {
    let checkpoint = open(fixture!("gptq_3bit"));
    let tensor = checkpoint.tensor("layer.weight").unwrap();
    let whole = checkpoint.read_values(tensor).unwrap();
    assert_eq!(checkpoint.read_window(tensor, 100, 77).unwrap(), whole[100..177]);
}

/// Codes and scales that do not belong together are kept as they are stored; whatever a file says, there is an answer.
#[test]
fn damaged_layouts_get_an_answer() {
    let fixtures: [&[u8]; 6] = [
        fixture!("gptq_3bit"),
        fixture!("awq"),
        fixture!("bitsandbytes_nf4_nested"),
        fixture!("hqq_3bit"),
        fixture!("compressed_int4_group"),
        fixture!("compressed_nvfp4"),
    ];
    for fixture in fixtures {
        let header = 8 + u64::from_le_bytes(fixture[..8].try_into().unwrap()) as usize;
        for place in 0..header.min(600) {
            for digit in [b'0', b'1', b'9'] {
                let mut bytes = fixture.to_vec();
                if !bytes[place].is_ascii_digit() {
                    continue;
                }
                bytes[place] = digit;
                read_everything(bytes);
            }
        }
        // Small tensors say how to read the others: every byte of data set to something else, in steps.
        for place in (header..fixture.len()).step_by(5) {
            let mut bytes = fixture.to_vec();
            bytes[place] ^= 0xA5;
            read_everything(bytes);
        }
    }
}

fn read_everything(bytes: Vec<u8>) {
    let Ok(checkpoint) = Checkpoint::open(vec![WeightFile::new("m.safetensors", bytes)]) else {
        return;
    };
    for tensor in &checkpoint.tensors {
        let _ = checkpoint.read_values(tensor);
    }
}
