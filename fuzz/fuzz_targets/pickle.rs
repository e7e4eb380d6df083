#![no_main]

/// The magic number pickle that a checkpoint from before PyTorch 1.6 begins with.
const MAGIC: &[u8] = &[0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];

libfuzzer_sys::fuzz_target!(|data: &[u8]| heirloom_fuzz::open_and_read(MAGIC, data));
