//! One package of a hub, with the history that is not stored yet, into the store.

use crate::source::read_texts;
use crate::store::Store;
use crate::store::packages::{KnownPackage, PackageFacts, RevisionFacts};
use crate::weights::select_weight_files;
use heirloom_crawler::{FileEntry, Hub, Package, Revision};
use sha2::{Digest, Sha256};

/// What came of one package.
pub struct Ingested {
    pub id: i64,
    /// As the hub calls it, which is not what was asked for where it was renamed.
    pub full_name: String,
    pub new_revisions: u64,
}

/// Stores the package's newest facts and the revisions not stored before. A package whose head is the stored one
/// costs one request.
pub async fn ingest(store: &Store, hub: &dyn Hub, full_name: &str) -> anyhow::Result<Ingested> {
    let package = hub.package(full_name).await?;
    let full_name = format!("{}/{}", package.owner, package.name);
    let known = store
        .known_package(&package.hub, &package.owner, &package.name)
        .await?;
    if let Some(known) = &known
        && known.head.is_some()
        && known.head == package.revision
    {
        let id = store.save_unchanged(&package).await?;
        return Ok(Ingested {
            id,
            full_name,
            new_revisions: 0,
        });
    }
    let facts = read_facts(store, hub, &full_name, package, known.as_ref()).await?;
    let id = store.save_package(&facts).await?;
    Ok(Ingested {
        id,
        full_name,
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
    let mut seen = match known {
        Some(known) => store.known_texts(known.id).await?,
        None => Default::default(),
    };
    let is_new = |revision: &&Revision| known.is_none_or(|known| !known.revisions.contains(&revision.id));
    let mut new_revisions = Vec::new();
    for revision in history.iter().filter(is_new) {
        let files = hub.files(full_name, &revision.id).await?;
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let weight_files = select_weight_files(&paths);
        new_revisions.push(RevisionFacts {
            revision: revision.clone(),
            texts: read_texts(hub, full_name, &revision.id, &files, &mut seen).await?,
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

/// Hex SHA-256 over the content ids of the weight files: equal keys are equal weights. `None` when the hub gives no content id
/// for one of them, or there are none.
fn weights_key(files: &[FileEntry], weight_files: &[String]) -> Option<String> {
    let mut digest = Sha256::new();
    for path in weight_files {
        let file = files.iter().find(|file| &file.path == path)?;
        digest.update(file.content_id()?);
        digest.update([0]);
    }
    (!weight_files.is_empty()).then(|| hex::encode(digest.finalize()))
}
