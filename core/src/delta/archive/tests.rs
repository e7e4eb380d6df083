#![allow(clippy::unwrap_used)]
use super::{Archive, ArchiveError, NamedCheckpoint, PackReport, pack};
use crate::weights::{Checkpoint, WeightFile};
use half::bf16;
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView, serialize};

/// A tensor to write: name, type, bytes.
type Written<'a> = (&'a str, Dtype, Vec<u8>);

fn model(tensors: &[Written<'_>]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, dtype, bytes)| {
        let elements = bytes.len() * 8 / dtype.bitsize();
        (*name, TensorView::new(*dtype, vec![elements], bytes).unwrap())
    });
    serialize(views, None).unwrap()
}

fn halves<'a>(name: &'a str, patterns: &[u16]) -> Written<'a> {
    (
        name,
        Dtype::BF16,
        patterns
            .iter()
            .flat_map(|pattern| pattern.to_le_bytes())
            .collect(),
    )
}

fn open(bytes: &[u8]) -> Checkpoint {
    Checkpoint::open(vec![WeightFile::new("model.safetensors", bytes.to_vec())]).unwrap()
}

fn try_pack(children: &[&[u8]], base: &[u8]) -> Result<(Vec<u8>, PackReport), ArchiveError> {
    let opened: Vec<Checkpoint> = children.iter().map(|child| open(child)).collect();
    let named = |index: usize, checkpoint| NamedCheckpoint {
        name: format!("child-{index}"),
        checkpoint,
    };
    let children: Vec<_> = opened
        .iter()
        .enumerate()
        .map(|(index, child)| named(index, child))
        .collect();
    let base = NamedCheckpoint {
        name: "the base".to_owned(),
        checkpoint: &open(base),
    };
    let mut archive = Vec::new();
    let report = pack(&children, &base, &mut archive, &|_| {})?;
    Ok((archive, report))
}

fn packed(child: &[u8], base: &[u8]) -> (Vec<u8>, PackReport) {
    let (archive, report) = try_pack(&[child], base).unwrap();
    assert_eq!(
        (report.bytes, report.archive_bytes),
        (child.len() as u64, archive.len() as u64)
    );
    assert_eq!(
        report.bytes,
        report.same_as_base + report.same_as_earlier + report.differing + report.stored
    );
    (archive, report)
}

fn unpacked(archive: &[u8], number: usize, base: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let archive = Archive::open(WeightFile::new("child.delta", archive.to_vec()))?;
    let base = open(base);
    archive.check_base(&base)?;
    let mut out = Vec::new();
    archive.unpack(number, &base, &mut out, &|_| {})?;
    Ok(out)
}

/// Scattered bit patterns, the same on every machine.
fn noise(count: usize) -> Vec<u16> {
    let scatter = |place: u32| (place.wrapping_mul(2_654_435_761) >> 13) as u16;
    (0..count as u32).map(scatter).collect()
}

#[test]
fn a_fine_tune_comes_back_byte_for_byte_and_packs_well() {
    let weights = noise(1 << 16);
    let tuned: Vec<u16> = weights
        .iter()
        .enumerate()
        .map(|(place, bits)| bits ^ u16::from(place % 7 == 0))
        .collect();
    let base = model(&[halves("w", &weights), halves("gone", &[1; 4])]);
    let child = model(&[halves("head", &[9; 4]), halves("w", &tuned)]);
    let (archive, report) = packed(&child, &base);
    assert!(
        archive.len() * 8 < child.len(),
        "{} of {}",
        archive.len(),
        child.len()
    );
    assert_eq!(report.differing, 2 << 16);
    assert_eq!(unpacked(&archive, 0, &base).unwrap(), child);
}

#[test]
fn what_the_base_or_an_earlier_child_holds_is_not_kept_again() {
    let base = model(&[halves("body", &noise(9000)), halves("head", &[1; 500])]);
    let new_head: Vec<u16> = noise(9500).split_off(9000);
    let child = model(&[halves("body", &noise(9000)), halves("head", &new_head)]);
    let (archive, report) = try_pack(&[&child, &child], &base).unwrap();
    assert_eq!(report.same_as_base, 2 * 18_000);
    assert!(report.same_as_earlier >= 1000, "{report:?}");
    assert!(archive.len() < 3000, "{}", archive.len());
    for number in [0, 1] {
        assert_eq!(unpacked(&archive, number, &base).unwrap(), child);
    }
}

#[test]
fn a_child_in_another_precision_is_kept_as_what_rounding_does_not_explain() {
    let values: Vec<f32> = noise(4000)
        .into_iter()
        .map(|bits| f32::from(bits) / 700.0)
        .collect();
    let single = (
        "w",
        Dtype::F32,
        values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    );
    let rounded: Vec<u16> = values
        .iter()
        .map(|value| bf16::from_f32(*value).to_bits())
        .collect();
    let (base, child) = (model(&[single]), model(&[halves("w", &rounded)]));
    let (archive, report) = packed(&child, &base);
    assert_eq!(report.same_as_base, 8000);
    assert_eq!(unpacked(&archive, 0, &base).unwrap(), child);
    let (archive, _) = packed(&base, &child);
    assert_eq!(unpacked(&archive, 0, &child).unwrap(), base);
}

