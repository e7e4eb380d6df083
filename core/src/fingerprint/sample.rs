//! Level `sample`: a fixed place of each tensor, read by Range, in the same form as a full fingerprint.
//!
//! Enters: a checkpoint of which little is to be read, or a full fingerprint. Leaves: tensors of which only the start of the first
//! row is known. What is read depends on shape alone, and a full fingerprint holds the same values in its probe: brought down to
//! this level ([`Fingerprint::at_sample_level`]) it is what sampling the weights themselves would have given.

use super::plan::{Sizes, sampled};
use super::probe::ProbeBuilder;
use super::scan::Scan;
use super::view::View;
use super::{Fingerprint, Level, Probe, TensorFingerprint};
use crate::weights::{Checkpoint, TensorInfo, WeightsError, WindowReader};

/// Reads the sampled values of `tensor`. Packed tensors are left unread: the values of a row may lie all over their codes.
pub(super) fn sample_tensor(
    checkpoint: &Checkpoint,
    tensor: &TensorInfo,
) -> Result<TensorFingerprint, WeightsError> {
    let header = TensorFingerprint::of_header(tensor);
    let view = View::of(&tensor.shape);
    let sizes = sampled(view);
    if sizes.probe_cols == 0 || tensor.packing.is_some() {
        return Ok(header);
    }
    let (block, _) = tensor.dtype.block();
    let wanted = u64::from(sizes.probe_cols);
    let count = wanted.next_multiple_of(block).min(view.elements());
    let mut reader = WindowReader::default();
    let window = reader.read(checkpoint, tensor, 0, count)?;
    let mut probe = ProbeBuilder::new(view.rows, 1, sizes.probe_cols);
    probe.add(0, window.values);
    Ok(header.of_sampled_values(sizes, probe.finish()))
}

impl TensorFingerprint {
    /// What a sampled tensor's fingerprint is, given the values.
    fn of_sampled_values(self, sizes: Sizes, probe: Probe) -> Self {
        let values = &probe.values;
        let view = View {
            rows: 1,
            cols: values.len() as u64,
        };
        let mut scan = Scan::new(view, sizes);
        scan.add_row(0, 0, values, &mut Vec::new());
        let (stats, sketch) = scan.finish_values();
        Self {
            stats: Some(stats),
            sketch: Some(sketch),
            probe: Some(probe),
            digest: None,
            value_digest: None,
            invariants: None,
            ..self
        }
    }

    fn at_sample_level(&self) -> Self {
        let header = Self {
            digest: None,
            value_digest: None,
            stats: None,
            invariants: None,
            sketch: None,
            probe: None,
            ..self.clone()
        };
        let sizes = sampled(View::of(&self.shape));
        match &self.probe {
            Some(probe)
                if self.packing.is_none() && sizes.probe_cols > 0 && probe.cols >= sizes.probe_cols =>
            {
                let values = probe.row(0)[..sizes.probe_cols as usize].to_vec();
                let probe = Probe {
                    rows: 1,
                    cols: sizes.probe_cols,
                    values,
                };
                header.of_sampled_values(sizes, probe)
            }
            _ => header,
        }
    }
}

impl Fingerprint {
    /// What a fingerprint at level `sample` of the same weights holds: for comparing with one.
    pub fn at_sample_level(&self) -> Fingerprint {
        if self.level <= Level::Sample {
            return self.clone();
        }
        let tensors = self
            .tensors
            .iter()
            .map(TensorFingerprint::at_sample_level)
            .collect();
        Fingerprint {
            findings: self.findings.clone(),
            ..Fingerprint::of_tensors(Level::Sample, self.bytes, self.layout.clone(), tensors)
        }
    }
}
