//! `heirloom diff --device`, by the binary that users run. Without any Vulkan driver the part on a GPU says that it was not tested.
#![allow(clippy::unwrap_used)]

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn write(path: &Path, change: f32) {
    let values: Vec<f32> = (0..9001).map(|place| (place % 97) as f32 / 97.0 - 0.5).collect();
    let bytes = |change: f32| -> Vec<u8> {
        let changed = values
            .iter()
            .enumerate()
            .map(|(place, value)| value + change * (place % 3) as f32);
        changed.flat_map(f32::to_le_bytes).collect()
    };
    let (moved, kept) = (bytes(change), bytes(0.0));
    let view = |bytes| TensorView::new(Dtype::F32, vec![9001], bytes).unwrap();
    let tensors = [
        ("layers.0.weight", view(&moved)),
        ("layers.1.weight", view(&kept)),
    ];
    std::fs::write(path, safetensors::serialize(tensors, None).unwrap()).unwrap();
}

fn diff(folder: &Path, device: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_heirloom"))
        .args([
            "--quiet",
            "diff",
            "before.safetensors",
            "after.safetensors",
            "--no-technique",
            "--device",
            device,
        ])
        .args(more)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn every_device_gives_the_same_counts_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("before.safetensors"), 0.0);
    write(&folder.path().join("after.safetensors"), 0.01);
    let on = |device: &str| -> Option<Value> {
        let output = diff(folder.path(), device, &["--json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() && said.contains("no GPU answers") {
            assert!(said.contains("--device cpu"), "{said}");
            eprintln!("NOT TESTED: no Vulkan driver is installed; scripts/setup vulkan installs one");
            return None;
        }
        assert!(output.status.success(), "{said}");
        Some(serde_json::from_slice(&output.stdout).unwrap())
    };
    let cpu = on("cpu").unwrap();
    assert_eq!(cpu["device"], "CPU");
    // Too little for waking a GPU.
    assert_eq!(on("auto").unwrap(), cpu);
    let Some(gpu) = on("gpu") else { return };
    assert_ne!(gpu["device"], "CPU");
    for counted in ["elements", "changed_elements", "changed_tensors", "non_finite"] {
        assert_eq!(gpu["report"][counted], cpu["report"][counted]);
    }
    assert_eq!(gpu["report"]["changed_elements"], 6000);
    let text = diff(folder.path(), "gpu", &[]);
    let named = format!("on: {}\n", gpu["device"].as_str().unwrap());
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains(&named), "{text}");
}