#[test]
fn another_base_is_explained() {
    let child = model(&[halves("w", &noise(100))]);
    let near: Vec<u16> = noise(100).iter().map(|pattern| pattern ^ 1).collect();
    let (archive, _) = packed(&child, &model(&[halves("w", &near)]));
    let check = |base: &[Written<'_>], expect: &str| {
        let error = unpacked(&archive, 0, &model(base)).unwrap_err();
        assert!(matches!(error, ArchiveError::OtherBase { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("(the base)") && text.contains(expect), "{text}");
    };
    check(&[halves("w", &[2; 100])], "\"w\" holds other values");
    check(&[halves("v", &[1; 100])], "no tensor \"w\"");
    check(
        &[halves("w", &[1; 99])],
        "198 bytes of BF16, not 200 bytes of BF16",
    );
    check(
        &[("w", Dtype::F16, vec![0; 200])],
        "200 bytes of F16, not 200 bytes of BF16",
    );
}

#[test]
fn an_unrelated_base_is_refused_before_anything_is_packed() {
    let adapter = model(&[halves("base_model.w.lora_A.weight", &[1; 8])]);
    let error = try_pack(&[&adapter], &model(&[halves("w", &[1; 64])])).unwrap_err();
    assert!(matches!(error, ArchiveError::NothingShared { .. }), "{error}");
}

#[test]
fn damage_is_noticed_wherever_it_is() {
    let base = model(&[halves("w", &noise(100)), halves("v", &[3; 40])]);
    let child = model(&[halves("w", &noise(101)[1..]), halves("v", &[3; 40])]);
    let (archive, _) = packed(&child, &base);
    for length in [0, 7, 60, archive.len() / 2, archive.len() - 1] {
        assert!(unpacked(&archive[..length], 0, &base).is_err());
    }
    for place in 0..archive.len() {
        let mut damaged = archive.clone();
        damaged[place] ^= 1;
        match unpacked(&damaged, 0, &base) {
            // zstd's frame headers have a bit that nothing reads.
            Ok(bytes) => assert!(bytes == child, "byte {place}"),
            Err(ArchiveError::Damaged { .. } | ArchiveError::NotAnArchive { .. }) => {}
            Err(error) => panic!("byte {place}: {error}"),
        }
    }
}

#[test]
fn tied_and_empty_tensors_come_back() {
    let base = model(&[halves("empty", &[]), halves("w", &noise(50))]);
    let child = model(&[halves("empty", &[]), halves("w", &noise(51)[1..])]);
    let (archive, _) = packed(&child, &base);
    assert_eq!(unpacked(&archive, 0, &base).unwrap(), child);
}

/// An archive whose index says `edit`ed things, its digest in order.
fn with_index(archive: &[u8], edit: impl Fn(String) -> String) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let number = |at: usize| u64::from_le_bytes(archive[at..at + 8].try_into().unwrap()) as usize;
    let end = archive.len() - 56;
    let start = end - number(archive.len() - 16);
    let json = zstd::bulk::decompress(&archive[start..end], number(archive.len() - 24)).unwrap();
    let json = edit(String::from_utf8(json).unwrap());
    let index = zstd::bulk::compress(json.as_bytes(), 3).unwrap();
    let mut edited = archive[..start].to_vec();
    edited.extend(&index);
    edited.extend(Sha256::digest(&index));
    edited.extend((json.len() as u64).to_le_bytes());
    edited.extend((index.len() as u64).to_le_bytes());
    edited.extend(b"HLDELTA1");
    edited
}

#[test]
fn an_index_that_lies_is_refused() {
    let base = model(&[halves("w", &noise(100))]);
    let child = model(&[halves("w", &noise(101)[1..])]);
    let (archive, _) = packed(&child, &base);
    assert_eq!(
        unpacked(&with_index(&archive, |json| json), 0, &base).unwrap(),
        child
    );
    let lies = [
        ("\"bytes\":200,\"packed\"", "\"bytes\":199,\"packed\""),
        (
            "\"bytes\":200,\"packed\"",
            "\"bytes\":18446744073709551615,\"packed\"",
        ),
        ("\"offset\":0", "\"offset\":18446744073709551615"),
        ("\"offset\":0", "\"offset\":2"),
        ("\"tensor\":0", "\"tensor\":7"),
        ("\"dtype\":\"BF16\",\"crc32\"", "\"dtype\":\"I64\",\"crc32\""),
        ("\"stored\":{\"width\":1}", "\"earlier\":{\"chunk\":0}"),
        ("\"stored\":{\"width\":1}", "\"stored\":{\"width\":0}"),
        ("\"files\":[", "\"files\":[0,"),
    ];
    for (truth, lie) in lies {
        let edited = with_index(&archive, |json| {
            assert!(json.contains(truth), "{truth} in {json}");
            json.replacen(truth, lie, 1)
        });
        let error = unpacked(&edited, 0, &base).expect_err(lie);
        assert!(matches!(error, ArchiveError::Damaged { .. }), "{lie}: {error}");
    }
}

proptest! {
    #[test]
    fn any_pair_of_models_comes_back(
        base in prop::collection::vec(any::<u32>(), 1..300),
        change in prop::collection::vec(any::<u32>(), 1..300),
        dtype in prop::sample::select(vec![Dtype::F32, Dtype::BF16, Dtype::F16, Dtype::U8, Dtype::F64]),
    ) {
        let count = base.len().min(change.len()) / 2 * 2;
        let bytes = |words: &[u32]| words[..count].iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let child: Vec<u32> = base.iter().zip(&change).map(|(x, y)| x ^ (y & (y >> 7) & (y >> 13))).collect();
        let base = model(&[("w", dtype, bytes(&base))]);
        let child = model(&[("w", dtype, bytes(&child))]);
        prop_assert_eq!(unpacked(&packed(&child, &base).0, 0, &base).unwrap(), child);
    }

    #[test]
    fn arbitrary_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let archive = [b"HLDELTA1".as_slice(), &bytes, b"HLDELTA1"].concat();
        prop_assert!(Archive::open(WeightFile::new("hostile", archive)).is_err());
    }
}
