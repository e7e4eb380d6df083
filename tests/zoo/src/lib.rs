//! Model families with known lineage, for the demo and the tests.
//!
//! Enters: the real weights under `data/`, and a seed. Leaves: hub folders in the layout of `heirloom hub`, with `truth.json`.
//! Knows nothing of Heirloom itself: it must not share a mistake with what it tests.

pub mod card;
pub mod demo;
pub mod families;
pub mod hub;
pub mod model;
pub mod package;
pub mod random;
pub mod technique;
pub mod trained;
pub mod truth;
pub mod zoo;
