//! The heat map for those without a browser: a character a tensor, darker where it changed more.

use super::grid::{Grid, heat};
use crate::commands::table::printable;
use crate::delta::TensorDiff;

const SHADES: [char; 4] = ['░', '▒', '▓', '█'];
const EQUAL: char = '·';
/// Wider maps do not fit a terminal.
const MAX_LAYERS: usize = 96;
const MAX_ROLES: usize = 40;
const MAX_LABEL: usize = 36;

/// Roles down, layers across; empty where there are no layers to set side by side, or nothing changed.
pub fn heat_map(tensors: &[TensorDiff]) -> String {
    let grid = Grid::new(tensors);
    let numbered = grid.layers.iter().filter(|layer| layer.number.is_some()).count();
    if numbered < 2 || tensors.iter().all(|tensor| tensor.changed == 0) {
        return String::new();
    }
    let roles: Vec<usize> = (0..grid.roles.len())
        .filter(|row| (0..numbered).any(|column| grid.cells.contains_key(&(*row, column))))
        .collect();
    let labels: Vec<String> = roles.iter().map(|row| label(grid.roles[*row])).collect();
    let width = labels
        .iter()
        .map(|label| label.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = format!(
        "where it changed, {} layers from left to right ({EQUAL} equal, {} to {} relative change 1e-6 to 1)\n",
        numbered, SHADES[0], SHADES[3]
    );
    for (row, label) in roles.iter().zip(&labels).take(MAX_ROLES) {
        let cells: String = (0..numbered.min(MAX_LAYERS))
            .map(|column| {
                grid.cells
                    .get(&(*row, column))
                    .map_or(' ', |tensor| shade(tensor))
            })
            .collect();
        text += &format!("{label:>width$} {}\n", cells.trim_end());
    }
    for (kind, hidden) in [
        ("roles", roles.len().saturating_sub(MAX_ROLES)),
        ("layers", numbered.saturating_sub(MAX_LAYERS)),
    ] {
        if hidden > 0 {
            text += &format!("and {hidden} more {kind} (--html shows all)\n");
        }
    }
    text
}

fn label(role: &str) -> String {
    let role = printable(role);
    let length = role.chars().count();
    match length > MAX_LABEL {
        true => format!(
            "…{}",
            role.chars().skip(length - MAX_LABEL + 1).collect::<String>()
        ),
        false => role,
    }
}

fn shade(tensor: &TensorDiff) -> char {
    match heat(tensor) {
        None => EQUAL,
        Some(heat) => SHADES[((heat * SHADES.len() as f64) as usize).min(SHADES.len() - 1)],
    }
}
