//! How loading, size and look-ups grow with the number of models.
//!
//!     heirloom postgres -- cargo bench --bench scale
//!     heirloom postgres -- cargo bench --bench scale -- --models 20000,100000 --fingerprints
//!
//! Loads the synthetic hub of benches/catalogue up to each size in turn. Explains itself on standard error; on standard output a Markdown
//! row a figure, the smallest size of the run being the baseline. HEIRLOOM_BENCH_SCALE=full goes from 20 thousand to 2 million.
#![allow(clippy::unwrap_used, reason = "a benchmark ends where its own data is wrong")]

#[path = "../tests/harness/mod.rs"]
mod harness;

mod catalogue;

use catalogue::{Catalogue, Names, Weights};
use clap::Parser;
use harness::TestDatabase;
use heirloom::store::changes::ChangeFilter;
use heirloom::store::model_list::ModelFilter;
use heirloom::store::similar::WeightsQuery;
use heirloom::store::{Result, Store};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const BATCH: usize = 500;
const SEED: u64 = 11;
/// Names remembered for the look-ups.
const SAMPLE: usize = 2000;

#[derive(Parser)]
struct Args {
    /// Sizes to load up to, ascending.
    #[arg(long, value_delimiter = ',')]
    models: Vec<usize>,
    /// Also a full fingerprint of every model.
    #[arg(long)]
    fingerprints: bool,
    /// Real names, one a line; composed ones follow after the last.
    #[arg(long)]
    names: Option<PathBuf>,
    /// Times each question is asked.
    #[arg(long, default_value_t = 300)]
    rounds: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Figures of the smallest size, by what they measure.
type Baseline = BTreeMap<String, f64>;

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let is_full = std::env::var("HEIRLOOM_BENCH_SCALE").is_ok_and(|scale| scale == "full");
    let sizes = match (args.models.is_empty(), is_full) {
        (false, _) => args.models.clone(),
        (true, true) => vec![20_000, 200_000, 2_000_000],
        (true, false) => vec![2_000, 10_000],
    };
    let names = match &args.names {
        Some(path) => Names::from_file(path).unwrap(),
        None => Names::composed(),
    };
    let weights = match args.fingerprints {
        true => Weights::Fingerprinted,
        false => Weights::None,
    };
    let mut catalogue = Catalogue::new(SEED, names, weights);
    let database = TestDatabase::new().await;
    let store = &database.store;
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut sample: Vec<(String, String)> = Vec::new();
    let mut baseline = Baseline::new();
    let mut loaded = 0;
    for size in sizes {
        let (mut storing, before) = (Duration::ZERO, loaded);
        while loaded < size {
            let batch = catalogue.batch(BATCH.min(size - loaded));
            let start = Instant::now();
            store.load_packages(&batch).await.unwrap();
            storing += start.elapsed();
            for bulk in &batch {
                loaded += 1;
                let place = random.random_range(0..loaded);
                let name = (bulk.package.owner.clone(), bulk.package.name.clone());
                match sample.len() < SAMPLE {
                    true => sample.push(name),
                    false if place < SAMPLE => sample[place] = name,
                    false => {}
                }
            }
        }
        store.analyze().await.unwrap();
        let mut report = Report {
            models: loaded,
            baseline: &mut baseline,
        };
        report.row(
            "stored a second",
            (loaded - before) as f64 / storing.as_secs_f64(),
            "models/s",
            "",
        );
        report.sizes(store).await;
        report.answers(store, &sample, args.rounds, &mut random).await;
    }
}

/// Prints the figures of one size.
struct Report<'a> {
    models: usize,
    baseline: &'a mut Baseline,
}

