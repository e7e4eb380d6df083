//! Which tensor of one model corresponds to which of another.
//!
//! Enters: two fingerprints. Leaves: an [`Alignment`]. Names come first, with wrapping prefixes taken off; then digests; then
//! shape and content, which also catches layers that were renumbered.

mod blocks;

use crate::fingerprint::{Fingerprint, Sketch, TensorFingerprint, View};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Cosine from which two tensors count as the same place of two related models.
const SAME_PLACE: f64 = 0.7;
/// A match by name is doubted below this cosine.
const DOUBTFUL: f64 = 0.5;

/// One tensor of the parent and the child's counterpart. Shapes may differ where names agree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    pub parent: &'a TensorFingerprint,
    pub child: &'a TensorFingerprint,
}

impl Pair<'_> {
    pub fn same_shape(&self) -> bool {
        self.parent.shape == self.child.shape
    }

    /// Equal in value, whatever the dtype.
    pub fn same_values(&self) -> bool {
        self.parent.value_digest.is_some() && self.parent.value_digest == self.child.value_digest
    }
}

/// Cosine of two tensors from their sketches.
pub(super) fn cosine(a: &TensorFingerprint, b: &TensorFingerprint) -> Option<f64> {
    let (a, b) = (a.sketch.as_ref()?, b.sketch.as_ref()?);
    let (rows, cols) = (a.rows.min(b.rows), a.cols.min(b.cols));
    let folded = |sketch: &Sketch| sketch.fold(rows, cols);
    if (a.rows, a.cols) == (b.rows, b.cols) {
        return ratio(a.dot(b), a.norm_squared() * b.norm_squared());
    }
    let (a, b) = (folded(a), folded(b));
    ratio(a.dot(&b), a.norm_squared() * b.norm_squared())
}

fn ratio(dot: f64, norms: f64) -> Option<f64> {
    (norms > 0.0).then(|| dot / norms.sqrt())
}

/// Two models' tensors side by side.
#[derive(Debug, Default)]
pub(super) struct Alignment<'a> {
    pub pairs: Vec<Pair<'a>>,
    pub parent_only: Vec<&'a TensorFingerprint>,
    pub child_only: Vec<&'a TensorFingerprint>,
    /// Some tensor goes by another name.
    pub renamed: bool,
    /// Child tensors whose counterpart serves another child tensor too: copied layers or experts.
    pub copies: Vec<Pair<'a>>,
}

/// Aligns two models.
pub(super) fn align<'a>(parent: &'a Fingerprint, child: &'a Fingerprint) -> Alignment<'a> {
    let mut matching = Matching::new(parent, child);
    if !matching.by_equal_lists() {
        matching.by_name();
        matching.by_digest();
        matching.by_content();
    }
    matching.follow_blocks();
    matching.mend_doubtful();
    matching.by_values();
    matching.copies();
    matching.finish()
}

struct Matching<'a> {
    parent: &'a [TensorFingerprint],
    child: &'a [TensorFingerprint],
    /// For each child tensor, its counterpart.
    of_child: Vec<Option<usize>>,
    taken: Vec<bool>,
    /// Places in `child` of copies.
    copies: Vec<usize>,
}

impl<'a> Matching<'a> {
    fn new(parent: &'a Fingerprint, child: &'a Fingerprint) -> Self {
        Self {
            parent: &parent.tensors,
            child: &child.tensors,
            of_child: vec![None; child.tensors.len()],
            taken: vec![false; parent.tensors.len()],
            copies: Vec::new(),
        }
    }

    fn set(&mut self, child: usize, parent: usize) {
        self.of_child[child] = Some(parent);
        self.taken[parent] = true;
    }

    fn free_children(&self) -> Vec<usize> {
        (0..self.child.len())
            .filter(|index| self.of_child[*index].is_none())
            .collect()
    }

    /// The usual case: the same names in the same order.
    fn by_equal_lists(&mut self) -> bool {
        let equal = self.parent.len() == self.child.len()
            && self
                .parent
                .iter()
                .zip(self.child)
                .all(|(parent, child)| parent.name == child.name);
        if equal {
            (0..self.child.len()).for_each(|index| self.set(index, index));
        }
        equal
    }

    fn by_name(&mut self) {
        let (strip_parent, strip_child) = best_prefixes(self.parent, self.child);
        let places: HashMap<&str, usize> = self
            .parent
            .iter()
            .enumerate()
            .filter_map(|(index, tensor)| Some((tensor.name.strip_prefix(strip_parent.as_str())?, index)))
            .collect();
        for index in 0..self.child.len() {
            let stripped = self.child[index].name.strip_prefix(strip_child.as_str());
            if let Some(found) = stripped
                .and_then(|name| places.get(name))
                .filter(|found| !self.taken[**found])
            {
                self.set(index, *found);
            }
        }
    }

