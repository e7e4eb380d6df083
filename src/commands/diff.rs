//! `heirloom diff`: what changed between the weights of two models, tensor by tensor.

mod grid;
mod hardware;
mod html;
mod lora;
mod terminal;

use super::table::{grouped, printable, render, shape};
use super::{Global, print_json, print_text, progress::bytes_bar};
use crate::delta::{DiffOptions, DiffReport, TensorDiff};
use crate::fingerprint::{Fingerprint, Level, fingerprint};
use crate::lineage::{PairOutcome, compare_pair};
use crate::source::observation::{Observation, digests};
use crate::source::{Reference, Source};
use crate::versioning::{BumpDecision, decide_bump};
use crate::weights::Checkpoint;
use anyhow::Context;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What changed between the weights of two models.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  heirloom diff base.safetensors finetuned.safetensors
  heirloom diff hf:org/model@v1.0 hf:org/model --rank 64
  heirloom diff ./before ./after --html report.html
  heirloom diff ./before ./after --extract-lora 16 --adapter ./adapter
  heirloom diff ./before ./after --json | jq .report.changed_elements")]
pub struct Args {
    /// The model before: a path or hf:owner/name[@revision].
    #[arg(value_name = "A")]
    before: Reference,
    /// The model after.
    #[arg(value_name = "B")]
    after: Reference,
    /// Compare on the CPU, a GPU, or whichever is there.
    #[arg(long, value_name = "DEVICE", value_enum, default_value_t)]
    device: hardware::Choice,
    /// Look for a low-rank delta, up to this rank, in every matrix.
    #[arg(long, value_name = "N")]
    rank: Option<u32>,
    /// Write the report as one HTML file: heat map, histograms, the most changed tensors, what kind of change, which version step.
    #[arg(long, value_name = "FILE", conflicts_with = "no_technique")]
    html: Option<PathBuf>,
    /// Approximate the change by a LoRA adapter of rank R, in PEFT's layout.
    #[arg(long, value_name = "R", requires = "adapter", value_parser = clap::value_parser!(u32).range(1..=1024))]
    extract_lora: Option<u32>,
    /// Folder to write the adapter to; must not exist yet.
    #[arg(long, value_name = "DIR", requires = "extract_lora")]
    adapter: Option<PathBuf>,
    /// Show this many tensors, most changed first; 0 shows all.
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    /// Do not fingerprint both sides to name how B was made from A (saves two more passes).
    #[arg(long)]
    no_technique: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Comparison {
    a: String,
    b: String,
    /// What the elements were compared on.
    device: String,
    report: DiffReport,
    /// How B would have been made from A; absent with `--no-technique`.
    outcome: Option<PairOutcome>,
    /// Which version step B deserves over A; with `--html`.
    #[serde(skip_serializing_if = "Option::is_none")]
    bump: Option<BumpDecision>,
    /// What `--extract-lora` wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    adapter: Option<lora::Written>,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let before = Source::open(&args.before).await?;
    let after = Source::open(&args.after).await?;
    let top = args.top;
    let global = global.clone();
    let json = global.json;
    let work = tokio::task::spawn_blocking(move || compare(before, after, &args, &global));
    let comparison = work.await.context("the comparison stopped unexpectedly")??;
    if json {
        print_json(&comparison)?;
    } else {
        print_text(&describe(&comparison, top))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(before: Source, after: Source, args: &Args, global: &Global) -> anyhow::Result<Comparison> {
    let stamps = [before.stamp()?, after.stamp()?];
    let (a, b) = (before.checkpoint()?, after.checkpoint()?);
    let bar = bytes_bar(global, "comparing", a.bytes() + b.bytes());
    let options = DiffOptions { max_rank: args.rank };
    let progress = |bytes| bar.inc(bytes);
    let (report, device) = hardware::compare(args.device, [&a, &b], options, &progress)?;
    bar.finish_and_clear();
    let adapter = match (args.extract_lora, &args.adapter) {
        (Some(rank), Some(folder)) => {
            let bar = bytes_bar(global, "extracting", a.bytes() + b.bytes());
            let written = lora::write(&a, &b, rank, (&before.label, folder), &|bytes| bar.inc(bytes))?;
            bar.finish_and_clear();
            Some(written)
        }
        _ => None,
    };
    let fingerprints = match args.no_technique {
        true => None,
        false => Some(fingerprints(&a, &b, global)?),
    };
    before.refuse_changed(&stamps[0])?;
    after.refuse_changed(&stamps[1])?;
    let mut comparison = Comparison {
        a: before.label.clone(),
        b: after.label.clone(),
        device,
        report,
        outcome: fingerprints
            .as_ref()
            .map(|[before, after]| compare_pair(before, after)),
        bump: None,
        adapter,
    };
    if let (Some(file), Some([old, new])) = (&args.html, fingerprints) {
        comparison.bump = Some(decide_bump(
            &observed(before, old)?.snapshot(),
            &observed(after, new)?.snapshot(),
        ));
        write_page(file, &html::page(&comparison))?;
    }
    Ok(comparison)
}

fn fingerprints(a: &Checkpoint, b: &Checkpoint, global: &Global) -> anyhow::Result<[Fingerprint; 2]> {
    let bar = bytes_bar(global, "fingerprinting", a.bytes() + b.bytes());
    let before = fingerprint(a, Level::Full, &|bytes| bar.inc(bytes))?;
    let after = fingerprint(b, Level::Full, &|bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    Ok([before, after])
}

fn observed(source: Source, fingerprint: Fingerprint) -> anyhow::Result<Observation> {
    Ok(Observation {
        files: digests(&source)?,
        source,
        fingerprint: Some(fingerprint),
        failure: None,
    })
}

/// Written beside its final name and renamed when whole.
fn write_page(file: &Path, page: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", file.display());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut whole = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(cannot)?;
    std::io::Write::write_all(&mut whole, page.as_bytes()).with_context(cannot)?;
    whole.persist(file).with_context(cannot)?;
    Ok(())
}

fn describe(comparison: &Comparison, top: usize) -> String {
    let mut text = format!(
        "a: {}\nb: {}\non: {}\n",
        comparison.a,
        comparison.b,
        printable(&comparison.device)
    );
    if let Some(outcome) = &comparison.outcome {
        text += &format!("{}\n", printable(&outcome.explanation));
    }
    text.push('\n');
    text += &totals(&comparison.report);
    let map = terminal::heat_map(&comparison.report.tensors);
    if !map.is_empty() {
        text += &format!("\n{map}");
    }
    let changed = most_changed_first(&comparison.report);
    let shown = if top == 0 {
        changed.len()
    } else {
        top.min(changed.len())
    };
    if shown > 0 {
        text.push('\n');
        text += &tensor_table(&changed[..shown]);
    }
    if shown < changed.len() {
        text += &format!(
            "and {} more changed tensors (--top 0 shows all)\n",
            changed.len() - shown
        );
    }
    let report = &comparison.report;
    for (what, names) in [
        ("only in a", &report.removed),
        ("only in b", &report.added),
        ("other shape", &report.reshaped),
    ] {
        text += &name_list(what, names, top);
    }
    if let Some(adapter) = &comparison.adapter {
        text += &format!("\n{}", adapter.describe());
    }
    text
}

fn totals(report: &DiffReport) -> String {
    let tensors = report.tensors.len();
    if tensors == 0 {
        return "no tensor is in both with one shape\n".to_owned();
    }
    if report.changed_elements == 0 {
        return format!(
            "all {tensors} shared tensors hold equal values ({} elements)\n",
            grouped(report.elements)
        );
    }
    let mut text = format!(
        "{} of {tensors} shared tensors changed, {} of {} elements ({}); |b-a| = {:.4e}, |b-a|/|a| = {}\n",
        report.changed_tensors,
        grouped(report.changed_elements),
        grouped(report.elements),
        percent(report.changed_elements, report.elements),
        report.l2,
        scientific(report.relative_l2),
    );
    if report.non_finite > 0 {
        let count = grouped(report.non_finite);
        let written = writeln!(
            text,
            "{count} pairs hold a NaN or an infinity and are left out of the norms"
        );
        debug_assert!(written.is_ok(), "a String takes any text");
    }
    text
}

/// Changed tensors, largest relative change first; those without a norm to relate to come first.
fn most_changed_first(report: &DiffReport) -> Vec<&TensorDiff> {
    let mut changed: Vec<&TensorDiff> = report
        .tensors
        .iter()
        .filter(|tensor| tensor.changed > 0)
        .collect();
    let size = |tensor: &TensorDiff| tensor.relative_l2.unwrap_or(f64::INFINITY);
    changed.sort_by(|x, y| size(y).total_cmp(&size(x)).then_with(|| x.name.cmp(&y.name)));
    changed
}

fn tensor_table(tensors: &[&TensorDiff]) -> String {
    let with_rank = tensors
        .iter()
        .any(|tensor| tensor.rank.or(tensor.rank_above).is_some());
    let header = [
        "tensor",
        "dtype",
        "shape",
        "changed",
        "|b-a|/|a|",
        "max |b-a|",
        "cosine",
        "bits",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    if with_rank {
        rows[0].push("rank".to_owned());
    }
    for tensor in tensors {
        let mut row = vec![
            printable(&tensor.name),
            dtypes(tensor),
            shape(&tensor.shape),
            percent(tensor.changed, tensor.elements),
            scientific(tensor.relative_l2),
            format!("{:.3e}", tensor.max_abs),
            tensor
                .cosine
                .map_or_else(|| "-".to_owned(), |cosine| format!("{cosine:.6}")),
            format!("{:.2}", tensor.bit_distance),
        ];
        if with_rank {
            row.push(rank(tensor));
        }
        rows.push(row);
    }
    render(&rows, &[3, 4, 5, 6, 7, 8])
}

fn dtypes(tensor: &TensorDiff) -> String {
    if tensor.dtype_a == tensor.dtype_b {
        return tensor.dtype_a.to_string();
    }
    format!("{}>{}", tensor.dtype_a, tensor.dtype_b)
}

fn rank(tensor: &TensorDiff) -> String {
    match (tensor.rank, tensor.rank_above) {
        (Some(rank), _) => rank.to_string(),
        (None, Some(bound)) => format!(">{bound}"),
        (None, None) => "-".to_owned(),
    }
}

fn scientific(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3e}"))
}

/// Never rounds a change away: `<0.01%` where one element of a million changed.
fn percent(part: u64, whole: u64) -> String {
    let share = 100.0 * part as f64 / whole.max(1) as f64;
    match (part, share) {
        (1.., ..0.01) => "<0.01%".to_owned(),
        (_, 99.99..) if part < whole => ">99.99%".to_owned(),
        _ => format!("{share:.2}%"),
    }
}

fn name_list(what: &str, names: &[String], top: usize) -> String {
    if names.is_empty() {
        return String::new();
    }
    let shown = if top == 0 {
        names.len()
    } else {
        top.min(names.len())
    };
    let mut text = format!("\n{what} ({}):\n", names.len());
    for name in &names[..shown] {
        text += &format!("  {}\n", printable(name));
    }
    if shown < names.len() {
        text += &format!("  and {} more\n", names.len() - shown);
    }
    text
}

#[cfg(test)]
mod tests;
