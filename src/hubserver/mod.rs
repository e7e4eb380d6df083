//! `heirloom hub`: a folder of packages, served over the Hugging Face protocol to clients that know no other.
//!
//! Enters: a folder in the layout of [`heirloom_crawler::dir`]. Leaves: HTTP answers, weight files by redirect to a second port
//! that stands for the storage host. Read only; keeps no state but digests of files.

mod access;
mod catalogue;
mod faults;
mod files;
mod history;
mod info;
mod page;
mod refuse;
mod resolve;
mod server;
mod state;
mod storage;

pub use access::Access;
pub use faults::{BadFault, Fault, FaultKind, FaultPlan};
pub use server::{Options, Running, serve};
