//! ONNX: the initialisers of a graph and of the graphs inside its nodes, and the tensors of its Constant nodes.
//!
//! Data may lie in the file, or in another file of the package. Field numbers: `onnx/onnx.proto`.

use super::format::{Header, Siblings};
use super::protobuf::{Field, Range, for_each_field, packed_varints, text};
use super::{Dtype, TensorInfo, WeightFile, WeightsError};

/// Graphs inside graphs: exporters nest a handful of branches.
const MAX_DEPTH: u64 = 16;

/// Numbers written as varints have to be decoded into memory; weights are not written like that.
const MAX_DECODED_BYTES: u64 = 64 << 20;

/// Nodes of one graph, axes of one tensor and the like: real graphs stay far below.
const MAX_ITEMS: u64 = 1 << 20;
const MAX_AXES: u64 = 64;

/// Constants with fewer elements, and whole numbers, are shapes and axes: the graph's plumbing, not its weights.
const MIN_CONSTANT_ELEMENTS: u64 = 16;

/// `ir_version` comes first, then one of the fields that follow it.
pub(super) fn recognises(prefix: &[u8]) -> bool {
    matches!(
        prefix,
        [
            0x08,
            1..=32,
            0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42 | 0x72,
            ..
        ]
    )
}

pub(super) fn read(file: &WeightFile, siblings: Siblings<'_>) -> Result<Header, WeightsError> {
    let mut reading = Reading {
        file,
        siblings,
        header: Header::default(),
    };
    let mut graphs = Vec::new();
    let model = Range {
        start: 0,
        end: file.bytes.len(),
    };
    for_each_field(file, model, |number, field| {
        match (number, field) {
            (7, Field::Delimited(graph)) => graphs.push(graph),
            (14, Field::Delimited(entry)) => {
                let (key, value) = key_value(file, entry)?;
                reading.header.metadata.insert(key, value);
            }
            _ => {}
        }
        Ok(())
    })?;
    for graph in graphs {
        reading.graph(graph, "", 0)?;
    }
    Ok(reading.header)
}

fn refuse_over(
    file: &WeightFile,
    what: &'static str,
    claimed: usize,
    limit: u64,
) -> Result<(), WeightsError> {
    let claimed = claimed as u64;
    if claimed <= limit {
        return Ok(());
    }
    Err(WeightsError::OverLimit {
        file: file.name.clone(),
        what,
        claimed,
        limit,
    })
}

