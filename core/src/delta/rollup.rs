//! Rows for layers and blocks: sums of the tensors below one name.

use super::kernel::Sums;
use super::report::{RollUp, TensorDiff, ratio};
use std::cmp::Ordering;
use std::collections::HashMap;

/// By layer and by block. `sums` are those of `tensors`, in their order.
pub(super) fn roll_up(tensors: &[TensorDiff], sums: &[Sums]) -> (Vec<RollUp>, Vec<RollUp>) {
    (group(tensors, sums, layer_of), group(tensors, sums, block_of))
}

fn group(tensors: &[TensorDiff], sums: &[Sums], name_of: impl Fn(&str) -> &str) -> Vec<RollUp> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut groups: Vec<(&str, Sums, [u64; 2])> = Vec::new();
    for (tensor, sums) in tensors.iter().zip(sums) {
        let name = name_of(&tensor.name);
        let place = *places.entry(name).or_insert(groups.len());
        if place == groups.len() {
            groups.push((name, Sums::default(), [0, 0]));
        }
        let (_, total, [all, changed]) = &mut groups[place];
        total.add(sums);
        *all += 1;
        *changed += u64::from(sums.changed > 0);
    }
    groups.sort_by(|(x, ..), (y, ..)| in_order(x, y));
    let row = |(name, sums, [tensors, changed_tensors]): (&str, Sums, [u64; 2])| RollUp {
        name: name.to_owned(),
        tensors,
        changed_tensors,
        elements: sums.elements,
        changed: sums.changed,
        max_abs: sums.max_abs,
        l2: sums.delta_squared.sqrt(),
        relative_l2: ratio(sums.delta_squared.sqrt(), sums.a_squared.sqrt()),
        cosine: sums.cosine(),
    };
    groups.into_iter().map(row).collect()
}

/// Up to the first number that is a part of its own: `model.layers.3` of `model.layers.3.mlp.up_proj.weight`.
fn layer_of(name: &str) -> &str {
    let mut end = 0;
    for part in name.split_inclusive(['.', '/']) {
        end += part.len();
        let word = part.trim_end_matches(['.', '/']);
        if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) && end < name.len() {
            return &name[..end - (part.len() - word.len())];
        }
    }
    ""
}

/// Without the parameter and the module that holds it: `layers.3.self_attn` of `layers.3.self_attn.q_proj.weight`.
fn block_of(name: &str) -> &str {
    let module = name.rsplit_once(['.', '/']).map_or("", |(module, _)| module);
    let block = module.rsplit_once(['.', '/']).map_or("", |(block, _)| block);
    // The modules of a layer itself (its norms) are the layer's.
    if block.len() < layer_of(name).len() {
        layer_of(name)
    } else {
        block
    }
}

/// Numbers by value: layer 2 comes before layer 10.
fn in_order(x: &str, y: &str) -> Ordering {
    let number = |part: &str| part.parse::<u64>().ok();
    for (left, right) in x.split(['.', '/']).zip(y.split(['.', '/'])) {
        let order = match (number(left), number(right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.cmp(right),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    x.len().cmp(&y.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_into_layers_and_blocks() {
        let check =
            |name, layer, block| assert_eq!((layer_of(name), block_of(name)), (layer, block), "{name}");
        check(
            "model.layers.3.self_attn.q_proj.weight",
            "model.layers.3",
            "model.layers.3.self_attn",
        );
        check(
            "model.layers.3.input_layernorm.weight",
            "model.layers.3",
            "model.layers.3",
        );
        check(
            "unet/down_blocks.0.resnets.1.conv1.weight",
            "unet/down_blocks.0",
            "unet/down_blocks.0.resnets.1",
        );
        check("lm_head.weight", "", "");
        check("w", "", "");
        check("0", "", "");
        check("blk.2.scale", "blk.2", "blk.2");
    }

    #[test]
    fn layers_are_in_the_order_of_their_numbers() {
        let mut names = ["layers.10", "layers.2", "", "layers"];
        names.sort_by(|x, y| in_order(x, y));
        assert_eq!(names, ["", "layers", "layers.2", "layers.10"]);
    }
}
