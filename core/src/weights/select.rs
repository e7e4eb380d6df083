//! Which files of a package are its weights: one consistent set out of the many forms a package may hold its model in.
//!
//! Enters: the package's paths. Leaves: the paths to open together. Decided by names alone, so that nothing is fetched.

use super::format::FORMATS;

/// Stems the libraries write, best first; others follow, shortest first.
const KNOWN_STEMS: &[&str] = &[
    "model",
    "diffusion_pytorch_model",
    "pytorch_model",
    "adapter_model",
];

/// What training leaves beside the model.
const TRAINING_STATE: &[&str] = &[
    "optimizer",
    "scheduler",
    "training_args",
    "rng_state",
    "scaler",
    "trainer_state",
    "openvino",
];

/// Marks of precision in file names, best first: of several quantizations in one folder the finest stands for the package.
const PRECISIONS: &[&str] = &[
    "f32", "fp32", "bf16", "f16", "fp16", "q8", "int8", "q6", "q5", "q4", "q3", "q2", "q1",
];

/// True when `path` is named like a weight file that Heirloom reads.
pub fn is_weight_file(path: &str) -> bool {
    candidate(path).is_some()
}

/// The paths of one consistent set of weight files, sorted: every shard of the best form the package has. Files at the root
/// win over folders; a diffusers package (`model_index.json`) gives the best set of each of its folders.
pub fn select_weight_files(paths: &[&str]) -> Vec<String> {
    let candidates: Vec<Candidate> = paths.iter().filter_map(|path| candidate(path)).collect();
    let components = paths.contains(&"model_index.json");
    let nested = candidates.iter().any(|file| !file.folder.is_empty());
    let mut selected = if components && nested {
        component_sets(&candidates)
    } else {
        let depth = candidates.iter().map(Candidate::depth).min();
        best_set(candidates.iter().filter(|file| Some(file.depth()) == depth))
    };
    let data: Vec<String> = selected
        .iter()
        .flat_map(|header| companions(header, paths))
        .collect();
    selected.extend(data);
    selected.sort();
    selected.dedup();
    selected
}

/// True for a file that holds the data of another: `model.onnx.data`, `model.onnx_data_1`.
pub(super) fn is_companion(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    [".onnx.data", ".onnx_data"]
        .iter()
        .any(|mark| name.contains(mark))
}

fn companions(header: &str, paths: &[&str]) -> Vec<String> {
    let of_header = |path: &&&str| path.starts_with(header) && is_companion(path);
    paths
        .iter()
        .filter(of_header)
        .map(|path| (*path).to_owned())
        .collect()
}

fn component_sets(candidates: &[Candidate]) -> Vec<String> {
    let mut folders: Vec<&str> = candidates.iter().map(|file| file.folder).collect();
    folders.sort_unstable();
    folders.dedup();
    folders
        .into_iter()
        .filter(|folder| !folder.is_empty() && !folder.contains('/'))
        .flat_map(|folder| best_set(candidates.iter().filter(|file| file.folder == folder)))
        .collect()
}

fn best_set<'a>(candidates: impl Iterator<Item = &'a Candidate<'a>> + Clone) -> Vec<String> {
    let Some(best) = candidates.clone().min_by_key(|file| file.preference()) else {
        return Vec::new();
    };
    candidates
        .filter(|file| file.set == best.set && file.folder == best.folder)
        .map(|file| file.path.to_owned())
        .collect()
}

/// A path that is named like a weight file.
struct Candidate<'a> {
    path: &'a str,
    folder: &'a str,
    /// The file's name less its shard number: equal for the shards of one set.
    set: String,
    /// Index into [`FORMATS`].
    format: usize,
}

impl Candidate<'_> {
    fn depth(&self) -> usize {
        self.path.matches('/').count()
    }

    /// Least is best: format, well-known stem, precision, then the shortest and first name.
    fn preference(&self) -> impl Ord + use<> {
        let stem = self.set.split('.').next().unwrap_or_default();
        let known = KNOWN_STEMS
            .iter()
            .position(|known| *known == stem)
            .unwrap_or(KNOWN_STEMS.len());
        // `model.safetensors` is the package's own precision, better than any named one.
        let named_precision = precision(&self.set);
        (
            self.format,
            known,
            named_precision,
            self.set.len(),
            self.folder.to_owned(),
            self.set.clone(),
        )
    }
}