fn key_value(file: &WeightFile, entry: Range) -> Result<(String, String), WeightsError> {
    let mut pair = (String::new(), String::new());
    for_each_field(file, entry, |number, field| {
        match (number, field) {
            (1, Field::Delimited(range)) => pair.0 = text(file, range)?,
            (2, Field::Delimited(range)) => pair.1 = text(file, range)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(pair)
}

struct Reading<'a> {
    file: &'a WeightFile,
    siblings: Siblings<'a>,
    header: Header,
}

impl Reading<'_> {
    fn graph(&mut self, graph: Range, prefix: &str, depth: usize) -> Result<(), WeightsError> {
        refuse_over(self.file, "depth of nested graphs", depth, MAX_DEPTH)?;
        let file = self.file;
        let (mut nodes, mut initialisers) = (Vec::new(), Vec::new());
        for_each_field(file, graph, |number, field| {
            match (number, field) {
                (1, Field::Delimited(node)) => nodes.push(node),
                (5, Field::Delimited(tensor)) => initialisers.push(tensor),
                _ => {}
            }
            refuse_over(
                file,
                "number of nodes and initialisers",
                nodes.len() + initialisers.len(),
                MAX_ITEMS,
            )
        })?;
        for initialiser in initialisers {
            let tensor = Described::read(self.file, initialiser)?;
            let name = format!("{prefix}{}", tensor.name);
            self.place(tensor, name)?;
        }
        for node in nodes {
            self.node(node, prefix, depth)?;
        }
        Ok(())
    }

    fn node(&mut self, node: Range, prefix: &str, depth: usize) -> Result<(), WeightsError> {
        let file = self.file;
        let (mut name, mut output, mut operator) = (String::new(), None, String::new());
        let mut attributes = Vec::new();
        for_each_field(file, node, |number, field| {
            match (number, field) {
                (2, Field::Delimited(range)) if output.is_none() => output = Some(text(file, range)?),
                (3, Field::Delimited(range)) => name = text(file, range)?,
                (4, Field::Delimited(range)) => operator = text(file, range)?,
                (5, Field::Delimited(range)) => attributes.push(range),
                _ => {}
            }
            Ok(())
        })?;
        let output = output.unwrap_or_default();
        for attribute in attributes {
            let attribute = Attribute::read(file, attribute)?;
            if let (Some(tensor), "Constant") = (attribute.tensor, operator.as_str()) {
                self.constant(tensor, format!("{prefix}{output}"))?;
            }
            let node_name = if name.is_empty() { &output } else { &name };
            for graph in attribute.graphs {
                let prefix = format!("{prefix}{node_name}/{}/", attribute.name);
                self.graph(graph, &prefix, depth + 1)?;
            }
        }
        Ok(())
    }

    fn constant(&mut self, tensor: Range, name: String) -> Result<(), WeightsError> {
        let tensor = Described::read(self.file, tensor)?;
        let elements = tensor
            .shape
            .iter()
            .fold(1u64, |product, length| product.saturating_mul(*length));
        let is_weight = tensor
            .dtype()?
            .is_some_and(|(dtype, _)| !dtype.is_integer() && dtype != Dtype::Bool);
        if is_weight && elements >= MIN_CONSTANT_ELEMENTS {
            self.place(tensor, name)?;
        }
        Ok(())
    }

    fn place(&mut self, described: Described<'_>, name: String) -> Result<(), WeightsError> {
        // Strings (a tokenizer's vocabulary) are no weights.
        let Some((dtype, parts)) = described.dtype()? else {
            return Ok(());
        };
        let mut shape = described.shape.clone();
        if parts > 1 {
            shape.push(parts);
        }
        let (file, range) = match &described.data {
            Data::InFile(range) => (0, *range),
            Data::Decoded(bytes) => {
                let content = WeightFile::new(format!("{} ({name})", self.file.name), bytes.clone());
                let end = content.bytes.len();
                (self.header.add_file(content), Range { start: 0, end })
            }
            Data::External(external) => self.external(external, &name)?,
        };
        let tensor = TensorInfo {
            name,
            dtype,
            shape,
            file,
            offset: range.start,
            bytes: range.length(),
            packing: None,
        };
        tensor.refuse_wrong_size(&self.file.name)?;
        self.header.tensors.push(tensor);
        Ok(())
    }

    fn external(&mut self, external: &External, tensor: &str) -> Result<(usize, Range), WeightsError> {
        let Some(sibling) = self.siblings.find(&self.file.name, &external.location) else {
            return Err(WeightsError::MissingData {
                file: self.file.name.clone(),
                tensor: tensor.to_owned(),
                missing: external.location.clone(),
            });
        };
        let length = sibling.bytes.len();
        let end = match external.length {
            Some(bytes) => external.offset.checked_add(bytes),
            None => Some(length),
        };
        let range = end
            .filter(|end| *end <= length && external.offset <= *end)
            .map(|end| Range {
                start: external.offset,
                end,
            });
        let Some(range) = range else {
            return Err(WeightsError::OutOfRange {
                file: sibling.name.clone(),
                tensor: tensor.to_owned(),
                start: external.offset,
                end: external.offset.saturating_add(external.length.unwrap_or(0)),
                length,
            });
        };
        Ok((self.header.add_file(sibling.clone()), range))
    }
}

struct Attribute {
    name: String,
    tensor: Option<Range>,
    graphs: Vec<Range>,
}

impl Attribute {
    fn read(file: &WeightFile, attribute: Range) -> Result<Self, WeightsError> {
        let mut read = Self {
            name: String::new(),
            tensor: None,
            graphs: Vec::new(),
        };
        for_each_field(file, attribute, |number, field| {
            match (number, field) {
                (1, Field::Delimited(range)) => read.name = text(file, range)?,
                (5, Field::Delimited(range)) => read.tensor = Some(range),
                (6 | 11, Field::Delimited(range)) => read.graphs.push(range),
                _ => {}
            }
            Ok(())
        })?;
        Ok(read)
    }
}

/// A TensorProto, its data not read yet.
struct Described<'a> {
    file: &'a WeightFile,
    name: String,
    data_type: u64,
    shape: Vec<u64>,
    data: Data,
}

enum Data {
    InFile(Range),
    Decoded(Vec<u8>),
    External(External),
}

#[derive(Default)]
struct External {
    location: String,
    offset: u64,
    length: Option<u64>,
}

/// The fields of a TensorProto that hold data, as they come.
#[derive(Default)]
struct RawFields {
    in_place: Vec<Range>,
    packed: Vec<Range>,
    single: Vec<u64>,
    external: Option<External>,
}

impl RawFields {
    fn pieces(&self) -> usize {
        self.in_place.len() + self.packed.len() + self.single.len()
    }
}

