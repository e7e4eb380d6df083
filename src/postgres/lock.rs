//! The two locks of a cluster: one for starting and stopping it, one held by everyone who uses it.

use super::PostgresError;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::path::Path;

/// Held while the cluster is being started or stopped: one process at a time.
#[derive(Debug)]
pub struct StartLock {
    _file: File,
}

/// Held as long as this process uses the cluster.
#[derive(Debug)]
pub struct UserLock {
    file: File,
}

impl StartLock {
    /// Waits for whoever starts or stops the cluster now.
    pub fn take(folder: &Path) -> Result<Self, PostgresError> {
        let path = folder.join("start.lock");
        let file = open(&path)?;
        lock(&file, FlockOperation::LockExclusive, &path)?;
        Ok(Self { _file: file })
    }
}

impl UserLock {
    pub fn take(folder: &Path, _held: &StartLock) -> Result<Self, PostgresError> {
        let path = folder.join("users.lock");
        let file = open(&path)?;
        lock(&file, FlockOperation::LockShared, &path)?;
        Ok(Self { file })
    }

    /// Gives the lock back. True when nobody else holds one: the caller is the last user.
    pub fn release(self, _held: &StartLock) -> bool {
        flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok()
    }
}

fn open(path: &Path) -> Result<File, PostgresError> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(PostgresError::io("cannot open the lock", path))
}

fn lock(file: &File, operation: FlockOperation, path: &Path) -> Result<(), PostgresError> {
    loop {
        match flock(file, operation) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(PostgresError::io("cannot take the lock", path)(error.into())),
        }
    }
}
