//! The catalogue in PTMTorrent's layout (Jiang et al., MSR 2023): per hub the hub's own JSON, and one unified record a package.
//!
//! `data/HUB/json/metadata/models/raw.json` is an array of what the hub said; `data/HUB/json/ptmtorrent.json` is an array of records
//! after the study's schema, whose `MetadataObjectID` is the place in the former. What the schema requires and a hub does not say is
//! the empty string, as in the study's own data.

use crate::store::Store;
use crate::store::ptmtorrent::TorrentRow;
use anyhow::Context;
use futures::TryStreamExt;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;

const RAW: &str = "json/metadata/models/raw.json";
const UNIFIED: &str = "json/ptmtorrent.json";

/// Writes all packages below `folder`, and returns how many.
pub async fn export_ptmtorrent(store: &Store, folder: &Path) -> anyhow::Result<u64> {
    let mut rows = pin!(store.torrent_rows());
    let mut hub: Option<HubFiles> = None;
    let mut packages = 0;
    while let Some(row) = rows.try_next().await? {
        let same = hub.take_if(|open| open.hub != row.hub);
        if let Some(finished) = same {
            finished.finish()?;
        }
        let open = match &mut hub {
            Some(open) => open,
            None => hub.insert(HubFiles::create(folder, &row.hub)?),
        };
        open.add(&row)?;
        packages += 1;
    }
    if let Some(last) = hub {
        last.finish()?;
    }
    Ok(packages)
}

/// The two files of one hub.
struct HubFiles {
    hub: String,
    raw: JsonArray,
    unified: JsonArray,
}

impl HubFiles {
    fn create(folder: &Path, hub: &str) -> anyhow::Result<Self> {
        let place = folder.join("data").join(torrent_hub(hub));
        Ok(Self {
            hub: hub.to_owned(),
            raw: JsonArray::create(place.join(RAW))?,
            unified: JsonArray::create(place.join(UNIFIED))?,
        })
    }

    fn add(&mut self, row: &TorrentRow) -> anyhow::Result<()> {
        self.unified.push(&record(row, self.raw.items))?;
        self.raw.push(&row.raw)
    }

    fn finish(self) -> anyhow::Result<()> {
        self.raw.finish()?;
        self.unified.finish()
    }
}

/// The study's names of hubs; ours where it had none.
fn torrent_hub(hub: &str) -> &str {
    match hub {
        "hf" => "huggingface",
        "onnx" => "onnxmodelzoo",
        "pytorch-hub" => "pytorchhub",
        "modelhub-ai" => "modelhub",
        other => other,
    }
}

fn record(row: &TorrentRow, index: u64) -> Value {
    let url = row.url.clone().unwrap_or_default();
    let owner_url = url.strip_suffix(&format!("/{}", row.name)).unwrap_or_default();
    let hub = torrent_hub(&row.hub);
    let mut record = Map::new();
    let mut put = |key: &str, value: Value| _ = record.insert(key.to_owned(), value);
    put("id", row.id.into());
    put(
        "ModelHub",
        json!({
            "ModelHubName": hub,
            "ModelHubURL": row.endpoint,
            "MetadataFilePath": format!("data/{hub}/{RAW}"),
            "MetadataObjectID": index,
        }),
    );
    put("ModelName", row.name.as_str().into());
    put("ModelOwner", row.owner.as_str().into());
    put("ModelURL", url.as_str().into());
    put("ModelOwnerURL", owner_url.into());
    put("LatestGitCommitSHA", row.head.as_str().into());
    // The schema asks of each list that it is there that it holds something.
    if !row.datasets.is_empty() {
        let datasets = row.datasets.iter().map(|name| dataset(&row.hub, name));
        put("Datasets", datasets.collect());
    }
    if !row.papers.is_empty() {
        put(
            "ModelPaperDOIs",
            row.papers.iter().map(|paper| paper_doi(paper)).collect(),
        );
    }
    if let Some(task) = &row.task {
        put("ModelTask", task.as_str().into());
    }
    if let Some(architecture) = &row.architecture {
        put("ModelArchitecture", architecture.as_str().into());
    }
    record.into()
}

fn dataset(hub: &str, full_name: &str) -> Value {
    let (owner, name) = full_name.split_once('/').unwrap_or(("", full_name));
    let (url, owner_url) = match (hub, owner) {
        ("hf", "") => (format!("https://huggingface.co/datasets/{name}"), String::new()),
        ("hf", owner) => (
            format!("https://huggingface.co/datasets/{owner}/{name}"),
            format!("https://huggingface.co/{owner}"),
        ),
        _ => Default::default(),
    };
    json!({"DatasetName": name, "DatasetOwner": owner, "DatasetURL": url, "DatasetOwnerURL": owner_url})
}

/// arXiv registers a DOI for each of its papers; other identifiers stay as the hub gave them.
fn paper_doi(paper: &str) -> Value {
    let id = paper.strip_prefix("arxiv:").unwrap_or(paper);
    let (year, number) = id.split_once('.').unwrap_or_default();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match year.len() == 4 && digits(year) && digits(number) {
        true => format!("10.48550/arXiv.{id}").into(),
        false => paper.strip_prefix("doi:").unwrap_or(paper).into(),
    }
}

/// A JSON array that is written item by item.
struct JsonArray {
    path: PathBuf,
    file: BufWriter<File>,
    items: u64,
}

impl JsonArray {
    fn create(path: PathBuf) -> anyhow::Result<Self> {
        let folder = path.parent().context("a file without a folder")?;
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            path,
            file: BufWriter::new(file),
            items: 0,
        })
    }

    fn push(&mut self, item: &Value) -> anyhow::Result<()> {
        let before = if self.items == 0 { "[\n" } else { ",\n" };
        self.items += 1;
        write!(self.file, "{before}{item}").with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn finish(mut self) -> anyhow::Result<()> {
        let end = if self.items == 0 { "[]\n" } else { "\n]\n" };
        self.file
            .write_all(end.as_bytes())
            .and_then(|()| self.file.flush())
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn papers_of_arxiv_have_a_doi() {
        let check = |paper: &str, expect: &str| assert_eq!(paper_doi(paper), expect);
        check("2303.08934", "10.48550/arXiv.2303.08934");
        check("arxiv:1810.04805", "10.48550/arXiv.1810.04805");
        check("doi:10.1109/MSR59073.2023.00021", "10.1109/MSR59073.2023.00021");
        check("cs/0112017", "cs/0112017");
    }
}
