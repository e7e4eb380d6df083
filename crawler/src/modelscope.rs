//! ModelScope: models with branches and tags, files with SHA-256 digests.
//!
//! Its interface tells branches and tags and no commits. A tag is a revision under its own name; the main branch is one under a
//! digest of its file list, so that a change is seen and bytes of another state are never taken for these.
//! A listing ends at 3000 models and a file list at 3000 entries, both without a word: the former is noted as left out, the latter
//! is read again folder by folder.

use crate::fields::{date, list, malformed, required_list, sha256, string, strings};
use crate::http::{Ask, Client, Subject, shown};
use crate::licence::to_spdx;
use crate::recent::Recent;
use crate::{
    Availability, Content, FileEntry, Hub, HubError, ListFilter, OpenOptions, Package, Page, Revision,
    check_file_path, check_package_name,
};
use async_trait::async_trait;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

pub const DEFAULT_ENDPOINT: &str = "https://modelscope.cn";
const PAGE_MODELS: u64 = 100;
const MAX_LISTED_MODELS: u64 = 3000;
const MAX_LISTED_FILES: usize = 3000;
/// Folders of one package that are asked for by themselves.
const MAX_FOLDERS: usize = 5000;
const MAIN_BRANCH: &str = "master";
const REVISION_ID_CHARS: usize = 40;
const MAX_CARD_BYTES: u64 = 4 << 20;
const BRANCHES_KEPT: Duration = Duration::from_secs(600);
const MAX_BRANCHES: usize = 4096;

/// See the module's text.
#[derive(Debug)]
pub struct ModelScope {
    client: Client,
    /// The branch or tag that a revision's id stands for, by package and id.
    branches: Recent<(String, String), String>,
}

/// `MODELSCOPE_API_TOKEN` opens what needs an account.
pub fn open(options: &OpenOptions) -> Result<ModelScope, HubError> {
    Ok(ModelScope {
        client: Client::new(options.client(DEFAULT_ENDPOINT, Some("MODELSCOPE_API_TOKEN")))?,
        branches: Recent::new(BRANCHES_KEPT, MAX_BRANCHES),
    })
}

impl ModelScope {
    async fn get(&self, url: Url, subject: Subject<'_>) -> Result<Value, HubError> {
        let (mut answer, _) = self.client.json(&Ask::api(url, subject)).await?;
        // One interface says `data`, the other `Data`.
        let key = if answer["data"].is_null() { "Data" } else { "data" };
        Ok(answer[key].take())
    }

    /// `/api/v1/models/{owner}/{name}/…`
    fn url(&self, name: &str, rest: &[&str]) -> Result<Url, HubError> {
        let (owner, short) = check_package_name(name)?;
        let segments = ["api", "v1", "models", owner, short].into_iter();
        Ok(self.client.url(segments.chain(rest.iter().copied())))
    }

    /// The files of a branch or tag, whole even where the hub cuts its list.
    async fn files_of(&self, name: &str, branch: &str) -> Result<Vec<FileEntry>, HubError> {
        let mut files = BTreeMap::new();
        let mut folders = vec![None];
        let mut asked = 0;
        while let Some(folder) = folders.pop() {
            asked += 1;
            if asked > MAX_FOLDERS {
                return Err(HubError::TooLarge {
                    what: format!("the number of folders of {name}"),
                    limit: MAX_FOLDERS as u64,
                });
            }
            let mut entries = self.entries(name, branch, folder.as_deref(), true).await?;
            if entries.len() >= MAX_LISTED_FILES {
                entries = self.entries(name, branch, folder.as_deref(), false).await?;
                if entries.len() >= MAX_LISTED_FILES {
                    return Err(HubError::TooLarge {
                        what: format!("a folder of {name}"),
                        limit: MAX_LISTED_FILES as u64,
                    });
                }
                let inner = entries.iter().filter(|entry| entry["Type"] == "tree");
                folders.extend(inner.filter_map(|entry| string(&entry["Path"])).map(Some));
            }
            for entry in entries.iter().filter(|entry| entry["Type"] != "tree") {
                let file = read_file(name, entry)?;
                files.insert(file.path.clone(), file);
            }
        }
        Ok(files.into_values().collect())
    }

