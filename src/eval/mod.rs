//! How well lineage and versions are recovered: predictions scored against a known truth.
//!
//! Enters: a [`Truth`] (`truth.json` of a hub folder, DESIGN section 7) and a [`Prediction`] about the same packages. Leaves: a
//! [`Score`]. Reads no files, fingerprints nothing; where predictions come from is `commands::eval`'s business.

mod classes;
mod direction;
mod parameters;
mod score;
mod table;
#[cfg(test)]
mod tests;
mod truth;

pub use classes::{ClassScore, RelationScore, TechniqueScore};
pub use direction::{CalibrationBin, PrecisionRecall};
pub use parameters::ParameterScore;
pub use score::{PredictedBump, PredictedEdge, Prediction, Score, score};
pub use truth::{Truth, TruthBump, TruthEdge, TruthName};
