//! What is recognised by shape rather than by a list: sizes, versions, dates, hyperparameters, quantization marks.
//!
//! All tokens are in lower case.

/// Hyperparameters whose value is glued on or follows: `lr2e-05`, `epoch3`, `seed42`, `bs-16`.
const HYPERPARAMETERS: [&str; 26] = [
    "lr",
    "lp",
    "wd",
    "bs",
    "ep",
    "epoch",
    "epochs",
    "step",
    "steps",
    "seed",
    "batch",
    "iter",
    "iters",
    "fold",
    "gpu",
    "dp",
    "tp",
    "pp",
    "maxlen",
    "seqlen",
    "warm",
    "ckpt",
    "ckp",
    "checkpoint",
    "globalstep",
    "shot",
];
/// Units that follow a count: `3epoch`, `128bs`, `5shot`.
const COUNTED: [&str; 17] = [
    "ep", "epoch", "epochs", "e", "step", "steps", "bs", "it", "its", "iter", "iters", "shot", "shots",
    "gpu", "gpus", "seq", "lr",
];

/// Splits a leading run of letters from the rest: `epoch3` → (`epoch`, `3`).
fn split_letters(token: &str) -> (&str, &str) {
    let end = token
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(token.len());
    token.split_at(end)
}

/// Splits a leading decimal number from the rest: `1.5b` → (`1.5`, `b`).
fn split_number(token: &str) -> (&str, &str) {
    let end = token
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(token.len());
    token.split_at(end)
}

/// `12`, `2024`
pub(super) fn is_integer(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit())
}

/// `3`, `1.5`, `0.1.2`
pub(super) fn is_number(token: &str) -> bool {
    !token.is_empty() && token.split('.').all(|part| !part.is_empty() && is_integer(part))
}

/// `7b`, `1.5b`, `350m`, `8x7b`, `a3b`, `1b5`, `l12`, `h768`, `12l`, `768d`, `patch16`
pub(super) fn is_size(token: &str) -> bool {
    let token = token
        .strip_prefix('a')
        .filter(|rest| rest.ends_with('b'))
        .unwrap_or(token);
    let (number, unit) = split_number(token);
    if is_number(number) {
        let layers = is_integer(number) && matches!(unit, "l" | "d" | "layer" | "layers");
        let experts = unit
            .strip_prefix('x')
            .is_some_and(|rest| is_number(rest) || is_size(rest));
        let fraction = unit
            .strip_prefix(['b', 'm'])
            .is_some_and(|rest| rest.is_empty() || is_integer(rest));
        return fraction || layers || matches!(unit, "bn" | "mb" | "gb") || experts && unit.len() <= 8;
    }
    let (letters, digits) = split_letters(token);
    is_integer(digits) && matches!(letters, "l" | "h" | "patch" | "layer" | "layers")
}

/// `v2`, `v0.1`, `v1b`, `ver3`, `0.1`, `1.2.0`
pub(super) fn is_version(token: &str) -> bool {
    let (letters, rest) = split_letters(token);
    match letters {
        "v" | "ver" | "version" => {
            let digits = rest.trim_end_matches(|c: char| c.is_ascii_lowercase());
            is_number(digits) && rest.len() - digits.len() <= 2
        }
        "" => token.contains('.') && is_number(token),
        _ => false,
    }
}

/// `2024`, `202403`, `20240301`, `20240312t165236`, `2407` (year and month)
pub(super) fn is_date(token: &str) -> bool {
    let day = token.split_once('t').map_or(token, |(day, _)| day);
    if !is_integer(day) || (day.len() != token.len() && day.len() != 8) {
        return false;
    }
    let month = |at: usize| {
        matches!(
            day.get(at..at + 2).and_then(|text| text.parse().ok()),
            Some(1..=12u8)
        )
    };
    match day.len() {
        4 if day.starts_with("20") => matches!(day.parse(), Ok(2015..=2035u16)) || month(2),
        4 => matches!(&day[..2], "21" | "22" | "23" | "24" | "25" | "26") && month(2),
        6 | 8 => day.starts_with("20") && month(4),
        _ => false,
    }
}

/// `lr2e-05`, `epoch3`, `3epoch`, `128bs`, `5e-7`, `step2000`
pub(super) fn is_hyperparameter(token: &str) -> bool {
    let (letters, rest) = split_letters(token);
    if HYPERPARAMETERS.contains(&letters) && rest.starts_with(|c: char| c.is_ascii_digit()) {
        return true;
    }
    let (number, unit) = split_number(token);
    is_number(number) && (COUNTED.contains(&unit) || is_exponent(unit))
}

/// `e-05`, `e-7step`
fn is_exponent(text: &str) -> bool {
    let digits = text.strip_prefix("e-").unwrap_or_default();
    digits.starts_with(|c: char| c.is_ascii_digit())
}

/// `lr`, `ep`: words whose value follows as a token of its own.
pub(super) fn takes_value(token: &str) -> bool {
    HYPERPARAMETERS.contains(&token)
}

/// `8bit`, `int4`, `w4a16`, `q4`, `iq3`, `4.0bpw`
pub(super) fn is_quantization(token: &str) -> bool {
    let (number, unit) = split_number(token);
    if is_number(number) {
        return matches!(unit, "bit" | "bits" | "bpw");
    }
    let (letters, digits) = split_letters(token);
    is_integer(digits) && digits.len() <= 2 && matches!(letters, "q" | "iq" | "int" | "uint")
}

/// `8k`, `200k`: a context length, a number of steps or of samples. Nobody can tell from the name.
pub(super) fn is_thousands(token: &str) -> bool {
    token.strip_suffix('k').is_some_and(is_number)
}

/// The family of a numbered name: `llama2` → `llama`, `mistral2.2` → `mistral`.
pub(super) fn family(token: &str) -> Option<&str> {
    let (letters, rest) = split_letters(token);
    (letters.len() >= 2 && is_number(rest) && rest.len() <= 3).then_some(letters)
}
