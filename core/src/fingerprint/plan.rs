//! How much of each tensor a fingerprint keeps: sketch sizes and probe sizes under a budget of bytes for the whole model.
//!
//! Enters: names, dtypes and shapes. Leaves: [`Sizes`] for each tensor. Two models may get different sizes for one shape;
//! sketches fold and probes nest, so any two compare at the smaller of their sizes.

use super::hash::splitmix64;
use super::sketch::MAX_SIDE;
use super::view::View;
use crate::weights::Dtype;
use std::collections::BTreeMap;

/// Bytes a stored fingerprint aims at. Floors for each tensor may exceed it in models of many hundred tensors.
pub const BUDGET_BYTES: usize = 64 * 1024;

/// What is kept of every tensor whatever its sizes: name, digests, statistics, invariants (measured, rounded up).
const FIXED_MATRIX_BYTES: usize = 170;
const FIXED_VECTOR_BYTES: usize = 140;

/// Share of the variable budget spent on one fine sketch for each role before anything else is raised.
const FINE_SHARE: f64 = 0.5;
const FINE_SIDE: u16 = 32;
/// ... and what it is at least, so that the rank of a merged adapter shows in models of many tensors too.
const FINE_BYTES: usize = 8 * 1024;

/// Sizes of what is kept of one tensor. All zero for a tensor without elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sizes {
    pub sketch_rows: u16,
    pub sketch_cols: u16,
    pub probe_rows: u32,
    pub probe_cols: u32,
}

/// A tensor as the plan sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned<'a> {
    pub name: &'a str,
    pub dtype: Dtype,
    pub view: View,
}

