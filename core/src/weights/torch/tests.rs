#![allow(clippy::unwrap_used)]
use crate::weights::{Checkpoint, Severity, WeightFile, WeightsError};
use proptest::prelude::*;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Writes the opcodes that `torch.save` writes.
#[derive(Clone)]
struct Pickler(Vec<u8>);

impl Pickler {
    fn new() -> Self {
        Self(vec![0x80, 2])
    }
    fn op(mut self, opcode: &[u8]) -> Self {
        self.0.extend_from_slice(opcode);
        self
    }
    fn text(self, text: &str) -> Self {
        let length = (text.len() as u32).to_le_bytes();
        self.op(b"X").op(&length).op(text.as_bytes())
    }
    fn global(self, module: &str, name: &str) -> Self {
        self.op(format!("c{module}\n{name}\n").as_bytes())
    }
    fn pair(self, pair: [u8; 2]) -> Self {
        self.op(&[b'K', pair[0], b'K', pair[1], 0x86])
    }
    /// A 2-D float tensor over storage "0" of six elements.
    fn tensor(self, first: u8, shape: [u8; 2], strides: [u8; 2]) -> Self {
        self.global("torch._utils", "_rebuild_tensor_v2")
            .op(b"((")
            .text("storage")
            .global("torch", "FloatStorage")
            .text("0")
            .text("cpu")
            .op(&[b'K', 6, b't', b'Q', b'K', first])
            .pair(shape)
            .pair(strides)
            .op(&[0x89])
            .global("collections", "OrderedDict")
            .op(b")RtR")
    }
    fn end(self) -> Vec<u8> {
        self.op(b".").0
    }
}

