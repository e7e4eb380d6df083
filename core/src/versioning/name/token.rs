//! Cuts a name at its separators.

use std::ops::Range;

/// Byte ranges of the tokens of `name`, in order. Between them stand separators only.
///
/// Separators are ASCII punctuation and space, except a dot between digits (`2.5`) and the sign of an exponent (`2e-05`).
pub(super) fn tokens(name: &str) -> Vec<Range<usize>> {
    let bytes = name.as_bytes();
    let mut tokens = Vec::with_capacity(8);
    let mut start = None;
    for at in 0..bytes.len() {
        if is_separator(bytes, at) {
            if let Some(start) = start.take() {
                tokens.push(start..at);
            }
        } else if start.is_none() {
            start = Some(at);
        }
    }
    if let Some(start) = start {
        tokens.push(start..bytes.len());
    }
    tokens
}

fn is_separator(bytes: &[u8], at: usize) -> bool {
    let digit = |index: Option<usize>| {
        index
            .and_then(|index| bytes.get(index))
            .is_some_and(u8::is_ascii_digit)
    };
    match bytes[at] {
        b'.' => !(digit(at.checked_sub(1)) && digit(Some(at + 1))),
        b'-' => {
            let exponent = at
                .checked_sub(1)
                .is_some_and(|before| matches!(bytes[before], b'e' | b'E'));
            !(exponent && digit(at.checked_sub(2)) && digit(Some(at + 1)))
        }
        byte => byte.is_ascii_punctuation() || byte.is_ascii_whitespace(),
    }
}
