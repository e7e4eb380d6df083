//! Planes to fewer bytes: each is left out (all bytes equal), kept as it is, or one zstd frame, whichever its histogram asks for.

use zstd::zstd_safe::{CCtx, CParameter, DCtx, ParamSwitch, get_error_name};

/// A plane's method and its length in the archive.
const HEADER_BYTES: usize = 1 + 4;

const EQUAL: u8 = 0;
const PLAIN: u8 = 1;
const FRAME: u8 = 2;

/// Above this share of eight bits a byte, compression is not tried.
const INCOMPRESSIBLE: f64 = 0.985;
/// Below this share, long runs are worth looking for.
const REPETITIVE: f64 = 0.12;
/// zstd that spends no time on matches, with its entropy stage on: what is left between repetitions is noise with a skewed histogram.
const ENTROPY_LEVEL: i32 = -100;
const MATCH_LEVEL: i32 = 1;

/// Packs `planes`, which are `width` of one length.
pub(super) fn pack_planes(planes: &[u8], width: usize) -> std::io::Result<Vec<u8>> {
    let mut packed = Vec::with_capacity(planes.len() / 2);
    let mut context = CCtx::create();
    for plane in planes.chunks(planes.len() / width) {
        pack_plane(&mut context, plane, &mut packed)?;
    }
    Ok(packed)
}

fn pack_plane(context: &mut CCtx<'_>, plane: &[u8], packed: &mut Vec<u8>) -> std::io::Result<()> {
    let share = entropy_share(&histogram(plane), plane.len());
    if share == 0.0 {
        put(packed, EQUAL, &plane[..1]);
        return Ok(());
    }
    if share > INCOMPRESSIBLE {
        put(packed, PLAIN, plane);
        return Ok(());
    }
    let level = if share < REPETITIVE {
        MATCH_LEVEL
    } else {
        ENTROPY_LEVEL
    };
    let parameters = [
        CParameter::CompressionLevel(level),
        CParameter::LiteralCompressionMode(ParamSwitch::Enable),
        CParameter::ChecksumFlag(false),
    ];
    for parameter in parameters {
        context.set_parameter(parameter).map_err(failure)?;
    }
    let mut frame = vec![0; zstd::zstd_safe::compress_bound(plane.len())];
    let length = context.compress2(&mut frame[..], plane).map_err(failure)?;
    match length < plane.len() {
        true => put(packed, FRAME, &frame[..length]),
        false => put(packed, PLAIN, plane),
    }
    Ok(())
}

fn put(packed: &mut Vec<u8>, method: u8, bytes: &[u8]) {
    packed.push(method);
    packed.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    packed.extend_from_slice(bytes);
}

/// Undoes [`pack_planes`] into `length` bytes; `None` when `packed` is not what it made.
pub(super) fn unpack_planes(packed: &[u8], width: usize, length: usize) -> Option<Vec<u8>> {
    let mut planes = vec![0; length];
    let mut context = DCtx::create();
    let mut rest = packed;
    for plane in planes.chunks_mut(length / width) {
        let (header, after) = rest.split_at_checked(HEADER_BYTES)?;
        let size = u32::from_le_bytes([header[1], header[2], header[3], header[4]]);
        let (bytes, after) = after.split_at_checked(size as usize)?;
        rest = after;
        match header[0] {
            EQUAL if bytes.len() == 1 => plane.fill(bytes[0]),
            PLAIN if bytes.len() == plane.len() => plane.copy_from_slice(bytes),
            FRAME => {
                let written = context.decompress(plane, bytes).ok()?;
                (written == plane.len()).then_some(())?;
            }
            _ => return None,
        }
    }
    rest.is_empty().then_some(planes)
}

/// What packing `planes` would come to, in bytes, by the histograms of its planes alone.
pub(super) fn estimate(planes: &[u8], width: usize) -> f64 {
    let planes = planes.chunks((planes.len() / width).max(1));
    planes
        .map(|plane| entropy_share(&histogram(plane), plane.len()) * plane.len() as f64)
        .sum()
}

/// Four counts at a time: a run of equal bytes would otherwise wait for itself.
fn histogram(bytes: &[u8]) -> [u32; 256] {
    let mut counts = [[0u32; 256]; 4];
    let (quads, rest) = bytes.as_chunks::<4>();
    for quad in quads {
        for (counts, byte) in counts.iter_mut().zip(quad) {
            counts[usize::from(*byte)] += 1;
        }
    }
    for byte in rest {
        counts[0][usize::from(*byte)] += 1;
    }
    std::array::from_fn(|byte| counts.iter().map(|counts| counts[byte]).sum())
}

/// Shannon entropy of the counts as a share of eight bits a byte.
fn entropy_share(counts: &[u32; 256], total: usize) -> f64 {
    let total = total as f64;
    let bits: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum();
    bits / 8.0
}

fn failure(code: usize) -> std::io::Error {
    std::io::Error::other(get_error_name(code))
}
