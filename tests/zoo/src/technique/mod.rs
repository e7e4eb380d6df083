//! The operations that turn parents into a child, one file a relation. Each takes models and returns a model.

pub mod duplicate;
pub mod finetune;
pub mod fresh;
pub mod merge;
pub mod prune;
pub mod quantize;
