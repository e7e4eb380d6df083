//! Tensors as places in a network: roles down, layers across. What both heat maps draw.

use crate::delta::TensorDiff;
use std::collections::BTreeMap;

/// A column of a heat map.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Layer {
    /// `model.layers`; empty outside any.
    pub stack: String,
    pub number: Option<u64>,
}

pub struct Grid<'a> {
    pub layers: Vec<Layer>,
    pub roles: Vec<&'a str>,
    /// By role and layer.
    pub cells: BTreeMap<(usize, usize), &'a TensorDiff>,
}

impl<'a> Grid<'a> {
    /// Roles in the order of the tensors, layers by stack and number, what is outside any layer last.
    pub fn new(tensors: &'a [TensorDiff]) -> Self {
        let placed: Vec<(Layer, &str, &TensorDiff)> = tensors
            .iter()
            .map(|tensor| {
                let (layer, role) = place_of(&tensor.name);
                (layer, role, tensor)
            })
            .collect();
        let mut layers: Vec<Layer> = placed.iter().map(|(layer, ..)| layer.clone()).collect();
        layers.sort_by_key(|layer| (layer.number.is_none(), layer.clone()));
        layers.dedup();
        let mut grid = Self {
            layers,
            roles: Vec::new(),
            cells: BTreeMap::new(),
        };
        for (layer, role, tensor) in placed {
            let row = grid
                .roles
                .iter()
                .position(|known| *known == role)
                .unwrap_or_else(|| {
                    grid.roles.push(role);
                    grid.roles.len() - 1
                });
            let column = grid.layers.iter().position(|known| *known == layer).unwrap_or(0);
            grid.cells.insert((row, column), tensor);
        }
        grid
    }
}

/// The first number in a dotted name is its layer; what follows is the role.
fn place_of(name: &str) -> (Layer, &str) {
    let mut start = 0;
    for part in name.split_inclusive(['.', '/']) {
        let word = part.trim_end_matches(['.', '/']);
        let end = start + part.len();
        if let (Ok(number), true) = (word.parse(), end < name.len()) {
            let stack = name[..start].trim_end_matches(['.', '/']).to_owned();
            let number = Some(number);
            return (Layer { stack, number }, &name[end..]);
        }
        start = end;
    }
    let outside = Layer {
        stack: String::new(),
        number: None,
    };
    (outside, name)
}

/// 0 for a relative change of a millionth, 1 for one as large as the tensor; `None` where nothing changed.
pub fn heat(tensor: &TensorDiff) -> Option<f64> {
    if tensor.changed == 0 {
        return None;
    }
    let decades = tensor.relative_l2.map_or(0.0, f64::log10);
    Some(((decades + 6.0) / 6.0).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_placed_by_their_first_number() {
        let check = |name, stack: &str, number, role| {
            let (layer, found) = place_of(name);
            assert_eq!(
                (layer.stack.as_str(), layer.number, found),
                (stack, number, role),
                "{name}"
            );
        };
        check(
            "model.layers.12.mlp.up_proj.weight",
            "model.layers",
            Some(12),
            "mlp.up_proj.weight",
        );
        check("0.weight", "", Some(0), "weight");
        check("lm_head.weight", "", None, "lm_head.weight");
        check("w.3", "", None, "w.3");
    }
}
