//! `git log` and software-composition analysis for model weights. See ARCHITECTURE.md for the map.

pub mod api;
pub mod bulk;
pub mod commands;
pub mod delta;
pub mod eval;
pub mod fingerprint;
pub mod hubserver;
pub mod jobs;
pub mod lineage;
pub mod metrics;
pub mod postgres;
pub mod sentence;
pub mod settings;
pub mod source;
pub mod store;
pub mod versioning;
pub mod weights;