/// Plans every tensor of a model.
pub(super) fn plan(tensors: &[Planned<'_>]) -> Vec<Sizes> {
    let mut sizes: Vec<Sizes> = tensors.iter().map(|tensor| floor(tensor.view)).collect();
    let used: usize = tensors
        .iter()
        .zip(&sizes)
        .map(|(tensor, sizes)| fixed_bytes(tensor) + variable_bytes(tensor, *sizes))
        .sum();
    let left = BUDGET_BYTES.saturating_sub(used);
    let order = raising_order(tensors);
    let for_fine = ((left as f64 * FINE_SHARE) as usize).max(FINE_BYTES);
    let mut fine = Purse { left: for_fine };
    for &index in &order.representatives {
        let raise = |sizes, view| sketch_side(sizes, view, FINE_SIDE);
        fine.raise(&tensors[index], &mut sizes[index], raise);
    }
    let mut purse = Purse {
        left: left.saturating_sub(for_fine - fine.left),
    };
    for raise in RAISES {
        for &index in &order.all {
            purse.raise(&tensors[index], &mut sizes[index], raise);
        }
    }
    sizes
}

/// What the rest of the budget buys, in this order.
const RAISES: [fn(Sizes, View) -> Sizes; 7] = [
    |sizes, view| probe_elements(sizes, view, 64),
    |sizes, view| sketch_side(sizes, view, 8),
    |sizes, view| probe_elements(sizes, view, 128),
    |sizes, view| sketch_side(sizes, view, 16),
    |sizes, view| probe_elements(sizes, view, 512),
    |sizes, view| sketch_side(sizes, view, FINE_SIDE),
    |sizes, view| sketch_side(sizes, view, MAX_SIDE as u16),
];

/// Bytes left to spend.
struct Purse {
    left: usize,
}

impl Purse {
    /// Applies `change` where the purse can pay for it.
    fn raise(&mut self, tensor: &Planned<'_>, sizes: &mut Sizes, change: impl Fn(Sizes, View) -> Sizes) {
        if tensor.view.is_vector() {
            return;
        }
        let raised = change(*sizes, tensor.view);
        let price = variable_bytes(tensor, raised).saturating_sub(variable_bytes(tensor, *sizes));
        if price > self.left {
            return;
        }
        self.left -= price;
        *sizes = raised;
    }
}

/// What level `sample` keeps: the start of the first row, as far as every full fingerprint's probe reaches, and all of it.
pub(super) fn sampled(view: View) -> Sizes {
    let floor = floor(view);
    Sizes {
        sketch_rows: floor.sketch_rows.min(1),
        sketch_cols: floor.probe_cols.next_power_of_two() as u16,
        probe_rows: floor.probe_rows.min(1),
        probe_cols: floor.probe_cols,
    }
}

fn floor(view: View) -> Sizes {
    if view.elements() == 0 {
        return Sizes::default();
    }
    if view.is_vector() {
        return Sizes {
            sketch_rows: fit(view.rows, 8),
            sketch_cols: fit(view.cols, 8),
            probe_rows: view.rows.min(16) as u32,
            probe_cols: view.cols.min(16) as u32,
        };
    }
    let sizes = Sizes {
        sketch_rows: fit(view.rows, 4),
        sketch_cols: fit(view.cols, 8),
        ..Sizes::default()
    };
    probe_elements(sizes, view, 32)
}

/// Buckets for an extent: a power of two, no more than `side` nor than the extent fills.
fn fit(extent: u64, side: u16) -> u16 {
    extent.min(u64::from(side)).next_power_of_two() as u16
}

/// Sketch of `side` buckets a side.
fn sketch_side(sizes: Sizes, view: View, side: u16) -> Sizes {
    Sizes {
        sketch_rows: fit(view.rows, side).max(sizes.sketch_rows),
        sketch_cols: fit(view.cols, side).max(sizes.sketch_cols),
        ..sizes
    }
}

/// Probe of about `elements` elements: up to 64 columns wide.
fn probe_elements(sizes: Sizes, view: View, elements: u64) -> Sizes {
    let cols = view.cols.min(elements.min(64));
    let rows = (elements / cols).clamp(1, view.rows);
    Sizes {
        probe_rows: (rows as u32).max(sizes.probe_rows),
        probe_cols: (cols as u32).max(sizes.probe_cols),
        ..sizes
    }
}

fn fixed_bytes(tensor: &Planned<'_>) -> usize {
    tensor.name.len() / 2
        + if tensor.view.is_vector() {
            FIXED_VECTOR_BYTES
        } else {
            FIXED_MATRIX_BYTES
        }
}

fn variable_bytes(tensor: &Planned<'_>, sizes: Sizes) -> usize {
    let element = if matches!(tensor.dtype, Dtype::BF16 | Dtype::F16) {
        2
    } else {
        4
    };
    usize::from(sizes.sketch_rows) * usize::from(sizes.sketch_cols) * 4
        + sizes.probe_rows as usize * sizes.probe_cols as usize * element
}

struct RaisingOrder {
    /// One tensor of each role, projections of attention (what adapters target first) before others, then by size.
    representatives: Vec<usize>,
    /// Every tensor, in an order that name hashes fix.
    all: Vec<usize>,
}

fn raising_order(tensors: &[Planned<'_>]) -> RaisingOrder {
    let mut roles: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, tensor) in tensors.iter().enumerate() {
        if !tensor.view.is_vector() {
            roles.entry(role(tensor.name)).or_default().push(index);
        }
    }
    let mut representatives: Vec<(bool, u64, usize)> = roles
        .iter()
        .filter_map(|(role, members)| {
            let chosen = *members
                .iter()
                .min_by_key(|index| name_hash(tensors[**index].name))?;
            Some((
                !is_projection(role),
                u64::MAX
                    - tensors[chosen]
                        .view
                        .elements()
                        .saturating_mul(members.len() as u64),
                chosen,
            ))
        })
        .collect();
    representatives.sort_unstable();
    let mut all: Vec<usize> = (0..tensors.len()).collect();
    all.sort_by_key(|index| name_hash(tensors[*index].name));
    RaisingOrder {
        representatives: representatives.into_iter().map(|(_, _, index)| index).collect(),
        all,
    }
}

/// The name with its numbers taken out: the same for every layer.
fn role(name: &str) -> String {
    let mut role = String::with_capacity(name.len());
    for character in name.chars() {
        if !character.is_ascii_digit() {
            role.push(character);
        } else if !role.ends_with('#') {
            role.push('#');
        }
    }
    role
}

fn is_projection(role: &str) -> bool {
    let role = role.to_ascii_lowercase();
    ["attn", "attention", "q_proj", "v_proj", "query", "value", "qkv"]
        .iter()
        .any(|word| role.contains(word))
}

fn name_hash(name: &str) -> u64 {
    name.bytes()
        .fold(0, |hash, byte| splitmix64(hash ^ u64::from(byte)))
}
