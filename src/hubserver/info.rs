//! `/api/models` and `/api/models/{id}`: packages as the hub describes them.

use super::catalogue::{Catalogue, Commit, ServedFile, off_runtime, timestamp};
use super::page::Asked;
use super::refuse::Refusal;
use super::state::Hub;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use heirloom_crawler::{HubError, Package};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

/// Fields of a listing that did not ask for more.
const LISTED: [&str; 9] = [
    "id",
    "modelId",
    "likes",
    "downloads",
    "private",
    "tags",
    "pipeline_tag",
    "library_name",
    "createdAt",
];
const FULL: [&str; 6] = ["author", "sha", "lastModified", "gated", "disabled", "siblings"];
const POINTER_BYTES: u64 = 134;
const MAX_HEADER_BYTES: u64 = 100 << 20;

/// `GET /api/models`
pub async fn list(State(hub): State<Arc<Hub>>, uri: Uri, headers: HeaderMap) -> Result<Response, Refusal> {
    let asked = Asked::new(&uri, &headers);
    off_runtime(move || {
        let fields = Fields::of_listing(&asked);
        let mut found = Vec::new();
        for name in hub.catalogue.names()? {
            if !hub.access.is_visible(&name, &headers) || !names_match(&asked, &name) {
                continue;
            }
            match describe(&hub, &name, "main", fields.needs_files()) {
                Ok(info) if tags_match(&asked, &info) => found.push(info),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, package = name, "left out of the listing"),
            }
        }
        sort(&mut found, &asked);
        let selected = found.into_iter().map(|info| fields.select(info)).collect();
        asked.page(selected, hub.page_size)
    })
    .await
}

