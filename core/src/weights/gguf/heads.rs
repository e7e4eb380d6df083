//! Rows of query and key projections, put back in the order of Transformers.
//!
//! llama.cpp rotates neighbouring rows of a head where Transformers rotates its halves, so its converter interleaves the halves
//! (`LlamaModel.permute` in `convert_hf_to_gguf.py`) for the architectures below. Rows are whole blocks of bytes: undoing it loses
//! nothing, and the tensor has the digest of its parent's where both are stored in one type.

use super::super::computed::{PIECE_BYTES, Pieces, computed_file};
use super::super::format::Header;
use super::super::{TensorInfo, WeightFile};
use std::io::Result;
use std::ops::Range;

const INTERLEAVED: &[&str] = &[
    "llama",
    "arcee",
    "arctic",
    "baichuan",
    "deci",
    "deepseek",
    "granite",
    "granitemoe",
    "internlm2",
    "minicpm",
    "smollm3",
    "xverse",
];

pub(super) fn restore_row_order(file: &WeightFile, header: &mut Header) {
    let Some(architecture) = header.metadata.get("general.architecture") else {
        return;
    };
    if !INTERLEAVED.contains(&architecture.as_str()) {
        return;
    }
    let heads = |key: &str| -> Option<u64> {
        let value = header.metadata.get(&format!("{architecture}.attention.{key}"))?;
        value.parse().ok().filter(|heads| *heads > 0)
    };
    let Some(query_heads) = heads("head_count") else {
        return;
    };
    let key_heads = heads("head_count_kv").unwrap_or(query_heads);
    for index in 0..header.tensors.len() {
        let tensor = &header.tensors[index];
        let heads = match tensor.name.rsplit_once('.').map(|(path, _)| path) {
            Some(path) if path.ends_with(".attn_q") => query_heads,
            Some(path) if path.ends_with(".attn_k") => key_heads,
            _ => continue,
        };
        if let Some(rows) = Interleaved::of(file, tensor, heads) {
            let name = format!("{} (rows of {} in order)", file.name, tensor.name);
            let derived = header.add_file(computed_file(name, rows));
            header.tensors[index].file = derived;
            header.tensors[index].offset = 0;
        }
    }
}

struct Interleaved {
    file: WeightFile,
    offset: u64,
    rows: u64,
    row_bytes: u64,
    head_rows: u64,
}

impl Interleaved {
    /// `None` where rows are no whole blocks, or no whole heads.
    fn of(file: &WeightFile, tensor: &TensorInfo, heads: u64) -> Option<Self> {
        let rows = *tensor.shape.first()?;
        let columns: u64 = tensor.shape.iter().skip(1).product();
        let head_rows = rows / heads;
        let fits = rows.is_multiple_of(heads) && head_rows.is_multiple_of(2) && head_rows > 2 && columns > 0;
        Some(Self {
            file: file.clone(),
            offset: tensor.offset,
            rows,
            row_bytes: tensor.dtype.bytes_for(columns).filter(|_| fits)?,
            head_rows,
        })
    }
}

impl Pieces for Interleaved {
    fn len(&self) -> u64 {
        self.rows * self.row_bytes
    }

    fn piece_bytes(&self) -> u64 {
        let head = self.head_rows * self.row_bytes;
        (PIECE_BYTES / head).max(1) * head
    }

    fn compute(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let mut stored = vec![0; (range.end - range.start) as usize];
        self.file.bytes.read_at(self.offset + range.start, &mut stored)?;
        let width = self.row_bytes as usize;
        let (head_rows, half) = (self.head_rows as usize, self.head_rows as usize / 2);
        let mut ordered = vec![0; stored.len()];
        for (row, bytes) in ordered.chunks_exact_mut(width).enumerate() {
            let (head, place) = (row / head_rows, row % head_rows);
            let source = head * head_rows + place % half * 2 + place / half;
            bytes.copy_from_slice(&stored[source * width..][..width]);
        }
        Ok(ordered)
    }
}
