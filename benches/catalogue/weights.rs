//! Full fingerprints without weights to read: a template per architecture, made from a small checkpoint of as many tensors as a usual
//! transformer has, and for each model the same with digests and sketches of its own. What is stored is of the size that real ones have.

use super::hex_digest;
use heirloom::fingerprint::{Fingerprint, Level, fingerprint as read_fingerprint};
use heirloom::weights::{Checkpoint, WeightFile};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, TensorView};
use std::sync::OnceLock;

/// Architectures told apart.
pub const SHAPES: usize = 60;
/// Layers of the smallest and of the largest template: from a small encoder to a 70 B decoder.
const LAYERS: [usize; 6] = [6, 12, 24, 32, 48, 80];
const TENSORS_OF_A_LAYER: [&str; 9] = [
    "self_attn.q_proj.weight",
    "self_attn.k_proj.weight",
    "self_attn.v_proj.weight",
    "self_attn.o_proj.weight",
    "mlp.gate_proj.weight",
    "mlp.up_proj.weight",
    "mlp.down_proj.weight",
    "input_layernorm.weight",
    "post_attention_layernorm.weight",
];

/// The fingerprint of model `number` of architecture `shape`.
pub fn fingerprint(shape: usize, number: u64) -> Fingerprint {
    static TEMPLATES: OnceLock<Vec<Fingerprint>> = OnceLock::new();
    let templates = TEMPLATES.get_or_init(|| (0..SHAPES).map(template).collect());
    let mut made = templates[shape % SHAPES].clone();
    let mut random = ChaCha8Rng::seed_from_u64(number);
    for tensor in &mut made.tensors {
        let digest = hex_digest(&[&number.to_string(), &tensor.name]);
        tensor.value_digest = Some(digest[..24].to_owned());
        tensor.digest = Some(digest);
        if let Some(sketch) = &mut tensor.sketch {
            for cell in &mut sketch.cells {
                *cell += random.random_range(-0.01..0.01f32);
            }
        }
    }
    made.model_digest = Some(hex_digest(&[&number.to_string(), "model"]));
    made.named_digest = Some(hex_digest(&[&number.to_string(), "named"]));
    made
}

/// A fingerprint really read, of a checkpoint of random values.
fn template(shape: usize) -> Fingerprint {
    let mut random = ChaCha8Rng::seed_from_u64(shape as u64);
    let side = 48 + shape;
    let mut tensors = vec![("model.embed_tokens.weight".to_owned(), vec![4 * side, side])];
    for layer in 0..LAYERS[shape % LAYERS.len()] {
        for name in TENSORS_OF_A_LAYER {
            let extents = match name.contains("layernorm") {
                true => vec![side],
                false => vec![side, side],
            };
            tensors.push((format!("model.layers.{layer}.{name}"), extents));
        }
    }
    let values: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, extents)| {
            let count: usize = extents.iter().product();
            let value = |random: &mut ChaCha8Rng| random.random_range(-1.0..1.0f32).to_le_bytes();
            let bytes = (0..count).flat_map(|_| value(&mut random)).collect();
            (name, extents, bytes)
        })
        .collect();
    let views: Vec<(&str, TensorView<'_>)> = values
        .iter()
        .map(|(name, extents, bytes)| {
            (
                name.as_str(),
                TensorView::new(Dtype::F32, extents.clone(), bytes).unwrap(),
            )
        })
        .collect();
    let file = safetensors::serialize(views, None).unwrap();
    let checkpoint = Checkpoint::open(vec![WeightFile::new("model.safetensors", file)]).unwrap();
    read_fingerprint(&checkpoint, Level::Full, &|_| ()).unwrap()
}
