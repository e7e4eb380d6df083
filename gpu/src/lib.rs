//! The comparison of `heirloom-core` on GPUs: any maker's, through Vulkan or Metal, with no toolkit to build or run.
//!
//! Enters: [`Work`](heirloom_core::delta::Work), pairs of tensors. Leaves: their totals. [`Gpu`] is a
//! [`Device`](heirloom_core::delta::Device) of one card or several; what its kernel does not take goes to the CPU. Knows nothing of
//! files, the network or the command line.

mod batch;
mod card;
mod device;
mod rates;
mod slot;
mod tally;

pub use card::{CardInfo, GpuError, cards};
pub use device::Gpu;
pub use rates::{Rates, rates};
