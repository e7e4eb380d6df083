//! `heirloom lock`: writes which weights a project builds on into models.lock.

use super::versions;
use super::{Global, print_json, print_text};
use crate::source::observation::{Observation, digests};
use crate::source::{Reference, Source};
use crate::versioning::assign_versions;
use crate::versioning::lock::{Lock, LockedModel};
use anyhow::{Context, bail};
use semver::VersionReq;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  heirloom lock hf:org/model@v1.2.0 ./fine-tuned
  heirloom lock hf:org/model --require '^1.2'      the revision of the highest version admitted
  heirloom lock                                    lock again what models.lock holds, requirements kept")]
pub struct Args {
    /// Models to lock: hf:owner/name[@revision], a folder or a weight file. None: all that are locked already.
    #[arg(value_name = "REF")]
    references: Vec<String>,
    /// The lock file.
    #[arg(long, default_value = "models.lock", value_name = "FILE")]
    file: PathBuf,
    /// Choose the revision by version, as in ^1.2 or >=2, <3.
    #[arg(long, value_name = "REQUIREMENT")]
    require: Option<VersionReq>,
    /// Read versions from the hub itself instead of the database. Reads every revision.
    #[arg(long)]
    direct: bool,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let mut lock = read_lock(&args.file)?;
    let wanted: Vec<(String, Option<VersionReq>)> = if args.references.is_empty() {
        let locked = lock.models.iter().map(again);
        locked.collect()
    } else {
        let named = args
            .references
            .iter()
            .map(|text| (text.clone(), args.require.clone()));
        named.collect()
    };
    if wanted.is_empty() {
        bail!("{} locks nothing yet; name a model to lock", args.file.display());
    }
    for (text, requirement) in wanted {
        let model = lock_one(&text, requirement, args.direct, global)
            .await
            .with_context(|| format!("cannot lock {text}"))?;
        lock.insert(model);
    }
    std::fs::write(&args.file, lock.to_toml()?)
        .with_context(|| format!("cannot write {}", args.file.display()))?;
    if global.json {
        print_json(&lock)?;
    } else {
        let locked = lock.models.len();
        print_text(&format!("{} locks {locked} model(s)\n", args.file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// An entry as it was asked for: its tag is looked up again, and its requirement chooses again.
fn again(model: &LockedModel) -> (String, Option<VersionReq>) {
    let text = match (&model.tag, &model.requirement) {
        (Some(tag), None) => format!("{}@{tag}", model.reference),
        _ => model.reference.clone(),
    };
    (text, model.requirement.clone())
}

/// The lock file, or an empty one where there is none yet.
pub(super) fn read_lock(path: &Path) -> anyhow::Result<Lock> {
    match std::fs::read_to_string(path) {
        Ok(text) => Lock::parse(&text).with_context(|| format!("cannot use {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Lock::default()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

async fn lock_one(
    text: &str,
    requirement: Option<VersionReq>,
    direct: bool,
    global: &Global,
) -> anyhow::Result<LockedModel> {
    let mut reference: Reference = text.parse()?;
    let mut model = LockedModel {
        reference: without_revision(&reference),
        tag: revision_of(&reference),
        requirement,
        ..LockedModel::default()
    };
    let has_versions = matches!(reference, Reference::Hub { .. })
        && (direct
            || model.requirement.is_some()
            || global.database_url.is_some()
            || global.data_dir.exists());
    let lines = match has_versions {
        true => versions::read(&reference, direct, global).await,
        false => Ok(Vec::new()),
    };
    if let Some(requirement) = &model.requirement {
        let lines = lines.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
        let chosen = versions::choose(lines, requirement)
            .with_context(|| format!("no version is admitted by {requirement}"))?;
        set_revision(&mut reference, &lines[chosen].revision);
    }
    let observed = Observation::read(Source::open(&reference).await?, |_| {}).await?;
    if let Some(failure) = &observed.failure {
        bail!("{failure}");
    }
    model.revision = observed
        .source
        .revision
        .as_ref()
        .map(|revision| revision.id.clone());
    model.inferred = match &model.revision {
        Some(revision) => lines
            .unwrap_or_default()
            .into_iter()
            .find_map(|line| line.version.filter(|_| line.revision == *revision)),
        None => assign_versions(&model.reference, &[observed.snapshot()])
            .first()
            .map(|assigned| assigned.version.to_string()),
    };
    model.observe(observed.fingerprint.as_ref(), &observed.files);
    Ok(model)
}

/// The model as it is now. Weights are read only where a file changed: equal digests of all files prove the rest.
pub(super) async fn observe_again(locked: &LockedModel) -> anyhow::Result<LockedModel> {
    let mut reference: Reference = locked.reference.parse()?;
    if let Some(revision) = locked.tag.as_ref().or(locked.revision.as_ref()) {
        set_revision(&mut reference, revision);
    }
    let source = Source::open(&reference).await?;
    let (source, files) = tokio::task::spawn_blocking(move || {
        let files = digests(&source);
        (source, files)
    })
    .await?;
    let mut now = LockedModel {
        revision: source.revision.as_ref().map(|revision| revision.id.clone()),
        ..locked.clone()
    };
    now.observe(None, &files?);
    if now.files == locked.files {
        now.weights.clone_from(&locked.weights);
        now.tensors.clone_from(&locked.tensors);
    } else {
        let observed = Observation::read(source, |_| {}).await?;
        now.observe(observed.fingerprint.as_ref(), &observed.files);
    }
    Ok(now)
}

fn without_revision(reference: &Reference) -> String {
    match reference {
        Reference::Path(_) => reference.to_string(),
        Reference::Hub { hub, name, .. } => format!("{hub}:{name}"),
    }
}

fn revision_of(reference: &Reference) -> Option<String> {
    match reference {
        Reference::Path(_) => None,
        Reference::Hub { revision, .. } => revision.clone(),
    }
}

fn set_revision(reference: &mut Reference, wanted: &str) {
    if let Reference::Hub { revision, .. } = reference {
        *revision = Some(wanted.to_owned());
    }
}
