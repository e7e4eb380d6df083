//! Changes of the weights that leave the function as it is: neurons in another order, a scale moved from one layer to the next.

use crate::model::{Model, Tensor};
use rand::Rng;
use rand::seq::SliceRandom;

/// One hidden layer: the tensors whose rows are its neurons, and the tensor whose axis 1 reads them.
#[derive(Debug, Clone)]
pub struct Neurons {
    pub rows: Vec<String>,
    pub reader: String,
    /// True where the neurons' activation commutes with a positive scale.
    pub scalable: Vec<String>,
}

/// The neurons of each layer in another order.
pub fn permute(base: &Model, layers: &[Neurons], rng: &mut impl Rng) -> Model {
    let mut child = base.clone();
    for layer in layers {
        let count = base.tensors[&layer.reader].shape[1];
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(rng);
        select(&mut child, layer, &order);
    }
    child
}

/// Keeps only the neurons of `order`, in that order.
pub fn select(model: &mut Model, layer: &Neurons, order: &[usize]) {
    for name in &layer.rows {
        if let Some(tensor) = model.tensors.get_mut(name) {
            *tensor = take_rows(tensor, order);
        }
    }
    if let Some(tensor) = model.tensors.get_mut(&layer.reader) {
        *tensor = take_inputs(tensor, order);
    }
}

/// The rows `order` of a tensor, which may repeat.
pub fn take_rows(tensor: &Tensor, order: &[usize]) -> Tensor {
    let Some(values) = tensor.floats() else {
        return tensor.clone();
    };
    let width = tensor.columns();
    let mut shape = tensor.shape.clone();
    shape[0] = order.len();
    let taken = order
        .iter()
        .flat_map(|row| &values[row * width..][..width])
        .copied()
        .collect();
    Tensor {
        dtype: tensor.dtype,
        ..Tensor::float(shape, taken)
    }
}

/// The entries `order` of axis 1.
pub fn take_inputs(tensor: &Tensor, order: &[usize]) -> Tensor {
    let Some(values) = tensor.floats() else {
        return tensor.clone();
    };
    let (inputs, kernel) = (tensor.shape[1], tensor.shape[2..].iter().product::<usize>());
    let mut shape = tensor.shape.clone();
    shape[1] = order.len();
    let mut taken = Vec::with_capacity(shape.iter().product());
    for row in values.chunks_exact(inputs * kernel) {
        order
            .iter()
            .for_each(|input| taken.extend_from_slice(&row[input * kernel..][..kernel]));
    }
    Tensor {
        dtype: tensor.dtype,
        ..Tensor::float(shape, taken)
    }
}

/// Multiplies each layer's scalable rows by `scale` and divides what reads them by it.
pub fn rescale(base: &Model, layers: &[Neurons], scale: f32) -> Model {
    let mut child = base.clone();
    for layer in layers {
        for (names, factor) in [
            (layer.scalable.as_slice(), scale),
            (std::slice::from_ref(&layer.reader), 1.0 / scale),
        ] {
            for name in names {
                if let Some(values) = child.tensors.get_mut(name).and_then(Tensor::floats_mut) {
                    values.iter_mut().for_each(|value| *value *= factor);
                }
            }
        }
    }
    child
}
