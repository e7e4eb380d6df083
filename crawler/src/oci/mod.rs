//! Ollama's registry and other OCI registries that hold models (Docker Hub's `ai/`, ModelPack).
//!
//! A repository's tags are variants (`8b`, `70b-q4_0`) and no history, so a package is a repository with its tag:
//! `library/llama3:8b`, `latest` where none is named. Its one revision is the manifest's digest; its files are the layers, read by
//! digest and Range. Tokens are fetched as the registry's challenge says.

mod manifest;

use crate::fields::{date, list, required_list, string, strings};
use crate::http::{Ask, Client, ClientConfig, Subject, next_link, shown};
use crate::licence::to_spdx;
use crate::recent::Recent;
use crate::{
    Content, FileEntry, Hub, HubError, ListFilter, NO_OWNER, OpenOptions, Package, Page, Revision,
    check_package_name,
};
use async_trait::async_trait;
use manifest::Manifest;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

pub const OLLAMA_ENDPOINT: &str = "https://registry.ollama.ai";
pub const DOCKER_HUB_ENDPOINT: &str = "https://registry-1.docker.io";
const DEFAULT_TAG: &str = "latest";
const PAGE_REPOSITORIES: &str = "50";
const MAX_MANIFEST_BYTES: u64 = 4 << 20;
const MAX_CONFIG_BYTES: u64 = 4 << 20;
const MANIFESTS_KEPT: Duration = Duration::from_secs(300);
const MAX_MANIFESTS: usize = 256;
const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, \
                        application/vnd.oci.image.index.v1+json, */*;q=0.1";

/// See the module's text.
#[derive(Debug)]
pub struct Registry {
    id: &'static str,
    client: Client,
    /// By package and digest.
    manifests: Recent<(String, String), Arc<Manifest>>,
}

/// Ollama's registry, which has no catalogue.
pub fn open_ollama(options: &OpenOptions) -> Result<Registry, HubError> {
    Registry::new("ollama", options.client(OLLAMA_ENDPOINT, None))
}

/// An OCI registry; Docker Hub unless another is named.
pub fn open(options: &OpenOptions) -> Result<Registry, HubError> {
    Registry::new("oci", options.client(DOCKER_HUB_ENDPOINT, None))
}

/// A package's repository and tag.
#[derive(Debug, Clone, Copy)]
struct Reference<'a> {
    owner: &'a str,
    repository: &'a str,
    tag: &'a str,
}

impl<'a> Reference<'a> {
    fn parse(name: &'a str) -> Result<Self, HubError> {
        let (owner, rest) = check_package_name(name)?;
        let (repository, tag) = rest.split_once(':').unwrap_or((rest, DEFAULT_TAG));
        Ok(Self {
            owner,
            repository,
            tag,
        })
    }

    fn segments(self) -> impl Iterator<Item = &'a str> {
        let owner = (self.owner != NO_OWNER).then_some(self.owner);
        ["v2"].into_iter().chain(owner).chain([self.repository])
    }
}

impl Registry {
    fn new(id: &'static str, config: ClientConfig) -> Result<Self, HubError> {
        let config = ClientConfig {
            meets_challenges: true,
            ..config
        };
        Ok(Self {
            id,
            client: Client::new(config)?,
            manifests: Recent::new(MANIFESTS_KEPT, MAX_MANIFESTS),
        })
    }

    fn url(&self, name: &str, rest: [&str; 2]) -> Result<Url, HubError> {
        let reference = Reference::parse(name)?;
        Ok(self.client.url(reference.segments().chain(rest)))
    }

    /// The manifest of a package at a revision: the tag's own, unless the revision is another digest.
    async fn manifest(&self, name: &str, revision: &str) -> Result<Arc<Manifest>, HubError> {
        let key = (name.to_owned(), revision.to_owned());
        if let Some(manifest) = self.manifests.get(&key) {
            return Ok(manifest);
        }
        let tag = Reference::parse(name)?.tag;
        if revision.len() == 64 {
            let by_digest = self.fetch(name, &format!("sha256:{revision}"), revision).await;
            // Not every registry answers to digests; the tag may still be at this one.
            if !matches!(
                by_digest,
                Err(HubError::RevisionNotFound { .. } | HubError::Status { .. })
            ) {
                return by_digest;
            }
        }
        let manifest = self.fetch(name, tag, revision).await?;
        if manifest.digest == revision || ["main", "HEAD", tag].contains(&revision) {
            return Ok(manifest);
        }
        Err(HubError::RevisionNotFound {
            package: name.to_owned(),
            revision: revision.to_owned(),
        })
    }

    /// Fetches `reference`, a tag or a digest. An index leads to its first manifest.
    async fn fetch(&self, name: &str, reference: &str, revision: &str) -> Result<Arc<Manifest>, HubError> {
        let (mut value, mut digest) = self.fetch_json(name, reference, revision).await?;
        if let Some(first) = list(&value["manifests"]).first()
            && let Some(inner) = string(&first["digest"])
        {
            (value, digest) = self.fetch_json(name, &inner, revision).await?;
        }
        let url = shown(&self.url(name, ["manifests", reference])?);
        let manifest = Arc::new(manifest::read(&url, name, digest, value)?);
        self.manifests
            .learn((name.to_owned(), manifest.digest.clone()), Arc::clone(&manifest));
        Ok(manifest)
    }

    /// The JSON and its digest, which must be the one asked for where one was.
    async fn fetch_json(
        &self,
        name: &str,
        reference: &str,
        revision: &str,
    ) -> Result<(Value, String), HubError> {
        let url = self.url(name, ["manifests", reference])?;
        let ask = Ask::api(url.clone(), Subject::Revision(name, revision)).header(ACCEPT, ACCEPTED);
        let bytes = self.client.whole(&ask, MAX_MANIFEST_BYTES).await?;
        let digest = hex::encode(Sha256::digest(&bytes));
        if let Some(expected) = reference.strip_prefix("sha256:")
            && expected != digest
        {
            return Err(HubError::WrongDigest {
                file: shown(&url),
                expected: expected.to_owned(),
                actual: digest,
            });
        }
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| crate::fields::malformed(&shown(&url), "the manifest", &error.to_string()))?;
        Ok((value, digest))
    }

    /// What the configuration says; null where it is no JSON.
    async fn config(&self, name: &str, manifest: &Manifest) -> Result<Value, HubError> {
        let Some(digest) = &manifest.config else {
            return Ok(Value::Null);
        };
        let url = self.url(name, ["blobs", &format!("sha256:{digest}")])?;
        let ask = Ask::file(url, Subject::Package(name));
        let bytes = self.client.whole(&ask, MAX_CONFIG_BYTES).await?;
        Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// The tags of a repository as package names; the default one where the registry does not list them.
    async fn variants(&self, repository: &str) -> Result<Vec<String>, HubError> {
        let url = self.url(repository, ["tags", "list"])?;
        match self
            .client
            .json(&Ask::api(url, Subject::Package(repository)))
            .await
        {
            Ok((answer, _)) => Ok(strings(&answer["tags"])
                .iter()
                .map(|tag| format!("{repository}:{tag}"))
                .collect()),
            Err(HubError::NotFound { .. } | HubError::Status { .. }) => {
                Ok(vec![format!("{repository}:{DEFAULT_TAG}")])
            }
            Err(error) => Err(error),
        }
    }

    async fn named_variants(&self, name: &str) -> Result<Page, HubError> {
        check_package_name(name)?;
        let names = match name.contains(':') {
            true => vec![name.to_owned()],
            false => self.variants(name).await?,
        };
        Ok(Page {
            names,
            ..Page::default()
        })
    }

    async fn catalogue(&self, filter: &ListFilter, cursor: Option<&str>) -> Result<Page, HubError> {
        let mut url = self.client.url(["v2", "_catalog"]);
        url.query_pairs_mut().append_pair("n", PAGE_REPOSITORIES);
        if let Some(last) = cursor {
            url.query_pairs_mut().append_pair("last", last);
        }
        let (answer, headers) = self
            .client
            .json(&Ask::api(url.clone(), Subject::Hub))
            .await
            .map_err(|error| self.without_catalogue(error))?;
        let repositories = required_list(&shown(&url), "repositories", &answer["repositories"])?;
        let mut page = Page::default();
        let mut last = None;
        for repository in repositories.iter().filter_map(string) {
            last = Some(repository.clone());
            let name = match repository.contains('/') {
                true => repository,
                false => format!("{NO_OWNER}/{repository}"),
            };
            if let Err(error) = check_package_name(&name) {
                page.skipped.push(error.to_string());
            } else if filter.accepts(&name) {
                page.names.extend(self.variants(&name).await?);
            }
        }
        page.next = last.filter(|_| next_link(&headers).is_some());
        Ok(page)
    }

    fn without_catalogue(&self, error: HubError) -> HubError {
        match error {
            HubError::NotAHub { .. } | HubError::Unauthorised { .. } | HubError::Status { .. } => {
                HubError::NoListing {
                    endpoint: self.endpoint(),
                }
            }
            error => error,
        }
    }
}

#[async_trait]
impl Hub for Registry {
    fn id(&self) -> &'static str {
        self.id
    }

    fn endpoint(&self) -> String {
        self.client.endpoint()
    }

    /// Author and search together name one repository, with or without a tag: public registries have no catalogue.
    async fn list(&self, filter: &ListFilter, cursor: Option<&str>) -> Result<Page, HubError> {
        match (&filter.author, &filter.search) {
            (Some(author), Some(search)) => self.named_variants(&format!("{author}/{search}")).await,
            _ => self.catalogue(filter, cursor).await,
        }
    }

    async fn package(&self, name: &str) -> Result<Package, HubError> {
        let reference = Reference::parse(name)?;
        // The tag may have moved since the manifest was read last.
        let manifest = self.fetch(name, reference.tag, reference.tag).await?;
        let config = self.config(name, &manifest).await?;
        let (_, short) = check_package_name(name)?;
        let descriptor = &config["descriptor"];
        Ok(Package {
            hub: self.id.to_owned(),
            owner: reference.owner.to_owned(),
            name: short.to_owned(),
            endpoint: self.endpoint(),
            revision: Some(manifest.digest.clone()),
            created_at: date(&descriptor["createdAt"]).or_else(|| date(&descriptor["created"])),
            architecture: string(&config["model_family"])
                .or_else(|| string(&descriptor["family"]))
                .or_else(|| string(&config["config"]["architecture"])),
            licence: licence_of(descriptor, &manifest),
            raw: json!({ "manifest": manifest.raw, "config": config }),
            ..Package::default()
        })
    }

    async fn revisions(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        let tag = Reference::parse(name)?.tag;
        let manifest = self.fetch(name, tag, tag).await?;
        Ok(vec![Revision {
            id: manifest.digest.clone(),
            tags: vec![tag.to_owned()],
            ..Revision::default()
        }])
    }

    async fn files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        Ok(self.manifest(name, revision).await?.files.clone())
    }

    async fn locate<'a>(
        &'a self,
        name: &'a str,
        revision: &'a str,
        path: &'a str,
    ) -> Result<Content<'a>, HubError> {
        let manifest = self.manifest(name, revision).await?;
        let digest = manifest.digest_of(path).ok_or_else(|| HubError::FileNotFound {
            package: name.to_owned(),
            revision: revision.to_owned(),
            path: path.to_owned(),
        })?;
        let url = self.url(name, ["blobs", &format!("sha256:{digest}")])?;
        let ask = Ask::file(url, Subject::File(name, revision, path));
        Ok(Content::on_web(&self.client, ask))
    }
}

fn licence_of(descriptor: &Value, manifest: &Manifest) -> Option<String> {
    let words = strings(&descriptor["licenses"]);
    match words.as_slice() {
        [] => string(&manifest.raw["annotations"]["org.opencontainers.image.licenses"]),
        words => Some(words.join(" AND ")),
    }
    .map(|word| to_spdx(&word))
}
