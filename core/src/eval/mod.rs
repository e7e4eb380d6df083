//! How well lineage and versions are recovered: predictions scored against a known truth.
//!
//! Enters: a [`Truth`] (`truth.json` of a hub folder, DESIGN section 7) and the fingerprinted packages of the same folder. Leaves: a
//! [`Prediction`], and its [`Score`]. Reads no files and fingerprints nothing itself: that is `commands::eval`'s business.

mod baselines;
mod classes;
mod direction;
mod mistakes;
mod parameters;
mod predict;
mod score;
mod table;
#[cfg(test)]
mod tests;
mod truth;

pub use baselines::{BaselineScore, baselines};
pub use classes::{ClassScore, RelationScore, TechniqueScore};
pub use direction::{CalibrationBin, JudgedEdge, PrecisionRecall, judged_edges};
pub use mistakes::{Answer, Mistake, mistakes};
pub use parameters::ParameterScore;
pub use predict::{Metadata, ReadPackage, ReadRevision, predict};
pub use score::{PredictedBump, PredictedEdge, Prediction, Score, score};
pub use table::baseline_table;
pub use truth::{Truth, TruthBump, TruthEdge, TruthName};
