//! Where the documents of a hub and the files they name are: a folder, or a web server.

use crate::http::{Ask, Client, ClientConfig, Subject, etag};
use crate::{Content, HubError, disk};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use url::Url;

const MAX_DOCUMENT_BYTES: u64 = 64 << 20;
const MAX_DOCUMENTS: usize = 10_000;

/// One document, by its file name.
#[derive(Debug, Clone)]
pub struct Document {
    pub name: String,
    pub bytes: Bytes,
}

/// What was read, and the `ETag` it came with.
#[derive(Debug)]
pub struct Documents {
    pub documents: Vec<Document>,
    pub validator: Option<String>,
}

#[derive(Debug)]
pub enum Place {
    Folder(PathBuf),
    /// The documents' server, and that of the files where it is another.
    Web {
        documents: Box<Client>,
        files: Box<Client>,
    },
}

impl Place {
    /// A folder, or an endpoint that starts with `http`. `files_endpoint` says where the files of a well-known endpoint lie.
    pub fn open(
        endpoint: &str,
        byte_budget: Option<u64>,
        files_endpoint: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, HubError> {
        if endpoint.starts_with("http://") || endpoint.starts_with("https://") {
            let config = |endpoint: &str| ClientConfig {
                byte_budget,
                ..ClientConfig::usual(endpoint)
            };
            let documents = Client::new(config(endpoint))?;
            let files = match files_endpoint(endpoint) {
                Some(other) => Client::new(config(&other))?,
                None => documents.clone(),
            };
            return Ok(Self::Web {
                documents: Box::new(documents),
                files: Box::new(files),
            });
        }
        let path = Path::new(endpoint);
        let root = path
            .canonicalize()
            .map_err(|error| HubError::disk(path, error, 0))?;
        Ok(Self::Folder(root))
    }

    pub fn shown(&self) -> String {
        match self {
            Self::Folder(root) => root.display().to_string(),
            Self::Web { documents, .. } => documents.endpoint(),
        }
    }

    /// All documents of a folder sorted by name, or the one a web server has; the latter with its validator.
    pub async fn documents(&self, suffix: &'static str, web_document: &str) -> Result<Documents, HubError> {
        match self {
            Self::Folder(root) => {
                let root = root.clone();
                let documents = disk::blocking(move || folder_documents(&root, suffix)).await?;
                Ok(Documents {
                    documents,
                    validator: None,
                })
            }
            Self::Web { documents, .. } => {
                let ask = document_ask(documents, web_document);
                let (bytes, headers) = documents.whole_with_headers(&ask, MAX_DOCUMENT_BYTES).await?;
                Ok(Documents {
                    documents: vec![Document {
                        name: web_document.to_owned(),
                        bytes,
                    }],
                    validator: etag(&headers),
                })
            }
        }
    }

    /// Whether the web server's document is still the one `validator` is of; a folder's are always read.
    pub async fn is_unchanged(&self, web_document: &str, validator: &str) -> Result<bool, HubError> {
        match self {
            Self::Folder(_) => Ok(false),
            Self::Web { documents, .. } => {
                let ask = document_ask(documents, web_document);
                documents.is_known(&ask, validator).await
            }
        }
    }

    /// Where the file `path` of a package is.
    pub fn content<'a>(
        &'a self,
        package: &'a str,
        revision: &'a str,
        path: &'a str,
    ) -> Result<Content<'a>, HubError> {
        match self {
            Self::Folder(root) => Ok(Content::on_disk(locate(root, package, revision, path)?)),
            Self::Web { files, .. } => {
                let ask = Ask::file(file_url(files, path), Subject::File(package, revision, path));
                Ok(Content::on_web(files, ask))
            }
        }
    }
}

fn document_ask<'a>(documents: &Client, web_document: &str) -> Ask<'a> {
    Ask::api(documents.url(web_document.split('/')), Subject::Hub)
}

fn file_url(files: &Client, path: &str) -> Url {
    files.url(path.split('/'))
}

fn locate(root: &Path, package: &str, revision: &str, path: &str) -> Result<PathBuf, HubError> {
    disk::locate(root, root, package, path)?.ok_or_else(|| HubError::FileNotFound {
        package: package.to_owned(),
        revision: revision.to_owned(),
        path: path.to_owned(),
    })
}

fn folder_documents(root: &Path, suffix: &str) -> Result<Vec<Document>, HubError> {
    let mut documents = Vec::new();
    for (name, path) in disk::children(root)? {
        if !name.ends_with(suffix) || !path.is_file() {
            continue;
        }
        if documents.len() == MAX_DOCUMENTS {
            return Err(HubError::TooLarge {
                what: format!("the number of documents in {}", root.display()),
                limit: MAX_DOCUMENTS as u64,
            });
        }
        let path = disk::contained(root, &path)?;
        let bytes = disk::read_whole(&path, MAX_DOCUMENT_BYTES)?;
        documents.push(Document { name, bytes });
    }
    if documents.is_empty() {
        return Err(HubError::NoPackages {
            path: root.to_owned(),
            expected: "expected the hub's documents in it (docs/hubs.md lists them per hub)",
        });
    }
    Ok(documents)
}
