//! Where the documents of a hub and the files they name are: a folder, or a web server.

use crate::http::{Ask, Client, ClientConfig, Subject};
use crate::{FileEntry, HubError, disk};
use bytes::Bytes;
use std::ops::Range;
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
    pub fn open(endpoint: &str, files_endpoint: impl Fn(&str) -> Option<String>) -> Result<Self, HubError> {
        if endpoint.starts_with("http://") || endpoint.starts_with("https://") {
            let documents = Client::new(ClientConfig::usual(endpoint))?;
            let files = match files_endpoint(endpoint) {
                Some(other) => Client::new(ClientConfig::usual(&other))?,
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

    /// All documents of a folder sorted by name, or the one a web server has.
    pub async fn documents(
        &self,
        suffix: &'static str,
        web_document: &str,
    ) -> Result<Vec<Document>, HubError> {
        match self {
            Self::Folder(root) => {
                let root = root.clone();
                disk::blocking(move || folder_documents(&root, suffix)).await
            }
            Self::Web { documents, .. } => {
                let url = documents.url(web_document.split('/'));
                let ask = Ask::api(url, Subject::Hub);
                let bytes = documents.whole(&ask, MAX_DOCUMENT_BYTES).await?;
                Ok(vec![Document {
                    name: web_document.to_owned(),
                    bytes,
                }])
            }
        }
    }

    pub async fn read(
        &self,
        package: &str,
        revision: &str,
        path: &str,
        range: Range<u64>,
    ) -> Result<Bytes, HubError> {
        match self {
            Self::Folder(root) => {
                let location = locate(root, package, revision, path)?;
                disk::blocking(move || disk::read_range(&location, range)).await
            }
            Self::Web { files, .. } => {
                let ask = Ask::file(file_url(files, path), Subject::File(package, revision, path));
                files.range(&ask, range).await
            }
        }
    }

    pub async fn read_whole(
        &self,
        package: &str,
        revision: &str,
        path: &str,
        limit: u64,
    ) -> Result<Bytes, HubError> {
        match self {
            Self::Folder(root) => {
                let location = locate(root, package, revision, path)?;
                disk::blocking(move || disk::read_whole(&location, limit)).await
            }
            Self::Web { files, .. } => {
                let ask = Ask::file(file_url(files, path), Subject::File(package, revision, path));
                files.whole(&ask, limit).await
            }
        }
    }

    pub async fn download(
        &self,
        package: &str,
        revision: &str,
        file: &FileEntry,
        target: &Path,
    ) -> Result<u64, HubError> {
        match self {
            Self::Folder(root) => {
                let location = locate(root, package, revision, &file.path)?;
                let (file, target) = (file.clone(), target.to_owned());
                disk::blocking(move || disk::copy_checked(&location, &file, &target)).await
            }
            Self::Web { files, .. } => {
                let url = file_url(files, &file.path);
                let ask = Ask::file(url, Subject::File(package, revision, &file.path));
                files.download(&ask, file, target).await
            }
        }
    }
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
