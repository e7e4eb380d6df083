//! The Hugging Face hub, or any server that speaks its protocol.
//!
//! Enters: an endpoint and a token. Leaves: packages with their full history, files with LFS digests, bytes by Range. The JSON is
//! read in [`wire`]; limits, redirects, retries and the pace are the HTTP client's.

mod config;
mod wire;

pub use config::{DEFAULT_ENDPOINT, HfConfig, home_folder};

use crate::fields::elements;
use crate::http::{Ask, Client, Subject, etag, next_link, shown};
use crate::{
    Content, FileEntry, Hub, HubError, ListFilter, NO_OWNER, OpenOptions, Package, Page, Revision,
    check_file_path, check_package_name,
};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::HashSet;
use url::Url;

const PAGE_PACKAGES: &str = "500";
/// What a listing is asked to say of each package; siblings are left out, they make an answer ten times as long.
const LISTED_FIELDS: [&str; 16] = [
    "author",
    "baseModels",
    "cardData",
    "config",
    "createdAt",
    "disabled",
    "downloads",
    "gated",
    "lastModified",
    "library_name",
    "likes",
    "pipeline_tag",
    "private",
    "safetensors",
    "sha",
    "tags",
];
const MAX_PAGES: usize = 2000;
const MAX_CARD_BYTES: u64 = 4 << 20;

/// A Hugging Face hub at one endpoint.
#[derive(Debug, Clone)]
pub struct HfHub {
    client: Client,
}

/// The hub the environment names, or the endpoint given.
pub fn open(options: &OpenOptions) -> Result<HfHub, HubError> {
    HfHub::new(HfConfig {
        byte_budget: options.byte_budget,
        ..HfConfig::from_env_for(options.endpoint.as_deref())
    })
}

impl HfHub {
    pub fn new(config: HfConfig) -> Result<Self, HubError> {
        Ok(Self {
            client: Client::new(config.into_client_config())?,
        })
    }

    /// `/api/models/{id}/…`, each segment percent-encoded: a revision `refs/pr/1` stays one.
    fn api_url(&self, name: &str, rest: &[&str]) -> Result<Url, HubError> {
        let id = id_segments(name)?;
        Ok(self.client.url(
            ["api", "models"]
                .into_iter()
                .chain(id)
                .chain(rest.iter().copied()),
        ))
    }

    fn file_url(&self, name: &str, revision: &str, path: &str) -> Result<Url, HubError> {
        check_file_path(name, path)?;
        let id = id_segments(name)?;
        Ok(self
            .client
            .url(id.into_iter().chain(["resolve", revision]).chain(path.split('/'))))
    }

    fn list_url(&self, filter: &ListFilter) -> Url {
        let mut url = self.client.url(["api", "models"]);
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("sort", "lastModified");
            query.append_pair("direction", "-1");
            query.append_pair("limit", PAGE_PACKAGES);
            for field in LISTED_FIELDS {
                query.append_pair("expand", field);
            }
            if let Some(author) = &filter.author {
                query.append_pair("author", author);
            }
            if let Some(search) = &filter.search {
                query.append_pair("search", search);
            }
        }
        url
    }

    /// A page's address comes from the hub or from the database; only the hub itself may be asked.
    fn own_url(&self, from: &Url, address: &str) -> Result<Url, HubError> {
        let refused = |target: String| HubError::CrossHostRedirect {
            url: shown(from),
            target,
        };
        let url = from
            .join(address)
            .map_err(|_| refused(address.chars().take(120).collect()))?;
        if self.client.is_own(&url) {
            Ok(url)
        } else {
            Err(refused(url.origin().ascii_serialization()))
        }
    }

    /// All elements of a paged answer.
    async fn all_pages(&self, first: Url, subject: Subject<'_>) -> Result<Vec<Value>, HubError> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        let mut next = Some(first);
        while let Some(url) = next {
            let repeated = !seen.insert(url.clone());
            if repeated || seen.len() > MAX_PAGES {
                return Err(HubError::CursorLoop {
                    endpoint: self.client.endpoint(),
                    cursor: shown(&url),
                });
            }
            let (answer, headers) = self.client.json(&Ask::api(url.clone(), subject)).await?;
            found.extend(elements(&shown(&url), answer)?);
            next = next_link(&headers)
                .map(|address| self.own_url(&url, address))
                .transpose()?;
        }
        Ok(found)
    }

    /// The card, if the hub lets us read it: a gated package's may be closed, which is no reason to miss the rest.
    async fn card(&self, name: &str, revision: &str) -> Result<Option<String>, HubError> {
        match self.read_whole(name, revision, "README.md", MAX_CARD_BYTES).await {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.is_of_this_run() => Err(error),
            Err(error) => {
                tracing::debug!(%error, package = name, "the card cannot be read");
                Ok(None)
            }
        }
    }
}

