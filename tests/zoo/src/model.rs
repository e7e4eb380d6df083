//! A model in memory: named tensors, read from and written to safetensors.
//!
//! Floats are held as `f32` whatever the dtype they are stored in; integers and packed codes are held as bytes that no technique touches.

use anyhow::{Context, bail};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, View};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Values of a tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Rounded to the tensor's dtype only when written.
    Float(Vec<f32>),
    /// Little-endian bytes.
    Raw(Vec<u8>),
}

/// One named tensor's content.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub values: Values,
}

impl Tensor {
    /// A float tensor stored as F32.
    pub fn float(shape: Vec<usize>, values: Vec<f32>) -> Self {
        assert_eq!(
            shape.iter().product::<usize>(),
            values.len(),
            "shape and values disagree"
        );
        Self {
            dtype: Dtype::F32,
            shape,
            values: Values::Float(values),
        }
    }

    /// A tensor of integers or packed codes.
    pub fn raw(dtype: Dtype, shape: Vec<usize>, bytes: Vec<u8>) -> Self {
        Self {
            dtype,
            shape,
            values: Values::Raw(bytes),
        }
    }

    /// Its floats, or nothing for integers.
    pub fn floats(&self) -> Option<&[f32]> {
        match &self.values {
            Values::Float(values) => Some(values),
            Values::Raw(_) => None,
        }
    }

    /// Its floats, to change in place.
    pub fn floats_mut(&mut self) -> Option<&mut Vec<f32>> {
        match &mut self.values {
            Values::Float(values) => Some(values),
            Values::Raw(_) => None,
        }
    }

    /// A float tensor of two or more dimensions with more than one row and column: what low rank, pruning and quantization act on.
    pub fn is_matrix(&self) -> bool {
        self.floats().is_some() && self.shape.len() >= 2 && self.rows() > 1 && self.columns() > 1
    }

    /// Length of axis 0.
    pub fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Elements of one row.
    pub fn columns(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    fn bytes(&self) -> Vec<u8> {
        match (&self.values, self.dtype) {
            (Values::Raw(bytes), _) => bytes.clone(),
            (Values::Float(values), Dtype::F16) => values
                .iter()
                .flat_map(|&v| f16::from_f32(v).to_le_bytes())
                .collect(),
            (Values::Float(values), Dtype::BF16) => values
                .iter()
                .flat_map(|&v| bf16::from_f32(v).to_le_bytes())
                .collect(),
            (Values::Float(values), _) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }
}

struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for &Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Tensors by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Model {
    pub tensors: BTreeMap<String, Tensor>,
}

impl Model {
    /// Reads a safetensors file.
    pub fn read(file: &[u8]) -> anyhow::Result<Self> {
        let parsed = SafeTensors::deserialize(file).context("not a safetensors file")?;
        let tensors = parsed
            .iter()
            .map(|(name, view)| {
                let tensor =
                    decode(view.dtype(), view.shape(), view.data()).with_context(|| name.to_owned())?;
                Ok((name.to_owned(), tensor))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { tensors })
    }

    /// Writes a safetensors file; equal models give equal bytes.
    pub fn to_safetensors(&self) -> anyhow::Result<Vec<u8>> {
        let stored: Vec<(&str, Stored)> = self
            .tensors
            .iter()
            .map(|(name, tensor)| {
                let stored = Stored {
                    dtype: tensor.dtype,
                    shape: tensor.shape.clone(),
                    bytes: tensor.bytes(),
                };
                (name.as_str(), stored)
            })
            .collect();
        let views = stored.iter().map(|(name, stored)| (*name, stored));
        Ok(safetensors::serialize(views, None)?)
    }

    /// The model as its file holds it: floats rounded to their dtypes.
    pub fn rounded(mut self) -> Self {
        for tensor in self.tensors.values_mut() {
            let dtype = tensor.dtype;
            for value in tensor.floats_mut().into_iter().flatten() {
                *value = match dtype {
                    Dtype::F16 => f16::from_f32(*value).to_f32(),
                    Dtype::BF16 => bf16::from_f32(*value).to_f32(),
                    _ => *value,
                };
            }
        }
        self
    }

    /// Number of elements.
    pub fn parameters(&self) -> usize {
        self.tensors
            .values()
            .map(|t| t.shape.iter().product::<usize>())
            .sum()
    }

    /// The float values of `name`; panics where there are none, for the generator's own fixed names.
    pub fn values(&self, name: &str) -> &[f32] {
        self.tensors
            .get(name)
            .and_then(Tensor::floats)
            .unwrap_or_else(|| panic!("no float tensor {name}"))
    }
}

fn decode(dtype: Dtype, shape: &[usize], data: &[u8]) -> anyhow::Result<Tensor> {
    let values = match dtype {
        Dtype::F32 => floats(data, f32::from_le_bytes),
        Dtype::F16 => floats(data, |b: [u8; 2]| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => floats(data, |b: [u8; 2]| bf16::from_le_bytes(b).to_f32()),
        Dtype::F64 | Dtype::BOOL => bail!("dtype {dtype:?} is not used by any base"),
        _ => return Ok(Tensor::raw(dtype, shape.to_vec(), data.to_vec())),
    };
    Ok(Tensor {
        dtype,
        shape: shape.to_vec(),
        values: Values::Float(values),
    })
}

fn floats<const N: usize>(data: &[u8], decode: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    data.as_chunks::<N>()
        .0
        .iter()
        .map(|chunk| decode(*chunk))
        .collect()
}