impl<'a> Described<'a> {
    fn read(file: &'a WeightFile, tensor: Range) -> Result<Self, WeightsError> {
        let (mut name, mut data_type, mut shape) = (String::new(), 0, Vec::new());
        let mut raw = RawFields::default();
        for_each_field(file, tensor, |number, field| {
            match (number, field) {
                (1, Field::Varint(length)) => shape.push(length),
                (1, Field::Delimited(range)) => {
                    refuse_over(file, "bytes of a shape", range.length() as usize, 10 * MAX_AXES)?;
                    packed_varints(file, range, |length| shape.push(length))?;
                }
                (2, Field::Varint(number)) => data_type = number,
                (8, Field::Delimited(range)) => name = text(file, range)?,
                // float_data, raw_data, double_data
                (4 | 9 | 10, Field::Delimited(range)) if range.length() > 0 => raw.in_place.push(range),
                (4 | 10, Field::Fixed32(range) | Field::Fixed64(range)) => raw.in_place.push(range),
                // int32_data, int64_data, uint64_data
                (5 | 7 | 11, Field::Delimited(range)) => raw.packed.push(range),
                (5 | 7 | 11, Field::Varint(number)) => raw.single.push(number),
                (13, Field::Delimited(entry)) => {
                    let entry = key_value(file, entry)?;
                    raw.external.get_or_insert_default().set(file, entry)?;
                }
                _ => {}
            }
            refuse_over(file, "number of axes", shape.len(), MAX_AXES)?;
            refuse_over(
                file,
                "number of pieces of a tensor's data",
                raw.pieces(),
                MAX_ITEMS,
            )
        })?;
        let mut described = Self {
            file,
            name,
            data_type,
            shape,
            data: Data::InFile(Range { start: 0, end: 0 }),
        };
        described.data = described.data_of(raw)?;
        Ok(described)
    }

    fn data_of(&self, raw: RawFields) -> Result<Data, WeightsError> {
        if let Some(external) = raw.external {
            return Ok(Data::External(external));
        }
        if let [range] = raw.in_place[..] {
            return Ok(Data::InFile(range));
        }
        let bytes = raw
            .in_place
            .iter()
            .chain(&raw.packed)
            .map(Range::length)
            .sum::<u64>();
        refuse_over(
            self.file,
            "number of bytes written as varints",
            bytes as usize,
            MAX_DECODED_BYTES,
        )?;
        let mut decoded = Vec::new();
        for range in &raw.in_place {
            let start = decoded.len();
            decoded.resize(start + range.length() as usize, 0);
            self.file.read(range.start, &mut decoded[start..])?;
        }
        let size = self.dtype()?.map_or(8, |(dtype, _)| dtype.block().1 as usize);
        let mut append = |number: u64| decoded.extend_from_slice(&number.to_le_bytes()[..size]);
        for range in raw.packed {
            packed_varints(self.file, range, &mut append)?;
        }
        raw.single.into_iter().for_each(append);
        Ok(Data::Decoded(decoded))
    }

    /// The type of an element and the numbers in it (2 where complex); `None` for strings.
    fn dtype(&self) -> Result<Option<(Dtype, u64)>, WeightsError> {
        let plain = |dtype| Ok(Some((dtype, 1)));
        match self.data_type {
            1 => plain(Dtype::F32),
            2 => plain(Dtype::U8),
            3 => plain(Dtype::I8),
            4 => plain(Dtype::U16),
            5 => plain(Dtype::I16),
            6 => plain(Dtype::I32),
            7 => plain(Dtype::I64),
            8 => Ok(None),
            9 => plain(Dtype::Bool),
            10 => plain(Dtype::F16),
            11 => plain(Dtype::F64),
            12 => plain(Dtype::U32),
            13 => plain(Dtype::U64),
            14 => Ok(Some((Dtype::F32, 2))),
            15 => Ok(Some((Dtype::F64, 2))),
            16 => plain(Dtype::BF16),
            17 => plain(Dtype::F8E4M3),
            18 => plain(Dtype::F8E4M3FNUZ),
            19 => plain(Dtype::F8E5M2),
            20 => plain(Dtype::F8E5M2FNUZ),
            21 => plain(Dtype::U4),
            22 => plain(Dtype::I4),
            23 => plain(Dtype::F4),
            24 => plain(Dtype::F8E8M0),
            unknown => Err(WeightsError::UnknownDtype {
                file: self.file.name.clone(),
                tensor: self.name.clone(),
                dtype: format!("ONNX type {unknown}"),
            }),
        }
    }
}

impl External {
    fn set(&mut self, file: &WeightFile, (key, value): (String, String)) -> Result<(), WeightsError> {
        let number = |value: &str| {
            value.parse().map_err(|_| {
                WeightsError::header(
                    &file.name,
                    format!("external data has the {key} {value:?}, not a number"),
                )
            })
        };
        match key.as_str() {
            "location" => self.location = value,
            "offset" => self.offset = number(&value)?,
            "length" => self.length = Some(number(&value)?),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
