//! Fine-tuned: the shapes stay and values move. Which values, and in what shape, says how it was trained.

mod low_rank;

use super::super::Relation;
use super::super::align::split_layer;
use super::super::evidence::{Evidence, TensorEvidence, common_rows, share};
use super::super::spectrum::Spectrum;
use super::Decision;
use low_rank::{lora, low_rank_and_sparse};
use std::collections::{BTreeMap, BTreeSet};

/// Share of the judged matrices whose delta must end in a gap, for a merged low-rank adapter.
const LOW_RANK_SHARE: f64 = 0.7;
/// Most of a matrix's elements that a sparse delta touches.
const SPARSE_SHARE: f64 = 0.3;
/// Share of elements that a tampered tensor, or an edited neuron, touches at most.
const LOCAL_SHARE: f64 = 0.1;

/// Tensors that must stay identical for a fine-tune of some layers: constants that no training touches are fewer.
const FROZEN_SHARE: f64 = 0.35;

/// The changed tensors, each with its spectrum where it is a matrix.
struct Changed<'e, 'a> {
    evidence: &'e Evidence<'a>,
    all: Vec<&'e TensorEvidence<'a>>,
    matrices: Vec<(&'e TensorEvidence<'a>, Spectrum)>,
}

pub(super) fn recognise(evidence: &Evidence<'_>) -> Option<Decision> {
    let all: Vec<_> = evidence.changed().collect();
    let matrices = all
        .iter()
        .filter(|tensor| tensor.is_matrix())
        .filter_map(|tensor| {
            let (parent, child) = (
                tensor.pair.parent.sketch.as_ref()?,
                tensor.pair.child.sketch.as_ref()?,
            );
            Some((*tensor, Spectrum::of(parent, child)))
        })
        .collect();
    let changed = Changed {
        evidence,
        all,
        matrices,
    };
    let rules: [fn(&Changed<'_, '_>) -> Option<Decision>; 11] = [
        new_head,
        neuron_edit,
        touched,
        lora,
        shallow_patch,
        head,
        bias,
        tampered,
        low_rank_and_sparse,
        scale_shift,
        sparse,
    ];
    let decision = rules
        .iter()
        .find_map(|rule| rule(&changed))
        .or_else(|| some_layers(&changed));
    Some(decision.unwrap_or_else(|| full(&changed)))
}

fn finetune(technique: &'static str, confidence: f64, because: String) -> Decision {
    Decision::new(Relation::Finetune, technique, confidence, because)
}

impl Changed<'_, '_> {
    /// Estimated share of the elements of a matrix that changed.
    fn changed_share(tensor: &TensorEvidence<'_>, spectrum: &Spectrum) -> f64 {
        let probed = 1.0 - share(tensor.elements.unchanged, tensor.elements.compared);
        let cells = (spectrum.touched_rows.1 * spectrum.touched_cols.1) as f64;
        let load = (tensor.view.elements() as f64 / cells).max(1.0);
        // a cell stays exactly zero when none of the elements that fall in it changed
        let from_cells = if spectrum.zero_cells > 0.0 {
            1.0 - spectrum.zero_cells.powf(1.0 / load)
        } else {
            1.0
        };
        if spectrum.zero_cells > 0.02 {
            from_cells
        } else {
            probed
        }
    }

    /// Where each changed tensor stands among the layers, from 0 to 1.
    fn depths(&self) -> impl Iterator<Item = f64> {
        let mut names: Vec<&str> = self
            .evidence
            .tensors
            .iter()
            .map(|tensor| tensor.pair.child.name.as_str())
            .collect();
        names.sort_by_cached_key(|name| layer_order(name));
        let all = names.len().max(1) as f64;
        self.all.iter().map(move |tensor| {
            let name = tensor.pair.child.name.as_str();
            names.iter().position(|other| *other == name).unwrap_or(0) as f64 / all
        })
    }

    fn unmatched(&self) -> usize {
        self.evidence.alignment.child_only.len()
            + self.evidence.reshaped.len()
            + self.evidence.alignment.parent_only.len()
    }
}

const HEAD_WORDS: [&str; 9] = [
    "head",
    "classifier",
    "score",
    "logits",
    "final",
    "lm_head",
    "fc_out",
    "output_layer",
    "prediction",
];

