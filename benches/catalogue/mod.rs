//! A synthetic hub: metadata of any number of models, as a crawl of a real hub would store it.
//!
//! Enters: a seed, a number, perhaps a file of real names. Leaves: packages in batches, always the same for the same seed. Families are
//! skewed as on a real hub: 299 bases share the derived models by Zipf's law. What is not drawn from measurements is said where it is set.
#![allow(clippy::unwrap_used, reason = "a benchmark ends where its own data is wrong")]
#![allow(dead_code, reason = "each benchmark uses its part")]

mod names;
mod weights;

pub use names::Names;

use heirloom::store::bulk::{BulkEdge, BulkPackage, BulkRevision};
use heirloom_crawler::{FileEntry, Package};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime, macros::datetime};

/// Base models that the founding study of naming counted.
pub const BASES: usize = 299;
/// Share of models that derive from one of the bases.
const DERIVED: f64 = 0.6;
/// Share of models with a card, as the founding study counted.
const WITH_CARD: f64 = 0.67;
/// Share of weight changes that nothing announces, as the founding study counted.
const SILENT: f64 = 0.41;
const HUB: &str = "hf";
const ENDPOINT: &str = "https://hub.example";

/// What is known of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// Names, histories and files only.
    None,
    /// A full fingerprint of every model's newest revision, of the size that real ones have.
    Fingerprinted,
}

/// The generator. Batches come in order; a batch names as parents only what came before it or stands earlier in it.
pub struct Catalogue {
    random: ChaCha8Rng,
    names: Names,
    weights: Weights,
    /// Names of the bases, most derived first.
    bases: Vec<String>,
    /// Cumulative share of the derived models, by base.
    skew: Vec<f64>,
    made: usize,
}

