//! Kaggle Models, the successor of TF Hub: `owner/model/framework/variation`, each with numbered versions.
//!
//! A variation is a package, called `<owner>/<model>--<framework>--<variation>`; a version is a revision. The hub gives sizes and no
//! digests, so a download is checked by its length alone.

use crate::fields::{date, list, malformed, required_list, string, string_or_number, strings};
use crate::http::{Ask, Client, Subject, shown};
use crate::licence::to_spdx;
use crate::{
    Availability, Content, FileEntry, Hub, HubError, ListFilter, OpenOptions, Package, Page, Revision,
    check_file_path, check_package_name,
};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::HashSet;
use url::Url;

pub const DEFAULT_ENDPOINT: &str = "https://www.kaggle.com";
const PAGE_SIZE: &str = "100";
const MAX_PAGES: usize = 1000;
const SEPARATOR: &str = "--";
const FRAMEWORK_PREFIX: &str = "MODEL_FRAMEWORK_";

/// See the module's text.
#[derive(Debug)]
pub struct Kaggle {
    client: Client,
}

/// The parts of a handle.
#[derive(Debug, Clone, Copy)]
struct Handle<'a> {
    owner: &'a str,
    model: &'a str,
    framework: &'a str,
    variation: &'a str,
}

/// `KAGGLE_API_TOKEN` opens what needs an account.
pub fn open(options: &OpenOptions) -> Result<Kaggle, HubError> {
    Ok(Kaggle {
        client: Client::new(options.client(DEFAULT_ENDPOINT, Some("KAGGLE_API_TOKEN")))?,
    })
}

impl<'a> Handle<'a> {
    fn parse(name: &'a str) -> Result<Self, HubError> {
        let (owner, rest) = check_package_name(name)?;
        let mut parts = rest.splitn(3, SEPARATOR);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(model), Some(framework), Some(variation)) => Ok(Self {
                owner,
                model,
                framework,
                variation,
            }),
            _ => Err(HubError::UnsafeName {
                name: name.to_owned(),
            }),
        }
    }

    fn segments(self) -> [&'a str; 7] {
        let Self {
            owner,
            model,
            framework,
            variation,
        } = self;
        ["api", "v1", "models", owner, model, framework, variation]
    }
}

impl Kaggle {
    fn url(&self, name: &str, rest: &[&str]) -> Result<Url, HubError> {
        let segments = Handle::parse(name)?.segments();
        Ok(self.client.url(segments.into_iter().chain(rest.iter().copied())))
    }

    async fn get(&self, url: Url, subject: Subject<'_>) -> Result<Value, HubError> {
        let (answer, _) = self.client.json(&Ask::api(url, subject)).await?;
        Ok(answer)
    }

    /// All elements over the pages of an answer; `field` is where they are in it.
    async fn all_pages(
        &self,
        first: Url,
        field: &[&str],
        subject: Subject<'_>,
    ) -> Result<Vec<Value>, HubError> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut token: Option<String> = None;
        loop {
            let mut url = first.clone();
            url.query_pairs_mut().append_pair("pageSize", PAGE_SIZE);
            if let Some(token) = &token {
                url.query_pairs_mut().append_pair("pageToken", token);
            }
            let answer = self.get(url.clone(), subject).await?;
            let elements = field.iter().fold(&answer, |value, key| &value[*key]);
            found.extend_from_slice(required_list(&shown(&url), &field.join("."), elements)?);
            token = string(&answer["nextPageToken"]);
            let Some(next) = &token else { return Ok(found) };
            if !seen.insert(next.clone()) || seen.len() > MAX_PAGES {
                return Err(HubError::CursorLoop {
                    endpoint: self.client.endpoint(),
                    cursor: next.clone(),
                });
            }
        }
    }
}

#[async_trait]
impl Hub for Kaggle {
    fn id(&self) -> &'static str {
        "kaggle"
    }

    fn endpoint(&self) -> String {
        self.client.endpoint()
    }

    async fn list(&self, filter: &ListFilter, cursor: Option<&str>) -> Result<Page, HubError> {
        let mut url = self.client.url(["api", "v1", "models", "list"]);
        let asked = [
            ("owner", filter.author.as_deref()),
            ("search", filter.search.as_deref()),
            ("pageToken", cursor),
        ];
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("pageSize", PAGE_SIZE);
            for (key, value) in asked {
                if let Some(value) = value {
                    query.append_pair(key, value);
                }
            }
        }
        let shown_url = shown(&url);
        let answer = self.get(url, Subject::Hub).await?;
        let mut page = Page {
            next: string(&answer["nextPageToken"]),
            ..Page::default()
        };
        for model in required_list(&shown_url, "models", &answer["models"])? {
            for instance in list(&model["instances"]) {
                match read_instance(&shown_url, &self.endpoint(), model, instance) {
                    Ok(package) => page.add(package),
                    Err(error) => page.skipped.push(error.to_string()),
                }
            }
        }
        Ok(page)
    }

    async fn package(&self, name: &str) -> Result<Package, HubError> {
        let handle = Handle::parse(name)?;
        let url = self
            .client
            .url(["api", "v1", "models", handle.owner, handle.model, "get"]);
        let model = self.get(url.clone(), Subject::Package(name)).await?;
        let is_it = |instance: &&Value| {
            string(&instance["slug"]).as_deref() == Some(handle.variation)
                && framework(&instance["framework"]).as_deref() == Some(handle.framework)
        };
        let instance = list(&model["instances"])
            .iter()
            .find(is_it)
            .ok_or_else(|| HubError::NotFound {
                endpoint: self.endpoint(),
                what: name.to_owned(),
            })?;
        read_instance(&shown(&url), &self.endpoint(), &model, instance)
    }

    async fn revisions(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        let url = self.url(name, &["list"])?;
        let versions = self
            .all_pages(url, &["versionList", "versions"], Subject::Package(name))
            .await?;
        let mut numbers: Vec<u64> = versions
            .iter()
            .filter_map(|version| version["versionNumber"].as_u64())
            .collect();
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        numbers.dedup();
        Ok(numbers
            .into_iter()
            .map(|number| Revision {
                id: number.to_string(),
                title: format!("version {number}"),
                ..Revision::default()
            })
            .collect())
    }

    async fn files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        let url = self.url(name, &[revision, "files"])?;
        let shown_url = shown(&url);
        let files = self
            .all_pages(url, &["files"], Subject::Revision(name, revision))
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
        let mut url = self.url(name, &[revision, "download"])?;
        url.query_pairs_mut().append_pair("path", path);
        let ask = Ask::file(url, Subject::File(name, revision, path));
        Ok(Content::on_web(&self.client, ask))
    }
}

