//! The kinds of change a consumer can observe, one file a kind. Each compares two snapshots and gives its reasons.
//!
//! Weights come first because other kinds ask whether values changed. A new kind is a file here and a line in [`KINDS`].

mod base_model;
mod card;
mod code;
mod config;
mod files;
mod formats;
mod generation;
mod json;
pub(super) mod licence;
mod processor;
mod signature;
mod template;
mod tokenizer;
pub(super) mod weights;

use super::{Reason, Snapshot};

/// Two consecutive snapshots, and what the weights said of them.
pub(super) struct Step<'a> {
    pub old: &'a Snapshot<'a>,
    pub new: &'a Snapshot<'a>,
    pub weights_changed: Option<bool>,
}

/// Every kind but the weights, in the order reasons are given within one bump.
pub(super) const KINDS: [fn(&Step<'_>) -> Vec<Reason>; 12] = [
    config::compare,
    tokenizer::compare,
    processor::compare,
    signature::compare,
    code::compare,
    formats::compare,
    licence::compare,
    base_model::compare,
    template::compare,
    generation::compare,
    card::compare,
    files::compare,
];

/// At most this many names are listed in a reason; the rest are counted.
const LISTED: usize = 5;

/// `a, b, c and 4 more`
fn list<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<&str> = names.iter().take(LISTED).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `1 tensor`, `2 tensors`
fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}
