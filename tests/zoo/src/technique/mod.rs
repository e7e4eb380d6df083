//! The operations that turn parents into a child, as published. Each takes models and returns a model.

pub mod adapter;
pub mod blocks;
pub mod duplicate;
pub mod finetune;
pub mod fresh;
pub mod merge;
pub mod packed;
pub mod prune;
pub mod quantize;
pub mod symmetry;
pub mod tuning;
