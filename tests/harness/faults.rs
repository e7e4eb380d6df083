//! A hub that fails as it is told to: for what a network, a full disk or a poisoned package does to a crawl.

use async_trait::async_trait;
use heirloom_crawler::{Content, FileEntry, Hub, HubError, ListFilter, Package, Page, Revision};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What a faulty hub does with one package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Answers 500, as a hub does over one broken repository.
    ServerError,
    /// Ends the thread that asked.
    Panic,
    /// Finds the disk full while it writes.
    DiskFull,
}

/// A hub whose faults can be switched while it is in use.
pub struct FaultyHub {
    hub: Arc<dyn Hub>,
    /// The package that fails, and how.
    fault: Option<(&'static str, Fault)>,
    /// So many further requests are answered as by a host that is not there.
    away: AtomicU32,
    /// So many further requests for the package fail.
    failures: AtomicU32,
}

impl FaultyHub {
    pub fn new(hub: Arc<dyn Hub>, fault: Option<(&'static str, Fault)>) -> Self {
        Self {
            hub,
            fault,
            away: AtomicU32::new(0),
            failures: AtomicU32::new(u32::MAX),
        }
    }

    /// Is away for the next `requests`.
    pub fn go_away(&self, requests: u32) {
        self.away.store(requests, Ordering::SeqCst);
    }

    /// Ends its faults.
    pub fn mend(&self) {
        self.away.store(0, Ordering::SeqCst);
        self.failures.store(0, Ordering::SeqCst);
    }

    fn answer(&self, package: Option<&str>) -> Result<(), HubError> {
        let take_one = |left: u32| left.checked_sub(1);
        if self
            .away
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one)
            .is_ok()
        {
            return Err(HubError::Unreachable {
                endpoint: self.hub.endpoint(),
                reason: "connection refused".to_owned(),
            });
        }
        let Some((name, fault)) = self.fault.filter(|(name, _)| Some(*name) == package) else {
            return Ok(());
        };
        if self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one)
            .is_err()
        {
            return Ok(());
        }
        match fault {
            Fault::ServerError => Err(HubError::Status {
                url: format!("{}/{name}", self.hub.endpoint()),
                status: 500,
                reason: "internal server error".to_owned(),
            }),
            Fault::Panic => panic!("a fault of the test"),
            Fault::DiskFull => Err(HubError::disk(
                "downloads/model.safetensors",
                std::io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error()),
                1,
            )),
        }
    }
}

#[async_trait]
impl Hub for FaultyHub {
    fn id(&self) -> &'static str {
        self.hub.id()
    }
    fn endpoint(&self) -> String {
        self.hub.endpoint()
    }
    fn is_local(&self) -> bool {
        self.hub.is_local()
    }
    async fn list(&self, filter: &ListFilter, cursor: Option<&str>) -> Result<Page, HubError> {
        self.answer(None)?;
        self.hub.list(filter, cursor).await
    }
    async fn package(&self, name: &str) -> Result<Package, HubError> {
        self.answer(Some(name))?;
        self.hub.package(name).await
    }
    async fn revisions(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        self.answer(None)?;
        self.hub.revisions(name).await
    }
    async fn files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        self.answer(None)?;
        self.hub.files(name, revision).await
    }
    async fn locate<'a>(
        &'a self,
        name: &'a str,
        revision: &'a str,
        path: &'a str,
    ) -> Result<Content<'a>, HubError> {
        self.hub.locate(name, revision, path).await
    }
}
