//! What a hub, or the way to it, did wrong.
//!
//! Each variant's text is one sentence a user can act on; [`HubError::is_retryable`] says whether asking again can help.
//! Tokens never enter an error: addresses are kept without credentials and query.

use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum HubError {
    // The way to the hub.
    #[error("no hub is called {hub:?}; the known hubs are {known}")]
    UnknownHub { hub: String, known: &'static str },
    #[error("{endpoint:?} is not an address of a hub: {reason}")]
    BadEndpoint { endpoint: String, reason: String },
    #[error("cannot reach {endpoint}: {reason}; check the address, the network and any proxy")]
    Unreachable { endpoint: String, reason: String },
    #[error("{url} gave no answer within {waited:?}")]
    TimedOut { url: String, waited: Duration },
    #[error("the connection to {url} broke: {reason}")]
    Disconnected { url: String, reason: String },
    #[error("{endpoint} does not answer like a model hub: {reason}; check the endpoint")]
    NotAHub { endpoint: String, reason: String },
    #[error("{endpoint} does not list what it has; name a model with both --author and --search")]
    NoListing { endpoint: String },

    // Its refusals.
    #[error("{what} is not on {endpoint}, or it is private and needs a token")]
    NotFound { endpoint: String, what: String },
    #[error("revision {revision:?} of {package} does not exist")]
    RevisionNotFound { package: String, revision: String },
    #[error("{package} has no file {path:?} at revision {revision}")]
    FileNotFound {
        package: String,
        revision: String,
        path: String,
    },
    #[error(
        "{path:?} of {package} is a git-LFS pointer whose content is not here; run `git lfs fetch --all` in the checkout"
    )]
    NotFetched { package: String, path: String },
    #[error("{package} is gated: accept its terms on the hub and set HF_TOKEN to a token of that account")]
    Gated { package: String },
    #[error("{package} was disabled by the hub")]
    Disabled { package: String },
    #[error(
        "{endpoint} refused the request as not authorised; set HF_TOKEN, or the hub's own variable (docs/hubs.md), to a token that may read {what}"
    )]
    Unauthorised { endpoint: String, what: String },
    #[error("{endpoint} limits the request rate; try again in {} s", wait.as_secs())]
    RateLimited { endpoint: String, wait: Duration },
    #[error("{url} answered {status}: {reason}")]
    Status {
        url: String,
        status: u16,
        reason: String,
    },

    // Its answers.
    #[error("the answer of {url} ended after {got} of {expected} bytes")]
    Truncated { url: String, expected: u64, got: u64 },
    #[error(
        "{file} has digest {actual}, but the hub promised {expected}; the file is damaged or was exchanged"
    )]
    WrongDigest {
        file: String,
        expected: String,
        actual: String,
    },
    #[error("{file} is {actual} bytes long, but the hub promised {expected}")]
    WrongSize {
        file: String,
        expected: u64,
        actual: u64,
    },
    #[error("the answer of {url} is malformed at {field}: {reason}")]
    Malformed {
        url: String,
        field: String,
        reason: String,
    },
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    #[error("{file} ends at byte {size}, so bytes {start} to {end} cannot be read")]
    OutOfRange {
        file: String,
        start: u64,
        end: u64,
        size: u64,
    },
    #[error("{url} ignores byte ranges, so bytes from {start} on cannot be read without the whole file")]
    RangeIgnored { url: String, start: u64 },
    #[error("the listing of {endpoint} repeats cursor {cursor:?}; stopped to avoid an endless loop")]
    CursorLoop { endpoint: String, cursor: String },
    #[error("{name:?} is not a safe package name; expected owner/name")]
    UnsafeName { name: String },
    #[error("{package} names the file {path:?}, which could lead outside its folder; refused")]
    UnsafePath { package: String, path: String },
    #[error("{url} redirects to another host ({target}) where only the hub may answer; refused")]
    CrossHostRedirect { url: String, target: String },
    #[error("{url} redirects to {target}, which is not a public web address; refused")]
    UnsafeRedirect { url: String, target: String },
    #[error("{url} redirects more than {limit} times; refused")]
    RedirectLoop { url: String, limit: usize },

    // This machine.
    #[error("the byte budget of {limit} bytes for this crawl is spent")]
    BudgetSpent { limit: u64 },
    #[error("no space left on the disk of {}; free {needed} bytes or choose another folder", path.display())]
    DiskFull { path: PathBuf, needed: u64 },
    #[error("cannot read or write {}: {source}", path.display())]
    Disk {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} holds no packages: {expected}", path.display())]
    NoPackages { path: PathBuf, expected: &'static str },
    #[error("cannot set up the HTTP client: {reason}")]
    Client { reason: String },
}

impl HubError {
    /// Whether the same request may succeed later: the network, a rate limit, an overloaded or hasty server.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Disconnected { .. }
            | Self::RateLimited { .. }
            | Self::Truncated { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Whether another run may get what this one did not: nothing is said about the package then.
    #[must_use]
    pub fn is_of_this_run(&self) -> bool {
        self.is_retryable() || matches!(self, Self::BudgetSpent { .. } | Self::DiskFull { .. })
    }

    /// A file-system error at `path`; a full disk is told apart because its remedy differs.
    #[must_use]
    pub fn disk(path: impl Into<PathBuf>, source: std::io::Error, needed: u64) -> Self {
        let path = path.into();
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, needed }
            }
            _ => Self::Disk { path, source },
        }
    }
}