    fn by_digest(&mut self) {
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, tensor) in self.parent.iter().enumerate().rev() {
            if let (false, Some(digest)) = (self.taken[index], &tensor.value_digest) {
                places.entry(digest).or_default().push(index);
            }
        }
        for index in self.free_children() {
            let digest = self.child[index].value_digest.as_deref();
            if let Some(found) = digest
                .and_then(|digest| places.get_mut(digest))
                .and_then(Vec::pop)
            {
                self.set(index, found);
            }
        }
    }

    /// Greedily, the most similar of one shape first.
    fn by_content(&mut self) {
        let mut by_shape: HashMap<&[u64], Vec<usize>> = HashMap::new();
        for (index, tensor) in self
            .parent
            .iter()
            .enumerate()
            .filter(|(index, _)| !self.taken[*index])
        {
            by_shape.entry(&tensor.shape).or_default().push(index);
        }
        let mut options: Vec<(f64, usize, usize)> = Vec::new();
        for child in self.free_children() {
            for &parent in by_shape
                .get(self.child[child].shape.as_slice())
                .into_iter()
                .flatten()
            {
                let cosine = cosine(&self.parent[parent], &self.child[child]).unwrap_or(0.0);
                if cosine >= SAME_PLACE {
                    options.push((cosine, child, parent));
                }
            }
        }
        options.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        for (_, child, parent) in options {
            if self.of_child[child].is_none() && !self.taken[parent] {
                self.set(child, parent);
            }
        }
    }

    /// Matches by name whose contents disagree, while another tensor of that shape agrees: layers were renumbered.
    fn mend_doubtful(&mut self) {
        let doubtful: Vec<usize> = (0..self.child.len())
            .filter(|index| self.is_doubtful(*index))
            .collect();
        if doubtful.is_empty() || doubtful.len() == self.child.len() {
            return;
        }
        let mut moved: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut better: Vec<(usize, usize)> = Vec::new();
        for &child in &doubtful {
            let candidates =
                (0..self.parent.len()).filter(|parent| self.parent[*parent].shape == self.child[child].shape);
            let best = candidates
                .filter_map(|parent| Some((cosine(&self.parent[parent], &self.child[child])?, parent)))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let Some((_, parent)) = best.filter(|(cosine, _)| *cosine >= SAME_PLACE) else {
                continue;
            };
            better.push((child, parent));
            if let Some(layers) = layers_of(&self.child[child].name, &self.parent[parent].name) {
                *moved.entry(layers).or_default() += 1;
            }
        }
        self.reassign(&better);
        self.follow_layers(&moved);
    }

    fn is_doubtful(&self, child: usize) -> bool {
        let Some(parent) = self.of_child[child] else {
            return false;
        };
        let (parent, child) = (&self.parent[parent], &self.child[child]);
        parent.shape == child.shape
            && !View::of(&child.shape).is_vector()
            && parent.value_digest != child.value_digest
            && cosine(parent, child).is_some_and(|cosine| cosine < DOUBTFUL)
    }

    fn reassign(&mut self, better: &[(usize, usize)]) {
        for &(child, _) in better {
            self.of_child[child] = None;
        }
        let used: HashSet<usize> = self.of_child.iter().flatten().copied().collect();
        self.taken = (0..self.parent.len())
            .map(|index| used.contains(&index))
            .collect();
        for &(child, parent) in better {
            if !self.taken[parent] {
                self.set(child, parent);
            }
        }
    }

    /// Vectors tell little by content: they follow the matrices of their layer.
    fn follow_layers(&mut self, moved: &BTreeMap<(String, String), usize>) {
        let places: HashMap<&str, usize> = self
            .parent
            .iter()
            .enumerate()
            .map(|(index, tensor)| (tensor.name.as_str(), index))
            .collect();
        let mut better = Vec::new();
        for (child_layer, parent_layer) in moved.keys() {
            for child in 0..self.child.len() {
                let Some(rest) = self.child[child].name.strip_prefix(child_layer.as_str()) else {
                    continue;
                };
                let is_vector = View::of(&self.child[child].shape).is_vector();
                if let (true, Some(parent)) =
                    (is_vector, places.get(format!("{parent_layer}{rest}").as_str()))
                {
                    better.push((child, *parent));
                }
            }
        }
        self.reassign(&better);
    }

    fn recount(&mut self) {
        let used: HashSet<usize> = self.of_child.iter().flatten().copied().collect();
        self.taken = (0..self.parent.len())
            .map(|index| used.contains(&index))
            .collect();
    }

    /// The same multiset of values in another shape: transposed or flattened on the way to another container.
    fn by_values(&mut self) {
        let mut places: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
        for (index, tensor) in self.parent.iter().enumerate().rev() {
            if let (false, Some(values)) = (self.taken[index], values_of(tensor)) {
                places.entry(values).or_default().push(index);
            }
        }
        if places.is_empty() {
            return;
        }
        for index in self.free_children() {
            let found = values_of(&self.child[index])
                .and_then(|values| places.get_mut(&values))
                .and_then(Vec::pop);
            if let Some(found) = found {
                self.set(index, found);
            }
        }
    }

    /// Child tensors still without counterpart that equal, or nearly equal, a parent tensor already taken.
    fn copies(&mut self) {
        for child in self.free_children() {
            let tensor = &self.child[child];
            if View::of(&tensor.shape).is_vector() {
                continue;
            }
            let found = self.parent.iter().position(|parent| {
                parent.shape == tensor.shape
                    && (parent.value_digest == tensor.value_digest
                        || cosine(parent, tensor).is_some_and(|cosine| cosine > 0.9))
            });
            if let Some(parent) = found {
                if self.taken[parent] {
                    self.copies.push(child);
                }
                self.set(child, parent);
            }
        }
    }

    fn finish(self) -> Alignment<'a> {
        let mut alignment = Alignment::default();
        for (index, (child, parent)) in self.child.iter().zip(&self.of_child).enumerate() {
            match parent {
                Some(parent) => {
                    let parent = &self.parent[*parent];
                    alignment.renamed |= parent.name != child.name;
                    alignment.pairs.push(Pair { parent, child });
                    if self.copies.contains(&index) {
                        alignment.copies.push(Pair { parent, child });
                    }
                }
                None => alignment.child_only.push(child),
            }
        }
        let unmatched = self.parent.iter().zip(&self.taken).filter(|(_, taken)| !**taken);
        alignment.parent_only = unmatched.map(|(tensor, _)| tensor).collect();
        alignment
    }
}