fn archive(pickle: &[u8], method: CompressionMethod) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(method);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let storage: Vec<u8> = (0..6).flat_map(|value| (value as f32).to_le_bytes()).collect();
    for (name, bytes) in [
        ("model/data.pkl", pickle),
        ("model/byteorder", b"little"),
        ("model/data/0", &storage),
    ] {
        writer.start_file(name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn open(bytes: Vec<u8>) -> Result<Checkpoint, WeightsError> {
    Checkpoint::open(vec![WeightFile::new("pytorch_model.bin", bytes)])
}

fn state_dict() -> Vec<u8> {
    let items = Pickler::new().op(b"}(").text("w").tensor(0, [2, 3], [3, 1]);
    items.text("t").tensor(0, [3, 2], [1, 3]).op(b"u").end()
}

fn values(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    checkpoint.read_values(checkpoint.tensor(name).unwrap()).unwrap()
}

#[test]
fn a_state_dict_is_read_stored_or_deflated() {
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let checkpoint = open(archive(&state_dict(), method)).unwrap();
        assert_eq!(values(&checkpoint, "w"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(values(&checkpoint, "t"), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert!(checkpoint.findings.is_empty());
    }
}

#[test]
fn a_training_checkpoint_gives_its_model_alone() {
    let pickle = Pickler::new()
        .op(b"}(")
        .text("optimizer")
        .op(b"}")
        .text("lost")
        .tensor(0, [1, 1], [1, 1])
        .op(b"s");
    let pickle = pickle
        .text("state_dict")
        .op(b"}")
        .text("w")
        .tensor(2, [1, 3], [3, 1])
        .op(b"su")
        .end();
    let checkpoint = open(archive(&pickle, CompressionMethod::Stored)).unwrap();
    assert_eq!(checkpoint.tensors.len(), 1);
    assert_eq!(values(&checkpoint, "w"), [2.0, 3.0, 4.0]);
}

#[test]
fn a_pickled_module_is_read_through_its_parameters() {
    let pickle = Pickler::new()
        .global("training.model", "Net")
        .op(&[b')', 0x81, b'}', b'(']);
    let pickle = pickle
        .text("training")
        .op(&[0x88])
        .text("_parameters")
        .op(b"}")
        .text("w")
        .tensor(0, [2, 3], [3, 1]);
    let checkpoint = open(archive(&pickle.op(b"sub").end(), CompressionMethod::Stored)).unwrap();
    assert_eq!(checkpoint.tensors[0].name, "w");
    assert_eq!(checkpoint.findings[0].severity, Severity::Suspicious);
}

#[test]
fn a_call_of_the_system_is_reported_and_not_made() {
    let marker = std::env::temp_dir().join("heirloom-pickle-was-executed");
    let command = format!("touch {}", marker.display());
    let payload = Pickler::new()
        .global("posix", "system")
        .text(&command)
        .op(&[0x85, b'R', b'0']);
    let pickle = [payload.0, state_dict()[2..].to_vec()].concat();
    let checkpoint = open(archive(&pickle, CompressionMethod::Stored)).unwrap();
    assert_eq!(checkpoint.tensors.len(), 2);
    assert_eq!(
        checkpoint.findings[0].to_string(),
        "pytorch_model.bin: the pickle calls posix.system: do not load this file with pickle or torch.load"
    );
    assert!(!marker.exists());
}

#[test]
fn broken_files_are_explained() {
    let check = |pickle: Vec<u8>, expect: &str| {
        let error = open(archive(&pickle, CompressionMethod::Stored))
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.to_string(), format!("pytorch_model.bin: {expect}"));
    };
    let tensor = |first, shape, strides| {
        Pickler::new()
            .op(b"}")
            .text("w")
            .tensor(first, shape, strides)
            .op(b"s")
            .end()
    };
    check(
        tensor(1, [2, 3], [3, 1]),
        "tensor \"w\" lies at bytes 4 to 28, outside the 24 bytes of data (a truncated download?)",
    );
    check(
        vec![0x80, 2, 0xff],
        "the pickle cannot be followed at byte 3: opcode 0xff is unknown",
    );
    check(
        vec![0x80, 2, b'h', 9, b'.'],
        "the pickle cannot be followed at byte 4: nothing is remembered under 9",
    );
    check(
        vec![0x80, 2, b'}'],
        "the pickle cannot be followed at byte 3: it ends early",
    );
    check(
        vec![b'B', 255, 255, 255, 255],
        "the pickle cannot be followed at byte 5: it ends early",
    );
}

#[test]
fn a_structure_without_end_is_refused() {
    // A list of the list before, twice, sixty times over.
    let mut pickle = Pickler::new().op(b"]");
    for _ in 0..60 {
        pickle = pickle.op(&[b'2', 0x86]);
    }
    let error = open(archive(&pickle.end(), CompressionMethod::Stored))
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(error, WeightsError::Header { .. }), "{error}");
}

#[test]
fn checkpoints_of_old_are_read() {
    let magic = [
        0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.',
    ];
    let system = Pickler::new()
        .op(b"}")
        .text("little_endian")
        .op(&[0x88, b's'])
        .end();
    let keys = Pickler::new().op(b"]").text("0").op(b"a").end();
    let mut file = [
        &magic[..],
        &[0x80, 2, b'M', 0xe9, 3, b'.'],
        &system,
        &state_dict(),
        &keys,
    ]
    .concat();
    file.extend(6u64.to_le_bytes());
    file.extend((0..6).flat_map(|value| (value as f32).to_le_bytes()));
    let checkpoint = open(file.clone()).unwrap();
    assert_eq!(values(&checkpoint, "t"), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    file.truncate(file.len() - 1);
    assert!(matches!(open(file), Err(WeightsError::Truncated { .. })));
}

proptest! {
    /// A bounded fuzz run: files one or two bytes away from a valid one get an answer, and what opens can be read.
    #[test]
    fn mutated_archives_get_an_answer(edits in prop::collection::vec((0usize..1200, any::<u8>()), 1..3)) {
        let mut bytes = archive(&state_dict(), CompressionMethod::Stored);
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

    #[test]
    fn any_opcodes_get_an_answer(opcodes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = open(archive(&opcodes, CompressionMethod::Stored));
    }
}
