//! What a pickle builds, as data: numbers, texts, containers, and calls that nobody makes.
//!
//! Values are small and copied; what they refer to lies in a [`Heap`], so that shared and cyclic structures are harmless.

use super::super::Dtype;

/// One value: itself, or where to find it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// A float, a long integer, a byte string: nothing that tensors are described by.
    Opaque,
    Node(u32),
}

#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// An imported name: `torch._utils`, `_rebuild_tensor_v2`.
    Global {
        module: String,
        name: String,
    },
    /// A reference to something outside the pickle: a storage.
    Persistent(Value),
    /// `callable(*arguments)`, and the state set on the result.
    Call {
        callable: Value,
        arguments: Value,
        state: Option<Value>,
    },
}

/// Everything one pickle refers to.
#[derive(Debug, Default)]
pub(super) struct Heap {
    nodes: Vec<Node>,
}

impl Heap {
    pub fn add(&mut self, node: Node) -> Value {
        self.nodes.push(node);
        Value::Node(self.nodes.len() as u32 - 1)
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    pub fn get(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(index) => self.nodes.get(index as usize),
            _ => None,
        }
    }

    pub fn get_mut(&mut self, value: Value) -> Option<&mut Node> {
        match value {
            Value::Node(index) => self.nodes.get_mut(index as usize),
            _ => None,
        }
    }

    pub fn text(&self, value: Value) -> Option<&str> {
        match self.get(value)? {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn global(&self, value: Value) -> Option<(&str, &str)> {
        match self.get(value)? {
            Node::Global { module, name } => Some((module, name)),
            _ => None,
        }
    }

    pub fn dict(&self, value: Value) -> Option<&[(Value, Value)]> {
        match self.get(value)? {
            Node::Dict(items) => Some(items),
            _ => None,
        }
    }

    /// The items of a tuple or list.
    pub fn sequence(&self, value: Value) -> Option<&[Value]> {
        match self.get(value)? {
            Node::Tuple(items) | Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// A tuple of lengths, strides or offsets.
    pub fn lengths(&self, value: Value) -> Option<Vec<u64>> {
        let length = |value: &Value| match value {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        self.sequence(value)?.iter().map(length).collect()
    }
}

/// The element type and the factor between its numbers and the elements: 2 for complex ones, kept as pairs.
pub(super) fn storage_dtype(name: &str) -> Option<(Dtype, u64)> {
    let plain = |dtype| Some((dtype, 1));
    match name {
        "FloatStorage" | "float32" | "float" => plain(Dtype::F32),
        "DoubleStorage" | "float64" | "double" => plain(Dtype::F64),
        "HalfStorage" | "float16" | "half" => plain(Dtype::F16),
        "BFloat16Storage" | "bfloat16" => plain(Dtype::BF16),
        "LongStorage" | "int64" | "long" => plain(Dtype::I64),
        "IntStorage" | "QInt32Storage" | "int32" | "int" => plain(Dtype::I32),
        "ShortStorage" | "int16" | "short" => plain(Dtype::I16),
        "CharStorage" | "QInt8Storage" | "int8" => plain(Dtype::I8),
        "ByteStorage" | "QUInt8Storage" | "uint8" => plain(Dtype::U8),
        "BoolStorage" | "bool" => plain(Dtype::Bool),
        "uint16" => plain(Dtype::U16),
        "uint32" => plain(Dtype::U32),
        "uint64" => plain(Dtype::U64),
        "float8_e4m3fn" => plain(Dtype::F8E4M3),
        "float8_e5m2" => plain(Dtype::F8E5M2),
        "float8_e4m3fnuz" => plain(Dtype::F8E4M3FNUZ),
        "float8_e5m2fnuz" => plain(Dtype::F8E5M2FNUZ),
        "float8_e8m0fnu" => plain(Dtype::F8E8M0),
        "ComplexFloatStorage" | "complex64" => Some((Dtype::F32, 2)),
        "ComplexDoubleStorage" | "complex128" => Some((Dtype::F64, 2)),
        _ => None,
    }
}