/// `GET /api/models/{id}`
pub async fn newest(
    hub: State<Arc<Hub>>,
    Path((owner, name)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    at_revision(hub, Path((owner, name, "main".to_owned())), uri, headers).await
}

/// `GET /api/models/{id}/revision/{revision}`
pub async fn at_revision(
    State(hub): State<Arc<Hub>>,
    Path((owner, name, revision)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let package = format!("{owner}/{name}");
    hub.access.check_visible(&package, &headers)?;
    let asked = Asked::new(&uri, &headers);
    off_runtime(move || {
        let fields = Fields::of_info(&asked);
        let files = if asked.is_set("blobs") {
            Files::WithDigests
        } else {
            Files::Names
        };
        let info = describe(&hub, &package, &revision, files)?;
        Ok(Json(fields.select(info)))
    })
    .await
}

/// How much of a package's files an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Files {
    Hidden,
    Names,
    WithDigests,
}

/// The fields an answer keeps; `None` for all.
struct Fields(Option<Vec<String>>);

impl Fields {
    fn of_info(asked: &Asked) -> Self {
        let expand = asked.all("expand");
        Self((!expand.is_empty()).then(|| with_id(&expand)))
    }

    fn of_listing(asked: &Asked) -> Self {
        let expand = asked.all("expand");
        if !expand.is_empty() {
            return Self(Some(with_id(&expand)));
        }
        let mut fields = with_id(&LISTED);
        if asked.is_set("full") {
            fields.extend(FULL.map(str::to_owned));
        }
        fields.extend(
            ["cardData", "config"]
                .into_iter()
                .filter(|key| asked.is_set(key))
                .map(str::to_owned),
        );
        Self(Some(fields))
    }

    fn needs_files(&self) -> Files {
        match &self.0 {
            Some(fields) if !fields.iter().any(|field| field == "siblings") => Files::Hidden,
            _ => Files::Names,
        }
    }

    fn select(&self, info: Map<String, Value>) -> Value {
        let Some(fields) = &self.0 else { return info.into() };
        info.into_iter()
            .filter(|(key, _)| fields.iter().any(|field| field == key))
            .collect::<Map<_, _>>()
            .into()
    }
}

fn with_id(fields: &[&str]) -> Vec<String> {
    ["_id", "id"]
        .iter()
        .chain(fields)
        .map(|field| (*field).to_owned())
        .collect()
}

fn describe(hub: &Hub, package: &str, revision: &str, files: Files) -> Result<Map<String, Value>, HubError> {
    let catalogue = &hub.catalogue;
    let commits = catalogue.commits(package)?;
    let (_, commit) = catalogue.find(package, revision)?;
    let described = catalogue.describe(package, &commit)?;
    let created = commits.first().map_or(commit.date, |first| first.date);
    let mut info = facts(package, &described, &commit);
    info.insert("createdAt".into(), timestamp(created).into());
    info.insert("private".into(), hub.access.private.contains(package).into());
    info.insert("disabled".into(), hub.access.disabled.contains(package).into());
    let gated = hub.access.gated.contains(package);
    info.insert("gated".into(), if gated { "manual".into() } else { false.into() });
    let listed = catalogue.paths(&commit)?;
    if let Some(safetensors) = count_parameters(catalogue, package, &commit, &listed)? {
        info.insert("safetensors".into(), safetensors);
    }
    match files {
        Files::Hidden => {}
        Files::Names => {
            let names = listed.iter().map(|path| json!({ "rfilename": path })).collect();
            info.insert("siblings".into(), Value::Array(names));
        }
        Files::WithDigests => {
            let siblings = catalogue.files(&commit)?.iter().map(sibling).collect();
            info.insert("siblings".into(), Value::Array(siblings));
        }
    }
    Ok(info)
}

fn facts(package: &str, described: &Package, commit: &Commit) -> Map<String, Value> {
    let (card, config) = (&described.raw["cardData"], &described.raw["config"]);
    let mut tags = described.tags.clone();
    tags.extend(card_tags(described, card));
    let mut info = Map::new();
    let mut add = |key: &str, value: Value| {
        if !value.is_null() {
            info.insert(key.to_owned(), value);
        }
    };
    add("_id", commit.id[..24].into());
    add("id", package.into());
    add("modelId", package.into());
    add("author", described.owner.as_str().into());
    add("sha", commit.id.as_str().into());
    add("lastModified", commit.shown_date().into());
    add("downloads", 0.into());
    add("likes", 0.into());
    add("library_name", described.library.clone().into());
    add("pipeline_tag", described.task.clone().into());
    add("tags", tags.into());
    add("cardData", card.clone());
    add("config", shown_config(config));
    info
}

/// The hub shows these keys of a configuration only.
fn shown_config(config: &Value) -> Value {
    let Some(config) = config.as_object() else {
        return Value::Null;
    };
    [
        "architectures",
        "model_type",
        "quantization_config",
        "tokenizer_config",
    ]
    .into_iter()
    .filter_map(|key| Some((key.to_owned(), config.get(key)?.clone())))
    .collect::<Map<_, _>>()
    .into()
}

/// What the hub adds to a card's own tags.
fn card_tags(described: &Package, card: &Value) -> Vec<String> {
    let mut tags = Vec::new();
    tags.extend(described.library.clone());
    tags.extend(described.task.clone());
    if let Some(licence) = card["license"].as_str() {
        tags.push(format!("license:{licence}"));
    }
    tags.extend(
        described
            .datasets
            .iter()
            .map(|dataset| format!("dataset:{dataset}")),
    );
    for base in &described.base_models {
        tags.push(format!("base_model:{base}"));
        if let Some(relation) = &described.base_model_relation {
            tags.push(format!("base_model:{relation}:{base}"));
        }
    }
    tags.retain(|tag| !described.tags.contains(tag));
    tags
}

fn sibling(file: &ServedFile) -> Value {
    let mut sibling = json!({
        "rfilename": file.path,
        "size": file.digest.size,
        "blobId": file.digest.git_oid,
    });
    if file.is_lfs {
        sibling["lfs"] = json!({
            "sha256": file.digest.sha256,
            "size": file.digest.size,
            "pointerSize": POINTER_BYTES,
        });
    }
    sibling
}

/// `{"parameters": {"F32": 10}, "total": 10}` over all safetensors files, from their headers; `None` without any.
fn count_parameters(
    catalogue: &Catalogue,
    package: &str,
    commit: &Commit,
    paths: &[String],
) -> Result<Option<Value>, HubError> {
    let mut by_type = Map::new();
    let mut total = 0_u64;
    for path in paths.iter().filter(|path| path.ends_with(".safetensors")) {
        let location = catalogue.locate(package, commit, path)?;
        let Some(tensors) = safetensors_header(&location) else {
            continue;
        };
        for tensor in tensors
            .iter()
            .filter(|(name, _)| *name != "__metadata__")
            .map(|(_, tensor)| tensor)
        {
            let (Some(kind), Some(shape)) = (tensor["dtype"].as_str(), tensor["shape"].as_array()) else {
                continue;
            };
            let count = shape
                .iter()
                .try_fold(1_u64, |count, size| count.checked_mul(size.as_u64()?))
                .unwrap_or(0);
            let sum = by_type
                .get(kind)
                .and_then(Value::as_u64)
                .unwrap_or(0)
                .saturating_add(count);
            by_type.insert(kind.to_owned(), sum.into());
            total = total.saturating_add(count);
        }
    }
    Ok((!by_type.is_empty()).then(|| json!({ "parameters": by_type, "total": total })))
}

/// `None` for a damaged file: the hub serves it all the same.
fn safetensors_header(path: &std::path::Path) -> Option<Map<String, Value>> {
    let mut file = File::open(path).ok()?;
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES || length > file.metadata().ok()?.len() {
        return None;
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).ok()?;
    serde_json::from_slice(&header).ok()
}

fn names_match(asked: &Asked, name: &str) -> bool {
    let (owner, _) = name.split_once('/').unwrap_or_default();
    let lower = name.to_lowercase();
    asked
        .first("author")
        .is_none_or(|author| author.eq_ignore_ascii_case(owner))
        && asked
            .all("search")
            .iter()
            .all(|search| lower.contains(&search.to_lowercase()))
}

/// Every `filter` is a tag the package must have, commas separate several; `pipeline_tag` is its task.
fn tags_match(asked: &Asked, info: &Map<String, Value>) -> bool {
    let tags = info.get("tags").and_then(Value::as_array);
    let task = asked.first("pipeline_tag");
    if task.is_some_and(|task| info.get("pipeline_tag").is_none_or(|tag| tag != task)) {
        return false;
    }
    asked
        .all("filter")
        .iter()
        .flat_map(|filter| filter.split(','))
        .filter(|filter| !filter.is_empty())
        .all(|filter| tags.is_some_and(|tags| tags.iter().any(|tag| tag == filter)))
}

/// By date or count, newest or greatest first unless `direction=1`; by name where nothing is asked.
fn sort(found: &mut [Map<String, Value>], asked: &Asked) {
    let key = match asked.first("sort") {
        Some(key @ ("lastModified" | "createdAt" | "downloads" | "likes")) => key,
        _ => return,
    };
    let text = |info: &Map<String, Value>| info.get(key).map(Value::to_string);
    found.sort_by_key(text);
    if asked.first("direction") != Some("1") {
        found.reverse();
    }
}
