//! A whole file to disk: streamed into a temporary file beside the target, gone on with after a broken connection, checked, then
//! renamed. Nothing is left at the target unless the file is whole.

use super::answer::parse_content_range;
use super::{Answer, Ask, Client, retry};
use crate::{FileEntry, HubError, disk};
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderValue, IF_RANGE, RANGE};
use reqwest::{Method, StatusCode};
use sha2::{Digest as _, Sha256};
use std::io::{Seek, Write};
use std::path::Path;
use tempfile::NamedTempFile;
use tokio::sync::Mutex;

/// What has arrived so far.
struct Partial {
    file: NamedTempFile,
    hash: Sha256,
    size: u64,
    /// Strong validator of the version the bytes are from.
    etag: Option<HeaderValue>,
}

impl Client {
    /// Downloads the file `ask` names to `target`; returns its size.
    pub async fn download(&self, ask: &Ask<'_>, file: &FileEntry, target: &Path) -> Result<u64, HubError> {
        if let Some(size) = file.size {
            self.budget.reserve(size)?;
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let temporary = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .map_err(|error| HubError::disk(target, error, file.size.unwrap_or(0)))?;
        let partial = Mutex::new(Partial {
            file: temporary,
            hash: Sha256::new(),
            size: 0,
            etag: None,
        });
        retry::retrying(&self.retry, || async {
            let mut partial = partial.lock().await;
            self.continue_download(ask, file, target, &mut partial).await
        })
        .await?;
        let Partial {
            file: temporary,
            hash,
            size,
            ..
        } = partial.into_inner();
        disk::check_content(file, size, &hex::encode(hash.finalize()))?;
        temporary
            .persist(target)
            .map_err(|error| HubError::disk(target, error.error, size))?;
        Ok(size)
    }

    async fn continue_download(
        &self,
        ask: &Ask<'_>,
        file: &FileEntry,
        target: &Path,
        partial: &mut Partial,
    ) -> Result<(), HubError> {
        if partial.size > 0 && file.size == Some(partial.size) {
            return Ok(());
        }
        let mut ask = ask.clone();
        if partial.size > 0 {
            ask = ask.header(RANGE, &format!("bytes={}-", partial.size));
            if let Some(etag) = &partial.etag {
                ask.headers.insert(IF_RANGE, etag.clone());
            }
        }
        let mut answer = self.send(Method::GET, &ask).await?;
        let fail = |error| HubError::disk(target, error, file.size.unwrap_or(0));
        if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // The file is another one by now; the next attempt starts over.
            let got = partial.size;
            partial.restart().map_err(fail)?;
            return Err(HubError::Truncated {
                url: answer.shown(),
                expected: file.size.unwrap_or(got),
                got,
            });
        }
        if !continues(&answer, partial.size) {
            partial.restart().map_err(fail)?;
        }
        partial.etag = strong_etag(&answer);
        let announced = expected_size(file, &answer, partial.size);
        loop {
            let Some(chunk) = answer.chunk_expecting(announced, partial.size).await? else {
                break;
            };
            if file.size.is_none() {
                self.budget.reserve(chunk.len() as u64)?;
            }
            if let Some(expected) = file.size.filter(|size| partial.size + chunk.len() as u64 > *size) {
                return Err(HubError::WrongSize {
                    file: file.path.clone(),
                    expected,
                    actual: partial.size + chunk.len() as u64,
                });
            }
            partial.hash.update(&chunk);
            partial.file.write_all(&chunk).map_err(fail)?;
            partial.size += chunk.len() as u64;
        }
        match announced {
            Some(expected) if partial.size < expected => Err(HubError::Truncated {
                url: answer.shown(),
                expected,
                got: partial.size,
            }),
            _ => Ok(()),
        }
    }
}

impl Partial {
    fn restart(&mut self) -> std::io::Result<()> {
        self.file.as_file().set_len(0)?;
        self.file.as_file_mut().rewind()?;
        self.hash = Sha256::new();
        self.size = 0;
        Ok(())
    }
}

/// Whether the answer goes on at byte `at`, rather than starting over.
fn continues(answer: &Answer, at: u64) -> bool {
    answer.status() == StatusCode::PARTIAL_CONTENT
        && answer
            .header(CONTENT_RANGE)
            .and_then(|value| parse_content_range(value.to_str().ok()?))
            .is_some_and(|range| range.start == at)
}

fn expected_size(file: &FileEntry, answer: &Answer, at: u64) -> Option<u64> {
    file.size
        .or_else(|| answer.content_length().map(|rest| at + rest))
}

fn strong_etag(answer: &Answer) -> Option<HeaderValue> {
    answer
        .header(ETAG)
        .filter(|etag| etag.as_bytes().starts_with(b"\""))
        .cloned()
}