impl Report<'_> {
    fn row(&mut self, what: &str, value: f64, unit: &str, goal: &str) {
        let first = *self.baseline.entry(what.to_owned()).or_insert(value);
        println!(
            "| {} models: {what} | {value:.2} {unit} | {first:.2} {unit} | {:.2} | {goal} |",
            self.models,
            value / first
        );
    }

    async fn sizes(&mut self, store: &Store) {
        let total = store.database_bytes().await.unwrap();
        eprintln!(
            "{} models, {:.2} GB; by table, KB a model (of which in indexes):",
            self.models,
            total as f64 / 1e9
        );
        let per_model = |bytes: i64| bytes as f64 / self.models as f64 / 1e3;
        for size in store.table_sizes().await.unwrap().iter().take(10) {
            eprintln!(
                "  {:<24} {:>7.2} ({:.2})",
                size.table,
                per_model(size.bytes),
                per_model(size.index_bytes)
            );
        }
        self.row("database a model", per_model(total), "KB", "< 100 KB");
    }

    /// Asks every question `rounds` times, each about another model.
    async fn answers(
        &mut self,
        store: &Store,
        sample: &[(String, String)],
        rounds: usize,
        random: &mut ChaCha8Rng,
    ) {
        let names: Vec<&(String, String)> = (0..rounds).map(|_| sample.choose(random).unwrap()).collect();
        let mut ids = Vec::new();
        for (owner, name) in &names {
            ids.push(store.model_id("hf", owner, name).await.unwrap().unwrap());
        }
        let everything = ModelFilter::default();
        self.time("a model by name", rounds, async |i| {
            store.find_model("hf", &names[i].0, &names[i].1).await.map(drop)
        })
        .await;
        self.time("its history", rounds, async |i| {
            store.list_revisions(ids[i]).await.map(drop)
        })
        .await;
        self.time("its edge", rounds, async |i| {
            store.edge_of(ids[i]).await.map(drop)
        })
        .await;
        self.time("its family, 200 members", rounds, async |i| {
            store.family(ids[i], 3, 200).await.map(drop)
        })
        .await;
        self.time("newest models", rounds, async |_| {
            store.list_models(&everything, None, 50).await.map(drop)
        })
        .await;
        self.time("models by part of a name", rounds, async |i| {
            let search = Some(names[i].1.chars().take(12).collect());
            let filter = ModelFilter {
                search,
                ..ModelFilter::default()
            };
            store.list_models(&filter, None, 50).await.map(drop)
        })
        .await;
        self.time("contradicted models", rounds, async |_| {
            let verdict = Some("contradicted".to_owned());
            let filter = ModelFilter {
                verdict,
                ..ModelFilter::default()
            };
            store.list_models(&filter, None, 50).await.map(drop)
        })
        .await;
        self.time("newest changes", rounds, async |_| {
            store
                .list_changes(&ChangeFilter::default(), None, 50)
                .await
                .map(drop)
        })
        .await;
        self.time("what is related", rounds, async |i| {
            store.related_packages(&ids[i..=i]).await.map(drop)
        })
        .await;
        self.time("models with its tensors", rounds, async |i| {
            similar(store, ids[i]).await
        })
        .await;
        self.time("counts of everything", 3, async |_| {
            store.count_catalogue().await.map(drop)
        })
        .await;
    }

    async fn time(&mut self, question: &str, rounds: usize, ask: impl AsyncFn(usize) -> Result<()>) {
        let mut took = Vec::with_capacity(rounds);
        for round in 0..rounds {
            let start = Instant::now();
            ask(round).await.unwrap();
            took.push(start.elapsed());
        }
        took.sort();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        eprintln!(
            "  {question:<28} p50 {:>8.2} ms, p95 {:>8.2} ms, p99 {:>8.2} ms",
            at(0.5),
            at(0.95),
            at(0.99)
        );
        self.row(question, at(0.5), "ms", "");
    }
}

async fn similar(store: &Store, model: i64) -> Result<()> {
    let Some(fingerprint) = store.newest_fingerprint(model).await? else {
        return Ok(());
    };
    let query = WeightsQuery {
        digests: store.tensor_digests(fingerprint.id).await?,
        architecture: Some(fingerprint.architecture),
        model_digest: fingerprint.model_digest,
        except: Some(model),
    };
    store.find_similar(&query, 20).await.map(drop)
}