    async fn entries(
        &self,
        name: &str,
        branch: &str,
        folder: Option<&str>,
        recursive: bool,
    ) -> Result<Vec<Value>, HubError> {
        let mut url = self.url(name, &["repo", "files"])?;
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("Revision", branch)
                .append_pair("Recursive", if recursive { "True" } else { "False" });
            if let Some(folder) = folder {
                query.append_pair("Root", folder);
            }
        }
        let shown_url = shown(&url);
        let data = self.get(url, Subject::Revision(name, branch)).await?;
        Ok(required_list(&shown_url, "Data.Files", &data["Files"])?.to_vec())
    }

    /// Main branch first, then tags, newest first; with the branch or tag behind each id.
    async fn history(&self, name: &str) -> Result<Vec<(Revision, String)>, HubError> {
        let data = self
            .get(self.url(name, &["revisions"])?, Subject::Package(name))
            .await?;
        let references = &data["RevisionMap"];
        let mut history = Vec::new();
        let branches = list(&references["Branches"]);
        let main = branches
            .iter()
            .find(|branch| branch["Revision"] == MAIN_BRANCH)
            .or(branches.first());
        if let Some(branch) = main.and_then(|branch| string(&branch["Revision"])) {
            let files = self.files_of(name, &branch).await?;
            let revision = Revision {
                id: content_id(&files),
                date: main.and_then(|branch| date(&branch["CreatedAt"])),
                tags: vec![branch.clone()],
                ..Revision::default()
            };
            history.push((revision, branch));
        }
        let mut tags: Vec<(Revision, String)> = list(&references["Tags"])
            .iter()
            .filter_map(|tag| {
                let id = string(&tag["Revision"])?;
                let revision = Revision {
                    id: id.clone(),
                    date: date(&tag["CreatedAt"]),
                    title: id.clone(),
                    tags: vec![id.clone()],
                    ..Revision::default()
                };
                Some((revision, id))
            })
            .collect();
        tags.sort_by_key(|(revision, _)| Reverse(revision.date));
        history.extend(tags);
        for (revision, branch) in &history {
            self.branches
                .learn((name.to_owned(), revision.id.clone()), branch.clone());
        }
        Ok(history)
    }

    /// The branch or tag whose content `revision` is, as long as it still is.
    async fn branch(&self, name: &str, revision: &str) -> Result<String, HubError> {
        let key = (name.to_owned(), revision.to_owned());
        if let Some(branch) = self.branches.get(&key) {
            return Ok(branch);
        }
        let history = self.history(name).await?;
        let wanted = if revision == "main" { MAIN_BRANCH } else { revision };
        history
            .into_iter()
            .find(|(entry, branch)| entry.id == revision || branch == wanted)
            .map(|(_, branch)| branch)
            .ok_or_else(|| HubError::RevisionNotFound {
                package: name.to_owned(),
                revision: revision.to_owned(),
            })
    }

    fn list_url(&self, filter: &ListFilter, page: u64) -> Url {
        let mut url = self.client.url(["openapi", "v1", "models"]);
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("page_number", &page.to_string())
                .append_pair("page_size", &PAGE_MODELS.to_string());
            if let Some(owner) = &filter.author {
                query.append_pair("owner", owner);
            }
            if let Some(search) = &filter.search {
                query.append_pair("search", search);
            }
        }
        url
    }

    async fn card(&self, name: &str) -> Result<Option<String>, HubError> {
        let mut url = self.url(name, &["repo"])?;
        url.query_pairs_mut()
            .append_pair("Revision", MAIN_BRANCH)
            .append_pair("FilePath", "README.md");
        let ask = Ask::file(url, Subject::File(name, MAIN_BRANCH, "README.md"));
        match self.client.whole(&ask, MAX_CARD_BYTES).await {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.is_of_this_run() => Err(error),
            Err(_) => Ok(None),
        }
    }
}

