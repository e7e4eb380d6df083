//! Canonical names: one name for each role a tensor plays, whatever library wrote the file.
//!
//! Enters: a name as a file gives it. Leaves: the name Transformers gives a Llama's tensor of that role, less its wrappers, so
//! that a GGUF, an original Llama release and a wrapped model line up with their parent. Names no rule knows keep their own.

mod rules;

use rules::RULES;

/// What wrappers (data parallelism, compilation, PEFT, task heads) put before a model's own names.
const WRAPPERS: &[&str] = &[
    "module.",
    "_orig_mod.",
    "base_model.",
    "model.",
    "language_model.",
    "transformer.",
    "bert.",
    "roberta.",
    "deberta.",
    "distilbert.",
    "gpt_neox.",
    "vit.",
    "deit.",
];

/// Single files of diffusion models put their components behind these; packages of diffusers put them in folders.
const COMPONENTS: &[(&str, &str)] = &[
    ("model.diffusion_model.", "unet/"),
    ("first_stage_model.", "vae/"),
    ("cond_stage_model.transformer.", "text_encoder/"),
];

/// Infixes that say how a layer is adapted, or by which ONNX operator it is computed; not which layer it is.
const INFIXES: &[&str] = &[".base_layer", ".original_module", ".MatMul", ".Gemm"];

/// The canonical form of `name`.
pub fn canonical_name(name: &str) -> String {
    for (prefix, component) in COMPONENTS {
        if let Some(inner) = name.strip_prefix(prefix) {
            return format!("{component}{inner}");
        }
    }
    let mut name = name.to_owned();
    for infix in INFIXES {
        name = name.replace(infix, "");
    }
    let mut rest = name.as_str();
    while let Some(inner) = WRAPPERS.iter().find_map(|wrapper| rest.strip_prefix(wrapper)) {
        rest = inner;
    }
    let (path, leaf) = rest.rsplit_once('.').unwrap_or((rest, ""));
    let renamed = RULES.iter().find_map(|(from, to)| {
        let number = match_rule(from, path)?;
        Some(format!("{}.{leaf}", to.replace('*', number)))
    });
    renamed.unwrap_or_else(|| rest.to_owned())
}

/// The layer's number where `path` has the form `rule`; empty where the rule has none.
fn match_rule<'a>(rule: &str, path: &'a str) -> Option<&'a str> {
    let Some((before, after)) = rule.split_once('*') else {
        return (rule == path).then_some("");
    };
    let number = path.strip_prefix(before)?.strip_suffix(after)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of these is one tensor under several libraries' names.
    #[test]
    fn names_of_one_role_meet() {
        for names in [
            &[
                "model.layers.7.self_attn.q_proj.weight",
                "blk.7.attn_q.weight",
                "layers.7.attention.wq.weight",
                "base_model.model.model.layers.7.self_attn.q_proj.base_layer.weight",
                "module._orig_mod.model.layers.7.self_attn.q_proj.weight",
                "bert.encoder.layer.7.attention.self.query.weight",
            ][..],
            &[
                "model.embed_tokens.weight",
                "token_embd.weight",
                "tok_embeddings.weight",
                "transformer.wte.weight",
            ],
            &["lm_head.weight", "output.weight"],
            &[
                "model.norm.weight",
                "output_norm.weight",
                "norm.weight",
                "transformer.ln_f.weight",
            ],
            &[
                "transformer.h.0.attn.c_attn.bias",
                "blk.0.attn_qkv.bias",
                "gpt_neox.layers.0.attention.query_key_value.bias",
                "blocks.0.attn.qkv.bias",
            ],
            // Transformers, GGUF, DistilBERT and timm.
            &[
                "bert.encoder.layer.3.output.dense.weight",
                "blk.3.ffn_down.weight",
                "distilbert.transformer.layer.3.ffn.lin2.weight",
                "blocks.3.mlp.fc2.weight",
                "vit.encoder.layer.3.output.dense.weight",
                "model.layers.3.mlp.down_proj.MatMul.weight",
            ],
            &[
                "vit.embeddings.patch_embeddings.projection.weight",
                "patch_embed.proj.weight",
            ],
            &[
                "model.diffusion_model.input_blocks.0.0.weight",
                "unet/input_blocks.0.0.weight",
            ],
        ] {
            let canonical: Vec<String> = names.iter().map(|name| canonical_name(name)).collect();
            assert!(
                canonical.iter().all(|name| *name == canonical[0]),
                "{canonical:?}"
            );
        }
    }

    #[test]
    fn other_names_keep_their_own() {
        for name in [
            "stft_conv.weight",
            "blk.x.attn_q.weight",
            "decoder.rnn.weight_ih",
            "w",
            "",
        ] {
            assert_eq!(canonical_name(name), name);
        }
    }
}