/// 0 when the name states no precision, else its place in [`PRECISIONS`] counted from 1.
fn precision(name: &str) -> usize {
    let lower = name.to_ascii_lowercase();
    let words = lower.split(|letter: char| !letter.is_ascii_alphanumeric());
    words
        .filter_map(|word| PRECISIONS.iter().position(|precision| *precision == word))
        .min()
        .map_or(0, |place| place + 1)
}

fn candidate(path: &str) -> Option<Candidate<'_>> {
    if path.split('/').any(|part| part.starts_with('.')) {
        return None;
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (stem, extension) = name.rsplit_once('.')?;
    let extension = extension.to_ascii_lowercase();
    let format = FORMATS
        .iter()
        .position(|format| format.extensions.contains(&extension.as_str()))?;
    if TRAINING_STATE.iter().any(|state| stem.starts_with(state)) {
        return None;
    }
    let set = shard_of(name).map_or_else(|| name.to_owned(), |shard| shard.set);
    Some(Candidate {
        path,
        folder,
        set,
        format,
    })
}

/// A file that is one of several: `model-00001-of-00003.safetensors`.
pub(super) struct Shard {
    /// The path less the shard's number.
    pub set: String,
    pub number: u32,
    pub total: u32,
}

pub(super) fn shard_of(path: &str) -> Option<Shard> {
    let (before, after) = path.rsplit_once("-of-")?;
    let (stem, number) = before.rsplit_once('-')?;
    let digits = after.find(|letter: char| !letter.is_ascii_digit())?;
    let (total, rest) = after.split_at(digits);
    if number.len() != 5 || total.len() != 5 {
        return None;
    }
    Some(Shard {
        set: format!("{stem}{rest}"),
        number: number.parse().ok()?,
        total: total.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(paths: &[&str], expect: &[&str]) {
        assert_eq!(select_weight_files(paths), expect);
    }

    #[test]
    fn one_consistent_set_is_chosen() {
        check(
            &["config.json", "model.safetensors", "README.md"],
            &["model.safetensors"],
        );
        check(
            &[
                "model-00002-of-00002.safetensors",
                "model-00001-of-00002.safetensors",
                "model.safetensors.index.json",
                "consolidated.safetensors",
            ],
            &[
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
            ],
        );
        check(
            &["model.fp16.safetensors", "model.safetensors"],
            &["model.safetensors"],
        );
        check(
            &["adapter_model.safetensors", "checkpoint-5/model.safetensors"],
            &["adapter_model.safetensors"],
        );
        check(
            &["a/model.safetensors", "b/model.safetensors"],
            &["a/model.safetensors"],
        );
        check(&["optimizer.safetensors", "config.json"], &[]);
        check(
            &["optimizer.pt", "openvino_model.bin", "pytorch_model.bin"],
            &["pytorch_model.bin"],
        );
        check(&["m.Q4_K_M.gguf", "m.Q8_0.gguf", "m.Q2_K.gguf"], &["m.Q8_0.gguf"]);
        check(
            &["onnx/model.onnx", "onnx/model.onnx_data", "onnx/model_int8.onnx"],
            &["onnx/model.onnx", "onnx/model.onnx_data"],
        );
        check(&[".revisions/ab/model.safetensors"], &[]);
        // A listing that leads out of its folder is not followed; a shard index is not read at all, names tell the shards.
        check(&["../model.safetensors", "a/../../model.safetensors"], &[]);
        check(&[], &[]);
    }

    #[test]
    fn a_diffusers_package_gives_each_component() {
        check(
            &[
                "model_index.json",
                "v1-5-pruned.safetensors",
                "unet/diffusion_pytorch_model.safetensors",
                "unet/diffusion_pytorch_model.fp16.safetensors",
                "vae/diffusion_pytorch_model.safetensors",
                "text_encoder/model.safetensors",
            ],
            &[
                "text_encoder/model.safetensors",
                "unet/diffusion_pytorch_model.safetensors",
                "vae/diffusion_pytorch_model.safetensors",
            ],
        );
    }

    #[test]
    fn names_alone_tell_weight_files() {
        assert!(is_weight_file("model.safetensors"));
        assert!(!is_weight_file("model.safetensors.index.json"));
        assert!(!is_weight_file("tokenizer.json"));
    }
}
