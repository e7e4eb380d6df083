#![allow(clippy::unwrap_used)]
use crate::weights::{Checkpoint, WeightFile, WeightsError};
use proptest::prelude::*;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fn array(description: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{description}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), data].concat()
}

fn archive(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(method);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        writer.start_file(format!("{name}.npy"), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn open(bytes: Vec<u8>) -> Result<Checkpoint, WeightsError> {
    Checkpoint::open(vec![WeightFile::new("weights.npz", bytes)])
}

fn two_orders(method: CompressionMethod) -> Vec<u8> {
    let data: Vec<u8> = (0..6).flat_map(|value| (value as f32).to_le_bytes()).collect();
    let rows = array(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
        &data,
    );
    let columns = array(
        "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }",
        &data,
    );
    let scalar = array(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
        &data[4..8],
    );
    let objects = array(
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        b"cposix\nsystem\n.",
    );
    let arrays = [("c", rows), ("f", columns), ("layer/s", scalar), ("o", objects)];
    archive(&arrays, method)
}

#[test]
fn both_orders_are_read_and_objects_are_not() {
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let checkpoint = open(two_orders(method)).unwrap();
        let values = |name: &str| checkpoint.read_values(checkpoint.tensor(name).unwrap()).unwrap();
        assert_eq!(values("c"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(values("f"), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        assert_eq!(values("layer/s"), [1.0]);
        assert_eq!(checkpoint.tensors.len(), 3);
    }
}

#[test]
fn broken_arrays_are_explained() {
    let check = |bytes: Vec<u8>, expect: &str| {
        let error = open(archive(&[("w", bytes)], CompressionMethod::Stored))
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.to_string(), format!("weights.npz: {expect}"));
    };
    check(
        b"not an array".to_vec(),
        "the header is not valid: array \"w\": does not begin as a NumPy array",
    );
    check(
        array(
            "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }",
            &[0; 8],
        ),
        "tensor \"w\" lies at bytes 0 to 16, outside the 8 bytes of data (a truncated download?)",
    );
    check(
        array(
            "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }",
            &[0; 8],
        ),
        "tensor \"w\" has the unknown element type \">f4\"",
    );
    check(
        array(
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
            &[0; 8],
        ),
        "the header is not valid: array \"w\": has a header that cannot be read",
    );
}

#[test]
fn a_zip_bomb_costs_nothing_to_open_and_lies_are_refused() {
    let zeros = vec![0; 1 << 22];
    let array = array(
        "{'descr': '|u1', 'fortran_order': False, 'shape': (4194304,), }",
        &zeros,
    );
    let packed = archive(&[("w", array)], CompressionMethod::Deflated);
    assert!(packed.len() < 1 << 14);
    let checkpoint = open(packed.clone()).unwrap();
    assert_eq!(
        checkpoint
            .read_window(&checkpoint.tensors[0], 4_194_000, 304)
            .unwrap(),
        [0.0; 304]
    );

    // The directory's uncompressed size, raised beyond what deflate can do.
    let directory = packed
        .windows(4)
        .rposition(|bytes| bytes == b"PK\x01\x02")
        .unwrap();
    let mut lying = packed;
    lying[directory + 24..directory + 28].copy_from_slice(&0xf000_0000u32.to_le_bytes());
    assert!(matches!(open(lying), Err(WeightsError::Header { .. })));
}

proptest! {
    /// A bounded fuzz run: files near a valid one get an answer, and what opens can be read.
    #[test]
    fn mutated_archives_get_an_answer(edits in prop::collection::vec((0usize..1200, any::<u8>()), 1..3)) {
        let mut bytes = two_orders(CompressionMethod::Deflated);
        for (place, byte) in edits {
            let length = bytes.len();
            bytes[place % length] = byte;
        }
        if let Ok(checkpoint) = open(bytes) {
            for tensor in &checkpoint.tensors {
                let _ = checkpoint.read_values(tensor);
            }
        }
    }
}
