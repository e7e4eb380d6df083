//! How a step says where it is; the command line draws it, a worker logs it.

/// Told of a crawl's advance, from several tasks at once.
pub trait Progress: Send + Sync {
    /// `count` more packages are known to be waiting.
    fn listed(&self, count: u64);
    /// One package is stored, or has failed.
    fn package_done(&self, name: &str);
    /// `bytes` more of weights were read.
    fn read(&self, bytes: u64);
    /// The packages are done; lineage is being inferred.
    fn inferring(&self);
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {
    fn listed(&self, _count: u64) {}
    fn package_done(&self, _name: &str) {}
    fn read(&self, _bytes: u64) {}
    fn inferring(&self) {}
}
