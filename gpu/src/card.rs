//! Cards: which there are, and one opened with the kernel on it.

use crate::batch::{BATCH_BYTES, BATCH_RUNS, BATCH_SEGMENTS};
use crate::tally::{HISTOGRAM_WORDS, RESULT_WORDS};
use futures::executor::block_on;
use heirloom_core::delta::DiffError;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A batch takes milliseconds, and seconds on a processor that plays a GPU.
const PATIENCE: Duration = Duration::from_secs(120);

/// A card that a driver offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardInfo {
    pub name: String,
    /// Of the driver, with its version.
    pub driver: String,
    /// `Vulkan` or `Metal`.
    pub backend: String,
    /// The processor plays a GPU: right for tests, never fast.
    pub is_software: bool,
}

impl fmt::Display for CardInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let software = if self.is_software { ", software" } else { "" };
        write!(f, "{} ({}{software})", self.name, self.backend)
    }
}

/// Why no card could be opened.
#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    #[error(
        "no GPU answers: no driver for Vulkan (Linux) or Metal (macOS) offers one; install that of the card's maker (NVIDIA's, or \
         mesa-vulkan-drivers for AMD and Intel), or go on with --device cpu"
    )]
    None,
    #[error("{card} cannot be used: {reason}; go on with --device cpu")]
    Open { card: String, reason: String },
}

/// Every card, each once though two drivers may offer it.
pub fn cards() -> Vec<CardInfo> {
    adapters().iter().map(info).collect()
}

pub(crate) fn adapters() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.flags = wgpu::InstanceFlags::empty();
    let instance = wgpu::Instance::new(descriptor);
    let mut places = Vec::new();
    let mut adapters = block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    adapters.retain(|adapter| {
        let info = adapter.get_info();
        let place = (info.vendor, info.device, info.device_pci_bus_id);
        // Where the bus is not told, two alike may be two.
        let is_new = place.2.is_empty() || !places.contains(&place);
        places.push(place);
        is_new && has_room(&adapter.limits())
    });
    adapters
}

/// All that a batch needs lies within what any Vulkan driver must offer; a GPU of another kind may offer less.
fn has_room(limits: &wgpu::Limits) -> bool {
    limits.max_storage_buffer_binding_size >= BATCH_BYTES
        && limits.max_compute_workgroup_storage_size >= 16 << 10
        && limits.max_compute_invocations_per_workgroup >= 256
        && u64::from(limits.max_compute_workgroups_per_dimension) >= BATCH_SEGMENTS
}

pub(crate) fn info(adapter: &wgpu::Adapter) -> CardInfo {
    let info = adapter.get_info();
    CardInfo {
        name: info.name,
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        backend: format!("{:?}", info.backend),
        is_software: info.device_type == wgpu::DeviceType::Cpu,
    }
}

/// An opened card.
pub(crate) struct Card {
    pub info: CardInfo,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub pipeline: wgpu::ComputePipeline,
    /// What the driver complained of first.
    trouble: Arc<OnceLock<String>>,
}

/// Buffers that the kernel works on.
pub(crate) struct Operands<'a> {
    pub sides: [&'a wgpu::Buffer; 2],
    pub segments: &'a wgpu::Buffer,
    pub results: &'a wgpu::Buffer,
    pub histograms: &'a wgpu::Buffer,
}

impl Card {
    pub fn open(adapter: &wgpu::Adapter) -> Result<Self, GpuError> {
        let info = info(adapter);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("heirloom"),
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) =
            block_on(adapter.request_device(&descriptor)).map_err(|error| GpuError::Open {
                card: info.to_string(),
                reason: error.to_string(),
            })?;
        let trouble = Arc::new(OnceLock::new());
        let heard = trouble.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            heard.get_or_init(|| error.to_string());
        }));
        let heard = trouble.clone();
        device.set_device_lost_callback(move |reason, message| {
            heard.get_or_init(|| format!("the device is lost ({reason:?}): {message}"));
        });
        let pipeline = pipeline(&device);
        let card = Self {
            info,
            device,
            queue,
            pipeline,
            trouble,
        };
        match card.trouble.get() {
            None => Ok(card),
            Some(reason) => Err(GpuError::Open {
                card: card.info.to_string(),
                reason: reason.clone(),
            }),
        }
    }

    pub fn buffer(&self, size: u64, usage: wgpu::BufferUsages, is_mapped: bool) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: is_mapped,
        })
    }

    pub fn bind(&self, operands: &Operands<'_>) -> wgpu::BindGroup {
        let [a, b] = operands.sides;
        let buffers = [a, b, operands.segments, operands.results, operands.histograms];
        let entries: Vec<wgpu::BindGroupEntry<'_>> = (0..)
            .zip(buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.pipeline.get_bind_group_layout(0),
            entries: &entries,
        })
    }

    /// Runs the kernel on `segments` segments.
    pub fn dispatch(&self, encoder: &mut wgpu::CommandEncoder, operands: &wgpu::BindGroup, segments: u32) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, operands, &[]);
        pass.dispatch_workgroups(segments, 1, 1);
    }

    /// Until the work handed in as `submission` is done, and its buffers are mapped.
    pub fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<(), DiffError> {
        let polled = self.device.poll(wgpu::PollType::Wait {
            submission_index: Some(submission),
            timeout: Some(PATIENCE),
        });
        if let Some(reason) = self.trouble.get() {
            return Err(self.failure(reason.clone()));
        }
        polled.map_err(|error| self.failure(error.to_string())).map(drop)
    }

    pub fn failure(&self, reason: String) -> DiffError {
        DiffError::Device {
            device: self.info.to_string(),
            reason,
        }
    }
}

/// Bytes of the kernel's smaller buffers, by their place among its bindings from 2 on.
pub(crate) const TABLE_BYTES: u64 = 16 * BATCH_SEGMENTS;
pub(crate) const RESULT_BYTES: u64 = 4 * RESULT_WORDS as u64 * BATCH_SEGMENTS;
pub(crate) const HISTOGRAM_BYTES: u64 = 4 * HISTOGRAM_WORDS as u64 * BATCH_RUNS as u64;

fn pipeline(device: &wgpu::Device) -> wgpu::ComputePipeline {
    let source = wgpu::ShaderModuleDescriptor {
        label: Some("kernel.wgsl"),
        source: wgpu::ShaderSource::Wgsl(include_str!("kernel.wgsl").into()),
    };
    let checks = wgpu::ShaderRuntimeChecks {
        force_loop_bounding: false,
        ..wgpu::ShaderRuntimeChecks::checked()
    };
    // SAFETY: what is left unchecked is that loops end. Both loops of the kernel count to a bound.
    let module = unsafe { device.create_shader_module_trusted(source, checks) };
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("compare"),
        layout: None,
        module: &module,
        entry_point: Some("compare"),
        compilation_options: wgpu::PipelineCompilationOptions {
            // The kernel writes what it reads.
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: None,
    })
}
