//! Names of owners and models: composed by a committed grammar, or drawn from a file of real ones.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::{HashMap, HashSet};
use std::path::Path;

const GRAMMAR: &str = include_str!("grammar.txt");

/// Where names come from. No name comes twice.
pub struct Names {
    grammar: HashMap<&'static str, Vec<&'static str>>,
    /// Real names that are still to be given; the grammar goes on after them.
    real: std::vec::IntoIter<(String, String)>,
    given: HashSet<u64>,
}

impl Names {
    /// Names by the grammar alone.
    pub fn composed() -> Self {
        let lines = GRAMMAR.lines().filter(|line| !line.starts_with('#'));
        let kinds = lines.filter_map(|line| line.split_once('\t').or_else(|| line.split_once(' ')));
        Self {
            grammar: kinds
                .map(|(kind, words)| (kind, words.split_whitespace().collect()))
                .collect(),
            real: Vec::new().into_iter(),
            given: HashSet::new(),
        }
    }

    /// Names of a file, one `owner/name` a line, and composed ones after the last of them.
    pub fn from_file(path: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let split = |line: &str| {
            let (owner, name) = line.trim().split_once('/').unwrap_or(("_", line.trim()));
            (owner.to_owned(), name.to_owned())
        };
        let real: Vec<(String, String)> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(split)
            .collect();
        Ok(Self {
            real: real.into_iter(),
            ..Self::composed()
        })
    }

    /// The next name.
    pub fn next(&mut self, random: &mut ChaCha8Rng) -> (String, String) {
        for (owner, name) in self.real.by_ref() {
            if self.given.insert(hash(&owner, &name)) {
                return (owner, name);
            }
        }
        loop {
            let (owner, name) = self.compose(random);
            if self.given.insert(hash(&owner, &name)) {
                return (owner, name);
            }
        }
    }

    /// A task such as a hub's tag names it.
    pub fn task(&self, random: &mut ChaCha8Rng) -> String {
        self.word("task", random).to_owned()
    }

    fn compose(&self, random: &mut ChaCha8Rng) -> (String, String) {
        let owner = format!(
            "{}-{}{}",
            self.word(["owner", "given"][random.random_range(0..2)], random),
            self.word("owner", random),
            // Few owners have many models.
            (4000.0 * random.random::<f64>().powi(4)) as u32
        );
        let mut segments = vec![self.word("base", random).to_owned()];
        for (kind, share) in [
            ("size", 0.7),
            ("training", 0.4),
            ("task", 0.45),
            ("dataset", 0.2),
            ("language", 0.12),
            ("description", 0.15),
            ("variant", 0.25),
        ] {
            if random.random_bool(share) {
                segments.push(self.word(kind, random).to_owned());
            }
        }
        if random.random_bool(0.3) {
            segments.push(format!("v{}", random.random_range(1..30)));
        }
        (owner, segments.join("-"))
    }

    /// A word of a kind, the first ones more often.
    fn word(&self, kind: &str, random: &mut ChaCha8Rng) -> &'static str {
        let words = &self.grammar[kind];
        let ranks: Vec<usize> = (0..words.len()).collect();
        words[*ranks
            .choose_weighted(random, |rank| 1.0 / (*rank as f64 + 2.0))
            .unwrap()]
    }
}

fn hash(owner: &str, name: &str) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    hasher.write(owner.as_bytes());
    hasher.write_u8(b'/');
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// The architecture that a name's first word stands for.
pub fn architecture(name: &str) -> String {
    let first = name.split('-').next().unwrap_or(name);
    format!("{}ForCausalLM", first.to_uppercase())
}

/// A card of a usual length: front matter, and a template of which half is filled in.
pub fn card(full_name: &str, bases: &[String]) -> String {
    let base = bases.first().map_or("nothing", String::as_str);
    format!(
        "---\nbase_model: {base}\nlicense: apache-2.0\nlibrary_name: transformers\n---\n# {full_name}\n\n\
         This model was fine-tuned from {base}.\n\n## Training\n\n{}## Evaluation\n\n| metric | value |\n|---|---|\n| loss | 1.234 |\n",
        "- learning_rate: 2e-05\n- train_batch_size: 16\n- seed: 42\n- optimizer: adamw_torch\n".repeat(8)
    )
}
