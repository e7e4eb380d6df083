//! What every handler of the hub needs.

use super::access::Access;
use super::catalogue::Catalogue;

/// One served folder.
#[derive(Debug)]
pub struct Hub {
    pub catalogue: Catalogue,
    pub access: Access,
    pub page_size: usize,
    pub storage_port: u16,
    /// Part of each storage address, so that files are reached by way of the hub only, as signed addresses are.
    pub storage_key: String,
}
