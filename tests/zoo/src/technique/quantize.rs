//! Round-to-nearest quantization, stored back as floats.

use crate::model::Model;

/// Which values share a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    Tensor,
    /// One scale a row of axis 0.
    Channel,
    /// One scale every so many consecutive elements of a row; the last group of a row may be shorter.
    Group(usize),
}

/// A round-to-nearest scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme {
    pub bits: u32,
    pub share: Share,
    /// Symmetric around zero, or with a zero point over the range of the values.
    pub symmetric: bool,
}

/// Quantizes every selected matrix and decodes it again.
pub fn round_to_nearest(base: &Model, scheme: Scheme, selects: impl Fn(&str) -> bool) -> Model {
    let mut child = base.clone();
    for (name, tensor) in &mut child.tensors {
        if !tensor.is_matrix() || !selects(name) {
            continue;
        }
        let columns = tensor.columns();
        let Some(values) = tensor.floats_mut() else {
            continue;
        };
        match scheme.share {
            Share::Tensor => round_block(values, scheme),
            Share::Channel => values
                .chunks_mut(columns)
                .for_each(|row| round_block(row, scheme)),
            Share::Group(size) => values
                .chunks_mut(columns)
                .flat_map(|row| row.chunks_mut(size))
                .for_each(|group| round_block(group, scheme)),
        }
    }
    child
}

fn round_block(values: &mut [f32], scheme: Scheme) {
    let (low, high) = values
        .iter()
        .fold((0.0_f32, 0.0_f32), |(low, high), &v| (low.min(v), high.max(v)));
    if scheme.symmetric {
        let top = (1_i64 << (scheme.bits - 1)) as f32 - 1.0;
        let step = high.max(-low) / top;
        if step > 0.0 {
            values
                .iter_mut()
                .for_each(|v| *v = (*v / step).round().clamp(-top, top) * step);
        }
        return;
    }
    let top = (1_i64 << scheme.bits) as f32 - 1.0;
    let step = (high - low) / top;
    if step > 0.0 {
        let zero = (-low / step).round();
        for value in values {
            let code = ((*value / step).round() + zero).clamp(0.0, top);
            *value = (code - zero) * step;
        }
    }
}
