//! Minimum-cost arborescence (Chu and Liu 1965, Edmonds 1967): the best parent for everyone at once, without cycles.
//!
//! Enters: directed costs. Leaves: at most one parent for each node.

/// A possible derivation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Arc {
    pub parent: usize,
    pub child: usize,
    pub cost: f64,
}

/// The parents that minimise the sum of costs, where having none costs `root_cost`.
pub(crate) fn best_parents(nodes: usize, arcs: &[Arc], root_cost: f64) -> Vec<Option<usize>> {
    // node `nodes` is the root of roots
    let from_root = (0..nodes).map(|child| Arc {
        parent: nodes,
        child,
        cost: root_cost,
    });
    let all: Vec<Arc> = arcs
        .iter()
        .copied()
        .filter(|arc| arc.parent != arc.child)
        .chain(from_root)
        .collect();
    let chosen = solve(nodes + 1, nodes, &all);
    let mut parents = vec![None; nodes];
    for index in chosen {
        let arc = all[index];
        if arc.parent < nodes {
            parents[arc.child] = Some(arc.parent);
        }
    }
    parents
}

/// Indices of the arcs of the arborescence rooted at `root`; every node must be reachable.
fn solve(nodes: usize, root: usize, arcs: &[Arc]) -> Vec<usize> {
    let mut cheapest: Vec<Option<usize>> = vec![None; nodes];
    for (index, arc) in arcs.iter().enumerate() {
        let is_better = |best: usize| arc.cost < arcs[best].cost;
        if arc.child != root && cheapest[arc.child].is_none_or(is_better) {
            cheapest[arc.child] = Some(index);
        }
    }
    let Some(cycle) = find_cycle(nodes, arcs, &cheapest) else {
        return cheapest.into_iter().flatten().collect();
    };
    // contract the cycle into one node, solve, and open it where the solution enters
    let mut label = vec![usize::MAX; nodes];
    let mut count = 0;
    for (node, label) in label.iter_mut().enumerate() {
        if !cycle.contains(&node) {
            *label = count;
            count += 1;
        }
    }
    cycle.iter().for_each(|node| label[*node] = count);
    let mut contracted: Vec<Arc> = Vec::new();
    let mut origin: Vec<usize> = Vec::new();
    for (index, arc) in arcs.iter().enumerate() {
        let (parent, child) = (label[arc.parent], label[arc.child]);
        if parent == child {
            continue;
        }
        let relief = if child == count {
            cheapest[arc.child].map_or(0.0, |best| arcs[best].cost)
        } else {
            0.0
        };
        contracted.push(Arc {
            parent,
            child,
            cost: arc.cost - relief,
        });
        origin.push(index);
    }
    let mut chosen: Vec<usize> = solve(count + 1, label[root], &contracted)
        .into_iter()
        .map(|index| origin[index])
        .collect();
    let entered = chosen
        .iter()
        .map(|index| arcs[*index].child)
        .find(|child| cycle.contains(child));
    for node in cycle.iter().filter(|node| Some(**node) != entered) {
        chosen.extend(cheapest[*node]);
    }
    chosen
}

fn find_cycle(nodes: usize, arcs: &[Arc], cheapest: &[Option<usize>]) -> Option<Vec<usize>> {
    let mut seen_from = vec![usize::MAX; nodes];
    for start in 0..nodes {
        let mut node = start;
        while seen_from[node] == usize::MAX {
            seen_from[node] = start;
            let Some(arc) = cheapest[node] else { break };
            node = arcs[arc].parent;
        }
        if seen_from[node] != start || cheapest[node].is_none() {
            continue;
        }
        let mut cycle = vec![node];
        let mut next = arcs[cheapest[node]?].parent;
        while next != node {
            cycle.push(next);
            next = arcs[cheapest[next]?].parent;
        }
        return Some(cycle);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cost_of(parents: &[Option<usize>], arcs: &[Arc], root_cost: f64) -> f64 {
        let cheapest = |parent, child| {
            arcs.iter()
                .filter(|arc| (arc.parent, arc.child) == (parent, child))
                .map(|arc| arc.cost)
                .fold(f64::INFINITY, f64::min)
        };
        parents
            .iter()
            .enumerate()
            .map(|(child, parent)| parent.map_or(root_cost, |parent| cheapest(parent, child)))
            .sum()
    }

    fn is_forest(parents: &[Option<usize>]) -> bool {
        (0..parents.len()).all(|start| {
            let (mut node, mut steps) = (start, 0);
            while let Some(parent) = parents[node] {
                node = parent;
                steps += 1;
                if steps > parents.len() {
                    return false;
                }
            }
            true
        })
    }

    #[test]
    fn a_chain_is_found_with_its_root() {
        let arc = |parent, child, cost| Arc { parent, child, cost };
        let arcs = [
            arc(0, 1, 1.0),
            arc(1, 0, 2.0),
            arc(1, 2, 1.0),
            arc(2, 1, 0.5),
            arc(0, 2, 3.0),
        ];
        assert_eq!(best_parents(3, &arcs, 10.0), [None, Some(0), Some(1)]);
    }

    proptest! {
        #[test]
        fn is_the_best_of_all_forests(costs in proptest::collection::vec(0.0f64..10.0, 12)) {
            let pairs = (0..4).flat_map(|parent| (0..4).map(move |child| (parent, child))).filter(|(parent, child)| parent != child);
            let arcs: Vec<Arc> = pairs.zip(&costs).map(|((parent, child), cost)| Arc { parent, child, cost: *cost }).collect();
            let found = best_parents(4, &arcs, 6.0);
            prop_assert!(is_forest(&found));
            let choices: Vec<Option<usize>> = vec![None, Some(0), Some(1), Some(2), Some(3)];
            for code in 0..625usize {
                let candidate: Vec<Option<usize>> = (0..4).map(|node| choices[code / 5usize.pow(node) % 5]).collect();
                if candidate.iter().enumerate().all(|(child, parent)| *parent != Some(child)) && is_forest(&candidate) {
                    prop_assert!(cost_of(&found, &arcs, 6.0) <= cost_of(&candidate, &arcs, 6.0) + 1e-9);
                }
            }
        }
    }
}
