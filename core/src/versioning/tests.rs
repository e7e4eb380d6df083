//! Kinds of change against bumps, and histories against versions.

mod bumps;
mod history;
mod specification;
