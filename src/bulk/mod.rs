//! The whole database as files: Parquet for DuckDB, pandas and Spark, and PTMTorrent's JSON for tools of that study.
//!
//! Enters: a store. Leaves: a folder with one Parquet file a table and a manifest; or the reverse, into an empty store. Tables are
//! streamed: memory holds a few batches, whatever the size. Decides nothing about what the rows mean.

mod arrow;
mod export;
mod import;
mod manifest;
mod ptmtorrent;

pub use export::export;
pub use import::import;
pub use manifest::{ExportedTable, Manifest};
pub use ptmtorrent::export_ptmtorrent;
