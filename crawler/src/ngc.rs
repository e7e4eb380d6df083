//! NVIDIA NGC: models of organisations and their teams, each with named versions that hold files with SHA-256 digests.
//!
//! A model of a team is called `<org>/<team>--<name>`, one without a team `<org>/<name>`. The listing is the catalogue's search; what
//! guests may see needs no key.

use crate::fields::{date, list, malformed, required_list, string};
use crate::http::{Ask, Client, Subject, shown};
use crate::licence::to_spdx;
use crate::{
    Content, FileEntry, Hub, HubError, ListFilter, OpenOptions, Package, Page, Revision, check_file_path,
    check_package_name,
};
use async_trait::async_trait;
use base64::Engine;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::HashSet;
use url::Url;

pub const DEFAULT_ENDPOINT: &str = "https://api.ngc.nvidia.com";
const PAGE_MODELS: u64 = 100;
const MAX_PAGES: usize = 1000;
const TEAM_SEPARATOR: &str = "--";

/// See the module's text.
#[derive(Debug)]
pub struct Ngc {
    client: Client,
}

/// `NGC_API_KEY` opens what guests may not see.
pub fn open(options: &OpenOptions) -> Result<Ngc, HubError> {
    Ok(Ngc {
        client: Client::new(options.client(DEFAULT_ENDPOINT, Some("NGC_API_KEY")))?,
    })
}

impl Ngc {
    /// `/v2/models/{org}[/{team}]/{name}/…`
    fn model_url(&self, name: &str, rest: &[&str]) -> Result<Url, HubError> {
        let (org, short) = check_package_name(name)?;
        let (team, short) = match short.split_once(TEAM_SEPARATOR) {
            Some((team, short)) => (Some(team), short),
            None => (None, short),
        };
        let segments = ["v2", "models", org].into_iter().chain(team).chain([short]);
        Ok(self.client.url(segments.chain(rest.iter().copied())))
    }

    /// All elements of `field` over the pages of an answer.
    async fn all_pages(&self, first: Url, field: &str, subject: Subject<'_>) -> Result<Vec<Value>, HubError> {
        let mut url = first.clone();
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let (answer, _) = self.client.json(&Ask::api(url.clone(), subject)).await?;
            found.extend_from_slice(required_list(&shown(&url), field, &answer[field])?);
            let pages = &answer["paginationInfo"];
            let next = pages["index"].as_u64().map(|index| index + 1);
            let Some(next) =
                next.filter(|next| pages["totalPages"].as_u64().is_some_and(|total| *next < total))
            else {
                return Ok(found);
            };
            if !seen.insert(next) || seen.len() > MAX_PAGES {
                return Err(HubError::CursorLoop {
                    endpoint: self.client.endpoint(),
                    cursor: next.to_string(),
                });
            }
            url.clone_from(&first);
            url.query_pairs_mut()
                .append_pair("page-number", &next.to_string());
        }
    }

    fn search_url(&self, filter: &ListFilter, page: u64) -> Url {
        let search = filter.search.as_deref().map(|search| format!("*{search}*"));
        let pattern = match (&filter.author, search) {
            (Some(author), Some(search)) => format!("{author}/{search}"),
            (Some(author), None) => format!("{author}/*"),
            (None, search) => search.unwrap_or_else(|| "*".to_owned()),
        };
        let query = json!({
            "query": format!("resourceId:{pattern}"),
            "orderBy": [{ "field": "dateModified", "value": "DESC" }],
            "page": page,
            "pageSize": PAGE_MODELS,
        });
        let mut url = self.client.url(["v2", "search", "catalog", "resources", "MODEL"]);
        url.query_pairs_mut().append_pair("q", &query.to_string());
        url
    }
}