impl Catalogue {
    pub fn new(seed: u64, names: Names, weights: Weights) -> Self {
        let shares: Vec<f64> = (1..=BASES).map(|rank| 1.0 / rank as f64).collect();
        let total: f64 = shares.iter().sum();
        let skew = shares
            .iter()
            .scan(0.0, |sum, share| {
                *sum += share / total;
                Some(*sum)
            })
            .collect();
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            names,
            weights,
            bases: Vec::new(),
            skew,
            made: 0,
        }
    }

    /// The next `count` models.
    pub fn batch(&mut self, count: usize) -> Vec<BulkPackage> {
        (0..count).map(|_| self.model()).collect()
    }

    fn model(&mut self) -> BulkPackage {
        self.made += 1;
        let (owner, name) = self.names.next(&mut self.random);
        let full_name = format!("{owner}/{name}");
        let base = self.choose_base();
        if self.bases.len() < BASES {
            self.bases.push(full_name.clone());
        }
        let created =
            datetime!(2022-03-02 00:00 UTC) + Duration::seconds(self.random.random_range(0..140_000_000));
        let revisions = self.history(&full_name, created);
        let family = base.unwrap_or(BASES + self.made);
        let fingerprint = (self.weights == Weights::Fingerprinted)
            .then(|| weights::fingerprint(family % weights::SHAPES, self.made as u64));
        let edge = base.map(|base| self.edge(base));
        BulkPackage {
            package: self.package(&owner, &name, base, created, &revisions),
            revisions,
            fingerprint,
            edge,
        }
    }

    /// Which base the next model derives from; the first models are the bases themselves.
    fn choose_base(&mut self) -> Option<usize> {
        if self.bases.len() < BASES || !self.random.random_bool(DERIVED) {
            return None;
        }
        let at: f64 = self.random.random();
        Some(self.skew.partition_point(|sum| *sum < at).min(BASES - 1))
    }

    fn edge(&mut self, base: usize) -> BulkEdge {
        // Most used on a real hub first.
        let kinds = [
            ("finetune", "full"),
            ("quantized", "gguf"),
            ("finetune", "lora-merged"),
            ("adapter", "lora"),
            ("merge", "linear"),
            ("duplicate", "cast"),
        ];
        let (relation, technique) = *kinds
            .choose_weighted(
                &mut self.random,
                |kind| if kind.0 == "finetune" { 3.0 } else { 1.0 },
            )
            .unwrap();
        let verdict = match self.random.random_range(0..100) {
            0..60 => Some("confirmed"),
            60..65 => Some("contradicted"),
            _ => Some("undeclared"),
        };
        BulkEdge {
            parent: self.bases[base].clone(),
            relation,
            technique,
            verdict,
        }
    }

    /// One to eight revisions, fewer more often; three on average, which is our guess.
    fn history(&mut self, full_name: &str, created: OffsetDateTime) -> Vec<BulkRevision> {
        let count = 1 + (0..7).take_while(|_| self.random.random_bool(0.66)).count();
        let mut version = semver(1, 0);
        let mut date = created;
        let mut weights = 0;
        let mut revisions = Vec::with_capacity(count);
        for position in 0..count {
            let changes_weights = position == 0 || self.random.random_bool(0.4);
            weights += usize::from(changes_weights);
            let bump = (position > 0).then_some(if changes_weights { "minor" } else { "patch" });
            if position > 0 {
                version = semver(1, position);
            }
            let id = hex_digest(&[full_name, "revision", &position.to_string()])[..40].to_owned();
            let key = hex_digest(&[full_name, "weights", &weights.to_string()]);
            revisions.push(BulkRevision {
                files: self.files(full_name, position, &key),
                id,
                date,
                title: ["Upload model", "Update README.md", "Update config.json"][position.min(2)].to_owned(),
                weights_key: Some(key),
                version: version.clone(),
                bump,
                silent: position > 0 && changes_weights && self.random.random_bool(SILENT),
            });
            date += Duration::seconds(self.random.random_range(60..3_000_000));
        }
        revisions
    }

    /// The files of a usual package: eight small ones and one to four shards.
    fn files(&mut self, full_name: &str, position: usize, weights_key: &str) -> Vec<FileEntry> {
        const SMALL: [&str; 8] = [
            ".gitattributes",
            "README.md",
            "config.json",
            "generation_config.json",
            "special_tokens_map.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "training_args.bin",
        ];
        let mut files: Vec<FileEntry> = SMALL
            .iter()
            .map(|path| FileEntry {
                path: (*path).to_owned(),
                size: Some(self.random.random_range(100..20_000)),
                sha256: None,
                blob_id: Some(hex_digest(&[full_name, path, &position.min(1).to_string()])[..40].to_owned()),
                ..FileEntry::default()
            })
            .collect();
        let shards = [1, 1, 1, 2, 4][self.random.random_range(0..5)];
        for shard in 1..=shards {
            let path = match shards {
                1 => "model.safetensors".to_owned(),
                _ => format!("model-{shard:05}-of-{shards:05}.safetensors"),
            };
            files.push(FileEntry {
                size: Some(self.random.random_range(100_000_000..5_000_000_000)),
                sha256: Some(hex_digest(&[weights_key, &path])),
                path,
                ..FileEntry::default()
            });
        }
        files
    }

    fn package(
        &mut self,
        owner: &str,
        name: &str,
        base: Option<usize>,
        created: OffsetDateTime,
        revisions: &[BulkRevision],
    ) -> Package {
        let newest = revisions.last().unwrap();
        let task = self.names.task(&mut self.random);
        let base_models: Vec<String> = base.map(|base| self.bases[base].clone()).into_iter().collect();
        let tags = vec![
            "transformers".to_owned(),
            "safetensors".to_owned(),
            task.clone(),
            "en".to_owned(),
        ];
        let downloads = (1.0 / self.random.random_range(1e-7..1.0f64)) as i64;
        let siblings: Vec<_> = newest
            .files
            .iter()
            .map(|file| json!({ "rfilename": file.path }))
            .collect();
        let full_name = format!("{owner}/{name}");
        Package {
            hub: HUB.to_owned(),
            url: Some(format!("{ENDPOINT}/{full_name}")),
            endpoint: ENDPOINT.to_owned(),
            revision: Some(newest.id.clone()),
            created_at: Some(created),
            modified_at: Some(newest.date),
            architecture: Some(names::architecture(name)),
            library: Some("transformers".to_owned()),
            licence: Some(
                ["apache-2.0", "mit", "llama3", "other"][self.random.random_range(0..4)].to_owned(),
            ),
            datasets: Vec::new(),
            papers: Vec::new(),
            downloads: Some(downloads),
            likes: Some(downloads / 1000),
            gated: self.random.random_bool(0.03),
            availability: Default::default(),
            ports: None,
            base_model_relation: None,
            card: self
                .random
                .random_bool(WITH_CARD)
                .then(|| names::card(&full_name, &base_models)),
            raw: json!({ "id": full_name, "sha": newest.id, "downloads": downloads, "tags": tags, "pipeline_tag": task,
                         "library_name": "transformers", "siblings": siblings, "cardData": { "base_model": base_models } }),
            owner: owner.to_owned(),
            name: name.to_owned(),
            task: Some(task),
            tags,
            base_models,
        }
    }
}

fn semver(major: usize, minor: usize) -> String {
    format!("{major}.{minor}.0")
}

fn hex_digest(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
        digest.update([0]);
    }
    hex::encode(digest.finalize())
}
