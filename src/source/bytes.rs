//! [`ReadAt`] over files and hubs.

use crate::weights::ReadAt;
use anyhow::Context;
use heirloom_crawler::Hub;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;

/// A local file, read by position. Not mapped: a file that shrinks under a map kills the process, here it is an error.
pub struct FileBytes {
    file: File,
    len: u64,
}

impl FileBytes {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let len = file
            .metadata()
            .with_context(|| format!("cannot read {}", path.display()))?
            .len();
        Ok(Self { file, len })
    }
}

impl ReadAt for FileBytes {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

/// A file of a hub, read by Range. Reads block, so call it from outside the async runtime's own threads.
pub struct HubBytes {
    hub: Arc<dyn Hub>,
    name: String,
    revision: String,
    path: String,
    len: u64,
    runtime: Handle,
}

impl HubBytes {
    /// Must be called inside the runtime that will do the reads.
    pub fn new(hub: Arc<dyn Hub>, name: &str, revision: &str, path: &str, len: u64) -> Self {
        let runtime = Handle::current();
        Self {
            hub,
            name: name.into(),
            revision: revision.into(),
            path: path.into(),
            len,
            runtime,
        }
    }
}

impl ReadAt for HubBytes {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset + buffer.len() as u64;
        if end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let read = self.hub.read(&self.name, &self.revision, &self.path, offset..end);
        let bytes = self.runtime.block_on(read).map_err(io::Error::other)?;
        if bytes.len() != buffer.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.copy_from_slice(&bytes);
        Ok(())
    }
}