#[async_trait]
impl Hub for ModelScope {
    fn id(&self) -> &'static str {
        "modelscope"
    }

    fn endpoint(&self) -> String {
        self.client.endpoint()
    }

    async fn list(&self, filter: &ListFilter, cursor: Option<&str>) -> Result<Page, HubError> {
        let number = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(1);
        let url = self.list_url(filter, number);
        let shown_url = shown(&url);
        let mut data = self.get(url, Subject::Hub).await?;
        required_list(&shown_url, "data.models", &data["models"])?;
        let total = data["total_count"].as_u64().unwrap_or(0);
        let mut page = Page::default();
        if let Value::Array(models) = data["models"].take() {
            for model in models {
                match read_model(&shown_url, &self.endpoint(), model) {
                    Ok(package) => page.add(package),
                    Err(error) => page.skipped.push(error.to_string()),
                }
            }
        }
        let seen = number.saturating_mul(PAGE_MODELS);
        if seen < total.min(MAX_LISTED_MODELS) {
            page.next = Some((number + 1).to_string());
        } else if total > MAX_LISTED_MODELS {
            page.skipped.push(format!(
                "the hub lists {MAX_LISTED_MODELS} of its {total} models and no more; narrow the listing by author or search"
            ));
        }
        Ok(page)
    }

    async fn package(&self, name: &str) -> Result<Package, HubError> {
        let (owner, short) = check_package_name(name)?;
        let url = self.client.url(["openapi", "v1", "models", owner, short]);
        let model = self.get(url.clone(), Subject::Package(name)).await?;
        let mut package = read_model(&shown(&url), &self.endpoint(), model)?;
        let history = self.history(name).await?;
        package.revision = history.into_iter().next().map(|(revision, _)| revision.id);
        package.card = self.card(name).await?;
        let front_matter = package.card.as_deref().and_then(crate::card::front_matter);
        crate::card::apply(&mut package, front_matter.as_ref());
        Ok(package)
    }

    async fn revisions(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        let history = self.history(name).await?;
        Ok(history.into_iter().map(|(revision, _)| revision).collect())
    }

    async fn files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        let branch = self.branch(name, revision).await?;
        self.files_of(name, &branch).await
    }

    async fn locate<'a>(
        &'a self,
        name: &'a str,
        revision: &'a str,
        path: &'a str,
    ) -> Result<Content<'a>, HubError> {
        check_file_path(name, path)?;
        let branch = self.branch(name, revision).await?;
        let mut url = self.url(name, &["repo"])?;
        url.query_pairs_mut()
            .append_pair("Revision", &branch)
            .append_pair("FilePath", path);
        let ask = Ask::file(url, Subject::File(name, revision, path));
        Ok(Content::on_web(&self.client, ask))
    }
}

fn read_model(url: &str, endpoint: &str, model: Value) -> Result<Package, HubError> {
    let id = string(&model["id"]).ok_or_else(|| malformed(url, "id", "it is missing or no text"))?;
    let (owner, name) = check_package_name(&id)?;
    Ok(Package {
        hub: "modelscope".to_owned(),
        owner: owner.to_owned(),
        name: name.to_owned(),
        url: Some(format!("{endpoint}/models/{id}")),
        endpoint: endpoint.to_owned(),
        created_at: date(&model["created_at"]),
        modified_at: date(&model["last_modified"]),
        task: strings(&model["tasks"]).into_iter().next(),
        licence: string(&model["license"]).map(|word| to_spdx(&word)),
        tags: strings(&model["tags"]),
        downloads: model["downloads"].as_i64(),
        likes: model["likes"].as_i64(),
        gated: model["gated"] == true || model["login_required"] == true,
        availability: match model["private"] == true {
            true => Availability::Private,
            false => Availability::Public,
        },
        raw: model,
        ..Package::default()
    })
}

fn read_file(package: &str, entry: &Value) -> Result<FileEntry, HubError> {
    let path = string(&entry["Path"])
        .or_else(|| string(&entry["Name"]))
        .ok_or_else(|| malformed(package, "Data.Files.Path", "it is missing or no text"))?;
    check_file_path(package, &path)?;
    Ok(FileEntry {
        path,
        size: entry["Size"].as_u64(),
        sha256: sha256(&entry["Sha256"]),
        blob_id: string(&entry["BlobId"]),
        ..FileEntry::default()
    })
}

fn content_id(files: &[FileEntry]) -> String {
    let mut digest = Sha256::new();
    for file in files {
        let content = file
            .sha256
            .as_deref()
            .or(file.blob_id.as_deref())
            .unwrap_or_default();
        digest.update(format!("{}\0{content}\0{:?}\n", file.path, file.size));
    }
    let mut id = hex::encode(digest.finalize());
    id.truncate(REVISION_ID_CHARS);
    id
}
