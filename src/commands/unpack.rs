//! `heirloom unpack`: models out of a delta archive and its base.

use super::{Global, print_json, print_text, progress::bytes_bar, table::printable};
use crate::delta::{Archive, ArchivedFile};
use crate::source::{FileBytes, Reference, Source};
use crate::weights::WeightFile;
use anyhow::{Context, ensure};
use std::io::{BufWriter, Write};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use tempfile::NamedTempFile;

/// Restore the models of a delta archive, byte for byte.
///
/// Every file is checked against its SHA-256 before any is put under its name. An archive of several models gets a folder for each.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  heirloom unpack finetuned.delta --base base.safetensors -o restored
  heirloom unpack family.delta --base hf:org/model -o family")]
pub struct Args {
    /// The archive.
    #[arg(value_name = "FILE")]
    archive: PathBuf,
    /// The model it was packed against.
    #[arg(long, value_name = "BASE")]
    base: Reference,
    /// Folder to write to. Files that are there already are not replaced.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let base = Source::open(&args.base).await?;
    let copy = global.clone();
    let work = tokio::task::spawn_blocking(move || restore(&args, &base, &copy));
    let paths = work.await.context("unpacking stopped unexpectedly")??;
    if global.json {
        print_json(&paths)?;
    } else {
        let lines = paths.iter().map(|path| printable(path) + "\n");
        print_text(&lines.collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Unpacks every file beside its final name, then renames them all; returns their paths.
fn restore(args: &Args, base: &Source, global: &Global) -> anyhow::Result<Vec<String>> {
    let label = args.archive.display().to_string();
    let archive = Archive::open(WeightFile::new(label, FileBytes::open(&args.archive)?))?;
    let checkpoint = base.checkpoint()?;
    archive.check_base(&checkpoint)?;
    let several = archive.models().count() > 1;
    let targets = archive
        .files()
        .map(|file| target(&args.output, &file, several))
        .collect::<anyhow::Result<Vec<PathBuf>>>()?;
    let bar = bytes_bar(global, "unpacking", archive.files().map(|file| file.bytes).sum());
    let mut whole = Vec::new();
    for (number, target) in targets.into_iter().enumerate() {
        let cannot = || format!("cannot write {}", target.display());
        let folder = target.parent().unwrap_or(&args.output);
        std::fs::create_dir_all(folder).with_context(cannot)?;
        let mut file = NamedTempFile::new_in(folder).with_context(cannot)?;
        let mut writer = BufWriter::new(file.as_file_mut());
        archive.unpack(number, &checkpoint, &mut writer, &|bytes| bar.inc(bytes))?;
        writer.flush().with_context(cannot)?;
        drop(writer);
        whole.push((file, target));
    }
    bar.finish_and_clear();
    whole
        .into_iter()
        .map(|(file, target)| put_in_place(file, &target))
        .collect()
}

fn put_in_place(file: NamedTempFile, target: &Path) -> anyhow::Result<String> {
    let path = target.display().to_string();
    file.persist_noclobber(target)
        .with_context(|| format!("cannot write {path}"))?;
    Ok(path)
}

/// Where a file of an archive goes. Its path is whatever the archive's maker wrote.
fn target(output: &Path, file: &ArchivedFile<'_>, several: bool) -> anyhow::Result<PathBuf> {
    let relative = match several {
        true => Path::new(file.model).join(file.path),
        false => PathBuf::from(file.path),
    };
    let inside = |path: &str| {
        !path.is_empty()
            && Path::new(path)
                .components()
                .all(|part| matches!(part, Component::Normal(_)))
    };
    let names = inside(file.path) && (!several || inside(file.model));
    ensure!(
        names,
        "the archive holds {relative:?}, which leaves the folder; nothing is written"
    );
    let target = output.join(relative);
    ensure!(
        !target.exists(),
        "{} is there already; nothing is written",
        target.display()
    );
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let check = |model, path, several| {
            target(
                folder.path(),
                &ArchivedFile {
                    model,
                    path,
                    bytes: 0,
                },
                several,
            )
            .is_ok()
        };
        assert!(check("m", "unet/model.safetensors", true));
        assert!(check("../m", "model.safetensors", false));
        assert!(!check("../m", "model.safetensors", true));
        for path in ["../x", "/etc/passwd", "a/../../x", "", "."] {
            assert!(!check("m", path, true) && !check("m", path, false), "{path}");
        }
    }
}
