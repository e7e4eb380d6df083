//! The pipeline: from a hub's listing to conclusions in the store.
//!
//! Enters: a hub and what to take from it. Leaves: stored packages, fingerprints, versions, lineage, and a [`CrawlReport`].
//! Each step reads what it needs from the hub or the store, hands values to a pure module, and stores what comes back. A step can be
//! cut off anywhere and run again: the store says what is still due.

mod compare;
mod conclude;
mod crawl;
mod delivery;
mod fingerprint;
mod in_flight;
mod ingest;
mod progress;
mod queue;
mod release_lines;
mod schedule;
mod trouble;

pub use compare::run_diff;
pub use conclude::{conclude_lineage, conclude_versions};
pub use crawl::{CrawlOptions, CrawlReport, crawl, list_page};
pub use delivery::WebhookPolicy;
pub use progress::{Progress, Silent};
pub use queue::{CrawlJob, OpenHub, WorkerOptions, Workers, cancel_job, queue_crawl, retry_job};
pub use schedule::next_run;
pub(crate) use trouble::{may_pass, stops_everything};
