//! CivitAI: models of image generators, each with versions that hold files with SHA-256 digests.
//!
//! Names are not unique there, so a package is called `<creator>/<id>-<title>`. A version is a revision; the hub keeps all of them,
//! newest first. Its `baseModel` is a family (`SDXL 1.0`), which is an architecture to us and no declared parent.

use crate::documents::Snapshot;
use crate::fields::{date, list, malformed, required_list, sha256, string, string_or_number, strings};
use crate::http::{Ask, Client, Subject, shown};
use crate::recent::Recent;
use crate::{
    Content, FileEntry, Hub, HubError, ListFilter, NO_OWNER, OpenOptions, Package, Page, Revision,
    check_file_path, check_package_name,
};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

pub const DEFAULT_ENDPOINT: &str = "https://civitai.com";
const PAGE_MODELS: &str = "100";
const MAX_TITLE_CHARS: usize = 80;
/// A crawl asks for a package, its history and its files one after the other.
const MODELS_KEPT: Duration = Duration::from_secs(60);
const MAX_MODELS: usize = 64;

/// See the module's text.
#[derive(Debug)]
pub struct CivitAi {
    client: Client,
    models: Recent<String, Arc<Model>>,
}

/// One model as the API describes it.
#[derive(Debug)]
struct Model {
    package: Package,
    /// Newest first.
    versions: Vec<Version>,
}

#[derive(Debug)]
struct Version {
    snapshot: Snapshot,
    /// Where each file is downloaded from.
    addresses: BTreeMap<String, String>,
}

/// `CIVITAI_TOKEN` opens what needs an account.
pub fn open(options: &OpenOptions) -> Result<CivitAi, HubError> {
    Ok(CivitAi {
        client: Client::new(options.client(DEFAULT_ENDPOINT, Some("CIVITAI_TOKEN")))?,
        models: Recent::new(MODELS_KEPT, MAX_MODELS),
    })
}

impl CivitAi {
    async fn model(&self, name: &str) -> Result<Arc<Model>, HubError> {
        let (_, short) = check_package_name(name)?;
        if let Some(model) = self.models.get(&name.to_owned()) {
            return Ok(model);
        }
        let id = short.split('-').next().unwrap_or_default();
        let url = self.client.url(["api", "v1", "models", id]);
        let (answer, _) = self
            .client
            .json(&Ask::api(url.clone(), Subject::Package(name)))
            .await?;
        let model = Arc::new(read_model(&shown(&url), &self.client.endpoint(), answer)?);
        self.models.learn(name.to_owned(), Arc::clone(&model));
        Ok(model)
    }

    async fn version<T>(
        &self,
        name: &str,
        revision: &str,
        take: impl FnOnce(&Version) -> T,
    ) -> Result<T, HubError> {
        let model = self.model(name).await?;
        let found = match revision {
            "main" | "HEAD" => model.versions.first(),
            other => model
                .versions
                .iter()
                .find(|version| version.snapshot.revision.id == other),
        };
        found.map(take).ok_or_else(|| HubError::RevisionNotFound {
            package: name.to_owned(),
            revision: revision.to_owned(),
        })
    }

    fn list_url(&self, filter: &ListFilter, cursor: Option<&str>) -> Url {
        let mut url = self.client.url(["api", "v1", "models"]);
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("limit", PAGE_MODELS)
                .append_pair("sort", "Newest");
            let asked = [
                ("username", filter.author.as_deref()),
                ("query", filter.search.as_deref()),
                ("cursor", cursor),
            ];
            for (key, value) in asked {
                if let Some(value) = value {
                    query.append_pair(key, value);
                }
            }
        }
        url
    }
}

#[async_trait]
impl Hub for CivitAi {
    fn id(&self) -> &'static str {
        "civitai"
    }

    fn endpoint(&self) -> String {
        self.client.endpoint()
    }

    async fn list(&self, filter: &ListFilter, cursor: Option<&str>) -> Result<Page, HubError> {
        let url = self.list_url(filter, cursor);
        let (mut answer, _) = self.client.json(&Ask::api(url.clone(), Subject::Hub)).await?;
        let shown_url = shown(&url);
        required_list(&shown_url, "items", &answer["items"])?;
        let next = string_or_number(&answer["metadata"]["nextCursor"]);
        let mut page = Page::default();
        if let Value::Array(items) = answer["items"].take() {
            for item in items {
                match read_model(&shown_url, &self.client.endpoint(), item) {
                    Ok(model) => page.add(model.package),
                    Err(error) => page.skipped.push(error.to_string()),
                }
            }
        }
        page.next = next;
        Ok(page)
    }

    async fn package(&self, name: &str) -> Result<Package, HubError> {
        Ok(self.model(name).await?.package.clone())
    }

    async fn revisions(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        let model = self.model(name).await?;
        let revision = |version: &Version| version.snapshot.revision.clone();
        Ok(model.versions.iter().map(revision).collect())
    }

    async fn files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        self.version(name, revision, |version| version.snapshot.files.clone())
            .await
    }

    async fn locate<'a>(
        &'a self,
        name: &'a str,
        revision: &'a str,
        path: &'a str,
    ) -> Result<Content<'a>, HubError> {
        let address = self
            .version(name, revision, |version| version.addresses.get(path).cloned())
            .await?;
        let address = address.ok_or_else(|| HubError::FileNotFound {
            package: name.to_owned(),
            revision: revision.to_owned(),
            path: path.to_owned(),
        })?;
        let url = Url::parse(&address)
            .ok()
            .filter(|url| self.client.is_own(url))
            .ok_or_else(|| HubError::CrossHostRedirect {
                url: self.client.endpoint(),
                target: address.chars().take(120).collect(),
            })?;
        let ask = Ask::file(url, Subject::File(name, revision, path));
        Ok(Content::on_web(&self.client, ask))
    }
}

