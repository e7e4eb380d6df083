//! From tokens to segments: the longest known term wins, shapes come next, the rest identifies.

use super::token::tokens;
use super::{Kind, Name, Segment, lexicon, shape};
use std::ops::Range;

/// No term spans more tokens than this.
const MAX_TERM_TOKENS: usize = 5;

/// Cuts a name (`owner/name` or `name`) into segments. The owner is not cut: it names a person.
pub fn parse_name(full: &str) -> Name {
    let name = full.rsplit_once('/').map_or(full, |(_, name)| name);
    let segments: Vec<Segment> = cut(name)
        .into_iter()
        .map(|(range, kind)| Segment {
            text: name[range].to_owned(),
            kind,
        })
        .collect();
    Name {
        name: full.to_owned(),
        convention: convention(&segments),
        segments,
    }
}

/// The order of kinds, as the study writes it: neighbours of one kind (`en-fr`, `GGUF-Q4_K_M`) count once, and words that any name
/// may hold (`hf`, `model`) do not count.
fn convention(segments: &[Segment]) -> String {
    let mut convention = String::with_capacity(segments.len() * 16);
    let mut last = None;
    for segment in segments {
        let is_filler = segment.kind == Kind::Description && is_filler(&segment.text);
        if last == Some(segment.kind) || is_filler && segments.len() > 1 {
            continue;
        }
        last = Some(segment.kind);
        convention.push('{');
        convention.push_str(segment.kind.as_str());
        convention.push('}');
    }
    convention
}

