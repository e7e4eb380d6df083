//! Which hardware a comparison runs on.

use crate::delta::{Cpu, Device, DiffError, DiffOptions, DiffReport, diff_on};
use crate::weights::Checkpoint;
use heirloom_gpu::{Gpu, GpuError};

/// Waking a GPU takes as long as comparing this many bytes on the CPU.
const WORTH_WAKING: u64 = 1 << 30;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Choice {
    /// A GPU where there is one and the models are large, else the CPU.
    #[default]
    Auto,
    Cpu,
    /// A GPU, and be it one that software plays.
    Gpu,
}

/// The report, and the name of what computed it.
pub(super) fn compare(
    choice: Choice,
    [a, b]: [&Checkpoint; 2],
    options: DiffOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> anyhow::Result<(DiffReport, String)> {
    let gpu = match choice {
        Choice::Gpu => Some(Gpu::open(true)?),
        Choice::Auto if a.bytes() + b.bytes() >= WORTH_WAKING => found(),
        Choice::Auto | Choice::Cpu => None,
    };
    if let Some(gpu) = gpu {
        match diff_on(&gpu, a, b, options, progress) {
            Err(DiffError::Device { device, reason }) if choice == Choice::Auto => {
                tracing::warn!("{device} failed ({reason}); comparing again on the CPU");
            }
            report => return Ok((report?, gpu.name())),
        }
    }
    Ok((diff_on(&Cpu, a, b, options, progress)?, Cpu.name()))
}

/// A GPU that was not asked for need not be there, or work.
fn found() -> Option<Gpu> {
    match Gpu::open(false) {
        Ok(gpu) => Some(gpu),
        Err(GpuError::None) => None,
        Err(error) => {
            tracing::warn!("{error}");
            None
        }
    }
}
