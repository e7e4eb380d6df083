//! `git log` and software-composition analysis for model weights. See ARCHITECTURE.md for the map.

pub mod api;
pub mod bulk;
pub mod commands;
pub mod hubserver;
pub mod jobs;
pub mod metrics;
pub mod postgres;
pub mod sentence;
pub mod settings;
pub mod source;
pub mod store;

// The pure half has a crate of its own, so that the compiler keeps it pure.
pub use heirloom_core::{delta, eval, fingerprint, lineage, versioning, weights};
