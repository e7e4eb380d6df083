//! Stacks of numbered blocks: which block of one model corresponds to which of another.

use super::*;

impl Matching<'_> {
    /// Numbered blocks that were dropped, repeated or moved: each block of the child goes with the block of the parent whose matrices it
    /// holds, and its vectors, which tell little by themselves, go along.
    pub(super) fn follow_blocks(&mut self) {
        let (parent, child) = (Blocks::of(self.parent), Blocks::of(self.child));
        let same_depth = parent.members.len() == child.members.len();
        let too_few = parent.members.len() < 2 || child.members.len() < 2;
        if too_few || same_depth && !(0..self.child.len()).any(|index| self.is_doubtful(index)) {
            return;
        }
        let moves: Vec<(&str, &str)> = child
            .members
            .iter()
            .filter_map(|(block, tensors)| {
                let origin = self.origin_of(block, tensors, &parent)?;
                Some((*block, origin))
            })
            .collect();
        let moved = |(block, origin): &(&str, &str)| {
            child.members[block]
                .iter()
                .any(|(rest, index)| self.of_child[*index] != parent.members[origin].get(rest).copied())
        };
        if !moves.iter().any(moved) {
            return;
        }
        for tensors in child.members.values() {
            tensors.values().for_each(|index| self.of_child[*index] = None);
        }
        self.recount();
        for (block, origin) in moves {
            for (rest, index) in &child.members[block] {
                let Some(place) = parent.members[origin].get(rest).copied() else {
                    continue;
                };
                if self.taken[place] && !View::of(&self.child[*index].shape).is_vector() {
                    self.copies.push(*index);
                }
                self.set(*index, place);
            }
        }
    }

    /// The parent's block that a block's matrices are from: the one of the same name unless another fits clearly better.
    fn origin_of<'b>(
        &self,
        block: &str,
        tensors: &BTreeMap<&str, usize>,
        parent: &Blocks<'b>,
    ) -> Option<&'b str> {
        let fit = |origin: &str| {
            let (mut sum, mut count) = (0.0, 0.0);
            for (rest, index) in tensors {
                let child = &self.child[*index];
                let counterpart = parent.members[origin].get(rest).map(|place| &self.parent[*place]);
                let Some(counterpart) = counterpart.filter(|parent| parent.shape == child.shape) else {
                    continue;
                };
                if View::of(&child.shape).is_vector() {
                    continue;
                }
                let same =
                    counterpart.value_digest.is_some() && counterpart.value_digest == child.value_digest;
                sum += if same {
                    1.0
                } else {
                    cosine(counterpart, child).unwrap_or(0.0).min(0.999)
                };
                count += 1.0;
            }
            if count > 0.0 { sum / count } else { 0.0 }
        };
        let best = parent
            .members
            .keys()
            .map(|origin| (fit(origin), *origin))
            .max_by(|a, b| a.0.total_cmp(&b.0).then((a.1 == block).cmp(&(b.1 == block))))?;
        (best.0 >= SAME_PLACE).then_some(best.1)
    }
}

/// Numbered blocks: by the name up to the number, the tensors by the rest of their name.
struct Blocks<'a> {
    members: BTreeMap<&'a str, BTreeMap<&'a str, usize>>,
}

impl<'a> Blocks<'a> {
    fn of(tensors: &'a [TensorFingerprint]) -> Self {
        let mut members: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for (index, tensor) in tensors.iter().enumerate() {
            if let Some((block, rest)) = split_layer(&tensor.name) {
                members.entry(block).or_default().insert(rest, index);
            }
        }
        // a block has several tensors; a number in a plain sequence is no block
        members.retain(|_, tensors| tensors.len() >= 3);
        Self { members }
    }
}