fn is_head(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let bare = name.trim_end_matches(".weight").trim_end_matches(".bias");
    HEAD_WORDS.iter().any(|word| name.contains(word)) && !name.contains("attention") && !name.contains("norm")
        || matches!(
            bare,
            "fc" | "out" | "output" | "linear" | "proj_out" | "model.fc" | "dense_out"
        )
}

/// Another head on the same body.
fn new_head(changed: &Changed<'_, '_>) -> Option<Decision> {
    let alignment = &changed.evidence.alignment;
    let names = alignment.child_only.iter().map(|tensor| tensor.name.as_str());
    let names: Vec<&str> = names
        .chain(
            changed
                .evidence
                .reshaped
                .iter()
                .map(|pair| pair.child.name.as_str()),
        )
        .collect();
    let only_heads = changed.all.iter().all(|tensor| is_head(&tensor.pair.child.name));
    let new_only_heads = alignment.child_only.iter().all(|tensor| is_head(&tensor.name));
    if names.is_empty() || names.len() > 4 || !only_heads || !new_only_heads {
        return None;
    }
    let because = format!("The body is unchanged, and {} takes another shape.", names[0]);
    Some(finetune("head", 0.9, because))
}

/// Only biases moved (BitFit).
fn bias(changed: &Changed<'_, '_>) -> Option<Decision> {
    let vectors_only = changed
        .all
        .iter()
        .all(|tensor| tensor.pair.child.shape.len() <= 1);
    if !vectors_only || changed.all.len() < 2 || changed.unmatched() > 0 {
        return None;
    }
    let scales = changed.all.iter().filter(|tensor| is_scale(tensor)).count();
    let vectors = changed.all.len();
    if scales == 0 {
        return Some(finetune(
            "bias",
            0.95,
            format!("Of all tensors only {vectors} biases changed."),
        ));
    }
    let because = format!(
        "Only vectors changed: {scales} scales and {} shifts.",
        vectors - scales
    );
    Some(finetune("scale-shift", 0.8, because))
}

/// A vector that multiplies: normalisation weights scatter around one.
fn is_scale(tensor: &TensorEvidence<'_>) -> bool {
    let name = &tensor.pair.child.name;
    let near_one = tensor
        .pair
        .parent
        .stats
        .as_ref()
        .is_some_and(|stats| stats.mean > 0.3 && stats.std < stats.mean);
    !name.ends_with("bias") && near_one
}

/// The tensors of the head, known by name, or one weight and its bias.
fn head(changed: &Changed<'_, '_>) -> Option<Decision> {
    let named = !changed.all.is_empty() && changed.all.iter().all(|tensor| is_head(&tensor.pair.child.name));
    let weights = changed
        .all
        .iter()
        .filter(|tensor| tensor.pair.child.shape.len() > 1)
        .count();
    let last = changed.depths().all(|depth| depth > LAST_LAYERS);
    let one_layer = changed.all.len() == 2 && weights == 1 && changed.evidence.tensors.len() > 6 && last;
    if !named && !one_layer || is_local(changed) || changed.unmatched() > 0 {
        return None;
    }
    let because = format!(
        "Only {} tensors of one layer changed, the others are identical.",
        changed.all.len()
    );
    Some(finetune("head", if named { 0.93 } else { 0.7 }, because))
}

/// The one changed matrix is touched in a few elements.
fn is_local(changed: &Changed<'_, '_>) -> bool {
    matches!(changed.matrices.as_slice(), [(tensor, spectrum)]
        if changed.all.len() == 1 && Changed::changed_share(tensor, spectrum) < LOCAL_SHARE)
}

/// A few elements of one matrix.
fn touched(changed: &Changed<'_, '_>) -> Option<Decision> {
    if is_local(changed) {
        tampered(changed)
    } else {
        None
    }
}

/// Tensors of the first layers only, and few of them.
fn shallow_patch(changed: &Changed<'_, '_>) -> Option<Decision> {
    let few = changed.all.len() * 4 <= changed.evidence.tensors.len();
    if changed.all.len() < 2
        || !few
        || changed.unmatched() > 0
        || !changed.depths().all(|depth| depth < FIRST_LAYERS)
    {
        return None;
    }
    let because = format!(
        "Only {} tensors of the first layers changed, the {} behind them are identical.",
        changed.all.len(),
        changed.evidence.tensors.len() - changed.all.len()
    );
    Some(finetune("shallow-patch", 0.8, because))
}

