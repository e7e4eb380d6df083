//! Canonical names: one name for each role a tensor plays, whatever library wrote the file.
//!
//! Enters: a name as a file gives it. Leaves: the name Transformers gives a Llama's tensor of that role, less its wrappers, so
//! that a GGUF, an original Llama release and a wrapped model line up with their parent. Names no rule knows keep their own.

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
];

/// Infixes that say how a layer is adapted, not which layer it is.
const INFIXES: &[&str] = &[".base_layer", ".original_module"];

/// A name without its last part (`.weight`, `.bias`) and its canonical form; `*` is a layer's number.
const RULES: &[(&str, &str)] = &[
    // GGUF: llama.cpp's gguf-py/gguf/constants.py.
    ("token_embd", "embed_tokens"),
    ("output_norm", "norm"),
    ("output", "lm_head"),
    ("blk.*.attn_norm", "layers.*.input_layernorm"),
    ("blk.*.ffn_norm", "layers.*.post_attention_layernorm"),
    ("blk.*.attn_q", "layers.*.self_attn.q_proj"),
    ("blk.*.attn_k", "layers.*.self_attn.k_proj"),
    ("blk.*.attn_v", "layers.*.self_attn.v_proj"),
    ("blk.*.attn_qkv", "layers.*.self_attn.qkv_proj"),
    ("blk.*.attn_output", "layers.*.self_attn.o_proj"),
    ("blk.*.attn_q_norm", "layers.*.self_attn.q_norm"),
    ("blk.*.attn_k_norm", "layers.*.self_attn.k_norm"),
    ("blk.*.ffn_gate", "layers.*.mlp.gate_proj"),
    ("blk.*.ffn_up", "layers.*.mlp.up_proj"),
    ("blk.*.ffn_down", "layers.*.mlp.down_proj"),
    // Original Llama releases.
    ("tok_embeddings", "embed_tokens"),
    ("layers.*.attention_norm", "layers.*.input_layernorm"),
    ("layers.*.ffn_norm", "layers.*.post_attention_layernorm"),
    ("layers.*.attention.wq", "layers.*.self_attn.q_proj"),
    ("layers.*.attention.wk", "layers.*.self_attn.k_proj"),
    ("layers.*.attention.wv", "layers.*.self_attn.v_proj"),
    ("layers.*.attention.wo", "layers.*.self_attn.o_proj"),
    ("layers.*.feed_forward.w1", "layers.*.mlp.gate_proj"),
    ("layers.*.feed_forward.w2", "layers.*.mlp.down_proj"),
    ("layers.*.feed_forward.w3", "layers.*.mlp.up_proj"),
    // BERT and its kin.
    ("embeddings.word_embeddings", "embed_tokens"),
    (
        "encoder.layer.*.attention.self.query",
        "layers.*.self_attn.q_proj",
    ),
    ("encoder.layer.*.attention.self.key", "layers.*.self_attn.k_proj"),
    (
        "encoder.layer.*.attention.self.value",
        "layers.*.self_attn.v_proj",
    ),
    (
        "encoder.layer.*.attention.output.dense",
        "layers.*.self_attn.o_proj",
    ),
    ("encoder.layer.*.intermediate.dense", "layers.*.mlp.up_proj"),
    ("encoder.layer.*.output.dense", "layers.*.mlp.down_proj"),
    // GPT-2.
    ("wte", "embed_tokens"),
    ("ln_f", "norm"),
    ("h.*.ln_1", "layers.*.input_layernorm"),
    ("h.*.ln_2", "layers.*.post_attention_layernorm"),
    ("h.*.attn.c_attn", "layers.*.self_attn.qkv_proj"),
    ("h.*.attn.c_proj", "layers.*.self_attn.o_proj"),
    ("h.*.mlp.c_fc", "layers.*.mlp.up_proj"),
    ("h.*.mlp.c_proj", "layers.*.mlp.down_proj"),
];

/// The canonical form of `name`.
pub fn canonical_name(name: &str) -> String {
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
            &["transformer.h.0.attn.c_attn.bias", "blk.0.attn_qkv.bias"],
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