fn read_model(url: &str, endpoint: &str, model: Value) -> Result<Model, HubError> {
    let id =
        string_or_number(&model["id"]).ok_or_else(|| malformed(url, "id", "it is missing or no number"))?;
    let title = string(&model["name"]).unwrap_or_default();
    let owner = string(&model["creator"]["username"]).unwrap_or_else(|| NO_OWNER.to_owned());
    let name = match slug(&title).as_str() {
        "" => id.clone(),
        slug => format!("{id}-{slug}"),
    };
    let full = format!("{owner}/{name}");
    check_package_name(&full)?;
    let versions: Vec<Version> = list(&model["modelVersions"])
        .iter()
        .filter_map(|version| read_version(&full, version))
        .collect();
    let newest = &model["modelVersions"][0];
    let oldest = list(&model["modelVersions"]).last();
    let package = Package {
        hub: "civitai".to_owned(),
        owner,
        name,
        url: Some(format!("{endpoint}/models/{id}")),
        endpoint: endpoint.to_owned(),
        revision: versions
            .first()
            .map(|version| version.snapshot.revision.id.clone()),
        created_at: oldest.and_then(published),
        modified_at: published(newest),
        architecture: string(&newest["baseModel"]),
        tags: strings(&model["tags"]),
        downloads: model["stats"]["downloadCount"].as_i64(),
        likes: model["stats"]["thumbsUpCount"].as_i64(),
        card: string(&model["description"]),
        raw: model,
        ..Package::default()
    };
    Ok(Model { package, versions })
}

/// One version; `None` without an id. Files whose name is unsafe or was there before are left out.
fn read_version(package: &str, version: &Value) -> Option<Version> {
    let id = string_or_number(&version["id"])?;
    let mut files = Vec::new();
    let mut addresses = BTreeMap::new();
    for file in list(&version["files"]) {
        let (Some(path), Some(address)) = (string(&file["name"]), string(&file["downloadUrl"])) else {
            continue;
        };
        if check_file_path(package, &path).is_err() || addresses.contains_key(&path) {
            continue;
        }
        files.push(FileEntry {
            path: path.clone(),
            size: exact_bytes(&file["sizeKB"]),
            sha256: sha256(&file["hashes"]["SHA256"]),
            ..FileEntry::default()
        });
        addresses.insert(path, address);
    }
    let revision = Revision {
        id,
        date: published(version),
        title: string(&version["name"]).unwrap_or_default(),
        message: string(&version["description"]).unwrap_or_default(),
        ..Revision::default()
    };
    let snapshot = Snapshot { revision, files };
    Some(Version { snapshot, addresses })
}

fn published(version: &Value) -> Option<time::OffsetDateTime> {
    date(&version["publishedAt"]).or_else(|| date(&version["createdAt"]))
}

/// The size is given in units of 1024 bytes, with the fraction that makes it exact; where it was rounded, it is not the size.
fn exact_bytes(kilobytes: &Value) -> Option<u64> {
    let bytes = kilobytes.as_f64()? * 1024.0;
    let whole = bytes.round();
    let is_exact = (bytes - whole).abs() < 1e-3 && (0.0..9e15).contains(&whole);
    is_exact.then_some(whole as u64)
}

/// `My Model (v2)` → `my-model-v2`
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars().take(MAX_TITLE_CHARS) {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_that_were_rounded_are_not_sizes() {
        assert_eq!(exact_bytes(&json!(2_082_642.474_609_375)), Some(2_132_625_894));
        assert_eq!(exact_bytes(&json!(1.0)), Some(1024));
        assert_eq!(exact_bytes(&json!(1.3)), None);
        assert_eq!(exact_bytes(&json!("big")), None);
    }

    #[test]
    fn titles_become_names() {
        for (title, expect) in [
            ("My Model (v2)", "my-model-v2"),
            ("  ", ""),
            ("映画", ""),
            ("a--b", "a-b"),
        ] {
            assert_eq!(slug(title), expect, "{title}");
        }
    }
}
