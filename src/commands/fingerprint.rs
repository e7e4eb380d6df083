//! `heirloom fingerprint`: digests, statistics and sketches of a model's weights.

use super::table::{grouped, printable, render, shape};
use super::{Global, print_json, print_text, progress::bytes_bar};
use crate::fingerprint::{Fingerprint, Level, Stats, TensorFingerprint, fingerprint};
use crate::source::{Reference, Source};
use crate::weights::Finding;
use anyhow::Context;
use std::process::ExitCode;

/// Digests, statistics and sketches of a model's weights.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  heirloom fingerprint model.safetensors
  heirloom fingerprint hf:org/model@v1.0 --level metadata
  heirloom fingerprint ./model --json > fingerprint.json")]
pub struct Args {
    /// A path or hf:owner/name[@revision].
    #[arg(value_name = "REF")]
    reference: Reference,
    /// How much to read: the headers, a few values of each tensor as well, or every byte.
    #[arg(long, value_enum, default_value_t = LevelArg::Full)]
    level: LevelArg,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LevelArg {
    Metadata,
    Sample,
    Full,
}

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Metadata => Level::Metadata,
            LevelArg::Sample => Level::Sample,
            LevelArg::Full => Level::Full,
        }
    }
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let source = Source::open(&args.reference).await?;
    let label = source.label.clone();
    let copy = global.clone();
    let work = tokio::task::spawn_blocking(move || fingerprint_source(&source, args.level.into(), &copy));
    let fingerprint = work.await.context("fingerprinting stopped unexpectedly")??;
    if global.json {
        print_json(&fingerprint)?;
    } else {
        print_text(&describe(&label, &fingerprint))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn fingerprint_source(source: &Source, level: Level, global: &Global) -> anyhow::Result<Fingerprint> {
    let checkpoint = source.checkpoint()?;
    let bar = bytes_bar(global, "fingerprinting", checkpoint.bytes());
    let fingerprint = fingerprint(&checkpoint, level, &|bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    Ok(fingerprint)
}

fn describe(label: &str, fingerprint: &Fingerprint) -> String {
    let digest = |digest: &Option<String>| digest.clone().unwrap_or_else(|| "-".to_owned());
    let mut text = format!(
        "{label}\n\
         parameters    {}\n\
         bytes         {}\n\
         tensors       {}\n\
         architecture  {}\n\
         model digest  {}\n\
         named digest  {}\n\n",
        grouped(fingerprint.parameters),
        grouped(fingerprint.bytes),
        fingerprint.tensors.len(),
        fingerprint.architecture,
        digest(&fingerprint.model_digest),
        digest(&fingerprint.named_digest),
    );
    text += &findings(&fingerprint.findings);
    let header = [
        "tensor", "dtype", "shape", "mean", "std", "max", "zeros", "distinct", "digest",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(fingerprint.tensors.iter().map(row));
    text += &render(&rows, &[3, 4, 5, 6, 7]);
    text
}

/// What loading the files would do beyond reading tensors, a line each; nothing where there is nothing.
pub(super) fn findings(findings: &[Finding]) -> String {
    let lines = findings
        .iter()
        .map(|finding| format!("warning: {}\n", printable(&finding.to_string())));
    let text: String = lines.collect();
    if text.is_empty() { text } else { text + "\n" }
}

fn row(tensor: &TensorFingerprint) -> Vec<String> {
    let dtype = match &tensor.packing {
        Some(packing) => format!("{} {} bits", packing.layout.name(), packing.bits),
        None => tensor.dtype.to_string(),
    };
    let mut row = vec![printable(&tensor.name), dtype, shape(&tensor.shape)];
    row.extend(
        tensor
            .stats
            .as_ref()
            .map_or_else(|| vec!["-".to_owned(); 5], figures),
    );
    let digest = tensor.digest.as_deref().unwrap_or("-");
    row.push(digest.chars().take(12).collect());
    row
}

fn figures(stats: &Stats) -> Vec<String> {
    let capped = if stats.distinct >= crate::fingerprint::DISTINCT_CAP {
        "+"
    } else {
        ""
    };
    vec![
        format!("{:.3e}", stats.mean),
        format!("{:.3e}", stats.std),
        format!("{:.3e}", stats.abs_max),
        grouped(stats.zeros),
        format!("{}{capped}", stats.distinct),
    ]
}