/// Old packages have no owner at the hub.
fn id_segments(name: &str) -> Result<Vec<&str>, HubError> {
    let (owner, short) = check_package_name(name)?;
    Ok(if owner == NO_OWNER {
        vec![short]
    } else {
        vec![owner, short]
    })
}

#[async_trait]
impl Hub for HfHub {
    fn id(&self) -> &'static str {
        "hf"
    }

    fn endpoint(&self) -> String {
        self.client.endpoint()
    }

    fn lists_newest_first(&self) -> bool {
        true
    }

    async fn list(&self, filter: &ListFilter, cursor: Option<&str>) -> Result<Page, HubError> {
        let first = self.list_url(filter);
        let url = match cursor {
            Some(cursor) => self.own_url(&first, cursor)?,
            None => first,
        };
        let known = filter.validator.as_deref().filter(|_| cursor.is_none());
        let ask = Ask::api(url.clone(), Subject::Hub);
        let Some((answer, headers)) = self.client.json_unless_known(&ask, known).await? else {
            return Ok(Page {
                validator: filter.validator.clone(),
                unchanged: true,
                ..Page::default()
            });
        };
        let shown_url = shown(&url);
        let mut page = Page {
            validator: etag(&headers),
            ..Page::default()
        };
        for element in elements(&shown_url, answer)? {
            match wire::package(&shown_url, &self.endpoint(), element) {
                Ok(package) => page.add(package),
                Err(error) => page.skipped.push(error.to_string()),
            }
        }
        if let Some(address) = next_link(&headers) {
            let next = self.own_url(&url, address)?;
            if next == url {
                return Err(HubError::CursorLoop {
                    endpoint: self.endpoint(),
                    cursor: address.to_owned(),
                });
            }
            page.next = Some(next.into());
        }
        Ok(page)
    }

    async fn package(&self, name: &str) -> Result<Package, HubError> {
        let url = self.api_url(name, &[])?;
        let (info, _) = self
            .client
            .json(&Ask::api(url.clone(), Subject::Package(name)))
            .await?;
        let has_card = wire::has_file(&info, "README.md");
        let mut package = wire::package(&shown(&url), &self.endpoint(), info)?;
        if let Some(revision) = package.revision.clone().filter(|_| has_card) {
            package.card = self.card(name, &revision).await?;
        }
        Ok(package)
    }

    async fn revisions(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        let subject = Subject::Package(name);
        let (refs, _) = self
            .client
            .json(&Ask::api(self.api_url(name, &["refs"])?, subject))
            .await?;
        let tags = wire::tags_by_commit(&refs);
        let url = self.api_url(name, &["commits", "main"])?;
        let shown_url = shown(&url);
        let commits = self.all_pages(url, subject).await?;
        commits
            .iter()
            .enumerate()
            .map(|(position, commit)| wire::revision(&shown_url, position, commit, &tags))
            .collect()
    }

    async fn files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        let mut url = self.api_url(name, &["tree", revision])?;
        url.set_query(Some("recursive=true"));
        let shown_url = shown(&url);
        let entries = self.all_pages(url, Subject::Revision(name, revision)).await?;
        entries
            .iter()
            .enumerate()
            .filter_map(|(position, entry)| wire::file_entry(&shown_url, position, name, entry).transpose())
            .collect()
    }

    async fn locate<'a>(
        &'a self,
        name: &'a str,
        revision: &'a str,
        path: &'a str,
    ) -> Result<Content<'a>, HubError> {
        let url = self.file_url(name, revision, path)?;
        let ask = Ask::file(url, Subject::File(name, revision, path));
        Ok(Content::on_web(&self.client, ask))
    }
}
