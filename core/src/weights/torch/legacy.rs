//! Checkpoints from before PyTorch 1.6: four pickles in a row, then the storages.

use super::super::format::Header;
use super::super::section::Section;
use super::super::strided::place_view;
use super::super::{WeightFile, WeightsError};
use super::imports::Imports;
use super::input::Input;
use super::pickle::{Pickle, load};
use super::pickle_error;
use super::tensors::{find_tensors, storage_element_bytes};
use super::value::Value;
use std::collections::HashMap;

/// PROTO 2, LONG1 of ten bytes, `torch.serialization.MAGIC_NUMBER`.
const MAGIC: &[u8] = &[
    0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19,
];

pub(in super::super) fn recognises(prefix: &[u8]) -> bool {
    prefix.starts_with(MAGIC)
}

pub(in super::super) fn read(file: &WeightFile) -> Result<Header, WeightsError> {
    let length = file.bytes.len();
    let mut input = Input::new(Section::whole(file), length);
    let mut imports = Imports::default();
    let mut next = |input: &mut Input| {
        load(input, &mut imports).map_err(|source| pickle_error(&file.name, input, source))
    };
    let _magic = next(&mut input)?;
    let _protocol = next(&mut input)?;
    let system = next(&mut input)?;
    let object = next(&mut input)?;
    let keys = next(&mut input)?;
    refuse_big_endian(file, &system)?;
    let found = find_tensors(&object.heap, object.root, "")
        .ok_or_else(|| WeightsError::header(&file.name, "the pickle's values have no end"))?;
    let storages = storages(file, &keys, &storage_element_bytes(&object.heap), input.position)?;
    let mut header = Header {
        findings: imports.findings(&file.name),
        ..Header::default()
    };
    for tensor in found {
        let Some((start, bytes)) = storages.get(&tensor.storage).copied() else {
            return Err(WeightsError::MissingData {
                file: file.name.clone(),
                missing: format!("storage {}", tensor.storage),
                tensor: tensor.name,
            });
        };
        place_view(&mut header, file, 0, tensor.into_view(start, bytes))?;
    }
    Ok(header)
}

fn refuse_big_endian(file: &WeightFile, system: &Pickle) -> Result<(), WeightsError> {
    let items = system.heap.dict(system.root).unwrap_or_default();
    let little = items
        .iter()
        .find(|(key, _)| system.heap.text(*key) == Some("little_endian"));
    match little {
        Some((_, Value::Bool(false))) => Err(WeightsError::header(
            &file.name,
            "the checkpoint is big-endian, which is not supported",
        )),
        _ => Ok(()),
    }
}

/// Where each storage lies: eight bytes of element count, then the elements, in the order of `keys`.
fn storages(
    file: &WeightFile,
    keys: &Pickle,
    sizes: &HashMap<String, u64>,
    start: u64,
) -> Result<HashMap<String, (u64, u64)>, WeightsError> {
    let mut storages = HashMap::new();
    let mut position = start;
    for key in keys.heap.sequence(keys.root).unwrap_or_default() {
        let Some(key) = keys.heap.text(*key) else { continue };
        // A storage that no pickle mentions has no known size, and so nothing after it has a place.
        let Some(size) = sizes.get(key) else { break };
        let truncated = |needed| WeightsError::Truncated {
            file: file.name.clone(),
            what: format!("storage {key}"),
            needed,
            length: file.bytes.len(),
        };
        if position + 8 > file.bytes.len() {
            return Err(truncated(position + 8));
        }
        let mut count = [0; 8];
        file.read(position, &mut count)?;
        let bytes = u64::from_le_bytes(count).checked_mul(*size);
        let end = bytes.and_then(|bytes| bytes.checked_add(position + 8));
        let (Some(bytes), Some(end)) = (bytes, end.filter(|end| *end <= file.bytes.len())) else {
            return Err(truncated(end.unwrap_or(u64::MAX)));
        };
        storages.insert(key.to_owned(), (position + 8, bytes));
        position = end;
    }
    Ok(storages)
}