#[async_trait]
impl Hub for Ngc {
    fn id(&self) -> &'static str {
        "ngc"
    }

    fn endpoint(&self) -> String {
        self.client.endpoint()
    }

    async fn list(&self, filter: &ListFilter, cursor: Option<&str>) -> Result<Page, HubError> {
        let number = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let url = self.search_url(filter, number);
        let shown_url = shown(&url);
        let (answer, _) = self.client.json(&Ask::api(url, Subject::Hub)).await?;
        let mut page = Page::default();
        for group in required_list(&shown_url, "results", &answer["results"])? {
            if group["groupValue"] != "MODEL" {
                continue;
            }
            for resource in list(&group["resources"]) {
                match listed_name(&shown_url, resource) {
                    Ok(name) if filter.accepts(&name) => page.names.push(name),
                    Ok(_) => {}
                    Err(error) => page.skipped.push(error.to_string()),
                }
            }
        }
        let pages = answer["resultPageTotal"].as_u64().unwrap_or(0);
        page.next = (number + 1 < pages).then(|| (number + 1).to_string());
        Ok(page)
    }

    async fn package(&self, name: &str) -> Result<Package, HubError> {
        let url = self.model_url(name, &[])?;
        let (mut answer, _) = self
            .client
            .json(&Ask::api(url.clone(), Subject::Package(name)))
            .await?;
        read_model(&shown(&url), &self.endpoint(), name, answer["model"].take())
    }

    async fn revisions(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        let url = self.model_url(name, &["versions"])?;
        let versions = self
            .all_pages(url, "modelVersions", Subject::Package(name))
            .await?;
        let mut revisions: Vec<Revision> = versions.iter().filter_map(read_version).collect();
        revisions.sort_by_key(|revision| Reverse(revision.date));
        Ok(revisions)
    }

    async fn files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        let url = self.model_url(name, &["versions", revision, "files"])?;
        let shown_url = shown(&url);
        let files = self
            .all_pages(url, "modelFiles", Subject::Revision(name, revision))
            .await?;
        files
            .iter()
            .enumerate()
            .map(|(position, file)| read_file(&shown_url, position, name, file))
            .collect()
    }

    async fn locate<'a>(
        &'a self,
        name: &'a str,
        revision: &'a str,
        path: &'a str,
    ) -> Result<Content<'a>, HubError> {
        check_file_path(name, path)?;
        let mut url = self.model_url(name, &["versions", revision, "files"])?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path.split('/'));
        }
        let ask = Ask::file(url, Subject::File(name, revision, path));
        Ok(Content::on_web(&self.client, ask))
    }
}

/// `nvidia/tao/peoplenet` → `nvidia/tao--peoplenet`
fn listed_name(url: &str, resource: &Value) -> Result<String, HubError> {
    let id = string(&resource["resourceId"])
        .ok_or_else(|| malformed(url, "resourceId", "it is missing or no text"))?;
    let name = match id.split('/').collect::<Vec<_>>().as_slice() {
        [org, team, name] => format!("{org}/{team}{TEAM_SEPARATOR}{name}"),
        _ => id,
    };
    check_package_name(&name)?;
    Ok(name)
}

fn read_model(url: &str, endpoint: &str, name: &str, model: Value) -> Result<Package, HubError> {
    if !model.is_object() {
        return Err(malformed(url, "model", "it is missing or no object"));
    }
    let (owner, short) = check_package_name(name)?;
    let terms = &model["licenseTerms"][0];
    Ok(Package {
        hub: "ngc".to_owned(),
        owner: owner.to_owned(),
        name: short.to_owned(),
        url: Some(url.to_owned()),
        endpoint: endpoint.to_owned(),
        revision: string(&model["latestVersionIdStr"]),
        created_at: date(&model["createdDate"]),
        modified_at: date(&model["updatedDate"]),
        task: string(&model["application"]),
        library: string(&model["framework"]),
        licence: string(&terms["licenseName"])
            .or_else(|| string(&terms["title"]))
            .map(|word| to_spdx(&word)),
        tags: label_values(&model["labels"]),
        gated: model["canGuestDownload"] == false,
        card: string(&model["description"]),
        raw: model,
        ..Package::default()
    })
}

/// `[{"key": "general", "values": ["a", "b"]}]` → `a`, `b`; plain strings are taken as they are.
fn label_values(labels: &Value) -> Vec<String> {
    list(labels)
        .iter()
        .flat_map(|label| match label {
            Value::Object(_) => crate::fields::strings(&label["values"]),
            other => crate::fields::strings(other),
        })
        .collect()
}

fn read_version(version: &Value) -> Option<Revision> {
    Some(Revision {
        id: string(&version["versionId"])?,
        date: date(&version["createdDate"]),
        title: string(&version["versionId"])?,
        message: string(&version["description"]).unwrap_or_default(),
        authors: string(&version["createdByUser"]).into_iter().collect(),
        tags: Vec::new(),
    })
}

fn read_file(url: &str, position: usize, package: &str, file: &Value) -> Result<FileEntry, HubError> {
    let path = string(&file["path"]).ok_or_else(|| {
        malformed(
            url,
            &format!("modelFiles[{position}].path"),
            "it is missing or no text",
        )
    })?;
    check_file_path(package, &path)?;
    Ok(FileEntry {
        path,
        size: file["sizeInBytes"].as_u64(),
        sha256: string(&file["sha256_base64"]).and_then(|text| hex_of_base64(&text)),
        ..FileEntry::default()
    })
}

fn hex_of_base64(text: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    (bytes.len() == 32).then(|| hex::encode(bytes))
}