/// Places in the order of layers, from 0 to 1, before and behind which layers are called first and last.
const FIRST_LAYERS: f64 = 0.25;
const LAST_LAYERS: f64 = 0.6;

/// Orders names as data meets their layers, as far as names tell: embeddings, numbered layers by number, then heads.
fn layer_order(name: &str) -> (u8, Vec<(String, u64)>) {
    let lower = name.to_ascii_lowercase();
    let stage = match () {
        _ if lower.contains("embed") || lower.contains("wte") || lower.contains("wpe") => 0,
        _ if is_head(name) => 2,
        _ => 1,
    };
    let mut parts = Vec::new();
    let mut rest = lower.as_str();
    while !rest.is_empty() {
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(letters);
        let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let (number, tail) = tail.split_at(digits);
        parts.push((word.to_owned(), number.parse().unwrap_or(0)));
        rest = tail;
    }
    (stage, parts)
}

fn tampered(changed: &Changed<'_, '_>) -> Option<Decision> {
    let [tensor] = changed.all.as_slice() else {
        return None;
    };
    if changed.unmatched() > 0 || changed.evidence.tensors.len() < 4 {
        return None;
    }
    let name = &tensor.pair.child.name;
    Some(
        finetune(
            "tampered",
            0.85,
            format!("A single tensor changed, {name}; all others are identical."),
        )
        .with("tensor", name.as_str()),
    )
}

/// Squared change of a line, over the mean squared norm of lines, from which a neuron was edited.
const REWRITTEN: f64 = 0.02;

/// A few rows or columns of few matrices.
fn neuron_edit(changed: &Changed<'_, '_>) -> Option<Decision> {
    let few = |(touched, all): (usize, usize)| all >= 8 && touched * 4 <= all;
    let most = |(touched, all): (usize, usize)| touched * 5 >= all * 3;
    let is_edited = |spectrum: &Spectrum| {
        let (rows, cols) = (spectrum.touched_rows, spectrum.touched_cols);
        few(rows) && most(cols) || few(cols) && most(rows)
    };
    // a whole line was rewritten, not some elements in it
    let is_whole = |tensor: &TensorEvidence<'_>| {
        let lines = tensor.view.rows.max(tensor.view.cols) as f64;
        tensor.delta_square * lines > REWRITTEN * tensor.parent_square
    };
    let edited = changed
        .matrices
        .iter()
        .filter(|(tensor, spectrum)| is_edited(spectrum) && is_whole(tensor));
    if changed.matrices.is_empty() || edited.count() < changed.matrices.len() {
        return None;
    }
    let because = format!(
        "In each of {} changed matrices only a few rows or columns moved.",
        changed.matrices.len()
    );
    Some(finetune("neuron-edit", 0.85, because))
}

/// Each row is the parent's times a number.
fn scale_shift(changed: &Changed<'_, '_>) -> Option<Decision> {
    let scaled = changed
        .matrices
        .iter()
        .filter(|(tensor, _)| rows_are_scaled(tensor))
        .count();
    if changed.matrices.is_empty() || (scaled as f64) < 0.8 * changed.matrices.len() as f64 {
        return None;
    }
    let because =
        format!("In {scaled} changed matrices every probed row is the parent's times a number of its own.");
    Some(finetune("scale-shift", 0.92, because))
}

fn rows_are_scaled(tensor: &TensorEvidence<'_>) -> bool {
    let (Some(parent), Some(child)) = (&tensor.pair.parent.probe, &tensor.pair.child.probe) else {
        return false;
    };
    let rows = common_rows(parent, child, tensor.view.rows, tensor.view.rows);
    let is_constant = |lines: Vec<(Vec<f32>, Vec<f32>)>| {
        let mut usable = 0;
        let constant = lines.iter().all(|(parent, child)| match slope(parent, child) {
            None => true,
            Some((_, residual)) => {
                usable += 1;
                residual < 5e-3
            }
        });
        constant && usable > 1
    };
    let by_row = rows
        .iter()
        .map(|(parent, child)| (parent.to_vec(), child.to_vec()))
        .collect();
    let width = rows.first().map_or(0, |(parent, _)| parent.len());
    let column = |column: usize| {
        rows.iter()
            .map(|(parent, child)| (parent[column], child[column]))
            .unzip()
    };
    is_constant(by_row) || rows.len() > 3 && is_constant((0..width).map(column).collect())
}

