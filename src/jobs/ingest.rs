//! One package of a hub, with the history that is not stored yet, into the store.

use crate::source::is_observed_text;
use crate::store::Store;
use crate::store::packages::{KnownPackage, PackageFacts, RevisionFacts};
use crate::weights::select_weight_files;
use heirloom_crawler::{FileEntry, Hub, HubError, Package, Revision};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What came of one package.
pub struct Ingested {
    pub id: i64,
    pub new_revisions: u64,
}

/// Stores the package's newest facts and the revisions not stored before. A package whose head is the stored one
/// costs one request.
pub async fn ingest(store: &Store, hub: &dyn Hub, full_name: &str) -> anyhow::Result<Ingested> {
    let package = hub.package(full_name).await?;
    let known = store
        .known_package(&package.hub, &package.owner, &package.name)
        .await?;
    if let Some(known) = &known
        && known.head.is_some()
        && known.head == package.revision
    {
        let id = store.save_unchanged(&package).await?;
        return Ok(Ingested { id, new_revisions: 0 });
    }
    let facts = read_facts(store, hub, full_name, package, known.as_ref()).await?;
    let id = store.save_package(&facts).await?;
    Ok(Ingested {
        id,
        new_revisions: facts.new_revisions.len() as u64,
    })
}

async fn read_facts(
    store: &Store,
    hub: &dyn Hub,
    full_name: &str,
    package: Package,
    known: Option<&KnownPackage>,
) -> anyhow::Result<PackageFacts> {
    let mut history = hub.revisions(full_name).await?;
    history.reverse();
    let mut texts = TextReader {
        hub,
        package: full_name,
        seen: BTreeMap::new(),
    };
    if let Some(known) = known {
        texts.seen = store.known_texts(known.id).await?;
    }
    let is_new = |revision: &&Revision| known.is_none_or(|known| !known.revisions.contains(&revision.id));
    let mut new_revisions = Vec::new();
    for revision in history.iter().filter(is_new) {
        let files = hub.files(full_name, &revision.id).await?;
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let weight_files = select_weight_files(&paths);
        new_revisions.push(RevisionFacts {
            revision: revision.clone(),
            texts: texts.read(&revision.id, &files).await,
            weights_key: weights_key(&files, &weight_files),
            weight_files,
            files,
        });
    }
    Ok(PackageFacts {
        package,
        history,
        new_revisions,
    })
}

/// Reads small texts, each content once over the whole history.
struct TextReader<'a> {
    hub: &'a dyn Hub,
    package: &'a str,
    /// By content id.
    seen: BTreeMap<String, String>,
}

impl TextReader<'_> {
    async fn read(&mut self, revision: &str, files: &[FileEntry]) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for file in files
            .iter()
            .filter(|file| is_observed_text(&file.path, file.size))
        {
            match self.read_one(revision, file).await {
                Ok(text) => _ = texts.insert(file.path.clone(), text),
                // The weights and the history still say much; the file list shows that the text is there.
                Err(error) => {
                    tracing::warn!(package = self.package, path = file.path, "text left out: {error}");
                }
            }
        }
        texts
    }

    async fn read_one(&mut self, revision: &str, file: &FileEntry) -> Result<String, HubError> {
        let id = content_id(file);
        if let Some(text) = id.and_then(|id| self.seen.get(id)) {
            return Ok(text.clone());
        }
        let text = self.hub.text(self.package, revision, &file.path).await?;
        if let Some(id) = id {
            self.seen.insert(id.to_owned(), text.clone());
        }
        Ok(text)
    }
}

fn content_id(file: &FileEntry) -> Option<&str> {
    file.sha256.as_deref().or(file.blob_id.as_deref())
}

/// Hex SHA-256 over the content ids of the weight files: equal keys are equal weights. `None` when the hub gives no content id
/// for one of them, or there are none.
fn weights_key(files: &[FileEntry], weight_files: &[String]) -> Option<String> {
    let mut digest = Sha256::new();
    for path in weight_files {
        let file = files.iter().find(|file| &file.path == path)?;
        digest.update(content_id(file)?);
        digest.update([0]);
    }
    (!weight_files.is_empty()).then(|| hex::encode(digest.finalize()))
}
