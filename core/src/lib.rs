//! What Heirloom knows about weights, as pure computation: bytes and stored values in, values out. No files, no network, no database, no
//! clock. [`weights`] → [`fingerprint`], [`delta`] → [`lineage`] → [`versioning`]; [`eval`] scores the last two against a ground truth.

pub mod delta;
pub mod eval;
pub mod fingerprint;
pub mod lineage;
pub mod versioning;
pub mod weights;