/// The factor that takes one line to the other, and what remains, relative to the *change*.
fn slope(parent: &[f32], child: &[f32]) -> Option<(f64, f64)> {
    let (mut product, mut square, mut change) = (0.0, 0.0, 0.0);
    for (parent, child) in parent.iter().zip(child) {
        let (parent, child) = (f64::from(*parent), f64::from(*child));
        product += parent * child;
        square += parent * parent;
        change += (child - parent).powi(2);
    }
    if square == 0.0 || change == 0.0 || parent.len() < 4 {
        return None;
    }
    let slope = product / square;
    let rest: f64 = parent
        .iter()
        .zip(child)
        .map(|(parent, child)| (f64::from(*child) - slope * f64::from(*parent)).powi(2))
        .sum();
    Some((slope, (rest / change).sqrt()))
}

fn sparse(changed: &Changed<'_, '_>) -> Option<Decision> {
    let shares: Vec<f64> = changed
        .matrices
        .iter()
        .map(|(tensor, spectrum)| Changed::changed_share(tensor, spectrum))
        .collect();
    let sparse = shares.iter().filter(|share| **share <= SPARSE_SHARE).count();
    if shares.is_empty() || (sparse as f64) < 0.8 * shares.len() as f64 {
        return None;
    }
    let density = shares.iter().sum::<f64>() / shares.len() as f64;
    let because = format!(
        "Only {:.1} % of the elements of {} matrices changed, scattered over them.",
        density * 100.0,
        shares.len()
    );
    Some(
        finetune("sparse", 0.9, because)
            .with("density", (density * 1e3).round() / 1e3)
            .with_feature(
                "delta_density",
                density,
                "estimated share of elements that changed, in changed matrices",
            ),
    )
}

/// Whole layers kept as they were.
fn some_layers(changed: &Changed<'_, '_>) -> Option<Decision> {
    let group = |tensor: &TensorEvidence<'_>| layer_key(&tensor.pair.child.name);
    let mut touched: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for tensor in &changed.evidence.tensors {
        let entry = touched.entry(group(tensor)).or_default();
        entry.0 += usize::from(!tensor.same_values);
        entry.1 += 1;
    }
    let moved: Vec<&String> = touched
        .iter()
        .filter(|(_, (changed, _))| *changed > 0)
        .map(|(name, _)| name)
        .collect();
    let identical = changed.evidence.tensors.len() - changed.all.len();
    if moved.len() == touched.len()
        || (identical as f64) < FROZEN_SHARE * changed.evidence.tensors.len() as f64
    {
        return None;
    }
    let names = moved
        .iter()
        .map(|name| name.trim_end_matches('.').to_owned())
        .collect::<Vec<_>>();
    let because = format!(
        "{} of {} layers changed ({}); the others are identical.",
        moved.len(),
        touched.len(),
        brief(&names)
    );
    Some(finetune("layers", 0.85, because).with("layers", names))
}

/// The layer a tensor belongs to: its numbered block, or its module.
fn layer_key(name: &str) -> String {
    match split_layer(name) {
        Some((layer, _)) => layer.to_owned(),
        None => name
            .rsplit_once('.')
            .map_or(name, |(module, _)| module)
            .to_owned(),
    }
}

fn brief(names: &[String]) -> String {
    match names {
        [first, second, third, _, ..] => format!("{first}, {second}, {third}, ..."),
        _ => names.join(", "),
    }
}

fn full(changed: &Changed<'_, '_>) -> Decision {
    let share = changed.evidence.related_share();
    let because = format!(
        "{} of {} tensors moved, by {:.2} % of the parent's norm, without a simpler pattern.",
        changed.all.len(),
        changed.evidence.tensors.len(),
        changed.evidence.relative_delta() * 100.0
    );
    finetune("full", 0.6 + 0.35 * share, because)
}
