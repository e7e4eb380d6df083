//! A small hub folder with known lineage, and everything that was concluded of it in one value.

use heirloom::store::Store;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use tempfile::TempDir;

/// Deterministic values without structure, as trained weights look from afar.
fn values(seed: u64, count: usize) -> Vec<f32> {
    use rand::{Rng, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| random.random_range(-0.1_f32..0.1)).collect()
}

/// A two-layer model from `weights`, in the given element type.
fn safetensors_bytes(weights: &[f32], dtype: Dtype) -> Vec<u8> {
    const SIDE: usize = 64;
    let tensors: Vec<(String, Vec<u8>)> = weights
        .chunks(SIDE * SIDE)
        .enumerate()
        .map(|(layer, chunk)| {
            let bytes = match dtype {
                Dtype::F32 => chunk.iter().flat_map(|x| x.to_le_bytes()).collect(),
                Dtype::BF16 => chunk
                    .iter()
                    .flat_map(|x| half::bf16::from_f32(*x).to_le_bytes())
                    .collect(),
                other => panic!("{other:?}"),
            };
            (format!("layers.{layer}.weight"), bytes)
        })
        .collect();
    let views: HashMap<String, TensorView<'_>> = tensors
        .iter()
        .map(|(name, bytes)| {
            let view = TensorView::new(dtype, vec![SIDE, SIDE], bytes).unwrap();
            (name.clone(), view)
        })
        .collect();
    safetensors::serialize(&views, None).unwrap()
}

fn write(folder: &Path, files: &[(&str, &[u8])]) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

/// A hub folder of `count` small packages, each with weights of its own, in families of ten.
pub fn many_packages(count: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..count {
        let base = values(number as u64 / 10, 2 * 64 * 64);
        let noise = values(1_000_000 + number as u64, base.len());
        let own: Vec<f32> = base.iter().zip(&noise).map(|(x, n)| x + 0.05 * n).collect();
        let weights = safetensors_bytes(&own, Dtype::F32);
        let package = folder
            .path()
            .join(format!("owner-{}/model-{number}", number % 50));
        write(
            &package,
            &[("model.safetensors", &weights), ("config.json", b"{}")],
        );
    }
    folder
}

/// A hub folder: a base with two revisions, a cast and a fine-tune of it, a stranger, and a damaged upload.
pub fn hub_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let base = values(1, 2 * 64 * 64);
    let config = br#"{"architectures":["Tiny"]}"#;
    let f32_base = safetensors_bytes(&base, Dtype::F32);
    let package = |name: &str| folder.path().join(name);

    write(
        &package("org/base"),
        &[
            ("model.safetensors", &f32_base),
            ("config.json", config),
            ("README.md", b"# Base\n\nNow documented.\n"),
        ],
    );
    write(
        &package("org/base/.revisions/aaaa000000000000000000000000000000000001"),
        &[("model.safetensors", &f32_base), ("config.json", config)],
    );
    let index = json!([
        {"sha": "aaaa000000000000000000000000000000000001", "date": "2024-01-01T00:00:00Z", "message": "Upload the model"},
        {"sha": "aaaa000000000000000000000000000000000002", "date": "2024-01-02T00:00:00Z", "message": "Write the card"}
    ]);
    std::fs::write(package("org/base/.revisions/index.json"), index.to_string()).unwrap();

    let card = b"---\nbase_model: org/base\n---\n# A child\n";
    let cast = safetensors_bytes(&base, Dtype::BF16);
    write(
        &package("org/base-bf16"),
        &[("model.safetensors", &cast), ("README.md", card)],
    );
    let noise = values(2, base.len());
    let tuned: Vec<f32> = base.iter().zip(&noise).map(|(x, n)| x + 0.05 * n).collect();
    let tuned = safetensors_bytes(&tuned, Dtype::F32);
    write(
        &package("org/base-tuned"),
        &[("model.safetensors", &tuned), ("README.md", card)],
    );
    let stranger = safetensors_bytes(&values(3, base.len()), Dtype::F32);
    write(
        &package("other/stranger"),
        &[("model.safetensors", &stranger), ("README.md", card)],
    );
    let damaged = &f32_base[..f32_base.len() - 1000];
    write(
        &package("other/damaged"),
        &[("model.safetensors", damaged), ("config.json", config)],
    );
    folder
}

/// Everything concluded, in one value that must not change when nothing else did.
pub async fn conclusions(store: &Store) -> Value {
    let row: (Value,) = sqlx::query_as(
        "SELECT jsonb_build_object(
            'edges', (SELECT jsonb_object_agg(c.name, jsonb_build_array(e.relation, e.technique, p.name, c.verdict, e.made_at))
                      FROM edges e JOIN packages c ON c.id = e.child_id JOIN edge_parents ep ON ep.edge_id = e.id
                      JOIN packages p ON p.id = ep.parent_id),
            'verdicts', (SELECT jsonb_object_agg(name, verdict) FROM packages),
            'versions', (SELECT jsonb_agg(jsonb_build_array(p.name, r.position, v.version, v.bump, v.silent) ORDER BY p.name, r.position)
                         FROM versions v JOIN revisions r ON r.id = v.revision_id JOIN packages p ON p.id = r.package_id),
            'fingerprints', (SELECT count(*) FROM fingerprints),
            'texts', (SELECT count(*) FROM texts),
            'due', (SELECT count(*) FROM packages WHERE versions_due OR lineage_due))",
    )
    .fetch_one(store.pool())
    .await
    .unwrap();
    row.0
}

/// The conclusions without the time at which each was made.
pub fn without_dates(mut conclusions: Value) -> Value {
    for edge in conclusions["edges"].as_object_mut().unwrap().values_mut() {
        edge.as_array_mut().unwrap().pop();
    }
    conclusions
}
