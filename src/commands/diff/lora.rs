//! `--extract-lora`: the change as a PEFT adapter in a folder of its own.

use crate::commands::table::printable;
use crate::delta::extract_lora;
use crate::weights::Checkpoint;
use anyhow::{Context, ensure};
use serde::Serialize;
use std::path::Path;

/// What was written, and how much of the change it has.
#[derive(Debug, Serialize)]
pub struct Written {
    folder: String,
    rank: u32,
    modules: usize,
    /// Share of the squared norm of a module's change that its factors have: the least of all modules, and the mean.
    least_explained: f64,
    mean_explained: f64,
    /// Changed tensors that an adapter cannot carry.
    left_out: Vec<String>,
}

/// Writes the adapter beside its final name and renames it when whole.
pub fn write(
    a: &Checkpoint,
    b: &Checkpoint,
    rank: u32,
    (base, folder): (&str, &Path),
    progress: &(dyn Fn(u64) + Sync),
) -> anyhow::Result<Written> {
    ensure!(
        !folder.exists(),
        "{} is there already; name another folder",
        folder.display()
    );
    let lora = extract_lora(a, b, rank, progress)?;
    ensure!(
        !lora.factors.is_empty(),
        "no matrix changed that an adapter could carry; nothing is written"
    );
    let cannot = || format!("cannot write {}", folder.display());
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    let whole = tempfile::tempdir_in(parent.unwrap_or(Path::new("."))).with_context(cannot)?;
    std::fs::write(whole.path().join("adapter_model.safetensors"), lora.weights()?).with_context(cannot)?;
    let config = serde_json::to_string_pretty(&lora.config(base))? + "\n";
    std::fs::write(whole.path().join("adapter_config.json"), config).with_context(cannot)?;
    std::fs::rename(whole.keep(), folder).with_context(cannot)?;
    let explained = || lora.factors.iter().map(|factors| factors.explained);
    Ok(Written {
        folder: folder.display().to_string(),
        rank,
        modules: lora.factors.len(),
        least_explained: explained().fold(1.0, f64::min),
        mean_explained: explained().sum::<f64>() / lora.factors.len() as f64,
        left_out: lora.left_out,
    })
}

impl Written {
    pub fn describe(&self) -> String {
        let mut text = format!(
            "{}: adapter of rank {} for {} modules; it has {:.1}% of the squared change on average, {:.1}% at least\n",
            printable(&self.folder),
            self.rank,
            self.modules,
            100.0 * self.mean_explained,
            100.0 * self.least_explained,
        );
        if !self.left_out.is_empty() {
            text += &format!(
                "left out, because an adapter cannot carry them: {} changed tensors\n",
                self.left_out.len()
            );
        }
        text
    }
}