fn read_instance(url: &str, endpoint: &str, model: &Value, instance: &Value) -> Result<Package, HubError> {
    let missing = |field: &str| malformed(url, field, "it is missing or no text");
    let reference = string(&model["ref"]).ok_or_else(|| missing("ref"))?;
    let (owner, model_slug) = reference.split_once('/').ok_or_else(|| missing("ref"))?;
    let framework = framework(&instance["framework"]).ok_or_else(|| missing("instances.framework"))?;
    let variation = string(&instance["slug"]).ok_or_else(|| missing("instances.slug"))?;
    let name = format!("{model_slug}{SEPARATOR}{framework}{SEPARATOR}{variation}");
    check_package_name(&format!("{owner}/{name}"))?;
    let mut raw = model.clone();
    if let Some(fields) = raw.as_object_mut() {
        fields.insert("instances".to_owned(), Value::Array(vec![instance.clone()]));
    }
    Ok(Package {
        hub: "kaggle".to_owned(),
        owner: owner.to_owned(),
        name,
        url: string(&instance["url"]).or_else(|| string(&model["url"])),
        endpoint: endpoint.to_owned(),
        revision: string_or_number(&instance["versionNumber"]),
        created_at: date(&model["publishTime"]),
        modified_at: date(&model["updateTime"]),
        library: Some(framework),
        licence: string(&instance["licenseName"]).map(|word| to_spdx(&word)),
        tags: list(&model["tags"])
            .iter()
            .filter_map(|tag| string(&tag["name"]))
            .collect(),
        datasets: strings(&instance["trainingData"]),
        likes: model["voteCount"].as_i64(),
        availability: match model["isPrivate"] == true {
            true => Availability::Private,
            false => Availability::Public,
        },
        base_models: base_of(instance).into_iter().collect(),
        card: string(&instance["overview"]).or_else(|| string(&model["description"])),
        raw,
        ..Package::default()
    })
}

/// The variation an instance says it was made from, under the name we give it.
fn base_of(instance: &Value) -> Option<String> {
    let base = &instance["baseModelInstanceInformation"];
    let (owner, model) = (string(&base["owner"]["slug"])?, string(&base["modelSlug"])?);
    let (framework, variation) = (framework(&base["framework"])?, string(&base["instanceSlug"])?);
    Some(format!(
        "{owner}/{model}{SEPARATOR}{framework}{SEPARATOR}{variation}"
    ))
}

/// `MODEL_FRAMEWORK_PY_TORCH` and `pyTorch` are spellings of one: addresses use the latter.
fn framework(value: &Value) -> Option<String> {
    let word = string(value)?;
    let Some(upper) = word.strip_prefix(FRAMEWORK_PREFIX) else {
        return Some(word);
    };
    let mut camel = String::new();
    for part in upper.split('_') {
        let lower = part.to_ascii_lowercase();
        match (camel.is_empty(), lower.split_at_checked(1)) {
            (false, Some((first, rest))) => {
                camel.push_str(&first.to_ascii_uppercase());
                camel.push_str(rest);
            }
            _ => camel.push_str(&lower),
        }
    }
    Some(camel)
}

fn read_file(url: &str, position: usize, package: &str, file: &Value) -> Result<FileEntry, HubError> {
    let path = string(&file["name"]).ok_or_else(|| {
        malformed(
            url,
            &format!("files[{position}].name"),
            "it is missing or no text",
        )
    })?;
    check_file_path(package, &path)?;
    Ok(FileEntry {
        path,
        size: file["size"].as_u64(),
        ..FileEntry::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn frameworks_have_two_spellings() {
        for (word, expect) in [
            ("MODEL_FRAMEWORK_PY_TORCH", "pyTorch"),
            ("MODEL_FRAMEWORK_TENSOR_FLOW_2", "tensorFlow2"),
            ("MODEL_FRAMEWORK_KERAS", "keras"),
            ("gemmaCpp", "gemmaCpp"),
        ] {
            assert_eq!(framework(&json!(word)).as_deref(), Some(expect));
        }
    }
}