/// What a matrix has in common with its transpose.
fn values_of(tensor: &TensorFingerprint) -> Option<(u64, u64)> {
    let is_matrix = !View::of(&tensor.shape).is_vector();
    let invariants = tensor.invariants.as_ref().filter(|_| is_matrix)?;
    Some((invariants.values, tensor.elements()))
}

/// The prefixes (of the parent's names, of the child's) that make most names agree when taken off.
fn best_prefixes(parent: &[TensorFingerprint], child: &[TensorFingerprint]) -> (String, String) {
    let (parent_options, child_options) = (common_prefixes(parent), common_prefixes(child));
    let mut best = (0, String::new(), String::new());
    for strip_parent in &parent_options {
        let names: HashSet<(&str, &[u64])> = parent
            .iter()
            .filter_map(|tensor| {
                Some((
                    tensor.name.strip_prefix(strip_parent.as_str())?,
                    tensor.shape.as_slice(),
                ))
            })
            .collect();
        for strip_child in &child_options {
            let agreeing = child
                .iter()
                .filter_map(|tensor| {
                    Some((
                        tensor.name.strip_prefix(strip_child.as_str())?,
                        tensor.shape.as_slice(),
                    ))
                })
                .filter(|key| names.contains(key))
                .count();
            if agreeing > best.0 {
                best = (agreeing, strip_parent.clone(), strip_child.clone());
            }
        }
    }
    (best.1, best.2)
}

/// Dotted prefixes that at least a tenth of the names begin with, and the empty one.
fn common_prefixes(tensors: &[TensorFingerprint]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for tensor in tensors {
        for (end, _) in tensor.name.match_indices(['.', '/']).take(4) {
            *counts.entry(&tensor.name[..=end]).or_default() += 1;
        }
    }
    let common = counts
        .into_iter()
        .filter(|(_, count)| *count * 10 >= tensors.len() && *count > 1);
    std::iter::once(String::new())
        .chain(common.map(|(prefix, _)| prefix.to_owned()))
        .take(40)
        .collect()
}

/// The layer prefixes of two names that differ in one number only: `("layers.3.", "layers.5.")`.
fn layers_of(child: &str, parent: &str) -> Option<(String, String)> {
    let (child_layer, child_rest) = split_layer(child)?;
    let (parent_layer, parent_rest) = split_layer(parent)?;
    (child_rest == parent_rest && child_layer != parent_layer)
        .then(|| (child_layer.to_owned(), parent_layer.to_owned()))
}

/// A name up to and with its first component that is a number, and the rest.
pub(super) fn split_layer(name: &str) -> Option<(&str, &str)> {
    let mut start = 0;
    for component in name.split_inclusive(['.', '/']) {
        let end = start + component.len();
        let bare = component.trim_end_matches(['.', '/']);
        if !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit()) && end < name.len() {
            return Some((&name[..end], &name[end..]));
        }
        start = end;
    }
    None
}
