#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| heirloom_fuzz::open_and_read(&(data.len() as u64).to_le_bytes(), data));