/// Words that say nothing of their own.
fn is_filler(text: &str) -> bool {
    ["hf", "model", "models"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

fn cut(name: &str) -> Vec<(Range<usize>, Kind)> {
    let tokens = tokens(name);
    if tokens.is_empty() && !name.is_empty() {
        return vec![(0..name.len(), Kind::Ambiguous)];
    }
    let lower = name.to_ascii_lowercase();
    let words: Vec<&str> = tokens.iter().map(|range| &lower[range.clone()]).collect();
    let mut pieces: Vec<Piece> = Vec::with_capacity(words.len());
    let mut at = 0;
    while at < words.len() {
        let piece = classify(&words, at, pieces.last());
        at = piece.tokens.end;
        match pieces.last_mut() {
            Some(last) if joins(last, &piece) => last.tokens.end = piece.tokens.end,
            _ => pieces.push(piece),
        }
    }
    absorb_descriptions(&mut pieces);
    pieces
        .into_iter()
        .map(|piece| {
            let (first, last) = (&tokens[piece.tokens.start], &tokens[piece.tokens.end - 1]);
            (first.start..last.end, piece.kind)
        })
        .collect()
}

/// A run of tokens and its kind.
#[derive(Debug, Clone)]
struct Piece {
    tokens: Range<usize>,
    kind: Kind,
}

/// The piece that begins at token `at`.
fn classify(words: &[&str], at: usize, previous: Option<&Piece>) -> Piece {
    let word = words[at];
    let one = |kind| Piece {
        tokens: at..at + 1,
        kind,
    };
    let after = |kind| previous.is_some_and(|piece| piece.kind == kind);
    if after(Kind::TrainingMechanism) && is_value_of(words, at) {
        return one(Kind::TrainingMechanism);
    }
    // "it" is Italian, except behind a size, where instruction-tuned models carry it.
    if word == "it" && after(Kind::Size) {
        return one(Kind::TrainingMechanism);
    }
    if let Some((kind, length)) = longest_term(words, at) {
        return with_number(words, at, length, kind);
    }
    if let Some(piece) = date(words, at) {
        return piece;
    }
    if shape::is_quantization(word) {
        return one(Kind::VariantType);
    }
    // "L2-13B" is Llama 2, as people write it; "L12-H768" are layers.
    let before_size = || {
        words
            .get(at + 1)
            .is_some_and(|next| next.ends_with('b') && shape::is_size(next))
    };
    if matches!(word, "l1" | "l2" | "l3") && before_size() {
        return one(Kind::Ambiguous);
    }
    if shape::is_size(word) {
        return one(Kind::Size);
    }
    if shape::is_hyperparameter(word) {
        return one(Kind::TrainingMechanism);
    }
    if shape::is_version(word) {
        return one(Kind::Version);
    }
    if shape::is_thousands(word) || shape::is_integer(word) {
        return one(Kind::Ambiguous);
    }
    match known_inside(word) {
        Some(kind) => one(kind),
        None => one(Kind::Identifier),
    }
}

/// The longest run of tokens that a list knows, written together.
fn longest_term(words: &[&str], at: usize) -> Option<(Kind, usize)> {
    let mut found = lexicon::lookup(words[at]).map(|kind| (kind, 1));
    if shape::is_size(words[at]) {
        return found;
    }
    let mut term = words[at].to_owned();
    for (extra, word) in words[at + 1..].iter().take(MAX_TERM_TOKENS - 1).enumerate() {
        term.push_str(word);
        if term.len() > *lexicon::LONGEST {
            break;
        }
        // Two stray letters are no term: "q-a" may be anything.
        if term.len() >= 4
            && let Some(kind) = lexicon::lookup(&term)
        {
            found = Some((kind, extra + 2));
        }
    }
    found
}

/// A family and its number are one base model (`llama-2`); "base", "cased" and "uncased" name its standard checkpoint.
fn with_number(words: &[&str], at: usize, length: usize, kind: Kind) -> Piece {
    let mut end = at + length;
    if kind == Kind::BaseModel {
        let is_generation = |word: &&str| shape::is_number(word) && word.len() <= 3 && !word.starts_with('0');
        let ends_in_digit = words[end - 1].ends_with(|c: char| c.is_ascii_digit());
        if !ends_in_digit && words.get(end).is_some_and(is_generation) {
            end += 1;
        }
        while words.get(end).is_some_and(|word| is_base_word(word)) {
            end += 1;
        }
    }
    Piece {
        tokens: at..end,
        kind,
    }
}

/// Words that name a family's standard checkpoint, and so belong to the base model.
pub fn is_base_word(word: &str) -> bool {
    matches!(word, "base" | "cased" | "uncased")
}

/// `2024-03-01`, `2024-03`, `2407`
fn date(words: &[&str], at: usize) -> Option<Piece> {
    if !shape::is_date(words[at]) {
        return None;
    }
    let two_digits = |index: usize| {
        words
            .get(index)
            .is_some_and(|word| word.len() == 2 && shape::is_integer(word))
    };
    let end = match (two_digits(at + 1), two_digits(at + 2)) {
        (true, true) if words[at].len() == 4 => at + 3,
        (true, false) if words[at].len() == 4 => at + 2,
        _ => at + 1,
    };
    Some(Piece {
        tokens: at..end,
        kind: Kind::CreationDate,
    })
}

/// Whether the token belongs to a chain of hyperparameters: a value (`4e-06`, `false`), or a short name before one (`b-4`).
fn is_value_of(words: &[&str], at: usize) -> bool {
    let is_value = |word: &str| {
        shape::is_number(word) || shape::is_hyperparameter(word) || matches!(word, "true" | "false")
    };
    let before = words[at - 1];
    if is_value(words[at]) {
        return shape::takes_value(before) || before.len() <= 3 && !is_value(before);
    }
    let short_name = words[at].len() <= 3 && words[at].bytes().all(|byte| byte.is_ascii_lowercase());
    short_name && is_value(before) && words.get(at + 1).is_some_and(|next| is_value(next))
}

/// A known word with something glued to it: `llama2`, `xlmrobertamodel`, `mnlimodel3`.
fn known_inside(word: &str) -> Option<Kind> {
    let base_model = |term: &str| lexicon::lookup(term).filter(|kind| *kind == Kind::BaseModel);
    if let Some(kind) = shape::family(word).and_then(base_model) {
        return Some(kind);
    }
    let bare = ["model", "formaskedlm", "forcausallm", "forsequenceclassification"]
        .iter()
        .find_map(|suffix| word.strip_suffix(suffix))?;
    lexicon::lookup(bare)
}

/// Neighbours of one kind are one segment where the study counts them as one.
fn joins(last: &Piece, next: &Piece) -> bool {
    use Kind::{Ambiguous, CreationDate, Dataset, Description, Identifier, Size, Task, TrainingMechanism};
    match (last.kind, next.kind) {
        (a, b) if a == b => matches!(
            a,
            Identifier | Description | TrainingMechanism | Size | Dataset | Task | Ambiguous | CreationDate
        ),
        // A bare number behind an identifier is part of it, as far as anybody can tell.
        (Identifier, Ambiguous) => true,
        _ => false,
    }
}

/// A describing word beside an identifier is part of it.
fn absorb_descriptions(pieces: &mut Vec<Piece>) {
    let mut merged: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces.drain(..) {
        match merged.last_mut() {
            Some(last)
                if last.kind == Kind::Identifier
                    && matches!(piece.kind, Kind::Description | Kind::Identifier) =>
            {
                last.tokens.end = piece.tokens.end;
            }
            Some(last) if last.kind == Kind::Description && piece.kind == Kind::Identifier => {
                last.kind = Kind::Identifier;
                last.tokens.end = piece.tokens.end;
            }
            _ => merged.push(piece),
        }
    }
    *pieces = merged;
}
