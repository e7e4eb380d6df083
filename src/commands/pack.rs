//! `heirloom pack`: models as bit-exact differences from their base.

use super::table::grouped;
use super::{Global, print_json, print_text, progress::bytes_bar};
use crate::delta::{NamedCheckpoint, PackReport, pack};
use crate::source::{Reference, Source};
use crate::weights::Checkpoint;
use anyhow::Context;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Keep models as bit-exact differences from their base.
///
/// What the base or an earlier child holds is not kept again. Weight files only: configs and tokenizers are small.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  heirloom pack finetuned.safetensors --base base.safetensors -o finetuned.delta
  heirloom pack hf:org/model-chat hf:org/model-code --base hf:org/model -o family.delta")]
pub struct Args {
    /// The models to keep: paths or hf:owner/name[@revision].
    #[arg(value_name = "CHILD", required = true)]
    children: Vec<Reference>,
    /// The model they derive from. It is needed again to unpack.
    #[arg(long, value_name = "BASE")]
    base: Reference,
    /// The archive to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let mut children = Vec::new();
    for child in &args.children {
        children.push((folder_name(child), Source::open(child).await?));
    }
    let base = Source::open(&args.base).await?;
    let (copy, output) = (global.clone(), args.output.clone());
    let work = tokio::task::spawn_blocking(move || write_archive(&children, &base, &output, &copy));
    let report = work.await.context("packing stopped unexpectedly")??;
    if global.json {
        print_json(&report)?;
    } else {
        print_text(&describe(&report, &args.output))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a child's folder is called when it is unpacked: the last part of its path or name.
fn folder_name(reference: &Reference) -> String {
    let last = match reference {
        Reference::Path(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()),
        Reference::Hub { name, .. } => name.rsplit('/').next().map(str::to_owned),
    };
    last.unwrap_or_else(|| "model".to_owned())
}

/// Written beside its final name and renamed when whole.
fn write_archive(
    children: &[(String, Source)],
    base: &Source,
    output: &Path,
    global: &Global,
) -> anyhow::Result<PackReport> {
    let sources = || children.iter().map(|(_, child)| child).chain([base]);
    let stamps = sources().map(Source::stamp).collect::<anyhow::Result<Vec<_>>>()?;
    let checkpoints = children
        .iter()
        .map(|(name, child)| Ok((name.clone(), child.checkpoint()?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let base_checkpoint = base.checkpoint()?;
    let bar = bytes_bar(
        global,
        "packing",
        checkpoints.iter().map(|(_, child)| file_bytes(child)).sum(),
    );
    let named: Vec<NamedCheckpoint<'_>> = checkpoints
        .iter()
        .map(|(name, checkpoint)| NamedCheckpoint {
            name: name.clone(),
            checkpoint,
        })
        .collect();
    let named_base = NamedCheckpoint {
        name: base.label.clone(),
        checkpoint: &base_checkpoint,
    };
    let cannot = || format!("cannot write {}", output.display());
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(cannot)?;
    let mut writer = BufWriter::new(file.as_file_mut());
    let report = pack(&named, &named_base, &mut writer, &|bytes| bar.inc(bytes))?;
    writer.flush().with_context(cannot)?;
    drop(writer);
    for (source, stamp) in sources().zip(&stamps) {
        source.refuse_changed(stamp)?;
    }
    file.persist(output).with_context(cannot)?;
    bar.finish_and_clear();
    Ok(report)
}

fn file_bytes(checkpoint: &Checkpoint) -> u64 {
    checkpoint
        .opened_files()
        .iter()
        .map(|file| file.bytes.len())
        .sum()
}

fn describe(report: &PackReport, output: &Path) -> String {
    let share = |part: u64| 100.0 * part as f64 / report.bytes.max(1) as f64;
    format!(
        "{}: {} bytes, {:.1}% of the {} bytes in {} files of {} models\n\
         as the base {:.1}%, as an earlier child {:.1}%, as a difference {:.1}%, without a partner {:.1}%\n",
        output.display(),
        grouped(report.archive_bytes),
        share(report.archive_bytes),
        grouped(report.bytes),
        report.files,
        report.models,
        share(report.same_as_base),
        share(report.same_as_earlier),
        share(report.differing),
        share(report.stored),
    )
}
